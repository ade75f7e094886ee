"""Counting tokens, which several servers do, each in its own form."""

from typing import Any

from app.core.reading import read_json
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol


def question(model: str, text: str) -> dict[str, Any]:
    """The body of a request: llama.cpp and what is proposed for Ollama read `content`, vLLM and SGLang
    `prompt`, GigaChat `input`; each leaves the others' fields alone."""
    return {"model": model, "content": text, "prompt": text, "input": [text]}


def tokens_in(body: bytes, server: str, model: str) -> int:
    """How many there are: `count` where it is said, the sum over the texts (GigaChat), else the length of
    `tokens`. Raises MalformedAnswer."""
    try:
        said = read_json(body)
        if isinstance(said, list):
            return sum(int(one["tokens"]) for one in said)
        count = said.get("count")
        return count if isinstance(count, int) else len(said["tokens"])
    except WRONG_SHAPE as error:
        raise not_the_protocol(server, model, body) from error
