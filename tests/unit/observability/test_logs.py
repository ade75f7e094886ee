"""A log line has the request's id; it never has what people wrote, nor a key."""

import asyncio
import io
import json
import logging

import pytest

from app.conversation.mode import TurnContext, WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.errors import ServerFault
from app.core.options import ChatOptions
from app.core.requests import request_id
from app.core.text import same
from app.core.turns import Question, TurnRequest, new_id
from app.observability.logs import MASK, Redaction, configure_logging
from app.providers.upstream_errors import error_of_status, not_the_protocol
from tests.fakes import MemoryStore, ScriptedModels

SAID = "the harvest moon is a secret"
ANSWERED = "nobody shall read this answer"
KEY = "live_4f9c2a77d0b64f1e"


@pytest.fixture
def log():
    """The log of the test, at the default level; what was set up before is put back."""
    loggers = {n: logging.getLogger(n) for n in logging.root.manager.loggerDict} | {
        "": logging.root
    }
    before = {n: (x.level, x.propagate, list(x.handlers)) for n, x in loggers.items()}
    stream = io.StringIO()

    def configure(form="json"):
        configure_logging("INFO", form, [KEY], stream)
        return stream

    yield configure
    logging.captureWarnings(False)
    for name, (level, propagate, handlers) in before.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate, logger.handlers = propagate, handlers


ECHO = json.dumps(
    {
        "detail": [
            {
                "type": "missing",
                "loc": ["body", "model"],
                "input": {"messages": [{"role": "user", "content": f'"{SAID}" is it'}]},
            }
        ]
    }
).encode()
HALF = json.dumps({"message": {"role": "assistant", "content": ANSWERED}}).encode()[:-12]


class Tactless:
    """A mode with a bug whose words quote the question."""

    id = "chat"
    name = description = same("x")
    icon = "bug"
    options = ()
    takes_interjections = False

    async def respond(self, turn: TurnContext):
        await asyncio.sleep(0)
        if turn.prompt.question.text:
            raise ValueError(f"cannot parse {turn.prompt.question.text!r}")


async def a_turn(models, modes=MODES):
    question = Question(new_id(), SAID)
    request = TurnRequest("t1", "u1", question, ChatOptions.clean({}, "chat"))
    turns = Turns(MemoryStore(), models, WholeHistory(), modes)
    await (await turns.start(request)).wait()
    return request.turn_id


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("script", "modes"),
    [
        (ANSWERED, MODES),
        ([ANSWERED, ServerFault(f"500 for key {KEY}", server="fake")], MODES),
        (ANSWERED, (Tactless(),)),
        ([error_of_status("fake", "m", 422, ECHO, {})], MODES),
        ([not_the_protocol("fake", "m", HALF)], MODES),
    ],
    ids=["completed", "failed", "bug", "quoted by the server", "half a line"],
)
async def test_the_log_of_a_whole_turn_has_neither_its_words_nor_the_key(log, form, script, modes):
    stream = log(form)
    turn_id = await a_turn(ScriptedModels({"model": script}), modes)
    lines = stream.getvalue()
    assert SAID[:12] not in lines
    assert ANSWERED[:12] not in lines
    assert KEY not in lines
    if script != ANSWERED or modes is not MODES:
        assert turn_id in lines


async def test_a_bug_is_logged_with_its_type_and_place(log):
    stream = log()
    turn_id = await a_turn(ScriptedModels(), (Tactless(),))
    entry = json.loads(stream.getvalue().splitlines()[-1])
    assert entry["request_id"] == turn_id
    assert entry["level"] == "ERROR"
    assert entry["exception"].endswith("ValueError")
    assert 'in respond\n    raise ValueError(f"cannot parse' in entry["exception"]


async def test_the_id_reaches_the_upstream_call_and_the_log_of_what_runs_meanwhile(log):
    stream = log()
    seen = []

    def ask(request):
        logging.getLogger("app.providers.fake").info("asking", extra={"attempt": 1})
        seen.append(request.request_id)
        return "yes"

    turn_id = await a_turn(ScriptedModels({"model": ask}))
    assert seen == [turn_id]
    entry = json.loads(stream.getvalue().splitlines()[0])
    assert (entry["message"], entry["request_id"], entry["attempt"]) == ("asking", turn_id, 1)
    assert request_id.get() is None


def test_credentials_are_masked_wherever_they_stand():
    redact = Redaction([KEY])
    for line in (
        f"401 for {KEY}",
        "Authorization: Bearer abcdef0123456789",
        "Authorization: Api-Key AQVNabcdefabcdefabcdef",
        "api_key='abcdef0123456789'",
        "using sk-abcdefghijklmnop1234",
        "postgresql+asyncpg://konsilium:hunter22@db/konsilium",
    ):
        assert MASK in redact(line)
        for secret in (KEY, "abcdef0123456789", "abcdefabcdefabcdef", "ghijklmnop1234", "hunter22"):
            assert secret not in redact(line)
    assert redact("14 tokens in 3 s, key rotation at 12:00") == (
        "14 tokens in 3 s, key rotation at 12:00"
    )


def test_libraries_that_quote_bodies_are_silent_below_warning(log):
    stream = log()
    library = logging.getLogger("httpx")
    library.setLevel(logging.DEBUG)
    log()
    library.info("HTTP Request: POST http://x %s", SAID)
    logging.getLogger("openai._base_client").debug("Request options: %s", SAID)
    assert stream.getvalue() == ""
    logging.getLogger("chainlit").info("Started")
    assert "Started" in stream.getvalue()


def test_what_a_stranger_puts_into_an_address_makes_no_line_of_its_own(log):
    stream = log("text")
    path = "/x\n2026-01-01 00:00:00.000Z INFO app.access alice\x1b[2J\u2028\u202eecila\r"
    logging.getLogger("app.test").warning("refused %s", path)
    try:
        raise OSError(path)
    except OSError:
        logging.getLogger("app.test").exception("it failed")
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if line.startswith("2026-01-01")] == []
    assert lines[0].endswith(r"alice\x1b[2J\u2028\u202eecila\r")
    assert "\x1b" not in stream.getvalue()
