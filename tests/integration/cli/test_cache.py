"""The answer cache from the command line."""

from tests.integration.cli.test_administration import shell

__all__ = ["shell"]


async def test_limits_are_shown_and_changed(shell):
    assert "offer_from  0.7" in (await shell("cache", "show"))[1]
    code, out, _ = await shell("cache", "set", "offer_from=0.8", "shared=on", "days=30")
    assert code == 0
    assert "offer_from  0.8" in out
    code, out, _ = await shell("cache", "set", "cosines=here/e5:0.97", "cosines=ollama/bge-m3:0.8")
    assert code == 0
    assert "{'here/e5': 0.97, 'ollama/bge-m3': 0.8}" in out
    out = (await shell("cache", "show"))[1]
    assert "shared      True" in out
    assert "days        30.0" in out


async def test_what_does_not_fit_changes_nothing(shell):
    for given in (
        "offer_from=much",
        "cosines=0.9x",
        "days=-1",
        "nothing=1",
        "shared=perhaps",
        "aliases=x",
    ):
        code, _, error = await shell("cache", "set", given)
        assert (code, given in error) == (2, True)
    assert "0.7" in (await shell("cache", "show"))[1]


async def test_aliases_come_from_a_file(shell, tmp_path):
    file = tmp_path / "aliases.txt"
    file.write_text("# names\nХДУ = Херсонський державний університет\n", encoding="utf-8")
    assert (await shell("cache", "aliases", str(file)))[1].startswith("Groups of names: 1.")
    assert "ХДУ" in (await shell("cache", "aliases"))[1]
    assert (await shell("cache", "aliases", str(tmp_path / "none")))[0] == 1


async def test_purging_an_empty_cache(shell):
    assert await shell("cache", "purge") == (0, "Answers deleted: 0.\n", "")
