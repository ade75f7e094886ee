"""A browser is drawn every word, the first at once, the rest joined; and nothing twice."""

import asyncio
from datetime import timedelta

import pytest

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.errors import ConnectionLost, ServerUnavailable
from app.core.events import ReasoningDelta
from app.core.options import ChatOptions
from app.core.text import Language
from app.core.turns import Question, TurnRequest, new_id
from app.view.follower import Follower
from tests.fakes import MemoryStore, ScriptedModels
from tests.waiting import until


class Screen:
    """A browser that remembers what it was sent, and keeps messages as Chainlit's client does."""

    language: Language = "ru"

    def __init__(self):
        self.events = []
        self.steps = {}
        self.elements = {}

    async def emit(self, event, data):
        self.events.append((event, data))
        match event:
            case "new_message" | "update_message":
                self.steps[data["id"]] = self.steps.get(data["id"], {}) | dict(data)
            case "stream_token":
                self.steps[data["id"]]["output"] += data["token"]
            case "delete_message":
                del self.steps[data["id"]]
            case "element":
                self.elements[data["id"]] = data

    def texts(self):
        return [s["output"] for s in self.steps.values() if s["type"] == "assistant_message"]


async def follow(script, *, busy=False, **kwargs):
    models = ScriptedModels({"model": script})
    models.busy = busy
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    question = Question(new_id(), "Почему?")
    turn = await turns.start(
        TurnRequest("t", "u", question, ChatOptions.clean({}, "chat"), language="ru")
    )
    screen = Screen()
    follower = Follower(turn, screen, models, **kwargs)
    return turn, follower, screen


async def test_the_browser_gets_every_word_in_few_updates():
    words = [f"слово{n} " for n in range(2000)]
    _turn, follower, screen = await follow(words)
    await follower.follow()
    assert screen.texts() == ["".join(words)]
    assert len(screen.events) < 20


@pytest.mark.timing
async def test_the_first_word_does_not_wait_for_a_frame():
    turn, follower, screen = await follow(["Раз", timedelta(seconds=5)], frame_seconds=0.5)
    following = asyncio.create_task(follower.follow())
    await until(lambda: screen.texts() == ["Раз"], within=0.4)
    turn.stop()
    await following


async def test_thinking_is_drawn_in_a_step_of_its_own_before_the_answer():
    _turn, follower, screen = await follow([ReasoningDelta("думаю"), "Да"])
    await follower.follow()
    drawn = [(s["type"], s["name"], s["output"]) for s in screen.steps.values()]
    assert drawn == [
        ("run", "on_message", ""),
        ("tool", "Размышления", "думаю"),
        ("assistant_message", "model", "Да"),
    ]


async def test_the_numbers_hang_under_the_answer_once_it_is_complete():
    _turn, follower, screen = await follow(["Да"])
    await follower.follow()
    (card,) = screen.elements.values()
    assert (card["name"], card["type"]) == ("MetricsCard", "custom")
    assert card["props"]["entry"]["output_tokens"] == 1
    assert card["props"]["entry"]["outcome"] == "completed"
    assert card["forId"] == next(i for i, s in screen.steps.items() if s["output"] == "Да")


async def test_a_break_keeps_the_partial_text_and_shows_an_error_card_in_words():
    _turn, follower, screen = await follow(["Пол", ConnectionLost("reset by peer", server="gpu")])
    await follower.follow()
    assert screen.texts() == ["Пол", ""]
    card = next(e for e in screen.elements.values() if e["name"] == "ErrorCard")
    assert card["props"]["title"] == "Связь с сервером gpu прервалась"
    assert "reset by peer" not in str(screen.events)


async def test_a_slow_model_says_what_it_is_doing_until_the_first_word():
    script = [timedelta(seconds=0.3), "Да"]
    _turn, follower, screen = await follow(script, patience_seconds=0.05)
    await follower.follow()
    shown = [d["name"] for e, d in screen.events if e == "new_message" and d["type"] == "tool"]
    assert shown == ["Модель загружается в память… 0 с"]
    assert [s["type"] for s in screen.steps.values()] == ["run", "assistant_message"]


async def test_who_waits_behind_another_answer_is_told_so():
    script = [timedelta(seconds=0.3), "Да"]
    _turn, follower, screen = await follow(script, busy=True, patience_seconds=0.05)
    await follower.follow()
    shown = [d["name"] for e, d in screen.events if e == "new_message" and d["type"] == "tool"]
    assert shown == ["Сервер пишет другой ответ, ваш вопрос ждёт своей очереди… 0 с"]


async def test_a_page_that_comes_in_the_middle_gets_all_of_it_and_what_follows():
    turn, _follower, _ = await follow(["Один ", timedelta(seconds=0.1), "два"])
    await until(lambda: turn.state.steps)
    late = Screen()
    second = Follower(turn, late, ScriptedModels())
    for drawing in second.snapshot():
        await late.emit("new_message", drawing.step)
    assert late.texts() == ["Один "]
    await second.follow()
    assert late.texts() == ["Один два"]


async def test_an_unreachable_server_is_named_and_nothing_technical_is_shown():
    _turn, follower, screen = await follow(
        ServerUnavailable("[Errno 111] refused", server="ollama")
    )
    await follower.follow()
    (card,) = screen.elements.values()
    assert card["props"]["title"] == "Сервер ollama не отвечает"
    assert "Errno" not in str(screen.events)
