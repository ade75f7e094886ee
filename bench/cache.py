"""The answer cache: how right it is on the labelled pairs, alone and with the model that EMBEDDING_MODEL
names, how quick with many answers kept, and what a miss adds to the first token."""

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, insert

from app.completion.caching.cache import TERMS, AnswerCache, Hit, Suggestion
from app.completion.caching.lasting import lasting
from app.completion.caching.matching import compare
from app.completion.caching.policy import Policies
from app.completion.caching.query import CacheQuery, Scope, question_key
from app.completion.caching.words import read, terms_of
from app.conversation.cached import TurnCache
from app.conversation.mode import Inbox, Mode, TurnContext, TurnModels
from app.conversation.modes import MODES
from app.core.events import ModelEvent, StepDelta, TurnEvent
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.options import ChatOptions
from app.core.requests import ModelRequest
from app.core.turns import Prompt, Question, TurnRequest, new_id, now
from app.settings import load_settings
from app.storage.storage import Storage
from app.storage.tables import cached_answers, cached_terms
from bench.pairs import wilson, with_embeddings, with_words
from bench.report import Report
from tests.data.lasting.load import questions as questions_of_both_kinds
from tests.data.questions.load import pairs
from tests.fakes import ScriptedCall, ScriptedModels

FIRST_TOKEN_MS = 40
"""Of the scripted model: a quick one; what runs beside it should be over by then."""
SCOPE = Scope("user:bench", ModelRef("fake", "model"), language="uk")


VERBS = [
    "купити",
    "продати",
    "відремонтувати",
    "замовити",
    "повернути",
    "обрати",
    "перевірити",
    "оформити",
    "знайти",
    "доставити",
    "застрахувати",
    "пофарбувати",
    "розібрати",
    "зібрати",
    "перевезти",
    "здати",
    "отримати",
    "змінити",
    "скасувати",
    "відновити",
    "зареєструвати",
    "оновити",
    "почистити",
    "зберегти",
    "перенести",
    "оплатити",
    "виміряти",
    "встановити",
    "налаштувати",
    "замінити",
]
NOUNS = [
    "холодильник",
    "велосипед",
    "паспорт",
    "квиток",
    "телефон",
    "ноутбук",
    "диван",
    "килим",
    "принтер",
    "годинник",
    "автомобіль",
    "договір",
    "рахунок",
    "абонемент",
    "пилосос",
    "матрац",
    "шафу",
    "підлогу",
    "стелю",
    "двері",
    "вікно",
    "батарею",
    "кран",
    "душ",
    "телевізор",
    "монітор",
    "клавіатуру",
    "навушники",
    "камеру",
    "об'єктив",
    "окуляри",
    "сумку",
    "валізу",
    "куртку",
    "черевики",
    "намет",
    "човен",
    "весло",
    "мотоцикл",
    "скутер",
    "причіп",
    "генератор",
    "насос",
    "котел",
    "бойлер",
    "камін",
    "люстру",
    "лампу",
    "розетку",
    "дзеркало",
    "полицю",
]
PLACES = [
    "Києві",
    "Львові",
    "Одесі",
    "Харкові",
    "Полтаві",
    "Черкасах",
    "Чернівцях",
    "Луцьку",
    "Рівному",
    "Ужгороді",
    "Херсоні",
    "Миколаєві",
    "Сумах",
    "Чернігові",
    "Житомирі",
    "Вінниці",
    "Тернополі",
    "Запоріжжі",
    "Дніпрі",
    "Умані",
    "Ніжині",
    "Коломиї",
    "Трускавці",
    "Мукачеві",
    "Бердянську",
    "Ізмаїлі",
    "Каневі",
    "Острозі",
    "Дубні",
    "Бродах",
    "Стрию",
    "Самборі",
    "Галичі",
    "Хусті",
]
SHAPES = ("Як {} {} у {}?", "Де {} {} у {}?", "Чи можна {} {} у {}?")


def questions(number: int) -> Iterator[str]:
    """Different questions, in a shuffled order that is always the same."""
    all_of_them = list(itertools.product(SHAPES, VERBS, NOUNS, PLACES))
    random.Random(7).shuffle(all_of_them)
    for shape, *words in all_of_them[:number]:
        yield shape.format(*words)


async def fill(storage: Storage, number: int, scope: str) -> list[str]:
    """Keeps that many answers in one scope, as `put` does but in one transaction."""
    kept = list(questions(number))
    start = now() - timedelta(days=1)
    answers, words = [], []
    for seq, question in enumerate(kept, 1):
        at = start + timedelta(seconds=seq)
        row = {"seq": seq, "id": new_id(), "scope": scope, "key": question_key(question)}
        row |= {"owner": "user:bench", "question": question, "answer": "Отак. " * 60}
        answers.append(row | {"model": "fake/model", "asked_at": at, "used_at": at})
        words += [
            {"scope": scope, "term": term, "seq": seq}
            for term in set(terms_of(read(question), TERMS))
        ]

    def work(connection: Connection) -> None:
        connection.execute(insert(cached_answers), answers)
        connection.execute(insert(cached_terms), words)

    await storage.database.write(work)
    return kept


async def lookups(report: Report, folder: Path, number: int) -> None:
    """Hits and misses one after another, every question new to the process."""
    storage = await Storage(f"sqlite+aiosqlite:///{folder / 'bench.db'}", folder).open()
    try:
        kept = await fill(storage, number, SCOPE.key)
        cache = AnswerCache(storage.answers, Policies(storage.key_values))
        sample = random.Random(3).sample(kept, min(400, number // 4))
        kinds = {
            "exact": [f" {text} " for text in sample[::2]],
            "near": [reworded(text) for text in sample[1::2]],
            "miss": [f"{text.removesuffix('?')} для мого дідуся?" for text in sample],
            "nothing alike": [f"Чому зникли динозаври {n}?" for n in range(len(sample) // 2)],
        }
        await cache.lookup(
            CacheQuery(SCOPE, question_key("?"), "Чому зникли динозаври?"), near=True
        )
        times: dict[str, list[float]] = {}
        served: Counter[str] = Counter()
        for kind, texts in kinds.items():
            for text in texts:
                asked = CacheQuery(SCOPE, question_key(text), text)
                start = time.perf_counter()
                found = await cache.lookup(asked, near=True)
                times.setdefault(kind, []).append((time.perf_counter() - start) * 1000)
                served[kind] += isinstance(found, Suggestion if kind == "near" else Hit)
        assert served["exact"] == len(kinds["exact"])
        assert served["near"] == len(kinds["near"]), (served, len(kinds["near"]))
        assert served["miss"] == served["nothing alike"] == 0
        every = [ms for some in times.values() for ms in some]
        name = f"lookup among {number:,} answers"
        report.add("cache", f"{name}, median", median(every), "ms", 5)
        report.add("cache", f"{name}, 95th percentile", percentile(every, 95), "ms", 15)
        for kind, some in times.items():
            goal = {"exact": 1, "near": 5}.get(kind)
            report.add("cache", f"{name}, {kind}, median", median(some), "ms", goal)
        await first_tokens(report, cache, quick=number < 10_000)
    finally:
        await storage.aclose()


def reworded(question: str) -> str:
    """The same question with its place moved: near, not exact."""
    words = question.removesuffix("?").split()
    return f"Підкажіть, {' '.join((*words[:-2],))} {' '.join(words[-2:])}, будь ласка?"


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100)[share - 1]


async def first_tokens(report: Report, cache: AnswerCache, *, quick: bool) -> None:
    """From a mode's start to its first words, without the cache and with a miss in it, in turns."""
    models = Steady({"model": "Так."})
    plain = MODES[0]
    (missing,) = TurnCache(cache).wrap([plain])
    more: list[float] = []
    for number in range(30 if quick else 300):
        text = f"Чому кит {number} співає у {PLACES[number % len(PLACES)]}?"
        pair = (plain, missing) if number % 2 else (missing, plain)
        took = {mode: await first_words(mode, models, text) for mode in pair}
        more.append(took[missing] - took[plain])
    low, _, high = statistics.quantiles(more, n=4)
    report.add("cache", "what a miss adds to the first token, median", median(more), "ms", 1)
    report.add("cache", "the same, a quarter of turns below", low, "ms")
    report.add("cache", "the same, a quarter of turns above", high, "ms")


class Steady(ScriptedModels):
    """Answers after FIRST_TOKEN_MS by a thread's clock: the loop's own rounds to milliseconds."""

    def call(self, ref: ModelRef, request: ModelRequest) -> ScriptedCall:
        return SteadyCall(self, ref, request)


class SteadyCall(ScriptedCall):
    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        await asyncio.to_thread(time.sleep, FIRST_TOKEN_MS / 1000)
        async for event in super().events():
            yield event


async def first_words(mode: Mode, models: ScriptedModels, text: str) -> float:
    """Milliseconds until the mode says something of its own."""
    options = ChatOptions.clean({"answer_cache": "near"}, "chat")
    request = TurnRequest(new_id(), "bench", Question(new_id(), text), options, "uk")
    prompt = Prompt((Message.user(text),))
    ref = models.resolve("")
    said: list[float] = []

    def see(event: TurnEvent) -> None:
        if isinstance(event, StepDelta):
            said.append(time.perf_counter())

    turn = TurnContext(request, prompt, (), ref, TurnModels(models), Inbox(), see)
    start = time.perf_counter()
    await mode.respond(turn)
    return (said[0] - start) * 1000


def compare_speed(report: Report) -> None:
    """The pure core: one question taken apart, and one comparison."""
    texts = [pair.first for pair in pairs("tuning")]
    start = time.perf_counter()
    readings = [read(text) for text in texts]
    report.add("cache", "reading a question", per(start, len(texts)) * 1e6, "µs")
    tried = list(itertools.islice(itertools.combinations(readings, 2), 5000))
    start = time.perf_counter()
    for one, other in tried:
        compare(one, other)
    report.add("cache", "comparing two", per(start, len(tried)) * 1e6, "µs")


def what_lasts(report: Report) -> None:
    """What may be answered from memory at all, on the half that no cue was chosen by."""
    some = questions_of_both_kinds(held_out=True)
    for what, wanted, goal in (("kept out", False, 0.95), ("let in", True, 0.85)):
        of_it = [asked for asked in some if (asked.kind == "lasting") is wanted]
        right = sum(lasting(q.text, shared=q.kind == "me") is wanted for q in of_it)
        low, high = wilson(right, len(of_it))
        name = f"{'lasting' if wanted else 'passing'} questions {what} ({right}/{len(of_it)}, 95 % {low:.2f}-{high:.2f})"
        report.add("cache", name, right / len(of_it), "", goal, at_least=True)


def per(start: float, number: int) -> float:
    return (time.perf_counter() - start) / number


async def run(report: Report) -> None:
    """All of it."""
    with_words(report)
    await with_embeddings(report, load_settings())
    what_lasts(report)
    compare_speed(report)
    with tempfile.TemporaryDirectory() as folder:
        await lookups(report, Path(folder), 2_000 if report.quick else 50_000)
