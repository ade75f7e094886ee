"""How the OpenAI-compatible servers of the table of providers, and any other, are talked to."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.core.providers import PROVIDERS, Preset, base_of

PRESETS: Mapping[str, Preset] = {one.name: one.preset for one in PROVIDERS if one.preset}


def any_server(name: str, base_url: str) -> Preset:
    """A server given by its URL; one on this machine or network counts as local."""
    local = is_local(base_url)
    return Preset(name, base_of(base_url), local=local, props=local)


def is_local(url: str) -> bool:
    """Whether the URL leads to this machine or a private network: such a model costs nothing."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".localhost"))
    return address.is_private or address.is_loopback or address.is_link_local


__all__ = ["PRESETS", "Preset", "any_server", "base_of", "is_local"]
