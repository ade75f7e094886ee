"""The conversation modes as models (`konsilium/consultation`): any client can ask the council.

What a participant says and what is going on comes as `reasoning_content`; the answer as content.
"""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from app.conversation.language import language_of_text
from app.conversation.mode import Mode, WholeHistory
from app.conversation.state import TurnState
from app.conversation.turn import RunningTurn, Turns
from app.core.errors import KonsiliumError, ModelNotFound, NotAllowed
from app.core.events import ModelEvent
from app.core.mending import DEEPEST, json_of
from app.core.models import GATEWAY_SERVER, ModelRef
from app.core.options import CHAT_OPTIONS, ChatOptions
from app.core.presets import Preset
from app.core.reading import is_deeper
from app.core.threads import BegunQuestion
from app.core.turns import (
    Attachment,
    HistoryMessage,
    Question,
    SettledTurn,
    StepRecord,
    TurnRequest,
    new_id,
)
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.face import CompletionRequest, Json, Responder
from app.gateway.openai.requests import chat_request, check_mode_fields, without_parameters
from app.gateway.responders import EventResponder
from app.gateway.services import GatewayServices
from app.gateway.turn_events import TurnEventAdapter

ASSISTANTS = f"{GATEWAY_SERVER}/assistants/"
KNOWLEDGE = "search_knowledge"
"""The tool that a key must be allowed for an answer of its to rest on knowledge bases."""
TURN_TOKENS = "dialogue_tokens"
"""The option of a mode whose participants each have a bound, which `max_tokens` sets."""
ORDINARY = "chat"
"""The mode that is no council: its models are asked by their own names."""


class Threadless:
    """Implements `TurnStore` for turns without a thread: the client keeps the conversation."""

    def __init__(self) -> None:
        self.histories: dict[str, tuple[HistoryMessage, ...]] = {}

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord], over: str | None = None
    ) -> BegunQuestion:
        return BegunQuestion(self.histories.pop(request.thread_id, ()), None)

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        """Nothing is kept."""

    async def settle(self, turn: SettledTurn) -> None:
        """Nothing is kept but the usage, which is taken from the settled turn."""


class ModeModels:
    """Finds modes by their model names and runs their turns."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services
        self._modes = {model_name(mode): mode for mode in services.modes if mode.id != ORDINARY}
        self._ordinary = next((mode for mode in services.modes if mode.id == ORDINARY), None)
        self._store = Threadless()
        self._turns = Turns(
            self._store,
            services.models,
            WholeHistory(),
            services.modes,
            tools=services.tools,
            find=services.find,
        )

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

    async def assistant(self, model: str, caller: Caller) -> Preset | None:
        """The assistant of that name, the caller's own or a shared one; None for what is no assistant's name.
        Raises ModelNotFound for one that there is not, or that the key may not use."""
        if self._services.presets is None or not model.startswith(ASSISTANTS):
            return None
        name = unquote(model.removeprefix(ASSISTANTS))
        found = await self._services.presets.named("assistants", name, caller.user_id)
        if found is None or not caller.may_use(assistant_name(found)):
            raise ModelNotFound(f"no {model}", model=model)
        return found

    async def assistants(self, caller: Caller) -> list[str]:
        """The names of those that the caller may ask."""
        if self._services.presets is None:
            return []
        every = await self._services.presets.all("assistants", caller.user_id)
        return list(dict.fromkeys(filter(caller.may_use, map(assistant_name, every))))

    def model_of(self, assistant: Preset, caller: Caller) -> ModelRef:
        """The model that answers for it: its own, else the default one. Raises ModelNotFound where the
        caller may not use that."""
        name = assistant.text("model") or str(self._services.models.resolve(""))
        return self._services.candidates(caller, name)[0]

    def with_tools(self, body: Json, assistant: Preset | None = None) -> Mode | None:
        """The mode that answers for an assistant, and for a plain model whose request names tools of this
        server."""
        chosen = body.get("konsilium")
        wanted = isinstance(chosen, dict) and chosen.get("tools")
        return self._ordinary if wanted or assistant is not None else None

    def likely(self, body: Json, caller: Caller) -> ModelRef | None:
        """The model that a council of that request is likely to ask; None where there is none."""
        chosen = body.get("konsilium")
        name = chosen.get("model") if isinstance(chosen, dict) else None
        try:
            if isinstance(name, str) and name:
                return self._services.candidates(caller, name)[0]
            return self._services.models.resolve("")
        except KonsiliumError:
            return None  # whoever asks hears of it when the council begins

    def responder(
        self,
        mode: Mode,
        asked: CompletionRequest,
        model: ModelRef | None = None,
        assistant: Preset | None = None,
    ) -> Responder:
        """A turn of that mode, or of that model with tools, or as the assistant. Raises ModelNotFound where
        the key may not use the mode, NotAllowed where it may not use a tool."""
        name = str(model) if model else model_name(mode)
        name = assistant_name(assistant) if assistant else name
        if model is None and not asked.caller.may_use(name):
            raise ModelNotFound("not for this key", model=name)
        council = _Council(self, self._services, mode, asked, model, assistant)
        return EventResponder(asked, name, council.events, council.note)

    async def start(self, request: TurnRequest, history: tuple[HistoryMessage, ...]) -> RunningTurn:
        """Starts a turn over a conversation that the client keeps."""
        self._store.histories[request.thread_id] = history
        return await self._turns.start(request)

    async def drain(self, timeout: float) -> None:
        """Stops what still runs after `timeout` seconds."""
        await self._turns.drain(timeout)


def assistant_name(assistant: Preset) -> str:
    """`konsilium/assistants/strict-editor` for "Strict editor"."""
    return f"{ASSISTANTS}{assistant.slug}"


def as_assistant(request: TurnRequest, assistant: Preset) -> TurnRequest:
    """The turn with what the assistant says before what the request says, and with its tools and bases."""
    options = request.options
    spoken = (assistant.text("system_prompt"), options.text("system_prompt"))
    values = {**options.values, "system_prompt": "\n\n".join(filter(None, spoken))}
    for id in ("tools", "knowledge"):
        values[id] = ", ".join(filter(None, (assistant.text(id), options.text(id))))
    return replace(request, options=ChatOptions(options.mode, values))


def model_name(mode: Mode) -> str:
    """`konsilium/best-of` for the mode `best_of`."""
    return f"{GATEWAY_SERVER}/{mode.id.replace('_', '-')}"


class _Council:
    """One turn of a mode, as the events of one model."""

    def __init__(
        self,
        modes: ModeModels,
        services: GatewayServices,
        mode: Mode,
        asked: CompletionRequest,
        model: ModelRef | None,
        assistant: Preset | None,
    ) -> None:
        self._modes = modes
        self._services = services
        self._mode = mode
        self._asked = asked
        self._request, self._history = turn_request(mode, asked, services.named)
        if model is not None:
            values = {**self._request.options.values, "model": str(model)}
            self._request = replace(self._request, options=ChatOptions(mode.id, values))
        if assistant is not None:
            self._request = as_assistant(self._request, assistant)
        options = self._request.options
        if options.names("knowledge") and not asked.caller.may_call(KNOWLEDGE):
            raise NotAllowed(f"this key may not look into knowledge bases ({KNOWLEDGE})")
        for name in (*options.names("tools"), *options.names("tools_always")):
            if not asked.caller.may_call(name):
                raise NotAllowed(f"this key may not use the tool {name}")
        self._state: TurnState | None = None

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        await self._check_tools()
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

    async def _check_tools(self) -> None:
        """A program learns which tool there is not; a server that is away has none."""
        wanted = self._request.options.names("tools")
        if not wanted:
            return
        every = await self._services.tools.every(self._request.user_id)
        known = {name for tool in every for name in (tool.id, tool.origin)}
        for name in wanted:
            if name not in known:
                raise InvalidField(f"There is no tool `{name}` now.", "konsilium.tools")

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
        fits = option.kind in ("participants", "tools", "bases") or option.clean(value) == value
        if value is not None and not fits:
            raise InvalidField(f"`{name}` is out of range.", f"konsilium.{name}")


def with_models(mode: Mode, chosen: dict[str, Any], named: Callable[[str], str]) -> dict[str, Any]:
    """The options with the models that aliases in them stand for."""
    told = dict(chosen)
    for option in (*CHAT_OPTIONS, *mode.options):
        value = told.get(option.id)
        if option.kind == "model" and isinstance(value, str) and value:
            told[option.id] = named(value)
        elif option.kind == "participants" and value:
            told[option.id] = _with_participants(value, named)
    return told


def _with_participants(given: Any, named: Callable[[str], str]) -> Any:
    """What is not of the form is left as it is: the mode says what is wrong with it."""
    try:
        listed = json_of(given) if isinstance(given, str) else given
    except ValueError:
        return given
    if not isinstance(listed, list) or is_deeper(listed, DEEPEST):
        return given
    return json.dumps(
        [
            {**each, "model": named(each["model"])}
            if isinstance(each, dict) and isinstance(each.get("model"), str) and each["model"]
            else each
            for each in listed
        ],
        ensure_ascii=False,
    )


def turn_request(
    mode: Mode, asked: CompletionRequest, named: Callable[[Caller, str], str]
) -> tuple[TurnRequest, tuple[HistoryMessage, ...]]:
    """The turn and the earlier messages that a chat completion asks for.

    An object `konsilium` in the body chooses the mode's options, `model` among them; `named` tells which
    model an alias stands for.
    """
    body = without_parameters(asked.body, mode=True) if asked.drops else asked.body
    request = chat_request(body, asked.request_id)
    chosen: Any = body.get("konsilium") or {}
    if not isinstance(chosen, dict):
        raise InvalidField("`konsilium` must be an object of options.", "konsilium")
    check_mode_fields(body)
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
        **with_models(mode, chosen, partial(named, asked.caller)),
    }
    if (bound := request.sampling.max_tokens) and any(o.id == TURN_TOKENS for o in mode.options):
        options.setdefault(TURN_TOKENS, bound)
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
        language=language_of_text(last.text),
        key_id=asked.caller.key.id if asked.caller.key else None,
        author=asked.caller.name,
        unattended=True,
    )
    return turn, history
