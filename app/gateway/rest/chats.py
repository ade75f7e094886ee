"""/api/chats: the very threads of the sidebar."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.presets import beginning
from app.core.threads import StoredThread, ThreadRecord
from app.core.turns import StepRecord, new_id
from app.gateway.access import Caller
from app.gateway.rest.services import RestServices, TheCaller, TheServices
from app.gateway.rest.shapes import (
    Branch,
    Chat,
    ChatChange,
    ChatMade,
    Chats,
    Messages,
    NewChat,
    Session,
    SessionMade,
    Success,
    ThreadMessage,
)

router = APIRouter(prefix="/api", tags=["chats"])
UNTITLED = "New chat"


@router.get("/chats")
async def chats(
    services: TheServices,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    search: Annotated[str | None, Query(max_length=500)] = None,
    project: Annotated[str | None, Query(max_length=100)] = None,
) -> Chats:
    """Your threads, those with the latest words first; of one project, if its id is given."""
    page = await services.threads.page(
        caller.user_id, limit=limit, cursor=cursor, search=search, project=project or None
    )
    return Chats(chats=[_chat(thread) for thread in page.items], next=page.next)


@router.post("/chats", status_code=201)
async def make_chat(services: TheServices, caller: TheCaller, new: NewChat) -> ChatMade:
    """A new thread. Without a title it is listed once something was said in it."""
    made = await make_thread(services, caller, new.title, new.project_id)
    return ChatMade(chat_id=made, title=new.title)


@router.patch("/chats/{chat_id}")
async def change_chat(
    services: TheServices, caller: TheCaller, chat_id: str, new: ChatChange
) -> Chat:
    """Names a thread, puts it into a project or takes it out."""
    if "project_id" in new.model_fields_set:
        await services.threads.move(chat_id, caller.user_id, new.project_id)
    if new.title is not None:
        await services.threads.rename(chat_id, caller.user_id, new.title)
    return _chat(await services.threads.find(chat_id, caller.user_id))


@router.delete("/chats/{chat_id}")
async def delete_chat(services: TheServices, caller: TheCaller, chat_id: str) -> Success:
    """Deletes a thread with all that was said in it; an answer under way is stopped."""
    thread = await own_thread(services, caller, chat_id)
    await services.turns.abandon(thread.id)
    await services.threads.delete(chat_id, caller.user_id)
    return Success()


@router.get("/chats/{chat_id}/messages")
async def messages(
    services: TheServices,
    caller: TheCaller,
    chat_id: str,
    branch: Annotated[str | None, Query(max_length=100)] = None,
) -> Messages:
    """What was said in a thread, in order: in the branch that is shown, in that of the message `branch`,
    or in `all`."""
    await own_thread(services, caller, chat_id)
    through = None if branch in (None, "all") else branch
    stored = await services.threads.contents(chat_id, caller.user_id, through=through, whole=True)
    return Messages(messages=_said(stored, all_branches=branch == "all"))


@router.put("/chats/{chat_id}/branch")
async def show_branch(
    services: TheServices, caller: TheCaller, chat_id: str, branch: Branch
) -> Success:
    """Shows the branch of that message from now on, everywhere; nothing is deleted."""
    await services.conversations.switch(chat_id, caller.user_id, branch.message_id)
    return Success()


@router.post("/chat/session", status_code=201)
async def make_session(services: TheServices, caller: TheCaller, new: NewChat) -> SessionMade:
    """A new thread, under its older name."""
    return SessionMade(session_id=await make_thread(services, caller, new.title), title=new.title)


@router.get("/chat/session/{session_id}")
async def session(services: TheServices, caller: TheCaller, session_id: str) -> Session:
    """A thread with all that was said in it, under its older name."""
    thread = await own_thread(services, caller, session_id)
    contents = await services.threads.contents(session_id, caller.user_id, whole=True)
    chat = _chat(thread)
    return Session(
        session_id=chat.id,
        title=chat.title,
        created_at=chat.created_at,
        updated_at=chat.updated_at,
        messages=_said(contents),
    )


async def make_thread(
    services: RestServices, caller: Caller, title: str, project_id: str | None = None
) -> str:
    """The id of a new thread of the caller's, in a project if one is given. Raises NotFound for another's."""
    if project_id is not None:
        project = await services.presets.find(project_id, caller.user_id)
        begins = {"chat_settings": beginning(project, services.gateway.models)}
        thread_id = await services.threads.begin(
            caller.user_id, project_id=project_id, metadata=begins
        )
    else:
        thread_id = new_id()
    if title.strip():
        await services.threads.suggest_title(thread_id, caller.user_id, title)
        await services.threads.rename(thread_id, caller.user_id, title)
    elif project_id is None:
        await services.threads.ensure(thread_id, caller.user_id)
    return thread_id


async def own_thread(services: RestServices, caller: Caller, thread_id: str) -> ThreadRecord:
    """The caller's own thread; one that is merely shared with them is NotFound too."""
    try:
        thread = await services.threads.find(thread_id, caller.user_id)
    except NotFound as error:
        raise NotFound("Chat not found") from error
    if thread.user_id != caller.user_id:
        raise NotFound("Chat not found")
    return thread


def _chat(thread: ThreadRecord) -> Chat:
    return Chat(
        id=thread.id,
        title=thread.title or UNTITLED,
        created_at=_ms(thread.created_at),
        updated_at=_ms(thread.active_at),
        project_id=thread.project_id,
    )


def _said(contents: StoredThread, *, all_branches: bool = False) -> list[ThreadMessage]:
    """The messages of the branch, or of all; `contents` are the whole thread's."""
    said = [step for step in contents.steps if step.kind in ("question", StepKind.ANSWER)]
    questions = {step.id: step for step in said if step.kind == "question"}
    turns = {step.id: step.parent_id for step in contents.steps if step.kind == "turn"}
    first: dict[str | None, str] = {}
    last: dict[str | None, str | None] = {}
    last.update(turns)
    before: dict[str, str | None] = {}
    for step in said:
        if step.kind != "question":
            first.setdefault(step.turn_id, step.id)
            before[step.id] = last.get(step.turn_id)
            last[step.turn_id] = step.id
    ways: dict[str | None, list[str]] = {}
    for id, parent in (*((q.id, q.parent_id) for q in questions.values()), *turns.items()):
        ways.setdefault(parent, []).append(first.get(id, id))
    path = set(contents.path)

    def siblings(step: StepRecord) -> list[str]:
        if step.kind != "question" and first.get(step.turn_id) != step.id:
            return []
        parent = step.parent_id if step.kind == "question" else turns.get(step.turn_id or "")
        others = ways.get(parent, [])
        return others if len(others) > 1 else []

    return [
        ThreadMessage(
            id=step.id,
            chat_id=step.thread_id,
            role="user" if step.kind == "question" else "assistant",
            content=step.output,
            timestamp=_ms(step.created_at),
            name=step.name,
            parent_id=last.get(step.parent_id) if step.kind == "question" else before[step.id],
            siblings=siblings(step),
        )
        for step in said
        if all_branches or (step.id if step.kind == "question" else step.turn_id) in path
    ]


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
