"""How right the answer cache is on the labelled pairs: by words, and by words and vectors."""

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from app.bootstrap import Application, build, embedding
from app.completion.caching.analysis import analyse
from app.completion.caching.cache import AnswerCache, Asked, Embed, Hit, Suggestion
from app.completion.caching.matching import compare
from app.completion.caching.policy import Policy
from app.completion.caching.scope import Scope, question_key
from app.core.caching import CachedAnswer
from app.core.models import ModelRef
from app.settings import Settings
from bench.report import Report
from tests.data.questions.load import LANGUAGES, Pair, Split, pairs

Counted = Counter[tuple[bool, str]]
"""How many pairs, same or not, came to serve, suggest or different."""

PARTS: tuple[Split, ...] = ("test", "later")
COSINES = tuple(share / 100 for share in range(50, 100, 5))
PRECISE = 0.9
"""What is offered on the tuning part must be right that often; of the thresholds that give it, the
lowest is taken."""


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score)."""
    if not of:
        return 0.0, 1.0
    share = right / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), min(1.0, (middle + spread) / (1 + z * z / of))


def by_words(of: Sequence[Pair]) -> Counted:
    """The verdicts of the matcher alone."""
    counted: Counted = Counter()
    for pair in of:
        one, other = analyse(pair.first), analyse(pair.second)
        kind = compare(one, other).kind if one and other else "different"
        counted[pair.same, kind] += 1
    return counted


def judge(report: Report, name: str, counted: Counted, *, goals: bool) -> None:
    """Precision and recall of what is served, of what is suggested, and of both."""
    same = sum(number for (truth, _), number in counted.items() if truth)
    unserved = same - counted[True, "serve"]
    for label, kinds, of_all, bounds in (
        ("served", ("serve",), same, (0.99, 0.15)),
        ("suggested", ("suggest",), same, (0.80, 0.50)),
        ("suggested, of what is not served", ("suggest",), unserved, None),
        ("served or suggested", ("serve", "suggest"), same, (0.80, 0.50)),
    ):
        true = sum(counted[True, kind] for kind in kinds)
        false = sum(counted[False, kind] for kind in kinds)
        for what, number, goal in (
            ("precision", true + false, bounds and bounds[0]),
            ("recall", of_all, bounds and bounds[1]),
        ):
            low, high = wilson(true, number)
            report.add(
                "cache",
                f"{name}: {label}, {what} ({true}/{number}, 95 % {low:.2f}-{high:.2f})",
                true / number if number else 1.0,
                "",
                goal if goals else None,
                at_least=True,
            )
    report.add("cache", f"{name}: false hits", counted[False, "serve"], "", 0 if goals else None)


def with_words(report: Report) -> None:
    """The matcher on the parts that no rule was tuned on, and on all questions against all."""
    for part in PARTS:
        judge(report, f"{part} part", by_words(pairs(part)), goals=True)
        for language in LANGUAGES:
            some = [pair for pair in pairs(part) if pair.language == language]
            judge(report, f"{part} part, {language}", by_words(some), goals=False)
    if not report.quick:
        cross_pairs(report)


def cross_pairs(report: Report) -> None:
    """All questions against all: what is not labelled the same must not be served."""
    labelled = pairs()
    same = {frozenset((pair.first, pair.second)) for pair in labelled if pair.same}
    questions = sorted({text for pair in labelled for text in (pair.first, pair.second)})
    analyses = {text: analyse(text) for text in questions}
    tried = false = 0
    for one, other in itertools.combinations(questions, 2):
        if frozenset((one, other)) in same:
            continue
        tried += 1
        a, b = analyses[one], analyses[other]
        false += bool(a and b and compare(a, b).kind == "serve")
    name = f"false hits of 10,000 among {tried:,} cross pairs of {len(questions):,} questions"
    report.add("cache", name, false / tried * 10_000, "", 1)


async def with_embeddings(report: Report, settings: Settings) -> None:
    """The same pairs through the app's own cache and database, with the vectors of EMBEDDING_MODEL.

    The least cosine is chosen on the tuning part alone. Does nothing where no such model is named;
    raises a KonsiliumError where its server does not answer.
    """
    if settings.embedding_model is None:
        return
    async with an_app(settings) as app:
        if (embed := embedding(app.settings, app.models)) is None:
            return
        await embed("Does it answer?")
        found = Lookups(app, remembered(embed))
        every = 10 if report.quick else 1
        least = await chosen(found, pairs("tuning")[::every])
        model = settings.embedding_model
        report.add("cache", f"{model}: least cosine, chosen on the tuning part", least, "")
        for part in PARTS:
            some = pairs(part)[::every]
            await found.fill(some)
            judge(report, f"{model}, {part} part", await found.verdicts(some, least), goals=False)
            for language in LANGUAGES:
                spoken = [pair for pair in some if pair.language == language]
                counted = await found.verdicts(spoken, least)
                judge(report, f"{model}, {part} part, {language}", counted, goals=False)


async def chosen(found: "Lookups", some: Sequence[Pair]) -> float:
    """The lowest cosine from which what is offered of these pairs is right often enough."""
    await found.fill(some)
    for least in COSINES:
        counted = await found.verdicts(some, least)
        true, false = (counted[t, "serve"] + counted[t, "suggest"] for t in (True, False))
        if true >= PRECISE * (true + false):
            return least
    return 1.0


@asynccontextmanager
async def an_app(settings: Settings) -> AsyncIterator[Application]:
    """The application with these settings, over an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        app = build(settings.model_copy(update={"data_dir": Path(folder), "database_url": None}))
        await app.start()
        try:
            yield app
        finally:
            await app.stop()


def remembered(embed: Embed) -> Embed:
    """The same vectors, each asked for once."""
    known: dict[str, Sequence[float]] = {}

    async def once(question: str) -> Sequence[float]:
        if question not in known:
            known[question] = await embed(question)
        return known[question]

    return once


class Lookups:
    """The first question of each pair is kept, alone in a scope, and the second is looked up."""

    def __init__(self, app: Application, embed: Embed) -> None:
        self._policies = app.conversation.answers.policies
        self._cache = AnswerCache(app.storage.answers, self._policies, embed=embed)

    async def fill(self, some: Sequence[Pair]) -> None:
        """Keeps the first questions."""
        for pair in some:
            asked = _asked(pair, pair.first)
            entry = CachedAnswer(
                asked.scope.key, asked.key, asked.scope.owner, pair.first, "-", "a/model"
            )
            await self._cache.keep(asked, entry)

    async def verdicts(self, some: Sequence[Pair], least: float) -> Counted:
        """What the second questions came to, with that least cosine."""
        await self._policies.change(replace(Policy(), vectors_from=least))
        counted: Counted = Counter()
        for pair in some:
            match await self._cache.lookup(_asked(pair, pair.second), near=True):
                case Hit():
                    kind = "serve"
                case Suggestion():
                    kind = "suggest"
                case _:
                    kind = "different"
            counted[pair.same, kind] += 1
        return counted


def _asked(pair: Pair, question: str) -> Asked:
    scope = Scope(f"user:{pair.first}|{pair.second}", ModelRef("a", "model"))
    return Asked(scope, question_key(question), question)
