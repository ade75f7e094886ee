"""Compare: the same question to several models, side by side, and the person's vote."""

from app.conversation.modes.compare.mode import Compare
from app.conversation.modes.compare.voting import Decision, decided

MODE, PLACE = Compare(), 5

__all__ = ["MODE", "PLACE", "Compare", "Decision", "decided"]
