"""What the REST routes work with."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.access.spending import Spending
from app.conversation.mode import Mode
from app.conversation.turn import RunningTurn, Turns
from app.core.concurrency import BackgroundTasks
from app.core.errors import NotAllowed, NotFound
from app.core.ports import KeyValueStore, UserStore
from app.core.turns import now
from app.gateway.access import Caller
from app.gateway.services import GatewayServices
from app.storage.history import Conversations
from app.storage.threads import Threads

CALLER = "konsilium.caller"
"""The key of a request's scope under which the middleware leaves who asks."""
STOPS = "stops"
"""The scope of documents by which a turn is stopped in another process: turn id -> who asked."""
LOOK_SECONDS = 0.25
ACKNOWLEDGE_SECONDS = 1.5


@dataclass(frozen=True)
class RestServices:
    """The collaborators of /api."""

    gateway: GatewayServices
    turns: Turns
    threads: Threads
    conversations: Conversations
    users: UserStore
    documents: KeyValueStore
    modes: tuple[Mode, ...]
    running: dict[str, RunningTurn] = field(default_factory=dict)
    """Turns asked for by /api in this process, by id."""
    following: BackgroundTasks = field(default_factory=BackgroundTasks)

    async def follow(self, turn: RunningTurn, spending: Spending | None) -> None:
        """Keeps the turn where it can be found, and stops it when another process is asked to; then it
        is known what it took of the key's limits."""
        turn_id = turn.request.turn_id
        self.running[turn_id] = turn
        ended = asyncio.create_task(turn.wait())
        try:
            while not (await asyncio.wait([ended], timeout=LOOK_SECONDS))[0]:
                asked = await self.documents.get(STOPS, turn_id)
                if asked is not None and asked.get("user") == turn.request.user_id:
                    turn.stop()
                    await self.documents.delete(STOPS, turn_id)
        finally:
            if spending is not None:
                spending.close()
            ended.cancel()
            self.running.pop(turn_id, None)

    async def stop(self, caller: Caller, turn_id: str) -> None:
        """Stops a running turn, wherever it runs. Raises NotFound where none of the caller's does."""
        turn = self.running.get(turn_id)
        if turn is not None:
            if turn.request.user_id != caller.user_id:
                raise NotFound("There is no such task.")
            turn.stop()
            await turn.wait()
            return
        await self.documents.put(STOPS, turn_id, {"user": caller.user_id, "at": now().isoformat()})
        until = asyncio.get_running_loop().time() + ACKNOWLEDGE_SECONDS
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_SECONDS / 2)
            if await self.documents.get(STOPS, turn_id) is None:
                return
        await self.documents.delete(STOPS, turn_id)
        raise NotFound("There is no such task, or it is over.")


def services_of(request: Request) -> RestServices:
    """The collaborators, as the application was given them."""
    services = request.app.state.services
    if not isinstance(services, RestServices):
        raise TypeError("the application has no services")
    return services


async def caller_of(request: Request) -> Caller:
    """Who asks: a key, the browser's cookie, or the one user of this machine. The middleware knows."""
    caller = request.scope[CALLER]
    if not isinstance(caller, Caller):
        raise TypeError("the middleware let nobody in")
    return caller


async def administrator(request: Request) -> Caller:
    """The same, and they may manage keys."""
    caller = await caller_of(request)
    if not caller.admin:
        raise NotAllowed("This is for administrators.")
    return caller


TheServices = Annotated[RestServices, Depends(services_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
