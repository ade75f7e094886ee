"""The cache of API keys, over a real socket."""

import contextlib
import json
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from app.completion.caching.cache import AnswerCache
from app.completion.caching.policy import Policies
from app.core.errors import ConnectionLost, StorageUnavailable
from app.core.events import Finished
from app.core.usage import Usage
from app.gateway.services import GatewayServices
from tests.answers import MemoryAnswers, MemoryDocuments
from tests.fakes import ScriptedModels
from tests.gateway import MemoryKeys, gateway, make_key, make_services

WHICH, WHICH_TOO = "Які є факультети в ХДУ?", "Які факультети є в ХДУ?"
HOW_MANY = "Скільки факультетів у ХДУ?"


@dataclass
class House:
    client: httpx.AsyncClient
    services: GatewayServices
    models: ScriptedModels
    answers: MemoryAnswers
    cache: AnswerCache
    keys: MemoryKeys

    async def key(self, cache="near", **fields):
        return (await make_key(self.services, cache=cache, **fields))[1]

    async def ask(self, key, text=WHICH, headers=None, path="/v1/chat/completions", **body):
        said = {"messages": [{"role": "user", "content": text}]}
        answer = await self.client.post(
            path,
            json={"model": "fake/model", **said, **body},
            headers={"authorization": f"Bearer {key}", **(headers or {})},
        )
        await self.cache.drain()
        return answer


@contextlib.asynccontextmanager
async def a_house(script="Їх  одинадцять:\n\n- перший", judge="yes"):
    models = ScriptedModels({"model": script, "other": script, "judge": judge})
    answers, keys = MemoryAnswers(), MemoryKeys()
    cache = AnswerCache(answers, Policies(MemoryDocuments()), check_model="fake/judge")
    services = make_services(models, keys, answers=cache)
    async with gateway(services) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield House(client, services, models, answers, cache, keys)


@pytest.fixture
async def house():
    async with a_house() as house:
        yield house


def state_of(answer):
    assert answer.status_code == 200, answer.text
    return answer.headers.get("x-konsilium-cache")


def words_of(stream):
    lines = [line.removeprefix("data: ") for line in stream.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[-1]["finish_reason"] == "stop"
    return [c["delta"]["content"] for c in choices if c["delta"].get("content")]


async def test_hits_and_misses_are_named_in_a_header(house):
    key = await house.key()
    first = await house.ask(key)
    again = await house.ask(key, f"{WHICH} ")
    house.models.scripts["model"] = [timedelta(seconds=0.5), "Їх двадцять."]
    near = await house.ask(key, WHICH_TOO)
    alike = await house.ask(key, HOW_MANY)
    assert [state_of(a) for a in (first, again, near, alike)] == [
        "miss",
        "hit-exact",
        "hit-near",
        "miss",
    ]
    texts = [a.json()["choices"][0]["message"]["content"] for a in (first, again, near)]
    assert texts == ["Їх  одинадцять:\n\n- перший"] * 3
    assert house.models.open == 0


async def test_what_is_alike_is_only_served_where_a_model_says_yes():
    async with a_house(judge="no") as house:
        key = await house.key()
        await house.ask(key)
        house.models.scripts["model"] = [timedelta(seconds=0.2), "Їх двадцять."]
        assert state_of(await house.ask(key, WHICH_TOO, stream=True)) == "miss"


async def test_the_check_is_booked_to_the_key(house):
    key = await house.key()
    await house.ask(key)
    house.models.scripts["model"] = [timedelta(seconds=0.5), "Їх двадцять."]
    assert state_of(await house.ask(key, WHICH_TOO)) == "hit-near"
    await house.services.recorder.aclose()
    booked = [call for call in house.keys.calls if call.call.purpose == "cache_check"]
    assert len(booked) == 2
    assert {call.key_id for call in booked} == {(await house.services.keys.find(key)).id}


async def test_a_key_that_may_not_use_the_check_model_has_nothing_checked(house):
    key = await house.key(models=("fake/model",))
    await house.ask(key)
    house.models.scripts["model"] = [timedelta(seconds=0.2), "Їх двадцять."]
    assert state_of(await house.ask(key, WHICH_TOO)) == "miss"
    assert {str(ref) for ref, _ in house.models.requests} == {"fake/model"}


@pytest.mark.parametrize(
    "neutral", [{"frequency_penalty": 0}, {"logprobs": False}, {"presence_penalty": 0.0}], ids=str
)
async def test_a_field_that_says_nothing_does_not_switch_the_cache_off(house, neutral):
    key = await house.key()
    assert state_of(await house.ask(key, **neutral)) == "miss"
    assert state_of(await house.ask(key)) == "hit-exact"


async def test_it_is_off_by_default(house):
    key = (await make_key(house.services))[1]
    for _ in range(2):
        assert state_of(await house.ask(key)) is None
    assert len(house.models.requests) == 2
    assert house.answers.entries == {}


async def test_exact_keys_do_not_get_near_answers(house):
    key = await house.key("exact")
    await house.ask(key)
    assert state_of(await house.ask(key, WHICH_TOO)) == "miss"
    assert state_of(await house.ask(key)) == "hit-exact"


async def test_a_cached_answer_streams_as_a_stream(house):
    key = await house.key()
    live = await house.ask(key, stream=True)
    cached = await house.ask(key, stream=True, stream_options={"include_usage": True})
    assert (state_of(live), state_of(cached)) == ("miss", "hit-exact")
    assert len(words_of(cached)) > 1
    assert "".join(words_of(cached)) == "".join(words_of(live))
    assert len(house.models.requests) == 1


async def test_a_header_bypasses_and_replaces(house):
    key = await house.key()
    await house.ask(key)
    house.models.scripts["model"] = "Їх дванадцять."
    fresh = await house.ask(key, headers={"x-konsilium-cache": "bypass"})
    assert state_of(fresh) == "miss"
    later = await house.ask(key)
    assert state_of(later) == "hit-exact"
    assert later.json()["choices"][0]["message"]["content"] == "Їх дванадцять."


async def test_two_keys_do_not_share(house):
    ann, bob = await house.key(), await house.key()
    await house.ask(ann)
    for question in (WHICH, WHICH_TOO):
        assert state_of(await house.ask(bob, question)) == "miss"
        await house.cache.purge(owner=f"key:{(await house.services.keys.find(bob)).id}")


@pytest.mark.parametrize(
    "other",
    [
        {"model": "fake/other"},
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"max_tokens": 7},
        {"seed": 1},
        {"stop": ["."]},
        {"think": True},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
async def test_another_model_or_parameter_is_another_question(house, other):
    key = await house.key()
    await house.ask(key)
    for question in (WHICH_TOO, WHICH):
        assert state_of(await house.ask(key, question, **other)) == "miss"
        house.answers.entries = {
            id: e for id, e in house.answers.entries.items() if e.question == WHICH
        }
    assert len(house.models.requests) == 3


async def test_another_system_prompt_is_another_question(house):
    key = await house.key()
    await house.ask(key)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": WHICH},
    ]
    assert state_of(await house.ask(key, messages=messages)) == "miss"


async def test_later_in_a_talk_only_the_same_talk_counts(house):
    key = await house.key()
    await house.ask(key)
    talk = [
        {"role": "user", "content": "Привіт"},
        {"role": "assistant", "content": "Вітаю!"},
        {"role": "user", "content": WHICH},
    ]
    assert state_of(await house.ask(key, messages=talk)) == "miss"
    assert state_of(await house.ask(key, messages=talk)) == "hit-exact"
    talk[1]["content"] = "Добридень!"
    assert state_of(await house.ask(key, messages=talk)) == "miss"


TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [TOOL]},
        {"logprobs": True},
        {"messages": [{"role": "user", "content": "Яка зараз погода?"}]},
    ],
    ids=str,
)
async def test_what_only_a_model_can_answer_never_meets_the_cache(house, body):
    key = await house.key()
    for _ in range(2):
        assert state_of(await house.ask(key, **body)) is None
    assert house.answers.entries == {}


@pytest.mark.parametrize(
    "script",
    [
        ["Їх", ConnectionLost("reset", server="fake")],
        ["Їх", Finished("length", Usage())],
        ["Їх", Finished("content_filter", Usage())],
        [""],
    ],
    ids=["broken", "cut off", "filtered", "empty"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_not_whole_is_never_kept(script, stream):
    async with a_house(script) as house:
        await house.ask(await house.key(), stream=stream)
        assert house.answers.entries == {}


async def test_an_answer_that_nobody_waited_for_is_never_kept(house):
    house.models.scripts["model"] = ["Їх"] + ["."] * 3 + [ConnectionLost("never read")]
    key = await house.key()
    body = {"model": "fake/model", "messages": [{"role": "user", "content": WHICH}]}
    async with house.client.stream(
        "POST",
        "/v1/chat/completions",
        json=body | {"stream": True},
        headers={"authorization": f"Bearer {key}"},
    ) as answer:
        async for _ in answer.aiter_lines():
            break
    await house.cache.drain()
    assert house.answers.entries == {}


async def test_a_database_that_fails_is_not_in_the_way(house):
    key = await house.key()
    house.answers.failing = StorageUnavailable("locked")
    assert state_of(await house.ask(key)) == "miss"


async def test_hits_are_in_the_usage_records_with_what_they_spared(house):
    key = await house.key()
    await house.ask(key)
    await house.ask(key)
    await house.services.recorder.aclose()
    kept = [(call.call.cache, call.call.saved_tokens) for call in house.keys.calls]
    assert kept[0] == ("miss", None)
    assert kept[1][0] == "exact"
    assert kept[1][1] > 0
