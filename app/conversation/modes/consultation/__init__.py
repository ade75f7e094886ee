"""The council: `mode` is the flow, the other modules are its parts."""

from app.conversation.modes.consultation.mode import Consultation

__all__ = ["Consultation"]
