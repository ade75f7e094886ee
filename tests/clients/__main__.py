"""python -m tests.clients: programs and packages that nobody here wrote, each asks the app once and is to
get its own words back. What they need is installed under .venv/.clients the first time.

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

from tests.clients import real_ollama
from tests.processes import ROOT, konsilium, running, simulator, temporary_folder

HERE = Path(__file__).parent
FOLDER = ROOT / ".venv" / ".clients"
PYTHON = FOLDER / "python" / "bin" / "python"
PINNED = ("openai-agents==0.24.0", "pydantic-ai-slim[openai,anthropic]==2.68.0", "litellm==1.110.2")
PROMPT, MODELS, EMBEDDER = "hello there", ("gpu/echo", "ollama/echo"), "gpu/embed-m3"
CODEX = """\
model_provider = "konsilium"
[model_providers.konsilium]
name = "Konsilium"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "KONSILIUM_KEY"
"""


def install() -> None:
    """Both ecosystems' packages, at the versions written down."""
    FOLDER.mkdir(exist_ok=True)
    shutil.copy(HERE / "package.json", FOLDER)
    shutil.copy(HERE / "sdk.mjs", FOLDER)  # imports are looked up from where it stands
    subprocess.run(
        ["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=FOLDER, check=True
    )
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "python")], check=True)
    subprocess.run([str(PYTHON), "-m", "pip", "install", "-q", *PINNED], check=True)


def said_by(command: list[str], folder: Path, **variables: str) -> str:
    """What a program writes, in a home of its own."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout or done.stderr[-500:]


def packages(url: str, folder: Path) -> Iterator[tuple[str, str]]:
    node = ["node", str(FOLDER / "sdk.mjs"), url, EMBEDDER, *MODELS]
    python = [str(PYTHON), str(HERE / "packages.py"), url, *MODELS]
    for command in (node, python):
        lines = said_by(command, folder).splitlines()
        yield from (json.loads(line) for line in lines if line.startswith("["))


def programs(url: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Codex and Claude Code bring tools along, which Ollama's `echo` does not take."""
    (folder / ".codex").mkdir()
    (folder / ".codex" / "config.toml").write_text(CODEX.format(url=url))
    bin = FOLDER / "node_modules" / ".bin"
    codex = [str(bin / "codex"), "exec", "-m", MODELS[0], "--skip-git-repo-check"]
    yield "Codex", said_by([*codex, "-s", "read-only", PROMPT], folder, KONSILIUM_KEY="none")
    anthropic = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "none"}
    models = {"ANTHROPIC_MODEL": MODELS[0], "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODELS[0]}
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    yield (
        "Claude Code",
        said_by([str(bin / "claude"), "-p", PROMPT], folder, **anthropic, **models, **quiet),
    )


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
                for tries in (packages(app.url, home), programs(app.url, home)):
                    for client, got in tries:
                        good = got.rstrip().endswith(PROMPT)
                        failed += tell(client, "" if good else got[-300:] or "nothing")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
