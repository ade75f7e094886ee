"""What assistants and prompts say, made to fit; prompts have fields."""

import pytest

from app.core.presets import Preset, cleaned, filled, places


@pytest.mark.parametrize(
    ("text", "named", "said"),
    [
        ("Plain {text}", (), "Plain {text}"),
        ("Into {{language}}: {{ text }}", ("language", "text"), "Into uk: Hi {{language}}"),
        ("{{text}} and {{text}}", ("text",), "Hi {{language}} and Hi {{language}}"),
        ("{{мова відповіді}}", ("мова відповіді",), ""),
        ("{{}} {{\n}}", (), "{{}} {{\n}}"),
    ],
)
def test_a_prompt_is_filled_in_once(text, named, said):
    assert places(text) == named
    assert filled(text, {"language": "uk", "text": "Hi {{language}}"}) == said


def test_what_is_no_field_or_does_not_fit_is_left_out():
    given = {
        "face": " 🦉 \n",
        "tools": ["now", "calculator"],
        "about": "x" * 999,
        "mode": "chat",
        "model": 5,
    }
    said = cleaned("assistants", given)
    assert said == {"face": "🦉", "tools": "now, calculator", "about": "x" * 200}


@pytest.mark.parametrize(
    ("name", "slug"), [("Strict editor!", "strict-editor"), ("Їжак 2", "їжак-2"), ("🦉", "id")]
)
def test_a_name_becomes_part_of_a_models_name(name, slug):
    assert Preset("id", "assistants", "ann", "Ann", name).slug == slug
