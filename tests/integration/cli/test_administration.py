"""Users and the database from the command line."""

import io

import pytest

from app.cli import parser
from app.cli.terminal import Terminal
from app.core.errors import KonsiliumError
from app.settings import Settings


@pytest.fixture
def shell(tmp_path):
    async def run(*args, typed="", folder="data"):
        out, err = io.StringIO(), io.StringIO()
        settings = Settings(data_dir=tmp_path / folder)
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
