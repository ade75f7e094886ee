"""The face: every text in three languages, every setting documented, readable colours, no requests away."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.conversation.modes import ELEMENTS, MODES
from app.conversation.modes.consultation.requested_roles import requested_roles
from app.conversation.steps import COLOURS as VOICES
from app.conversation.steps import colour_of
from app.core.options import CHAT_OPTIONS
from app.settings import Settings
from app.view.avatars import AVATARS, COLOURS, avatar_name, avatar_svg
from app.view.chainlit.pages import clean_index
from app.view.starters import BEGINNINGS, in_language

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT / "public"
TAGS = ("ru-RU", "uk-UA", "en-US")
TOO_MANY_TRIES = "auth.login.errors.too many requests"
"""Chainlit's sign-in page looks up the status of the answer, and has no words for this one."""


def texts(tag: str) -> dict[str, str]:
    """Path -> text of a translation file."""

    def walk(node: dict[str, Any], path: str) -> dict[str, str]:
        flat: dict[str, str] = {}
        for key, value in node.items():
            where = f"{path}.{key}" if path else key
            flat |= walk(value, where) if isinstance(value, dict) else {where: value}
        return flat

    return walk(json.loads((ROOT / f".chainlit/translations/{tag}.json").read_text("utf-8")), "")


def chainlit_folder() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("chainlit")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def chainlit_texts() -> set[str]:
    source = chainlit_folder() / "translations/en-US.json"

    def walk(node: dict[str, Any], path: str) -> set[str]:
        found: set[str] = set()
        for key, value in node.items():
            where = f"{path}.{key}" if path else key
            found |= walk(value, where) if isinstance(value, dict) else {where}
        return found

    return walk(json.loads(source.read_text("utf-8")), "")


# -- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", TAGS)
def test_every_string_of_chainlit_is_translated_and_none_is_empty(tag):
    ours = texts(tag)
    assert set(ours) == chainlit_texts() | {TOO_MANY_TRIES}
    assert [path for path, text in ours.items() if not text.strip()] == []


@pytest.mark.parametrize("tag", ["ru-RU", "uk-UA"])
def test_placeholders_survive_translation(tag):
    english = texts("en-US")
    for path, text in texts(tag).items():
        assert re.findall(r"{{\w+}}", text) == re.findall(r"{{\w+}}", english[path]), path


def test_russian_and_ukrainian_are_written_in_their_own_letters():
    assert not [text for text in texts("ru-RU").values() if re.search("[іїєґІЇЄҐ]", text)]
    assert not [text for text in texts("uk-UA").values() if re.search("[ыэъёЫЭЪЁ]", text)]


@pytest.mark.parametrize(
    "element",
    [*(PUBLIC / "elements").glob("*.jsx"), *ELEMENTS.values()],
    ids=lambda file: file.stem,
)
def test_an_element_that_speaks_speaks_all_three_languages(element):
    source = element.read_text("utf-8")
    block = re.search(r"^const TEXTS = \{\n(.*?)^\};", source, re.DOTALL | re.MULTILINE)
    assert block, f"{element.name} keeps its texts in TEXTS"
    languages = re.findall(
        r"^  (ru|uk|en): \{(.*?)(?=^  (?:ru|uk|en): \{|\Z)", block[1], re.DOTALL | re.MULTILINE
    )
    assert [language for language, _ in languages] == ["ru", "uk", "en"]
    keys = [set(re.findall(r"(?:^|[{,])\s*(\w+):\s*[\"\[({\w]", body)) for _, body in languages]
    assert keys[0] == keys[1] == keys[2]


@pytest.mark.parametrize("tag", TAGS)
def test_the_help_page_exists_in_each_language(tag):
    assert "##" in (ROOT / f"chainlit_{tag}.md").read_text("utf-8")


def test_whom_a_consultation_calls_is_one_word_in_ukrainian():
    folders = [ROOT / "app", PUBLIC, ROOT / ".chainlit"]
    files = [path for folder in folders for path in folder.rglob("*")] + [*ROOT.glob("*.md")]
    said = [path for path in files if path.suffix in (".py", ".js", ".jsx", ".json", ".md")]
    understood = "requested_roles.py"  # what a person may say
    assert [
        path.relative_to(ROOT)
        for path in said
        if path.name != understood and "спеціаліст" in path.read_text("utf-8").casefold()
    ] == []


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [".env.example", "docs/settings.md"])
@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented(page, field):
    assert re.search(rf"\b{field.upper()}\b", (ROOT / page).read_text("utf-8"))


def test_the_example_names_no_setting_that_does_not_exist():
    example = (ROOT / ".env.example").read_text("utf-8")
    named = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    assert named == {field.upper() for field in Settings.model_fields}


def test_the_example_is_a_valid_env_file_that_changes_nothing():
    example = (ROOT / ".env.example").read_text("utf-8")
    assert all(line.startswith("#") or not line.strip() for line in example.splitlines())


# -- colours --------------------------------------------------------------------------------------

READ_ON = (
    ("foreground", "background"),
    ("muted-foreground", "background"),
    ("muted-foreground", "card"),
    ("muted-foreground", "muted"),
    ("muted-foreground", "accent"),
    ("foreground", "muted"),
    ("card-foreground", "card"),
    ("popover-foreground", "popover"),
    ("primary-foreground", "primary"),
    ("secondary-foreground", "secondary"),
    ("accent-foreground", "accent"),
    ("destructive-foreground", "destructive"),
    ("primary", "background"),
    ("primary", "card"),
    ("destructive", "card"),
    ("destructive", "background"),
    ("success", "card"),
    ("success", "background"),
    ("warning", "card"),
    ("chart-3", "card"),
    ("chart-4", "card"),
    ("warning", "background"),
    ("sidebar-foreground", "sidebar-background"),
    ("sidebar-accent-foreground", "sidebar-accent"),
)
SEEN_ON = (("ring", "background"), *((f"chart-{n}", "card") for n in range(1, 6)))


def rgb_of_hsl(triple: str) -> tuple[float, float, float]:
    hue, saturation, light = (float(part.rstrip("%")) for part in triple.split())
    saturation, light = saturation / 100, light / 100
    amount = saturation * min(light, 1 - light)

    def channel(n: int) -> float:
        k = (n + hue / 30) % 12
        return light - amount * max(-1, min(k - 3, 9 - k, 1))

    return channel(0), channel(8), channel(4)


def luminance(rgb: tuple[float, float, float]) -> float:
    """WCAG 2.2's relative luminance; channels 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_reads_on_its_background_in_both_themes(theme):
    colours = json.loads((PUBLIC / "theme.json").read_text("utf-8"))["variables"][theme]

    def between(front: str, back: str) -> float:
        return contrast(rgb_of_hsl(colours[f"--{front}"]), rgb_of_hsl(colours[f"--{back}"]))

    assert {pair: round(between(*pair), 2) for pair in READ_ON if between(*pair) < 4.5} == {}
    assert {pair: round(between(*pair), 2) for pair in SEEN_ON if between(*pair) < 3.0} == {}


def test_both_themes_set_the_same_variables():
    themes = json.loads((PUBLIC / "theme.json").read_text("utf-8"))["variables"]
    assert set(themes["light"]) == set(themes["dark"])


def rgb_of_hex(colour):
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_initials_read_on_every_colour_of_avatars():
    for colour in (*COLOURS, *VOICES):
        assert contrast(rgb_of_hex(colour), (1, 1, 1)) >= 4.5, colour


def test_the_colours_of_a_council_are_the_same_in_the_styles_and_seen_on_both_grounds():
    styles = (PUBLIC / "konsilium.css").read_text("utf-8")
    assert tuple(re.findall(r"--k-voice-\d: (#[0-9a-f]{6});", styles)) == VOICES
    script = (PUBLIC / "konsilium.js").read_text("utf-8")
    assert f"const VOICES = {len(VOICES)};" in script
    themes = json.loads((PUBLIC / "theme.json").read_text("utf-8"))["variables"]
    for theme in themes.values():
        ground = rgb_of_hsl(theme["--background"])
        assert all(contrast(rgb_of_hex(colour), ground) >= 3 for colour in VOICES)


# -- nothing is fetched from elsewhere ------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT).as_posix() for p in PUBLIC.rglob("*") if p.is_file())
)
def test_nothing_public_points_to_another_machine(path):
    text = (ROOT / path).read_text("utf-8", "replace").replace("http://www.w3.org/2000/svg", "")
    text = text.replace("http://host:port", "")  # an example of an address, never fetched
    text = re.sub(r"/\*!.*?\*/", "", text, flags=re.DOTALL)  # whose a library is, in its licence
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)


def test_the_page_of_chainlit_is_served_without_links_to_other_machines():
    page = (chainlit_folder() / "frontend/dist/index.html").read_text("utf-8")
    page = page.replace(
        "<!-- TAG INJECTION PLACEHOLDER -->",
        '<meta property="og:image" content="https://a.b/c.png">',
    )
    assert "https://" in page
    cleaned = clean_index(page)
    assert "http" not in cleaned.replace("http-equiv", "")
    for kept in ('<div id="root">', "/assets/index-", 'rel="stylesheet"', "JS INJECTION"):
        assert kept in cleaned


def test_a_clean_page_stays_as_it_is():
    page = '<head><link rel="icon" href="/favicon"/><link href="/public/konsilium.css"></head>'
    assert clean_index(page) == page


def test_the_theme_names_no_fonts_to_fetch():
    assert json.loads((PUBLIC / "theme.json").read_text("utf-8"))["custom_fonts"] == []


# -- Chainlit's config ----------------------------------------------------------------------------


def test_the_config_keeps_html_and_foreign_origins_out_and_its_files_exist():
    config = tomllib.loads((ROOT / ".chainlit/config.toml").read_text("utf-8"))
    assert config["features"]["unsafe_allow_html"] is False
    assert "*" not in config["project"]["allow_origins"]
    assert all(config["features"]["spontaneous_file_upload"]["accept"].values())
    ui = config["UI"]
    files = [ui["custom_css"], ui["custom_js"], ui["login_page_image"]]
    files += [link["icon_url"] for link in ui["header_links"]]
    assert [file for file in files if not (ROOT / file.lstrip("/")).is_file()] == []


def test_chainlit_leaves_the_tree_clean_for_what_it_would_write_at_import_is_kept_there():
    kept = {
        file.stem: json.loads(file.read_text("utf-8"))
        for file in (ROOT / ".chainlit/translations").glob("*.json")
    }
    theirs = {file.stem for file in (chainlit_folder() / "translations").glob("*.json")}
    assert theirs <= kept.keys()
    assert {tag for tag, words in kept.items() if words} == set(TAGS)


# -- avatars --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("gemma2:2b", "gemma"),
        ("qwen/qwen3-235b-a22b", "qwen"),
        ("QwQ:32b", "qwen"),
        ("deepseek-r1-distill-llama-70b", "deepseek"),
        ("codellama:13b", "llama"),
        ("mistral-nemo", "mistral"),
        ("mixtral:8x7b", "mistral"),
        ("gpt-oss:20b", "gpt-oss"),
        ("yandexgpt-lite", "yandex"),
        ("phi3.5", "phi"),
        ("t-lite:7b", "model"),
        ("somebody/some-model", "model"),
        ("Konsilium", "konsilium"),
        ("Координатор", "konsilium"),
        ("", "konsilium"),
        ("Роздуми", "thinking"),
    ],
)
def test_a_model_and_the_council_have_their_own_pictures(name, file):
    assert avatar_svg(name) == (AVATARS / f"{file}.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "initial"),
    [
        ("Физик", "Ф"),
        ("їжак", "Ї"),
        ("Philosopher", "P"),
        ("«Юрист»", "Ю"),
        ("?", "•"),
        ("Вариант 2", "2"),
    ],
)
def test_people_and_roles_have_their_initial(name, initial):
    assert f">{initial}</text>" in avatar_svg(name)


def test_one_name_has_one_picture_and_nothing_of_it_is_markup():
    assert avatar_svg("Физик") == avatar_svg(" физик ").replace(">ф<", ">Ф<")
    assert "<script" not in avatar_svg("<script>alert(1)</script>")


def test_a_speakers_face_has_the_colour_of_its_step():
    assert [f'fill="{colour_of(n)}"' in avatar_svg("Юрист", n) for n in range(6)] == [True] * 6
    assert avatar_svg("Юрист", 0) != avatar_svg("Юрист", 1)
    assert avatar_svg("gemma2:2b", 3) == avatar_svg("gemma2:2b")
    assert avatar_name("Юрист?", 2) == "Юрист-?number=2"


def test_a_name_for_the_avatar_address_holds_nothing_that_would_cut_it():
    assert avatar_name("Кто? 50 % #1") == "Кто- 50 - -1"
    assert avatar_name("gemma2:2b") == "gemma2:2b"


def test_every_option_of_the_panel_and_of_the_modes_is_documented():
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    options = (*CHAT_OPTIONS, *(option for mode in MODES for option in mode.options))
    assert [option.id for option in options if f"`{option.id}`" not in page] == []


@pytest.mark.parametrize(("tag", "language"), [("ru-RU", "ru"), ("uk-UA", "uk"), ("en-US", "en")])
def test_the_help_page_names_every_mode_as_the_picker_does(tag, language):
    page = (ROOT / f"chainlit_{tag}.md").read_text("utf-8")
    assert [mode.id for mode in MODES if f"| {mode.name[language]} |" not in page] == []


# -- the welcome screen ---------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ru", "uk", "en"])
def test_the_welcome_screen_offers_questions_with_pictures_in_each_language(language):
    offered = in_language(language)
    assert len({starter.label for starter in offered}) == len(BEGINNINGS)
    for starter in offered:
        assert (ROOT / str(starter.icon).lstrip("/")).is_file()


def test_the_beginning_that_calls_a_council_is_understood_as_one():
    (council,) = [one for one in BEGINNINGS if one.icon == "council"]
    for language in ("ru", "uk", "en"):
        assert len(requested_roles(council.question[language])) == 3
