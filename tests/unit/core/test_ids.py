"""Identifiers are UUIDs of version 4, and no two are alike, in a child of this process neither."""

import os
from uuid import RFC_4122, UUID

import pytest

from app.core.ids import new_id


def test_identifiers_are_uuids_of_version_4_and_no_two_are_alike() -> None:
    made = [new_id() for _ in range(2_000)]
    assert len(set(made)) == 2_000
    for each in made:
        parsed = UUID(each)
        assert (str(parsed), parsed.version, parsed.variant) == (each, 4, RFC_4122)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_gives_out_none_of_its_parents() -> None:
    new_id()
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(write, " ".join(new_id() for _ in range(300)).encode())
        finally:
            os._exit(0)  # whatever happens: a child never runs the other tests
    os.waitpid(child, 0)
    theirs = os.read(read, 100_000).decode().split()
    assert len(theirs) == 300
    assert not set(theirs) & {new_id() for _ in range(300)}
