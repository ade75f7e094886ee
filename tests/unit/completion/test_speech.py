"""Who reads aloud: the model that is named, else a local one; never a cloud's unasked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.completion.speech import Speech
from app.core.errors import MalformedAnswer, NoSuchService, ServerUnavailable
from app.core.events import Finished
from app.core.models import Capability, ModelProfile, ModelRef, ServerState
from app.core.ports import RawAnswer
from app.core.requests import RawRequest
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Outcome, Purpose, Usage

SPEAKS = frozenset({Capability.SPEECH})


def a_server(name: str, *models: str, local: bool, down: bool = False) -> ServerState:
    profiles = tuple(ModelProfile(ModelRef(name, one), SPEAKS, local=local) for one in models)
    error = ServerUnavailable("down", server=name) if down else None
    return ServerState(name, "openai", f"http://{name}/v1", local, profiles, error)


@dataclass
class Call:
    record: CallRecord
    sound: RawAnswer

    async def answer(self) -> RawAnswer:
        return self.sound


@dataclass
class Servers:
    up: Sequence[ServerState]
    sound: RawAnswer = field(
        default_factory=lambda: RawAnswer([b"ID3"], "audio/mpeg", Finished("stop", Usage()))
    )
    asked: list[tuple[ModelRef, RawRequest]] = field(default_factory=list)

    def states(self) -> Sequence[ServerState]:
        return self.up

    def raw_call(self, ref: ModelRef, request: RawRequest) -> Call:
        self.asked.append((ref, request))
        return Call(
            CallRecord(new_id(), request.purpose, ref, now(), Outcome.COMPLETED), self.sound
        )


@dataclass
class Log:
    seen: list[CallRecord] = field(default_factory=list)

    async def add(self, *about: Any) -> None:
        self.seen += about[-1]


def speech(servers: Any, log: Any = None, named: str = "") -> Speech:
    return Speech(servers, log or Log(), named=named, voice="alloy")


LOCAL = a_server("kokoro", "kokoro-v1", local=True)
CLOUD = a_server("openai", "tts-1", local=False)


@pytest.mark.parametrize(
    ("named", "up", "model"),
    [
        ("", [CLOUD, LOCAL], "kokoro/kokoro-v1"),
        ("", [CLOUD], None),
        ("", [a_server("kokoro", "kokoro-v1", local=True, down=True)], None),
        ("openai/tts-1", [CLOUD, LOCAL], "openai/tts-1"),
        ("openai/of-another-name", [CLOUD], "openai/of-another-name"),
        ("gone/tts", [CLOUD, LOCAL], None),
        ("off", [CLOUD, LOCAL], None),
    ],
)
def test_who_would_be_asked(named: str, up: list[ServerState], model: str | None):
    found = speech(Servers(up), named=named).model
    assert (str(found) if found else None) == model


async def test_a_text_becomes_sound_and_is_booked():
    servers, log = Servers([LOCAL]), Log()
    sound = await speech(servers, log).sound("Привет", "ann")
    assert (sound.body, sound.content_type) == (b"ID3", "audio/mpeg")
    assert servers.asked[-1][1].body == {
        "input": "Привет",
        "voice": "alloy",
        "response_format": "mp3",
    }
    [record] = log.seen
    assert (record.purpose, record.characters) == (Purpose.SPEECH, 6)


async def test_what_is_no_sound_is_a_failure_and_without_a_model_nothing_is_asked():
    log = Log()
    page = RawAnswer([b"<html>"], "text/html", Finished("stop", Usage()))
    with pytest.raises(MalformedAnswer):
        await speech(Servers([LOCAL], page), log).sound("Hi", "ann")
    assert [record.outcome for record in log.seen] == [Outcome.FAILED]
    with pytest.raises(NoSuchService):
        await speech(Servers([CLOUD])).sound("Hi", "ann")
