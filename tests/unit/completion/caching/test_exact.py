"""The exact form of a question, its language, and whether it may be kept at all."""

import pytest

from app.completion.caching.eligibility import lasting
from app.completion.caching.scope import question_key
from app.completion.caching.text import normalise, question_language


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Какие есть факультеты?", "какие  есть факультеты"),
        ("Привет, мир!", "привет мир"),
        ("«Місто» — про що роман?", '"Місто" - про що роман'),
        ("What’s Docker?", "what's docker"),
        ("Ещё ёжик", "еще ежик"),
        ("ﬁnd it", "find it"),
    ],
)
def test_case_spaces_and_punctuation_are_folded(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Сколько будет 2²?", "Сколько будет 22?"),
        ("Что такое 1,5?", "Что такое 15?"),
        ("Что такое C?", "Что такое C++?"),
        ("Что такое C#?", "Что такое C?"),
        ("что даёт print(A)", "что даёт print(a)"),
        ("2*(3+4)", "2*3+4"),
        ("при -5 градусах", "при 5 градусах"),
        ("1.0", "10"),
        ("Python 3.1", "Python 31"),
        ("`a  b`", "`a b`"),
        ("10% от 50", "10 от 50"),
        ("a_b", "a b"),
        ("10:30", "10 30"),
    ],
)
def test_digits_and_code_are_kept(one, other):
    assert normalise(one) != normalise(other)
    assert question_key(one) != question_key(other)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Як варити гречку?", "uk"),
        ("Как варить гречку?", "ru"),
        ("How do I cook rice?", "en"),
        ("Чому проходить оплата?", "uk"),
        ("Почему проходит оплата?", "ru"),
        ("Comment cuire du riz au lait ?", None),
        ("Wie koche ich Reis?", None),
        ("こんにちは", None),
        ("Как се готви ориз с мляко вкъщи", None),
        ("???", None),
    ],
)
def test_the_language_of_a_question_or_none(question, language):
    assert question_language(question) == language


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
        "rewrite it",
        "",
        "   ",
    ],
)
def test_what_depends_on_the_day_or_the_talk_is_not_kept(question):
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
