"""Dialogue of models: `mode` is the flow; participants, transcript and ending are its parts."""

from app.conversation.modes.dialogue.mode import Dialogue, continuation
from app.conversation.modes.dialogue.participants import (
    Participant,
    ParticipantsInvalid,
    default_participants,
    parse_participants,
    written_participants,
)

MODE, PLACE = Dialogue(), 2

__all__ = [
    "MODE",
    "PLACE",
    "Dialogue",
    "Participant",
    "ParticipantsInvalid",
    "continuation",
    "default_participants",
    "parse_participants",
    "written_participants",
]
