"""An Ollama server: calls, embeddings, and the store of its models."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

from app.core.models import Capability, ServerState
from app.core.ports import PullProgress, RawModel
from app.core.providers import Preset
from app.core.requests import ModelRequest
from app.core.usage import Usage
from app.core.vectors import Vectors
from app.providers.deadline import LOCAL, Timeouts
from app.providers.ollama.chat import OllamaModel
from app.providers.ollama.client import OllamaClient
from app.providers.ollama.inventory import Inventory
from app.providers.ollama.pulling import pull
from app.providers.openai_compatible.server import OpenAICompatibleServer
from app.providers.shapes import tokens
from app.providers.tokenizing import question, tokens_in
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol

SPEECH = "/audio/transcriptions"


class OllamaServer:
    """Implements core.ports.ModelServer, ModelStore and TokenCounter."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeouts: Timeouts = LOCAL,
        num_ctx: int | None = None,
        keep_alive: str | int | None = None,
        assumed: bool = False,
    ) -> None:
        """`num_ctx` for every model here; None: what each has by itself, wider where a call needs it.
        `assumed`: nobody named it, it is only looked for."""
        self._name = name
        self._timeouts = timeouts
        self._keep_alive = keep_alive
        self._client = OllamaClient(name, url, timeouts)
        self._inventory = Inventory(self._client, num_ctx, timeouts.listing, assumed=assumed)
        preset = Preset(name, f"{url.rstrip('/')}/v1", local=True)
        self._openai = OpenAICompatibleServer(preset, timeouts=timeouts)

    @property
    def name(self) -> str:
        return self._name

    @property
    def local(self) -> bool:
        return True

    async def state(self) -> ServerState:
        """Its models and their load, now; where it is down, why."""
        return await self._inventory.state()

    def model(self, name: str) -> OllamaModel:
        """The model of that name."""
        return OllamaModel(
            self._client,
            name,
            self._timeouts,
            self._inventory,
            self._keep_alive,
        )

    def raw(self, name: str, path: str) -> RawModel | None:
        """Ollama's own protocol has more to it than its OpenAI form, in which alone it takes speech."""
        hears = self._inventory.profile(name).can(Capability.TRANSCRIPTION)
        return self._openai.raw(name) if path == SPEECH and hears else None

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[Vectors, Usage]:
        """One vector a text."""
        if not texts:
            return Vectors([]), Usage(input_tokens=0)
        said = await self._client.embed(model, list(texts), self._keep_alive, dimensions)
        try:
            vectors = Vectors([said.text(place) for place in said.answer["embeddings"]])
        except WRONG_SHAPE as error:
            raise not_the_protocol(self.name, model, repr(said.answer).encode()) from error
        return vectors, Usage(input_tokens=tokens(said.answer.get("prompt_eval_count")))

    async def count_tokens(self, model: str, text: str) -> int:
        """By `/api/tokenize`, which is proposed for Ollama and in some builds of it; raises the server's
        error where it is not there."""
        answer = await self._client.post("/api/tokenize", question(model, text), model)
        return tokens_in(await answer.body(), self.name, model)

    async def aclose(self) -> None:
        await self._client.aclose()
        await self._openai.aclose()

    async def pull(self, model: str) -> AsyncGenerator[PullProgress, None]:
        """Fetches the model, going on where an earlier pull was broken off; closing cancels it."""
        async with contextlib.aclosing(pull(self._client, model, self._timeouts)) as lines:
            async for line in lines:
                yield line

    async def remove(self, model: str) -> None:
        """Deletes the model from the server's disk. Raises ModelNotFound."""
        await self._client.delete(model)

    async def load(self, model: str) -> None:
        """Loads the model into memory, with the num_ctx it will be called with."""
        num_ctx, _ = self._inventory.window(model, ModelRequest(()))
        options = {} if num_ctx is None else {"num_ctx": num_ctx}
        await self._client.load(model, self._keep_alive, options)

    async def unload(self, model: str) -> None:
        """Frees the model's memory."""
        await self._client.load(model, 0, {})
