"""Words are compared in dictionary form, numbers by their value."""

import pytest

from app.knowledge.terms import languages_of, number_value, numbers, query_terms, terms_of


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1 234,50", "1234.5"),
        ("1\u00a0234\u202f567", "1234567"),
        ("1,234,567.80", "1234567.8"),
        ("3,5", "3.5"),
        ("3.50", "3.5"),
        ("007", "7"),
        ("2026", "2026"),
        ("12.05.2026", "12.05.2026"),
        ("0", "0"),
        ("100", "100"),
    ],
)
def test_a_number_has_one_spelling(written, value):
    assert number_value(written) == value


def test_numbers_of_a_text_are_found_whatever_separates_their_thousands():
    assert numbers("Цена 1 234,50 ₽, через 14 дней, 3.5 %") == ["1234.5", "14", "3.5"]


def test_words_are_indexed_in_dictionary_form():
    assert terms_of("Сроки поставки товаров", "ru") == "срок поставка товар"
    assert terms_of("The shipments were delayed", "en").split()[1] == "shipment"


def test_a_question_is_its_words_that_say_something():
    forms = [term.forms[0] for term in query_terms("Какие сроки поставки указаны в договоре?")]
    assert forms[:2] == ["срок", "поставка"]
    assert "какие" not in forms


def test_a_word_that_no_dictionary_has_is_found_by_its_beginning():
    [term] = query_terms("Зюбликана")
    assert term.stem == "зюблика"


def test_a_question_of_small_words_alone_is_all_of_them():
    assert query_terms("что это") != ()


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("How long is it?", {"en"}),
        ("Сколько дней?", {"ru", "uk"}),
        ("Который из объявленных?", {"ru"}),
        ("Скільки це коштує?", {"uk"}),
        ("Ціна нового iPhone — 100", {"uk"}),
        ("її", {"uk"}),
        ("12 %, 2024", {"ru", "uk", "en"}),
    ],
)
def test_letters_tell_the_languages_that_a_text_may_be_in(text, languages):
    assert languages_of(text) == languages
