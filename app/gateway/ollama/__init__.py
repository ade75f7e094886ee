"""Ollama's API, under /ollama and where it does not clash with ours under /api, over every model."""
