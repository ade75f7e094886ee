"""python -m tests.clients: programs and packages that nobody here wrote, each asks the app once and is to
get its own words back; and a SearXNG, that the app asks. What they need is installed under .venv/.clients the first time.

OLLAMA_REAL=http://127.0.0.1:11434 python -m tests.clients: what the app relies on, tried at a real Ollama
(real_ollama.py) in place of that."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.clients import real_ollama, searxng
from tests.clients.programs import FOLDER, MODELS, PROMPT, programs, said_by
from tests.processes import konsilium, running, simulator, temporary_folder

HERE = Path(__file__).parent
UV = "uv==0.13.9"
ENVIRONMENTS = {
    "python": (
        "openai-agents==0.24.0",
        "pydantic-ai-slim[openai,anthropic]==2.68.0",
        "litellm==1.110.2",
        "langchain-openai==1.7.3",
    ),
    "llama-index": (
        "llama-index-llms-openai-like==0.8.1",
        "llama-index-embeddings-openai-like==0.4.0",
    ),
    "aider": ("aider-chat==0.86.2",),
    "open-webui": ("open-webui==0.12.4",),
    "searxng": (searxng.PACKAGE,),
}
"""What each environment of Python's holds: what cannot be installed side by side has one of its own."""
LEFT_OUT = (
    "torch",
    "transformers",
    "sentence-transformers",
    "accelerate",
    "faster-whisper",
    "rapidocr",
    "opencv-python-headless",
    "onnxruntime",
)
"""Gigabytes for models of Open WebUI's own, which it does without where it is given others."""
EMBEDDER = "gpu/embed-m3"


def install() -> None:
    """Both ecosystems' packages, at the versions written down."""
    FOLDER.mkdir(exist_ok=True)
    shutil.copy(HERE / "package.json", FOLDER)
    shutil.copy(HERE / "sdk.mjs", FOLDER)  # imports are looked up from where it stands
    subprocess.run(
        ["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=FOLDER, check=True
    )
    left_out = FOLDER / "left-out.txt"
    left_out.write_text("".join(f'{name}; sys_platform == "never"\n' for name in LEFT_OUT))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", UV], check=True)
    uv = str(Path(sys.executable).with_name("uv"))
    for name, pinned in ENVIRONMENTS.items():
        place = FOLDER / name
        if not place.exists():
            subprocess.run([uv, "venv", "-q", "--python", ">=3.11,<3.13", str(place)], check=True)
        python = ["--python", str(place / "bin" / "python"), "--override", str(left_out)]
        subprocess.run([uv, "pip", "install", "-q", *python, *pinned], check=True)


def packages(url: str, home: Path) -> Iterator[tuple[str, str]]:
    programs = [["node", str(FOLDER / "sdk.mjs")]] + [
        [str(FOLDER / name / "bin/python"), str(HERE / "packages.py"), name]
        for name in ("python", "llama-index")
    ]
    for program in programs:
        lines = said_by([*program, url, EMBEDDER, *MODELS], home).splitlines()
        yield from (json.loads(line) for line in lines if line.startswith("["))


def tell(what: str, wrong: str) -> bool:
    """Writes how a try went; returns whether it failed."""
    print(f"{'FAILED' if wrong else 'ok':8}{what}{wrong and f': {wrong}'}", flush=True)
    return bool(wrong)


async def at_real_ollama(url: str) -> int:
    """How many tries at that server failed."""
    tries = real_ollama.tried(url, os.environ.get("OLLAMA_REAL_MODEL"))
    return sum([tell(what, wrong) async for what, wrong in tries])


def main() -> int:
    """How many did not get their answer."""
    if url := os.environ.get("OLLAMA_REAL"):
        return asyncio.run(at_real_ollama(url.rstrip("/")))
    install()
    failed = 0
    with temporary_folder() as name:
        folder = Path(name)
        got = searxng.searched(FOLDER / "searxng" / "bin" / "python", folder)
        failed += tell("SearXNG", "" if got == searxng.TEA else got[-300:])
        servers = [simulator(kind, folder, "echo", "embed-m3") for kind in ("ollama", "openai")]
        with running(*servers):
            app = konsilium(
                folder,
                OLLAMA_HOST=f"ollama={servers[0].url}",
                OPENAI_SERVERS=f"gpu={servers[1].url}/v1",
                LOG_LEVEL="WARNING",
            )
            with running(app):
                home = folder / "home"
                home.mkdir()
                for tries in (packages(app.url, home), programs(app.url, home, EMBEDDER)):
                    for client, got in tries:
                        good = got.rstrip().endswith(PROMPT)
                        failed += tell(client, "" if good else got[-300:] or "nothing")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
