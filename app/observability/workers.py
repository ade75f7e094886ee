"""The figures of several workers on one port, as one: whichever is scraped answers for all of them.

Each worker keeps its own in a file. What a worker that has ended had counted stays counted; what it had
under way is gone with it.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

WRITE_SECONDS = 2.0
_EARLIEST = ("_created", "process_start_time_seconds")
"""Times: of all workers the first counts."""
_KNOWN_TO_EACH = ("konsilium_all_", "konsilium_processes")
"""What each worker knows of the whole is not to be added up."""

Labels = tuple[tuple[str, str], ...]


class Workers(Collector):
    """The figures of all workers whose files are in `folder`, those of this one as they are now."""

    def __init__(
        self,
        folder: Path,
        own: CollectorRegistry,
        pid: int | None = None,
        runs: Callable[[int], bool] | None = None,
    ) -> None:
        self._folder = folder
        self._own = own
        self._runs = runs or _runs
        self._file = folder / f"{pid or os.getpid()}.json"

    async def run(self) -> None:
        """Keeps this worker's figures, until it is cancelled."""
        try:
            while True:
                self.write()
                await asyncio.sleep(WRITE_SECONDS)
        finally:
            self.write()

    def write(self) -> None:
        """Writes this worker's figures as they are now."""
        families = [
            [m.name, m.documentation, m.type, [[s.name, s.labels, s.value] for s in m.samples]]
            for m in self._own.collect()
        ]
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(families), "utf-8")
        new.replace(self._file)

    def collect(self) -> Iterator[Metric]:
        """Counters and histograms of all, gauges of those that run."""
        self.write()
        whole: dict[str, Metric] = {}
        values: dict[str, dict[tuple[str, Labels], float]] = {}
        for file in sorted(self._folder.glob("*.json")):
            runs = self._runs(int(file.stem))
            for name, what, kind, samples in json.loads(file.read_text("utf-8")):
                if kind == "gauge" and not runs:
                    continue
                whole.setdefault(name, Metric(name, what, kind))
                of = values.setdefault(name, {})
                for sample, labels, value in samples:
                    key = (sample, tuple(sorted(labels.items())))
                    of[key] = _both(sample, of[key], value) if key in of else value
        for name, metric in whole.items():
            for (sample, labels), value in values[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _both(sample: str, one: float, other: float) -> float:
    if sample.endswith(_EARLIEST):
        return min(one, other)
    if sample.startswith(_KNOWN_TO_EACH):
        return max(one, other)
    return one + other


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
