"""The modes through the real adapters, over sockets: formats, faults, and Stop to the very server."""

import time

import pytest

from app.conversation.modes.dialogue import Participant, written_participants
from app.core.events import StepKind
from app.core.usage import Outcome
from tests.waiting import until

COUNCIL = {"model": "gpu/json", "consultation_gate": "always"}
"""The model named `json` writes JSON by whatever schema it is asked for."""


def of_kind(state, kind):
    return [step for step in state.steps.values() if step.kind is kind]


@pytest.mark.parametrize("server", ["gpu", "ollama"])
async def test_a_council_by_schema_is_convened_heard_and_summed_up(house, server):
    state = await house.play(
        "Как быть?",
        "consultation",
        model=f"{server}/json",
        consultation_gate="always",
        consultation_model=f"{server}/len-60",
    )
    assert state.outcome is Outcome.COMPLETED
    assert [s.kind.value for s in state.steps.values()] == ["plan", "specialist", "answer"]
    specialist = of_kind(state, StepKind.SPECIALIST)[0]
    assert specialist.call.model.name == "len-60"
    assert specialist.call.usage.output_tokens == 60
    purposes = [call.purpose.value for call in house.store.settled[-1].calls]
    assert purposes == ["gate", "specialist", "synthesis"]
    assert "0\N{NO-BREAK SPACE}₽" in of_kind(state, StepKind.PLAN)[0].text


@pytest.mark.parametrize("server", ["gpu", "ollama"])
@pytest.mark.parametrize(
    "fault", ["error-429", "error-500", "html-200", "reset-after-3", "cut-after-3", "say-"]
)
async def test_a_specialist_on_a_faulty_server_is_named_and_the_coordinator_answers(
    house, server, fault
):
    state = await house.play(
        "Как быть?", "consultation", **COUNCIL, consultation_model=f"{server}/{fault}"
    )
    assert state.outcome is Outcome.COMPLETED
    answer = of_kind(state, StepKind.ANSWER)[-1]
    assert answer.text.startswith("*Ни один специалист не ответил")
    assert len(answer.note["council"]["failed"]) == 1


@pytest.mark.timing
async def test_stop_ends_every_call_at_the_servers_within_a_second_and_keeps_the_words(house):
    turn = await house.start(
        "Позови физика, экономиста и юриста",
        "consultation",
        model="gpu/echo",
        consultation_model="ollama/paced-50ms+len-400",
    )
    state = turn.state
    await until(lambda: sum(bool(s.text) for s in of_kind(state, StepKind.SPECIALIST)) == 3)
    assert not state.done, state.error
    assert house.ollama.open_generations == 3
    stopped = time.monotonic()
    turn.stop()
    await turn.wait()
    assert time.monotonic() - stopped < 1
    assert await house.idle()
    assert state.outcome is Outcome.STOPPED
    stored = [r for r in house.store.settled[-1].steps if r.kind is StepKind.SPECIALIST]
    assert len(stored) == 3
    assert all(r.output and r.outcome is Outcome.STOPPED for r in stored)
    assert all("metrics" in r.metadata for r in stored)


@pytest.mark.timing
@pytest.mark.parametrize("phase", [None, StepKind.SPECIALIST, StepKind.ANSWER])
async def test_stop_in_any_phase_ends_all_of_it_within_a_second(house, phase):
    """While it decides, while specialists speak, and in the synthesis."""
    model = "gpu/council-2+paced-20ms"
    turn = await house.start(
        "Стоит ли отдать набережную под рынок: экономика и право?", "consultation", model=model
    )
    await until(
        lambda: (
            any(step.text for step in of_kind(turn.state, phase))
            if phase
            else house.openai.open_generations
        )
    )
    assert not turn.state.done, turn.state.error
    stopped = time.monotonic()
    turn.stop()
    await turn.wait()
    assert time.monotonic() - stopped < 1
    assert await house.idle()
    assert turn.state.outcome is Outcome.STOPPED
    assert not any(call.outcome is Outcome.RUNNING for call in house.store.settled[-1].calls)


async def test_models_of_two_servers_talk(house):
    people = written_participants(
        [Participant("Анна", "ollama/paced-20ms+len-30"), Participant("Борис", "gpu/len-60")]
    )
    state = await house.play(
        "О трамвае", "dialogue", dialogue_participants=people, dialogue_turns=2, model="gpu/echo"
    )
    spoken = of_kind(state, StepKind.ANSWER)
    assert [(s.name, s.call.model.server) for s in spoken] == [("Анна", "ollama"), ("Борис", "gpu")]
    assert of_kind(state, StepKind.NOTICE)[-1].note["dialogue"]["ended"] == "turns"


@pytest.mark.parametrize("server", ["gpu", "ollama"])
@pytest.mark.parametrize("selector", ["medoid", "judge"])
async def test_the_best_of_three_is_chosen_over_real_streams(house, server, selector):
    state = await house.play(
        "Расскажи что-нибудь",
        "best_of",
        model=f"{server}/paced-20ms+len-30",
        best_of_selector=selector,
        best_of_judge=f"{server}/json",
    )
    assert state.outcome is Outcome.COMPLETED
    assert len(of_kind(state, StepKind.CANDIDATE)) == 3
    temperatures = {
        (r.body.get("options") or r.body).get("temperature")
        for r in (house.ollama if server == "ollama" else house.openai).requests
        if r.body and "messages" in r.body and "paced" in r.body["model"]
    }
    assert len(temperatures) == 3
    answer = of_kind(state, StepKind.ANSWER)[0]
    assert answer.text in {s.text for s in of_kind(state, StepKind.CANDIDATE)}


async def test_stop_in_a_contest_reaches_the_server(house):
    turn = await house.start("Расскажи", "best_of", model="gpu/paced-50ms+len-400", best_of_n=5)
    await until(lambda: len([s for s in of_kind(turn.state, StepKind.CANDIDATE) if s.text]) == 2)
    assert house.openai.open_generations == 2  # a local server: the other three are queued
    turn.stop()
    await turn.wait()
    assert await house.idle()


@pytest.mark.parametrize("server", ["gpu", "ollama"])
async def test_a_titled_answer_streams_from_json_by_schema(house, server):
    state = await house.play("Про чай", "chat", model=f"{server}/json", structured=True)
    answer = of_kind(state, StepKind.ANSWER)[0]
    assert answer.text
    assert not answer.text.startswith("{")
    assert answer.note["title"]
    assert house.store.settled[-1].title == answer.note["title"]


async def test_plain_words_where_json_was_asked_for_are_the_answer(house):
    state = await house.play("Про чай", "chat", model="gpu/len-60", structured=True)
    answer = of_kind(state, StepKind.ANSWER)[0]
    assert answer.call.usage.output_tokens == 60
    assert "title" not in answer.note
