"""The real app starts with every form of OLLAMA_HOST that the docs name, and behind a socks proxy."""

import re
import urllib.request
from pathlib import Path

import pytest

from tests.processes import (
    CHAINLIT,
    ROOT,
    Process,
    app_root,
    clean_environment,
    free_port,
    konsilium,
    running,
)

NAMES = re.compile(r"(\w+)=http")


def by_chainlit_run(folder: Path) -> Process:
    """`chainlit run` in a folder whose `.env` says all there is to say."""
    port = free_port()
    command = [str(CHAINLIT), "run", str(ROOT / "app" / "chainlit_app.py"), "--headless"]
    command += ["--port", str(port), "--host", "127.0.0.1"]
    environment = clean_environment(DATA_DIR=str(folder / "data"))
    url = f"http://127.0.0.1:{port}"
    return Process(command, url, environment, folder / "app.log", folder=app_root(folder))


@pytest.mark.parametrize(
    "variables",
    [
        {"OLLAMA_HOST": "http://127.0.0.1:9,gpu2=http://127.0.0.1:10"},
        {"OLLAMA_HOST": "127.0.0.1:9"},
        {"OLLAMA_HOST": "lab=http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"},
    ],
    ids=["two servers", "no scheme", "a name, and a socks proxy"],
)
@pytest.mark.parametrize("where", ["the environment", ".env"])
def test_the_app_starts(variables: dict[str, str], where: str, tmp_path: Path) -> None:
    if where == ".env":
        lines = [f"{name}={value}\n" for name, value in variables.items()]
        (tmp_path / ".env").write_text("".join(lines))
        app = by_chainlit_run(tmp_path)
    else:
        app = konsilium(tmp_path, **variables)
    with running(app):
        assert "Traceback" not in app.log.read_text()
        for name in NAMES.findall(variables["OLLAMA_HOST"]):
            with urllib.request.urlopen(f"{app.url}/api/models/servers") as answer:  # noqa: S310  # loopback
                assert name in answer.read().decode()
