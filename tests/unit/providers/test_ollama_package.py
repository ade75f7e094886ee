"""Importing the package `ollama` reads nothing of the environment, whatever stands there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_HOST", "http://localhost:11434,gpu2=http://192.168.1.20:11434"),
        ("OLLAMA_HOST", "gpu=http://[::1]:11434"),
        ("ALL_PROXY", "socks5://127.0.0.1:1080"),
        ("https_proxy", "socks5h://127.0.0.1:1080"),
    ],
)
def test_an_import_with_that_in_the_environment_is_one_like_any_other(
    name: str, value: str
) -> None:
    told = "import os, app.providers.ollama.client as p; print(p.ShowResponse.__name__, os.environ[%r])"
    done = subprocess.run(
        [sys.executable, "-c", told % name],
        env={**os.environ, name: value},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"ShowResponse {value}", done.stderr
