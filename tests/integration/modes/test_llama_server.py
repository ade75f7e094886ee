"""Over llama.cpp's own server, whose model babbles: its text is noise, the fallbacks must hold."""

import time
from collections.abc import AsyncGenerator

import pytest

from app.core.events import StepKind
from app.core.providers import any_server
from app.core.usage import Outcome, Purpose
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.integration.modes.conftest import House, open_house
from tests.llama_server import ALIAS, llama_server
from tests.waiting import until

MODEL = f"llama/{ALIAS}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    return tmp_path_factory.mktemp("llama")


@pytest.fixture
async def house(folder) -> AsyncGenerator[House, None]:
    async with (
        llama_server(folder) as url,
        open_house([OpenAICompatibleServer(any_server("llama", f"{url}/v1"))]) as house,
    ):
        yield house


def of_kind(state, kind):
    return [step for step in state.steps.values() if step.kind is kind]


async def test_a_council_of_noise_still_ends_in_an_answer(house):
    state = await house.play(
        "Позови физика и юриста: как быть?",
        "consultation",
        model=MODEL,
        max_tokens=60,
        consultation_tokens=40,
    )
    assert state.outcome is Outcome.COMPLETED, state.error
    specialists = of_kind(state, StepKind.SPECIALIST)
    assert specialists
    assert all(step.text and step.outcome is Outcome.COMPLETED for step in specialists)
    assert of_kind(state, StepKind.ANSWER)[-1].text
    purposes = {call.purpose for call in house.store.settled[-1].calls}
    assert {Purpose.GATE, Purpose.SPECIALIST, Purpose.SYNTHESIS} <= purposes


async def test_a_gate_of_noise_ends_in_an_answer(house):
    state = await house.play(
        "Как квантовая механика влияет на финансовые рынки?",
        "consultation",
        model=MODEL,
        max_tokens=60,
        consultation_tokens=40,
    )
    assert state.outcome is Outcome.COMPLETED, state.error
    assert of_kind(state, StepKind.ANSWER)[-1].text


async def test_a_titled_answer_of_noise_is_shown_somehow(house):
    state = await house.play("О чае", "chat", model=MODEL, max_tokens=200, structured=True)
    assert state.outcome is Outcome.COMPLETED, state.error
    answer = of_kind(state, StepKind.ANSWER)[-1]
    assert answer.finish_reason in ("length", "stop")


@pytest.mark.parametrize("selector", ["medoid", "heuristic", "judge"])
async def test_the_best_of_noise_is_chosen(house, selector):
    state = await house.play(
        "Скажи слово", "best_of", model=MODEL, max_tokens=40, best_of_selector=selector
    )
    assert state.outcome is Outcome.COMPLETED, state.error
    assert of_kind(state, StepKind.ANSWER)[-1].text


async def test_two_babblers_talk_to_the_end(house):
    state = await house.play(
        "О трамвае", "dialogue", model=MODEL, dialogue_tokens=30, dialogue_turns=4
    )
    assert state.outcome is Outcome.COMPLETED, state.error
    # of the seventeen words that noise is made of, some are words of talk: it may pass for a farewell
    ended = of_kind(state, StepKind.NOTICE)[-1].note["dialogue"]["ended"]
    assert ended in ("turns", "repetition", "courtesy")


@pytest.mark.timing
async def test_stop_ends_a_council_within_a_second(house):
    turn = await house.start(
        "Позови физика и юриста", "consultation", model=MODEL, consultation_tokens=5000
    )
    await until(lambda: any(s.text for s in of_kind(turn.state, StepKind.SPECIALIST)), within=60)
    assert turn.state.outcome is Outcome.RUNNING
    stopped = time.monotonic()
    turn.stop()
    state = await turn.wait()
    assert time.monotonic() - stopped < 1
    assert state.outcome is Outcome.STOPPED
