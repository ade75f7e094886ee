"""The council: `mode` is the flow, the other modules are its parts."""

from app.conversation.modes.consultation.mode import Consultation

MODE, PLACE = Consultation(), 2

__all__ = ["MODE", "PLACE", "Consultation"]
