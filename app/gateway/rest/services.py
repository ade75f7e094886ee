"""What the REST routes work with."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.access.limits import Headers
from app.access.spending import Spending
from app.conversation.mode import Mode
from app.conversation.turn import RunningTurn, Turns
from app.core.concurrency import BackgroundTasks
from app.core.errors import NotAllowed, NotFound
from app.core.ports import KeyValueStore, UserStore
from app.gateway.access import Caller
from app.gateway.services import GatewayServices
from app.storage.history import Conversations
from app.storage.presets import Presets
from app.storage.threads import Threads

CALLER = "konsilium.caller"
"""The key of a request's scope under which the middleware leaves who asks."""
LIMITS = "konsilium.limits"
"""That of the headers which tell how a key's limits stand."""


@dataclass(frozen=True)
class RestServices:
    """The collaborators of /api."""

    gateway: GatewayServices
    turns: Turns
    threads: Threads
    presets: Presets
    conversations: Conversations
    users: UserStore
    documents: KeyValueStore
    modes: tuple[Mode, ...]
    following: BackgroundTasks = field(default_factory=BackgroundTasks)

    async def follow(self, turn: RunningTurn, spending: Spending | None) -> None:
        """When the turn is over, it is known what it took of the key's limits."""
        try:
            await turn.wait()
        finally:
            if spending is not None:
                spending.close()

    async def stop(self, caller: Caller, turn_id: str) -> None:
        """Stops a running turn, wherever it runs. Raises NotFound where none of the caller's does."""
        if not await self.turns.stop(turn_id, caller.user_id):
            raise NotFound("There is no such task, or it is over.")


def services_of(request: Request) -> RestServices:
    """The collaborators, as the application was given them."""
    services = request.app.state.services
    if not isinstance(services, RestServices):
        raise TypeError("the application has no services")
    return services


def limits_of(request: Request) -> Headers:
    """The headers that tell how a key's limits stand: what is put here goes with the answer, a refusal too."""
    limits: Headers = request.scope[LIMITS]
    return limits


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
TheLimits = Annotated[Headers, Depends(limits_of)]
