"""Servers that speak OpenAI's protocol: clouds by presets, and any other by its URL."""

from app.core.ports import NewcomerServer
from app.providers.openai_compatible.presets import Preset, any_server


def connected(preset: Preset, key: str = "") -> NewcomerServer:
    """The server. `openai` and its types take half a second to import: only those who have such a
    server wait for it."""
    from app.providers.openai_compatible.server import OpenAICompatibleServer

    return OpenAICompatibleServer(preset, key)


__all__ = ["Preset", "any_server", "connected"]
