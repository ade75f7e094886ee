"""What a model of last resort says before its answer."""

import pytest

from app.conversation.last_resort import is_foreign


@pytest.mark.parametrize(
    "text",
    ["Столица Франции?", "Чому небо блакитне?", "法国的首都是哪里", "Что такое HTTP?", "Ελλάδα"],
)
def test_letters_that_are_not_latin_are_foreign_to_it(text: str) -> None:
    assert is_foreign(text)


@pytest.mark.parametrize(
    "text", ["What is tea?", "2 + 2", "", "What does «чай» mean?", "`имя = 1`", "😀"]
)
def test_english_figures_and_code_are_not(text: str) -> None:
    assert not is_foreign(text)
