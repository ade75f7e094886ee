"""docs/architecture.md is true: the rooms, the layers and the modules it names are those that there are."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
DOC = (ROOT / "docs" / "architecture.md").read_text("utf-8")
MAP = DOC.partition("```\napp/\n")[2].partition("```")[0]
LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
][0]["layers"]


def parts(text: str) -> set[str]:
    """The modules and folders that a description of layers names, without `app.`."""
    return set(re.findall(r"\w+", text.replace("app.", ""))) - {"__main__"}


def test_the_map_has_every_room_and_no_other():
    there = {
        path.name + "/" * path.is_dir()
        for path in APP.iterdir()
        if path.name not in ("__init__.py", "__main__.py", "__pycache__", "page")
    }
    assert set(re.findall(r"^  (\S+)", MAP, re.MULTILINE)) == there


def test_the_layers_are_those_that_the_linter_keeps():
    said = re.search(r"Imports go inward: `([^`]+)`", DOC)
    assert said
    layers = [parts(layer) for layer in said[1].split("->")]
    assert layers == [parts(layer) for layer in LAYERS]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.(?:py|toml))`", DOC))))
def test_every_module_that_it_names_is_there(name: str):
    assert (APP / name).is_file() or (ROOT / name).is_file()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([\w./-]+\.md)\)", DOC))))
def test_every_page_that_it_links_is_there(link: str):
    assert (ROOT / "docs" / link).is_file()
