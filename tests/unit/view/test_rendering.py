"""What hangs on a step in the browser."""

from dataclasses import replace
from typing import Any

import pytest

from app.core.events import StepKind
from app.core.notes import CitationsNote, CitedSource, ToolNote
from app.core.turns import StepRecord
from app.view.rendering import draw

ENTRY = {"seconds": 1.0}


def step(kind: StepKind, **metadata: Any) -> StepRecord:
    return StepRecord("1", "t", "tool", "Физик", kind, turn_id="turn", metadata=metadata)


@pytest.mark.parametrize(
    ("kind", "compact"),
    [(StepKind.ANSWER, False), (StepKind.SPECIALIST, True), (StepKind.CANDIDATE, True)],
)
def test_numbers_hang_under_answers_and_in_short_under_their_parts(kind, compact):
    (card,) = draw(step(kind, metrics=ENTRY), "ru").elements
    props = card["props"] or {}
    assert card["name"] == "MetricsCard"
    assert props["entry"] == ENTRY
    assert props["compact"] is compact


@pytest.mark.parametrize("kind", [StepKind.MEMBER, StepKind.SPECIALIST, StepKind.CANDIDATE])
def test_a_part_that_failed_without_a_word_unfolds_to_say_why(kind):
    drawn = draw(step(kind, error={"code": "overloaded", "server": "gpu"}), "ru")
    assert drawn.step["input"], "the page unfolds only what has some text"
    assert [card["name"] for card in drawn.elements] == ["ErrorCard"]


@pytest.mark.parametrize("kind", [StepKind.PLAN, StepKind.GROUP, StepKind.REASONING])
def test_other_steps_show_no_numbers(kind):
    assert draw(step(kind, metrics=ENTRY), "ru").elements == ()


def test_an_answer_from_the_cache_says_so():
    cached = {"kind": "near", "asked": "Какие факультеты?", "saved_tokens": 412}
    note, _ = draw(step(StepKind.ANSWER, cache=cached, metrics=ENTRY), "uk").elements
    assert note["name"] == "CacheNote"
    assert note["props"] == {"lang": "uk", "turn_id": "turn", "step_id": "1", **cached}


def test_who_reads_a_shared_conversation_is_given_no_text_of_a_base_or_of_other_conversations():
    """Whose conversation it is has the cited text, also when its document is gone."""
    source = CitedSource(1, "Manual.pdf", "The key hangs behind the clock.", id="d/0")
    answer = step(StepKind.ANSWER, **CitationsNote((source,)).as_json())
    tool = step(StepKind.TOOL, **ToolNote("search_knowledge").as_json())
    tool = replace(tool, output="The key hangs behind the clock.")
    for own in (True, False):
        drawn = [draw(one, "en", own=own) for one in (answer, tool)]
        assert ("behind the clock" in str(drawn)) is own
        assert "Manual.pdf" in str(drawn)
    elsewhere = replace(step(StepKind.TOOL, **ToolNote("search_web").as_json()), output="Larches")
    assert "Larches" in str(draw(elsewhere, "en", own=False))
