"""The exact form of a question: Unicode, white space and a closing full stop are all that is folded."""

import unicodedata

import pytest

from app.completion.caching.query import exact_form, question_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Какие есть факультеты?", "  Какие   есть\tфакультеты? "),
        ("Назови планеты.", "Назови планеты"),
        ("Що таке київ?", unicodedata.normalize("NFD", "Що таке київ?")),
        ("What is\u00a0Docker?", "What is Docker?"),
    ],
)
def test_white_space_composition_and_a_closing_full_stop_are_folded(one, other):
    assert question_key(one) == question_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Какие есть факультеты?", "какие есть факультеты?"),
        ("Какие есть факультеты?", "Какие есть факультеты"),
        ("docker run -d", "docker run -D"),
        ("лазер 5 mW", "лазер 5 MW"),
        ("String в Java", "string в Java"),
        ("что в .env", "что в env"),
        ("при -18", "при 18"),
        ("£50", "¥50"),
        ("x ≤ 5", "x ≥ 5"),
        ("a && b", "a || b"),
        ("что значит 😀", "что значит 😡"),
        ("Ещё ёжик", "Еще ежик"),
        ("ﬁnd it", "find it"),
        ("Сколько будет 2²?", "Сколько будет 22?"),
        ("`a  b`", "`a b`"),
        ('print("a  b")', 'print("a b")'),
        ("if x:\n    a\nb", "if x:\n    a\n    b"),
        ("what does cd . do: cd .", "what does cd . do: cd"),
        ("ls ..", "ls ."),
        ("1.", "1"),
    ],
)
def test_nothing_else_is(one, other):
    assert exact_form(one) != exact_form(other)
    assert question_key(one) != question_key(other)
