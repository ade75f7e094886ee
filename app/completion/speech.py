"""Text to speech, where a server of the catalogue offers it."""

from dataclasses import replace
from typing import Any

from app.core.errors import KonsiliumError, MalformedAnswer, NoSuchService
from app.core.models import Capability, ModelRef
from app.core.ports import Models, RawAnswer, RawCall, UsageLog
from app.core.requests import RawRequest
from app.core.usage import Outcome, Purpose

LONGEST = 4096
"""Characters of one request: what OpenAI's own server takes."""
OFF = "off"


class Speech:
    """Has one model read texts aloud: the one that is named, else the first local one, which costs
    nothing and to which nothing goes away."""

    def __init__(self, models: Models, usage: UsageLog, *, named: str = "", voice: str) -> None:
        """`named`: `server/model`, or "off"."""
        self._models = models
        self._usage = usage
        self._named = named
        self._voice = voice

    @property
    def model(self) -> ModelRef | None:
        """The model that would be asked; None where none can."""
        if self._named == OFF:
            return None
        up = [state for state in self._models.states() if state.error is None]
        if self._named:
            server, _, name = self._named.partition("/")
            known = [ModelRef(server, name)] if any(server == state.name for state in up) else []
        else:
            every = [profile for state in up for profile in state.models]
            known = [one.ref for one in every if one.local and one.can(Capability.SPEECH)]
        return next((ref for ref in known if self._call(ref, "") is not None), None)

    async def sound(self, text: str, user_id: str) -> RawAnswer:
        """The text as sound, with its content type. Raises NoSuchService, or what the server does."""
        ref = self.model
        call = self._call(ref, text) if ref is not None else None
        if ref is None or call is None:
            raise NoSuchService("no server reads aloud")
        failed: dict[str, Any] = {}
        try:
            answer = await call.answer()
            if not (answer.body and answer.content_type.lower().startswith("audio/")):
                raise MalformedAnswer("no sound", server=ref.server, model=ref.name)
            return answer
        except KonsiliumError as error:
            failed = {"outcome": Outcome.FAILED, "error": error.code}
            raise
        finally:
            record = replace(call.record, characters=len(text), **failed)
            await self._usage.add(None, user_id, None, [record])

    def _call(self, ref: ModelRef, text: str) -> RawCall | None:
        body = {"input": text, "voice": self._voice, "response_format": "mp3"}
        return self._models.raw_call(ref, RawRequest("/audio/speech", body, purpose=Purpose.SPEECH))
