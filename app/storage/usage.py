"""What model calls took, kept for ever."""

from collections.abc import Sequence

from app.core.usage import CallRecord
from app.storage.database import Database
from app.storage.rows import call_values
from app.storage.tables import usage
from app.storage.upsert import upsert


class UsageRecords:
    """Implements `core.ports.UsageLog`. Calls of turns are kept by the turns themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        thread_id: str | None,
        user_id: str | None,
        turn_id: str | None,
        calls: Sequence[CallRecord],
        *,
        key_id: str | None = None,
    ) -> None:
        """Keeps calls made outside a turn, or after it: the gateway's, titles, summaries.

        An id never counts twice. Raises StorageUnavailable.
        """
        asked = {"user_id": user_id, "key_id": key_id, "thread_id": thread_id, "turn_id": turn_id}
        async with self._database.writing() as connection:
            rows = [call_values(c) | asked for c in calls]
            await connection.run_sync(upsert, usage, rows, ["id"], [])
