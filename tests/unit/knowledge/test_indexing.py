"""What becomes of a document that is read for a base."""

from typing import NoReturn

from app.core.errors import StorageUnavailable
from app.knowledge.indexing import IndexingQueue
from app.knowledge.library import Library
from tests.waiting import until


class Broken(Library):
    """With a fault that nobody has thought of."""

    def __init__(self) -> None:
        """Nothing is ever kept."""

    async def add(self, *document: object, **options: object) -> NoReturn:
        raise ZeroDivisionError("a fault of ours")


async def test_a_document_whose_reading_fails_is_not_being_read_for_good(tmp_path, caplog):
    path = tmp_path / "kept"
    path.write_bytes(b"text")
    queue = IndexingQueue(Broken())
    queue.take("base", "ann", path, "notes.txt", "text/plain")
    await until(lambda: queue.of("base")[0].refused is not None)
    [document] = queue.of("base")
    assert isinstance(document.refused, StorageUnavailable)
    assert "a fault of ours" in caplog.text
    await until(lambda: not path.exists())
