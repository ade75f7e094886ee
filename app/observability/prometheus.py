"""The figures for Prometheus: model calls as they start, stream and end, and what is under way.

Pauses between tokens would be observed thousands of times a second; each call counts its own in a
`TokenGaps` and the whole is added here once, when it ends.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from app.core.fleet import Fleet
from app.core.models import ModelRef
from app.core.requests import ModelRequest
from app.core.usage import GAP_BOUNDS_S, CallRecord, Outcome, TokenGaps
from app.observability.workers import Workers

MAX_MODELS = 300
"""Model names come from outside; beyond so many, the rest are counted as `other`."""
_LOOKUP_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
_FIRST_TOKEN_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_CALL_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_OF_MODEL = ("server", "model")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, str]
AnyMetric = TypeVar("AnyMetric", Counter, Gauge, Histogram)


class CallMetrics:
    """Implements `core.ports.CallObserver` over a registry of its own."""

    def __init__(self) -> None:
        self.registry = self._exposed = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._models: dict[str, Labels] = {}
        self._children: dict[tuple[object, ...], Any] = {}
        self._gaps = _GapHistogram()
        self.registry.register(self._gaps)
        self._started = self._counter("streams_started", "Model calls begun", "purpose")
        self._finished = self._counter("streams_finished", "Model calls that came to their end")
        self._stopped = self._counter("streams_stopped", "Model calls stopped by a person")
        self._failed = self._counter("streams_failed", "Model calls that failed", "reason")
        self._tokens = self._counter("tokens", "Tokens counted", "kind")
        self._saved = self._counter("saved_tokens", "Tokens spared", "by")
        self._saved_rub = self._counter("saved_rub", "Money spared by the cache, roubles")
        self._cost = self._counter("cost_rub", "Money spent, roubles")
        self._hits = self._counter("cache_hits", "Answers from the cache", "kind")
        self._lookups = Counter(
            "konsilium_cache_lookups",
            "Lookups in the answer cache",
            ("outcome",),
            registry=self.registry,
        )
        self._lookup_seconds = Histogram(
            "konsilium_cache_lookup_seconds",
            "Time of a lookup in the answer cache",
            buckets=_LOOKUP_S,
            registry=self.registry,
        )
        self._open = Gauge(
            "konsilium_streams_open", "Model calls under way", _OF_MODEL, registry=self.registry
        )
        self._first = self._histogram("first_token_seconds", "Time to first token", _FIRST_TOKEN_S)
        self._whole = self._histogram("call_seconds", "Time of a whole model call", _CALL_S)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"konsilium_{name}", help, (*_OF_MODEL, *labels), registry=self.registry)

    def _histogram(self, name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            f"konsilium_{name}", help, _OF_MODEL, buckets=buckets, registry=self.registry
        )

    def _labels(self, model: str) -> Labels:
        labels = self._models.get(model)
        if labels is None:
            if len(self._models) >= MAX_MODELS:
                return ("other", "other")
            try:
                ref = ModelRef.parse(model)
            except ValueError:
                ref = ModelRef("", model)
            labels = self._models[model] = (ref.server, ref.name)
        return labels

    def _of(self, metric: AnyMetric, *labels: str) -> AnyMetric:
        """The metric's part of these labels; looked up here, since `labels` takes ten times as long."""
        child: AnyMetric | None = self._children.get((metric, labels))
        if child is None:
            child = self._children[metric, labels] = metric.labels(*labels)
        return child

    def started(self, request: ModelRequest, model: str) -> None:
        """A call begins."""
        labels = self._labels(model)
        self._of(self._started, *labels, request.purpose.value).inc()
        self._of(self._open, *labels).inc()

    def first_token(self, model: str, seconds: float) -> None:
        """The first token of a call came after so many seconds."""
        self._of(self._first, *self._labels(model)).observe(seconds)

    def gaps(self, model: str, gaps: TokenGaps) -> None:
        """The pauses of one answer, once it has ended."""
        self._gaps.add(self._labels(model), gaps)

    def ended(self, record: CallRecord) -> None:
        """A call is over, however it ended."""
        labels = self._labels(str(record.model))
        self._of(self._open, *labels).dec()
        match record.outcome:
            case Outcome.COMPLETED:
                self._of(self._finished, *labels).inc()
            case Outcome.FAILED:
                self._of(self._failed, *labels, record.error or "internal_error").inc()
            case _:
                self._of(self._stopped, *labels).inc()
        if record.total_s is not None:
            self._of(self._whole, *labels).observe(record.total_s)
        usage = record.usage
        for kind, tokens in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cached_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            if tokens:
                self._of(self._tokens, *labels, kind).inc(tokens)
        if record.cost is not None:
            self._of(self._cost, *labels).inc(float(record.cost.rub))
        if record.from_cache:
            self._of(self._hits, *labels, record.cache or "").inc()
        if record.saved_tokens and record.saved_tokens > 0:
            by = "cache" if record.from_cache else "compression"
            self._of(self._saved, *labels, by).inc(record.saved_tokens)
        if record.saved_rub is not None:
            self._of(self._saved_rub, *labels).inc(float(record.saved_rub))

    def looked_up(self, outcome: str, seconds: float) -> None:
        """The answer cache was asked. See `core.ports.CacheObserver`."""
        self._of(self._lookups, outcome).inc()
        if outcome != "taken":
            self._lookup_seconds.observe(seconds)

    def watch(
        self,
        *,
        open_chats: Callable[[], int],
        turns: Callable[[], int],
        queue: Callable[[], Mapping[str, int]],
        fleet: Fleet,
    ) -> None:
        """Reads these at every scrape: browsers connected, turns under way, calls waiting a server; here
        and, as the others tell, in all processes of the fleet."""
        fleet.share("chats", open_chats)
        fleet.share("turns", turns)
        fleet.share("queue", queue)
        self.registry.register(_Present(open_chats, turns, queue, fleet))

    def among(self, folder: Path) -> Workers:
        """From now on the exposition is that of all workers that keep their figures in `folder`; what is
        returned is to be run."""
        workers = Workers(folder, self.registry)
        self._exposed = CollectorRegistry()
        self._exposed.register(workers)
        return workers

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text form (CONTENT_TYPE)."""
        return generate_latest(self._exposed)


class _GapHistogram(Collector):
    """`konsilium_inter_token_seconds`, filled a whole call at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: dict[Labels, TokenGaps] = {}

    def add(self, labels: Labels, gaps: TokenGaps) -> None:
        with self._lock:
            sum_ = self._of.setdefault(labels, TokenGaps())
            sum_.counts[:] = [a + b for a, b in zip(sum_.counts, gaps.counts, strict=True)]
            sum_.total_s += gaps.total_s

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "konsilium_inter_token_seconds", "Pauses between pieces of an answer", labels=_OF_MODEL
        )
        with self._lock:
            for labels, gaps in self._of.items():
                below, buckets = 0, []
                for bound, count in zip(
                    (*map(str, GAP_BOUNDS_S), "+Inf"), gaps.counts, strict=True
                ):
                    below += count
                    buckets.append((bound, below))
                family.add_metric(labels, buckets, gaps.total_s)
        yield family


class _Present(Collector):
    """What is under way, asked for at the moment of the scrape."""

    def __init__(
        self,
        open_chats: Callable[[], int],
        turns: Callable[[], int],
        queue: Callable[[], Mapping[str, int]],
        fleet: Fleet,
    ) -> None:
        self._open_chats, self._turns, self._queue = open_chats, turns, queue
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        chats, turns, queue = self._open_chats(), self._turns(), Counts(self._queue())
        yield _gauge("konsilium_open_chats", "Chats open in browsers", chats)
        yield _gauge("konsilium_turns_running", "Turns under way", turns)
        yield _of_servers("konsilium_queue_waiting", "Model calls that wait for their turn", queue)
        said = self._fleet.said
        for others in said("queue").values():
            queue.update(others)
        chats, turns = chats + sum(said("chats").values()), turns + sum(said("turns").values())
        size = self._fleet.size
        yield _gauge("konsilium_processes", "Processes that share the work, this one too", size)
        yield _gauge("konsilium_all_open_chats", "Chats open in browsers, in all processes", chats)
        yield _gauge("konsilium_all_turns_running", "Turns under way in all processes", turns)
        yield _of_servers("konsilium_all_queue_waiting", "Model calls that wait, in all", queue)


def _gauge(name: str, what: str, value: float) -> Metric:
    gauge = Metric(name, what, "gauge")
    gauge.add_sample(name, {}, value)
    return gauge


def _of_servers(name: str, what: str, values: Mapping[str, int]) -> Metric:
    gauge = Metric(name, what, "gauge")
    for server, value in values.items():
        gauge.add_sample(name, {"server": server}, value)
    return gauge
