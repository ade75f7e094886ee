"""The `ollama` package, and what Open WebUI and Ollama's own command line ask, against /ollama."""

import base64
import json
from typing import Any

import httpx
import ollama
import pytest
from ollama import AsyncClient
from pydantic import BaseModel

from tests.gateway import make_key
from tests.integration.gateway.conftest import open_house
from tests.simulators.script import EXOTIC, THOUGHTS, Cycle

SERVERS = ["ollama", "gpu"]
both = pytest.mark.parametrize("server", SERVERS)
roots = pytest.mark.parametrize("root", ["/ollama", ""])
QUESTION = "Як справи, 👩‍👩‍👧‍👦?"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"echo": {"type": "string"}}},
    },
}


def client(house, root: str = "/ollama", **options: Any) -> AsyncClient:
    return AsyncClient(host=house.url + root, **options)


def ask(text: str = QUESTION) -> Any:
    return [{"role": "user", "content": text}]


def asked_of(house, server: str) -> Any:
    if server == "ollama":
        return house.ollama.bodies("/api/chat")[-1]
    return house.openai.bodies("/v1/chat/completions")[-1]


@roots
@both
async def test_a_chat_answers_whole_and_in_a_stream(house, server, root):
    ai = client(house, root)
    whole = await ai.chat(model=f"{server}/echo", messages=ask(EXOTIC.strip()))
    assert whole.message.content == EXOTIC.strip()
    assert (whole.done, whole.done_reason, whole.model) == (True, "stop", f"{server}/echo")
    assert whole.prompt_eval_count
    assert whole.eval_count
    pieces = [
        piece
        async for piece in await ai.chat(
            model=f"{server}/echo", messages=ask(EXOTIC.strip()), stream=True
        )
    ]
    assert "".join(piece.message.content or "" for piece in pieces) == EXOTIC.strip()
    assert [piece.done for piece in pieces].count(True) == 1
    assert pieces[-1].done
    assert pieces[-1].eval_count


async def test_a_stream_is_the_default_as_with_ollama(house):
    async with httpx.AsyncClient() as http:
        body = {"model": "gpu/echo", "messages": ask()}
        answer = await http.post(f"{house.url}/ollama/api/chat", json=body)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["done"] is True
    assert lines[-1]["message"] == {"role": "assistant", "content": ""}


@both
async def test_a_tool_is_called_and_its_result_goes_back_by_the_tools_name(house, server):
    await house.serve("tools")
    ai = client(house)
    first = await ai.chat(model=f"{server}/tools", messages=ask(), tools=[WEATHER])
    assert first.message.tool_calls
    call = first.message.tool_calls[0].function
    assert (call.name, call.arguments) == ("weather", {"echo": QUESTION})
    streamed = [
        piece
        async for piece in await ai.chat(
            model=f"{server}/tools", messages=ask(), tools=[WEATHER], stream=True
        )
    ]
    calls = [call for piece in streamed for call in piece.message.tool_calls or ()]
    assert [call.function.arguments for call in calls] == [{"echo": QUESTION}]
    said = [
        *ask(),
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_name": "weather", "content": "19 degrees"},
        *ask("And?"),
    ]
    again = await ai.chat(model=f"{server}/echo", messages=said)
    assert again.message.content == "And?"
    messages = asked_of(house, server)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"]


@both
async def test_thinking_comes_apart(house, server):
    await house.serve("thinking")
    answer = await client(house).chat(model=f"{server}/thinking", messages=ask(), think=True)
    assert answer.message.thinking == "".join(THOUGHTS)
    assert answer.message.content == QUESTION
    pieces = [
        piece
        async for piece in await client(house).chat(
            model=f"{server}/thinking", messages=ask(), think="low", stream=True
        )
    ]
    assert "".join(piece.message.thinking or "" for piece in pieces) == "".join(THOUGHTS)


@both
async def test_json_by_a_schema_comes_as_asked(house, server):
    class Answer(BaseModel):
        answer: str

    await house.serve("json")
    schema = Answer.model_json_schema()
    answer = await client(house).chat(model=f"{server}/json", messages=ask(), format=schema)
    assert Answer.model_validate_json(answer.message.content or "").answer == QUESTION


async def test_options_and_images_reach_the_model_and_its_context_stays(house):
    png = base64.b64encode(b"\xff\xd8\xff").decode()
    said = [{"role": "user", "content": "See", "images": [png]}]
    options = {
        "temperature": 0.5,
        "num_ctx": 1234,
        "num_predict": 7,
        "top_k": 3,
        "stop": ["END"],
        "seed": 1,
    }
    await house.serve("llava")
    await client(house).chat(model="ollama/llava", messages=said, options=options)
    asked = asked_of(house, "ollama")
    assert asked["messages"][0]["images"] == [png]
    sent = asked["options"]
    assert sent.get("num_ctx") != 1234
    assert {name: sent[name] for name in ("temperature", "num_predict", "top_k", "seed")} == {
        "temperature": 0.5,
        "num_predict": 7,
        "top_k": 3,
        "seed": 1,
    }
    assert sent["stop"] == ["END"]
    await client(house).chat(model="gpu/echo", messages=said)
    part = asked_of(house, "gpu")["messages"][0]["content"][1]
    assert part["image_url"]["url"] == f"data:image/jpeg;base64,{png}"


@roots
@both
async def test_generate_answers_a_prompt(house, server, root):
    ai = client(house, root)
    whole = await ai.generate(model=f"{server}/echo", prompt=QUESTION, system="Be brief.")
    assert (whole.response, whole.done) == (QUESTION, True)
    assert asked_of(house, server)["messages"][0] == {"role": "system", "content": "Be brief."}
    await house.serve("len-50")
    pieces = [
        piece
        async for piece in await ai.generate(
            model=f"{server}/len-50", prompt="x", options={"num_predict": 5}, stream=True
        )
    ]
    assert "".join(piece.response or "" for piece in pieces) == "".join(Cycle(5))
    assert pieces[-1].done_reason == "length"


@roots
@both
async def test_embeddings_come_in_both_forms(house, server, root):
    ai = client(house, root)
    many = await ai.embed(model=f"{server}/embed-m3", input=["a", "b"])
    assert len(many.embeddings) == 2
    assert many.prompt_eval_count
    one = await ai.embeddings(model=f"{server}/embed-m3", prompt="a")
    assert list(one.embedding) == pytest.approx(list(many.embeddings[0]))
    assert (await ai.embed(model=f"{server}/embed-m3", input=[])).embeddings == []


@roots
async def test_models_are_listed_shown_and_seen_at_work(house, root):
    ai = client(house, root)
    listed = {model.model for model in (await ai.list()).models}
    assert {"ollama/echo", "gpu/echo", "konsilium/consultation"} <= listed
    shown = await ai.show("ollama/echo")
    assert "completion" in (shown.capabilities or ())
    assert (shown.modelinfo or {})["gemma2.context_length"] == 8192
    await ai.chat(model="ollama/echo", messages=ask())
    await house.services.models.refresh()
    running = (await ai.ps()).models
    assert [model.model for model in running] == ["ollama/echo"]
    with pytest.raises(ollama.ResponseError) as missing:
        await ai.show("nothing")
    assert missing.value.status_code == 404


async def test_what_ollamas_command_line_and_open_webui_ask_first_is_answered(house):
    async with httpx.AsyncClient(base_url=house.url) as http:
        for path in ("/ollama", "/ollama/", "/"):
            assert (await http.head(path)).status_code == 200
        assert (await http.get("/ollama/")).text == "Ollama is running"
        for path in ("/ollama/api/version", "/api/version"):
            version = (await http.get(path)).json()["version"]
            assert tuple(map(int, version.split("."))) >= (0, 6, 4)
        shown = await http.post("/ollama/api/show", json={"name": "echo:latest"})
        assert shown.status_code == 200
        tagged = await http.post(
            "/ollama/api/chat",
            json={"model": "gpu/echo:latest", "messages": ask(), "stream": False},
        )
        assert tagged.json()["message"]["content"] == QUESTION
        through = await http.post(
            "/ollama/v1/chat/completions", json={"model": "gpu/echo", "messages": ask()}
        )
        assert through.json()["choices"][0]["message"]["content"] == QUESTION
        nowhere = await http.get("/ollama/api/nothing")
        assert nowhere.status_code == 404
        assert "nothing" in nowhere.json()["error"]


async def test_a_request_that_says_nothing_loads_the_model_and_unloads_it(house):
    ai = client(house)
    loaded = await ai.generate(model="ollama/echo", prompt="")
    assert (loaded.done_reason, loaded.response) == ("load", "")
    assert house.ollama.loaded == {"echo"}
    unloaded = await ai.chat(model="ollama/echo", messages=[], keep_alive=0)
    assert unloaded.done_reason == "unload"
    assert house.ollama.loaded == set()
    other = await ai.chat(model="gpu/echo", messages=[])
    assert other.done_reason == "load"


async def test_models_are_fetched_and_removed_by_administrators_only(house):
    ai = client(house)
    statuses = [line.status async for line in await ai.pull("new:1b", stream=True)]
    assert statuses[-1] == "success"
    assert "new:1b" in house.ollama.models
    assert "ollama/new:1b" in {model.model for model in (await ai.list()).models}
    await ai.delete("ollama/new:1b")
    assert "new:1b" not in house.ollama.models
    with pytest.raises(ollama.ResponseError):
        await ai.pull("pull-unknown")
    with pytest.raises(ollama.ResponseError) as made:
        await ai.copy("ollama/echo", "mine")
    assert made.value.status_code == 400
    _, secret = await make_key(house.services)
    user = client(house, headers={"Authorization": f"Bearer {secret}"})
    await user.chat(model="ollama/echo", messages=ask())
    refused = [
        lambda: user.pull("new:1b"),
        lambda: user.delete("ollama/echo"),
        lambda: user.copy("ollama/echo", "mine"),
        lambda: user.generate(model="ollama/echo", prompt="", keep_alive=0),
    ]
    for attempt in refused:
        with pytest.raises(ollama.ResponseError, match="administrators") as error:
            await attempt()
        assert error.value.status_code == 403
    assert "echo" in house.ollama.models


async def test_a_key_sees_its_own_models_and_no_key_sees_none():
    async with open_house() as house:
        _, secret = await make_key(house.services, models=("gpu/*",))
        ai = client(house, headers={"Authorization": f"Bearer {secret}"})
        assert {model.model for model in (await ai.list()).models} == {"gpu/echo", "gpu/embed-m3"}
        with pytest.raises(ollama.ResponseError) as missing:
            await ai.chat(model="ollama/echo", messages=ask())
        assert missing.value.status_code == 404
        unknown = client(house, headers={"Authorization": "Bearer sk-kons-unknown"})
        for attempt in (unknown.list, lambda: unknown.chat(model="gpu/echo", messages=ask())):
            with pytest.raises(ollama.ResponseError) as refused:
                await attempt()
            assert refused.value.status_code == 401


async def test_a_council_answers(house):
    body = {
        "model": "konsilium/best-of",
        "messages": ask(),
        "stream": False,
        "konsilium": {"model": "ollama/echo"},
    }
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.url}/ollama/api/chat", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"]["content"]
    assert answer.json()["message"]["thinking"]


@both
@pytest.mark.parametrize("fault", ["cut", "reset", "error", "torn"])
async def test_a_stream_that_breaks_ends_in_an_error_and_never_looks_whole(house, server, fault):
    model = f"{fault}-after-3"
    await house.serve(model)
    body = {"model": f"{server}/{model}", "messages": ask("a b c d e f g")}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.url}/ollama/api/chat", json=body, timeout=30)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1].keys() == {"error"}
    assert not [line for line in lines[:-1] if line["done"]]
    with pytest.raises(ollama.ResponseError):
        async for _ in await client(house).chat(
            model=f"{server}/{model}", messages=ask("a b c d e f g"), stream=True
        ):
            pass


async def test_while_a_model_loads_empty_lines_keep_the_stream_alive(house):
    await house.serve("load-1s")
    pieces = [
        piece
        async for piece in await client(house).chat(
            model="ollama/load-1s", messages=ask("Hi"), stream=True
        )
    ]
    assert pieces[0].model == ""
    assert "".join(piece.message.content or "" for piece in pieces) == "Hi"


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": 5},
        {"messages": [7]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x", "images": ["%"]}]},
        {"messages": [{"role": "user", "content": "x", "images": "abc"}]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [5]}]},
        {"options": 5},
        {"format": "yaml"},
        {"model": None},
        {"model": 5},
        {"stream": "yes"},
    ],
)
async def test_what_cannot_be_served_is_a_400_in_ollamas_form(house, wrong):
    body = {"model": "ollama/echo", "messages": ask()} | wrong
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.url}/ollama/api/chat", json=body)
    assert answer.status_code == 400, answer.text
    assert isinstance(answer.json()["error"], str)
