"""What really goes wrong: killed processes, a full disk, a locked file, a database that goes away."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.state import TurnState
from app.conversation.turn import Turns
from app.core.errors import StorageUnavailable
from app.core.events import StepDelta, StepKind, StepStarted
from app.core.turns import ThreadBusy, TurnTaken, new_id, now
from app.core.usage import Outcome
from app.storage.processes import HEARTBEAT_SECONDS, PLACE, Process
from app.storage.storage import Storage
from app.storage.tables import processes, steps
from tests.fakes import ScriptedModels
from tests.integration.storage.conftest import sqlite_url
from tests.integration.storage.turns import a_request, begin, say
from tests.integration.storage.writers import write
from tests.postgres import running_postgres
from tests.waiting import until, wait_until

LONG_AGO = now() - timedelta(days=1)


@contextlib.asynccontextmanager
async def another_process(module, *arguments):
    """A Python process of its own; killed at the end, if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def half_an_answer(url, tmp_path, user, thread="t1"):
    module = "tests.integration.storage.living"
    async with another_process(module, url, str(tmp_path), user.id, thread) as process:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"written\n"
        yield process


async def last_step(storage, user, thread="t1"):
    """What was said last, notices apart."""
    said = (await storage.threads.contents(thread, user.id)).steps
    step = [step for step in said if step.kind == StepKind.ANSWER][-1]
    return step.output, step.outcome


async def test_a_killed_process_leaves_the_question_and_half_the_answer(url, tmp_path):
    storage = await Storage(url, tmp_path).open()
    ann = await storage.users.add("ann")
    async with half_an_answer(url, tmp_path, ann) as process:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await storage.aclose()
    storage = await Storage(url, tmp_path).open()
    stored = await storage.threads.contents("t1", ann.id)
    assert [(s.output, s.outcome) for s in stored.steps] == [
        ("Will it last?", Outcome.COMPLETED),
        ("", Outcome.INTERRUPTED),
        ("Half an answ", Outcome.INTERRUPTED),
        ("", Outcome.INTERRUPTED),
    ]
    assert stored.steps[2].metadata["metrics"] == {"outcome": "interrupted", "characters": 12}
    assert stored.steps[3].metadata["error"] == {"code": "interrupted"}
    _, history = await begin(storage, a_request(ann, "And now?"))
    assert [m.text for m in history] == ["Will it last?", "Half an answ"]
    await storage.aclose()


async def test_a_process_hears_whom_another_wants_stopped_as_soon_as_that_is_there(
    url, tmp_path, storage, ann
):
    """Alone it does not ask the database: that would cost each answer."""
    state, _ = await begin(storage, a_request(ann))
    await storage.leases.ask_to_stop(state.request.turn_id, ann.id)
    assert storage.process.alone
    assert await storage.leases.asked_to_stop() == frozenset()
    async with half_an_answer(url, tmp_path, ann, "t2"):
        assert await storage.leases.asked_to_stop() == {state.request.turn_id}
        await storage.process.heartbeat()
        assert await storage.leases.asked_to_stop() == {state.request.turn_id}
    await storage.process.heartbeat()
    assert storage.process.alone


async def test_turns_of_a_living_process_are_left_alone_until_it_dies(url, tmp_path):
    storage = await Storage(url, tmp_path).open()
    ann = await storage.users.add("ann")
    async with half_an_answer(url, tmp_path, ann) as process:
        assert await storage.process.heartbeat() == 0
        assert await last_step(storage, ann) == ("Half an answ", Outcome.RUNNING)
        process.kill()
        await process.wait()
        await storage.process.heartbeat()  # or one of its own, a moment before
    assert await last_step(storage, ann) == ("Half an answ", Outcome.INTERRUPTED)
    await storage.aclose()


class Listener:
    """Another process on the database, by a clock of its own."""

    def __init__(self, storage):
        self.seconds = 0.0
        self.process = Process(storage.database, lambda: self.seconds)

    async def listens_for(self, seconds):
        """How many turns it marks meanwhile, with its usual beats."""
        marked = await self.process.heartbeat()
        for _ in range(round(seconds / HEARTBEAT_SECONDS)):
            self.seconds += HEARTBEAT_SECONDS
            marked += await self.process.heartbeat()
        return marked


@pytest.fixture
def elsewhere(storage):
    """Makes the storage's own process one of another machine, which promised to be heard of so often, and is
    silent from now on."""

    async def elsewhere(silence, host="elsewhere", pid=1):
        await storage.process.leave()
        (storage.data_dir / "processes" / storage.process.id).touch()
        row = {"id": storage.process.id, "host": host, "pid": pid}
        moved = processes.insert().values(**row, silence=silence, seen_at=LONG_AGO)
        await storage.database.write(lambda c: c.execute(moved).close())

    return elsewhere


@pytest.mark.parametrize(("silence", "patience"), [(4, 4), (5, 5), (60, 60), (None, 60)])
async def test_a_process_on_another_machine_is_dead_after_the_silence_that_it_named(
    storage, ann, elsewhere, silence, patience
):
    await begin(storage, a_request(ann))
    await elsewhere(silence)
    other = Listener(storage)
    assert await other.listens_for(patience - 1) == 0
    assert await other.listens_for(1) == 1
    await other.process.leave()


async def test_a_process_that_was_held_up_itself_takes_nobody_for_dead(storage, ann, elsewhere):
    silence = 60 if storage.database.sqlite else 4
    await begin(storage, a_request(ann))
    await elsewhere(silence)
    other = Listener(storage)
    assert await other.listens_for(1) == 0
    other.seconds += silence - 0.3
    assert await other.process.heartbeat() == 0
    assert await other.listens_for(silence) == 1
    await other.process.leave()


async def test_a_process_with_another_data_folder_is_named_in_the_log(
    storage, elsewhere, tmp_path, caplog
):
    await elsewhere(5)
    for folder, named in ((storage.data_dir, 0), (tmp_path / "its own", 1)):
        other = Process(storage.database, data_dir=folder)
        await other.join()
        await other.heartbeat()
        assert caplog.text.count("has another DATA_DIR") == named
        await other.leave()
        left = [file.name for file in (folder / "processes").iterdir()]
        assert left == ([] if named else [storage.process.id])


@pytest.fixture
def unreaped():
    """The pid of a process that has ended and that nobody has waited for."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: ") Z " in Path(f"/proc/{ended.pid}/stat").read_text())
    yield ended.pid
    ended.wait()


async def test_a_process_that_ended_and_that_its_parent_has_not_looked_at_is_dead(
    storage, ann, unreaped
):
    await begin(storage, a_request(ann))
    moved = processes.update().values(pid=unreaped)
    await storage.database.write(lambda c: c.execute(moved).close())
    other = Listener(storage)
    assert await other.process.heartbeat() == 1
    await other.process.leave()


async def test_a_process_of_this_machine_that_hangs_is_dead_after_a_minute(storage, ann, elsewhere):
    await begin(storage, a_request(ann))
    await elsewhere(4, PLACE, os.getppid())
    other = Listener(storage)
    assert await other.listens_for(58) == 0
    assert await other.listens_for(2) == 1
    await other.process.leave()


async def test_who_could_not_write_itself_takes_nobody_for_dead(storage, ann, elsewhere):
    """The database was away: nobody's signs of life could come."""
    await begin(storage, a_request(ann))
    await elsewhere(5)
    other = Listener(storage)
    assert await other.listens_for(4) == 0
    other.seconds += 30
    assert await other.listens_for(4) == 0
    assert await other.listens_for(2) == 1
    await other.process.leave()


async def test_a_turn_taken_for_dead_that_ends_after_all_is_whole(storage, ann, elsewhere):
    state, _ = await begin(storage, a_request(ann, "Slow?"))
    await elsewhere(5)
    other = Listener(storage)
    assert await other.listens_for(6) == 1
    await storage.turns.settle(state.settle(Outcome.COMPLETED, None, ()))
    said = (await storage.threads.contents("t1", ann.id)).steps
    assert [(s.kind, s.outcome) for s in said] == [
        ("question", Outcome.COMPLETED),
        ("turn", Outcome.COMPLETED),
    ]
    await other.process.leave()


async def test_a_turn_taken_for_dead_that_goes_on_has_its_thread_again(storage, ann, elsewhere):
    state, _ = await begin(storage, a_request(ann, "Slow?"))
    await elsewhere(5)
    other = Listener(storage)
    assert await other.listens_for(6) == 1
    state.apply(StepStarted(new_id(), StepKind.ANSWER, "model"))
    await storage.turns.checkpoint(state.changed_steps())
    lease = await storage.leases.find("t1")
    assert lease is not None
    assert lease.turn_id == state.request.turn_id
    kinds = [step.kind for step in (await storage.threads.contents("t1", ann.id)).steps]
    assert kinds == ["question", "turn", StepKind.ANSWER]
    await other.process.leave()


async def test_a_turn_whose_thread_was_taken_writes_nothing_more_but_what_it_cost(storage, ann):
    state, _ = await begin(storage, a_request(ann, "First?"))
    state.apply(StepStarted(new_id(), StepKind.ANSWER, "model"))
    state.apply(StepDelta(next(iter(state.steps)), "Half an answ"))
    await storage.turns.checkpoint(state.changed_steps())
    second = TurnState(a_request(ann, "Second?"))
    with pytest.raises(ThreadBusy) as busy:
        await storage.turns.begin(second.request, second.opening())
    assert busy.value.turn_id == state.request.turn_id
    assert await storage.leases.find("t1") is not None
    await storage.turns.begin(second.request, second.opening(), busy.value.turn_id)
    state.apply(StepDelta(next(iter(state.steps)), "er"))
    with pytest.raises(TurnTaken):
        await storage.turns.checkpoint(state.changed_steps())
    await storage.turns.settle(state.settle(Outcome.COMPLETED, None, ()))
    assert await last_step(storage, ann) == ("Half an answ", Outcome.INTERRUPTED)
    await storage.turns.settle(second.settle(Outcome.COMPLETED, None, ()))
    assert await storage.leases.find("t1") is None


async def test_a_full_disk_is_said_and_writing_goes_on_when_there_is_room(tmp_path):
    storage = await Storage(sqlite_url(tmp_path), tmp_path).open()
    ann = await storage.users.add("ann")
    await say(storage, ann, "Before")
    async with limited_pages(storage) as lift:
        with pytest.raises(StorageUnavailable, match="full"):
            await begin(storage, a_request(ann, "x" * 1_000_000))
        assert len((await storage.threads.contents("t1", ann.id)).steps) == 3
        await lift()
        await say(storage, ann, "After")
    assert len((await storage.threads.contents("t1", ann.id)).steps) == 6
    await storage.aclose()


@contextlib.asynccontextmanager
async def limited_pages(storage):
    """SQLite's own quota: the file may not grow. What it answers is what a full disk answers."""

    async def limit(pages):
        pragma = f"PRAGMA max_page_count = {pages}"
        await storage.database.write(lambda connection: connection.exec_driver_sql(pragma).close())

    await limit(1)
    yield lambda: limit(2**30)


async def test_a_file_that_the_disk_refuses_leaves_nothing_behind(storage):
    """The file system itself refuses: this process may write no file past 1 MB."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageUnavailable):
            await storage.files.write("t1", "e1", b"x" * 2_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder = storage.files.path("t1", "e1").parent
    assert os.listdir(folder) == []
    await storage.files.write("t1", "e1", b"x" * 2_000_000)
    assert os.listdir(folder) == ["e1"]


@pytest.mark.timing
async def test_a_file_locked_for_three_seconds_is_waited_for_without_blocking(tmp_path):
    storage = await Storage(sqlite_url(tmp_path), tmp_path).open()
    ann = await storage.users.add("ann")
    locked = threading.Event()

    def hold():
        with contextlib.closing(sqlite3.connect(tmp_path / "konsilium.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            time.sleep(3)
            other.rollback()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(locked.wait)
    pauses = []

    async def tick():
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.01)
            pauses.append(time.perf_counter() - start)

    ticking = asyncio.create_task(tick())
    start = time.perf_counter()
    await say(storage, ann, "Patience?")
    waited = time.perf_counter() - start
    ticking.cancel()
    await holding
    assert 2 < waited < 10
    assert max(pauses) < 1
    assert len((await storage.threads.contents("t1", ann.id)).steps) == 3
    await storage.aclose()


async def test_two_processes_of_many_users_lose_nothing(url, tmp_path):
    storage = await Storage(url, tmp_path).open()
    module = "tests.integration.storage.writers"
    async with another_process(module, url, str(tmp_path), "b", "25", "3") as process:
        await write(storage, "a", 25, 3)
        assert await asyncio.wait_for(process.wait(), 100) == 0
    answers = select(func.count()).where(steps.c.output == "Hi!")
    assert await storage.database.read(lambda c: c.scalar(answers)) == 2 * 25 * 3
    await storage.aclose()


async def test_postgresql_goes_away_in_mid_answer_and_comes_back(tmp_path):
    with running_postgres() as server:
        storage = await Storage(server.database(), tmp_path).open()
        ann = await storage.users.add("ann")
        models = ScriptedModels({"model": ["Half", timedelta(seconds=0.6), " whole"]})
        turns = Turns(
            storage.turns,
            models,
            WholeHistory(),
            MODES,
            checkpoint_seconds=0.1,
            retry_writes_after=[0.5] * 60,
        )
        turn = await turns.start(a_request(ann, "Will it last?"))
        await asyncio.to_thread(server.stop)
        await until(lambda: turn.state.unstored)
        with pytest.raises(StorageUnavailable):
            await storage.threads.page(ann.id, limit=5)
        await asyncio.to_thread(server.start)
        state = await asyncio.wait_for(turn.wait(), 30)
        assert (state.outcome, state.unstored) == (Outcome.COMPLETED, False)
        assert await last_step(storage, ann) == ("Half whole", Outcome.COMPLETED)
        await storage.aclose()
