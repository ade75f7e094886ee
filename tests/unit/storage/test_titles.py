"""A thread is named after its first message, cut at a word's end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.threads import TITLE_LENGTH, title_of


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Short", "Short"),
        ("Two\n\nlines  and   spaces", "Two lines and spaces"),
        (
            "Как приготовить настоящий украинский борщ с пампушками и чесноком?",
            "Как приготовить настоящий украинский борщ с…",
        ),
        ("x" * 80, "x" * 49 + "…"),
        ("> # A plan\n\nOf what?", "A plan Of what?"),
        ("#include is C", "#include is C"),
        ("", ""),
    ],
)
def test_titles(said, title):
    assert title_of(said) == title


@given(st.text())
def test_no_title_is_longer_than_it_may_be(said):
    assert len(title_of(said)) <= TITLE_LENGTH
