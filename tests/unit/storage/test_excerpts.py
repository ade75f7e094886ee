"""What a search shows of a message: the words around the first that was found."""

import pytest

from app.storage.thread_pages import excerpt


@pytest.mark.parametrize(
    ("said", "words", "shown"),
    [
        ("Ёлка стоит", ["елка"], "Ёлка стоит"),
        ("Не ополка, а полки\nстоят", ["полк"], "Не ополка, а полки стоят"),
        (
            "a " * 50 + "needle" + " b" * 100,
            ["needle"],
            "…" + "a " * 19 + "needle" + " b" * 50 + "…",
        ),
        ("C++ (1)", ["1"], "C++ (1)"),
        ("nothing", ["else"], None),
    ],
)
def test_it_shows_the_words_around(said: str, words: list[str], shown: str | None):
    assert excerpt(said, words) == shown
