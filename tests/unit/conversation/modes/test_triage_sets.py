"""Requests, talk and plain questions in other people's words: who is heard, who is called, who is quiet."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from app.conversation.modes.consultation import Consultation
from app.conversation.modes.consultation.complexity import is_simple
from app.conversation.modes.consultation.plan import Plan, Specialist, as_requested
from app.conversation.modes.consultation.requested_roles import (
    all_requested_roles,
    speaks_of_people,
    wants_nobody,
)
from app.core.events import StepKind
from app.core.usage import Purpose
from tests.clock import in_virtual_time
from tests.fakes import ScriptedModels
from tests.unit.conversation.modes.stage import Stage

SET = Path(__file__).parents[3] / "data" / "council" / "requests.tsv"


def rows(half):
    """Kind, text and roles of that half of the set."""
    for line in SET.read_text("utf-8").splitlines():
        of, kind, text, *roles = line.split("\t")
        if of == half:
            yield kind, text, set(filter(None, "".join(roles).split(",")))


@pytest.mark.parametrize("half", ["tune", "held"])
def test_every_request_is_heard_and_talk_stays_quiet(half):
    for kind, text, _ in rows(half):
        called = bool(all_requested_roles(text)) and not wants_nobody(text)
        by_rules = wants_nobody(text) or (is_simple(text, False) and not speaks_of_people(text))
        if kind == "ask":
            assert called or not by_rules, text
        else:
            assert not called, text
        if kind == "plain":
            assert by_rules, text


def test_most_names_are_known_without_a_model_where_nobody_tuned_for_them():
    named = [(text, roles) for kind, text, roles in rows("held") if kind == "ask" and roles]
    exact = sum(set(all_requested_roles(text)) == roles for text, roles in named)
    assert exact >= 0.75 * len(named)  # 20 of 25


def test_exactly_those_who_were_asked_for_are_called():
    plan = Plan(
        True,
        "Зачем-то",
        (Specialist("Налоговый юрист", "Что с налогом?", "a/b"), Specialist("Астролог", "А?")),
    )
    called = as_requested(plan, ("юрист", "экономист")).specialists
    assert called == (plan.specialists[0], Specialist("Экономист"))


def test_whom_the_plan_found_in_the_request_is_no_stranger():
    plan = Plan(True, "", (Specialist("Сурдолог", "Слышит?"), Specialist("Астролог", "Когда?")))
    called = as_requested(plan, ("юрист",), "Позови юриста с нашим сурдологом").specialists
    assert [one.role for one in called] == ["Юрист", "Сурдолог"]


def test_who_found_no_room_is_said():
    plan = as_requested(None, ("физик", "химик", "врач", "юрист", "повар"))
    assert [one.role for one in plan.specialists] == ["Физик", "Химик", "Врач", "Юрист"]
    assert plan.left_out == ("повар",)


def a_stage(gate, text, **options):
    def script(request):
        if request.purpose is Purpose.GATE:
            return gate
        return "Ответ."

    return Stage(Consultation(), ScriptedModels({"model": script}), text, **options)


async def test_a_plan_with_strangers_calls_those_who_were_asked_for():
    strangers = [{"role": "Астролог", "question": "Что скажут звёзды?"}]
    plan = json.dumps({"need": True, "reason": "x", "specialists": strangers})
    stage = a_stage(plan, "Позови юриста и экономиста: делим дом", consultation_specialists=1)
    await stage.play()
    assert [s.name for s in stage.steps(StepKind.SPECIALIST)] == ["Юрист", "Экономист"]


def test_a_plan_that_does_not_come_is_replaced_by_the_wish():
    async def play():
        stage = a_stage([timedelta(seconds=50)], "Позови юриста")
        start = asyncio.get_running_loop().time()
        await stage.play()
        assert [s.name for s in stage.steps(StepKind.SPECIALIST)] == ["Юрист"]
        return asyncio.get_running_loop().time() - start

    assert in_virtual_time(play) < 12


async def test_who_wants_nobody_costs_no_call_but_the_answer():
    stage = a_stage("{}", "Не зови никого: стоит ли продавать дом?", consultation_gate="always")
    await stage.play()
    assert [request.purpose for request in stage.asked] == [Purpose.ANSWER]
