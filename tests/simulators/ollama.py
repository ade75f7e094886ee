"""A simulated Ollama."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from tests.simulators.base import HTML, Answer, Framing, SimModel, Simulator, answer_of
from tests.simulators.http import Exchange, chunk
from tests.simulators.script import Script, script_of, split_words, tool_calls

CREATED = "2026-08-14T10:00:00.123456789Z"
SECOND = 1_000_000_000
DEFAULT_CONTEXT = 4096
LAYER_BYTES = (1_000_000_000, 50_000_000)


class OllamaFraming(Framing):
    """NDJSON; the status comes with the first line, as loading and prompt evaluation precede it."""

    content_type = "application/x-ndjson"
    head_first = False

    def __init__(
        self, model: str, prompt: int, script: Script, load_s: float, *, logprobs: bool
    ) -> None:
        self._model, self._prompt, self._script, self._load_s = model, prompt, script, load_s
        self._logprobs = logprobs

    def token(self, text: str) -> bytes:
        if self._logprobs:
            said = {"role": "assistant", "content": text}
            return self._said(said, logprobs=[{"token": text, "logprob": -0.5}])
        if self._script.as_other or self._script.halves:
            return self._said({"role": "assistant", "content": text})
        line = _line(self._model, text)
        return line.replace(b"\n", b"\r\n") if self._script.crlf else line

    def thought(self, text: str) -> bytes:
        return self._said({"role": "assistant", "content": "", "thinking": text})

    def calls(self, calls: Sequence[dict[str, Any]]) -> bytes:
        return self._said({"role": "assistant", "content": "", "tool_calls": list(calls)})

    def error(self) -> bytes:
        return self._framed(
            b'{"error":"an error was encountered while running the model: CUDA error"}'
        )

    def comment(self) -> bytes:
        return b"\n"

    def ending(self, reason: str, tokens: int, seconds: float) -> bytes:
        end: dict[str, Any] = {
            "model": self._model,
            "created_at": CREATED,
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop" if reason == "tool_calls" else reason,
        }
        if self._script.usage:
            end |= {
                "total_duration": int(seconds * SECOND) + 1,
                "load_duration": int(self._load_s * SECOND) + 10_000_000,
                "prompt_eval_count": self._prompt,
                "prompt_eval_duration": self._prompt * 1_000_000,
            }
            if tokens:
                end |= {"eval_count": tokens, "eval_duration": max(1, int(seconds * SECOND))}
        return self._framed(json.dumps(end).encode())

    def _said(self, message: dict[str, Any], **more: Any) -> bytes:
        line = {"model": self._model, "created_at": CREATED, "message": message, "done": False}
        return self._framed(json.dumps(line | more, ensure_ascii=self._script.halves).encode())

    def _framed(self, line: bytes) -> bytes:
        return b"data: " + line + b"\n\n" if self._script.as_other else line + b"\n"


class GenerateFraming(OllamaFraming):
    """The lines of /api/generate."""

    def token(self, text: str) -> bytes:
        more = {"logprobs": [{"token": text, "logprob": -0.5}]} if self._logprobs else {}
        return self._said({"content": text}, **more)

    def _framed(self, line: bytes) -> bytes:
        said = json.loads(line)
        if "message" in said:
            said["response"] = said.pop("message").get("content", "")
        text = json.dumps(said, ensure_ascii=self._script.halves)
        return super()._framed(text.encode())


@lru_cache(maxsize=4096)
def _line(model: str, text: str) -> bytes:
    said = json.dumps(text, ensure_ascii=False)
    return (
        f'{{"model":{json.dumps(model)},"created_at":"{CREATED}",'
        f'"message":{{"role":"assistant","content":{said}}},"done":false}}\n'
    ).encode()


REFUSES = (0, 12, 6)
"""The first version that heeds `truncate`."""
LLAMA_SERVER = (0, 30)
"""From about here on the runner is llama.cpp's server, whose errors come as JSON in a string."""


RECOMMENDED: tuple[dict[str, Any], ...] = (
    {
        "model": "qwen3.5:cloud",
        "description": "Reasoning, coding, and agentic tool use with vision",
        "context_length": 262_144,
        "max_output_tokens": 32_768,
    },
    {
        "model": "gemma4",
        "description": "Reasoning and code generation locally",
        "vram_bytes": 12_000_000_000,
    },
)
"""Of those that Ollama has by itself (server/model_recommendations.go)."""


class OllamaSimulator(Simulator):
    """See the package's docstring."""

    def __init__(
        self,
        *args: Any,
        version: str = "0.33.0",
        default_context: int = DEFAULT_CONTEXT,
        most_context: int | None = None,
        parallel: int | None = None,
        signed_in: bool = True,
        **kwargs: Any,
    ) -> None:
        """`default_context`: what a model has where nobody says otherwise; `most_context`: what there
        is memory for; `parallel` answers at once, the others wait; `signed_in` at ollama.com."""
        super().__init__(*args, **kwargs)
        self.version = version
        self.default_context = default_context
        self.most_context = most_context
        self.signed_in = signed_in
        self.recommended: list[dict[str, Any]] = list(RECOMMENDED)
        self.vectors: list[list[float]] | None = None
        """What it answers to /api/embed in the place of true ones."""
        self._places = asyncio.Semaphore(parallel) if parallel else None
        self.contexts: dict[str, int] = {}
        self.reloads: list[tuple[str, int, int]] = []
        """(model, num_ctx before, num_ctx after) of each reload that a changed num_ctx forced."""
        self.pulled: dict[str, int] = {}
        """Bytes that have come of each layer."""
        self._expires: dict[str, datetime] = {}

    @property
    def _number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    async def serve(self, exchange: Exchange) -> None:
        match exchange.method, exchange.path:
            case "GET", "/":
                await exchange.respond(200, b"Ollama is running", "text/plain")
            case "GET", "/api/version":
                await exchange.respond(200, {"version": self.version})
            case "GET", "/api/tags":
                tags = [self._tag(model) for model in self.models.values()]
                await exchange.respond(200, {"models": tags})
            case "GET", "/api/ps":
                await exchange.respond(200, {"models": self._running()})
            case "POST", "/api/show":
                await self._show(exchange)
            case "POST", "/api/chat":
                await self._chat(exchange)
            case "POST", "/api/generate":
                await self._generate(exchange)
            case "POST", "/v1/audio/transcriptions" if self._number >= LLAMA_SERVER:
                await exchange.respond(200, {"text": "what was said"})
            case "GET", "/api/experimental/model-recommendations" if self._number >= LLAMA_SERVER:
                await exchange.respond(200, {"recommendations": self.recommended})
            case "POST", "/api/embed":
                await self._embed(exchange)
            case "POST", "/api/pull":
                await self._pull(exchange)
            case "DELETE", "/api/delete":
                await self._delete(exchange)
            case _:
                await exchange.respond(404, b"404 page not found", "text/plain")

    def _details(self, model: SimModel) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": model.family,
            "families": [model.family],
            "parameter_size": model.parameter_size,
            "quantization_level": model.quantization,
        }

    def _tag(self, model: SimModel) -> dict[str, Any]:
        return (
            {
                "name": model.name,
                "model": model.name,
                "modified_at": "2026-08-01T12:00:00.123456789+03:00",
                "size": model.size,
                "digest": model.digest,
                "details": self._details(model),
            }
            | self._newer_tag(model)
            | model.extra
        )

    def _newer_tag(self, model: SimModel) -> dict[str, Any]:
        if self._number < LLAMA_SERVER:
            return {}
        details = self._details(model) | {"context_length": model.context_length}
        return {"details": details, "capabilities": list(reversed(model.capabilities))}

    def _running(self) -> list[dict[str, Any]]:
        return [
            {
                "name": model.name,
                "model": model.name,
                "size": model.size,
                "digest": model.digest,
                "details": self._details(model),
                "expires_at": self._expires.get(name, datetime.now(UTC)).isoformat(),
                "size_vram": 0 if "cpu" in name else model.size,
                "context_length": self.contexts.get(name, self.default_context),
            }
            for name in sorted(self.loaded)
            if (model := self.has(name))
        ]

    def _cloud(self, name: Any) -> SimModel | None:
        """The model of that name; those of the cloud need not be listed."""
        return self.has(name) or (SimModel(name) if _is_cloud(name) else None)

    async def _not_found(self, exchange: Exchange, name: object) -> None:
        if not isinstance(name, str) or not _NAME.match(name):
            await exchange.respond(400, {"error": "invalid model name"})
            return
        await exchange.respond(404, {"error": f"model '{name}' not found"})

    async def _show(self, exchange: Exchange) -> None:
        name = exchange.json.get("model") or exchange.json.get("name")
        model = self._cloud(name)
        if model is None:
            await self._not_found(exchange, name)
            return
        parameters = 'stop                           "<end_of_turn>"\n'
        if model.num_ctx:
            parameters += f"num_ctx                        {model.num_ctx}\n"
        facts = {
            "general.architecture": model.family,
            f"{model.family}.context_length": model.context_length,
            f"{model.family}.embedding_length": 2304,
        }
        await exchange.respond(
            200,
            {
                "modelfile": "# Modelfile",
                "parameters": parameters,
                "template": "{{ .Prompt }}",
                "details": self._details(model),
                "model_info": facts,
                "capabilities": list(model.capabilities),
                "modified_at": "2026-08-01T12:00:00.123456789+03:00",
            },
        )

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.json
        name = body.get("model", "")
        model = self._cloud(name)
        if model is None:
            await self._not_found(exchange, name)
            return
        if _is_cloud(name) and not self.signed_in:
            sign_in = "https://ollama.com/connect?name=sim&key=c2lt"
            await exchange.respond(401, {"error": "unauthorized", "signin_url": sign_in})
            return
        if self._places is None:
            await self._answered(exchange, model, body)
            return
        async with self._places:
            await self._answered(exchange, model, body)

    async def _answered(self, exchange: Exchange, model: SimModel, body: dict[str, Any]) -> None:
        name = body["model"]
        script = script_of(model.name)
        if await self._refuse(exchange, script, model, body):
            return
        if not body.get("messages"):
            await self._preload(exchange, model, body)
            return
        load_s = script.load if self._runner(model) not in self.loaded else 0.0
        if not await self._keep(exchange, model, body):
            return
        wanted = body.get("format")
        schema = wanted if isinstance(wanted, dict) and _expressible(wanted) else None
        tokens, last, prompt = answer_of(script, body, schema)
        window = self.contexts[self._runner(model)]
        if prompt > window and not _is_cloud(name):
            if body.get("truncate") is False and self._number >= REFUSES:
                await exchange.respond(400, {"error": self._too_long(prompt, window)})
                return
            prompt = window // 2 + 2 if self._number >= LLAMA_SERVER else window
        calls = _tool_calls(script, body, last)
        logprobs = body.get("logprobs") is True
        framing = OllamaFraming(name, prompt, script, load_s, logprobs=logprobs)
        limit = (body.get("options") or {}).get("num_predict")
        if script.thinking and body.get("think") is False:
            script = script_of(model.name.replace("thinking", "echo"))
        if not body.get("stream", True):
            await self._whole(exchange, script, framing, "" if calls else "".join(tokens), calls)
            return
        answer = Answer(self, exchange, script, framing)
        await answer.play([] if calls else tokens, calls, limit)

    async def _refuse(
        self, exchange: Exchange, script: Script, model: SimModel, body: dict[str, Any]
    ) -> bool:
        status = self.refused(script)
        extra = {"retry-after": script.retry_after} if script.retry_after else {}
        if script.foreign == "html" or status == 500:
            await exchange.respond(status or 200, HTML, "text/html")
        elif script.foreign == "other":
            await exchange.respond(200, b'data: {"choices":[]}\n\n', "text/event-stream")
        elif status == 503:
            busy = "server busy, please try again.  maximum pending requests exceeded"
            await exchange.respond(503, {"error": busy}, **extra)
        elif status is not None:
            await exchange.respond(status, {"error": f"refused with {status}"}, **extra)
        elif script.context:
            await exchange.respond(400, {"error": "input length exceeds the context length"})
        elif body.get("tools") and "tools" not in model.capabilities:
            await exchange.respond(400, {"error": f"{model.name} does not support tools"})
        elif body.get("think") and "thinking" not in model.capabilities:
            await exchange.respond(400, {"error": f"{model.name} does not support thinking"})
        elif body.get("think") not in (None, True, False, *self._levels()):
            levels = '"high", "medium", "low", "max", true, or false'
            said = f'invalid think value: "{body["think"]}" (must be {levels})'
            await exchange.respond(400, {"error": said})
        elif (
            _has_images(body)
            and "vision" not in model.capabilities
            and self._number >= LLAMA_SERVER
        ):
            said = "Multimodal data provided, but model does not support multimodal requests."
            await exchange.respond(400, {"error": _within(said, "invalid_request_error")})
        else:
            return False
        return True

    def _levels(self) -> tuple[str, ...]:
        low = ("low", "medium", "high")
        return (*low, "max") if self._number >= (0, 20) else low

    def _too_long(self, prompt: int, window: int) -> str:
        if self._number < LLAMA_SERVER:
            return "the input length exceeds the context length"
        said = f"request ({prompt} tokens) exceeds the available context size ({window} tokens), try increasing it"
        return _within(said, "exceed_context_size_error", n_prompt_tokens=prompt, n_ctx=window)

    def _runner(self, model: SimModel) -> str:
        """The name under which the model is loaded: names of one digest share a runner."""
        same = (name for name, each in self.models.items() if each.digest == model.digest)
        return next((name for name in same if name in self.loaded), model.name)

    async def _keep(self, exchange: Exchange, model: SimModel, body: dict[str, Any]) -> bool:
        """Loads the model, or loads it again where num_ctx is another one than before; says whether
        there is memory for it."""
        told = (body.get("options") or {}).get("num_ctx")
        num_ctx = min(told or model.num_ctx or self.default_context, model.context_length)
        if self.most_context is not None and num_ctx > self.most_context:
            said = "model requires more system memory (19.1 GiB) than is available (1.0 GiB)"
            await exchange.respond(500, {"error": said})
            return False
        name = self._runner(model)
        before = self.contexts.get(name)
        if name in self.loaded and before not in (None, num_ctx):
            self.reloads.append((name, before or 0, num_ctx))
        self.contexts[name] = num_ctx
        self._expires[name] = datetime.now(UTC) + timedelta(minutes=5)
        if not script_of(model.name).load:
            self.loaded.add(name)
        return True

    async def _preload(self, exchange: Exchange, model: SimModel, body: dict[str, Any]) -> None:
        done: dict[str, Any] = {"model": model.name, "created_at": CREATED, "done": True}
        done["message"] = {"role": "assistant", "content": ""}
        if body.get("keep_alive") in (0, "0"):
            self.loaded.discard(self._runner(model))
            await exchange.respond(200, done | {"done_reason": "unload"})
            return
        if not await self._keep(exchange, model, body):
            return
        if model.name not in self.loaded:
            await exchange.pause(script_of(model.name).load)
            self.loaded.add(model.name)
        await exchange.respond(200, done | {"done_reason": "load"})

    async def _whole(
        self,
        exchange: Exchange,
        script: Script,
        framing: OllamaFraming,
        text: str,
        calls: Sequence[dict[str, Any]],
    ) -> None:
        start = time.perf_counter()
        count = len(split_words(text))
        await exchange.pause(script.first + script.pace * count)
        end = json.loads(framing.ending("stop", count, time.perf_counter() - start))
        end["message"] = {"role": "assistant", "content": text}
        if calls:
            end["message"]["tool_calls"] = list(calls)
        await exchange.respond(200, end)

    async def _generate(self, exchange: Exchange) -> None:
        """What stands between `prompt` and `suffix`: `echo` says both."""
        body = exchange.json
        model = self.has(body.get("model", ""))
        if model is None:
            await self._not_found(exchange, body.get("model"))
            return
        if body.get("suffix") and "insert" not in model.capabilities:
            await exchange.respond(400, {"error": f"{model.name} does not support insert"})
            return
        if not await self._keep(exchange, model, body):
            return
        if body.get("raw"):
            await self._continue(exchange, model, body)
            return
        said = f"[{body.get('prompt', '')}|{body.get('suffix', '')}]"
        await exchange.write(exchange.start("application/x-ndjson"))
        for line in (
            {"response": said, "done": False},
            {
                "response": "",
                "done": True,
                "done_reason": "stop",
                "total_duration": 1,
                "eval_count": 1,
            }
            | {"prompt_eval_count": 2},
        ):
            await exchange.write(chunk(json.dumps({"model": model.name, **line}).encode() + b"\n"))
        await exchange.write(chunk(b""))

    async def _continue(self, exchange: Exchange, model: SimModel, body: dict[str, Any]) -> None:
        """A raw prompt: answered as the words of a question would be."""
        script = script_of(model.name)
        asked = {"messages": [{"role": "user", "content": body.get("prompt", "")}]}
        tokens, _, prompt = answer_of(script, asked, None)
        logprobs = body.get("logprobs") is True
        framing = GenerateFraming(body["model"], prompt, script, 0.0, logprobs=logprobs)
        limit = (body.get("options") or {}).get("num_predict")
        await Answer(self, exchange, script, framing).play(tokens, [], limit)

    async def _embed(self, exchange: Exchange) -> None:
        body = exchange.json
        model = self.has(body.get("model", ""))
        if model is None:
            await self._not_found(exchange, body.get("model"))
            return
        if "embedding" not in model.capabilities:
            status = 501 if self._number >= LLAMA_SERVER else 400
            await exchange.respond(status, {"error": "this model does not support embeddings"})
            return
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        longest = max((len(split_words(text)) for text in texts), default=0)
        if body.get("truncate") is False and longest > model.context_length:
            await exchange.respond(400, {"error": "the input length exceeds the context length"})
            return
        vectors = self.vectors or [vector_of(text, body.get("dimensions") or 64) for text in texts]
        count = sum(len(split_words(text)) for text in texts)
        answer = {"model": model.name, "embeddings": vectors, "prompt_eval_count": count}
        await exchange.respond(200, answer | {"total_duration": 14143917, "load_duration": 1019500})

    async def _delete(self, exchange: Exchange) -> None:
        name = exchange.json.get("model") or exchange.json.get("name")
        model = self.has(name)
        if model is None:
            await self._not_found(exchange, name)
            return
        del self.models[model.name]
        self.loaded.discard(model.name)
        await exchange.respond(200)

    async def _pull(self, exchange: Exchange) -> None:
        name = exchange.json.get("model") or exchange.json.get("name")
        word = name.partition(":")[0]
        await exchange.write(exchange.start("application/x-ndjson"))

        async def say(**line: Any) -> None:
            await exchange.write(chunk(json.dumps(line).encode() + b"\n"))

        await say(status="pulling manifest")
        if word == "pull-unknown":
            await say(error="pull model manifest: file does not exist")
        elif word == "pull-denied":
            await say(error="open /root/.ollama/models/blobs: permission denied")
        elif word == "pull-nohost":
            await say(
                error='pull model manifest: Get "https://registry.ollama.ai/v2/library/x/manifests/latest": dial tcp: lookup registry.ollama.ai on 127.0.0.11:53: no such host'
            )
        elif word == "pull-newer":
            await say(
                error="pull model manifest: 412: \n\nThe model you are attempting to pull requires a newer version of Ollama.\n\nPlease download the latest version at:\n\n\thttps://ollama.com/download\n"
            )
        elif word == "pull-limited":
            await say(error="pull model manifest: 429: too many requests")
        elif word == "pull-full":
            await say(error="write /root/.ollama/models/blobs: no space left on device")
        elif await self._layers(exchange, name, word, say):
            for status in ("verifying sha256 digest", "writing manifest", "success"):
                await say(status=status)
                if status.startswith("verifying") and word == "pull-verify":
                    await exchange.pause(3.0)
            self.models.setdefault(name, SimModel(name))
        await exchange.write(chunk(b""))

    async def _layers(self, exchange: Exchange, name: str, word: str, say: Any) -> bool:
        """Sends the layers, going on where the last pull ended; False where it broke."""
        pause = 0.1 if word in ("pull-slow", "pull-stall", "pull-error") else 0.0
        for number, total in enumerate(LAYER_BYTES):
            digest = "sha256:" + sha256(f"{name}/{number}".encode()).hexdigest()
            step = total // 20
            have = self.pulled.get(digest, 0)
            broken_before = have > 0
            while have < total:
                await exchange.pause(pause)
                have = min(total, have + step)
                self.pulled[digest] = have
                await say(status=f"pulling {digest[7:19]}", digest=digest, total=total, completed=have)  # fmt: skip
                if have > total // 2 and word == "pull-stall":
                    await asyncio.sleep(0)
                    await exchange.pause(3600)
                if number == 0 and have > total // 2 and word == "pull-error" and not broken_before:
                    await say(error="max retries exceeded: unexpected EOF")
                    return False
            await say(status=f"pulling {digest[7:19]}", digest=digest, total=total, completed=total)
        return True


_NAME = re.compile(r"[\w.\-+]+([/:][\w.\-+]+)*\Z")


def _is_cloud(name: Any) -> bool:
    return isinstance(name, str) and name.endswith((":cloud", "-cloud"))


def _has_images(body: dict[str, Any]) -> bool:
    return any(message.get("images") for message in body.get("messages") or ())


def _within(message: str, kind: str, **more: int) -> str:
    """An error of llama.cpp's server as Ollama hands it on: JSON in a string."""
    return json.dumps({"error": {"code": 400, "message": message, "type": kind, **more}})


def _expressible(schema: dict[str, Any]) -> bool:
    """Whether the grammar can say it; where not, the model answers in words of its own."""
    return not {"patternProperties", "not", "if"} & schema.keys()


def _tool_calls(script: Script, body: dict[str, Any], last: str) -> list[dict[str, Any]]:
    calls = tool_calls(script, body, last)
    return [{"function": {"name": name, "arguments": given}} for name, given in calls]


def vector_of(text: str, size: int = 64) -> list[float]:
    """Words into buckets, of length one: texts with the same words are near."""
    vector = [0.0] * size
    for word in split_words(text.lower()):
        vector[sum(word.strip(" .,!?").encode()) % size] += 1.0
    length = sum(x * x for x in vector) ** 0.5 or 1.0
    return [x / length for x in vector]
