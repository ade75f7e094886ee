"""A first model fits the machine."""

from pathlib import Path

import pytest

from app.completion.suggestions import SUGGESTIONS, memory_bytes, runs, suggestion


@pytest.mark.parametrize("gigabytes", [1, 2, 4, 8, 16, 32, 64, 512])
def test_it_leaves_room_for_everything_else(gigabytes: int):
    chosen = suggestion(gigabytes * 2**30)
    assert chosen.size_bytes < gigabytes * 2**30 * 0.8
    assert gigabytes < 4 or chosen.size_bytes < gigabytes * 2**30 / 2


def test_more_memory_means_a_larger_model():
    assert suggestion(64 * 10**9) is SUGGESTIONS[0]
    assert suggestion(10**9) is SUGGESTIONS[-1]
    assert suggestion(None).size_bytes < 4 * 10**9


def test_rows_that_need_more_memory_stand_first():
    needed = [one.memory_bytes for one in SUGGESTIONS]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 0


@pytest.mark.parametrize("language", ["ru", "uk"])
@pytest.mark.parametrize("gigabytes", [2, 4, 8, 16, 64])
def test_readers_are_offered_a_model_that_speaks_their_language(gigabytes: int, language):
    assert language in suggestion(gigabytes * 2**30, language).languages


def test_an_older_server_is_offered_what_it_can_run():
    old = suggestion(64 * 10**9, "uk", "0.13.0")
    assert runs(old, "0.13.0")
    assert "uk" in old.languages
    assert not runs(SUGGESTIONS[0], "0.13.0")
    assert runs(SUGGESTIONS[0], "0.31.1")
    assert runs(SUGGESTIONS[0], "0.20.0-rc1")
    assert runs(SUGGESTIONS[0], None)


def test_a_container_has_what_it_was_given(tmp_path: Path):
    limit = tmp_path / "memory.max"
    whole = memory_bytes(limit)
    limit.write_text("1000000\n")
    assert memory_bytes(limit) == 1_000_000
    limit.write_text("max\n")
    assert memory_bytes(limit) == whole
