"""Compare: answers side by side, blind where the person wants it, and what a vote leads to."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.conversation.modes.compare import Compare, decided
from app.conversation.modes.compare.notes import ComparisonNote, SideNote
from app.conversation.modes.compare.voting import topic_of
from app.core.errors import (
    BadRequest,
    ConnectionLost,
    ContentFiltered,
    FirstTokenTimeout,
    NotFound,
    RateLimited,
    ServerUnavailable,
    WrongKey,
)
from app.core.events import StepKind
from app.core.notes import CitationsNote, CitedSource
from app.core.usage import Outcome, Purpose
from app.view.rendering import draw
from tests.clock import in_virtual_time
from tests.fakes import ScriptedModels
from tests.unit.conversation.modes.stage import Stage, cancelled_everywhere, closed_everywhere

KINDS = (
    BadRequest,
    ConnectionLost,
    ContentFiltered,
    FirstTokenTimeout,
    RateLimited,
    ServerUnavailable,
    WrongKey,
)
SAID = {"gemma": "Небо рассеивает синий свет.", "llama": "Из-за рассеяния Рэлея."}


def a_stage(said=None, **options):
    said = SAID if said is None else said
    listed = [{"name": name, "model": f"fake/{name}"} for name in said]
    chosen = {"compare_models": json.dumps(listed)} if len(listed) > 1 else {}
    return Stage(
        Compare(), ScriptedModels(said, local=False), "Почему небо синее?", **chosen | options
    )


def stored(stage):
    question, _ = stage.state.opening()
    return (question, stage.state.turn_record(), *map(stage.state.record, stage.steps()))


def vote(stage, choice, **more):
    return decided(stored(stage), stage.answer.id, choice, "user", **{"files": False} | more)


def noted(kind, metadata):
    note = kind.of(metadata)
    assert note is not None
    return note


def step_of(stage, name):
    (step,) = (
        s for s in stage.steps(StepKind.MEMBER) if noted(SideNote, s.note).model == f"fake/{name}"
    )
    return step


async def test_each_model_answers_once_and_the_first_goes_on_until_the_vote():
    stage = a_stage()
    await stage.play()
    assert [request.purpose for request in stage.asked] == [Purpose.MEMBER] * 2
    kinds = [step.kind.value for step in stage.steps()]
    assert kinds == ["group", "member", "member", "answer"]
    assert stage.answer.text == SAID["gemma"]
    note = noted(ComparisonNote, stage.answer.note)
    assert [(side.letter, side.model) for side in note.sides] == [
        ("A", "fake/gemma"),
        ("B", "fake/llama"),
    ]
    assert [step.name for step in stage.steps(StepKind.MEMBER)] == ["A · gemma", "B · llama"]


def test_the_answers_are_written_at_once():
    stage = a_stage({name: [said, timedelta(seconds=5)] for name, said in SAID.items()})
    in_virtual_time(stage.play)
    assert stage.arrivals[-1][0] == pytest.approx(5, abs=0.1)


async def test_hidden_names_are_in_nothing_that_the_page_is_sent():
    stage = a_stage(compare_hidden=True)
    await stage.play()
    for record in stored(stage)[1:]:
        sent = draw(record, "ru")
        seen = json.dumps([sent.step, sent.elements], ensure_ascii=False, default=str)
        assert "gemma" not in seen
        assert "llama" not in seen


async def test_sources_are_listed_in_the_columns_and_not_again_under_the_vote():
    stage = a_stage()
    await stage.play()
    cited = CitationsNote((CitedSource(1, "Физика"),)).as_json()
    records = [replace(one, metadata={**one.metadata, **cited}) for one in stored(stage)[2:]]
    listed = [
        (one.kind, element["name"])
        for one in records
        for element in draw(one, "ru").elements
        if element["name"] == "Sources"
    ]
    assert listed == [("member", "Sources")] * 2


async def test_the_order_of_hidden_answers_is_as_good_as_chance():
    first = set()
    for _ in range(40):
        stage = a_stage(compare_hidden=True)
        await stage.play()
        first.add(noted(ComparisonNote, stage.answer.note).sides[0].model)
    assert first == {"fake/gemma", "fake/llama"}


async def test_the_winner_goes_on_and_the_other_answer_is_a_sibling():
    stage = a_stage()
    await stage.play()
    llama = step_of(stage, "llama")
    decision = vote(stage, llama.id)
    answer, *rest = decision.steps
    assert (answer.id, answer.output) == (stage.answer.id, SAID["llama"])
    note = noted(ComparisonNote, answer.metadata)
    assert (note.verdict, note.winner) == ("won", llama.id)
    turn, said = rest
    assert (turn.kind, turn.parent_id) == ("turn", stage.turn.request.question.id)
    assert (said.kind, said.output) == (StepKind.ANSWER, SAID["gemma"])
    assert said.parent_id == said.turn_id == turn.id != decision.turn_id
    assert decision.vote.winner == 1
    assert [side.model for side in decision.vote.sides] == ["fake/gemma", "fake/llama"]


async def test_a_vote_opens_the_names():
    stage = a_stage(compare_hidden=True)
    await stage.play()
    decision = vote(stage, stage.steps(StepKind.MEMBER)[0].id)
    names = {step.name for step in decision.steps if step.kind is StepKind.MEMBER}
    assert {name.partition(" · ")[2] for name in names} == set(SAID)
    seen = json.dumps([draw(step, "ru").elements for step in decision.steps], default=str)
    assert "gemma" in seen
    assert decision.vote.blind


@pytest.mark.parametrize("verdict", ["good", "bad"])
async def test_where_nobody_wins_the_first_goes_on(verdict):
    stage = a_stage()
    await stage.play()
    decision = vote(stage, verdict)
    assert decision.steps[0].output == SAID["gemma"]
    assert (decision.vote.verdict, decision.vote.winner) == (verdict, None)
    assert [s.output for s in decision.steps[1:] if s.kind is StepKind.ANSWER] == [SAID["llama"]]


async def test_a_comparison_is_voted_on_once():
    stage = a_stage()
    await stage.play()
    first = vote(stage, "good")
    anew = {step.id: step for step in first.steps}
    steps = tuple(anew.get(step.id, step) for step in stored(stage))
    assert decided(steps, stage.answer.id, "bad", "user", files=False) is None


@pytest.mark.parametrize(("answer", "choice"), [("no", "good"), (None, "no")])
async def test_a_vote_for_what_there_is_not_is_refused(answer, choice):
    stage = a_stage()
    await stage.play()
    with pytest.raises(NotFound):
        decided(stored(stage), answer or stage.answer.id, choice, "user", files=False)


async def test_a_model_that_dies_leaves_the_others_to_be_voted_on():
    broken = {**SAID, "qwen": ConnectionLost("gone", server="fake", model="qwen")}
    stage = a_stage(broken)
    await stage.play()
    note = noted(ComparisonNote, stage.answer.note)
    assert [side.state for side in note.sides] == ["heard", "heard", "silent"]
    decision = vote(stage, "good")
    assert [side.model for side in decision.vote.sides] == ["fake/gemma", "fake/llama"]
    with pytest.raises(NotFound):
        vote(stage, step_of(stage, "qwen").id)


async def test_where_one_answer_is_left_there_is_nothing_hidden_and_that_one_goes_on():
    broken = {**SAID, "llama": ConnectionLost("gone", server="fake", model="llama")}
    stage = a_stage(broken, compare_hidden=True)
    await stage.play()
    assert stage.answer.text == SAID["gemma"]
    assert not noted(ComparisonNote, stage.answer.note).hidden
    assert not any(noted(SideNote, step.note).hidden for step in stage.steps(StepKind.MEMBER))


@pytest.mark.parametrize("failure", KINDS, ids=lambda kind: kind.code)
@pytest.mark.parametrize("words", [[], ["Небо рас"]], ids=["at once", "in the middle"])
async def test_however_a_model_fails_the_others_go_on_and_where_all_do_the_first_error_is_said(
    failure, words
):
    dies = [*words, failure("gone", server="fake", model="llama")]
    stage = a_stage({**SAID, "llama": dies})
    await stage.play()
    note = noted(ComparisonNote, stage.answer.note)
    assert [side.state for side in note.sides] == ["heard", "cut" if words else "silent"]
    assert step_of(stage, "llama").note["error"]["code"] == failure.code
    if not words:
        with pytest.raises(failure):
            await a_stage(dict.fromkeys(SAID, failure("gone", server="fake", model="x"))).play()


async def test_one_model_alone_answers_and_says_that_there_is_nothing_to_compare():
    stage = a_stage({"gemma": SAID["gemma"]}, language="ru")
    await stage.play()
    assert (
        stage.answer.text == f"*Сравнить не с чем: сейчас отвечает одна модель.*\n\n{SAID['gemma']}"
    )
    assert [request.purpose for request in stage.asked] == [Purpose.ANSWER]


async def test_an_instruction_is_its_columns_own():
    listed = [
        {"name": "коротко", "model": "fake/gemma", "system": "Отвечай коротко."},
        {"name": "как есть", "model": "fake/gemma"},
    ]
    stage = a_stage(compare_models=json.dumps(listed), system_prompt="Ты учитель.")
    await stage.play()
    systems = [request.messages[0].text for request in stage.asked]
    assert systems == ["Ты учитель.\n\nОтвечай коротко.", "Ты учитель."]


async def test_a_list_that_cannot_be_read_is_refused_before_any_call():
    stage = a_stage(compare_models="{")
    with pytest.raises(BadRequest):
        await stage.play()
    assert not stage.asked


async def test_what_stop_left_is_kept_and_may_be_voted_on():
    waiting = asyncio.Event()
    stage = a_stage({name: [said[:9], waiting] for name, said in SAID.items()}, compare_hidden=True)
    playing = asyncio.create_task(stage.play())
    while len([s for s in stage.steps(StepKind.MEMBER) if s.text]) < 2:
        await asyncio.sleep(0)
    playing.cancel()
    await asyncio.wait([playing])
    note = noted(ComparisonNote, stage.answer.note)
    assert ([side.state for side in note.sides], note.hidden) == (["cut", "cut"], True)
    assert stage.answer.outcome is Outcome.STOPPED
    assert stage.answer.text in {said[:9] for said in SAID.values()}
    decision = vote(stage, step_of(stage, "llama").id)
    assert decision.steps[0].output == SAID["llama"][:9]


async def test_stop_before_the_first_word_leaves_nothing_to_vote_on():
    waiting = asyncio.Event()
    stage = a_stage({name: [waiting] for name in SAID})
    playing = asyncio.create_task(stage.play())
    while stage.models.open < 2:
        await asyncio.sleep(0)
    playing.cancel()
    await asyncio.wait([playing])
    assert not stage.steps(StepKind.ANSWER)


async def test_stop_at_any_moment_leaves_nothing_running():
    await cancelled_everywhere(lambda: a_stage(compare_hidden=True))
    await closed_everywhere(lambda: a_stage(compare_hidden=True))


@pytest.mark.parametrize(
    ("answers", "files", "topic"),
    [
        (["Вот: ```py\nx\n```", "Так."], False, "code"),
        (["42", "Ответ: 41"], False, "figures"),
        (["42", "Может быть, сорок два, а может, и нет."], False, "text"),
        (["Сорок", "Два"], True, "files"),
    ],
)
def test_the_topic_is_told_by_what_can_be_seen(answers, files, topic):
    assert topic_of(answers, files=files) == topic
