"""The real app starts with every form of OLLAMA_HOST that the docs name, and behind a socks proxy."""

from pathlib import Path

import pytest

from tests.processes import konsilium, running


@pytest.mark.parametrize(
    "variables",
    [
        {"OLLAMA_HOST": "http://127.0.0.1:9,gpu2=http://127.0.0.1:10"},
        {"OLLAMA_HOST": "127.0.0.1:9"},
        {"OLLAMA_HOST": "lab=http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"},
    ],
    ids=["two servers", "no scheme", "a name, and a socks proxy"],
)
def test_the_app_starts(variables: dict[str, str], tmp_path: Path) -> None:
    app = konsilium(tmp_path, **variables)
    with running(app):
        assert "Traceback" not in app.log.read_text()
