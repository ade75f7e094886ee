"""Collects what the benchmarks measured and holds it against the goals."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
HEADING = "| benchmark | figure | value | goal | |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    """One measured figure; `goal` is its bound where there is one."""

    bench: str
    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def row(self) -> str:
        """It as a row of a Markdown table."""
        bound = "" if self.goal is None else f"{'≥' if self.at_least else '≤'} {self.goal:g}"
        mark = {None: "", True: "met", False: "MISSED"}[self.met]
        value = f"{self.value:,.4g} {self.unit}"
        return f"| {self.bench} | {self.name} | {value} | {bound} | {mark} |"


@dataclass
class Report:
    """What a benchmark writes into. `quick` asks for a run of seconds, for the tests."""

    quick: bool = False
    soak: bool = False
    figures: list[Figure] = field(default_factory=list)

    def add(
        self,
        bench: str,
        name: str,
        value: float,
        unit: str,
        goal: float | None = None,
        *,
        at_least: bool = False,
    ) -> None:
        """Notes a figure and prints its row: `goal` is an upper bound, or a lower one with `at_least`."""
        if not self.figures:
            print(HEADING, flush=True)
        self.figures.append(Figure(bench, name, value, unit, goal, at_least))
        print(self.figures[-1].row(), flush=True)

    def save(self) -> Path:
        """Writes the figures as JSON under bench/results/ and returns the file."""
        RESULTS.mkdir(exist_ok=True)
        at = datetime.now(UTC)
        path = RESULTS / f"{at:%Y-%m-%dT%H-%M-%S}.json"
        figures = [asdict(figure) | {"met": figure.met} for figure in self.figures]
        machine = {"python": platform.python_version(), "system": platform.platform()}
        path.write_text(json.dumps({"at": at.isoformat(), **machine, "figures": figures}, indent=1))
        return path
