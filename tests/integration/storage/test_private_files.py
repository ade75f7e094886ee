"""Other accounts of the machine read nothing of what is kept."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys

import httpx
import pytest

from app.storage.database import Database
from app.storage.files import make_private
from app.storage.migrations import apply
from tests.integration.storage.conftest import sqlite_url
from tests.processes import ROOT, clean_environment, konsilium, running, simulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")


@pytest.fixture(autouse=True)
def generous():
    """What this process and its children make may be read by all, as on most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder):
    everything = [folder, *folder.rglob("*")]
    return [
        f"{path} {stat.filemode(path.stat().st_mode)}"
        for path in everything
        if path.stat().st_mode & 0o077
    ]


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        env=clean_environment(DATA_DIR=str(folder)),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    words = [word for word in done.stdout.split() if word.startswith("sk-")]
    return words[0] if words else None


def names_in(folder):
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*")}


def test_all_that_the_app_and_its_commands_keep_is_their_owners_alone(tmp_path):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    old_version(data)
    (data / "files" / "thread").mkdir(parents=True)
    (data / "files" / "thread" / "element").write_bytes(b"mine")
    assert open_to_others(data), "as an older version left it"
    ollama = simulator("ollama", tmp_path)
    app = konsilium(tmp_path, OLLAMA_HOST=ollama.url)
    with running(ollama, app):
        question = {"message": "Are you there?"}
        httpx.post(f"{app.url}/api/chat", json=question, timeout=60).raise_for_status()
        run(data, "db", "backup")
        run(data, "db", "export")
        key = run(data, "keys", "create", "--name", "one", "--rpm", "5")
        with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {key}"}) as http:
            model = http.get("/v1/models").json()["data"][0]["id"]
            asked = {"model": model, "messages": [{"role": "user", "content": "And now?"}]}
            http.post("/v1/chat/completions", json=asked, timeout=60).raise_for_status()
        kept = {"konsilium.db", "konsilium.db-wal", "konsilium.db-shm", "limits.db", "backups"}
        assert kept <= names_in(data)
        assert open_to_others(data) == []
        assert list((data / "pages").glob("*/.files")), "uploads are kept there, too"
    assert open_to_others(data) == []
    (export,) = (data / "backups").glob("*export*.zip")
    run(elsewhere, "db", "import", str(export))
    assert "files" in names_in(elsewhere)
    assert open_to_others(elsewhere) == []


def old_version(data):
    """A folder with a database that the next start migrates, for which it makes a copy first."""

    async def upgrade():
        database = Database(sqlite_url(data))
        await apply.upgrade(database, "0004_cached_answers")
        await database.aclose()

    asyncio.run(upgrade())


def test_what_is_closed_is_left_as_it_is_and_links_out_of_it_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("shared with others")
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to(outside)
    (data / "program").write_text("#!")
    (data / "program").chmod(0o755)
    make_private(data)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert stat.S_IMODE((data / "program").stat().st_mode) == 0o700
    (data / "later").write_text("")
    assert stat.S_IMODE((data / "later").stat().st_mode) == 0o600
    shutil.rmtree(data)
    make_private(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
