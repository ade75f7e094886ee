"""The ranking and the report as words, for steps and for the chairman."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.conversation.modes.council import prompts
from app.conversation.modes.council.members import Member
from app.conversation.modes.council.report import Point, Report
from app.core.text import Language, written


def table(
    best_first: Sequence[Member], points: Mapping[int, float | None], language: Language
) -> str:
    """The ranking as a small table."""
    rows = [
        f"| {place} | {member.label} | {'—' if given is None else written(Decimal(str(given)), language, 2)} |"
        for place, member in enumerate(best_first, 1)
        for given in (points.get(member.number),)
    ]
    return "\n".join((prompts.TABLE[language], *rows))


def findings(
    report: Report, members: Sequence[Member], language: Language, *, letters: bool = False
) -> str:
    """The report as lists; members by their `letters` alone, or by their names too."""
    names = {m.number: m.letter if letters else m.label for m in members}

    def of(point: Point) -> str:
        who = ", ".join(names[number] for number in point.members)
        return f"- {point.point}" + (f" ({who})" if who else "")

    kinds = {
        "consensus": [f"- {point.point}" for point in report.consensus],
        "contradictions": [
            f"- {one.point}: "
            + "; ".join(f"{names[side.member]}: {side.claim}" for side in one.sides)
            for one in report.contradictions
        ],
        "partial": list(map(of, report.partial)),
        "unique": list(map(of, report.unique)),
        "blind_spots": [f"- {spot}" for spot in report.blind_spots],
    }
    return "\n\n".join(
        f"**{prompts.KINDS[kind][language]}**\n" + "\n".join(rows)
        for kind, rows in kinds.items()
        if rows
    )
