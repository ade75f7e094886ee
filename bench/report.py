"""Collects what the benchmarks measured and holds it against the goals."""

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


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
        """Notes a figure: `goal` is an upper bound, or a lower one with `at_least`."""
        self.figures.append(Figure(bench, name, value, unit, goal, at_least))

    def table(self) -> str:
        """The figures as a Markdown table."""
        rows = ["| benchmark | figure | value | goal | |", "|---|---|---|---|---|"]
        for figure in self.figures:
            bound = (
                "" if figure.goal is None else f"{'≥' if figure.at_least else '≤'} {figure.goal:g}"
            )
            mark = {None: "", True: "met", False: "MISSED"}[figure.met]
            value = f"{figure.value:,.4g} {figure.unit}"
            rows.append(f"| {figure.bench} | {figure.name} | {value} | {bound} | {mark} |")
        return "\n".join(rows)

    def save(self) -> Path:
        """Writes the figures as JSON under bench/results/ and returns the file."""
        RESULTS.mkdir(exist_ok=True)
        at = datetime.now(UTC)
        path = RESULTS / f"{at:%Y-%m-%dT%H-%M-%S}.json"
        figures = [asdict(figure) | {"met": figure.met} for figure in self.figures]
        machine = {"python": platform.python_version(), "system": platform.platform()}
        path.write_text(json.dumps({"at": at.isoformat(), **machine, "figures": figures}, indent=1))
        return path
