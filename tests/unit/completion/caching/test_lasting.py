"""Which questions may be answered from memory; measured on the half that no cue was chosen by."""

import pytest

from app.completion.caching.lasting import lasting
from tests.data.lasting.load import questions


@pytest.mark.parametrize("held_out", [False, True])
def test_what_passes_is_kept_out_and_what_lasts_is_let_in(held_out):
    some = questions(held_out=held_out)
    passing = [asked for asked in some if asked.kind != "lasting"]
    lasts = [asked for asked in some if asked.kind == "lasting"]
    out = sum(not lasting(asked.text, shared=asked.kind == "me") for asked in passing)
    assert out / len(passing) >= 0.95
    assert sum(lasting(asked.text) for asked in lasts) / len(lasts) >= 0.85


@pytest.mark.parametrize(
    "question",
    [
        "Какая сегодня погода?",
        "Який зараз курс долара?",
        "What is the latest version of Python?",
        "Who is the current president?",
        "Сколько стоит биткоин, какова его цена?",
        "Що нового цього тижня?",
        "Ещё раз, пожалуйста",
        "Расскажи короче",
        "Give me another example",
        "Дай інший варіант",
        "Продолжай",
        "Продовжуй",
        "rephrase it",
        "Придумай пароль",
        "flip a coin",
        "Кинь кубик",
        "Generate a name",
        "",
        "   ",
    ],
)
def test_what_depends_on_the_day_on_chance_or_on_the_talk_is_not_kept(question):
    assert not lasting(question)


@pytest.mark.parametrize(
    "question",
    [
        "Какие есть факультеты?",
        "Як приготувати борщ?",
        "What is a closure?",
        "Когда началась Вторая мировая война?",
        "Who invented the telephone?",
        "Как отменить последний коммит?",
    ],
)
def test_what_lasts_is_kept(question):
    assert lasting(question)


@pytest.mark.parametrize(
    ("question", "mine"),
    [
        ("What should I do, my knee hurts?", True),
        ("Я живу в Омске, какие льготы?", True),
        ("Мені 34, які пільги?", True),
        ("How do mice sleep?", False),
        ("Как мне вернуть товар?", False),
    ],
)
def test_what_speaks_of_me_is_kept_for_me_alone(question, mine):
    assert lasting(question)
    assert lasting(question, shared=True) is not mine
