"""A corrected value is stale from the moment the correction is said; what still holds is not."""

import pytest

from app.conversation.compression.corrections import Corrections, is_stale
from app.core.turns import HistoryMessage


def stale(note, *said, since=0):
    messages = [HistoryMessage(str(at), "user", text) for at, text in enumerate(said)]
    return is_stale(note, since, Corrections(messages))


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("budget: 500 EUR", "Correction: the budget is 700 EUR, not 500 EUR."),
        ("The budget is 500 EUR.", "the budget: 500 EUR → 700 EUR"),
        ("budget: 500 EUR", "Change the budget from 500 EUR to 700 EUR."),
        ("database: PostgreSQL 16", "We go with MySQL instead of PostgreSQL for the database."),
        ("database: PostgreSQL, chosen over MySQL", "MySQL instead of PostgreSQL for the database."),
        ("база данных: PostgreSQL", "Передумал: база данных — MySQL, а не PostgreSQL."),
        ("порт шлюза: 8080", "Исправление: порт шлюза — 9090."),
        ("Порт шлюза 8080.", "Исправление: порт шлюза — 9090."),
        ("порт шлюза: 8080", "Порт шлюза теперь 9090."),
        ("head of sales: Erik Dahl", "Actually, the head of sales is Lena Moritz."),
        ("дедлайн: 14 марта", "Дедлайн теперь 20 марта, а не 14 марта."),
        ("термін: 14 березня", "Виправлення: термін — 20 березня, а не 14 березня."),
        ("сервер: Hetzner", "Візьмемо сервер Scaleway замість Hetzner."),
        ("Never use Docker in this project.", "You may use Docker in this project after all."),
        ("Никогда не используй таблицы в ответах", "Теперь можно использовать таблицы в ответах."),
    ],
)  # fmt: skip
def test_what_was_taken_back_is_stale(note, said):
    assert stale(note, said)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("budget: 700 EUR", "Correction: the budget is 700 EUR, not 500 EUR."),
        ("budget: 700 EUR (not 500 EUR)", "Correction: the budget is 700 EUR, not 500 EUR."),
        ("hourly rate of Kostya: 500", "The budget is 700, not 500."),
        ("порт шлюза: 9090", "Исправление: порт шлюза — 9090."),
        ("port of the gateway: 8080", "Actually, tell me about the weather."),
        ("Never use Docker in this project.", "Now let us talk about the project."),
        ("seats: 36", "I am not sure about the colours."),
        ("порт шлюза: 8080", "Теперь расскажи про порт шлюза."),
        ("порт шлюза: 8080", "Теперь настрой порт шлюза в Docker."),
        ("port of the gateway: 8080", "Update the page on the port of the gateway for release 2."),
        ("database: PostgreSQL", "We use not only PostgreSQL but also Redis as a database."),
        ("термін здачі: 14 березня", "Тепер опиши термін здачі детальніше."),
        ("system: Windows", "I do not use Windows at work, so give other commands."),
        (
            "I changed my mind: the engine will be PostgreSQL instead of MongoDB.",
            "I changed my mind: the hosting will be Scaleway instead of Hetzner.",
        ),
    ],
)
def test_what_still_holds_is_not(note, said):
    assert not stale(note, said)


def test_a_value_that_comes_back_holds_again():
    said = ("The budget is 700, not 500.", "Actually the budget is 500 again, not 700.")
    assert not stale("budget: 500", *said)
    assert stale("budget: 700", *said)


def test_a_correction_before_the_note_does_not_touch_it():
    said = ("The budget is 700, not 500.", "Fine.", "By the way, the budget is 500 now.")
    assert not stale("budget: 500", *said, since=2)


def test_only_the_user_corrects():
    message = HistoryMessage("1", "assistant", "The budget is 700 EUR, not 500 EUR.")
    assert Corrections([message]).found == []
