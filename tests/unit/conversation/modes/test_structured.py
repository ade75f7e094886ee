"""An answer with a title: its message streams while the JSON is written, and every fallback holds."""

import json
from datetime import timedelta

import pytest

from app.conversation.modes.chat import Chat
from app.core.errors import BadRequest, ConnectionLost, EmptyAnswer
from app.core.events import Finished, StepDelta, StepNoted
from app.core.models import Capability
from app.core.requests import JsonObject, JsonSchema
from app.core.usage import Outcome, Purpose, Usage
from tests.fakes import ScriptedModels
from tests.unit.conversation.modes.stage import Stage, cancelled_everywhere, closed_everywhere

PLAIN = frozenset({Capability.COMPLETION})
TEXT = 'Первое.\n\n"Второе" 😀 и \\(x\\)'


def a_stage(script, **kwargs):
    return Stage(Chat(), ScriptedModels({"model": script}, **kwargs), structured=True)


def written(value, size=3):
    text = json.dumps(value)
    return [text[i : i + size] for i in range(0, len(text), size)]


async def test_the_message_streams_while_the_json_is_being_written():
    stage = a_stage(written({"title": "О чае", "message": TEXT}))
    await stage.play()
    assert stage.answer.text == TEXT
    assert stage.answer.note["title"] == "О чае"
    events = [event for _, event in stage.arrivals]
    deltas = [event for event in events if isinstance(event, StepDelta)]
    assert len(deltas) > 10
    noted = next(i for i, event in enumerate(events) if isinstance(event, StepNoted))
    assert noted < events.index(deltas[0])
    assert stage.state.settled.title == "О чае"
    assert len(stage.asked) == 1


@pytest.mark.parametrize(
    ("capabilities", "form"),
    [
        ({Capability.COMPLETION, Capability.JSON_SCHEMA}, JsonSchema),
        ({Capability.COMPLETION, Capability.JSON_MODE}, JsonObject),
        ({Capability.COMPLETION}, type(None)),
    ],
)
async def test_the_strictest_form_the_model_has_is_asked_for(capabilities, form):
    stage = a_stage('{"title": "t", "message": "m"}', capabilities=frozenset(capabilities))
    await stage.play()
    assert isinstance(stage.asked[0].response_format, form)
    assert '"message"' in stage.asked[0].messages[0].text
    assert stage.answer.text == "m"


async def test_a_server_that_refuses_the_form_is_asked_without_it():
    def script(request):
        return (
            BadRequest("unknown field")
            if request.response_format
            else '{"title":"t","message":"m"}'
        )

    stage = a_stage(script)
    await stage.play()
    assert stage.answer.text == "m"
    assert len(stage.asked) == 2


async def test_plain_words_instead_of_json_are_the_answer_and_stream():
    stage = a_stage(["Прос", "то ", "текст {"], capabilities=PLAIN)
    await stage.play()
    assert stage.answer.text == "Просто текст {"
    assert "title" not in stage.answer.note
    assert len(stage.asked) == 1


async def test_unescaped_quotes_are_mended_without_a_second_call():
    stage = a_stage(['{"title": "Т", "message": "Он сказал "да" и ушёл', '"}'])
    await stage.play()
    assert "да" in stage.answer.text
    assert "ушёл" in stage.answer.text
    assert len(stage.asked) == 1


async def test_json_of_another_shape_is_asked_for_once_more():
    def script(request):
        if request.purpose is Purpose.REPAIR:
            return '{"title": "Т", "message": "Хорошо"}'
        return '{"heading": "Т", "body": "Хорошо"}'

    stage = a_stage(script)
    await stage.play()
    assert (stage.answer.text, stage.answer.note["title"]) == ("Хорошо", "Т")
    assert [r.purpose for r in stage.asked] == [Purpose.ANSWER, Purpose.REPAIR]


@pytest.mark.parametrize("repair", ["{", "", ConnectionLost("reset")])
async def test_where_the_repair_fails_too_the_words_are_shown_as_they_are(repair):
    raw = '{"heading": "Т", "body": "Хорошо"}'
    stage = a_stage(lambda r: repair if r.purpose is Purpose.REPAIR else raw)
    await stage.play()
    assert stage.answer.text == raw
    assert stage.answer.outcome is Outcome.COMPLETED


async def test_an_answer_cut_off_by_the_limit_stays_as_far_as_it_came():
    stage = a_stage(['{"title": "Т", "message": "Нача', Finished("length", Usage())])
    await stage.play()
    assert (stage.answer.text, stage.answer.finish_reason) == ("Нача", "length")
    assert len(stage.asked) == 1


async def test_a_break_in_the_middle_keeps_what_was_shown():
    stage = a_stage(['{"title": "Т", "message": "Нача', ConnectionLost("reset")])
    with pytest.raises(ConnectionLost):
        await stage.play()
    assert (stage.answer.text, stage.answer.outcome) == ("Нача", Outcome.FAILED)


@pytest.mark.parametrize("script", ["", " \n", [Finished("stop", Usage())]])
@pytest.mark.parametrize("structured", [True, False])
async def test_an_answer_without_a_word_is_said_to_be_one(script, structured):
    stage = Stage(Chat(), ScriptedModels({"model": script}), structured=structured)
    with pytest.raises(EmptyAnswer):
        await stage.play()
    assert stage.answer.outcome is Outcome.FAILED


async def test_a_system_prompt_stays_and_the_rule_follows_it():
    stage = Stage(
        Chat(),
        ScriptedModels({"model": '{"title": "t", "message": "m"}'}),
        "How are you today?",
        structured=True,
        system_prompt="Be brief.",
    )
    await stage.play()
    system = stage.asked[0].messages[0].text
    assert system.startswith("Be brief.\n\n")
    assert "single JSON object" in system


async def test_cancelling_or_closing_anywhere_leaves_nothing():
    mended = ['{"title":"t",', timedelta(0), '"message":"m"}']
    broken = ['{"a":', timedelta(0), "1}"]

    def make():
        return a_stage(lambda r: mended if r.purpose is Purpose.REPAIR else broken)

    assert await cancelled_everywhere(make) > 3
    assert await closed_everywhere(make) > 2
