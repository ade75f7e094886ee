"""All tables on one MetaData, a module a room. Import it to have them all."""

from app.storage.tables.base import metadata
from app.storage.tables.cache import cached_answers, cached_terms
from app.storage.tables.compression import compression_blocks, compression_heads, pinned_facts
from app.storage.tables.conversation import elements, feedback, running_turns, steps, threads
from app.storage.tables.keys import api_keys
from app.storage.tables.people import documents, processes, users
from app.storage.tables.usage import usage

__all__ = [
    "api_keys",
    "cached_answers",
    "cached_terms",
    "compression_blocks",
    "compression_heads",
    "documents",
    "elements",
    "feedback",
    "metadata",
    "pinned_facts",
    "processes",
    "running_turns",
    "steps",
    "threads",
    "usage",
    "users",
]
