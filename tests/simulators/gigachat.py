"""A simulated GigaChat, after its documentation (developers.sber.ru/docs/ru/gigachat, read 2026-11-28): a key
exchanged for tokens, functions in place of tools, one answer at a time for a person's key."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from tests.simulators.base import Answer, answer_of
from tests.simulators.http import Exchange
from tests.simulators.openai import CREATED, OpenAIFraming, OpenAISimulator
from tests.simulators.script import Script, script_of

KEY = base64.b64encode(b"client:secret").decode()
FORBIDDEN = "запретное"
"""A question with this word ends with `blacklist`."""
PRECACHED = 3


class GigaChatFraming(OpenAIFraming):
    """Events that call themselves whole completions; usage beside the finish reason."""

    forbidden = False

    def calls(self, calls: Sequence[dict[str, Any]]) -> bytes:
        called = {"name": calls[0]["name"], "arguments": json.loads(calls[0]["arguments"])}
        return self._event({"role": "assistant", "content": "", "function_call": called})

    def ending(self, reason: str, tokens: int, seconds: float) -> bytes:
        ours = {"tool_calls": "function_call"}.get(reason, reason)
        ours = "blacklist" if self.forbidden else ours
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": ours}
        last: dict[str, Any] = {
            "choices": [choice if self._script.reason else choice | {"finish_reason": None}]
        }
        if self._script.usage:
            last["usage"] = usage_of(self._prompt, tokens)
        end = self._frame(_head(self._model) | last)
        if self._script.done and not self._script.as_other:
            end += self._lines("data: [DONE]\n\n")
        return end

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        return self._frame(_head(self._model) | {"choices": [choice]})


def count_of(text: str) -> int:
    return len(text.split())


def usage_of(prompt: int, tokens: int) -> dict[str, int]:
    """Only what is paid is in the prompt's tokens and in the total."""
    paid = prompt - PRECACHED
    return {
        "prompt_tokens": paid,
        "completion_tokens": tokens,
        "total_tokens": paid + tokens,
        "precached_prompt_tokens": PRECACHED,
    }


def _head(model: str) -> dict[str, Any]:
    return {"created": CREATED, "model": f"{model}:2.0.28.2", "object": "chat.completion"}


class GigaChatSimulator(OpenAISimulator):
    """Gives tokens at `/oauth`; `end_tokens()` makes those given so far invalid before their time."""

    def __init__(self, *args: Any, lasts: float = 1800.0, **kwargs: Any) -> None:
        super().__init__(*args, prefix="/api/v1", **kwargs)
        self.lasts = lasts
        """Seconds, from the clock of the machine."""
        self.tokens: list[str] = []
        self.valid: set[str] = set()
        self.most_at_once = 0

    @property
    def token_url(self) -> str:
        return f"{self.url}/oauth"

    def end_tokens(self) -> None:
        self.valid.clear()

    async def serve(self, exchange: Exchange) -> None:
        if exchange.path == "/oauth":
            await self._give_token(exchange)
            return
        if exchange.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            await _refuse(exchange, 401, "Token has expired")
            return
        if exchange.path == "/api/v1/tokens/count":
            texts = exchange.json["input"]
            rows = [
                {"object": "tokens", "tokens": count_of(t), "characters": len(t)} for t in texts
            ]
            await exchange.respond(200, rows)
            return
        await super().serve(exchange)

    async def _give_token(self, exchange: Exchange) -> None:
        asked = parse_qs(exchange.body.decode())
        if exchange.headers.get("authorization") != f"Basic {KEY}":
            await _refuse(exchange, 401, "credentials doesn't match db data")
        elif not exchange.headers.get("rquid") or not asked.get("scope"):
            await _refuse(exchange, 400, "Missing header RqUID or scope")
        else:
            token = f"token-{len(self.tokens) + 1}"
            self.tokens.append(token)
            self.valid.add(token)
            until = int((time.time() + self.lasts) * 1000)
            await exchange.respond(200, {"access_token": token, "expires_at": until})

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.json
        name = body.get("model", "")
        if await self._refuse(exchange, name):
            return
        if fault := _fault(body):
            await _refuse(exchange, 422, f"Invalid params: {fault}")
            return
        if self.open_generations:
            await _refuse(exchange, 429, "Too many requests")
            return
        self.most_at_once = max(self.most_at_once, self.open_generations + 1)
        script = script_of(name)
        schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
        tokens, last, prompt = answer_of(script, body, schema)
        calls: list[dict[str, Any]] = []
        if script.tools and body.get("functions"):
            arguments = json.dumps({"echo": last}, ensure_ascii=False)
            calls, tokens = [{"name": body["functions"][0]["name"], "arguments": arguments}], []
        if body.get("stream") and not script.unstreamed:
            framing = GigaChatFraming(name, prompt, script, usage=True)
            framing.forbidden = FORBIDDEN in last
            await Answer(self, exchange, script, framing).play(
                tokens, calls, body.get("max_tokens")
            )
            return
        await self._whole(exchange, script, tokens, calls, prompt, forbidden=FORBIDDEN in last)

    async def _whole(
        self,
        exchange: Exchange,
        script: Script,
        tokens: Sequence[str],
        calls: list[dict[str, Any]],
        prompt: int,
        *,
        forbidden: bool,
    ) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens)}
        reason = "blacklist" if forbidden else "stop"
        if calls:
            reason = "function_call"
            message["function_call"] = calls[0] | {"arguments": json.loads(calls[0]["arguments"])}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        usage = usage_of(prompt, len(tokens))
        await exchange.respond(200, _head(script.name) | {"choices": [choice], "usage": usage})

    async def _embed(self, exchange: Exchange) -> None:
        """Usage is told for each text, not for all."""
        texts = exchange.json["input"]
        texts = [texts] if isinstance(texts, str) else texts
        rows = [
            {
                "object": "embedding",
                "index": at,
                "embedding": [0.5, float(at)],
                "usage": {"prompt_tokens": 2},
            }
            for at, _ in enumerate(texts)
        ]
        await exchange.respond(200, {"object": "list", "data": rows, "model": "Embeddings"})


def _fault(body: dict[str, Any]) -> str | None:
    """What the documentation says is answered with 422."""
    messages = body.get("messages") or []
    roles = [message.get("role") for message in messages]
    if "system" in roles[1:]:
        return "system message must be the first message"
    if not all(isinstance(message.get("content"), str) for message in messages):
        return "content must be string"
    if unknown := {"tools", "tool_choice", "stream_options", "max_completion_tokens"} & body.keys():
        return f"unknown field {min(unknown)}"
    if body.get("temperature") == 0:
        return "temperature must be in range (0, +inf)"
    if not set(roles) <= {"system", "user", "assistant", "function"}:
        return "unknown role"
    return None


async def _refuse(exchange: Exchange, status: int, message: str) -> None:
    await exchange.respond(status, {"status": status, "message": message})
