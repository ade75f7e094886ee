"""Users and the database from the command line."""

import contextlib
import io
import sqlite3
import subprocess
import zipfile

import pytest

from app.cli import parser
from app.cli.terminal import Terminal
from app.core.errors import KonsiliumError
from app.settings import Settings
from tests.processes import CHAINLIT, ROOT, app_root, clean_environment, free_port, run_command


@pytest.fixture
def shell(tmp_path):
    async def run(*args, typed="", folder="data", **configured):
        out, err = io.StringIO(), io.StringIO()
        settings = Settings(data_dir=tmp_path / folder, **configured)
        terminal = Terminal("en", settings, out, err, io.StringIO(typed))
        parsed = parser().parse_args(args)
        try:
            code = await parsed.run(parsed, terminal)
        except KonsiliumError as error:
            return 1, "", error.detail
        return code, out.getvalue(), err.getvalue()

    return run


async def test_users_are_added_listed_disabled_and_let_in_again(shell):
    assert (await shell("users", "list"))[1] == "There are no users.\n"
    code, _, error = await shell("users", "add", "ann", typed="short\n")
    assert (code, error) == (1, "The password is shorter than 8 characters.\n")
    code, out, _ = await shell("users", "add", "ann", "--admin", typed="long enough\n")
    assert (code, out) == (0, "✅ The user ann can sign in.\n")
    code, out, _ = await shell("users", "list")
    assert out.split()[:3] == ["ann", "—", "admin"]
    assert (await shell("users", "disable", "ann"))[0] == 0
    assert "disabled" in (await shell("users", "list"))[1]
    assert (await shell("users", "enable", "ann"))[0] == 0
    assert "disabled" not in (await shell("users", "list"))[1]
    code, _, error = await shell("users", "disable", "nobody")
    assert (code, error) == (1, "There is no user nobody.\n")


async def test_the_database_is_upgraded_backed_up_exported_and_imported(shell, tmp_path):
    assert (await shell("db", "upgrade"))[0] == 0
    await shell("users", "add", "ann", typed="long enough\n")
    for command in ("backup", "export"):
        path = str(tmp_path / f"{command}.zip")
        code, out, error = await shell("db", command, path)
        assert (code, error) == (0, "")
        assert (tmp_path / f"{command}.zip").exists()
        code, _, error = await shell("db", command, path)
        assert (code, "exists already" in error) == (1, True)
    code, out, error = await shell("db", "import", str(tmp_path / "export.zip"), folder="new")
    assert (code, error) == (0, "")
    assert "users: 1" in out
    assert "ann" in (await shell("users", "list", folder="new"))[1]
    (tmp_path / "text.zip").write_text("no zip")
    for missing in ("nothing.zip", "text.zip", "backup.zip"):
        assert (await shell("db", "import", str(tmp_path / missing), folder="third"))[0] == 1


async def test_an_export_that_cannot_be_imported_is_said_in_words(shell, tmp_path):
    assert (await shell("db", "export", str(tmp_path / "export.zip")))[0] == 0
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as out:
        out.writestr("manifest.json", '{"format": 1, "revisions": ["9999_later"]}')
    with zipfile.ZipFile(tmp_path / "damaged.zip", "w") as out:
        out.writestr("manifest.json", '{"format": 1, "revisions": ["0001_initial"]}')
        out.writestr("tables/users.jsonl", '{"id": "u"')
    for name, words in (
        ("nothing.zip", "There is no file"),
        ("text.zip", "is no export of Konsilium."),
        ("newer.zip", "was exported by a newer version of Konsilium: update this one."),
        ("damaged.zip", "is damaged: tables/users.jsonl:1. Nothing was imported."),
    ):
        code, out, error = await shell("db", "import", str(tmp_path / name), folder="new")
        assert (code, out) == (1, "")
        assert words in error


def test_a_database_of_a_newer_version_is_said_in_words_by_every_command_and_at_start(tmp_path):
    environment = clean_environment(
        DATA_DIR=str(tmp_path), CHAINLIT_APP_ROOT=str(app_root(tmp_path / "root"))
    )

    def said(*arguments):
        if arguments[0] == str(CHAINLIT):
            done = subprocess.run(
                arguments, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100
            )
            return done.returncode, done.stdout + done.stderr
        code, out, err = run_command(*arguments, environment=environment)
        return code, out + err

    assert said("db", "upgrade")[0] == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "konsilium.db")) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999_later'")
        file.commit()
    app = (str(CHAINLIT), "run", str(ROOT / "app" / "chainlit_app.py"), "--headless")
    port = str(free_port())
    for arguments in (
        ("db", "upgrade"),
        ("db", "backup"),
        ("users", "list"),
        ("doctor",),
        ("gateway", "--port", port),
        (*app, "--port", port),
    ):
        code, words = said(*arguments)
        assert code == 1, arguments
        assert "A newer version of Konsilium has already migrated the database" in words
        assert "Traceback" not in words
    assert not (tmp_path / "backups").exists()


def test_a_wrong_setting_is_said_in_words_at_start(tmp_path):
    environment = clean_environment(
        DATA_DIR=str(tmp_path),
        CHAINLIT_APP_ROOT=str(app_root(tmp_path / "root")),
        AUTH_MODE="nobody",
        APP_LANGUAGE="uk",
    )
    app = (str(CHAINLIT), "run", str(ROOT / "app" / "chainlit_app.py"), "--headless")
    done = subprocess.run(
        (*app, "--port", str(free_port())),
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Хибне налаштування AUTH_MODE")
    assert "Traceback" not in done.stderr
