"""A simulated OpenAI-compatible server, as vLLM, llama.cpp and the clouds answer."""

import base64
import json
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tests.simulators.base import HTML, Answer, Framing, SimModel, Simulator, answer_of
from tests.simulators.http import Exchange
from tests.simulators.ollama import vector_of
from tests.simulators.script import THOUGHTS, Script, script_of, split_words, tool_calls

CREATED = 1_765_000_000
SPOKEN = b"ID3\x04 speech \xff\xfb\n \t"
"""Sound, which ends in what would be blanks in a text."""
ERRORS = {
    400: ("invalid_request_error", None, "refused with 400"),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-***."),
    402: ("insufficient_credits", "402", "Insufficient credits. Add more to go on."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached."),
    503: ("server_error", None, "The server is overloaded."),
}


class OpenAIFraming(Framing):
    """Server-sent events; the status goes out at once, the role before the first token."""

    content_type = "text/event-stream; charset=utf-8"
    head_first = True

    def __init__(self, model: str, prompt: int, script: Script, *, usage: bool) -> None:
        self._model, self._prompt, self._script, self._usage = model, prompt, script, usage
        self._thoughts = 0

    def opening(self) -> bytes:
        return self._event({"role": "assistant", "content": ""})

    def token(self, text: str) -> bytes:
        if self._script.as_other or self._script.halves:
            return self._event({"content": text})
        return _token(self._model, text, self._script.crlf)

    def thought(self, text: str) -> bytes:
        self._thoughts += 1
        if self._script.thought_field == "reasoning_details":
            return self._event({"reasoning_details": [{"type": "reasoning.text", "text": text}]})
        return self._event({self._script.thought_field: text})

    def calls(self, calls: Sequence[dict[str, Any]]) -> bytes:
        pieces = b""
        for index, call in enumerate(calls):
            function = {"name": call["name"], "arguments": ""}
            first = {"index": index, "id": f"call_{index}", "type": "function"}
            pieces += self._event({"tool_calls": [first | {"function": function}]})
            arguments = call["arguments"]
            for start in range(0, len(arguments), 5):
                piece = {"index": index, "function": {"arguments": arguments[start : start + 5]}}
                pieces += self._event({"tool_calls": [piece]})
        return pieces

    def error(self) -> bytes:
        error = {"message": "the engine died", "type": "server_error", "code": 500}
        match self._script.fault:
            case "bare-error":
                return self._frame({"object": "error", **error})
            case "named-error":
                return self._lines(f"event: error\ndata: {json.dumps(error)}\n\n")
            case "reason-error":
                choice = {"index": 0, "delta": {}, "finish_reason": "error", "error": error}
                return self._frame(_chunk(self._model) | {"choices": [choice]})
        return self._frame({"error": error})

    def comment(self) -> bytes:
        if self._script.empty:
            return self._lines("data:\n\ndata: \n\n")
        return self._lines(": OPENROUTER PROCESSING\n\n:\n\n")

    def ending(self, reason: str, tokens: int, seconds: float) -> bytes:
        end = b""
        if self._script.reason:
            end += self._event({}, reason)
        if self._usage and self._script.usage:
            end += self._frame(
                _chunk(self._model)
                | {"choices": [], "usage": usage_of(self._prompt, tokens, self._thoughts)}
            )
        if self._script.done and not self._script.as_other:
            end += self._lines("data: [DONE]\n\n")
        return end

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._frame(_chunk(self._model) | {"choices": [choice]})

    def _frame(self, value: dict[str, Any]) -> bytes:
        text = json.dumps(value, ensure_ascii=self._script.halves)
        return self._lines(f"{text}\n" if self._script.as_other else f"data: {text}\n\n")

    def _lines(self, text: str) -> bytes:
        return (text.replace("\n", "\r\n") if self._script.crlf else text).encode()


class CompletionFraming(OpenAIFraming):
    """The older `/completions`: the same events around bare text."""

    def opening(self) -> bytes:
        return b""

    def token(self, text: str) -> bytes:
        return self._text(text, None)

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._text("", reason)

    def _text(self, text: str, reason: str | None) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        head = _chunk(self._model) | {"id": "cmpl-sim", "object": "text_completion"}
        return self._frame(head | {"choices": [choice]})


def _chunk(model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-sim",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
    }


@lru_cache(maxsize=4096)
def _token(model: str, text: str, crlf: bool) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    data = json.dumps(_chunk(model) | {"choices": [choice]}, ensure_ascii=False)
    end = "\r\n\r\n" if crlf else "\n\n"
    return f"data: {data}{end}".encode()


def usage_of(prompt: int, tokens: int, thoughts: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens + thoughts,
        "total_tokens": prompt + tokens + thoughts,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


class OpenAISimulator(Simulator):
    """See the package's docstring. `key`, where given, is demanded as `Bearer`, for the list of models
    only where that is not `public`; `prefix` is `/v1`."""

    def __init__(
        self,
        *args: Any,
        key: str | None = None,
        public: bool = False,
        prefix: str = "/v1",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.key = key
        self.public = public
        self.prefix = prefix

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return self.url + self.prefix

    async def serve(self, exchange: Exchange) -> None:
        listing = self.public and exchange.path == f"{self.prefix}/models"
        wanted = None if listing else self.key
        if wanted is not None and wanted not in exchange.headers.get("authorization", ""):
            await _error(exchange, 401)
            return
        match exchange.method, exchange.path.removeprefix(self.prefix):
            case "GET", "/models":
                data = [self._model(model) for model in self.models.values()]
                await exchange.respond(200, {"object": "list", "data": data})
            case "GET", "/key":
                await exchange.respond(200, {"data": {"label": "sk-***", "usage": 0}})
            case "POST", "/chat/completions":
                await self._chat(exchange)
            case "POST", "/completions":
                await self._complete(exchange)
            case "POST", "/embeddings":
                await self._embed(exchange)
            case "POST", "/audio/transcriptions" | "/audio/translations":
                await exchange.respond(200, {"text": "сказанное вслух"})
            case "POST", "/audio/speech":
                await exchange.respond(200, SPOKEN, "audio/mpeg")
            case "POST", "/images/generations":
                await exchange.respond(200, {"created": CREATED, "data": [{"b64_json": "aGk="}]})
            case "POST", "/moderations":
                flagged = {"flagged": False, "categories": {}, "category_scores": {}}
                await exchange.respond(200, {"id": "modr-1", "model": "m", "results": [flagged]})
            case "POST", "/rerank":
                ranked = [{"index": 0, "relevance_score": 0.9}]
                await exchange.respond(200, {"results": ranked, "usage": {"total_tokens": 3}})
            case _:
                await exchange.respond(404, {"detail": "Not Found"})

    def _model(self, model: SimModel) -> dict[str, Any]:
        row = {"id": model.name, "object": "model", "created": CREATED, "owned_by": "simulator"}
        return row | model.extra

    async def _refuse(self, exchange: Exchange, name: str) -> bool:
        model = self.has(name)
        script = script_of(name)
        status = self.refused(script)
        extra = {"retry-after": script.retry_after} if script.retry_after else {}
        if model is None:
            await _error(exchange, 404)
        elif script.foreign == "html" or status == 500:
            await exchange.respond(status or 200, HTML, "text/html")
        elif script.foreign == "other":
            line = b'{"message":{"role":"assistant","content":"a"},"done":false}\n'
            await exchange.respond(200, line * 3, "application/x-ndjson")
        elif status is not None:
            await _error(exchange, status, extra)
        elif script.context:
            error = {
                "code": 400,
                "message": "the request exceeds the available context size",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 8192,
            }
            await exchange.respond(400, {"error": error})
        else:
            return False
        return True

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.json
        name = body.get("model", "")
        if await self._refuse(exchange, name):
            return
        script = script_of(name)
        wanted = body.get("response_format") or {}
        schema = (wanted.get("json_schema") or {}).get("schema")
        tokens, last, prompt = answer_of(script, body, schema)
        calls = [
            {"name": name, "arguments": json.dumps(given, ensure_ascii=False)}
            for name, given in tool_calls(script, body, last)
        ]
        tokens = [] if calls else tokens
        limit = _whole(body.get("max_completion_tokens", body.get("max_tokens")))
        if (body.get("stream") and not script.unstreamed) or script.streamed:
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            framing = OpenAIFraming(name, prompt, script, usage=usage)
            await Answer(self, exchange, script, framing).play(tokens, calls, limit)
            return
        await exchange.pause(script.first + script.pace * len(tokens))
        text, reason = "".join(tokens[:limit]), "stop"
        if limit is not None and limit < len(tokens):
            reason = "length"
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            reason = "tool_calls"
            message |= {
                "content": None,
                "tool_calls": [
                    {"id": f"call_{i}", "type": "function", "function": call}
                    for i, call in enumerate(calls)
                ],
            }
        if script.thinking:
            said = "".join(THOUGHTS)
            details = script.thought_field == "reasoning_details"
            message[script.thought_field] = [{"text": said}] if details else said
        choice = {"index": 0, "message": message, "finish_reason": reason}
        whole = _chunk(name) | {"object": "chat.completion", "choices": [choice]}
        whole |= {"usage": usage_of(prompt, len(tokens))}
        await exchange.respond(200, whole, script.label or "application/json")

    async def _complete(self, exchange: Exchange) -> None:
        body = exchange.json
        name = body.get("model", "")
        if await self._refuse(exchange, name):
            return
        prompt = body.get("prompt") or ""
        text = prompt if isinstance(prompt, str) else str(prompt)
        count = len(split_words(text))
        if body.get("stream"):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            script = script_of(name)
            framing = CompletionFraming(name, count, script, usage=usage)
            tokens, *_ = answer_of(script, {"messages": [{"role": "user", "content": text}]}, None)
            limit = _whole(body.get("max_tokens"))
            await Answer(self, exchange, script, framing).play(tokens, [], limit)
            return
        await exchange.respond(
            200,
            {
                "id": "cmpl-sim",
                "object": "text_completion",
                "created": CREATED,
                "model": name,
                "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}],
                "usage": usage_of(count, count),
            },
        )

    async def _embed(self, exchange: Exchange) -> None:
        body = exchange.json
        if await self._refuse(exchange, body.get("model", "")):
            return
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        encoded = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": _encoded(vector) if encoded else vector,
            }
            for i, vector in enumerate(vector_of(str(text)) for text in texts)
        ]
        count = sum(len(split_words(str(text))) for text in texts)
        answer = {"object": "list", "data": data, "model": body["model"]}
        usage = {"prompt_tokens": count, "total_tokens": count}
        await exchange.respond(200, answer | {"usage": usage})


def _encoded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


async def _error(exchange: Exchange, status: int, headers: dict[str, str] | None = None) -> None:
    kind, code, message = ERRORS.get(status, ("server_error", None, f"refused with {status}"))
    error = {"message": message, "type": kind, "param": None, "code": code}
    await exchange.respond(status, {"error": error}, **(headers or {}))


def _whole(number: object) -> int | None:
    """A limit that is one; what a client sends may be anything."""
    return number if isinstance(number, int) and not isinstance(number, bool) else None
