"""An OpenAI-compatible server: its models, calls, embeddings."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from app.core.concurrency import unhurried
from app.core.errors import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    EmptyAnswer,
    FirstTokenTimeout,
    IncompleteAnswer,
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    RateLimited,
    ServerBusy,
    ServerFault,
    ServerMoved,
    ServerUnavailable,
    Unsupported,
    WrongKey,
)
from app.core.messages import Message
from app.core.models import Capability, ModelProfile, ServerState
from app.core.ports import ChatModel
from app.core.providers import Preset
from app.core.requests import ModelRequest, RawRequest, Sampling
from app.core.turns import now
from app.core.usage import Usage
from app.core.vectors import Vectors, lifted
from app.providers.deadline import CLOUD, LOCAL, Timeouts
from app.providers.openai_compatible import listing
from app.providers.openai_compatible.chat import OpenAICompatibleModel
from app.providers.openai_compatible.client import OpenAIClient
from app.providers.openai_compatible.refused import RefusedParameters
from app.providers.tokenizing import question, tokens_in
from app.providers.transport import Transport
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol


class OpenAICompatibleServer:
    """Implements core.ports.ModelServer and TokenCounter."""

    def __init__(
        self,
        preset: Preset,
        key: str = "",
        *,
        timeouts: Timeouts | None = None,
        refused: RefusedParameters | None = None,
    ) -> None:
        self._preset = preset
        self._timeouts = timeouts or (LOCAL if preset.local else CLOUD)
        pool = Transport(self._timeouts, local=preset.local, ca_file=preset.ca_file)
        self._client = OpenAIClient(preset, key, pool)
        self._anonymous = OpenAIClient(preset, "", pool) if key else None
        self._thinking: dict[str, bool] = {}
        self._refused = refused or RefusedParameters()

    @property
    def name(self) -> str:
        return self._preset.name

    @property
    def local(self) -> bool:
        return self._preset.local

    def model(self, name: str) -> OpenAICompatibleModel:
        """The model of that name."""
        return OpenAICompatibleModel(
            self._client, name, self._timeouts, self._thinking, self._refused
        )

    def raw(self, name: str, path: str = "") -> OpenAICompatibleModel:
        """The same, in its own protocol."""
        return self.model(name)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def state(self) -> ServerState:
        """Its models, now; where it is down, why."""
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeouts.listing):
                listed, window = await asyncio.gather(self._listed(), self._window())
        except TimeoutError:
            late = f"no answer within {self._timeouts.listing:g} s"
            return self._state(error=ServerUnavailable(late, server=self.name))
        except KonsiliumError as error:
            return self._state(error=error)
        latency = time.perf_counter() - start
        try:
            profiles = listing.profiles(self._preset, listed, window)
            known = {profile.ref.name for profile in profiles}
            more = [name for name in self._preset.models if name not in known]
            profiles += listing.profiles(self._preset, more, window)
        except WRONG_SHAPE:
            return self._state(error=not_the_protocol(self.name, None, repr(listed).encode()))
        unique = {profile.ref: self._with_refused(profile) for profile in profiles}
        return self._state(models=tuple(unique.values()), latency_s=latency)

    async def _listed(self) -> Any:
        """What `/models` says; nothing where there is none, but the settings name models."""
        try:
            listed = await self._client.get("/models")
            return await self._with_pages(listed)
        except (BadRequest, MalformedAnswer, ModelNotFound, ServerFault, ServerMoved, Unsupported):
            if not self._preset.models:
                raise
            return []

    async def _with_pages(self, listed: Any) -> Any:
        """The same with the further pages of it."""
        after = listing.next_page(listed)
        for _ in range(MAX_PAGES):
            if after is None or not isinstance(listed.get("data"), list):
                break
            page = await self._client.get(f"/models?after_id={quote(after)}")
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list) or listing.next_page(page) == after:
                break
            listed["data"] += rows
            after = listing.next_page(page)
        return listed

    def _with_refused(self, profile: ModelProfile) -> ModelProfile:
        refused = self._refused.of(str(profile.ref))
        return replace(profile, refused=tuple(refused)) if refused else profile

    async def check_key(self, models: Sequence[ModelProfile]) -> None:
        """By the path that tells about it, by a list that strangers do not get, or by a question of one
        word. Raises WrongKey, or why it could not be found out."""
        try:
            async with asyncio.timeout(self._timeouts.key_check):
                if self._preset.key_path is not None:
                    await self._client.get(self._preset.key_path)
                elif self._anonymous is None or not await refuses(self._anonymous):
                    await ask_little([self.model(name) for name in able(models)])
        except TimeoutError as error:
            if not self.local:
                late = f"no answer to a question of one word within {self._timeouts.key_check:g} s"
                raise FirstTokenTimeout(late, server=self.name) from error

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[Vectors, Usage]:
        """One vector a text, in as many requests as the server needs."""
        vectors: list[bytes] = []
        tokens = 0
        step = self._preset.embeddings_at_once
        for start in range(0, len(texts), step):
            batch = texts[start : start + step]
            body: dict[str, Any] = {
                "input": batch[0] if len(batch) == 1 else list(batch),
                "encoding_format": "float",
            }
            if dimensions is not None:
                body["dimensions"] = dimensions
            answer = await self.model(model).raw_answer(RawRequest("/embeddings", body))
            try:
                said = await lifted(unhurried(answer.pieces))
                rows = sorted(said.answer["data"], key=lambda row: row.get("index", 0))
                vectors += [said.text(row["embedding"]) for row in rows]
            except WRONG_SHAPE as error:
                raise not_the_protocol(self.name, model, answer.pieces[0]) from error
            tokens += answer.finished.usage.input_tokens or 0
            if len(rows) != len(batch):
                raise not_the_protocol(self.name, model, b"another number of vectors than texts")
        return Vectors(vectors), Usage(input_tokens=tokens or None)

    async def count_tokens(self, model: str, text: str) -> int:
        """By the path that its row names, else by `/tokenize` beside its `/v1`. Raises Unsupported for
        other clouds, which have none."""
        path = self._preset.tokens_path or (self._client.beside("/tokenize") if self.local else "")
        if not path:
            raise Unsupported("counts no tokens", server=self.name, model=model)
        body = json.dumps(question(model, text)).encode()
        answer = await self._client.post(path, body, model=model)
        return tokens_in(await answer.body(), self.name, model)

    async def _window(self) -> int | None:
        """The window llama.cpp's server really has."""
        settings = await self._client.llama_settings(self._timeouts.listing / 2)
        window = settings.get("n_ctx") if settings is not None else None
        return window if isinstance(window, int) and window > 0 else None

    def _state(self, **facts: Any) -> ServerState:
        return ServerState(
            self.name,
            "openai",
            self._preset.base_url,
            self.local,
            provider=self._preset.provider,
            at_once=self._preset.at_once,
            lists_all=self._preset.lists_all,
            checked_at=now(),
            **facts,
        )


MODELS_TRIED = 3
MAX_PAGES = 20
"""Of a list of models; Anthropic's have 20 models each."""
_QUESTION = ModelRequest((Message.user("Hi"),), Sampling(max_tokens=16))

_LET_IN = (EmptyAnswer, IncompleteAnswer, ContentFiltered, ContextTooLong)
"""What is said only to those whom the server has let in."""
_OF_THIS_MODEL = (BadRequest, ModelNotFound, RateLimited, ServerBusy, ServerFault, Unsupported)
"""What another model may not answer: a list also holds models that cannot chat, or not now."""


async def refuses(anonymous: OpenAIClient) -> bool:
    """Whether the list of models is refused to one without a key: then a list checks the key."""
    try:
        await anonymous.get("/models")
    except WrongKey:
        return True
    except KonsiliumError:
        return False
    return False


async def ask_little(chat: Sequence[ChatModel]) -> None:
    """A question of one word to the first models of these, until one lets it in; the last refusal is
    raised where none does."""
    refused: KonsiliumError | None = None
    for model in chat[:MODELS_TRIED]:
        try:
            async with contextlib.aclosing(model.stream(_QUESTION)) as events:
                async for _ in events:
                    return
        except _LET_IN:
            return
        except _OF_THIS_MODEL as error:
            refused = error
    if refused is not None:
        raise refused


def able(models: Sequence[ModelProfile]) -> list[str]:
    """The names of those that may chat."""
    return [model.ref.name for model in models if model.can(Capability.COMPLETION)]
