"""Konsilium: a self-hosted chat with a council of models."""

__version__ = "0.1.0"
