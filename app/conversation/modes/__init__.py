"""The ways to answer, in the order of the picker. A new mode is a module here and a line below."""

from app.conversation.mode import Mode
from app.conversation.modes.best_of import BestOf
from app.conversation.modes.chat import Chat
from app.conversation.modes.consultation import Consultation
from app.conversation.modes.dialogue import Dialogue
from app.core.notes import COMMON, Note

MODES: tuple[Mode, ...] = (Chat(), Consultation(), Dialogue(), BestOf())
NOTES: tuple[type[Note], ...] = (*COMMON, *(note for mode in MODES for note in mode.notes))


def mode_named(mode_id: str) -> Mode:
    """The mode of that id; plain chat for an id of a version that is gone."""
    return next((mode for mode in MODES if mode.id == mode_id), MODES[0])
