"""How right the answer cache is on the labelled pairs: by words, and by words and vectors."""

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from app.bootstrap import Application, build, embedder
from app.completion.caching.cache import AnswerCache, Embedder, Suggestion
from app.completion.caching.matching import OFFER_FROM, compare, interchangeable
from app.completion.caching.policy import Policy
from app.completion.caching.query import CacheQuery, Scope, question_key
from app.completion.caching.words import read
from app.core.caching import CachedAnswer
from app.core.models import ModelRef
from app.core.usage import CallRecord
from app.settings import Settings
from bench.report import Report
from tests.data.questions.load import LANGUAGES, Pair, Split, pairs

Counted = Counter[tuple[bool, str]]
"""How many pairs, same or not, came to suggest or different, and how many of them are certain."""

PARTS: tuple[Split, ...] = ("test", "later", "people")
COSINES = tuple(share / 100 for share in range(50, 100))
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
    """The verdicts of words alone."""
    counted: Counted = Counter()
    for pair in of:
        one, other = read(pair.first), read(pair.second)
        likeness = compare(one, other)
        offered = likeness.score >= OFFER_FROM and not likeness.objections
        kind = "suggest" if offered else "different"
        counted[pair.same, kind] += 1
        counted[pair.same, "certain"] += interchangeable(one, other)
    return counted


def judge(report: Report, name: str, counted: Counted, *, recall: float | None) -> None:
    """Precision and recall of what is offered, and how many false answers a model that always says
    yes would have had served."""
    same = counted[True, "suggest"] + counted[True, "different"]
    true, false = counted[True, "suggest"], counted[False, "suggest"]
    for what, number, goal in (
        ("precision", true + false, recall and 0.80),
        ("recall", same, recall),
    ):
        low, high = wilson(true, number)
        report.add(
            "cache",
            f"{name}: offered, {what} ({true}/{number}, 95 % {low:.2f}-{high:.2f})",
            true / number if number else 1.0,
            "",
            goal,
            at_least=True,
        )
    served = counted[True, "certain"]
    low, high = wilson(served, same)
    what = f"{name}: served with a model that always says yes ({served}/{same}, 95 % {low:.2f}-{high:.2f})"
    report.add("cache", what, served / same if same else 0.0, "")
    negatives = counted[False, "suggest"] + counted[False, "different"]
    what = f"{name}: the same, false ones of {negatives}"
    report.add("cache", what, counted[False, "certain"], "", 0)


def with_words(report: Report) -> None:
    """The matcher on the parts that no rule was tuned on, and on all questions against all."""
    for part in PARTS:
        judge(report, f"{part} part", by_words(pairs(part)), recall=0.45)
        for language in LANGUAGES:
            some = [pair for pair in pairs(part) if pair.language == language]
            judge(report, f"{part} part, {language}", by_words(some), recall=None)
    if not report.quick:
        cross_pairs(report)


def cross_pairs(report: Report) -> None:
    """All questions against all: what is not labelled the same must not be interchangeable."""
    labelled = pairs()
    same = {frozenset((pair.first, pair.second)) for pair in labelled if pair.same}
    questions = sorted({text for pair in labelled for text in (pair.first, pair.second)})
    tried, false = 0, 0
    for one, other in itertools.combinations(questions, 2):
        if frozenset((one, other)) not in same:
            tried += 1
            false += interchangeable(read(one), read(other))
    name = f"false hits of 10,000 among {tried:,} cross pairs of {len(questions):,} questions"
    report.add("cache", name, false / tried * 10_000, "", 1)


async def unlogged(call: CallRecord) -> None:
    """These vectors are nobody's usage."""


async def with_embeddings(report: Report, settings: Settings) -> None:
    """The same pairs through the app's own cache and database, with the vectors of EMBEDDING_MODEL.

    The least cosine is chosen on the tuning part alone. Does nothing where no such model is named;
    raises a KonsiliumError where its server does not answer.
    """
    if settings.embedding_model is None:
        return
    async with an_app(settings) as app:
        if (model_asked := embedder(app.settings, app.models, unlogged)) is None:
            return
        await model_asked.embed("Does it answer?")
        found = Lookups(app, remembered(model_asked))
        every = 10 if report.quick else 1
        least = await chosen(found, pairs("tuning")[::every])
        model = settings.embedding_model
        report.add("cache", f"{model}: least cosine, chosen on the tuning part", least, "")
        print(f"to keep it: python -m app cache set cosines={model}:{least}", flush=True)
        for part in PARTS:
            some = pairs(part)[::every]
            await found.fill(some)
            judge(report, f"{model}, {part} part", await found.verdicts(some, least), recall=0.55)
            for language in LANGUAGES:
                spoken = [pair for pair in some if pair.language == language]
                counted = await found.verdicts(spoken, least)
                judge(report, f"{model}, {part} part, {language}", counted, recall=None)


async def chosen(found: "Lookups", some: Sequence[Pair]) -> float:
    """The lowest cosine from which what is offered of these pairs is right often enough."""
    await found.fill(some)
    for least in COSINES:
        counted = await found.verdicts(some, least)
        true, false = counted[True, "suggest"], counted[False, "suggest"]
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


def remembered(asked: Embedder) -> Embedder:
    """The same vectors, each asked for once."""
    known: dict[str, Sequence[float]] = {}

    async def once(question: str) -> Sequence[float]:
        if question not in known:
            known[question] = await asked.embed(question)
        return known[question]

    return Embedder(asked.model, once)


class Lookups:
    """The first question of each pair is kept, alone in a scope, and the second is looked up."""

    def __init__(self, app: Application, asked: Embedder) -> None:
        self._model = asked.model
        self._policies = app.conversation.answers.policies
        self._cache = AnswerCache(app.storage.answers, self._policies, embedder=asked)

    async def fill(self, some: Sequence[Pair]) -> None:
        """Keeps the first questions."""
        for pair in some:
            query = _query(pair, pair.first)
            entry = CachedAnswer(
                query.scope.key, query.key, query.scope.owner, pair.first, "-", "a/model"
            )
            await self._cache.keep(query, entry)

    async def verdicts(self, some: Sequence[Pair], least: float) -> Counted:
        """What the second questions came to, with that least cosine."""
        await self._policies.change(Policy(cosines={self._model: least}))
        counted: Counted = Counter()
        for pair in some:
            found = await self._cache.lookup(_query(pair, pair.second), near=True)
            offered = isinstance(found, Suggestion)
            counted[pair.same, "suggest" if offered else "different"] += 1
            counted[pair.same, "certain"] += isinstance(found, Suggestion) and found.certain
        return counted


def _query(pair: Pair, question: str) -> CacheQuery:
    scope = Scope(f"user:{pair.first}|{pair.second}", ModelRef("a", "model"))
    return CacheQuery(scope, question_key(question), question)
