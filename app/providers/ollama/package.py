"""The package `ollama`, imported so that it reads nothing of the environment.

At its import it makes a client of its own, from OLLAMA_HOST, which may name several servers here and
then is no address, and from the proxies of the environment, of which httpx knows no socks. What it
gives us are the shapes of Ollama's answers; the way to a server is `client.OllamaClient`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_READ_AT_IMPORT = ("ollama_host", "ollama_api_key", "all_proxy", "http_proxy", "https_proxy")


@contextmanager
def _without_environment() -> Iterator[None]:
    hidden = {
        name: os.environ.pop(name) for name in list(os.environ) if name.lower() in _READ_AT_IMPORT
    }
    try:
        yield
    finally:
        os.environ.update(hidden)


with _without_environment():
    from ollama import ShowResponse

__all__ = ["ShowResponse"]
