"""What the buttons under answers do: promote, steer a dialogue, keep who takes part; and the choice of mode."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.attachments import AttachmentLimits
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.modes.dialogue import ParticipantsInvalid, default_participants
from app.conversation.turn import Turns
from app.core.errors import NotFound
from app.core.tools import ToolBox
from app.core.turns import StepRecord
from app.view.chainlit.browser import LOCAL_USER, Browser
from app.view.chat import Chat
from app.view.council import SEATS, AnswerActions, DialogueForm
from app.view.panels import DEFAULTS, Panel
from app.view.tool_lists import ToolLists
from tests.fakes import MemoryStore, ScriptedModels

THREAD, USER = "thread", "ada"
DUO = [
    {"name": "Физик", "model": "", "system": "Ты физик."},
    {"name": "Поэт", "model": "fake/model"},
]


class Values:
    """A key-value store in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    async def get(self, scope: str, key: str) -> Any:
        return self.kept.get((scope, key))

    async def put(self, scope: str, key: str, value: Any) -> None:
        self.kept[scope, key] = value


class Threads:
    """The threads that a MemoryStore has, and what the chat keeps with them."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.settings: dict[str, Any] = {}

    def on_switched(self, hear: Any) -> None:
        pass

    async def contents(self, thread_id: str, reader: str) -> Any:
        if self._store.owners.get(thread_id) != reader:
            raise NotFound(thread_id)
        return SimpleNamespace(steps=tuple(self._store.steps.values()))

    async def add_turn(
        self, user_id: str, turn: Sequence[StepRecord], shown: str | None = None
    ) -> None:
        """The branch that it takes the place of is not kept."""
        for id in [id for id, step in self._store.steps.items() if step.kind != "question"]:
            del self._store.steps[id]
        self._store.steps |= {step.id: step for step in turn}

    async def keep_settings(
        self, user_id: str, thread_id: str, settings: Mapping[str, Any]
    ) -> None:
        self.settings = dict(settings)


async def read_thread(thread_id: str, first: str | None = None, near: Any = ()) -> Any:
    return {
        "id": thread_id,
        "name": "",
        "userId": LOCAL_USER,
        "steps": [],
        "elements": [],
        "metadata": {},
    }


class Facts:
    """A panel without facts of its own."""

    async def put_into(
        self, options: Sequence[Any], browser: Browser, values: Mapping[str, Any]
    ) -> Sequence[Any]:
        return options

    async def chosen(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        pass


class NoKnowledge:
    async def bases(self, reader: str) -> tuple[()]:
        return ()


class Session:
    """One page of one person, which keeps what it was sent."""

    def __init__(self, user: str = USER, **choices: Any) -> None:
        self.id, self.thread_id, self.language = "page", THREAD, "ru-RU"
        self.user = None
        self.chat_settings = choices
        self.has_first_interaction, self.restored = False, True
        self.sent: list[tuple[str, Any]] = []

    async def emit(self, event: str, data: Any) -> None:
        self.sent.append((event, data))

    def of(self, event: str) -> list[Any]:
        return [data for name, data in self.sent if name == event]


class House:
    """Everything the council's buttons touch, over scripted models."""

    def __init__(self, scripts: dict[str, Any], **choices: Any) -> None:
        self.models = ScriptedModels(scripts)
        self.store = MemoryStore()
        self.threads = cast(Any, Threads(self.store))
        self.values = cast(Any, Values())
        self.turns = Turns(self.store, self.models, WholeHistory(), MODES)
        facts: Any = Facts()
        form = DialogueForm(self.models, self.values)
        forms = dict.fromkeys(SEATS, form.draw)
        tools = ToolLists(ToolBox(), self.models, cast(Any, NoKnowledge()))
        passing = ["consultation"]
        panel = Panel(self.models, MODES, self.threads, self.values, facts, forms, tools, passing)
        guide: Any = SimpleNamespace()
        nothing: Any = None
        self.chat = Chat(
            self.turns,
            self.models,
            panel,
            guide,
            AttachmentLimits(),
            self.threads,
            elements=nothing,
            read_thread=read_thread,
        )
        self.council = AnswerActions(self.chat, self.turns, self.threads, nothing, form, nothing)
        self.session = cast(Any, Session(**choices))
        self.browser = Browser(self.session)

    async def press(self, button: str, **payload: Any) -> None:
        await self.council.actions[button](self.browser, payload)

    async def talking(self, text: str) -> "asyncio.Task[None]":
        """Asks, and returns once somebody has said a word."""
        asking = asyncio.create_task(self.chat.ask(self.browser, text))
        while not ((turn := self.turns.running(THREAD)) and turn.state.steps):
            await asyncio.sleep(0)
        return asking

    def said(self) -> list[tuple[str, str]]:
        """The thread as it is stored: kind and words."""
        kinds = ("question", "answer", "interjection")
        return [(s.kind, s.output) for s in self.store.steps.values() if s.kind in kinds]


# -- best of N ---------------------------------------------------------------------------------------


def three_cats() -> House:
    words = iter(("Кот спит дома.", "Кот спит на диване дома.", "Собака лает громко во дворе."))
    return House({"model": lambda _: next(words, "Да.")}, mode="best_of")


def candidate(house: House, words: str) -> StepRecord:
    return next(
        s for s in house.store.steps.values() if s.kind == "candidate" and words in s.output
    )


async def test_a_promoted_candidate_is_the_answer_that_the_next_turn_remembers():
    house = three_cats()
    await house.chat.ask(house.browser, "Что делает кот?")
    assert "Кот" in house.said()[-1][1]
    dog = candidate(house, "Собака")
    await house.press("promote", step_id=dog.id)
    assert house.said()[-1] == ("answer", "Собака лает громко во дворе.")
    answer = next(s for s in house.store.steps.values() if s.kind == "answer")
    chosen, copy = answer.metadata["best_of"], candidate(house, "Собака")
    assert (chosen["chosen"], chosen["by"]) == (copy.id, "person")
    assert copy.id != dog.id
    assert copy.turn_id == answer.turn_id != dog.turn_id
    assert [thread["id"] for thread in house.session.of("resume_thread")] == [THREAD]
    house.session.chat_settings["mode"] = "chat"
    await house.chat.ask(house.browser, "А громко?")
    _, request = house.models.requests[-1]
    assert [m.text for m in request.messages if m.role == "assistant"] == [
        "Собака лает громко во дворе."
    ]


async def test_nobody_promotes_in_anothers_thread_or_what_is_no_candidate():
    house = three_cats()
    await house.chat.ask(house.browser, "Что делает кот?")
    before = house.said()
    with pytest.raises(NotFound):
        await house.press("promote", step_id="nonsense")
    dog = candidate(house, "Собака")
    house.store.owners[THREAD] = "boris"
    with pytest.raises(NotFound):
        await house.press("promote", step_id=dog.id)
    assert house.said() == before


# -- dialogue ----------------------------------------------------------------------------------------


LINES = (
    "Трамвай возит сотни пассажиров разом.",
    "Рельсы обходятся казне недёшево.",
    "Зато воздух вокруг становится чище.",
    "Автобусу ничего укладывать не надо.",
    "Пробки ему мешают каждое утро.",
    "Выделенная полоса решила бы это.",
    "Жильцам по ночам нужна тишина.",
    "Современные вагоны почти бесшумны.",
)
"""Nobody repeats anybody, or the dialogue would end."""


def two_talking(pause: float = 0.02) -> House:
    words = iter(LINES)
    script = lambda _: [next(words), timedelta(seconds=pause)]  # noqa: E731  # a script is a function
    return House({"model": script}, mode="dialogue", dialogue_turns=4)


async def test_pause_and_a_word_put_in_reach_the_talk_and_are_shown_at_once():
    house = two_talking()
    asking = await house.talking("Нужны ли трамваи?")
    await house.press("dialogue_pause")
    await house.press("dialogue_say", text="  А цена?  ")
    await house.press("dialogue_say", text="   ")
    while not any(e["props"].get("waiting") for e in house.session.of("element")):
        await asyncio.sleep(0)
    controls = [e["props"] for e in house.session.of("element") if e["name"] == "Dialogue"][-1]
    assert (controls["state"], controls["waiting"]) == ("paused", ["А цена?"])
    await house.press("dialogue_resume")
    await asking
    said = house.said()
    assert ("interjection", "А цена?") in said
    assert said.index(("interjection", "А цена?")) < len(said) - 2  # everybody answered it
    while not any(e["props"].get("state") == "ended" for e in house.session.of("element")):
        await asyncio.sleep(0)
    running = [e["props"] for e in house.session.of("element") if "waiting" in e["props"]]
    assert running[-1]["waiting"] == []


async def test_a_stop_starts_nothing_anew_and_keeps_a_word_that_nobody_answered():
    house = two_talking(pause=60)
    asking = await house.talking("Нужны ли трамваи?")
    await house.press("dialogue_say", text="А цена?")
    await house.chat.stopped(house.browser)
    async with asyncio.timeout(1):
        await asking
    assert house.turns.count == 0
    assert house.models.open == 0
    assert len(house.models.requests) == 1
    assert [kind for kind, _ in house.said()] == ["question", "answer", "interjection"]
    assert house.said()[-1] == ("interjection", "А цена?")


async def test_a_dialogue_that_ended_goes_on_for_as_many_lines_as_asked():
    house = two_talking(pause=0)
    await house.chat.ask(house.browser, "Нужны ли трамваи?")
    assert [kind for kind, _ in house.said()].count("answer") == 4
    await house.press("dialogue_continue", turns=2)
    assert [kind for kind, _ in house.said()].count("answer") == 6
    assert house.browser.options.number("dialogue_turns") == 4


async def test_buttons_of_a_dialogue_that_is_over_do_nothing():
    house = two_talking()
    for button in ("dialogue_pause", "dialogue_resume", "dialogue_say"):
        await house.press(button, text="Поздно")
    assert house.session.sent == []
    assert house.models.requests == []


async def test_what_is_chosen_while_the_defaults_of_a_new_chat_are_read_stays():
    house = two_talking()
    own = {"model": "fake/old", "top_p": 0.5}
    house.values.kept[DEFAULTS, house.browser.user_id] = own
    house.browser.choose({"model": "fake/new"})
    await house.chat.panel.take_defaults(house.browser)
    assert house.browser.choices["model"] == "fake/new"
    assert house.browser.choices["top_p"] == 0.5


async def test_participants_are_kept_with_the_thread_and_for_new_ones():
    house = two_talking()
    await house.press("participants", mode="dialogue", participants=DUO)
    for kept in (house.threads.settings, house.values.kept[DEFAULTS, house.browser.user_id]):
        assert [one["name"] for one in json.loads(kept["dialogue_participants"])] == [
            "Физик",
            "Поэт",
        ]
    await house.chat.ask(house.browser, "О чём поют волны?")
    names = [s.name for s in house.store.steps.values() if s.kind == "answer"]
    assert names == ["Физик", "Поэт", "Физик", "Поэт"]


async def test_participants_are_those_of_the_form_they_come_from_though_the_mode_is_another_by_now():
    house = two_talking()
    house.browser.choose({"mode": "chat"})
    await house.press("participants", mode="council", participants=DUO)
    kept = house.threads.settings
    assert [one["name"] for one in json.loads(kept["council_members"])] == ["Физик", "Поэт"]
    assert "dialogue_participants" not in kept


async def test_a_company_is_saved_under_a_name_and_forgotten():
    house = two_talking()
    await house.press("preset_save", mode="dialogue", name="Учёные", participants=DUO)
    form = house.session.of("element")[-1]["props"]
    assert [(one["name"], len(one["participants"])) for one in form["presets"]] == [("Учёные", 2)]
    for form in ({"mode": "dialogue"}, {"mode": "chat"}, {}):  # the last: a form drawn long ago
        with pytest.raises(ParticipantsInvalid):
            await house.press("preset_save", **form, name="Один", participants=DUO[:1])
    await house.press("preset_delete", name="Учёные")
    assert house.session.of("element")[-1]["props"]["presets"] == []


async def test_a_name_of_ours_follows_the_readers_language_until_it_is_edited():
    house = two_talking()
    panel = house.chat.panel
    ours = [asdict(one) for one in default_participants("ru")]
    untouched = [ours[0], {**ours[1], "name": "Сова"}, {"name": "Участник 3", "system": "Ты кот."}]
    await house.press("participants", mode="dialogue", participants=untouched)
    await house.press("preset_save", mode="dialogue", name="Трое", participants=untouched)
    for tag, names in (
        ("uk-UA", ["Оптиміст", "Сова", "Учасник 3"]),
        ("en-GB", ["Optimist", "Сова", "Participant 3"]),
        ("ru-RU", ["Оптимист", "Сова", "Участник 3"]),
    ):
        house.session.language = tag
        form = await panel.form(house.browser)
        assert form is not None
        props = form.elements[0]["props"]
        assert props is not None
        for company in (props["participants"], props["presets"][0]["participants"]):
            assert [one["name"] for one in company] == names
            asked = [one["system"] for one in company]
            assert asked[:2] == [one.system for one in default_participants(house.browser.language)]
            assert asked[2] == "Ты кот."
    house.session.language = "en-GB"
    twice = [{"name": "Ответ 1"}, {"name": "Answer 1"}]
    await house.press("participants", mode="compare", participants=twice)
    told = house.browser.options_of("compare").text("compare_models")
    assert [one["name"] for one in json.loads(told)] == [
        "Ответ 1",
        "Answer 1",
    ]  # or they were alike


# -- choosing a mode ---------------------------------------------------------------------------------


async def test_the_mode_may_change_in_mid_thread_and_what_was_said_stays():
    house = House({"model": lambda r: f"Ответ {len(r.messages)}"}, mode="chat")
    await house.chat.ask(house.browser, "Раз?")
    name = next(mode.name["ru"] for mode in MODES if mode.id == "best_of")
    await house.chat.panel.picked(house.browser, "mode", name)
    await house.chat.ask(house.browser, "Два?")
    assert len([s for s in house.store.steps.values() if s.kind == "candidate"]) == 3
    for _, request in house.models.requests[1:]:
        assert [m.text for m in request.messages] == ["Раз?", "Ответ 1", "Два?"]


async def test_a_choice_is_shown_again_where_a_fresh_list_may_have_undone_it():
    house = House({"model": "Да"}, mode="chat")
    council = next(mode.name["ru"] for mode in MODES if mode.id == "consultation")
    for _ in range(2):  # also where it was known already
        await house.chat.panel.picked(house.browser, "mode", council)
        modes = house.session.of("set_modes")[-1][0]["options"]
        assert [one["name"] for one in modes if one["default"]] == [council]
    assert len(house.session.of("set_modes")) == 2


async def test_the_form_of_specialists_waits_in_a_thread_once_somebody_is_seated():
    house = House({"model": "Да."}, mode="consultation")
    panel = house.chat.panel
    assert await panel.form(house.browser) is None
    await panel.mode_chosen(house.browser, "")
    assert house.session.of("new_message") == []
    await panel.mode_chosen(house.browser, "chat")
    assert len(house.session.of("new_message")) == 1
    await house.press(
        "participants", mode="consultation", participants=[{"name": "Сова", "system": "Ты сова."}]
    )
    form = await panel.form(house.browser)
    assert form is not None
    props = form.elements[0]["props"]
    assert props is not None
    assert props["participants"][0]["name"] == "Сова"
    await house.press("participants", mode="consultation", participants=[])
    assert await panel.form(house.browser) is None
