"""The council over real HTTP: what it adds to a simple question, what running at once saves, how soon
Stop reaches the servers, and how early a titled answer can be read."""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.partial_json import PartialObject
from app.conversation.turn import RunningTurn, Turns
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.providers import any_server
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Purpose
from app.providers.openai_compatible.server import OpenAICompatibleServer
from bench.report import Report
from tests.fakes import MemoryStore
from tests.simulators import OpenAISimulator

PACED = "paced-20ms+len-100"
COUNCIL = "Позови физика, экономиста и юриста: как быть?"
SIMPLE = "Сколько варить свёклу?"


class _House:
    def __init__(self, simulator: OpenAISimulator, models: Models, store: MemoryStore) -> None:
        self.simulator, self.store = simulator, store
        self._turns = Turns(store, models, WholeHistory(), MODES)

    async def start(self, text: str, mode: str, **options: object) -> RunningTurn:
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        request = TurnRequest(new_id(), "user", Question(new_id(), text), clean, "ru")
        return await self._turns.start(request)


@contextlib.asynccontextmanager
async def _house() -> AsyncGenerator[_House, None]:
    async with OpenAISimulator(["echo", "json", "paced-5ms+json", PACED]) as simulator:
        preset = replace(any_server("cloud", simulator.base_url), local=False)
        catalogue = Catalogue([OpenAICompatibleServer(preset)])
        models = Models(catalogue, Prices())
        await models.refresh()
        try:
            yield _House(simulator, models, MemoryStore())
        finally:
            await catalogue.aclose()


async def run(report: Report) -> None:
    """See the module's docstring."""
    async with _house() as house:
        times = 5 if report.quick else 30
        await _simple(report, house, times)
        await _at_once(report, house)
        await _stop(report, house, 3 if report.quick else 10)
        await _titled(report, house)
    _parser(report)


async def _first_word(turn: RunningTurn) -> float:
    """Seconds until the answer's first word."""
    start = time.perf_counter()
    changed = turn.state.subscribe()
    while not any(s.text for s in turn.state.steps.values() if s.kind is StepKind.ANSWER):
        await changed.wait()
        changed.clear()
    return time.perf_counter() - start


async def _simple(report: Report, house: _House, times: int) -> None:
    waits: dict[str, list[float]] = {"chat": [], "consultation": []}
    for number in range(times + 1):
        for mode, found in waits.items():
            turn = await house.start(SIMPLE, mode, model="cloud/echo")
            wait = await _first_word(turn) * 1000
            if number:  # the first one warms up
                found.append(wait)
            await turn.wait()
    added = statistics.median(waits["consultation"]) - statistics.median(waits["chat"])
    report.add("council", "wait added to a simple question (median)", added, "ms", 5)
    calls = len(house.store.settled[-1].calls)
    report.add("council", "calls for a simple question", calls, "", 1)


async def _at_once(report: Report, house: _House) -> None:
    took = {}
    for order in ("parallel", "sequential"):
        turn = await house.start(
            COUNCIL,
            "consultation",
            model="cloud/echo",
            consultation_model=f"cloud/{PACED}",
            consultation_order=order,
        )
        state = await turn.wait()
        council = [s for s in state.steps.values() if s.kind is StepKind.SPECIALIST]
        slowest = max((s.call.total_s or 0.0) for s in council if s.call)
        ends = [s.ended_at for s in council if s.ended_at]
        took[order] = (max(ends) - min(s.created_at for s in council)).total_seconds()
        if order == "parallel":
            ratio = took[order] / slowest
            report.add("council", "three at once: time over the slowest", ratio, "x", 1.1)
    report.add(
        "council", "three in turn: time over at once", took["sequential"] / took["parallel"], "x"
    )
    calls = [c.purpose for c in house.store.settled[-1].calls if c.purpose is not Purpose.REPAIR]
    report.add("council", "calls for a council of three (a repair apart)", len(calls), "", 5)


async def _stop(report: Report, house: _House, times: int) -> None:
    waits = []
    for _ in range(times):
        turn = await house.start(
            COUNCIL, "consultation", model="cloud/echo", consultation_model=f"cloud/{PACED}"
        )
        await _until(lambda: house.simulator.open_generations == 3)
        start = time.perf_counter()
        turn.stop()
        await turn.wait()
        await _until(lambda: not house.simulator.open_generations)
        waits.append((time.perf_counter() - start) * 1000)
    report.add("council", "Stop until three servers write no more (worst)", max(waits), "ms", 1000)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a counter of the simulator, which tells nobody
        await asyncio.sleep(0.001)


async def _titled(report: Report, house: _House) -> None:
    question = "Расскажи о чае подробно. " * 8
    turn = await house.start(question, "chat", model="cloud/paced-5ms+json", structured=True)
    first = await _first_word(turn)
    state = await turn.wait()
    calls = state.settled.calls if state.settled else ()
    whole = calls[0].total_s or 0.0
    report.add(
        "council", "titled answer: first word at, of the whole JSON's time", first / whole, "x", 0.9
    )


def _parser(report: Report) -> None:
    text = json.dumps({"title": "Чай", "message": "Завари чай, подожди.\n" * 20_000})
    pieces = [text[at : at + 12] for at in range(0, len(text), 12)]
    parser = PartialObject()
    start = time.perf_counter()
    for piece in pieces:
        parser.feed(piece)
    micros = (time.perf_counter() - start) / len(pieces) * 1e6
    report.add("council", "partial JSON: a token of 12 characters", micros, "µs", 100)
