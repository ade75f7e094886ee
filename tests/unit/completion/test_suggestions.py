"""A first model fits the machine."""

from pathlib import Path

import pytest

from app.completion.suggestions import MODEST, SUGGESTIONS, memory_bytes, suggestion


@pytest.mark.parametrize("gigabytes", [1, 2, 4, 8, 16, 32, 64, 512])
def test_it_leaves_room_for_everything_else(gigabytes: int):
    chosen = suggestion(gigabytes * 2**30)
    assert chosen.size_bytes < gigabytes * 2**30 * 0.8
    assert gigabytes < 4 or chosen.size_bytes < gigabytes * 2**30 / 2


def test_more_memory_means_a_larger_model():
    assert suggestion(64 * 10**9) is SUGGESTIONS[0]
    assert suggestion(2 * 10**9) is SUGGESTIONS[-1]
    assert suggestion(None) is MODEST


def test_a_container_has_what_it_was_given(tmp_path: Path):
    limit = tmp_path / "memory.max"
    whole = memory_bytes(limit)
    limit.write_text("1000000\n")
    assert memory_bytes(limit) == 1_000_000
    limit.write_text("max\n")
    assert memory_bytes(limit) == whole
