"""Several workers on one port answer /metrics as one."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from app.core.fleet import Fleet
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.post import LocalPost
from app.core.requests import ModelRequest
from app.core.turns import now
from app.core.usage import CallRecord, Outcome, Purpose, Usage
from app.observability.prometheus import CallMetrics
from app.observability.workers import Workers

MODEL = '{model="m",server="s"}'


class House:
    """Workers of one folder, by their pids."""

    def __init__(self, folder, *pids):
        self.running = set(pids)
        self.metrics = {pid: CallMetrics() for pid in pids}
        self.workers = {}
        for pid, metrics in self.metrics.items():
            metrics.watch(
                open_chats=lambda: 0,
                turns=lambda: 2,
                queue=lambda: {"s": 1},
                fleet=Fleet(LocalPost(str(pid))),
            )
            self.workers[pid] = Workers(folder, metrics.registry, pid, self.running.__contains__)
            self.workers[pid].write()

    def begin(self, pid):
        self.metrics[pid].started(ModelRequest((Message.user("hi"),)), "s/m")
        self.workers[pid].write()

    def end(self, pid, seconds):
        record = CallRecord(
            "c",
            Purpose.ANSWER,
            ModelRef("s", "m"),
            now(),
            Outcome.COMPLETED,
            Usage(output_tokens=10),
            total_s=seconds,
        )
        self.metrics[pid].ended(record)
        self.workers[pid].write()

    def scraped(self, pid):
        """What that worker answers."""
        registry = CollectorRegistry()
        registry.register(self.workers[pid])
        lines = generate_latest(registry).decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


def test_whichever_is_asked_answers_for_all(tmp_path):
    house = House(tmp_path, 1, 2, 3)
    for pid, seconds in ((1, 0.2), (2, 0.7), (2, 70)):
        house.begin(pid)
        house.end(pid, seconds)
    house.begin(3)
    for pid in (1, 2, 3):
        found = house.scraped(pid)
        assert found[f"konsilium_streams_finished_total{MODEL}"] == 3
        assert found[f"konsilium_streams_open{MODEL}"] == 1
        assert found[f"konsilium_call_seconds_count{MODEL}"] == 3
        assert found['konsilium_call_seconds_bucket{le="1.0",model="m",server="s"}'] == 2
        assert found['konsilium_tokens_total{kind="output",model="m",server="s"}'] == 30
        assert found["konsilium_turns_running"] == 6
        assert found['konsilium_queue_waiting{server="s"}'] == 3


def test_what_each_knows_of_the_whole_and_when_each_began_is_not_added_up(tmp_path):
    house = House(tmp_path, 1, 2)
    found = house.scraped(1)
    assert found["konsilium_all_turns_running"] == 2
    assert found["konsilium_processes"] == 1
    (tmp_path / "alone").mkdir()
    alone = House(tmp_path / "alone", 5).scraped(5)
    assert found["process_start_time_seconds"] == alone["process_start_time_seconds"]


def test_what_a_worker_that_has_ended_had_counted_stays_and_what_it_had_under_way_goes(tmp_path):
    house = House(tmp_path, 1, 2)
    house.begin(1)
    house.end(1, 0.2)
    house.begin(1)
    house.running.discard(1)
    found = house.scraped(2)
    assert found[f"konsilium_streams_finished_total{MODEL}"] == 1
    assert f"konsilium_streams_open{MODEL}" not in found
    assert found["konsilium_turns_running"] == 2
