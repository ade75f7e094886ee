"""Fetching a model over real sockets, from a hub that breaks off, stalls, lies and refuses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.errors import (
    DiskFull,
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    ServerFault,
    ServerUnavailable,
    WrongKey,
)
from app.providers.embedded.download import TRIES, Download, part_of
from app.providers.embedded.hub import Hub, HubFile
from tests.simulators.hub import Fault, HubSimulator
from tests.waiting import until

CONTENT = bytes(range(256)) * 12_000
"""3 MB."""
SILENCE = 20.0
FILE = HubFile("test/babbler", "babbler.gguf")


@contextlib.asynccontextmanager
async def hub_of(simulator: HubSimulator, silence_seconds: float = SILENCE) -> AsyncIterator[Hub]:
    async with simulator:
        hub = Hub(simulator.url, silence_seconds=silence_seconds)
        try:
            yield hub
        finally:
            await hub.aclose()


def download(hub: Hub, target: Path, file: HubFile = FILE) -> Download:
    return Download(hub, file, target, first_pause=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "babbler.gguf"


def came(target: Path) -> bool:
    return target.exists() and target.read_bytes() == CONTENT


def left_of(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


async def test_it_comes_whole_and_checked(target: Path) -> None:
    simulator = HubSimulator(CONTENT)
    async with hub_of(simulator) as hub:
        facts = await hub.facts(FILE)
        assert (facts.size, facts.sha256) == (len(CONTENT), simulator.sha256)
        assert await hub.licence(FILE) == "apache-2.0"
        fetched = download(hub, target)
        await fetched.run()
    assert came(target)
    assert left_of(target) == ["babbler.gguf"]
    assert (fetched.completed, fetched.size) == (len(CONTENT), len(CONTENT))
    assert simulator.ranges == [""]


@pytest.mark.parametrize("kind", ["break", "stall"])
async def test_broken_off_it_goes_on_where_it_stopped(target: Path, kind) -> None:
    simulator = HubSimulator(CONTENT, Fault(kind, 1_000_000), Fault(kind, 500_000))
    async with hub_of(simulator, 1 if kind == "stall" else SILENCE) as hub:
        await download(hub, target).run()
    assert came(target)
    assert simulator.ranges == ["", "bytes=1000000-", "bytes=1500000-"]


async def test_after_a_restart_it_goes_on_too(target: Path) -> None:
    simulator = HubSimulator(CONTENT)
    simulator.pause = 0.005
    async with hub_of(simulator) as hub:
        first = download(hub, target)
        running = asyncio.create_task(first.run())
        await until(lambda: first.completed >= 2**20)
        assert first.speed is None or first.speed > 0
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        here = part_of(target, simulator.sha256).stat().st_size
        assert here == first.completed
        simulator.pause = 0
        await download(hub, target).run()
    assert came(target)
    assert simulator.ranges == ["", f"bytes={here}-"]


async def test_a_hub_that_cannot_resume_is_read_from_the_start(target: Path) -> None:
    simulator = HubSimulator(CONTENT, Fault("break", 1_000_000), Fault("no_range"))
    async with hub_of(simulator) as hub:
        await download(hub, target).run()
    assert came(target)


async def test_another_part_than_was_asked_for_is_not_taken(target: Path) -> None:
    simulator = HubSimulator(CONTENT, Fault("break", 1_000_000), Fault("other_part"))
    async with hub_of(simulator) as hub:
        with pytest.raises(MalformedAnswer):
            await download(hub, target).run()
    assert not came(target)


async def test_a_wrong_checksum_leaves_nothing(target: Path) -> None:
    simulator = HubSimulator(CONTENT)
    simulator.sha256 = "0" * 64
    async with hub_of(simulator) as hub:
        with pytest.raises(MalformedAnswer, match="checksum"):
            await download(hub, target).run()
    assert left_of(target) == []


async def test_a_given_checksum_stands_before_the_hubs(target: Path) -> None:
    simulator = HubSimulator(CONTENT)
    async with hub_of(simulator) as hub:
        with pytest.raises(MalformedAnswer, match="checksum"):
            await download(hub, target, HubFile(FILE.repo, FILE.file, "1" * 64)).run()
        await download(hub, target, HubFile(FILE.repo, FILE.file, simulator.sha256)).run()
    assert came(target)


async def test_faults_that_pass_are_waited_out(target: Path) -> None:
    simulator = HubSimulator(CONTENT, *[Fault("status")] * (TRIES - 1))
    async with hub_of(simulator) as hub:
        await download(hub, target).run()
    assert came(target)


async def test_faults_that_stay_are_said(target: Path) -> None:
    simulator = HubSimulator(CONTENT, *[Fault("status")] * 100)
    async with hub_of(simulator) as hub:
        with pytest.raises(ServerFault, match="503"):
            await download(hub, target).run()
    assert len(simulator.ranges) == TRIES


@pytest.mark.parametrize(
    ("status", "error"), [(404, ModelNotFound), (401, WrongKey), (403, WrongKey)]
)
async def test_a_refusal_is_said_at_once(
    target: Path, status: int, error: type[KonsiliumError]
) -> None:
    simulator = HubSimulator(CONTENT)
    simulator.status = status
    async with hub_of(simulator) as hub:
        with pytest.raises(error):
            await download(hub, target).run()
    assert simulator.asked == ["HEAD"]


async def test_no_room_on_the_disk_is_said_before_anything_is_fetched(target: Path) -> None:
    simulator = HubSimulator(CONTENT)
    simulator.size = 10**16
    async with hub_of(simulator) as hub:
        with pytest.raises(DiskFull, match="the disk is full"):
            await download(hub, target).run()
    assert simulator.ranges == []


async def test_a_full_disk_in_mid_download_is_said(tmp_path: Path) -> None:
    target = tmp_path / "babbler.gguf"
    simulator = HubSimulator(CONTENT)
    part_of(target, simulator.sha256).symlink_to("/dev/full")
    async with hub_of(simulator) as hub:
        with pytest.raises(DiskFull, match="the disk is full"):
            await download(hub, target).run()


async def test_no_hub_at_all_is_said(target: Path) -> None:
    hub = Hub("http://127.0.0.1:9", silence_seconds=SILENCE)
    with pytest.raises(ServerUnavailable, match="model hub"):
        await download(hub, target).run()
    await hub.aclose()
