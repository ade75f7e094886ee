"""Servers that speak OpenAI's protocol: clouds by presets, and any other by its URL."""

from app.providers.openai_compatible.presets import PRESETS, Preset, any_server
from app.providers.openai_compatible.server import OpenAICompatibleServer

__all__ = ["PRESETS", "OpenAICompatibleServer", "Preset", "any_server"]
