"""Text between a prompt and a suffix at llama.cpp's server: its `/completions` passes over `suffix`, and
`/infill` beside its `/v1` speaks a form of its own. Checked against its README of November 2026.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from app.core.ids import random_hex
from app.core.mending import json_of
from app.core.sse import DONE, StreamReader, encode
from app.providers.transport import UpstreamAnswer

Json = dict[str, Any]
_TOLD_OTHERWISE = ("prompt", "suffix", "max_tokens", "max_completion_tokens", "stream_options")


def asked_infill(body: bytes) -> Json | None:
    """The completion that is asked for where it has a suffix; None for all others."""
    if b'"suffix"' not in body:
        return None
    asked = json_of(body)
    if isinstance(asked.get("prompt"), str) and isinstance(asked.get("suffix"), str):
        return asked if asked["suffix"] else None
    return None


def infill_body(asked: Json) -> Json:
    """The same for `/infill`; samplers have the same names there."""
    body = {name: value for name, value in asked.items() if name not in _TOLD_OTHERWISE}
    body |= {"input_prefix": asked["prompt"], "input_suffix": asked["suffix"]}
    most = asked.get("max_tokens", asked.get("max_completion_tokens"))
    return body if most is None else body | {"n_predict": most}


class InfillAnswer(UpstreamAnswer):
    """An answer of `/infill` in the form of `/completions`."""

    def __init__(self, answer: UpstreamAnswer, asked: Json) -> None:
        super().__init__(answer.response, answer.server, answer.model)
        self._streams = asked.get("stream") is True
        options = asked.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._head: Json = {"id": f"cmpl-{random_hex()}", "object": "text_completion"}
        self._head |= {"created": int(time.time()), "model": asked.get("model")}
        self._values = StreamReader()
        self._ended = False

    async def next(self) -> bytes:
        """Some more bytes, empty at the end."""
        if self._seen:
            return await super().next()
        while not self._ended:
            data = await super().next()
            self._ended = not data
            values = self._values.payloads(data) if data else self._values.rest()
            if said := b"".join(map(self._translated, values)):
                return said
        return b""

    def _translated(self, data: bytes) -> bytes:
        try:
            value = json_of(data)
        except ValueError:
            return data  # whoever reads it says what is wrong
        if not isinstance(value, dict) or "content" not in value:
            return encode(value) if self._streams else data
        finished = value.get("stop") is True
        choice = {"index": 0, "text": value["content"], "logprobs": None, "finish_reason": None}
        if finished:
            choice["finish_reason"] = "length" if value.get("stop_type") == "limit" else "stop"
        whole = self._head | {"choices": [choice]}
        if not self._streams:
            return json.dumps(whole | {"usage": _usage(value)}).encode()
        if not finished:
            return encode(whole)
        usage = self._head | {"choices": [], "usage": _usage(value)}
        return encode(whole) + (encode(usage) if self._wants_usage else b"") + DONE


def _usage(value: Mapping[str, Any]) -> Json:
    prompt, answer = value.get("tokens_evaluated"), value.get("tokens_predicted")
    counts = [count if isinstance(count, int) else 0 for count in (prompt, answer)]
    return {
        "prompt_tokens": counts[0],
        "completion_tokens": counts[1],
        "total_tokens": sum(counts),
    }
