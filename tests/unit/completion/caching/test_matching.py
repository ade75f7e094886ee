"""Two questions share an answer, or one is offered for the other, or they have nothing in common."""

import pytest

from app.completion.caching.analysis import Aliases, analyse
from app.completion.caching.matching import compare

UNIVERSITY = Aliases.parse(
    """
    # abbreviations
    ХДУ = Херсонський державний університет = KSU
    """
)


def verdict(one, other, aliases=UNIVERSITY, **thresholds):
    left, right = analyse(one, aliases), analyse(other, aliases)
    assert left is not None
    assert right is not None
    there, back = compare(left, right, **thresholds), compare(right, left, **thresholds)
    assert there.kind == back.kind, "the order of the two must not matter"
    return there.kind


WHICH = "Які є факультети в ХДУ?"
WHICH_TOO = "Які факультети є в ХДУ?"
HOW_MANY = "Скільки факультетів у Херсонському університеті?"


def test_the_three_questions_about_faculties_are_decided_as_a_person_would():
    assert verdict(WHICH, WHICH_TOO) == "serve"
    assert verdict(WHICH, HOW_MANY) == "suggest"
    assert verdict(WHICH_TOO, HOW_MANY) == "suggest"


def test_an_alias_joins_names_and_no_alias_keeps_them_apart():
    full = "Які факультети є в Херсонському державному університеті?"
    assert verdict(WHICH, full) == "serve"
    assert verdict(WHICH, full, Aliases()) == "different"
    assert verdict(WHICH, "Які є факультети в KSU?") == "serve"
    assert verdict(WHICH, "Які факультети є в Харківському державному університеті?") == "different"


def test_the_threshold_can_be_raised():
    one, other = "Как правильно настроить гитару?", "Как настроить гитару?"
    assert verdict(one, other) == "serve"
    assert verdict(one, other, serve_from=1.01) == "suggest"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Как варить гречку?", "Как правильно варить гречку?"),
        ("В общежитии есть интернет?", "Есть ли в общежитии интернет?"),
        ("How do I sort a list in Python?", "In Python, how can I sort a list?"),
        ("Що таке рекурсія?", "Поясніть, будь ласка, що таке рекурсія"),
        ("ЯК ВАРИТИ ГРЕЧКУ", "Як варити гречку?"),
    ],
)
def test_the_same_in_other_words_is_served(one, other):
    assert verdict(one, other) == "serve"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Сколько тебе лет?", "Сколько мне лет?"),
        ("Кто президент Франции?", "Кто был президентом Франции?"),
        ("Какие животные живут в Австралии?", "Какие животные живут только в Австралии?"),
        ("What does Docker do?", "What is Docker?"),
        ("Чай или кофе полезнее?", "Чай и кофе полезнее?"),
        ("Нужно ли пить воду перед едой?", "Можно ли пить воду перед едой?"),
        ("Мать любит дочь?", "Дочь любит мать?"),
        ("Кто выиграл матч?", "Кто выиграет матч?"),
        ("How do I apply for credit?", "How do I use credit?"),
        ("What is the tallest building?", "What is the tall building?"),
        ("Какой самый большой океан?", "Какой большой океан?"),
        ("How old is he?", "How old is she?"),
        ("Can you eat raw fish?", "Should you eat raw fish?"),
        ("Can I speak French?", "Can you speak French?"),
        ("How to eat properly?", "How to eat right?"),
        ("Was Einstein married?", "Is Einstein married?"),
    ],
)
def test_a_small_word_that_may_matter_keeps_from_serving(one, other):
    assert verdict(one, other) != "serve"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Кто победил Наполеона?", "Кого победил Наполеон?"),
        ("Is Bob taller than Tom?", "Is Tom taller than Bob?"),
        ("a list of US presidents", "a list of presidents"),
        ("Как защитить сайт от бота?", "Как защитить бота от сайта?"),
        ("что лучше, java или python?", "что лучше, java или go?"),
        ("сколько стоит билет в киев", "сколько стоит билет в львов"),
        ("столица франции", "столица испании"),
        ("How to write C code?", "How to write C++ code?"),
        ("What is 5% of 20 apples?", "What is 20% of 5 apples?"),
        ("When should I plant tomatoes?", "When should I not plant tomatoes?"),
        ("Как открыть файл без пароля?", "Как открыть файл с паролем?"),
        ("Как собрать шкаф?", "Как разобрать шкаф?"),
        ("Что быстрее: поезд или самолёт?", "Что медленнее: поезд или самолёт?"),
        ("How do I turn on dark mode?", "How do I turn off dark mode?"),
        ("Як увімкнути темну тему?", "Як вимкнути темну тему?"),
        ("Як увійти в кабінет?", "Як вийти з кабінету?"),
        ("Как варить гречку?", "Як варити гречку?"),
        ("Как перейти с тарифа Лайт на Макс?", "Как перейти с тарифа Макс на Лайт?"),
        ("Кто был первым президентом США?", "Кто был последним президентом США?"),
        ("Коли почалася Перша світова війна?", "Коли почалася Друга світова війна?"),
        ("Какие праздники в мае?", "Какие праздники в марте?"),
    ],
)
def test_another_question_is_not_even_offered(one, other):
    assert verdict(one, other) == "different"
