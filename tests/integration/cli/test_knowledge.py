"""Knowledge bases from the command line."""

from tests.attachment_files import a_pdf
from tests.integration.cli.test_administration import shell

__all__ = ["shell"]


async def test_a_folder_becomes_a_base_and_again_only_what_changed(shell, tmp_path):
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# Plan\nThe harvest begins in May", encoding="utf-8")
    (folder / "deep" / "b.txt").write_text("A teapot costs 12 euro", encoding="utf-8")
    (folder / "c.exe").write_bytes(b"MZ")
    (folder / ".hidden.txt").write_text("secret", encoding="utf-8")
    code, out, _ = await shell("knowledge", "add", "Papers", str(folder))
    assert (code, out.splitlines()[-1]) == (0, "Added: 2, unchanged: 0, not read: 0.")
    (folder / "a.md").write_text("# Plan\nThe vintage begins in June", encoding="utf-8")
    code, out, _ = await shell("knowledge", "add", "Papers", str(folder))
    assert out.splitlines()[-1] == "Added: 1, unchanged: 1, not read: 0."
    assert "documents: 2" in (await shell("knowledge", "list"))[1]
    assert "deep/b.txt" in (await shell("knowledge", "list", "Papers"))[1]
    assert "1. deep/b.txt" in (await shell("knowledge", "search", "Papers", "teapots"))[1]
    assert (await shell("knowledge", "search", "Papers", "harvest"))[1] == "Nothing was found.\n"
    assert (await shell("knowledge", "remove", "Papers", "a.md"))[0] == 0
    assert (await shell("knowledge", "remove", "Papers"))[0] == 0
    assert "There are no" in (await shell("knowledge", "list"))[1]


async def test_pages_without_text_are_said(shell, tmp_path):
    (tmp_path / "a.pdf").write_bytes(a_pdf("First harvest", "", "Last vintage"))
    _, out, _ = await shell("knowledge", "add", "Papers", str(tmp_path / "a.pdf"))
    assert "passages: 2\nWithout text: p. 2" in out


async def test_what_is_not_there_is_said(shell, tmp_path):
    for command in (
        ("list", "None"),
        ("search", "None", "x"),
        ("remove", "None"),
        ("add", "A", str(tmp_path / "none.txt")),
        ("list", "--user", "nobody"),
    ):
        code, _, error = await shell("knowledge", *command)
        assert (code, "no" in error) == (1, True), command


async def test_a_file_that_cannot_be_read_is_named_and_the_others_are_kept(shell, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "b.txt").write_text("whole", encoding="utf-8")
    code, out, error = await shell(
        "knowledge", "add", "A", str(tmp_path / "a.pdf"), str(tmp_path / "b.txt")
    )
    assert (code, "a.pdf" in error) == (1, True)
    assert "Added: 1, unchanged: 0, not read: 1." in out
