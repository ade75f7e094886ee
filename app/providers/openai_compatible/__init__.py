"""Servers that speak OpenAI's protocol: clouds by presets, and any other by its URL."""

from app.core.ports import NewcomerServer
from app.providers.openai_compatible.presets import PRESETS, Preset, any_server


def connected(preset: Preset, key: str = "", project: str | None = None) -> NewcomerServer:
    """The server. `openai` and its types take half a second to import: only those who have such a
    server wait for it."""
    from app.providers.openai_compatible.server import OpenAICompatibleServer

    return OpenAICompatibleServer(preset, key, project=project)


__all__ = ["PRESETS", "Preset", "any_server", "connected"]
