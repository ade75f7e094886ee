"""Programs that people run: each is set up as docs/gateway.md says, in a home of its own, and asks once."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.processes import ROOT, Process, free_port, running

FOLDER = ROOT / ".venv" / ".clients"
"""Where they are installed."""
PROMPT, MODELS = "hello there", ("gpu/echo", "ollama/echo")
CODEX = """\
model_provider = "konsilium"
[model_providers.konsilium]
name = "Konsilium"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "KONSILIUM_KEY"
"""


def said_by(command: list[str], folder: Path, **variables: str) -> str:
    """What a program writes, in a home of its own."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout or done.stderr[-500:]


def programs(url: str, home: Path, embedder: str) -> Iterator[tuple[str, str]]:
    """Each with what it answered. Codex, Claude Code and opencode bring tools along, which Ollama's `echo`
    does not take."""
    yield "Codex", _codex(url, home)
    yield "Claude Code", _claude_code(url, home)
    yield "opencode", _opencode(url, home)
    for model in MODELS:
        yield f"aider, {model}", _aider(url, home, model)
    yield from _open_webui(url, home, embedder)


def _codex(url: str, home: Path) -> str:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(CODEX.format(url=url))
    asked = ["exec", "-m", MODELS[0], "--skip-git-repo-check", "-s", "read-only", PROMPT]
    return said_by([_node("codex"), *asked], home, KONSILIUM_KEY="none")


def _claude_code(url: str, home: Path) -> str:
    return said_by(
        [_node("claude"), "-p", PROMPT],
        home,
        ANTHROPIC_BASE_URL=url,
        ANTHROPIC_AUTH_TOKEN="none",
        ANTHROPIC_MODEL=MODELS[0],
        ANTHROPIC_DEFAULT_HAIKU_MODEL=MODELS[0],
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )


def _opencode(url: str, home: Path) -> str:
    options = {"baseURL": f"{url}/v1", "apiKey": "none"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {MODELS[0]: {}}}
    settings = {"autoupdate": False, "provider": {"konsilium": provider}}
    (home / "opencode.json").write_text(json.dumps(settings))
    asked = ["run", "-m", f"konsilium/{MODELS[0]}", PROMPT]
    return _line(said_by([_node("opencode"), *asked], home))


def _aider(url: str, home: Path, model: str) -> str:
    plain = ["--no-git", "--yes", "--no-check-update", "--analytics-disable", "--chat-mode", "ask"]
    asked = ["--model", f"openai/{model}", "--no-show-model-warnings", "--message", PROMPT]
    variables = {"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": "none"}
    return _line(said_by([str(FOLDER / "aider/bin/aider"), *plain, *asked], home, **variables))


def _open_webui(url: str, home: Path, embedder: str) -> Iterator[tuple[str, str]]:
    """Over its connections of either kind; models of the second go by `ol.` here."""
    port = free_port()
    environment = _environment(
        home,
        DATA_DIR=str(home / "open-webui"),
        WEBUI_AUTH="False",
        WEBUI_SECRET_KEY="secret",
        OFFLINE_MODE="True",
        RAG_EMBEDDING_ENGINE="openai",
        RAG_EMBEDDING_MODEL=embedder,
        RAG_OPENAI_API_BASE_URL=f"{url}/v1",
        OPENAI_API_BASE_URLS=f"{url}/v1",
        OPENAI_API_KEYS="none",
        OLLAMA_BASE_URLS=f"{url}/ollama",
        OLLAMA_API_CONFIGS='{"0": {"enable": true, "prefix_id": "ol"}}',
    )
    program = str(FOLDER / "open-webui/bin/open-webui")
    command = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    where = f"http://127.0.0.1:{port}"
    there = Process(command, where, environment, home / "open-webui.log", "/health", folder=home)
    with running(there), httpx.Client(base_url=where, timeout=60) as http:
        anybody = {"email": "anybody@localhost", "password": "none"}
        token = http.post("/api/v1/auths/signin", json=anybody).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        http.get("/api/models").raise_for_status()
        for kind, prefix in (("OpenAI", ""), ("Ollama", "ol.")):
            for model in MODELS:
                asked = {"model": prefix + model, "messages": [{"role": "user", "content": PROMPT}]}
                answer = http.post("/api/chat/completions", json=asked | {"stream": False})
                said = answer.json()["choices"][0]["message"]["content"]
                yield f"Open WebUI, {kind}, {model}", said if answer.is_success else answer.text
                answer = http.post("/api/chat/completions", json=asked | {"stream": True})
                yield f"Open WebUI, {kind}, a stream, {model}", _joined(answer.text)


def _joined(stream: str) -> str:
    events = [line.removeprefix("data: ") for line in stream.splitlines() if "choices" in line]
    return "".join(json.loads(one)["choices"][0]["delta"].get("content") or "" for one in events)


def _environment(home: Path, **variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), **variables}


def _node(name: str) -> str:
    return str(FOLDER / "node_modules" / ".bin" / name)


def _line(said: str) -> str:
    """The answer among what else a program writes around it; all of that where it is not there."""
    answers = (line.strip().strip('"') for line in said.splitlines())
    return PROMPT if PROMPT in answers else said
