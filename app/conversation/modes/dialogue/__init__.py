"""Dialogue of models: `mode` is the flow; participants, transcript and ending are its parts."""

from app.conversation.modes.dialogue.mode import Dialogue, continuation
from app.conversation.modes.dialogue.participants import (
    MAX_PARTICIPANTS,
    Participant,
    ParticipantsInvalid,
    default_participants,
    parse_participants,
    written_participants,
)

MODE, PLACE = Dialogue(), 3

__all__ = [
    "MAX_PARTICIPANTS",
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
