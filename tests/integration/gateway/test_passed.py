"""Paths that are passed on as they are, texts that are continued, names, and what goes along."""

from typing import Any

import httpx
import ollama
import pytest
from openai import AsyncOpenAI

from app.gateway.aliases import Alias, Aliases, Member
from tests.gateway import make_key
from tests.integration.gateway.conftest import House, open_house
from tests.simulators.openai import SPOKEN

ASK: Any = [{"role": "user", "content": "Hi"}]
Json = Any


def client(house: House, key: str = "none") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=house.base, api_key=key, max_retries=0)


async def post(house: House, path: str, body: Json, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as http:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await http.post(house.url + path, json=body, headers=named)


async def test_speech_pictures_moderation_and_ranking_come_as_the_server_made_them(house):
    async with client(house) as ai:
        spoken = await ai.audio.speech.create(model="gpu/echo", voice="alloy", input="Hi")
        assert spoken.content == SPOKEN
        assert spoken.response.headers["content-type"] == "audio/mpeg"
        drawn: Json = await ai.images.generate(model="gpu/echo", prompt="a cat")
        assert drawn.data[0].b64_json == "aGk="
        judged = await ai.moderations.create(model="gpu/echo", input="Hi")
        assert judged.results[0].flagged is False
        file = ("speech.wav", b"RIFF\r\n--x\r\n0000")
        assert (await ai.audio.translations.create(model="gpu/echo", file=file)).text
    asked = {"model": "gpu/echo", "query": "a", "documents": ["a", "b"]}
    assert (await post(house, "/v1/rerank", asked)).json()["results"][0]["index"] == 0
    assert house.openai.bodies("/v1/rerank")[-1] == asked | {"model": "echo"}
    await house.services.recorder.aclose()
    assert len(house.store.calls) == 5  # nobody's key, but noted


@pytest.mark.parametrize("path", ["audio/speech", "images/generations", "moderations", "rerank"])
async def test_a_server_without_such_a_path_is_a_404_that_says_so(house, path):
    answer = await post(house, f"/v1/{path}", {"model": "ollama/echo", "input": "Hi"})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "no_such_service"
    assert f"/{path}" in error["message"]
    assert (await post(house, f"/v1/{path}", {"input": "Hi"})).status_code == 400


async def test_a_bare_name_is_asked_where_the_path_is(house):
    answer = await post(house, "/v1/rerank", {"model": "echo", "query": "a", "documents": []})
    assert answer.status_code == 200


async def test_a_text_is_continued_raw_and_filled_in_before_a_suffix(house):
    house.ollama.set_models([*house.ollama.models, "coder"])
    await house.services.models.refresh()
    async with client(house) as ai:
        said = await ai.completions.create(model="ollama/echo", prompt="def f(", max_tokens=9)
        assert said.choices[0].text == "def f("
    sent = house.ollama.bodies("/api/generate")[-1]
    assert (sent["prompt"], sent["raw"]) == ("def f(", True)
    assert sent["options"]["num_predict"] == 9
    refused = await post(
        house, "/v1/completions", {"model": "ollama/echo", "prompt": "a", "suffix": "b"}
    )
    assert refused.status_code == 400
    assert "insert" in refused.json()["error"]["message"]
    for model in ("ollama/echo", "gpu/echo"):
        lines = ollama.AsyncClient(host=f"{house.url}/ollama")
        heard = [
            each.response
            async for each in await lines.generate(model=model, prompt="ab", raw=True, stream=True)
        ]
        assert "".join(map(str, heard)) == "ab"
    assert house.openai.bodies("/v1/completions")[-1]["prompt"] == "ab"


@pytest.mark.parametrize("stream", [False, True])
async def test_every_answer_names_the_model_as_the_list_does(house, stream):
    async with client(house) as ai:
        for name in ("ollama/echo", "gpu/echo"):
            create: Json = ai.chat.completions.create
            answer = await create(model=name, messages=ASK, stream=stream)
            told = {chunk.model async for chunk in answer} if stream else {answer.model}
            assert told == {name}


async def test_a_text_about_models_stays_as_it_is(house):
    text = 'say "model":"echo", and {"model": "echo"} and \\"model\\":\\"echo\\"' * 20
    async with client(house) as ai:
        create: Json = ai.chat.completions.create
        ask = [{"role": "user", "content": text}]
        answer = await create(model="gpu/echo", messages=ask, stream=True)
        told = "".join([c.choices[0].delta.content or "" async for c in answer if c.choices])
        whole = await create(model="gpu/echo", messages=ask)
    assert told == text
    assert whole.choices[0].message.content == text


async def test_the_trace_of_a_request_reaches_the_servers_if_it_is_one(house):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for server, path in (("ollama", "/api/chat"), ("gpu", "/v1/chat/completions")):
        body = {"model": f"{server}/echo", "messages": ASK}
        await post(house, "/v1/chat/completions", body, traceparent=parent, tracestate="a=b")
        upstream = house.ollama if server == "ollama" else house.openai
        sent = [each for each in upstream.requests if each.path == path][-1].headers
        assert (sent["traceparent"], sent["tracestate"]) == (parent, "a=b")
        await post(house, "/v1/chat/completions", body, traceparent="mine", tracestate="a=b")
        sent = [each for each in upstream.requests if each.path == path][-1].headers
        assert "traceparent" not in sent


async def test_models_that_only_embed_are_marked_in_the_list(house):
    async with client(house) as ai:
        kinds: Json = {model.id: model async for model in ai.models.list()}
    assert kinds["ollama/echo"].type == "chat"
    assert kinds["ollama/embed-m3"].type == "embedding"
    assert "embedding" in kinds["ollama/embed-m3"].capabilities


async def test_a_council_takes_aliases_for_its_models():
    kept = {"fast": Alias("fast", (Member("gpu/echo"),))}
    async with open_house(aliases=Aliases(kept)) as house:
        speakers = [{"name": "A", "model": "fast"}, {"name": "B", "model": "gpu/echo"}]
        options = {"model": "fast", "dialogue_turns": 2, "dialogue_participants": speakers}
        body = {"model": "konsilium/dialogue", "messages": ASK, "max_tokens": 7}
        answer = await post(house, "/v1/chat/completions", body | {"konsilium": options})
        assert answer.status_code == 200, answer.text
        asked = house.openai.bodies("/v1/chat/completions")
        assert {each["model"] for each in asked} == {"echo"}
        assert {each.get("max_tokens") for each in asked} == {7}


async def test_what_a_council_cannot_keep_is_left_out_for_those_who_say_so(house):
    tool = {"type": "function", "function": {"name": "say", "parameters": {}}}
    options = {"model": "ollama/echo"}
    body = {"model": "konsilium/consultation", "messages": ASK, "konsilium": options}
    body |= {"tools": [tool], "stop": ["x"], "seed": 5, "top_k": 20}
    refused = await post(house, "/v1/chat/completions", body)
    assert refused.status_code == 400
    kept = await post(house, "/v1/chat/completions", body, x_konsilium_drop_params="true")
    assert kept.status_code == 200
    several = {"model": "ollama/echo", "messages": ASK, "n": 2}
    assert (await post(house, "/v1/chat/completions", several)).status_code == 400
    odd = {"model": "ollama/echo", "messages": ASK, "response_format": {"type": "grammar"}}
    assert (await post(house, "/v1/chat/completions", odd)).status_code == 400
    kept = await post(house, "/v1/chat/completions", odd, x_konsilium_drop_params="true")
    assert kept.status_code == 200
    former = {"model": "ollama/echo", "messages": ASK, "functions": [{"name": "say"}]}
    refused = await post(house, "/v1/chat/completions", former)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "functions")
    kept = await post(house, "/v1/chat/completions", former, x_konsilium_drop_params="true")
    assert kept.status_code == 200
    one = await post(house, "/v1/chat/completions", several, x_konsilium_drop_params="true")
    assert len(one.json()["choices"]) == 1
    _, secret = await make_key(house.services, drop_params=True)
    key = {"authorization": f"Bearer {secret}"}
    one = await post(house, "/v1/chat/completions", several, **key)
    assert len(one.json()["choices"]) == 1
    said_otherwise = key | {"x_konsilium_drop_params": "false"}
    assert (await post(house, "/v1/chat/completions", several, **said_otherwise)).status_code == 400


FACES: list[tuple[str, Json]] = [
    ("/v1/chat/completions", {"messages": ASK}),
    ("/v1/messages", {"messages": ASK, "max_tokens": 9}),
    ("/v1/responses", {"input": "hi"}),
    ("/ollama/api/chat", {"messages": ASK, "stream": False}),
]


@pytest.mark.parametrize(("path", "fields"), FACES, ids=[path for path, _ in FACES])
async def test_tools_that_a_model_does_not_take_are_left_out_for_those_who_say_so(
    house, path, fields
):
    function = {"name": "say", "parameters": {"type": "object", "properties": {}}}
    tools: dict[str, Json] = {
        "/v1/messages": {"name": "say", "input_schema": function["parameters"]},
        "/v1/responses": {"type": "function", **function},
    }
    tool = tools.get(path, {"type": "function", "function": function})
    body = fields | {"model": "ollama/echo", "tools": [tool]}
    assert (await post(house, path, body)).status_code == 400
    kept = await post(house, path, body, x_konsilium_drop_params="1")
    assert kept.status_code == 200, kept.text


async def test_a_bound_that_the_model_can_have_is_kept_while_its_window_is_only_presumed(house):
    profile = next(p for p in house.models.states()[0].models if p.ref.name == "echo")
    assert (profile.longest or 0) > 5000 > (profile.window or 0) - 1000
    body = {"model": "ollama/echo", "messages": ASK, "max_tokens": 5000}
    assert (await post(house, "/v1/chat/completions", body)).status_code == 200
    assert house.ollama.bodies("/api/chat")[-1]["options"]["num_predict"] == 5000
