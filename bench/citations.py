"""How many wrong citations are struck, and how many right ones, on the sets of tests/data/knowledge: by words
alone, and with a model that is asked where words cannot tell.

    python -m bench citations --models ollama/gemma3:4b [--questions 60]

`--models scripted` asks judges that know which citations are right and err as often as their names say, so
that the machinery is proved.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.conversation.citation_check import CitationCheck
from app.conversation.mode import TurnModels
from app.conversation.sources import Sources
from app.core.models import ModelRef
from app.core.notes import CitationsNote
from app.core.ports import Models
from app.core.requests import ModelRequest
from bench.evidence import configured
from bench.report import Report
from tests.data.knowledge import Cited, cited
from tests.fakes import ScriptedModels

BENCH = "citations"
SETS = ("citations.txt", "hard-tuned.txt", "hard-blind.txt")
_ERRS = {"never-errs": 0.0, "errs-in-1-of-100": 0.01, "errs-in-1-of-20": 0.05}


@dataclass(frozen=True, slots=True)
class Struck:
    """Shares of the wrong and of the right citations; `unchecked` of the answers that a model was asked
    about: those of which it decided nothing."""

    wrong: float
    wrong_open: float
    right: float
    right_open: float
    answers: int
    asked: int
    unchecked: float


async def struck(
    answers: Sequence[Cited], models: Models | None = None, ref: ModelRef | None = None
) -> Struck:
    """What becomes of the citations of these answers; without `models` by words alone."""
    found: dict[bool, list[str]] = {True: [], False: []}
    asked = failed = 0
    for one in answers:
        note = await _noted(one, models, ref)
        asked += bool(note.checker)
        failed += note.check in ("failed", "small")
        for mark, right in zip(note.marks, one.right, strict=True):
            state = "holds" if mark.holds else "open" if mark.open else "struck"
            found[right].append(state)

    def share(right: bool, state: str) -> float:
        return found[right].count(state) / max(1, len(found[right]))

    return Struck(
        share(False, "struck"),
        share(False, "open"),
        share(True, "struck"),
        share(True, "open"),
        len(answers),
        asked,
        failed / asked if asked else 0.0,
    )


async def _noted(one: Cited, models: Models | None, ref: ModelRef | None) -> CitationsNote:
    sources = Sources()
    for source in one.sources:
        sources.cite(source)
    found = sources.checked(one.text, one.question)
    if models is None or ref is None or not found.doubts:
        return sources.note(found.marks, found.unsourced)
    return await CitationCheck().note("bench", TurnModels(models), ref, sources, found)


class Judge:
    """Knows which claims of a set are right, and errs as often as it is told; its proof is real."""

    def __init__(self, answers: Sequence[Cited], errs: float) -> None:
        self._chance = random.Random(15)
        self._errs = errs
        self._answers = sorted(answers, key=lambda one: len(one.text))

    def __call__(self, request: ModelRequest) -> str:
        asked = request.messages[-1].text
        shown = re.findall(r'<source number="(\d+)"[^>]*>\n(.*?)\n</source>', asked, re.DOTALL)
        claims = re.findall(r"^(\d+)\. \[([\d, ]+)\] (.*)$", asked, re.MULTILINE)
        return json.dumps({"claims": [self._of(dict(shown), *claim) for claim in claims]})

    def _of(self, passages: Mapping[str, str], claim: str, numbers: str, text: str) -> Any:
        bare = _bare(text.partition(" (before it:")[0])
        named = numbers.split(", ")
        right = next(
            right
            for one in self._answers
            if bare in _bare(one.text) and (right := _right(one, named)) is not None
        )
        if self._chance.random() < self._errs:
            right = not right
        words = [" ".join(passages[number].split()[:5]) for number in named]
        return {
            "claim": int(claim),
            "words": words,
            "verdict": "supported" if right else "not said",
        }


def _bare(text: str) -> str:
    return " ".join(re.sub(r"\[[\d, –-]+\]", " ", text).split())


def _right(one: Cited, named: Sequence[str]) -> bool | None:
    """Whether its citations of those numbers are right; None where it has none."""
    marks = dict(zip(re.findall(r"\[(\d+)\]", one.text), one.right, strict=False))
    return all(marks[n] for n in named) if set(named) <= marks.keys() else None


def judges(answers: Sequence[Cited]) -> ScriptedModels:
    """Judges that know which of these answers are right, by name."""
    return ScriptedModels({name: Judge(answers, errs) for name, errs in _ERRS.items()})


async def run(report: Report) -> None:
    """By words alone, on each of the sets."""
    for name in SETS:
        found = await struck(cited(name))
        for told, share in (("wrong", found.wrong), ("right", found.right)):
            report.add(BENCH, f"{name}: {told} ones struck, by words alone", 100 * share, "%")


def table(rows: Sequence[tuple[str, str, Struck]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| set | asked | wrong struck | wrong left open | right struck | right left open | undecided |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, model, one in rows:
        shares = (one.wrong, one.wrong_open, one.right, one.right_open, one.unchecked)
        lines.append(f"| {name} | {model} | " + " | ".join(f"{s:.1%}" for s in shares) + " |")
    return "\n".join(lines)


async def judged(names: str, most: int | None) -> list[tuple[str, str, Struck]]:
    """A row a set and a judge, words alone first; of each set `most` answers, from all over it."""
    rows: list[tuple[str, str, Struck]] = []
    for name in SETS[1:]:
        answers = cited(name)
        some = random.Random(7).sample(answers, min(most or len(answers), len(answers)))
        rows.append((name, "nobody", await struck(some)))
        if names == "scripted":
            rows += await _by(judges(answers), list(_ERRS), name, some)
        else:
            async with configured() as models:
                rows += await _by(models, names.split(","), name, some)
    return rows


async def _by(
    models: Models, names: Sequence[str], of: str, answers: Sequence[Cited]
) -> list[tuple[str, str, Struck]]:
    refs = [models.resolve(name.strip()) for name in names]
    return [(of, str(ref), await struck(answers, models, ref)) for ref in refs]


def main(models: str, questions: int | None) -> None:
    """Prints the table."""
    print(table(asyncio.run(judged(models, questions))))
