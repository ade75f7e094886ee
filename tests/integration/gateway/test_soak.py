import pytest

from tests.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(90)
async def test_random_faults_leave_nothing_behind():
    tally = await soak(12.0)
    assert tally.broken == []
    assert tally.left["tasks"] <= 0
    assert tally.left["generations"] == 0
    assert tally.left["places"] == 0
    assert tally.left["connections"] <= 0
    assert tally.left["descriptors"] <= 0
    assert tally.outcomes["complete"] > 100
    assert tally.outcomes["left"] > 50
