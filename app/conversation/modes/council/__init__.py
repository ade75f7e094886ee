"""The peer council: `mode` is the flow; members, blind, ranking, report and agreement are its parts."""

from app.conversation.modes.council.mode import Council
from app.conversation.modes.council.promotion import preferred

MODE, PLACE = Council(), 1

__all__ = ["MODE", "PLACE", "Council", "preferred"]
