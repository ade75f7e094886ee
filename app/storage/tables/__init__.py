"""All tables on one MetaData, a module a room. Import it to have them all."""

from app.storage.tables.base import metadata
from app.storage.tables.conversation import elements, feedback, running_turns, steps, threads
from app.storage.tables.people import documents, processes, users
from app.storage.tables.usage import usage

__all__ = [
    "documents",
    "elements",
    "feedback",
    "metadata",
    "processes",
    "running_turns",
    "steps",
    "threads",
    "usage",
    "users",
]
