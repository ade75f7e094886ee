"""Whether a council helps, on questions whose answers are known.

    python -m bench council --data DIR --models ollama/gemma2:2b,yandex/yandexgpt-lite [--questions 100]
    python -m bench council --data DIR --models recorded|independent

Each method answers each question: every model by itself; the best of them asked again and again with the
tokens that the council takes, the answer given most often counting (self-consistency); the council of
peers; specialists called by the first model; the best of N of the first model. DIR holds *.jsonl or
*.jsonl.gz with a line a question: {"question", "truth"}, for replays also "answers": [{"model", "text",
"correct"}].

`recorded` and `independent` ask nobody: scripted models repeat the recorded answers. Their judges rank
first whoever comes to their own figure, their chairman repeats the answer ranked first, and nothing else,
so that what comes out measures the machinery. `recorded`: each model says what it said, errors common to
all included. `independent`: each is right as often as it was, but by a throw of its own at every question;
then the council must be right as often as theory says.
"""

import asyncio
import itertools
import json
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.bootstrap import build
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.modes.best_of.selection import last_figure
from app.conversation.modes.council.agreement import conclusion
from app.conversation.modes.council.prompts import KINDS
from app.conversation.turn import Turns
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.ports import Models
from app.core.requests import ModelRequest
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import CallRecord, Purpose
from app.settings import load_settings
from bench import choices
from bench.files import lines_of
from bench.pairs import wilson
from bench.report import RESULTS
from tests.fakes import MemoryStore, ScriptedModels

MAX_MEMBERS, MAX_SAMPLES, TIMES = 6, 15, 3
"""Of a council; of one model asked again and again; seats of one model in a council by itself."""
_ASIDE = re.compile(r"(?:^|\n)\*[^*\n]+\*(?=\s*$|\n)")


@dataclass(frozen=True, slots=True)
class Known:
    """A question whose answer is known; `answers`: by model, recorded ones with whether each is right."""

    question: str
    truth: str
    answers: Mapping[str, tuple[tuple[str, bool], ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, and what it took. Unknown is None."""

    text: str
    calls: int
    tokens: int | None
    cost_rub: Decimal | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """A method over all questions; per question are calls, tokens, money and seconds."""

    method: str
    right: int
    of: int
    accuracy: float
    low: float
    """Wilson's interval of 95 %."""
    high: float
    calls: float
    tokens: float | None
    cost_rub: float | None
    seconds: float


def known_in(folder: Path, most: int | None = None) -> list[Known]:
    """The questions with known answers in that folder's files."""
    found = []
    for row in lines_of(folder):
        if "truth" not in row:
            continue
        answers: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        for one in row.get("answers", ()):
            answers[one["model"]].append((one["text"], bool(one.get("correct"))))
        kept = {model: tuple(texts) for model, texts in answers.items()}
        found.append(Known(row["question"], str(row["truth"]), kept))
    return found[:most]


def outcome(text: str) -> str:
    """What an answer comes to: its conclusion where it is short, else its last figure or last line."""
    plain = _ASIDE.sub("", text).strip()
    figure = last_figure(plain)
    if figure is not None:
        return figure
    return conclusion(plain) or (plain.splitlines()[-1].strip().casefold() if plain else "")


def is_right(text: str, truth: str) -> bool:
    """Whether the answer comes to the truth."""
    return outcome(text) == outcome(truth)


class Asked:
    """Asks one question in one mode, as the app does."""

    def __init__(self, models: Models) -> None:
        self._store = MemoryStore()
        self._turns = Turns(self._store, models, WholeHistory(), MODES)

    async def __call__(self, question: str, mode: str, **options: object) -> Told:
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        request = TurnRequest(new_id(), "bench", Question(new_id(), question), clean, "en")
        begun = time.perf_counter()
        state = await (await self._turns.start(request)).wait()
        seconds = time.perf_counter() - begun
        calls = state.settled.calls if state.settled else ()
        said = [step.text for step in state.steps.values() if step.kind is StepKind.ANSWER]
        self._store.steps.clear()
        self._store.settled.clear()
        return Told(said[-1] if said else "", len(calls), _tokens(calls), _cost(calls), seconds)


def _tokens(calls: Sequence[CallRecord]) -> int | None:
    known = [
        (call.usage.input_tokens or 0) + (call.usage.output_tokens or 0)
        for call in calls
        if call.usage.output_tokens is not None
    ]
    return sum(known) if known else None


def _cost(calls: Sequence[CallRecord]) -> Decimal | None:
    known = [call.cost.rub for call in calls if call.cost is not None]
    return sum(known, Decimal()) if known else None


# -- replays ----------------------------------------------------------------------------------------


class Replay:
    """Scripted models that repeat recorded answers, or throw for being right as often as they were."""

    def __init__(self, known: Sequence[Known], *, independent: bool, seed: int = 0) -> None:
        self.models = sorted({model for one in known for model in one.answers})
        self._known = {one.question: one for one in known}
        self.independent = independent
        self._chance = random.Random(seed)
        self._said: dict[tuple[str | None, str], list[str]] = defaultdict(list)
        """Outcomes, by turn and model: what a judge has said itself."""
        self._times: Counter[tuple[str, str]] = Counter()
        marks = {m: [ok for one in known for _, ok in one.answers.get(m, ())] for m in self.models}
        self.accuracy = {model: statistics.fmean(found) for model, found in marks.items()}

    def scripted(self) -> ScriptedModels:
        """The models, each by its name, and `pool`, whose answers are all of theirs in turn."""
        scripts: dict[str, Any] = {model: self._script(model) for model in self.models}
        return ScriptedModels({**scripts, "pool": self._script("pool")}, local=False)

    def pools(self, one: Known) -> tuple[list[str], list[str]]:
        """Right and wrong answers to a question; made up where none was recorded."""
        said = [pair for texts in one.answers.values() for pair in texts]
        right = [text for text, ok in said if ok and is_right(text, one.truth)]
        wrong = [text for text, ok in said if not ok and not is_right(text, one.truth)]
        return right or [f"A: {one.truth}"], wrong or [f"A: {one.truth}7"]

    def _script(self, model: str) -> Callable[[ModelRequest], str]:
        def script(request: ModelRequest) -> str:
            text = request.messages[-1].text
            match request.purpose:
                case Purpose.RANKING:
                    return self._ranking(request, model)
                case Purpose.REPORT:
                    return json.dumps({kind: [] for kind in KINDS})
                case Purpose.CHECK:
                    return '{"missing": [], "unsupported": []}'
                case Purpose.SYNTHESIS:
                    return _first_ranked(text)
                case _:
                    return self._answer(request, model)

        return script

    def _answer(self, request: ModelRequest, model: str) -> str:
        question = request.messages[-1].text
        one = self._known[question]
        if self.independent and model != "pool":
            right, wrong = self.pools(one)
            chosen = right if self._chance.random() < self.accuracy[model] else wrong
            said = self._chance.choice(chosen)
        else:
            texts = [t for texts in one.answers.values() for t, _ in texts]
            if model != "pool":
                texts = [text for text, _ in one.answers.get(model, ())] or [""]
            said = texts[self._times[question, model] % len(texts)]
            self._times[question, model] += 1
        self._said[request.request_id, model].append(outcome(said))
        return said

    def _ranking(self, request: ModelRequest, model: str) -> str:
        """Those that come to the judge's own figure first, the others as they are shown. Of a model that
        sits several times, its own answer is the one that it is not shown."""
        shown = _answers_in(request.messages[-1].text)
        given = {letter: outcome(text) for letter, text in shown.items()}
        said = self._said[request.request_id, model]
        own = next(iter(Counter(said) - Counter(given.values())), said[0])
        order = sorted(shown, key=lambda letter: given[letter] != own)
        return json.dumps({"reason": "", "ranking": order})


def _answers_in(prompt: str) -> dict[str, str]:
    found = re.findall(r'<answer letter="([A-F])">\n(.*?)\n</answer>', prompt, re.DOTALL)
    return dict(found)


def _first_ranked(prompt: str) -> str:
    answers = _answers_in(prompt)
    order = re.search(r"best first: ([A-F])|лучший первым: ([A-F])", prompt)
    first = next((x for x in order.groups() if x), "") if order else ""
    return answers.get(first) or next(iter(answers.values()), "")


def in_theory(replay: Replay, known: Sequence[Known], members: Sequence[str]) -> float:
    """How often the answer of the largest company of members that agree is right, each being right by a
    throw of its own; of companies of one size the one with the first member. Exact."""
    total = 0.0
    for one in known:
        right, wrong = replay.pools(one)
        said = [Counter(map(outcome, texts)) for texts in (right, wrong)]
        ways = []
        for member in members:
            sure = replay.accuracy[member]
            shares: dict[str, float] = defaultdict(float)
            for share, texts in ((sure, said[0]), (1 - sure, said[1])):
                for text, count in texts.items():
                    shares[text] += share * count / texts.total()
            ways.append(list(shares.items()))
        for draw in itertools.product(*ways):
            given = [text for text, _ in draw]
            best = max(given, key=given.count)
            if best == outcome(one.truth):
                total += _product(share for _, share in draw)
    return total / len(known)


def _product(values: Any) -> float:
    result = 1.0
    for value in values:
        result *= value
    return result


# -- methods ----------------------------------------------------------------------------------------

Method = Callable[[Known], Awaitable[Told]]


def single(ask: Asked, model: str) -> Method:
    return lambda one: ask(one.question, "chat", model=model)


def peers(ask: Asked, models: Sequence[str]) -> Method:
    seats = [{"name": f"{n}", "model": name} for n, name in enumerate(models[:MAX_MEMBERS], 1)]
    options = {"council_members": json.dumps(seats), "council_calls": 40, "model": models[0]}
    return lambda one: ask(one.question, "council", **options)


def specialists(ask: Asked, model: str) -> Method:
    return lambda one: ask(one.question, "consultation", model=model, consultation_gate="always")


def best_of(ask: Asked, model: str, count: int, selector: str) -> Method:
    options = {"model": model, "best_of_n": count, "best_of_selector": selector}
    return lambda one: ask(one.question, "best_of", **options)


def most_often(ask: Asked, model: str, samples: int) -> Method:
    """Self-consistency: the answer that is given most often, the first of them where several are."""

    async def method(one: Known) -> Told:
        told = [
            await ask(one.question, "chat", model=model, temperature=0.8) for _ in range(samples)
        ]
        counts = Counter(outcome(each.text) for each in told)
        first = max(told, key=lambda each: counts[outcome(each.text)])
        tokens = [each.tokens for each in told if each.tokens is not None]
        costs = [each.cost_rub for each in told if each.cost_rub is not None]
        return Told(
            first.text,
            sum(each.calls for each in told),
            sum(tokens) if tokens else None,
            sum(costs, Decimal()) if costs else None,
            sum(each.seconds for each in told),
        )

    return method


async def measured(name: str, method: Method, known: Sequence[Known]) -> Row:
    """The method over all questions."""
    told = [await method(one) for one in known]
    right = sum(is_right(t.text, one.truth) for t, one in zip(told, known, strict=True))
    low, high = wilson(right, len(known))
    tokens = [each.tokens for each in told if each.tokens is not None]
    costs = [float(each.cost_rub) for each in told if each.cost_rub is not None]
    return Row(
        name,
        right,
        len(known),
        right / len(known),
        low,
        high,
        statistics.fmean(each.calls for each in told),
        statistics.fmean(tokens) if tokens else None,
        statistics.fmean(costs) if costs else None,
        statistics.fmean(each.seconds for each in told),
    )


async def compared(
    models: Models, names: Sequence[str], known: Sequence[Known], *, replay: Replay | None = None
) -> list[Row]:
    """A row a method. A replay has no specialists, and one recorded answer a model cannot be asked for
    again and again."""
    ask = Asked(models)
    rows = [await measured(name, single(ask, name), known) for name in names]
    best = max(rows, key=lambda row: row.accuracy)
    council = await measured(f"peers ({len(names)})", peers(ask, names), known)
    if replay is None or replay.independent:
        per_answer = best.tokens or 1.0
        samples = max(1, min(MAX_SAMPLES, round((council.tokens or per_answer) / per_answer)))
        samples = len(names) if replay is not None else samples
        method = most_often(ask, best.method, samples)
        rows.append(await measured(f"{best.method}, {samples} times", method, known))
    rows.append(council)
    if replay is None or replay.independent:
        itself = [best.method] * TIMES
        rows.append(await measured(f"peers: {best.method} × {TIMES}", peers(ask, itself), known))
    first, count = names[0], min(5, max(2, len(names)))
    if replay is None:
        rows.append(await measured(f"specialists of {first}", specialists(ask, first), known))
    else:
        first, count = "pool", min(5, len(names))
    for selector in choices.WAYS:
        method = best_of(ask, first, count, selector)
        rows.append(await measured(f"best of {count} ({selector}), {first}", method, known))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""

    def shown(value: float | None, digits: int = 0) -> str:
        return "—" if value is None else f"{value:,.{digits}f}"

    lines = [
        "| method | right | 95 % | calls | tokens | roubles | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.method} | {row.accuracy:.3f} | {row.low:.3f} to {row.high:.3f} | {row.calls:.1f} "
        f"| {shown(row.tokens)} | {shown(row.cost_rub, 4)} | {row.seconds:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


@asynccontextmanager
async def configured() -> AsyncGenerator[Models, None]:
    """The models of the settings."""
    app = build(load_settings())
    await app.storage.open()
    await app.servers.catalogue.refresh()
    try:
        yield app.models
    finally:
        await app.stop()


def run_on(folder: Path, models: str, questions: int | None = None, results: Path = RESULTS) -> str:
    """The table for these models over these questions; also kept as JSON. Raises SystemExit where there
    are no questions."""
    known = known_in(folder, questions)
    if not known:
        raise SystemExit(f"no questions with a known answer (truth) in {folder}")
    rows, theory = asyncio.run(_rows(models, known))
    results.mkdir(exist_ok=True)
    path = results / f"council-{time.strftime('%Y-%m-%dT%H-%M-%S')}.json"
    told = {"models": models, "questions": len(known), "in_theory": theory}
    path.write_text(json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=1))
    said = "".join(f"\nin theory: {name} {share:.3f}" for name, share in theory.items())
    return f"{table(rows)}{said}\n\n{path}"


async def _rows(models: str, known: Sequence[Known]) -> tuple[list[Row], dict[str, float]]:
    """The rows, and by company what theory says of it, where it can say something."""
    theory: dict[str, float] = {}
    if models in ("recorded", "independent"):
        replay = Replay(known, independent=models == "independent")
        rows = await compared(replay.scripted(), replay.models, known, replay=replay)
        if replay.independent:
            best = max(replay.models, key=lambda model: replay.accuracy[model])
            companies = {f"peers ({len(replay.models)})": replay.models}
            companies[f"peers: {best} × {TIMES}"] = [best] * TIMES
            theory = {name: in_theory(replay, known, who) for name, who in companies.items()}
    else:
        async with configured() as real:
            names = [name.strip() for name in models.split(",") if name.strip()]
            rows = await compared(real, names, known)
    return rows, theory


def main(folder: Path, models: str, questions: int | None) -> None:
    """Prints the table."""
    print(run_on(folder, models, questions))
    if models == "recorded" and (rated := choices.rated_in(folder)):
        print(f"\npoints over a random one of five answers\n\n{choices.table(rated)}")
