"""How much better than a random pick the ways of choosing that take no call choose, on questions with
answers of several models and each model's score.

    python -m bench council --data DIR --models recorded

reads DIR/*.jsonl and *.jsonl.gz with a line a question: {"question", "answers": [{"model", "score",
"text"}]}. From each question's answers five are drawn, eight times; a way's points are the score of what
it picked less the mean of the five. `tuned` and `untuned` are every other question.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.conversation.language import language_of_text
from app.conversation.modes.best_of.candidates import Candidate
from app.conversation.modes.best_of.selection import ranked, scored
from app.core.requests import Sampling
from bench.files import lines_of

DRAWN, DRAWS = 5, 8
WAYS = ("careful", "medoid", "heuristic")


@dataclass(frozen=True, slots=True)
class Points:
    """A way of choosing over all questions: mean points over a random pick, and half of the interval of
    95 % over questions."""

    way: str
    mean: float
    half: float
    questions: int


def rated_in(folder: Path) -> list[dict[str, Any]]:
    """The questions of that folder whose answers have scores."""
    return [row for row in lines_of(folder) if all("score" in a for a in row.get("answers", [{}]))]


def points(rated: Sequence[dict[str, Any]]) -> list[Points]:
    """Each way, and the best of the five, which none can pass."""
    gained: dict[str, list[float]] = {way: [] for way in (*WAYS, "the best of the five")}
    for row in rated:
        each: dict[str, list[float]] = {way: [] for way in gained}
        language = language_of_text(row["question"])
        for draw in range(DRAWS):
            chance = random.Random(f"{row['question']}/{draw}")
            drawn = chance.sample(row["answers"], min(DRAWN, len(row["answers"])))
            mean = statistics.fmean(answer["score"] for answer in drawn)
            contest = [Candidate(n, str(n), Sampling(), a["text"]) for n, a in enumerate(drawn)]
            for way in WAYS:
                first = ranked(scored(contest, way, row["question"], language, ()))[0]
                each[way].append(drawn[first.candidate.number]["score"] - mean)
            each["the best of the five"].append(max(a["score"] for a in drawn) - mean)
        for way, found in each.items():
            gained[way].append(statistics.fmean(found))
    return [
        Points(way, statistics.fmean(found), 1.96 * statistics.stdev(found) / len(found) ** 0.5, n)
        for way, found in gained.items()
        if (n := len(found)) > 1
    ]


def table(rated: Sequence[dict[str, Any]]) -> str:
    """Points over a random pick, on the half that the default was tuned on and on the other."""
    lines = ["| chosen by | tuned | untuned |", "|---|---|---|"]
    for tuned, untuned in zip(points(rated[::2]), points(rated[1::2]), strict=True):
        cells = [f"{one.mean:+.1f} ± {one.half:.1f}" for one in (tuned, untuned)]
        lines.append(f"| {tuned.way} | {' | '.join(cells)} |")
    return "\n".join(lines)
