"""A downloaded conversation has a name that every file system takes."""

import pytest

from app.view.files import file_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Рецепт борща", "Рецепт борща"),
        ("a/b\\c: что?", "a b c  что"),
        ("../../etc/passwd", "etc passwd"),
        ("Обрезано…", "Обрезано"),
        ("\x00\n", "Konsilium"),
    ],
)
def test_a_title_becomes_a_file_name(title, name):
    assert file_name(title) == name
