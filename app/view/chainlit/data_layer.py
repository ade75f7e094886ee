"""Chainlit's data layer over our stores.

Turns write themselves (`core.ports.TurnStore`): neither steps nor elements are written through here.
Chainlit says neither who asks nor whether it matters: `identity` knows the one, every store checks it,
and a write that fails is logged, said on screen and raised.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from chainlit.data.base import BaseDataLayer
from chainlit.element import Element, ElementDict
from chainlit.step import StepDict
from chainlit.types import (
    Feedback,
    FeedbackDict,
    PageInfo,
    PaginatedResponse,
    Pagination,
    ThreadDict,
    ThreadFilter,
)
from chainlit.user import PersistedUser
from chainlit.user import User as ChainlitUser

from app.access.people import People
from app.core.errors import KonsiliumError, NotAllowed, NotFound, StorageUnavailable
from app.core.text import Text
from app.core.threads import FeedbackRecord, StoredThread, ThreadRecord
from app.core.turns import new_id
from app.storage.elements import Elements
from app.storage.threads import Threads
from app.view.chainlit.browser import Browser, every_browser, open_on
from app.view.chainlit.dicts import element_dict, may_be_drawn, persisted, stamp
from app.view.chainlit.identity import asking_id, identity, reading_language, socket_session
from app.view.errors import advice_for
from app.view.rendering import arrows, draw

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

IN_BRANCH = Text(ru="в другой ветви", uk="в іншій гілці", en="in another branch")
IN_PROJECT = Text(
    ru="в проекте «{project}»", uk="у проєкті «{project}»", en="in the project “{project}”"
)
IN_ARCHIVE = Text(ru="в архиве", uk="в архіві", en="in the archive")
DISLIKE = 0
_NOT_THE_SESSIONS = ("is_shared", "shared_at", "chat_settings", "temporary", "preset", "project")
"""A page that closes saves what it last knew, and another may know better: the share route alone
changes sharing, the panel and each question the settings."""


async def _nothing(*_: Any) -> None:
    """Default of the hooks."""


def _said_on_failure(
    method: Callable[Concatenate["DataLayer", P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate["DataLayer", P], Coroutine[Any, Any, R]]:
    """Lets no failed write go unsaid: Chainlit starts most of them as tasks that nobody awaits."""

    @wraps(method)
    async def wrapper(self: "DataLayer", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await method(self, *args, **kwargs)
        except KonsiliumError as error:
            log.error("%s: %s: %s", method.__name__, error.code, error.detail)
            if isinstance(error, StorageUnavailable):
                await _say(error)
            raise

    return wrapper


class DataLayer(BaseDataLayer):
    """What Chainlit reads and writes, as the user who asks may."""

    def __init__(
        self,
        people: People,
        threads: Threads,
        elements: Elements,
        *,
        newcomers: bool = False,
        on_delete: Callable[[str], Awaitable[None]] = _nothing,
        on_dislike: Callable[[str], Awaitable[None]] = _nothing,
    ) -> None:
        """`newcomers`: whoever signs in becomes a user (header, oauth); `on_delete(thread_id)` is called
        before a thread is deleted, to stop what runs in it; `on_dislike(turn_id)` after a turn
        got a thumb down, so that its answer is not served again."""
        self._people = people
        self._threads = threads
        self._elements = elements
        self._newcomers = newcomers
        self._on_delete = on_delete
        self._on_dislike = on_dislike

    # -- users ------------------------------------------------------------------------------------

    async def get_user(self, identifier: str) -> PersistedUser | None:
        user = await self._people.known(identifier)
        return persisted(user) if user is not None and user.enabled else None

    @_said_on_failure
    async def create_user(self, user: ChainlitUser) -> PersistedUser | None:
        known = await self._people.known(user.identifier)
        if known is None and self._newcomers:
            known = await self._people.provision(user.identifier, user.display_name)
        return persisted(known) if known is not None and known.enabled else None

    # -- feedback ---------------------------------------------------------------------------------

    @_said_on_failure
    async def upsert_feedback(self, feedback: Feedback) -> str:
        # one of that step keeps its id, and whoever else names it has no say of another's
        verdict = FeedbackRecord(new_id(), feedback.forId, feedback.value, feedback.comment)
        kept = await self._threads.judge(verdict, _asking())
        if verdict.value == DISLIKE:
            await self._on_dislike(
                verdict.step_id
            )  # Chainlit's thumbs are the run's, which is the turn
        return kept

    @_said_on_failure
    async def delete_feedback(self, feedback_id: str) -> bool:
        await self._threads.withdraw(feedback_id, _asking())
        return True

    # -- elements ---------------------------------------------------------------------------------

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        try:
            element = await self._elements.find(thread_id, element_id, asking_id())
        except NotFound:
            return None
        return element_dict(element) if may_be_drawn(element) else None

    # -- steps ------------------------------------------------------------------------------------

    @_said_on_failure
    async def set_step_favorite(self, step_dict: StepDict, favorite: bool) -> StepDict:
        step = await self._threads.mark_favorite(step_dict["id"], _asking(), favorite)
        return draw(step, reading_language()).step

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        language = reading_language()
        return [draw(s, language).step for s in await self._threads.favorites(user_id)]

    # -- threads ----------------------------------------------------------------------------------

    async def get_thread_author(self, thread_id: str) -> str:
        """Its owner's identifier; nothing for a stranger, who is told that there is no such thread."""
        try:
            thread = await self._threads.find(thread_id, asking_id())
        except NotFound:
            return ""
        return thread.owner if thread.user_id == asking_id() else ""

    @_said_on_failure
    async def delete_thread(self, thread_id: str) -> None:
        if (await self._threads.find(thread_id, _asking())).user_id != _asking():
            raise NotFound(f"thread {thread_id} is another's")
        await self._on_delete(thread_id)
        await self._threads.delete(thread_id, _asking())
        for page in every_browser():
            if page.connected and page.user_id == _asking():
                await page.emit("window_message", {"konsilium_undo": {"thread": thread_id}})
        for page in open_on(thread_id):
            await page.emit("window_message", {"konsilium_deleted": thread_id})

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        page = await self._threads.page(
            filters.userId or _asking(),
            limit=pagination.first,
            cursor=pagination.cursor,
            search=filters.search,
            feedback=filters.feedback,
            project=identity.get().project,
        )
        first = page.items[0].id if page.items else None
        everywhere = bool(filters.search) and identity.get().project is None
        return PaginatedResponse(
            data=[_found(thread, named=everywhere) for thread in page.items],
            pageInfo=PageInfo(page.next is not None, first, page.next),
        )

    async def get_thread(
        self, thread_id: str, first: str | None = None, near: Sequence[str] = ()
    ) -> ThreadDict | None:
        """Its active branch; only from the question `first` on, or only the questions and turns `near`."""
        try:
            if near:
                stored = await self._threads.near(thread_id, _asking(), near)
            else:
                stored = await self._threads.contents(thread_id, asking_id(), first=first)
        except NotFound:
            return None
        return self._whole(stored)

    @_said_on_failure
    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        asking = _asking()
        if name is not None and user_id is not None:
            # Chainlit names a thread after its first message, and says whose it is; a rename, which
            # a person wants, comes alone.
            await self._threads.suggest_title(thread_id, asking, name)
        elif name is not None:
            await self._threads.rename(thread_id, asking, name)
        if metadata is not None and socket_session() is None and "is_shared" in metadata:
            await self._threads.share(thread_id, asking, bool(metadata["is_shared"]))
        if metadata is not None or tags is not None:
            notes = {k: v for k, v in (metadata or {}).items() if k not in _NOT_THE_SESSIONS}
            await self._threads.annotate(thread_id, asking, notes | {"env": None}, tags)

    def _whole(self, stored: StoredThread) -> ThreadDict:
        language = reading_language()
        verdicts = {verdict.step_id: verdict for verdict in stored.feedback}
        known = {step.id for step in stored.steps}
        thread = _listed(stored.thread)
        thread["createdAt"] = stamp(stored.thread.created_at)
        own = stored.thread.user_id == asking_id()
        if not own:
            thread["metadata"] = _sharing(stored.thread)
        elements = {e.id: element_dict(e) for e in stored.elements if may_be_drawn(e)}
        for record in stored.steps:
            drawing = draw(record, language, own=own)
            step = drawing.step
            if step["parentId"] not in known:
                step["parentId"] = None
            if verdict := verdicts.get(record.id):
                step["feedback"] = _feedback_dict(verdict)
            thread["steps"].append(step)
            elements |= {element["id"]: element for element in drawing.elements}
        elements |= {card["id"]: card for card in arrows(stored, language)}
        thread["elements"] = list(elements.values())
        return thread

    # -- the rest ---------------------------------------------------------------------------------

    async def build_debug_url(self) -> str:
        return ""

    async def close(self) -> None:
        """The stores are closed with the application."""

    # -- what turns write themselves: through Chainlit nobody writes any of it -----------------------

    async def create_element(self, element: Element) -> None:
        raise _closed()

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        raise _closed()

    async def create_step(self, step_dict: StepDict) -> None:
        raise _closed()

    async def update_step(self, step_dict: StepDict) -> None:
        raise _closed()

    async def delete_step(self, step_id: str) -> None:
        raise _closed()


async def _say(error: KonsiliumError) -> None:
    """On the screen of whoever is connected."""
    if session := socket_session():
        advice = advice_for({"code": error.code}, reading_language())
        await Browser(session).toast(f"{advice['title']}. {advice['text']}")


def _closed() -> NotAllowed:
    return NotAllowed("steps and elements are stored by turns alone")


def _asking() -> str:
    user_id = asking_id()
    if user_id is None:
        raise NotAllowed("nobody is signed in")
    return user_id


def _sharing(thread: ThreadRecord) -> dict[str, Any]:
    if thread.shared_at is None:
        return {"is_shared": False}
    return {"is_shared": True, "shared_at": stamp(thread.shared_at)}


def _listed(thread: ThreadRecord) -> ThreadDict:
    """Chainlit's client sorts by `createdAt`: it is given the last activity."""
    return {
        "id": thread.id,
        "createdAt": stamp(thread.active_at),
        "name": thread.title,
        "userId": thread.user_id,
        "userIdentifier": thread.owner,
        "tags": list(thread.tags),
        "metadata": {
            **thread.metadata,
            **_sharing(thread),
            "temporary": thread.temporary,
            "project": [thread.project_id, thread.project] if thread.project_id else None,
        },
        "steps": [],
        "elements": [],
    }


def _found(thread: ThreadRecord, *, named: bool) -> ThreadDict:
    """The same in a list; `named` with its project, where all are searched. Words that only another branch
    has are said to be there, and the link, which Chainlit makes of the id, leads to them."""
    listed = _listed(thread)
    if thread.excerpt is not None:
        listed["metadata"] = {**(listed["metadata"] or {}), "excerpt": thread.excerpt}
    if thread.archived_at is not None:
        listed["name"] = f"{thread.title} ({IN_ARCHIVE[reading_language()]})"
    elif named and thread.project is not None:
        where = IN_PROJECT.format(project=thread.project)[reading_language()]
        listed["name"] = f"{thread.title} ({where})"
    if thread.found_id is not None:
        where = IN_BRANCH[reading_language()]
        listed |= {
            "id": f"{thread.id}?branch={thread.found_id}",
            "name": f"{listed['name']} ({where})",
        }
    return listed


def _feedback_dict(verdict: FeedbackRecord) -> FeedbackDict:
    return {
        "forId": verdict.step_id,
        "id": verdict.id,
        "value": cast(Any, verdict.value),
        "comment": verdict.comment,
    }
