"""A text has one form, however many marks a letter has."""

import sys
import time
import unicodedata

import pytest

from app.core.normal_forms import _OF_MARKS, MAX_MARKS, normalized

WORDS = "Й и\u0306 Ё ﬁ né Việt Nam е\u0301 한국어 ①" * 20


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_texts_that_people_write_have_the_form_of_the_standard(form):
    assert normalized(form, WORDS) == unicodedata.normalize(form, WORDS)
    long = "языки" * 100 + "e\u0316\u0301"
    assert normalized(form, long) == unicodedata.normalize(form, long)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize(
    "marks", ["\u0301\u0316" * 500_000, "\u0f73" * 40_000, "\uff9e\u0301" * 40_000]
)
def test_a_letter_with_marks_without_end_keeps_some_and_is_soon_ready(form, marks):
    before = time.process_time()
    short = normalized(form, "а" + marks)
    assert time.process_time() - before < 2
    assert 1 <= len(short) <= 1 + 2 * MAX_MARKS


def test_what_becomes_a_mark_without_being_one_is_known_in_whole():
    hidden = {
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if not unicodedata.combining(character)
        and unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    }
    assert hidden == _OF_MARKS
