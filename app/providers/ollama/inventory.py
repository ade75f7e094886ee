"""What is known of an Ollama server's models: listed, described, loaded, and with which window."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.completion.suggestions import memory_bytes
from app.completion.tokens import answer_reserve, window_for
from app.core.errors import ContextTooLong, KonsiliumError, RequestRefused, ServerUnavailable
from app.core.models import (
    Capability,
    LoadState,
    ModelProfile,
    ModelRef,
    Recommendation,
    ServerState,
)
from app.core.requests import ModelRequest
from app.core.turns import now
from app.providers.ollama import listing
from app.providers.ollama.client import OllamaClient, ShowResponse
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol

log = logging.getLogger(__name__)

SMALLEST_WINDOW = 4096
"""Tokens that a model has by itself on any machine; what it has on this one shows once it is loaded."""
USUAL_WINDOWS = (2048, 4096, 32_768, 262_144)
"""What Ollama gives by itself: by its version, and by the machine's VRAM (docs/context-length.mdx)."""
REFUSING_VERSION = (0, 12, 6)
"""The first that heeds `truncate`, as was tried."""
EFFORTS = ("low", "medium", "high")
MAX_EFFORT_VERSION = (0, 20, 0)
"""The first that may be told to think as much as it can, as was tried."""
UNJUDGED_WIDEST = 32_768
"""Up to which a window is made wider where the memory that this takes cannot be reckoned."""
SHARE_OF_MEMORY = 0.75
"""Of this machine's memory, for a model and its window."""
MAX_CONCURRENT_SHOWS = 8
RECOMMENDATIONS = "/api/experimental/model-recommendations"
RECOMMENDED_SECONDS = 3600.0
"""Between two looks at them; Ollama itself looks every four hours."""


class Inventory:
    """Keeps `/api/show` by digest, and decides on the window of each call: another one than the loaded
    copy has makes Ollama load the model again, and so does an unsaid one after one that was said."""

    def __init__(
        self,
        client: OllamaClient,
        num_ctx: int | None,
        listing_seconds: float,
        memory: Callable[[], int | None] = memory_bytes,
        *,
        assumed: bool = False,
    ) -> None:
        """`num_ctx` for every model; `memory` in bytes, of this machine; `assumed`: nobody named it."""
        self._assumed = assumed
        self._client = client
        self._configured = num_ctx
        self._listing_seconds = listing_seconds
        self._memory = memory
        self._shown: dict[tuple[str, str], ShowResponse] = {}
        self._known: dict[str, ModelProfile] = {}
        self._described: set[str] = set()
        """Models of which the server says what they can do."""
        self._own: dict[str, int] = {}
        """What a model has by itself: its Modelfile's num_ctx, or what was seen."""
        self._told: dict[str, int] = {}
        """The window that a model was last told to have."""
        self._efforts: tuple[str, ...] = EFFORTS
        self.cuts_silently = False
        """The server is too old to refuse a prompt that does not fit."""
        self._too_wide: dict[str, int] = {}
        """Windows that the server had no memory for."""
        self._recommended: tuple[Recommendation, ...] = ()
        self._recommended_at = -RECOMMENDED_SECONDS

    async def state(self) -> ServerState:
        """The server now; where it is down, why."""
        start = time.perf_counter()
        client = self._client
        try:
            async with asyncio.timeout(self._listing_seconds):
                tags, loaded, about = await asyncio.gather(
                    client.get("/api/tags"),
                    self._answer_of("/api/ps"),
                    self._answer_of("/api/version"),
                )
        except TimeoutError:
            late = f"no answer within {self._listing_seconds:g} s"
            return self._state(error=ServerUnavailable(late, server=client.server))
        except KonsiliumError as error:
            return self._state(error=error)
        latency = time.perf_counter() - start
        running, version = _or_nothing("/api/ps", loaded), _or_nothing("/api/version", about)
        self._assumed = False
        models = listing.entries(tags)
        with contextlib.suppress(TimeoutError, *WRONG_SHAPE):
            async with asyncio.timeout(max(0.1, self._listing_seconds - latency)):
                await asyncio.gather(self._show_new(models), self._look_at_recommendations())
        number = listing.version_number(version.get("version"))
        self._efforts = (*EFFORTS, "max") if number >= MAX_EFFORT_VERSION else EFFORTS
        try:
            profiles = self._profiles(models, running)
        except WRONG_SHAPE as error:
            return self._state(error=not_the_protocol(client.server, None, repr(error).encode()))
        self._known = {profile.ref.name: profile for profile in profiles}
        self.cuts_silently = number < REFUSING_VERSION
        return self._state(
            profiles,
            version=version.get("version"),
            latency_s=latency,
            recommended=self._recommended,
        )

    # -- the window of a call ---------------------------------------------------------------------

    def refused(self, model: str, request: ModelRequest) -> str | None:
        """What the request asks of the model that its server says it cannot do; None where it can, or
        nobody knows. Some versions would drop a picture, and say nothing."""
        known = self.profile(model)
        if known.ref.name not in self._described:
            return None
        if not known.can(Capability.VISION) and any(m.images for m in request.messages):
            return "images"
        if not known.can(Capability.TOOLS) and request.tools and request.tool_choice != "none":
            return "tools"
        return None

    def fitted(self, model: str, request: ModelRequest) -> ModelRequest:
        """The request without those parameters that its server says the model does not take."""
        known = self.profile(model)
        if known.ref.name not in self._described:
            return request
        if request.tools and not known.can(Capability.TOOLS):
            request = replace(request, tools=(), tool_choice=None)
        if request.think and not known.can(Capability.THINKING):
            request = replace(request, think=None)
        return request

    def profile(self, model: str) -> ModelProfile:
        """The model as last seen; what may be taken for granted where it was not."""
        known = self._known.get(model) or self._known.get(f"{model}:latest")
        if known is not None:
            return known
        ref = ModelRef(self._client.server, model)
        if listing.is_cloud(model):
            return ModelProfile(ref)
        widest = None if self._configured else UNJUDGED_WIDEST
        return ModelProfile(
            ref, window=self._configured or SMALLEST_WINDOW, widest=widest, local=True
        )

    def window(self, model: str, request: ModelRequest) -> tuple[int | None, int | None]:
        """The num_ctx to send, None for none, and the window that the call is to have by it.

        It is sent where the settings or the person say so, where the call needs a wider one, and
        where the loaded copy was given one that the model would not have by itself.
        """
        known = self.profile(model)
        window = window_for(known, request.needs or 0, request.window)
        if not known.local:
            return None, window
        said = self._configured or request.window or window != known.window
        return (window if said or not self._by_itself(known) else None), window

    def wider(
        self, model: str, request: ModelRequest, sent: int | None, error: ContextTooLong
    ) -> int | None:
        """The num_ctx to try again with after that refusal; None where there is no more."""
        known = self.profile(model)
        if not known.local or self._configured or request.window:
            return None
        window = sent or window_for(known, request.needs or 0) or SMALLEST_WINDOW
        needs = 0
        if error.prompt_tokens:
            needs = error.prompt_tokens + answer_reserve(request.sampling.max_tokens, window)
        if sent is None:
            if error.window:
                self._own[known.ref.name] = error.window
            if (error.window or 0) < window and needs <= window:
                return window
        window = max(window, error.window or 0)
        wider = window_for(replace(known, window=window), max(needs, window + 1)) or 0
        return wider if wider > window else None

    def no_memory_for(self, model: str, request: ModelRequest, window: int | None) -> bool:
        """The server could not load the model with that window; says whether it was of our making."""
        if window is None or self._configured or request.window:
            return False
        name = self.profile(model).ref.name
        self._too_wide[name] = window
        if name in self._known:
            self._known[name] = self._with_window(self._known[name], self._shown_of(name))
        return True

    async def loaded(self, model: str, sent: int | None, window: int | None) -> int | None:
        """The window that a call had which is over; asks where it was the first since its model was
        loaded, and so shows what the model has by itself."""
        known = self._known.get(model) or self._known.get(f"{model}:latest")
        if known is None or not known.local:
            return window
        if sent is None and known.load is None:
            window = await self._seen(known) or window
        if sent is not None:
            self._told[known.ref.name] = sent
        if sent is not None and (known.load is None or known.load.context_length != sent):
            load = replace(known.load or LoadState(0, 0, None, None), context_length=sent)
            self._known[known.ref.name] = replace(known, load=load, window=sent)
        return window

    async def _seen(self, known: ModelProfile) -> int | None:
        try:
            async with asyncio.timeout(1.0):
                running = await self._client.get("/api/ps")
            load = self._loads(running).get(known.digest or known.ref.name)
        except (KonsiliumError, TimeoutError, *WRONG_SHAPE):
            return None
        if load is None or load.context_length is None:
            return None
        self._own[known.ref.name] = load.context_length
        self._known[known.ref.name] = replace(known, load=load, window=load.context_length)
        return load.context_length

    def _by_itself(self, known: ModelProfile) -> bool:
        """Whether the model has its window without being told, as far as one can see."""
        if known.load is None or known.load.context_length is None:
            return True
        name, window = known.ref.name, known.load.context_length
        if name in self._own:
            return window == self._own[name]
        if window == self._told.get(name):
            return False
        return window in USUAL_WINDOWS or window == known.longest

    # -- the list ---------------------------------------------------------------------------------

    async def _answer_of(self, path: str) -> dict[str, Any] | KonsiliumError:
        try:
            return await self._client.get(path)
        except KonsiliumError as error:
            return error

    async def _show_new(self, tags: Sequence[Mapping[str, Any]]) -> None:
        """Asks /api/show for models not seen yet; what fails is asked again next time."""
        gate = asyncio.Semaphore(MAX_CONCURRENT_SHOWS)

        async def show(tag: Mapping[str, Any]) -> None:
            async with gate:
                with contextlib.suppress(KonsiliumError):
                    self._shown[_key(tag)] = await self._client.show(tag["name"])

        await asyncio.gather(*(show(tag) for tag in tags if _key(tag) not in self._shown))

    async def _look_at_recommendations(self) -> None:
        """Once an hour, whatever comes of it: not all versions have them."""
        if time.monotonic() < self._recommended_at + RECOMMENDED_SECONDS:
            return
        self._recommended_at = time.monotonic()
        self._recommended = listing.recommendations(
            _or_nothing(RECOMMENDATIONS, await self._answer_of(RECOMMENDATIONS))
        )

    def _profiles(
        self, tags: Sequence[Mapping[str, Any]], running: Mapping[str, Any]
    ) -> tuple[ModelProfile, ...]:
        loads = self._loads(running)
        return tuple(
            self._profile(tag, loads.get(tag.get("digest") or tag["name"])) for tag in tags
        )

    def _loads(self, running: Mapping[str, Any]) -> dict[str, LoadState]:
        """By digest: two names of one model share what is loaded, and only one of them is named."""
        return {
            entry["digest"] or entry["name"]: listing.load_state(entry)
            for entry in listing.entries(running)
        }

    def _profile(self, tag: Mapping[str, Any], load: LoadState | None) -> ModelProfile:
        shown = self._shown.get(_key(tag))
        if tag.get("capabilities") or (shown and shown.capabilities):
            self._described.add(tag["name"])
        profile = listing.profile(self._client.server, tag, shown, load)
        return self._with_window(replace(profile, efforts=self._efforts), shown)

    def _with_window(self, profile: ModelProfile, shown: ShowResponse | None) -> ModelProfile:
        longest, name = profile.longest, profile.ref.name
        if not profile.local or not profile.can(Capability.COMPLETION):
            return replace(profile, window=longest)
        if own := listing.own_num_ctx(shown):
            self._own[name] = own
        if self._configured:
            window = min(self._configured, longest or self._configured)
            return replace(profile, window=window)
        window = self._own.get(name) or SMALLEST_WINDOW
        window = min(window, longest) if longest else window
        window = (profile.load.context_length if profile.load else None) or window
        return replace(profile, window=window, widest=self._widest(profile, shown, window))

    def _widest(self, profile: ModelProfile, shown: ShowResponse | None, window: int) -> int:
        """Up to which the machine can give the model a window, and the model was made for."""
        each, weights = listing.bytes_a_token(shown), profile.size_bytes or 0
        room = UNJUDGED_WIDEST
        if each:
            memory = self._memory() if self._client.on_this_machine else None
            spare = memory * SHARE_OF_MEMORY - weights if memory else weights
            room = int(spare / each) // 1024 * 1024
        bounds = (room, profile.longest, self._too_wide.get(profile.ref.name, 2 * room) // 2)
        return max(window, min(bound for bound in bounds if bound is not None))

    def _shown_of(self, name: str) -> ShowResponse | None:
        return next((shown for (each, _), shown in self._shown.items() if each == name), None)

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
            assumed=self._assumed,
            **facts,
        )


def _or_nothing(path: str, answer: dict[str, Any] | KonsiliumError) -> dict[str, Any]:
    """The answer of a server that is there. What older ones do not have is not an error; what cannot be read
    hides no model, and is put down in the log."""
    if not isinstance(answer, KonsiliumError):
        return answer
    if not isinstance(answer, RequestRefused):
        log.warning("%s: %s: %s", path, answer.code, answer.detail)
    return {}


def _key(tag: Mapping[str, Any]) -> tuple[str, str]:
    return tag["name"], tag.get("digest") or ""
