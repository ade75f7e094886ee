"""The gateway on a real socket, over fakes or simulators: what its tests share."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn

from app.access.budgets import Budgets
from app.access.keys import KeyRing, new_key
from app.access.limits import Headers, Limits
from app.core.errors import StorageUnavailable
from app.core.keys import ApiKey
from app.core.ports import GatewayCall, Models
from app.gateway.access import Authenticator, Caller
from app.gateway.app import Gateway
from app.gateway.key_usage import KeyUsageRecorder
from app.gateway.protocol import BoundedHttpProtocol
from app.gateway.services import GatewayServices
from app.storage.counters import Counters
from tests.waiting import until

LOCAL = Caller("local-user", "Me", admin=True)


async def me() -> Caller:
    """The one user of this machine."""
    return LOCAL


class MemoryKeys:
    """Implements `KeyStore` and `GatewayLog`."""

    def __init__(self) -> None:
        self.kept: dict[str, ApiKey] = {}
        self.calls: list[GatewayCall] = []
        self.used: dict[str, datetime] = {}
        self.failing = False
        self.queries = 0

    def _touch(self) -> None:
        self.queries += 1
        if self.failing:
            raise StorageUnavailable("no database")

    async def version(self) -> str:
        self._touch()
        return repr([(key.id, key.revoked_at) for key in self.kept.values()])

    async def keys(self) -> Sequence[ApiKey]:
        self._touch()
        return tuple(reversed(self.kept.values()))

    async def spent(self, since: datetime) -> Mapping[str, Decimal]:
        self._touch()
        spent: dict[str, Decimal] = {}
        for each in self.calls:
            if each.key_id and each.call.cost and each.call.started_at >= since:
                spent[each.key_id] = spent.get(each.key_id, Decimal(0)) + each.call.cost.rub
        return spent

    async def add(self, key: ApiKey) -> None:
        self._touch()
        self.kept[key.id] = key

    async def record(self, calls: Sequence[GatewayCall], used: Mapping[str, datetime]) -> None:
        self._touch()
        self.calls += calls
        self.used |= used

    async def revoke(self, key_id: str, at: datetime) -> None:
        self._touch()
        self.kept[key_id] = replace(self.kept[key_id], revoked_at=at)


def make_services(models: Models, keys: MemoryKeys | None = None, **fields: Any) -> GatewayServices:
    """A services over fakes; keyless callers from this machine are let in unless `door` says otherwise."""
    store = keys or MemoryKeys()
    ring = KeyRing(store)
    counters = Counters(Path(":memory:"), clock=lambda: 0.0)  # no minute ends during a test
    defaults: dict[str, Any] = {
        "models": models,
        "authenticator": Authenticator(ring, local=me),
        "keys": ring,
        "limits": Limits(counters),
        "budgets": Budgets(ring, counters),
        "recorder": KeyUsageRecorder(store),
    }
    return GatewayServices(**(defaults | fields))


async def admitted(limits: Limits, key: ApiKey, tokens: int) -> dict[bytes, bytes]:
    """Lets in a request of so many prompt tokens, whose answer takes none; returns its headers."""
    headers: Headers = []
    await limits.admit(key, tokens, 0, headers)
    return dict(headers)


async def make_key(services: GatewayServices, **limits: Any) -> tuple[ApiKey, str]:
    """A kept key and its secret."""
    key, secret = new_key("test", "someone", **limits)
    await services.keys.add(key)
    return key, secret


@contextlib.asynccontextmanager
async def served(
    app: Any, *, http: type[asyncio.Protocol] = BoundedHttpProtocol, **options: Any
) -> AsyncGenerator[str, None]:
    """Runs an ASGI application under uvicorn in this loop; yields its URL."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        http=http,
        **options,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # the test runner's stay
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving
        sock.close()


@contextlib.asynccontextmanager
async def gateway(services: GatewayServices, **options: Any) -> AsyncGenerator[str, None]:
    """A served gateway; yields its URL without /v1."""
    app = Gateway(services)
    async with served(app, **options) as url:
        yield url
    await app.drain(1.0)
