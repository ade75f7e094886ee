"""Ollama through its native API."""

from app.providers.ollama.server import OllamaServer

__all__ = ["OllamaServer"]
