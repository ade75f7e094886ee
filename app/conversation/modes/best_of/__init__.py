"""Best of N: `mode` is the flow; candidates, selection, judge and promotion are its parts."""

from app.conversation.modes.best_of.mode import BestOf
from app.conversation.modes.best_of.promotion import promoted

MODE, PLACE = BestOf(), 4

__all__ = ["MODE", "PLACE", "BestOf", "promoted"]
