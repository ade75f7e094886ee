"""An answer with a title: its message streams while the JSON is written, and every fallback holds."""

import json
from datetime import timedelta

import pytest

from app.conversation.modes.chat import Chat
from app.core.errors import BadRequest, ConnectionLost, EmptyAnswer
from app.core.events import Finished, StepDelta, StepNoted, TextDelta, TextWasThinking
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
        return '{"один": 1, "два": 2, "три": 3}'

    stage = a_stage(script)
    await stage.play()
    assert (stage.answer.text, stage.answer.note["title"]) == ("Хорошо", "Т")
    assert [r.purpose for r in stage.asked] == [Purpose.ANSWER, Purpose.REPAIR]


@pytest.mark.parametrize("repair", ["{", "", ConnectionLost("reset")])
async def test_where_the_repair_fails_too_the_words_are_shown_as_they_are(repair):
    raw = '{"один": 1, "два": 2, "три": 3}'
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


T, M = "О чае", "Заварите чай и подождите.\n\nПейте горячим."
PAIR = {"title": T, "message": M}
J = json.dumps(PAIR, ensure_ascii=False)
FORMS = [
    f"Конечно! Вот ответ:\n{J}",
    f"Sure! Here is the JSON you asked for:\n\n```json\n{J}\n```\nLet me know if you need more.",
    f"Ось відповідь: {J}",
    f"```\n{J}\n```",
    f"```JSON\n{J}```",
    f"json\n{J}",
    f"[{J}]",
    f"Ответ: [{J}]",
    json.dumps({"Title": T, "Message": M}),
    json.dumps({"TITLE": T, "MESSAGE": M}, ensure_ascii=False),
    json.dumps({"заголовок": T, "сообщение": M}, ensure_ascii=False, indent=2),
    json.dumps({"Заголовок": T, "Ответ": M}, ensure_ascii=False),
    json.dumps({"назва": T, "повідомлення": M}, ensure_ascii=False),
    json.dumps({"heading": T, "body": M}),
    json.dumps({"name": "answer", "arguments": PAIR}),
    json.dumps({"name": "answer", "arguments": J}),
    json.dumps({"answer": PAIR}),
    json.dumps({"type": "function", "function": {"name": "answer", "parameters": PAIR}}),
    f"<tool_call>\n{json.dumps({'name': 'answer', 'arguments': PAIR})}\n</tool_call>",
    json.dumps({"title": T, "message": M.split("\n\n")}),
    json.dumps({"title": T, "message": {"text": M}}),
    json.dumps({"message": M, "title": T}),
    json.dumps([T, M]),
    J.replace('"title"', "'title'").replace('"message"', "'message'"),
    J.replace("}", ",}"),
    J[:-1],
    f"Вот ваш ответ в нужном виде.\n\n{J}\n\nНадеюсь, это помогло!",
    json.dumps({"response": {"title": T, "message": M}, "status": "ok"}),
    json.dumps([{"name": "answer", "arguments": PAIR}]),
    json.dumps({"tool_calls": [{"function": {"name": "answer", "arguments": J}}]}),
    json.dumps({"title": {"text": T}, "message": {"text": M}}),
    json.dumps({"標題": T, "訊息": M}),
    json.dumps({"título": T, "mensaje": M, "idioma": "es"}),
    f"[TOOL_CALLS] [{json.dumps({'name': 'answer', 'arguments': PAIR})}]",
    f"<function=answer>{J}</function>",
    f"**Ответ:**\n`{J}`",
    "{\n  title: " + json.dumps(T) + ",\n  message: " + json.dumps(M) + "\n}",
    "{" + J + "}",
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("written", FORMS)
async def test_whatever_form_the_model_gives_its_json_the_answer_is_read(written, size):
    stage = a_stage(
        lambda r: (
            [written[at : at + size] for at in range(0, len(written), size)]
            if r.purpose is not Purpose.REPAIR
            else "{"
        )
    )
    await stage.play()
    assert (stage.answer.text.strip(), stage.answer.note.get("title")) == (M, T)


FORMULA = r"Имеем $\frac{a}{b} \times \theta$, \beta, \nu, \rho \neq 0, \text{где} \(x\) и \alpha_1"


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize(
    "written",
    ['{"title": "Ф", "message": "%s\\nИ всё."}', 'Вот:\n{"message": "%s\\nИ всё.", "title": "Ф"}'],
)
@pytest.mark.parametrize("formula", [FORMULA, FORMULA.replace("\\", "\\\\")])
async def test_the_backslashes_of_a_formula_stay_escaped_or_not(written, formula, size):
    text = written % formula
    stage = a_stage([text[at : at + size] for at in range(0, len(text), size)])
    await stage.play()
    assert stage.answer.text == FORMULA + "\nИ всё."
    assert len(stage.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        'Вот настройки: {"host": "localhost", "port": 8080}. Их хватит.',
        "См. [1] и [сайт](https://example.org), `код` и <b>.",
        "```python\nx = {'a': 1}\n```\nЭто словарь.",
        'Формат такой:\n```json\n{"a": [1, 2]}\n```',
        "{",
        "[",
        "```",
    ],
)
@pytest.mark.parametrize("size", [1, 5, 10_000])
async def test_an_answer_in_plain_words_keeps_its_own_brackets(said, size):
    stage = a_stage([said[at : at + size] for at in range(0, len(said), size)], capabilities=PLAIN)
    await stage.play()
    assert stage.answer.text == said


async def test_thinking_before_the_json_is_no_part_of_it():
    stage = a_stage([TextDelta("Надо подумать. " * 30), TextWasThinking(), TextDelta(J)])
    await stage.play()
    assert (stage.answer.text, stage.answer.note["title"]) == (M, T)


async def test_cancelling_or_closing_anywhere_leaves_nothing():
    mended = ['{"title":"t",', timedelta(0), '"message":"m"}']
    broken = ['{"a":', timedelta(0), "1}"]

    def make():
        return a_stage(lambda r: mended if r.purpose is Purpose.REPAIR else broken)

    assert await cancelled_everywhere(make) > 3
    assert await closed_everywhere(make) > 2


TEA = "Чай растёт **в горах**.\n\n1. Зелёный\n2. Чёрный"
LINE = TEA.replace("\n", "\\n")
FORM = json.dumps({"title": "О чае", "message": TEA}, ensure_ascii=False)
OTHERWISE = {
    "a string of JSON": json.dumps(FORM),
    "a string of JSON in the message": json.dumps({"message": FORM}),
    "another object in the message": json.dumps({"title": "О чае", "message": json.dumps({"text": TEA})}),
    "escaped quotes": FORM.replace('"', '\\"'),
    "quotes as HTML": FORM.replace('"', "&quot;"),
    "comments": f'{{\n  // заголовок\n  "title": "О чае",\n  /* текст */ "message": "{LINE}"\n}}',
    "a wide colon": FORM.replace('": ', '"： '),
    "an equals sign": FORM.replace('": ', '" = '),
    "quotes of Python": f'{{"title": "О чае", "message": """{TEA}"""}}',
    "YAML": "title: О чае\nmessage: |\n  " + TEA.replace("\n", "\n  "),
    "tags": f"<title>О чае</title>\n<message>{TEA}</message>",
    "a tool's arguments": f'[TOOL_CALLS][{{"name": "answer", "arguments": {FORM}}}]',
    "a call among others": f'<|python_tag|>{{"name": "answer", "parameters": {FORM}}}',
    "an unknown key": json.dumps({"title": "О чае", "explanation": TEA}),
    "typographic quotes": f"{{“title”: “О чае”, “message”: “{LINE}”}}",
    "words around a fence": f"Конечно! Вот:\n```json\n{FORM}\n```\nНадеюсь, поможет.",
    "keys in capitals": json.dumps({"TITLE": "О чае", "MESSAGE": TEA}),
}  # fmt: skip


@pytest.mark.parametrize("pieces", [4, 10_000])
@pytest.mark.parametrize("text", OTHERWISE.values(), ids=OTHERWISE.keys())
async def test_the_form_in_another_notation_is_the_message_and_no_json(text, pieces):
    stage = a_stage([text[i : i + pieces] for i in range(0, len(text), pieces)])
    await stage.play()
    assert stage.answer.text.split() == TEA.split()
    assert len(stage.asked) == 1


async def test_sections_in_place_of_a_message_are_headed_by_their_names():
    stage = a_stage(
        json.dumps({"title": "О чае", "message": {"Где": "В горах.", "Какой": "Любой."}})
    )
    await stage.play()
    assert stage.answer.text == "**Где**\n\nВ горах.\n\n**Какой**\n\nЛюбой."


async def test_two_titles_and_no_message_are_asked_for_once_more():
    stage = a_stage(
        lambda r: FORM if r.purpose is Purpose.REPAIR else '{"title": "О чае", "subject": "Чай"}'
    )
    await stage.play()
    assert stage.answer.text == TEA


async def test_a_message_that_is_meant_to_be_json_stays_json():
    stage = a_stage(json.dumps({"title": "Пример", "message": '{"port": 8000}'}))
    await stage.play()
    assert stage.answer.text == '{"port": 8000}'
