"""Everything that is kept, opened once a process."""

from pathlib import Path

from app.storage.answers import CachedAnswers
from app.storage.compression import Compressions
from app.storage.database import Database
from app.storage.elements import Elements
from app.storage.files import LocalFiles
from app.storage.history import Conversations
from app.storage.key_value import KeyValues
from app.storage.knowledge import Knowledge
from app.storage.migrations import apply
from app.storage.presets import Presets
from app.storage.processes import Leases, Process
from app.storage.threads import Threads
from app.storage.turns import StoredTurns
from app.storage.usage import StoredUsage
from app.storage.users import ApiKeys, Users
from app.storage.votes import Votes


class Storage:
    """The stores of one database and one folder: `await Storage(url, folder).open()`."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.url = url
        self.data_dir = data_dir
        self.database = Database(url)
        self.files = LocalFiles(data_dir / "files")
        self.process = Process(self.database, data_dir=data_dir)
        self.turns = StoredTurns(self.database, self.files, self.process.id)
        self.leases = Leases(self.database, self.process)
        self.threads = Threads(self.database, self.files)
        self.conversations = Conversations(self.database, self.files)
        self.compressions = Compressions(self.database)
        self.elements = Elements(self.database, self.files)
        self.users = Users(self.database)
        self.key_values = KeyValues(self.database)
        self.usage = StoredUsage(self.database)
        self.keys = ApiKeys(self.database)
        self.answers = CachedAnswers(self.database)
        self.votes = Votes(self.database)
        self.presets = Presets(self.database)
        self.knowledge = Knowledge(self.database, self.files)

    async def open(self) -> "Storage":
        """Migrates the database, marks what a dead process left, and joins the living.

        Raises StorageUnavailable.
        """
        await apply.upgrade(self.database)
        await self.process.join()
        return self

    async def aclose(self) -> None:
        """Signs off and closes all connections."""
        await self.process.leave()
        await self.database.aclose()
