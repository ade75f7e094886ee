"""What is known of the steps: one table, readable in docs and in databases of earlier versions."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.conversation.modes import NOTES
from app.conversation.modes.best_of.notes import BestOfNote, CandidateNote
from app.conversation.modes.consultation.notes import PlanNote, SpecialistNote
from app.conversation.modes.dialogue.notes import ParticipantNote
from app.core.notes import CachedNote, CompressionNote, ErrorNote, Note, TitleNote, as_metadata

DOCS = Path(__file__).parents[3] / "docs" / "modes.md"


def stored_name(field):
    """The name under which a field is stored."""
    return next((about.alias for about in getattr(field.type, "__metadata__", ())), field.name)


def row(note):
    """The line of docs/modes.md for that kind of note."""
    steps = ", ".join(sorted(step.value for step in note.steps))
    names = ", ".join(f"`{stored_name(field)}`" for field in fields(note))
    meaning = " ".join((note.__doc__ or "").split())
    return f"| {steps} | {f'`{note.key}`' if note.key else ''} | {meaning} {names} |"


def test_the_table_in_the_docs_is_that_of_the_notes():
    table = DOCS.read_text("utf-8").partition("## Facts in the steps")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "| key |" not in line]
    assert rows == [row(note) for note in NOTES]


def test_no_two_kinds_share_a_key_or_a_name():
    keys = [note.key for note in NOTES if note.key]
    assert len(set(keys)) == len(keys)


STORED: dict[str, tuple[type[Note], Any]] = {
    "title": (TitleNote, "О чае"),
    "compression": (
        CompressionNote,
        {
            "from": 1,
            "to": 18,
            "before": 5120,
            "after": 640,
            "blocks": 2,
            "version": 3,
            "news": True,
        },
    ),
    "cache": (
        CachedNote,
        {
            "kind": "near",
            "entry_id": "e",
            "asked": "Які?",
            "at": "2026-11-01T10:00:00+00:00",
            "saved_tokens": 7,
            "saved_rub": None,
        },
    ),
    "plan": (
        PlanNote,
        {
            "by": "model",
            "order": "parallel",
            "reason": "",
            "specialists": [{"role": "Физик", "question": "Что?", "model": "a/b"}],
            "calls": 4,
            "tokens": 2000,
            "money": {"RUB": "0.42"},
        },
    ),
    "best_of": (
        BestOfNote,
        {
            "chosen": "c1",
            "by": "medoid",
            "reason": "",
            "judge": "",
            "candidates": [
                {"step_id": "c1", "number": 1, "score": 0.5, "vetoes": [], "parts": {"length": 1.0}}
            ],
        },
    ),
    "participant": (
        ParticipantNote,
        {"name": "Анна", "model": "a/b", "number": 0, "color": "#2d6fd2"},
    ),
    "error": (ErrorNote, {"code": "rate_limited", "server": "x", "retry_after": 7}),
}


@pytest.mark.parametrize("key", STORED)
def test_what_earlier_versions_stored_is_read_and_stays_as_it_was(key):
    kind, stored = STORED[key]
    note = kind.of({key: stored, "metrics": {"seconds": 1.0}})
    assert note is not None
    again = note.as_json()[key]
    if key == "cache":
        again["at"] = datetime.fromisoformat(again["at"]).astimezone(UTC).isoformat()
    assert again == stored


def test_facts_without_a_key_stand_by_themselves():
    candidate = CandidateNote(1, 0.7, None, queued=True)
    assert candidate.as_json() == {
        "number": 1,
        "temperature": 0.7,
        "top_p": None,
        "queued": True,
    }
    assert as_metadata((SpecialistNote("Юрист", 0, "#000", "a/b"), TitleNote("Т"))) == {
        "role": "Юрист",
        "number": 0,
        "color": "#000",
        "model": "a/b",
        "title": "Т",
    }


def test_a_fact_that_cannot_be_read_is_none():
    assert PlanNote.of({"plan": {"by": "model"}}) is None
    assert CachedNote.of({"cache": "odd"}) is None
    assert TitleNote.of({}) is None


def test_money_is_kept_to_the_digit():
    plan = PlanNote.of({"plan": STORED["plan"][1]})
    assert plan is not None
    assert plan.money == {"RUB": Decimal("0.42")}
