"""How a model judges pairs of answers of which one is right: how often it prefers that one, in both
orders, and how often the one that it is shown first.

    python -m bench judges --data DIR --models ollama/gemma2:2b [--questions 30]

DIR is as for `bench council`, with recorded answers. `--models recorded` asks scripted judges whose
preference is known, so that the machinery is proved: one that knows which is right, one that half of the
time names whatever it is shown first, and one that always does.
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.conversation.modes.best_of.judge import CallsModels, Judge, both_orders
from app.core.errors import KonsiliumError
from app.core.models import ModelRef
from app.core.requests import ModelRequest
from bench.evidence import configured, known_in
from tests.fakes import ScriptedModels


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to a question; the first is right, the second wrong."""

    question: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Judging:
    """Shares of pairs, and of single verdicts those for the answer shown first (of those that preferred
    one). A pair without a verdict that can be read counts as undecided."""

    model: str
    pairs: int
    right: float
    wrong: float
    undecided: float
    first: float | None


async def judging(models: CallsModels, ref: ModelRef, pairs: Sequence[Pair]) -> Judging:
    """That model over the pairs, each in both orders."""
    right = wrong = first = preferred = 0
    for number, pair in enumerate(pairs):
        judge = Judge(models, ref, pair.question, "en", f"judging-{number}")
        try:
            (straight, _), (swapped, _) = await both_orders(judge, pair.right, pair.wrong)
        except KonsiliumError:
            continue
        right += straight == swapped == 0
        wrong += straight == swapped == 1
        first += (straight == 0) + (swapped == 1)
        preferred += (straight is not None) + (swapped is not None)
    count = max(1, len(pairs))
    undecided = (len(pairs) - right - wrong) / count
    share = first / preferred if preferred else None
    return Judging(str(ref), len(pairs), right / count, wrong / count, undecided, share)


def scripted(pairs: Sequence[Pair], *, seed: int = 0) -> ScriptedModels:
    """Judges that know, that half of the time name the first answer they are shown, and that always do."""
    known = {pair.right for pair in pairs}
    chance = random.Random(seed)

    def judge(placed: float) -> Callable[[ModelRequest], str]:
        def verdict(request: ModelRequest) -> str:
            shown = re.search(r"<A>\n(.*?)\n</A>", request.messages[-1].text, re.DOTALL)
            knows = "A" if shown and shown[1] in known else "B"
            return f'{{"reason": "", "better": "{"A" if chance.random() < placed else knows}"}}'

        return verdict

    return ScriptedModels(
        {"knows": judge(0), "half-by-place": judge(0.5), "by-place": judge(1)}, local=False
    )


def table(rows: Sequence[Judging]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| judge | pairs | the right one in both orders | the wrong one | undecided | the first shown |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        first = "—" if row.first is None else f"{row.first:.2f}"
        lines.append(
            f"| {row.model} | {row.pairs} | {row.right:.2f} | {row.wrong:.2f} | {row.undecided:.2f} "
            f"| {first} |"
        )
    return "\n".join(lines)


def pairs_in(folder: Path, most: int | None = None) -> list[Pair]:
    """The questions of that folder with a right and a wrong answer, one of each."""
    found = []
    for one in known_in(folder):
        said = [pair for texts in one.answers.values() for pair in texts]
        right = next((text for text, ok in said if ok), None)
        wrong = next((text for text, ok in said if not ok), None)
        if right and wrong:
            found.append(Pair(one.question, right, wrong))
    return found[:most]


async def judged(names: str, pairs: Sequence[Pair]) -> list[Judging]:
    """A row a judge."""
    if names == "recorded":
        fakes = scripted(pairs)
        return [await judging(fakes, ModelRef("fake", name), pairs) for name in fakes.scripts]
    async with configured() as models:
        refs = [models.resolve(name.strip()) for name in names.split(",")]
        return [await judging(models, ref, pairs) for ref in refs]


def main(folder: Path, models: str, questions: int | None) -> None:
    """Prints the table. Raises SystemExit where there are no such questions."""
    pairs = pairs_in(folder, questions)
    if not pairs:
        raise SystemExit(f"no questions with a right and a wrong answer in {folder}")
    print(table(asyncio.run(judged(models, pairs))))
