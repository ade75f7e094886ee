"""/api/chat: a question to a thread, answered at once or as a stream. A client that leaves ends
nothing: the answer is in the thread; `cancel` stops it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.access.limits import Headers
from app.access.spending import Spending
from app.completion.tokens import tokens_of_characters
from app.conversation.language import language_of_text
from app.conversation.mode import Mode
from app.conversation.state import TurnState
from app.conversation.turn import RunningTurn
from app.core.errors import BadRequest, ModelNotFound, NoModels
from app.core.events import StepKind, TextDelta
from app.core.keys import paid_by
from app.core.models import ModelRef
from app.core.options import CHAT_OPTIONS, ChatOptions
from app.core.sse import PING, encode
from app.core.turns import Question as StoredQuestion
from app.core.turns import TurnRequest, new_id
from app.gateway.access import Caller
from app.gateway.errors import answer_to
from app.gateway.openai.modes import ORDINARY, model_name
from app.gateway.rest.chats import make_thread, own_thread
from app.gateway.rest.services import RestServices, TheCaller, TheLimits, TheServices
from app.gateway.rest.shapes import (
    Agent,
    Dialogue,
    Question,
    Regeneration,
    Reply,
    Success,
    TokenUsage,
    WindowUsage,
)
from app.gateway.services import COUNCIL_CALLS
from app.gateway.turn_events import TurnEventAdapter, told_of

router = APIRouter(prefix="/api/chat", tags=["chat"])
DIALOGUE = "dialogue"
_CHOICES = {"model", "options"}


@router.post("")
async def chat(
    services: TheServices, caller: TheCaller, limits: TheLimits, question: Question
) -> Reply:
    """Asks, and waits for the whole answer."""
    wish = await _wish(services, caller, question)
    return await _answer(await _start(services, caller, limits, wish))


@router.post(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def chat_stream(
    services: TheServices, caller: TheCaller, limits: TheLimits, question: Question
) -> StreamingResponse:
    """Asks, and sends the answer as it is written: `{"taskId", "chatId"}`, then `{"chunk"}` and
    `{"progress"}`, at last `{"done": true, "taskId", …}` with all of `Reply`, or `{"error"}`."""
    turn = await _start(services, caller, limits, await _wish(services, caller, question))
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    heartbeat = services.gateway.pace.heartbeat
    return StreamingResponse(
        _events(turn, heartbeat), media_type="text/event-stream", headers=headers
    )


@router.post("/regenerate/{chat_id}")
async def regenerate(
    services: TheServices, caller: TheCaller, limits: TheLimits, chat_id: str, again: Regeneration
) -> Reply:
    """Has a question answered anew, and waits for the answer; the earlier ones stay beside it."""
    stored = await services.conversations.question(caller.user_id, chat_id, again.message_id)
    asked = Question(
        message=stored.text or " ", chat_id=chat_id, **again.model_dump(include=_CHOICES)
    )
    wish = replace(await _wish(services, caller, asked), again=stored)
    return await _answer(await _start(services, caller, limits, wish))


@router.post("/cancel/{task_id}")
async def cancel(services: TheServices, caller: TheCaller, task_id: str) -> Success:
    """Stops an answer, upstream too; what was written stays in the thread."""
    await services.stop(caller, task_id)
    return Success()


@router.post("/multi-model")
async def multi_model(
    services: TheServices, caller: TheCaller, limits: TheLimits, dialogue: Dialogue
) -> Reply:
    """Lets two to four models talk, each with its system prompt."""
    names = [speaker.name or f"{n}" for n, speaker in enumerate(dialogue.models, 1)]
    participants = [
        {"name": name, "model": speaker.model, "system": speaker.system_prompt}
        for name, speaker in zip(names, dialogue.models, strict=True)
    ]
    for speaker in dialogue.models:
        if speaker.model:
            services.gateway.candidates(caller, speaker.model)
    wish = _Wish(
        dialogue.message,
        await _thread(services, caller, dialogue.chat_id),
        DIALOGUE,
        {
            "model": dialogue.models[0].model or None,
            "dialogue_participants": json.dumps(participants, ensure_ascii=False),
            "dialogue_turns": dialogue.turns,
        },
    )
    return await _answer(await _start(services, caller, limits, wish))


@dataclass(frozen=True, slots=True)
class _Wish:
    text: str
    thread_id: str
    mode: str
    options: dict[str, Any]
    after: str | None = None
    instead_of: str | None = None
    again: StoredQuestion | None = None
    """The stored question that is to be answered anew."""


async def _wish(services: RestServices, caller: Caller, question: Question) -> _Wish:
    given: dict[str, Any] = {
        "model": question.model,
        "temperature": question.temperature,
        "max_tokens": question.max_tokens,
        "system_prompt": question.system_prompt,
        "compress_context": question.compress_context,
        "compress_system_prompt": question.compress_system_prompt,
    }
    chosen = question.options | {k: v for k, v in given.items() if v is not None}
    thread_id = await _thread(services, caller, question.chat_id)
    kept = (await own_thread(services, caller, thread_id)).metadata.get("chat_settings")
    stored = dict(kept) if isinstance(kept, dict) else {}
    mode = question.mode or str(stored.get("mode") or "chat")
    return _Wish(
        question.message,
        thread_id,
        mode,
        stored | chosen,
        question.parent_id,
        question.instead_of,
    )


async def _thread(services: RestServices, caller: Caller, chat_id: str | None) -> str:
    if chat_id is None:
        return await make_thread(services, caller, "")
    return (await own_thread(services, caller, chat_id)).id


async def _start(
    services: RestServices, caller: Caller, limits: Headers, wish: _Wish
) -> RunningTurn:
    mode = next((mode for mode in services.modes if mode.id == wish.mode), None)
    if mode is None:
        known = ", ".join(mode.id for mode in services.modes)
        raise BadRequest(f"There is no mode {wish.mode!r}; there are {known}.")
    if mode.id != ORDINARY and not caller.may_use(model_name(mode)):  # its models are many
        raise ModelNotFound("not for this key", model=model_name(mode))
    options = ChatOptions.clean(wish.options, mode.id, mode.options)
    model = options.text("model")
    ref = (
        services.gateway.candidates(caller, model)[0]
        if model
        else services.gateway.models.resolve("")
    )
    if not caller.may_use(str(ref)):
        raise ModelNotFound("not for this key", server=ref.server, model=ref.name)
    _check_models(services, caller, mode, options)
    values = {**options.values, "model": str(ref)}
    if caller.key is not None:  # a key opens models; what the house may do is its people's affair
        values["knowledge"] = ""
        for name in ("tools", "tools_always"):
            values[name] = ", ".join(filter(caller.may_call, options.names(name)))
    options = ChatOptions(mode.id, values)
    request = TurnRequest(
        thread_id=wish.thread_id,
        user_id=caller.user_id,
        question=wish.again or StoredQuestion(new_id(), wish.text),
        options=options,
        language=language_of_text(wish.again.text if wish.again else wish.text),
        again=wish.again is not None,
        bypass_cache=wish.again is not None,
        after=wish.after,
        instead_of=wish.instead_of,
        key_id=caller.key.id if caller.key else None,
        author=caller.name,
        unattended=True,
    )
    spending = await _admitted(services, caller, limits, wish, options, ref)
    try:
        with paid_by(spending):
            turn = await services.turns.start(request)
    except BaseException:
        if spending is not None:
            spending.close()
        raise
    services.following.start(services.follow(turn, spending))
    return turn


async def _admitted(
    services: RestServices,
    caller: Caller,
    limits: Headers,
    wish: _Wish,
    options: ChatOptions,
    ref: ModelRef,
) -> Spending | None:
    """Counts the question against the key's limits and puts the usual headers on the answer."""
    tokens = max(1, tokens_of_characters(len(wish.text) + len(options.text("system_prompt"))))
    many = options.mode != ORDINARY or options.names("tools")
    return await services.gateway.admit(
        caller,
        limits,
        tokens,
        int(options.number("max_tokens")) or None,
        ref,
        COUNCIL_CALLS if many else 1,
    )


def _check_models(services: RestServices, caller: Caller, mode: Mode, options: ChatOptions) -> None:
    """Raises ModelNotFound where an option names a model that there is, but not for the caller."""
    for option in (*CHAT_OPTIONS, *mode.options):
        if option.kind == "model" and (name := options.text(option.id)):
            try:
                services.gateway.models.candidates(name)
            except (ModelNotFound, NoModels):
                continue  # a choice of long ago: the mode says what it does without that model
            services.gateway.candidates(caller, name)


async def _answer(turn: RunningTurn) -> Reply:
    state = await turn.wait()
    if state.error is not None:
        raise state.error
    return _reply(state)


async def _events(turn: RunningTurn, heartbeat: float) -> AsyncGenerator[bytes, None]:
    state = turn.state
    task = {"taskId": turn.request.turn_id, "chatId": turn.request.thread_id}
    yield encode(task)
    changed = state.subscribe()
    telling = TurnEventAdapter(state, speakers=turn.mode.takes_interjections)
    try:
        while not state.done:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(heartbeat):
                    await changed.wait()
            if not changed.is_set():
                yield PING
                continue
            changed.clear()
            for event in telling.poll():
                if isinstance(event, TextDelta):
                    yield encode({"chunk": event.text})
                elif text := getattr(event, "text", ""):
                    yield encode({"progress": text})
    finally:
        state.unsubscribe(changed)
    if state.error is not None:
        answer = answer_to(state.error)
        yield encode({"error": answer.message, "code": answer.code, **task})
    else:
        yield encode({"done": True, **task, **_reply(state).model_dump(mode="json", by_alias=True)})


def _reply(state: TurnState) -> Reply:
    answers = [step for step in state.steps.values() if step.kind is StepKind.ANSWER and step.text]
    agents = [
        step for step in state.steps.values() if step.kind in (StepKind.SPECIALIST, StepKind.MEMBER)
    ]
    if len(answers) > 1 and not agents:
        agents = answers
    settled = state.settled
    return Reply(
        response="\n\n".join(
            step.text for step in (answers if agents is answers else answers[-1:])
        ),
        title=settled.title if settled else None,
        chat_id=state.request.thread_id,
        task_id=state.request.turn_id,
        is_multi_agent=bool(agents),
        agents=[Agent(role=step.name, content=step.text) for step in agents] or None,
        token_usage=_tokens(state),
        context_window_usage=_window(state),
        outcome=str(state.outcome),
        report=told_of(answers[-1]).get("report") if answers else None,
    )


def _tokens(state: TurnState) -> TokenUsage:
    calls = state.settled.calls if state.settled else ()
    taken = [call.usage.input_tokens for call in calls if call.usage.input_tokens is not None]
    given = [call.usage.output_tokens for call in calls if call.usage.output_tokens is not None]
    costs = [call.cost.rub for call in calls if call.cost is not None]
    return TokenUsage(
        input_tokens=sum(taken) if taken else None,
        output_tokens=sum(given) if given else None,
        total_tokens=sum(taken) + sum(given) if taken or given else None,
        estimated_cost_rub=float(sum(costs)) if costs else None,
        model_name=str(state.model) if state.model else None,
    )


def _window(state: TurnState) -> WindowUsage:
    answers = [s for s in state.steps.values() if s.kind is StepKind.ANSWER and s.call is not None]
    usage = answers[-1].call.usage if answers and answers[-1].call else None
    used = state.prompt.tokens if state.prompt else None
    if usage is not None and usage.input_tokens is not None:
        used = usage.input_tokens + (usage.output_tokens or 0)
    had, asked = (usage.window if usage else None), (state.prompt.window if state.prompt else None)
    size = had or asked or (state.profile.window if state.profile else None)
    return WindowUsage(
        current_tokens=used,
        max_tokens=size,
        usage_percent=round(100 * used / size, 2) if used is not None and size else None,
        is_compressed=bool(state.prompt and state.prompt.compression.before),
    )
