"""What both simulators share: their models, their records, faults, the pace of an answer."""

import asyncio
import itertools
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from tests.simulators.http import Exchange, Gone, HttpServer, chunk
from tests.simulators.script import THOUGHTS, Script, script_of, split_words, tokens_of

DEFAULT_MODELS = ("echo", "len-200+paced-20ms", "thinking+paced-20ms", "json", "tools")
BATCH = 256
HTML = (
    b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"
)
KEPT_RECORDS = 10_000


@dataclass
class Generation:
    """One answer: `ended` is done, gone (the client left) or fault."""

    model: str
    started: float
    tokens: int = 0
    ended: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    query: str = ""


@dataclass
class SimModel:
    """One model of a simulated server; the script is in its name."""

    name: str
    size: int = 1_629_518_495
    family: str = "gemma2"
    parameter_size: str = "2.6B"
    quantization: str = "Q4_0"
    context_length: int = 8192
    num_ctx: int | None = None
    capabilities: tuple[str, ...] = ("completion",)
    digest: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        script = script_of(self.name)
        able = set(self.capabilities)
        if script.thinking:
            able.add("thinking")
        if script.tools:
            able.add("tools")
        if script.vision:
            able.add("vision")
        if "embed" in self.name:
            able = {"embedding"}
        if "vision" in self.name or "llava" in self.name:
            able.add("vision")
        self.capabilities = tuple(sorted(able))
        self.digest = self.digest or sha256(self.name.encode()).hexdigest()


class Simulator(HttpServer):
    """A model server whose models do what their names say."""

    def __init__(self, models: Iterable[str | SimModel] = DEFAULT_MODELS, *, port: int = 0) -> None:
        super().__init__(port)
        self.models: dict[str, SimModel] = {}
        self.set_models(models)
        self.requests: list[Received] = []
        self.generations: list[Generation] = []
        self.open_generations = 0
        self.down = False
        """While True every request is answered by breaking the connection."""
        self.latency = 0.0
        """Seconds before anything is answered."""
        self.hurried = 0.0
        """Answers begun before that moment come at once, whatever their pace."""
        self.loaded: set[str] = set()
        self._tries: Counter[str] = Counter()

    @property
    def open_connections(self) -> int:
        return len(self.connections)

    def set_models(self, models: Iterable[str | SimModel | Mapping[str, Any]]) -> None:
        """Replaces the models."""
        self.models = {}
        for model in models:
            if isinstance(model, str):
                model = SimModel(model)
            elif not isinstance(model, SimModel):
                model = SimModel(**model)
            self.models[model.name] = model

    def bodies(self, path: str) -> list[Any]:
        """The bodies of the requests to that path, in order."""
        return [request.body for request in self.requests if request.path == path]

    def forget(self) -> None:
        """Empties the records."""
        self.requests.clear()
        self.generations.clear()
        self._tries.clear()

    async def idle(self, within: float = 1.0) -> bool:
        """Whether all generations ended within so many seconds: a stop that reached us."""
        until = time.monotonic() + within
        while self.open_generations and time.monotonic() < until:
            await asyncio.sleep(0.005)
        return self.open_generations == 0

    async def handler(self, exchange: Exchange) -> None:
        if exchange.path == "/_sim":
            await self._admin(exchange)
            return
        if len(self.requests) < KEPT_RECORDS:
            try:
                body = exchange.json
            except ValueError:
                body = exchange.body
            self.requests.append(
                Received(exchange.method, exchange.path, exchange.headers, body, exchange.query)
            )
        if self.latency:
            await exchange.pause(self.latency)
        if self.down:
            exchange.reset()
            return
        await self.serve(exchange)

    @abstractmethod
    async def serve(self, exchange: Exchange) -> None:
        """Answers a request of the protocol."""

    async def _admin(self, exchange: Exchange) -> None:
        if exchange.method == "POST":
            change = exchange.json
            if "models" in change:
                self.set_models(change["models"])
            self.down = change.get("down", self.down)
            self.latency = change.get("latency", self.latency)
            if "hurry" in change:
                self.hurried = time.time() + change["hurry"]
            if change.get("forget"):
                self.forget()
        await exchange.respond(
            200,
            {
                "models": list(self.models),
                "down": self.down,
                "latency": self.latency,
                "loaded": sorted(self.loaded),
                "open_connections": self.open_connections - 1,
                "open_generations": self.open_generations,
                "generations": [asdict(generation) for generation in self.generations],
                "requests": [asdict(request) for request in self.requests],
            },
        )

    def has(self, name: str) -> SimModel | None:
        """The model of that name; Ollama's `:latest` may be left out."""
        return self.models.get(name) or self.models.get(name.removesuffix(":latest"))

    def refused(self, script: Script) -> int | None:
        """The status to refuse with, where the script says so."""
        self._tries[script.name] += 1
        if self._tries[script.name] <= script.flaky:
            return 503
        return script.status if script.status != 200 else None


class Framing:
    """How one protocol writes an answer. `token` and `thought` must be cheap."""

    content_type: str
    head_first: bool
    """Whether the status goes out before the first token."""

    def opening(self) -> bytes:
        return b""

    def token(self, text: str) -> bytes:
        raise NotImplementedError

    def thought(self, text: str) -> bytes:
        raise NotImplementedError

    def calls(self, calls: Sequence[dict[str, Any]]) -> bytes:
        raise NotImplementedError

    def error(self) -> bytes:
        raise NotImplementedError

    def comment(self) -> bytes:
        return b""

    def ending(self, reason: str, tokens: int, seconds: float) -> bytes:
        raise NotImplementedError


class Answer:
    """Writes one streamed answer as its script says."""

    def __init__(
        self, simulator: Simulator, exchange: Exchange, script: Script, framing: Framing
    ) -> None:
        self._simulator, self._exchange = simulator, exchange
        self._script, self._framing = script, framing
        self._head = b""
        self._held: list[bytes] = []
        self._start = time.perf_counter()
        self._pauses = script.pace

    async def play(
        self, tokens: Sequence[str], calls: Sequence[dict[str, Any]], max_tokens: int | None
    ) -> None:
        """Streams it all; keeps a record of how it went."""
        generation = Generation(self._script.name, time.time())
        if len(self._simulator.generations) < KEPT_RECORDS:
            self._simulator.generations.append(generation)
        self._simulator.open_generations += 1
        try:
            await self._answer(tokens, calls, max_tokens, generation)
            generation.ended = generation.ended or "done"
        except Gone:
            generation.ended = "gone"
            raise
        finally:
            self._simulator.open_generations -= 1
            generation.seconds = time.perf_counter() - self._start

    async def _answer(
        self,
        tokens: Sequence[str],
        calls: Sequence[dict[str, Any]],
        max_tokens: int | None,
        generation: Generation,
    ) -> None:
        script, framing = self._script, self._framing
        if script.fault == "reset" and script.fault_after == 0:
            generation.ended = "fault"
            self._exchange.reset()
            return
        self._head = self._exchange.start(script.label or framing.content_type)
        if framing.head_first:
            await self._flush_head()
        await self._load()
        await self._exchange.pause(script.first)
        if opening := framing.opening():
            await self._send(opening)
        reason = "length" if script.length else "stop"
        if max_tokens is not None and 0 <= max_tokens < len(tokens):
            tokens, reason = tokens[:max_tokens], "length"
        if script.thinking:
            for thought in THOUGHTS:
                await self._send(framing.thought(thought))
                await self._exchange.pause(script.pace)
        if script.fault:
            tokens = tokens[: script.fault_after]
        await self._tokens(tokens, generation)
        if script.fault:
            generation.ended = "fault"
            await self._fail()
            return
        if calls:
            await self._send(framing.calls(calls))
            reason = "tool_calls"
        await self._send(framing.ending(reason, len(tokens), time.perf_counter() - self._start))
        await self._flush()
        if script.linger:
            await self._exchange.pause(5.0)
        await self._exchange.write(chunk(b""))

    async def _load(self) -> None:
        name = self._script.name
        if name not in self._simulator.loaded:
            self._simulator.loaded.add(name)
            if self._script.load:
                try:
                    await self._exchange.pause(self._script.load)
                except Gone:  # a client that leaves aborts the load
                    self._simulator.loaded.discard(name)
                    raise

    async def _tokens(self, tokens: Sequence[str], generation: Generation) -> None:
        script, framing = self._script, self._framing
        if script.pace or script.split or script.comments:
            for text in tokens:
                if script.comments:
                    await self._send(framing.comment())
                await self._send(framing.token(text))
                generation.tokens += 1
                hurried = generation.started < self._simulator.hurried
                await self._exchange.pause(0 if hurried else script.pace)
            return
        encode, size = framing.token, len(tokens)
        for start in range(0, size, BATCH):
            batch = tokens[start : start + BATCH]
            await self._send_many([encode(text) for text in batch])
            generation.tokens += len(batch)
            await self._exchange.pause(0)

    async def _fail(self) -> None:
        script, framing = self._script, self._framing
        match script.fault:
            case "error" | "bare-error" | "named-error" | "reason-error":
                await self._send(framing.error())
                await self._flush()
                await self._exchange.write(chunk(b""))
            case "torn":
                await self._send(framing.token("half of this is lost")[:-20])
                await self._flush()
                await self._exchange.write(chunk(b""))
            case "cut":
                await self._flush_head()
                await self._flush()
                await self._exchange.write(chunk(b""))
            case "stall" | "chatter":
                await self._flush()
                for _ in itertools.count():
                    await self._exchange.pause(0.05)
                    if script.fault == "chatter":
                        await self._send(framing.comment())
            case "reset":
                await self._flush()
                await self._exchange.pause(0.02)
                self._exchange.reset()
            case "close":
                await self._flush()
                await self._exchange.pause(0.02)
                self._exchange.close()

    async def _flush_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            await self._exchange.write(head)

    async def _send(self, data: bytes) -> None:
        if self._script.glued:
            self._held.append(data)
        elif self._script.split:
            await self._flush_head()
            size = self._script.split
            for start in range(0, len(data), size):
                await self._exchange.write(chunk(data[start : start + size]))
                await self._exchange.pause(0)
        else:
            head, self._head = self._head, b""
            await self._exchange.write(head + chunk(data))

    async def _send_many(self, pieces: list[bytes]) -> None:
        """Each piece a chunk of its own, as servers write tokens, all in one packet or few."""
        if self._script.glued:
            self._held += pieces
            return
        head, self._head = self._head, b""
        await self._exchange.write(head + b"".join(map(chunk, pieces)))

    async def _flush(self) -> None:
        await self._flush_head()
        if self._held:
            await self._exchange.write(chunk(b"".join(self._held)))
            self._held.clear()


def answer_of(script: Script, body: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Any:
    """The tokens that a chat body gets, and its prompt's length in tokens."""
    messages = body.get("messages") or []
    last = next((text_of(m) for m in reversed(messages) if m.get("role") == "user"), "")
    prompt = sum(len(split_words(text_of(message))) + 4 for message in messages)
    return tokens_of(script, last, schema), last, prompt


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, be it a string or parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
