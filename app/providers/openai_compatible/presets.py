"""What differs between OpenAI-compatible servers, as rows. A new provider is a row here."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.providers.openai_compatible.names import ModelNames, PlainNames


@dataclass(frozen=True, slots=True)
class Preset:
    """Facts about one server, read by the adapter; it never asks who the server is."""

    name: str
    base_url: str
    auth: str = "Bearer"
    """The word before the key in `Authorization`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    names: ModelNames = field(default_factory=PlainNames)
    local: bool = False
    stream_usage: bool = True
    """Takes `stream_options.include_usage`."""
    completion_tokens_field: str = "max_tokens"
    embeddings_at_once: int = 128
    """Texts per embeddings request."""
    lists_all: bool = True
    """Whether a name missing in its list of models is a name it does not know."""
    key_path: str | None = None
    """A path that tells about the key, and so refuses a wrong one."""
    props: bool = False
    """Worth asking llama.cpp's `/props` for the window."""


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "yandex",
            "https://ai.api.cloud.yandex.net/v1",
            auth="Api-Key",
            headers={"x-data-logging-enabled": "false"},
            embeddings_at_once=1,
            lists_all=False,  # tuned models and older names work unlisted
        ),
        Preset(
            "openai",
            "https://api.openai.com/v1",
            completion_tokens_field="max_completion_tokens",
        ),
        Preset("deepseek", "https://api.deepseek.com/v1"),
        Preset(
            "openrouter",
            "https://openrouter.ai/api/v1",
            headers={"X-Title": "Konsilium"},
            key_path="/key",
        ),
    )
}


def any_server(name: str, base_url: str) -> Preset:
    """A row for a server given by its URL; one on this machine or network counts as local."""
    local = is_local(base_url)
    return Preset(name, base_of(base_url), local=local, props=local)


def base_of(url: str) -> str:
    """The base of an endpoint's URL: without a trailing slash and `/chat/completions`."""
    return url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def is_local(url: str) -> bool:
    """Whether the URL leads to this machine or a private network: such a model costs nothing."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".localhost"))
    return address.is_private or address.is_loopback or address.is_link_local
