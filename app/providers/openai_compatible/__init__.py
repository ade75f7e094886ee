"""Servers that speak OpenAI's protocol: clouds by presets, and any other by its URL."""

from app.core.ports import NewcomerServer
from app.core.providers import Preset, any_server
from app.providers.deadline import timeouts_for
from app.providers.openai_compatible.refused import RefusedParameters
from app.providers.openai_compatible.server import OpenAICompatibleServer


def connected(
    preset: Preset,
    key: str = "",
    *,
    first_token: float | None = None,
    refused: RefusedParameters | None = None,
) -> NewcomerServer:
    """The server; `first_token` as in `timeouts_for`; `refused` is shared by all of the process."""
    timeouts = timeouts_for(local=preset.local, first_token=first_token)
    return OpenAICompatibleServer(preset, key, timeouts=timeouts, refused=refused)


__all__ = ["Preset", "RefusedParameters", "any_server", "connected"]
