"""A folder is kept as a base: what comes, changes and goes there does in the base, and nothing else."""

import os

import pytest_asyncio

from app.knowledge.folders import WatchedFolders, files_in, parsed_folders
from app.knowledge.library import Library
from app.storage.storage import Storage


@pytest_asyncio.fixture
async def house(tmp_path):
    storage = await Storage(f"sqlite+aiosqlite:///{tmp_path / 'k.db'}", tmp_path / "data").open()
    user = (await storage.users.add("ann")).id
    folder = tmp_path / "papers"
    folder.mkdir()

    async def owner():
        return user

    def watching():
        """As a process that has just started."""
        library = Library(storage.knowledge)
        return WatchedFolders(library, storage.key_values, {"Papers": folder}, owner)

    async def names():
        (base,) = await storage.knowledge.bases(user)
        return [one.name for one in await storage.knowledge.documents(base.id, user)]

    yield storage, user, folder, watching, names
    await storage.aclose()


async def test_what_comes_changes_and_goes_in_the_folder_does_in_the_base(house):
    storage, user, folder, watching, names = house
    (folder / "sub").mkdir()
    (folder / "a.txt").write_text("harvest")
    (folder / "sub" / "b.md").write_text("vintage")
    (folder / ".hidden.txt").write_text("secret")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    watched = watching()
    await watched.look("Papers", folder)
    assert await names() == ["a.txt", "sub/b.md"]
    (base,) = await storage.knowledge.bases(user)
    assert base.shared
    (folder / "a.txt").write_text("an orchard")
    os.utime(folder / "a.txt", (1, 1))
    (folder / "sub" / "b.md").unlink()
    await watched.look("Papers", folder)
    assert await names() == ["a.txt"]
    found = await Library(storage.knowledge).search([base.id], user, "orchards")
    assert [one.passage.text for one in found] == ["an orchard"]


async def test_a_folder_that_is_away_and_what_was_uploaded_change_nothing(house, tmp_path):
    storage, user, folder, watching, names = house
    (folder / "a.txt").write_text("harvest")
    (folder / "b.txt").write_text("vintage")
    await watching().look("Papers", folder)
    (base,) = await storage.knowledge.bases(user)
    (tmp_path / "mine.txt").write_text("by hand")
    await Library(storage.knowledge).add(base.id, user, tmp_path / "mine.txt", "mine.txt")
    folder.rename(tmp_path / "away")
    await watching().look("Papers", folder)
    folder.mkdir()
    await watching().look("Papers", folder)
    assert await names() == ["a.txt", "b.txt", "mine.txt"]
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    (folder / "a.txt").unlink()
    await watching().look("Papers", folder)
    assert await names() == ["b.txt", "mine.txt"]


async def test_what_could_not_be_kept_is_tried_at_the_next_look(house):
    storage, user, folder, watching, names = house
    (folder / "a.txt").write_text("harvest")
    watched = watching()
    await watched.look("Papers", folder)
    (folder / "b.txt").write_text("vintage")
    here = folder.parent / "data" / "files" / (await storage.knowledge.bases(user))[0].id
    here.rename(here.with_suffix(".away"))
    here.write_text("in the way")
    await watched.look("Papers", folder)
    assert await names() == ["a.txt"]
    here.unlink()
    here.with_suffix(".away").rename(here)
    await watched.look("Papers", folder)
    assert await names() == ["a.txt", "b.txt"]


def test_files_of_one_name_stay_apart(tmp_path):
    for name in ("x/a/report.txt", "y/a/report.txt", "y/b/report.txt", "y/b/other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    def names(*paths):
        return sorted(name for _, name in files_in(tmp_path / path for path in paths))

    assert names("y/b") == ["other.txt", "report.txt"]
    assert names("y/a", "y/b") == ["a/report.txt", "b/report.txt", "other.txt"]
    assert names("x/a", "y/a/report.txt") == ["x/a/report.txt", "y/a/report.txt"]
    assert names("y/b", "y/b/report.txt") == ["other.txt", "report.txt"]


def test_folders_are_written_by_name():
    assert {n: str(p) for n, p in parsed_folders("A=/srv/a, B b = /srv/b=c,, x").items()} == {
        "A": "/srv/a",
        "B b": "/srv/b=c",
    }
