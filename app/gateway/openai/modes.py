"""The conversation modes as models (`konsilium/consultation`): any client can ask the council.

What a participant says and what is going on comes as `reasoning_content`; the answer as content.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from app.conversation.mode import Mode, WholeHistory
from app.conversation.state import TurnState
from app.conversation.turn import RunningTurn, Turns
from app.core.errors import ModelNotFound
from app.core.events import ModelEvent
from app.core.models import GATEWAY_SERVER
from app.core.options import CHAT_OPTIONS, ChatOptions
from app.core.turns import (
    Attachment,
    HistoryMessage,
    Question,
    SettledTurn,
    StepRecord,
    TurnRequest,
    new_id,
)
from app.gateway.errors import InvalidField
from app.gateway.face import CompletionRequest, Responder
from app.gateway.openai.requests import chat_request, check_mode_fields
from app.gateway.responders import EventResponder
from app.gateway.services import GatewayServices
from app.gateway.turn_events import TurnEventAdapter

ORDINARY = "chat"
"""The mode that is no council: its models are asked by their own names."""


class Threadless:
    """Implements `TurnStore` for turns without a thread: the client keeps the conversation."""

    def __init__(self) -> None:
        self.histories: dict[str, tuple[HistoryMessage, ...]] = {}

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord], over: str | None = None
    ) -> tuple[HistoryMessage, ...]:
        return self.histories.pop(request.thread_id, ())

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        """Nothing is kept."""

    async def settle(self, turn: SettledTurn) -> None:
        """Nothing is kept but the usage, which is taken from the settled turn."""


class ModeModels:
    """Finds modes by their model names and runs their turns."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services
        self._modes = {model_name(mode): mode for mode in services.modes if mode.id != ORDINARY}
        self._store = Threadless()
        self._turns = Turns(self._store, services.models, WholeHistory(), services.modes)

    @property
    def names(self) -> tuple[str, ...]:
        """`konsilium/…` for every mode."""
        return tuple(self._modes)

    def mode(self, model: str) -> Mode | None:
        """The mode of that name. Raises ModelNotFound for one of ours that does not exist."""
        mode = self._modes.get(model)
        if mode is None and model.startswith(f"{GATEWAY_SERVER}/"):
            raise ModelNotFound(f"no {model}", model=model, near=self.names)
        return mode

    def responder(self, mode: Mode, asked: CompletionRequest) -> Responder:
        """A turn of that mode. Raises ModelNotFound where the key may not use it."""
        if not asked.caller.may_use(model_name(mode)):
            raise ModelNotFound("not for this key", model=model_name(mode))
        council = _Council(self, self._services, mode, asked)
        return EventResponder(asked, model_name(mode), council.events, council.note)

    async def start(self, request: TurnRequest, history: tuple[HistoryMessage, ...]) -> RunningTurn:
        """Starts a turn over a conversation that the client keeps."""
        self._store.histories[request.thread_id] = history
        return await self._turns.start(request)

    async def drain(self, timeout: float) -> None:
        """Stops what still runs after `timeout` seconds."""
        await self._turns.drain(timeout)


def model_name(mode: Mode) -> str:
    """`konsilium/best-of` for the mode `best_of`."""
    return f"{GATEWAY_SERVER}/{mode.id.replace('_', '-')}"


class _Council:
    """One turn of a mode, as the events of one model."""

    def __init__(
        self, modes: ModeModels, services: GatewayServices, mode: Mode, asked: CompletionRequest
    ) -> None:
        self._modes = modes
        self._services = services
        self._mode = mode
        self._asked = asked
        self._request, self._history = turn_request(mode, asked)
        self._state: TurnState | None = None

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        turn = await self._modes.start(self._request, self._history)
        self._state = turn.state
        changed = turn.state.subscribe()
        adapter = TurnEventAdapter(turn.state, speakers=self._mode.takes_interjections)
        try:
            while not turn.state.done:
                await changed.wait()
                changed.clear()
                for event in adapter.poll():
                    yield event
            if turn.state.error is not None:
                raise turn.state.error
            yield adapter.finished()
        finally:
            turn.state.unsubscribe(changed)
            if not turn.state.done:
                turn.stop()
                await turn.wait()

    def note(self) -> None:
        settled = self._state.settled if self._state is not None else None
        for record in settled.calls if settled else ():
            self._services.recorder.note(self._asked.caller, record, self._mode.id)


def _check_options(mode: Mode, chosen: dict[str, Any]) -> None:
    """A program learns what it got wrong; only a person's stored choices are made to fit."""
    known = {option.id: option for option in (*CHAT_OPTIONS, *mode.options)}
    for name, value in chosen.items():
        if name not in known:
            raise InvalidField(f"There is no option `{name}`.", f"konsilium.{name}")
        option = known[name]
        fits = option.kind in ("participants", "tools") or option.clean(value) == value
        if value is not None and not fits:
            raise InvalidField(f"`{name}` is out of range.", f"konsilium.{name}")


def turn_request(
    mode: Mode, asked: CompletionRequest
) -> tuple[TurnRequest, tuple[HistoryMessage, ...]]:
    """The turn and the earlier messages that a chat completion asks for.

    An object `konsilium` in the body chooses the mode's options, `model` among them.
    """
    request = chat_request(asked.body, asked.request_id)
    chosen: Any = asked.body.get("konsilium") or {}
    if not isinstance(chosen, dict):
        raise InvalidField("`konsilium` must be an object of options.", "konsilium")
    check_mode_fields(asked.body)
    _check_options(mode, chosen)
    *earlier, last = request.messages
    if last.role != "user":
        raise InvalidField("The last message must be the user's.", "messages")
    system = "\n\n".join(message.text for message in earlier if message.role == "system")
    images = tuple(
        Attachment(new_id(), f"image {number}", image.mime, image=image)
        for number, image in enumerate(last.images, 1)
    )
    options = {
        "temperature": request.sampling.temperature,
        "max_tokens": request.sampling.max_tokens,
        "system_prompt": system or None,
        **chosen,
    }
    history = tuple(
        HistoryMessage(new_id(), "user" if message.role == "user" else "assistant", message.text)
        for message in earlier
        if message.role in ("user", "assistant") and message.text
    )
    turn = TurnRequest(
        thread_id=new_id(),
        user_id=asked.caller.user_id,
        question=Question(new_id(), last.text, images),
        options=ChatOptions.clean(options, mode.id, mode.options),
        key_id=asked.caller.key.id if asked.caller.key else None,
        author=asked.caller.name,
        unattended=True,
    )
    return turn, history
