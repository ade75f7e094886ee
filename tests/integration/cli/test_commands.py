"""The commands as a person runs them: processes of their own against a simulated server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.bootstrap import build
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.settings import Settings
from tests.histories import CHATGPT
from tests.processes import Done, run_command
from tests.simulators import OllamaSimulator

ROOT = Path(__file__).parents[3]


class Shell:
    def __init__(self, folder: Path, ollama: str) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(folder),
            "OLLAMA_HOST": ollama,
            "APP_LANGUAGE": "en",
            "EMBEDDED_MODEL": "off",
        }
        self.folder = folder

    async def run(self, *args: str, **environment: str) -> Done:
        variables = self.environment | environment
        return await asyncio.to_thread(
            run_command, *args, environment=variables, folder=self.folder
        )


@pytest.fixture
async def simulator() -> AsyncIterator[OllamaSimulator]:
    async with OllamaSimulator(["gemma2:2b", "echo"]) as simulator:
        yield simulator


@pytest.fixture
def shell(tmp_path: Path, simulator: OllamaSimulator) -> Shell:
    return Shell(tmp_path, simulator.url)


async def test_doctor_is_content_where_a_model_can_answer(shell: Shell) -> None:
    code, out, _ = await shell.run("doctor")
    assert code == 0
    assert "gemma2:2b (1.6 GB)" in out
    assert "ollama/gemma2:2b" in out.splitlines()[-1]
    assert not (shell.folder / "konsilium.db").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ru_RU.UTF-8", "Запустите Ollama"),
        ("uk_UA.UTF-8", "Запустіть Ollama"),
        ("C", "Start Ollama"),
    ],
)
async def test_doctor_says_how_to_mend_what_is_wrong(
    shell: Shell, language: str, said: str
) -> None:
    del shell.environment["APP_LANGUAGE"]
    code, out, err = await shell.run("doctor", OLLAMA_HOST="http://127.0.0.1:9", LANG=language)
    assert code == 1
    assert said in out
    assert "Traceback" not in err


async def test_doctor_forgives_an_ollama_nobody_asked_for(
    shell: Shell, simulator: OllamaSimulator
) -> None:
    servers = f"a={simulator.url}/nothing"
    code, out, _ = await shell.run("doctor", OPENAI_SERVERS=servers)
    assert code == 1, "a configured server that is no server is wrong"
    assert "Something else answers there" in out


async def test_a_wrong_setting_names_its_variable(shell: Shell) -> None:
    code, _, err = await shell.run("doctor", PORT="many")
    assert code == 2
    assert "PORT" in err


async def test_list_shows_every_model(shell: Shell) -> None:
    code, out, _ = await shell.run("models", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["ollama/gemma2:2b", "ollama/echo"]


async def test_load_and_unload_move_a_model_and_say_what_cannot_be(
    shell: Shell, simulator: OllamaSimulator
) -> None:
    code, out, _ = await shell.run("models", "load", "gemma2:2b")
    assert (code, simulator.loaded) == (0, {"gemma2:2b"})
    assert "ollama/gemma2:2b is loaded" in out
    code, out, _ = await shell.run("models", "list")
    assert "loaded" in out
    code, _, _ = await shell.run("models", "unload", "ollama/gemma2:2b")
    assert (code, simulator.loaded) == (0, set())
    code, _, err = await shell.run("models", "load", "nobody:1b")
    assert code == 1
    assert "has no model nobody:1b" in err
    code, _, err = await shell.run("models", "load", "gemma2:2b", OLLAMA_HOST="http://127.0.0.1:9")
    assert code == 1
    assert "The server ollama: 127.0.0.1:9" in err


async def test_pull_fetches_a_model_and_remove_deletes_it(
    shell: Shell, simulator: OllamaSimulator
) -> None:
    code, out, _ = await shell.run("models", "pull", "ollama/qwen3:8b")
    assert code == 0
    assert "success" in out
    assert "qwen3:8b" in simulator.models
    code, _, err = await shell.run("models", "remove", "qwen3:8b")
    assert code == 1, "without a yes nothing is deleted"
    assert "--yes" in err
    code, *_ = await shell.run("models", "remove", "qwen3:8b", "--yes")
    assert code == 0
    assert "qwen3:8b" not in simulator.models
    code, _, err = await shell.run("models", "remove", "qwen3:8b", "--yes")
    assert code == 1
    assert "has no model" in err


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("pull-full", "no space left on device"),
        ("pull-unknown", "file does not exist"),
        ("pull-denied", "permission denied"),
    ],
)
async def test_a_pull_that_fails_says_why(shell: Shell, model: str, why: str) -> None:
    code, _, err = await shell.run("models", "pull", model)
    assert code == 1
    assert why in err


async def test_a_pull_broken_off_goes_on_where_it_was(
    shell: Shell, simulator: OllamaSimulator
) -> None:
    code, *_ = await shell.run("models", "pull", "pull-error")
    assert code == 1
    have = max(simulator.pulled.values())
    assert have > 0
    code, *_ = await shell.run("models", "pull", "pull-error")
    assert code == 0


async def test_conversations_of_other_programs_come_once(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps(CHATGPT))
    code, out, _ = await shell.run("import", str(file), "--dry-run")
    assert code == 0
    assert "2025-06-15  О борще  (messages: 5, branches: 2, models: gpt-4o)" in out
    assert "nothing is stored" in out
    for new, known in ((1, 0), (0, 1)):
        code, out, _ = await shell.run("import", str(file))
        assert (code, out.splitlines()[-1]) == (
            0,
            f"New conversations: {new}, grown: 0, known already: {known}, in the bin: 0.",
        )
    file.write_text("[5]")
    code, _, err = await shell.run("import", str(file))
    assert code == 1
    assert "conversation 1" in err
    file.write_text("[" + "{}," * 10_000_000 + "{}]")
    code, out, err = await shell.run("import", str(file), "--json", "--memory", "700000000")
    assert (code, json.loads(out)) == (1, {"refused": "memory", "place": ""})
    assert "too much memory" in err
    file.write_text(json.dumps(CHATGPT))
    assert (await shell.run("import", str(file), "--user", "nobody"))[0] == 1
    assert (await shell.run("import", str(tmp_path / "none.json")))[0] == 1


async def test_a_new_model_is_placed_by_past_questions_with_consent(shell: Shell) -> None:
    replay = ("arena", "replay", "--model", "ollama/echo", "--judge", "ollama/gemma2:2b")
    code, _, err = await shell.run(*replay)
    assert (code, err) == (1, "There are no questions that another model has answered.\n")
    await _asked(shell, "Why is the sky blue?", "What is tea?")
    code, out, err = await shell.run(*replay)
    assert (code, err) == (1, "Nothing was sent. Without asking: --yes\n")
    assert out.startswith("Questions: 2. ollama/echo is sent them; the judge ollama/gemma2:2b")
    code, out, _ = await shell.run(*replay, "--yes")
    assert code == 0
    assert "2 of 2: ollama/echo better" in out
    assert "not enough votes" in out


async def _asked(shell: Shell, *questions: str) -> None:
    """Asks in plain chat, each question in a conversation of its own."""
    settings = Settings(
        data_dir=shell.folder, ollama_host=shell.environment["OLLAMA_HOST"], embedded_model="off"
    )
    app = build(settings)
    await app.start()
    user = await app.people.local()
    for text in questions:
        options = ChatOptions.clean({"model": "ollama/gemma2:2b"}, "chat", ())
        request = TurnRequest(new_id(), user.id, Question(new_id(), text), options)
        await (await app.conversation.turns.start(request)).wait()
    await app.stop()
