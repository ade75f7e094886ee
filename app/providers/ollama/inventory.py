"""What is known of an Ollama server's models: listed, described, loaded, and with which num_ctx."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import KonsiliumError, RequestRefused, ServerUnavailable
from app.core.models import Capability, LoadState, ModelProfile, ServerState
from app.core.turns import now
from app.providers.ollama import listing
from app.providers.ollama.client import OllamaClient, ShowResponse
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol

DEFAULT_NUM_CTX = 8192
"""Tokens of context asked for where neither a loaded copy nor the Modelfile says otherwise. Ollama's
own default on most machines is 4096, and it drops the oldest messages without a word."""

MAX_CONCURRENT_SHOWS = 8


class Inventory:
    """Keeps `/api/show` by digest, and pins one num_ctx per model: another would reload it."""

    def __init__(self, client: OllamaClient, num_ctx: int | None, listing_seconds: float) -> None:
        self._client = client
        self._default_num_ctx = num_ctx
        self._listing_seconds = listing_seconds
        self._shown: dict[tuple[str, str], ShowResponse] = {}
        self._known: dict[str, ModelProfile] = {}
        self._wanted: dict[str, int] = {}
        self._pins: dict[str, int | None] = {}

    async def state(self) -> ServerState:
        """The server now; where it is down, why."""
        start = time.perf_counter()
        client = self._client
        try:
            async with asyncio.timeout(self._listing_seconds):
                tags, running, version = await asyncio.gather(
                    client.get("/api/tags"),
                    self._optional("/api/ps"),
                    self._optional("/api/version"),
                )
        except TimeoutError:
            late = f"no answer within {self._listing_seconds:g} s"
            return self._state(error=ServerUnavailable(late, server=client.server))
        except KonsiliumError as error:
            return self._state(error=error)
        latency = time.perf_counter() - start
        models: list[dict[str, Any]] = tags.get("models") or []
        with contextlib.suppress(TimeoutError, *WRONG_SHAPE):
            async with asyncio.timeout(max(0.1, self._listing_seconds - latency)):
                await self._show_new(models)
        try:
            profiles = self._profiles(models, running)
        except WRONG_SHAPE as error:
            return self._state(error=not_the_protocol(client.server, None, repr(error).encode()))
        self._known = {profile.ref.name: profile for profile in profiles}
        return self._state(profiles, version=version.get("version"), latency_s=latency)

    def num_ctx(self, model: str) -> int | None:
        """The context to ask for, the same for the life of the process; None for a remote model."""
        if model not in self._pins:
            known = self._known.get(model) or self._known.get(f"{model}:latest")
            self._pins[model] = self._chosen(known, model)
        return self._pins[model]

    def _chosen(self, known: ModelProfile | None, model: str) -> int | None:
        if known is not None and not known.local:
            return None
        loaded = known.load.context_length if known is not None and known.load is not None else None
        if loaded and not self._default_num_ctx:
            return loaded
        name = known.ref.name if known is not None else model
        return self._wanted.get(name, self._default_num_ctx or DEFAULT_NUM_CTX)

    async def _optional(self, path: str) -> dict[str, Any]:
        """What older servers do not have is not an error."""
        try:
            return await self._client.get(path)
        except RequestRefused:
            return {}

    async def _show_new(self, tags: Sequence[Mapping[str, Any]]) -> None:
        """Asks /api/show for models not seen yet; what fails is asked again next time."""
        gate = asyncio.Semaphore(MAX_CONCURRENT_SHOWS)

        async def show(tag: Mapping[str, Any]) -> None:
            async with gate:
                with contextlib.suppress(KonsiliumError):
                    self._shown[_key(tag)] = await self._client.show(tag["name"])

        await asyncio.gather(*(show(tag) for tag in tags if _key(tag) not in self._shown))

    def _profiles(
        self, tags: Sequence[Mapping[str, Any]], running: Mapping[str, Any]
    ) -> tuple[ModelProfile, ...]:
        loads = {entry["name"]: listing.load_state(entry) for entry in running.get("models") or []}
        return tuple(self._profile(tag, loads.get(tag["name"])) for tag in tags)

    def _profile(self, tag: Mapping[str, Any], load: LoadState | None) -> ModelProfile:
        shown = self._shown.get(_key(tag))
        profile = listing.profile(self._client.server, tag, shown, load)
        longest = listing.longest_context(shown)
        name = profile.ref.name
        if not profile.local or not profile.can(Capability.COMPLETION):
            return replace(profile, window=longest)
        wanted = self._default_num_ctx or listing.own_num_ctx(shown) or DEFAULT_NUM_CTX
        self._wanted[name] = min(wanted, longest) if longest else wanted
        if profile.window:
            return profile
        return replace(profile, window=self._pins.get(name) or self._wanted[name])

    def _state(self, models: tuple[ModelProfile, ...] = (), **facts: Any) -> ServerState:
        client = self._client
        return ServerState(
            client.server,
            "ollama",
            client.url,
            True,
            models,
            checked_at=now(),
            provider="ollama",
            **facts,
        )


def _key(tag: Mapping[str, Any]) -> tuple[str, str]:
    return tag["name"], tag.get("digest") or ""
