"""Whom a person calls by name, and which questions need no gate: known without a model."""

import time

import pytest

from app.conversation.modes.consultation.complexity import is_simple
from app.conversation.modes.consultation.requested_roles import is_asked_for, requested_roles


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Создай физика и математика для ответа", ("физик", "математик")),
        ("Позови экономиста и юриста", ("экономист", "юрист")),
        ("Нужен врач-терапевт", ("врач-терапевт",)),
        ("Поклич економіста", ("економіст",)),
        ("ask a lawyer and an economist", ("lawyer", "economist")),
        ("Слушай, позови опытного юриста: мне грозят судом", ("юрист",)),
        ("посоветуйся с юристом и бухгалтером", ("юрист", "бухгалтер")),
        ("Создай агентов: физик, химик и биолог", ("физик", "химик", "биолог")),
        ("Пригласи двух специалистов: юриста и экономиста", ("юрист", "экономист")),
        ("Позови эксперта", ("эксперт",)),
        ("Нужны юрист и экономист", ("юрист", "экономист")),
        ("Пусть ответят физик и философ", ("физик", "философ")),
        ("Запроси лікаря та психолога", ("лікар", "психолог")),
        ("Потрібні фізик і математик", ("фізик", "математик")),
        ("Порадься з юристом", ("юрист",)),
        ("Будь ласка, поклич фахівця", ("фахівець",)),
        (
            "Please bring in a physicist, a tax lawyer and a doctor.",
            ("physicist", "lawyer", "doctor"),
        ),
        ("Could you ask a lawyer's opinion?", ("lawyer",)),
        ("Create a team of a biologist and a chemist", ("biologist", "chemist")),
        ("I need a cardiologist", ("cardiologist",)),
        (
            "позови онколога, хирурга, терапевта, психолога и юриста",
            ("онколог", "хирург", "терапевт", "психолог"),
        ),
    ],
)
def test_a_request_by_name_is_recognised(text, roles):
    assert requested_roles(text) == roles


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Позови юриста и сметчика", ("юрист", "сметчик")),
        ("Подключи, пожалуйста, сметчика и архитектора", ("сметчик", "архитектор")),
        ("Собери врача, логопеда и массажиста", ("врач", "логопед", "массажист")),
        ("Поклич лікаря, тренера і зоотехніка", ("лікар", "тренер", "зоотехнік")),
        ("Bring in a sommelier and a chef", ("sommelier", "chef")),
        (
            "Ask an economist, a barista and a plumber what to do",
            ("economist", "barista", "plumber"),
        ),
        ("I'd like a panel: ethicist, nurse, hospital manager", ("ethicist", "nurse", "manager")),
        ("Позови юриста и объясни договор", ("юрист",)),
        ("Добавь врача и номера телефонов", ("врач",)),
        ("Позови бухгалтера и договора проверь", ("бухгалтер",)),
        ("Call a lawyer and explain the contract", ("lawyer",)),
        ("Ask a lawyer and a friend of mine", ("lawyer",)),
    ],
)
def test_one_that_no_table_knows_is_called_beside_one_that_it_knows(text, roles):
    assert requested_roles(text) == roles


@pytest.mark.parametrize(
    ("role", "text", "asked_for"),
    [
        ("Сантехник", "Позови юриста и сантехника, труба течёт", True),
        ("Wine sommelier", "Bring in a chef and our sommelier please", True),
        ("Врач", "Позови юриста. Моя жена врач", False),
        ("Налоговый консультант", "Позови юриста: налоговый вопрос", False),
        ("Nurse", "Ask a lawyer", False),
    ],
)
def test_a_planned_role_is_found_where_somebody_is_called(role, text, asked_for):
    assert is_asked_for(role, text) is asked_for


@pytest.mark.parametrize(
    "text",
    [
        "Нужен ли юрист при разводе?",
        "Когда нужен нотариус?",
        "Не зови юриста",
        "Создай таблицу и график",
        "Нужна математика для 5 класса",
        "Создай критику текста",
        "Как стать юристом?",
        "Юрист сказал, что нужен договор",
        "Напиши письмо врачу",
        "Чи потрібен адвокат?",
        "Створи каталог і монолог",
        "When should I call a doctor?",
        "ask a question about law",
        "Call a function in Python",
        "Create a website for engineers",
        "Get the list of lawyers",
        "Create a doctor's note",
        "",
        "?!",
    ],
)
def test_talk_about_professions_calls_nobody(text):
    assert requested_roles(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Столица Франции?",
        "Сколько варить свёклу?",
        "Привет! Расскажи, что ты умеешь и чем можешь помочь мне сегодня в работе и учёбе",
        "Переведи на английский: влияние климата на экономику и право",
        "Що таке фотосинтез?",
        "What time is it in Kyiv?",
        "Summarise the pros and cons above in one line",
        "Напиши функцию на Python, которая сортирует список",
    ],
)
def test_a_plainly_simple_question_needs_no_gate(text):
    assert is_simple(text, in_conversation=False)


@pytest.mark.parametrize("text", ["А какие риски?", "Чому вплив?", "Compare them.", "?"])
def test_a_word_or_two_in_a_conversation_is_a_clarifying_question(text):
    assert is_simple(text, in_conversation=True)


@pytest.mark.parametrize(
    "text",
    [
        "Как квантовая механика влияет на финансовые рынки?",
        "Стоит ли мне увольняться?",
        "Як штучний інтелект змінить медицину та право?",
        "Should we open a clinic abroad?",
        "Compare heat pumps and gas boilers for an old house",
        "Хочу открыть пекарню в маленьком городе, денег немного, опыта нет, а муж против и боится "
        "кредита; что мне делать?",
    ],
)
def test_a_question_of_some_weight_goes_to_the_gate(text):
    assert not is_simple(text, in_conversation=False)
    assert not is_simple(text, in_conversation=True)


@pytest.mark.parametrize(
    "piece",
    ["\n", " ", "\n ", "а, ", "давай ", ", ", "позови ", "позови а ", "Позови юриста. ", "{"],
)
def test_no_text_however_long_takes_long(piece):
    started = time.process_time()
    requested_roles(piece * 50_000)
    is_simple(piece * 50_000, in_conversation=True)
    assert time.process_time() - started < 2  # it takes milliseconds; a quadratic pattern, minutes
