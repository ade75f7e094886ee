"""What a stream must survive on its way through the gateway: the contract of the adapters, at /v1.

Each answer ends whole and with `[DONE]`, or with an error event and without it; never a silent cut.
"""

import json
from typing import Any

import httpx
import pytest

from tests.simulators.script import EXOTIC, TAGS, THOUGHT_FIELDS, THOUGHTS, Cycle

QUESTION = "Як справи, 👩‍👩‍👧‍👦? е́ 🇺🇦 край"
both = pytest.mark.parametrize("server", ["ollama", "gpu"])
passed = pytest.mark.parametrize("server", ["gpu"])


class Seen:
    """One streamed answer as a plain reader of events sees it."""

    def __init__(self, body: bytes) -> None:
        text = body.decode()
        events = [event for event in text.split("\n\n") if event.startswith("data:")]
        self.done = events[-1:] == ["data: [DONE]"]
        self.events = [json.loads(event[5:]) for event in events if not event.endswith("[DONE]")]
        self.error = next((e["error"]["message"] for e in self.events if "error" in e), None)
        self.choices = [e["choices"][0] for e in self.events if e.get("choices")]
        self.deltas = [choice.get("delta") or {} for choice in self.choices]

    @property
    def text(self) -> str:
        joined = "".join(delta.get("content") or "" for delta in self.deltas)
        return joined.encode("utf-16", "surrogatepass").decode("utf-16")

    @property
    def thinking(self) -> str:
        said = []
        for delta in self.deltas:
            details = "".join(part["text"] for part in delta.get("reasoning_details") or ())
            said.append(delta.get("reasoning_content") or delta.get("reasoning") or details)
        return "".join(said)

    @property
    def ends(self) -> list[str]:
        return [c["finish_reason"] for c in self.choices if c.get("finish_reason")]


async def ask(house: Any, model: str, **fields: Any) -> httpx.Response:
    await house.serve(model.partition("/")[2])
    messages = [{"role": "user", "content": QUESTION}]
    async with httpx.AsyncClient(base_url=house.base, timeout=30) as http:
        body = {"model": model, "messages": messages, **fields}
        return await http.post("/chat/completions", json=body)


async def stream(house: Any, model: str, **fields: Any) -> Seen:
    return Seen((await ask(house, model, stream=True, **fields)).content)


@both
@pytest.mark.parametrize(
    "form",
    [
        "",
        "+utf8-split",
        "+split-7",
        "+glued",
        "+crlf",
        "+comments",
        "+called-json",
        "+called-html",
        "+called-events",
        "+as-other",
        "+as-other+split-3",
        "+as-other+glued",
        "+unstreamed",
        "+unstreamed+called-events",
        "+empty-data",
        "+empty-data+split-3",
        "+halves",
        "+halves+split-1",
        "+nousage",
        "+nodone",
        "+noreason",
    ],
)
async def test_an_answer_is_whole_whatever_form_the_server_puts_it_in(house, server, form):
    seen = await stream(house, f"{server}/echo{form}")
    assert (seen.text, seen.ends, seen.done) == (QUESTION, ["stop"], True)
    assert seen.deltas[0]["role"] == "assistant"


@both
@pytest.mark.parametrize("form", ["", "+split-1", "+glued", "+as-other"])
async def test_line_separators_and_nul_inside_content_are_content(house, server, form):
    assert (await stream(house, f"{server}/exotic{form}")).text == EXOTIC


@both
@pytest.mark.parametrize("form", ["", "+split-1", "+as-other"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_line_separators_go_out_escaped(house, server, form, streamed):
    said = (await ask(house, f"{server}/exotic{form}", stream=streamed)).content
    assert rb"\u2028" in said
    assert rb"\u2029" in said
    assert not set("\u0085\u2028\u2029") & set(said.decode())


@both
@pytest.mark.parametrize(
    "model",
    [
        "len-50+error-after-9",
        "len-50+bare-error-after-9",
        "len-50+named-error-after-9",
        "len-50+reason-error-after-9",
        "len-50+as-other+error-after-9",
        "len-50+cut-after-9",
        "len-50+torn-after-9",
        "len-50+as-other+cut-after-9",
        "len-50+as-other+torn-after-9",
        "len-50+called-json+cut-after-9",
        "len-50+reset-after-9",
        "len-50+close-after-9",
        "len-50+stall-after-9",
        "len-50+glued+cut-after-9",
    ],
)
async def test_an_answer_broken_in_the_middle_keeps_its_text_and_says_so(house, server, model):
    seen = await stream(house, f"{server}/{model}")
    assert seen.error
    assert not seen.done
    assert seen.ends == []
    assert seen.text == "".join(Cycle(9))
    record = house.store.calls[-1].call if house.store.calls else None
    assert record is None or record.outcome == "failed"


@both
@pytest.mark.parametrize(
    "model", ["error-after-9", "bare-error-after-9", "named-error-after-9", "reason-error-after-9"]
)
async def test_an_error_in_mid_stream_has_the_servers_words(house, server, model):
    seen = await stream(house, f"{server}/len-50+{model}")
    assert seen.error is not None
    assert "the engine died" in seen.error or "CUDA error" in seen.error


@both
@pytest.mark.parametrize(
    "model", ["html-200", "ndjson-200", "reset", "cut-after-0", "close-after-0"]
)
async def test_a_server_that_says_nothing_usable_is_an_error_with_a_status(house, server, model):
    answer = await ask(house, f"{server}/{model}", stream=True)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"]


@both
@pytest.mark.parametrize("form", ["", "+split-1", "+glued"])
@pytest.mark.parametrize("way", [name for name in TAGS if name != "lone"])
async def test_thinking_in_the_text_comes_apart(house, server, way, form):
    seen = await stream(house, f"{server}/echo+tags-{way}{form}")
    assert (seen.text, seen.ends, seen.done) == (QUESTION, ["stop"], True)
    assert seen.thinking.strip() == "".join(THOUGHTS)


@both
@pytest.mark.parametrize("field", THOUGHT_FIELDS)
async def test_thinking_in_fields_of_its_own_stays_apart(house, server, field):
    seen = await stream(house, f"{server}/echo+thought-{field.replace('_', '-')}")
    assert (seen.text, seen.thinking) == (QUESTION, "".join(THOUGHTS))


@passed
async def test_a_model_that_says_only_where_its_thinking_ends_is_known_the_next_time(house, server):
    await stream(house, f"{server}/echo+tags-lone")
    seen = await stream(house, f"{server}/echo+tags-lone")
    assert (seen.text, seen.ends) == (QUESTION, ["stop"])
    assert seen.thinking.strip() == "".join(THOUGHTS)


@passed
async def test_a_name_that_promises_thinking_is_taken_at_its_word(house, server):
    await house.serve("echo+tags-lone+thinking")
    seen = await stream(house, f"{server}/deepseek-r1")
    assert (seen.text, seen.ends, seen.done) == (QUESTION, ["stop"], True)
    assert (await stream(house, f"{server}/deepseek-r1")).thinking == "", "it did not think: known"


@both
@pytest.mark.parametrize("way", TAGS)
async def test_thinking_in_a_whole_answer_comes_apart(house, server, way):
    answer = (await ask(house, f"{server}/echo+tags-{way}")).json()
    message = answer["choices"][0]["message"]
    assert message["content"] == QUESTION
    assert message["reasoning_content"].strip() == "".join(THOUGHTS)


@passed
@pytest.mark.parametrize(
    "form", ["streamed", "streamed+called-json", "streamed+as-other", "called-events"]
)
async def test_a_whole_answer_is_one_whatever_form_the_server_puts_it_in(house, server, form):
    answer = (await ask(house, f"{server}/echo+{form}")).json()
    assert answer["object"] == "chat.completion"
    choice = answer["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (QUESTION, "stop")
    assert house.store.calls == [] or house.store.calls[-1].call.outcome == "completed"


@passed
async def test_a_whole_answer_that_came_as_a_broken_stream_is_an_error(house, server):
    answer = await ask(house, f"{server}/len-50+streamed+cut-after-9")
    assert answer.status_code == 502
