"""Models talk: who sees what, whose turn it is, how a person joins in, and when it is over."""

import asyncio
import itertools
import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.modes.dialogue import (
    Dialogue,
    Participant,
    ParticipantsInvalid,
    continuation,
    parse_participants,
    written_participants,
)
from app.conversation.modes.dialogue.ending import Voice, is_closing, overlap, repeats
from app.core.errors import (
    BadRequest,
    ConnectionLost,
    FirstTokenTimeout,
    KonsiliumError,
    RateLimited,
)
from app.core.events import StepKind
from app.core.notes import CompressionNote
from app.core.options import ChatOptions
from app.core.turns import HistoryMessage
from app.core.usage import Outcome, Purpose
from tests.clock import in_virtual_time
from tests.fakes import ScriptedModels
from tests.unit.conversation.modes.stage import Stage, cancelled_everywhere, closed_everywhere

TOPIC = "Нужен ли городу трамвай?"
ANNA, BORIS, VERA = "Анна", "Борис", "Вера"


def the_people(*names):
    return written_participants(
        [Participant(name, f"fake/{name}", f"Ты {name}, говори как {name}.") for name in names]
    )


def counting(name):
    """A participant whose every turn is new."""
    turns = iter(range(1, 1000))
    words = ("один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "ноль")

    def script(request):
        number = next(turns)
        return f"{name} говорит {words[number % 10]} и ещё {words[number // 10]}."

    return script


def a_stage(scripts=None, names=(ANNA, BORIS), text=TOPIC, **options):
    base = {"model": "вне беседы", **{name: counting(name) for name in names}}
    options = {"dialogue_participants": the_people(*names), "dialogue_turns": 4} | options
    return Stage(Dialogue(), ScriptedModels(base | (scripts or {})), text, **options)


def said(stage):
    return [(s.name, s.text) for s in stage.steps(StepKind.ANSWER, StepKind.QUESTION)]


def ended(stage):
    return stage.steps(StepKind.NOTICE)[-1].note["dialogue"]


# -- who speaks and what they see -------------------------------------------------------------------


async def test_they_speak_in_turn_each_under_its_own_name():
    stage = a_stage(dialogue_turns=5)
    await stage.play()
    assert [name for name, _ in said(stage)] == [ANNA, BORIS, ANNA, BORIS, ANNA]
    assert ended(stage) == {"ended": "turns", "name": "", "spoken": 5}
    colours = {s.name: s.note["participant"]["color"] for s in stage.steps(StepKind.ANSWER)}
    assert len(set(colours.values())) == 2
    assert {r.purpose for r in stage.asked} == {Purpose.DIALOGUE}


async def test_each_sees_itself_as_assistant_and_the_others_as_users_by_name():
    stage = a_stage(names=(ANNA, BORIS, VERA), dialogue_turns=5)
    await stage.play()
    fifth = stage.asked[4].messages  # Boris, for the second time
    assert [m.role for m in fifth] == ["system", "user", "assistant", "user"]
    texts = [text for _, text in said(stage)]
    assert fifth[1].text == f"Ада: {TOPIC}\n\nАнна: {texts[0]}"
    assert fifth[2].text == texts[1]
    assert fifth[3].text.startswith(f"Вера: {texts[2]}\n\nАнна: {texts[3]}")
    assert not any("Борис:" in m.text for m in fifth)


async def test_role_and_topic_stand_last_in_every_prompt():
    stage = a_stage()
    await stage.play()
    for number, request in enumerate(stage.asked):
        name = (ANNA, BORIS)[number % 2]
        last = request.messages[-1]
        assert last.role == "user"
        anchor = last.text.split("---\n")[-1]
        assert f"Сейчас говоришь ты, {name}." in anchor
        assert f"говори как {name}" in anchor
        assert TOPIC in anchor
        assert request.messages[0].text.startswith(f"Ты — {name}.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Чи потрібен місту трамвай?", "Зараз говориш ти"),
        ("Does the city need trams?", "Now you speak"),
    ],
)
async def test_participants_are_spoken_to_in_the_language_of_the_topic(text, words):
    stage = a_stage(text=text)
    await stage.play()
    assert words in stage.prompts(Purpose.DIALOGUE)[0]


async def test_without_participants_an_optimist_and_a_skeptic_talk_on_the_chats_own_model():
    models = ScriptedModels({"model": counting("я")})
    stage = Stage(Dialogue(), models, TOPIC, dialogue_turns=2)
    await stage.play()
    assert [name for name, _ in said(stage)] == ["Оптимист", "Скептик"]


async def test_a_small_window_keeps_the_topic_and_the_latest_turns():
    long = "слово " * 60
    models = ScriptedModels({"model": "-", ANNA: "да", BORIS: "нет"}, window=1200)
    stage = Stage(
        Dialogue(),
        models,
        TOPIC,
        dialogue_participants=the_people(ANNA, BORIS),
        dialogue_turns=1,
        history=tuple(
            HistoryMessage(str(i), "assistant", f"реплика {i} {long}", (ANNA, BORIS)[i % 2])
            for i in range(20)
        ),
    )
    await stage.play()
    prompt = stage.prompts(Purpose.DIALOGUE)[0]
    assert TOPIC in prompt
    assert "[начало беседы опущено]" in prompt
    assert "реплика 1 " not in prompt
    assert "реплика 19 " in prompt
    assert len(prompt) < 1200 * 3
    closing = stage.steps(StepKind.NOTICE)[-1].text
    assert re.search(r"Первые реплики диалога \(1\d\) уже не помещались", closing)


async def test_notes_stand_for_the_lines_they_were_made_from():
    history = (
        HistoryMessage("q1", "user", TOPIC),
        *(
            HistoryMessage(str(i), "assistant", f"реплика {i}", (ANNA, BORIS)[i % 2])
            for i in (0, 1)
        ),
        HistoryMessage("q2", "user", "Продолжайте"),
        *(
            HistoryMessage(str(i), "assistant", f"реплика {i}", (ANNA, BORIS)[i % 2])
            for i in (2, 3)
        ),
    )
    stage = a_stage(text="Ещё", history=history, dialogue_turns=2)
    notes = "<earlier_messages>\nони спорили о трамвае\n</earlier_messages>"
    told = CompressionNote(last=3, before=900, after=30)
    prompt = replace(stage.turn.prompt, notes=notes, compression=told)
    stage.turn = replace(stage.turn, prompt=prompt)
    await stage.play()
    first, second = stage.prompts(Purpose.DIALOGUE)
    for prompt in (first, second):
        assert prompt.count(notes) == 1
        assert TOPIC in prompt
        assert "реплика 1" not in prompt
        assert "реплика 3" in prompt
        assert "опущено" not in prompt
    assert {request.saved_tokens for request in stage.asked} == {870}
    assert "не помещались" not in stage.steps(StepKind.NOTICE)[-1].text


# -- a voice -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60), max_size=8), st.sampled_from(["", "\n", " "]))
def test_a_name_in_front_and_the_end_mark_are_never_shown_however_it_is_split(cuts, after):
    text = f"**Анна**: Трамвай [нужен], [END]{after}"
    voice = Voice(ANNA)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    shown = "".join(voice.visible(text[a:b]) for a, b in itertools.pairwise(edges))
    assert (shown + voice.rest()).strip() == "Трамвай [нужен],"
    assert voice.ended


def test_a_mark_in_the_middle_is_no_end_and_half_a_mark_is_text():
    voice = Voice(ANNA)
    assert voice.visible("Пиши [END] в конце") + voice.rest() == "Пиши  в конце"
    assert not voice.ended
    voice = Voice(ANNA)
    assert voice.visible("Список [EN") + voice.rest() == "Список [EN"
    voice = Voice(ANNA)
    assert voice.visible("Ан") == ""
    assert voice.visible("на") == ""
    assert voice.visible("ли трамвай?") == "Анна" + "ли трамвай?"


@pytest.mark.parametrize("unit", ["\n", " ", " \n", "*", "_", "** ", "[", "Анна ", "Анна: "])
def test_a_turn_that_is_blanks_or_marks_without_end_is_read_in_no_time(unit):
    started = time.process_time()
    for size in (1, 30_000):
        voice, text = Voice(ANNA), (unit * 30_000)[:30_000]
        for at in range(0, len(text), size):
            voice.visible(text[at : at + size])
        voice.rest()
    assert time.process_time() - started < 0.5


def test_words_that_cannot_be_the_name_are_shown_at_once():
    assert Voice(ANNA).visible("Т") == "Т"


# -- when it is over ---------------------------------------------------------------------------------


async def test_the_end_mark_ends_it_and_is_not_shown():
    stage = a_stage({BORIS: "Согласен во всём. [END]"}, dialogue_turns=10)
    await stage.play()
    name, text = said(stage)[-1]
    assert (name, text.strip()) == (BORIS, "Согласен во всём.")
    assert ended(stage) == {"ended": "mark", "name": BORIS, "spoken": 2}
    assert "Борис завершает диалог" in stage.steps(StepKind.NOTICE)[-1].text


async def test_repeating_ones_own_words_ends_it():
    stage = a_stage({BORIS: "Трамвай дорог и медленен, городу он не нужен."}, dialogue_turns=10)
    await stage.play()
    assert ended(stage) == {"ended": "repetition", "name": BORIS, "spoken": 4}


async def test_two_courtesies_in_a_row_end_it():
    thanks = {ANNA: "Спасибо за беседу! Было приятно.", BORIS: "И вам спасибо, всего доброго!"}
    stage = a_stage(thanks, dialogue_turns=10)
    await stage.play()
    assert ended(stage)["ended"] == "courtesy"
    assert len(said(stage)) == 2


@pytest.mark.parametrize(
    ("text", "courtesy"),
    [
        ("Спасибо, было приятно поговорить!", True),
        ("Дякую! Гарного дня.", True),
        ("Thank you so much. It was a pleasure!", True),
        ("Прошу обратить внимание на расходы.", False),
        ("Неудача проекта неприятна, но поучительна.", False),
        ("Моя порада: порахуйте пасажирів.", False),
        ("Спасибо. Но цифры другие: трамвай дешевле автобуса. Он служит тридцать лет.", False),
        ("", False),
    ],
)
def test_mere_courtesy_is_told_from_substance(text, courtesy):
    assert is_closing(text) is courtesy


def test_overlap_is_of_trigrams_with_ones_own_last_two_turns():
    a = "трамвай дорог и медленен и городу не нужен"
    assert overlap(a, a) == 1.0
    assert overlap("автобус дешевле и быстрее трамвая в центре", a) == 0.0
    assert repeats(a, ["нечто иное совсем", a])
    assert not repeats(a, [a, "раз два три четыре", "пять шесть семь восемь"])
    assert repeats("Да.", ["Да."])


GOES_ON = [
    ["Продам стул за 5000 рублей.", "Дам 3000 рублей.", "Отдам за 4500 рублей.", "Дам 3500 рублей."],
    ["White plays d4.", "Black plays d5.", "White plays c4.", "Black plays e6."],
    ["Верно! Столица Италии?", "Рим.", "Верно! Столица Испании?", "Мадрид."],
    ["Шёл отряд по берегу. Эх, яблочко, куда ты катишься!", "Плыл корабль по морю. Эх, яблочко, куда ты катишься!", "Летел гусь над полем. Эх, яблочко, куда ты катишься!", "Скакал конь по лугу. Эх, яблочко, куда ты катишься!"],
    ["Дякую за терпіння. Перевірте, чи горить лампочка.", "Горить зелена.", "Чудово, дякую. Вимкніть модем на хвилину.", "Вимкнув."],
    ["Спасибо за обращение. Предъявите паспорт, пожалуйста.", "Благодарю, вот паспорт.", "Спасибо, минуту. Справка готова, распишитесь здесь.", "Благодарю, расписался."],
    ["Согласен, но цена слишком высока.", "Верно, цена высока, зато качество лучше.", "Согласен, качество лучше, а вот срок поставки велик.", "Да, срок велик; давайте сократим его до двух недель."],
    ["Ставлю 100 фишек.", "Поддерживаю и поднимаю до 200.", "Поддерживаю.", "Ставлю ещё 300."],
    ["Пас.", "Пас.", "Две черви.", "Пас."],
    ["Верно, x = 5, значит y = 7.", "Верно, y = 7, тогда z = 12.", "Верно, z = 12, и сумма равна 24.", "Верно, 24."],
]  # fmt: skip
IS_OVER = [
    ["Спасибо за разговор, было интересно!", "И вам спасибо! До свидания.", "До свидания!"],
    ["Полностью согласен с вами.", "Да, вы абсолютно правы.", "Именно так.", "Согласен."],
    ["Погоджуюся, трамвай потрібен.", "Так, саме так, трамвай потрібен місту.", "Цілком згодна, трамвай потрібен.", "Згоден."],
    ["I completely agree with you.", "Absolutely, well said.", "Exactly.", "Indeed."],
    ["Дякую за розмову, було приємно!", "Навзаєм, гарного вечора!", "До зустрічі!"],
    ["Мне нечего добавить, вы всё сказали.", "И мне добавить нечего.", "Тогда на этом всё."],
    ["Ваш заказ будет завтра. Всего доброго!", "Спасибо, до завтра!", "До завтра!"],
    ["Deal!", "Deal. Pleasure doing business with you.", "The pleasure is mine."],
    ["Да!", "Нет!"] * 4,
]  # fmt: skip


BEGINNING = ["Тема широкая, начнём с её истории.", "Сначала послушайте другое мнение."]


async def played(lines):
    """How it ended, after two turns of substance and with no model to ask."""
    stage = asked_whether_it_is_over([*BEGINNING, *lines], "…")
    await stage.play()
    return ended(stage)["ended"]


@pytest.mark.parametrize("lines", GOES_ON)
async def test_lines_that_rhyme_and_polite_ones_go_on(lines):
    assert await played(lines) == "turns"


@pytest.mark.parametrize("lines", IS_OVER)
async def test_goodbyes_and_pure_agreement_end_it_within_two_rounds(lines):
    assert await played(lines) in {"courtesy", "repetition"}


ENDINGS = Path(__file__).parents[3] / "data" / "endings"
"""Conversations by a few lines: `tuned` was looked at while the words were chosen, `kept` only before
the phrases of parting were, `blind` never. Their first line says whether they are over, and in which language."""


@pytest.mark.parametrize(
    ("half", "ended_rightly"), [("tuned", 0.95), ("kept", 0.8), ("blind", 0.5)]
)
async def test_conversations_end_as_people_end_them_and_no_other_does(half, ended_rightly):
    over: list[bool] = []
    on: list[bool] = []
    for block in (ENDINGS / f"{half}.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        head, *lines = block.splitlines()
        (over if head.startswith("over") else on).append(await played(lines) != "turns")
    assert len(over) >= 36
    assert len(on) >= 24
    assert not any(on)
    assert sum(over) >= ended_rightly * len(over)


def asked_whether_it_is_over(lines, says):
    """The stage after those lines, whose own model says that of each conversation it is shown."""
    own = {ANNA: iter(lines[::2]), BORIS: iter(lines[1::2])}
    scripts = {name: lambda request, its=its: next(its) for name, its in own.items()}
    scripts["model"] = says
    return a_stage(scripts, text="Поговорите.", dialogue_turns=len(lines))


def checks(stage):
    return [asked for _, asked in stage.models.requests if asked.purpose is Purpose.CHECK]


@pytest.mark.parametrize(("half", "ended_rightly"), [("kept", 0.9), ("blind", 0.9)])
async def test_a_model_that_judges_rightly_ends_nearly_all_of_them_and_no_other(
    half, ended_rightly
):
    over: list[bool] = []
    on: list[bool] = []
    asked = 0
    for block in (ENDINGS / f"{half}.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        head, *lines = block.splitlines()
        is_over = head.startswith("over")
        stage = asked_whether_it_is_over([*BEGINNING, *lines], "Да, кончена." if is_over else "Нет")
        await stage.play()
        (over if is_over else on).append(ended(stage)["ended"] != "turns")
        asked += 0 if is_over else len(checks(stage))
    assert sum(over) >= ended_rightly * len(over)
    assert not any(on)
    assert asked < len(on)


UNKNOWN_COURTESIES = ["Трамвай шумит.", "Спасибо, усатый полосатый котик.", "Мур-мур, обращайся, зайка лесная.", "Тю-тю-тю.", "Лапки.", "Хвостик."]  # fmt: skip


async def test_what_no_table_knows_as_courtesy_a_model_is_asked_about():
    stage = asked_whether_it_is_over(UNKNOWN_COURTESIES, "Да.")
    await stage.play()
    assert ended(stage)["ended"] == "courtesy"
    assert said(stage)[-1] == (ANNA, "Мур-мур, обращайся, зайка лесная.")
    (check,) = checks(stage)
    assert "Анна: Мур-мур, обращайся, зайка лесная." in check.messages[-1].text


async def test_after_a_no_it_is_asked_again_when_there_are_twice_as_many():
    lines = ["Трамвай шумит.", *UNKNOWN_COURTESIES[1:], *(f"Слово {w}." for w in "абвгде")]
    stage = asked_whether_it_is_over(lines, "Нет, они ещё говорят.")
    await stage.play()
    assert ended(stage)["ended"] == "turns"
    assert len(checks(stage)) == 2


async def test_one_that_says_neither_yes_nor_no_is_asked_no_more():
    stage = asked_whether_it_is_over([*UNKNOWN_COURTESIES, "Да ну.", "Ой."], "Мяу")
    await stage.play()
    assert ended(stage)["ended"] == "turns"
    assert len(checks(stage)) == 1


async def test_silence_all_round_ends_it():
    stage = a_stage({ANNA: "", BORIS: ""})
    with pytest.raises(KonsiliumError):
        await stage.play()
    one_silent = a_stage({BORIS: ""}, dialogue_turns=6)
    await one_silent.play()
    assert ended(one_silent)["ended"] == "turns"


def test_the_time_allowed_ends_it_and_keeps_what_was_said():
    slow = ["Медленно", timedelta(seconds=50), " и верно"]
    stage = a_stage({BORIS: slow}, dialogue_seconds=20)
    in_virtual_time(stage.play)
    assert ended(stage)["ended"] == "time"
    assert stage.arrivals[-1][0] == pytest.approx(20, abs=0.01)
    assert said(stage)[-1] == (BORIS, "Медленно")


# -- the person --------------------------------------------------------------------------------------


async def test_a_message_typed_meanwhile_enters_the_conversation_and_gets_answers():
    stage = a_stage(dialogue_turns=2)
    stage.models.scripts[BORIS] = lambda r: (stage.inbox.interject("А бюджет?"), "Трамвай дорог.")[
        1
    ]
    await stage.play()
    names = [name for name, _ in said(stage)]
    assert names[:4] == [ANNA, BORIS, "Ада", ANNA]
    word = stage.steps(StepKind.QUESTION)[0]
    assert (word.text, word.outcome) == ("А бюджет?", Outcome.COMPLETED)
    record = next(r for r in stage.state.settled.steps if r.id == word.id)
    assert (record.type, record.kind) == ("user_message", StepKind.QUESTION)
    prompt = stage.asked[2].messages[-1].text
    assert "Ада: А бюджет?" in prompt
    assert "Последние слова ведущего: А бюджет?" in prompt


async def test_a_word_put_in_at_the_very_end_is_not_lost():
    stage = a_stage({BORIS: "Хватит. [END]"}, dialogue_turns=9)
    spoken = iter(("Хватит. [END]", "Ладно, ещё довод."))

    def boris(request):
        text = next(spoken, "Всё. [END]")
        if "Хватит" in text:
            stage.inbox.interject("Подождите!")
        return text

    stage.models.scripts[BORIS] = boris
    await stage.play()
    assert [name for name, _ in said(stage)][:5] == [ANNA, BORIS, "Ада", ANNA, BORIS]


async def test_pause_holds_the_next_turn_until_it_is_resumed():
    stage = a_stage()
    stage.inbox.pause()
    playing = asyncio.create_task(stage.play())
    for _ in range(20):
        await asyncio.sleep(0)
    assert said(stage) == []
    assert "Пауза" in stage.state.progress["ru"]
    stage.inbox.interject("Начните с цены.")
    stage.inbox.resume()
    await playing
    assert said(stage)[0] == ("Ада", "Начните с цены.")
    assert len(said(stage)) == 5


async def test_a_later_question_goes_on_with_the_same_conversation():
    first = a_stage(dialogue_turns=3)
    await first.play()
    history = (
        HistoryMessage("q", "user", TOPIC, "Ада"),
        *(HistoryMessage(s.id, "assistant", s.text, s.name) for s in first.steps(StepKind.ANSWER)),
    )
    options = ChatOptions("dialogue", {"dialogue_turns": 6})
    text, more = continuation(options, 2, "ru")
    assert text == "Продолжайте: ещё 2 реплики."
    assert more.number("dialogue_turns") == 2
    news = {BORIS: "Есть и другой довод.", ANNA: "Какой же?"}
    second = a_stage(news, text=text, history=history, dialogue_turns=2)
    await second.play()
    assert [name for name, _ in said(second)] == [BORIS, ANNA]  # Anna was last
    prompt = second.asked[0].messages
    assert TOPIC in prompt[-1].text.split("---")[-1]
    assert any(m.role == "assistant" and m.text == said(first)[1][1] for m in prompt)
    assert text in prompt[-1].text


# -- participants ------------------------------------------------------------------------------------


def test_participants_come_back_as_they_were_written():
    people = (Participant("Анна", "ollama/gemma2:2b", 'Ты "Анна"\n'), Participant("Борис"))
    read = parse_participants(written_participants(people))
    assert read == (Participant("Анна", "ollama/gemma2:2b", 'Ты "Анна"'), Participant("Борис"))
    assert parse_participants("  ") == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{", "JSON list"),
        ('{"name": "a"}', "JSON list"),
        ("[1, 2]", "JSON list"),
        ('[{"name": "a"}]', "2 to 4"),
        (json.dumps([{"name": str(i)} for i in range(5)]), "2 to 4"),
        ('[{"name": "a"}, {"model": "x/y"}]', "no name"),
        ('[{"name": "a"}, {"name": "A "}]', "called"),
        (json.dumps([{"name": "a" * 41}, {"name": "b"}]), "longer than 40"),
        (json.dumps([{"name": "a", "system": "x" * 8001}, {"name": "b"}]), "8000"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(value, problem):
    with pytest.raises(ParticipantsInvalid, match=problem) as error:
        parse_participants(value)
    assert error.value.problem.ru
    assert error.value.problem.uk


async def test_a_wrong_form_is_a_bad_request_before_any_model_is_asked():
    stage = a_stage(dialogue_participants='[{"name": "один"}]')
    with pytest.raises(BadRequest):
        await stage.play()
    assert stage.asked == []


def test_the_option_takes_a_list_from_the_api_too():
    listed = [{"name": "Анна"}, {"name": "Борис"}]
    options = ChatOptions.clean({"dialogue_participants": listed}, "dialogue", Dialogue.options)
    assert [p.name for p in parse_participants(options.text("dialogue_participants"))] == [
        "Анна",
        "Борис",
    ]


# -- failures and stopping -----------------------------------------------------------------------------

FAULTS = {
    "timeout": FirstTokenTimeout("no token", server="fake"),
    "429": RateLimited("slow down", server="fake", retry_after=7),
    "broken": "{{{",
    "empty": "",
    "dead": ["Начало", ConnectionLost("reset", server="fake")],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("role", ["one of two", "one of three", "all"])
async def test_every_fault_of_every_role_ends_in_a_conversation_or_a_clear_word(fault, role):
    names = (ANNA, BORIS) if role == "one of two" else (ANNA, BORIS, VERA)
    faulty = names if role == "all" else (BORIS,)
    stage = a_stage(dict.fromkeys(faulty, FAULTS[fault]), names=names, dialogue_turns=6)
    try:
        await stage.play()
    except KonsiliumError:
        notice = stage.steps(StepKind.NOTICE)[-1]
        assert notice.note["error"]["code"] == stage.state.error.code
        assert role != "one of three"
    else:
        assert ended(stage)["ended"] in ("turns", "repetition")
        if role == "one of three" and fault in ("timeout", "429", "dead"):
            left = [s for s in stage.steps(StepKind.NOTICE) if "left" in s.note]
            assert [s.note["left"]["name"] for s in left] == [BORIS]
            assert [n for n, _ in said(stage)].count(BORIS) == (fault == "dead")
    assert stage.models.open == 0
    assert all(step.outcome is not Outcome.RUNNING for step in stage.steps())


async def test_a_model_that_is_gone_is_said_before_anybody_speaks():
    people = written_participants([Participant("Анна", "fake/none"), Participant("Борис")])
    stage = a_stage(dialogue_participants=people)
    with pytest.raises(KonsiliumError):
        await stage.play()


async def test_a_stop_at_any_moment_leaves_no_task_and_no_call():
    def make():
        paced = {name: [f"{name} го", timedelta(0), f"ворит {name}."] for name in (ANNA, BORIS)}
        return a_stage(paced, dialogue_turns=3)

    assert await cancelled_everywhere(make) > 5
    assert await closed_everywhere(make) > 8


async def test_a_stop_while_paused_leaves_nothing():
    stage = a_stage()
    stage.inbox.pause()
    playing = asyncio.create_task(stage.play())
    await asyncio.sleep(0)
    playing.cancel()
    await asyncio.wait([playing])
    assert asyncio.all_tasks() == {asyncio.current_task()}
