"""Commands of the composer: what is written after one becomes its arguments."""

import pytest

from app.tools.mcp.content import Prompt, PromptArgument
from app.view.commands import CannotCarryOut, arguments_of, file_name


def a_prompt(*names: str) -> Prompt:
    """Names with a question mark may be left out."""
    arguments = (PromptArgument(n.rstrip("?"), not n.endswith("?"), "") for n in names)
    return Prompt("s", "p", "A letter", "", tuple(arguments))


@pytest.mark.parametrize(
    ("names", "text", "given"),
    [
        ((), "whatever is said", {}),
        (("to",), "Anna and п'ять friends", {"to": "Anna and п'ять friends"}),
        (("to",), 'to="Anna"', {"to": "Anna"}),
        (("to", "tone?"), "Anna", {"to": "Anna"}),
        (("to", "tone?"), "Anna stern", {"to": "Anna", "tone": "stern"}),
        (("to", "tone?"), "Anna very stern", {"to": "Anna", "tone": "very stern"}),
        (("to", "tone?"), '"Anna Maria" stern', {"to": "Anna Maria", "tone": "stern"}),
        (("to", "tone?"), "tone=stern Anna Maria", {"to": "Anna Maria", "tone": "stern"}),
        (("to", "tone?"), 'to="Anna Maria"', {"to": "Anna Maria"}),
        (("a", "b"), "x=1 y=2", {"a": "x=1", "b": "y=2"}),
        (("to?",), "", {}),
    ],
)
def test_words_become_arguments(names, text, given):
    assert arguments_of(a_prompt(*names), text) == given


@pytest.mark.parametrize("text", ["", "  ", "tone=stern"])
def test_what_is_missing_is_named(text):
    with pytest.raises(CannotCarryOut) as error:
        arguments_of(a_prompt("to", "tone?"), text)
    assert error.value.text.en == "The command “A letter” needs: to"


def test_a_document_has_a_name_that_tells_its_kind():
    assert file_name("Today", "text/markdown") == "Today.md"
    assert file_name("a/b.csv", "text/csv") == "a_b.csv"
    assert file_name("", "image/png") == "document.png"
    assert file_name("x", "application/unheard-of") == "x"
