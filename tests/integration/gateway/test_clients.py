"""Real clients against the gateway, over a translated server and one that is passed through."""

import asyncio
import base64
import json
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.simulators.script import EXOTIC, THOUGHTS, Cycle

SERVERS = ["ollama", "gpu"]
QUESTION = "Як справи, 👩‍👩‍👧‍👦?"
both = pytest.mark.parametrize("server", SERVERS)


Json = Any
"""Bodies as plain JSON: the packages' typed dicts are theirs to check."""


def client(house, **options) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=house.base, api_key="none", **({"max_retries": 0} | options))


def ask(text: Json = QUESTION) -> Json:
    return [{"role": "user", "content": text}]


async def stream(house, model, question=QUESTION, **options):
    """(chunks, text) of a streamed answer."""
    async with client(house) as ai:
        chunks = [
            chunk
            async for chunk in await ai.chat.completions.create(
                model=model, messages=ask(question), stream=True, **options
            )
        ]
    return chunks, "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@both
async def test_the_asynchronous_client_gets_the_answer_and_its_usage(house, server):
    async with client(house) as ai:
        answer = await ai.chat.completions.create(model=f"{server}/echo", messages=ask())
    assert answer.choices[0].message.content == QUESTION
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


@both
async def test_the_synchronous_client_gets_the_answer(house, server):
    def call():
        with OpenAI(base_url=house.base, api_key="none", max_retries=0) as ai:
            chunks = ai.chat.completions.create(model=f"{server}/echo", messages=ask(), stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert await asyncio.to_thread(call) == QUESTION


@both
async def test_a_stream_begins_with_the_role_and_ends_with_a_reason(house, server):
    chunks, text = await stream(house, f"{server}/echo")
    assert text == QUESTION
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert len({(c.id, c.created) for c in chunks}) == 1
    assert all(c.object == "chat.completion.chunk" and c.usage is None for c in chunks)


@both
async def test_usage_comes_in_a_chunk_of_its_own_when_asked_for(house, server):
    chunks, _ = await stream(house, f"{server}/echo", stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


@both
@pytest.mark.parametrize("model", ["exotic+utf8-split", "exotic+split-3", "len-300+glued"])
async def test_text_arrives_exactly_however_it_is_cut(house, server, model):
    await house.serve(model)
    _, text = await stream(house, f"{server}/{model}")
    assert text == (EXOTIC if "exotic" in model else "".join(Cycle(300)))


@both
async def test_thinking_is_reasoning_content(house, server):
    await house.serve("thinking")
    chunks, text = await stream(house, f"{server}/thinking")
    thought = [getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks]
    assert "".join(thought) == "".join(THOUGHTS)
    assert text == QUESTION


@both
async def test_tools_are_called_whole_and_in_a_stream(house, server):
    await house.serve("tools")
    tool: Json = {
        "type": "function",
        "function": {
            "name": "say",
            "parameters": {"type": "object", "properties": {"echo": {"type": "string"}}},
        },
    }
    async with client(house) as ai:
        whole = await ai.chat.completions.create(
            model=f"{server}/tools", messages=ask(), tools=[tool]
        )
        calls: Json = whole.choices[0].message.tool_calls
        (call,) = calls
        assert call.function.name == "say"
        assert json.loads(call.function.arguments) == {"echo": QUESTION}
        assert whole.choices[0].finish_reason == "tool_calls"
        async with ai.chat.completions.stream(
            model=f"{server}/tools", messages=ask(), tools=[tool]
        ) as events:
            final: Json = await events.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "say"
    assert final.choices[0].finish_reason == "tool_calls"


@both
async def test_parse_returns_what_the_schema_says(house, server):
    class City(BaseModel):
        name: str
        people: int

    await house.serve("json")
    async with client(house) as ai:
        answer = await ai.chat.completions.parse(
            model=f"{server}/json", messages=ask("Kherson"), response_format=City
        )
    assert answer.choices[0].message.parsed == City(name="Kherson", people=1)


@both
async def test_legacy_completions_answer_autocompletion(house, server):
    async with client(house) as ai:
        whole = await ai.completions.create(model=f"{server}/echo", prompt="fn main() {")
        chunks = await ai.completions.create(
            model=f"{server}/echo", prompt="fn main() {", stream=True
        )
        text = "".join([chunk.choices[0].text async for chunk in chunks])
    assert whole.choices[0].text == text == "fn main() {"


async def test_logprobs_of_a_translated_model_have_the_form_of_each_path(house):
    async with client(house) as ai:
        ask_chat: Json = ai.chat.completions.create
        request = {"model": "ollama/echo", "messages": ask("a b"), "logprobs": True}
        whole = (await ask_chat(**request)).choices[0].logprobs
        async with ai.chat.completions.stream(**request) as events:
            streamed: Json = (await events.get_final_completion()).choices[0].logprobs
        legacy: Json = await ai.completions.create(model="ollama/echo", prompt="a b", logprobs=0)
    for logprobs in (whole, streamed):
        assert "".join(token.token for token in logprobs.content) == "a b"
        assert {token.logprob for token in logprobs.content} == {-0.5}
        assert all(token.top_logprobs == [] for token in logprobs.content)
    columns = legacy.choices[0].logprobs
    assert "".join(columns.tokens) == "a b"
    assert columns.token_logprobs == [-0.5] * len(columns.tokens)
    assert columns.text_offset[0] == 0
    assert house.ollama.requests[-1].body["top_logprobs"] == 0


@both
async def test_embeddings_are_alike_as_floats_and_as_base64(house, server):
    async with client(house) as ai:
        floats = await ai.embeddings.create(
            model=f"{server}/embed-m3", input=["a", "b"], encoding_format="float"
        )
        packed = await ai.embeddings.create(model=f"{server}/embed-m3", input=["a", "b"])
        one = await ai.embeddings.create(model=f"{server}/embed-m3", input="a")
    assert [e.index for e in floats.data] == [0, 1]
    for exact, rounded in zip(floats.data, packed.data, strict=True):
        assert rounded.embedding == pytest.approx(exact.embedding, rel=1e-6)
    assert one.data[0].embedding == packed.data[0].embedding


async def test_speech_becomes_text_where_a_server_can(house):
    async with client(house) as ai:
        heard = await ai.audio.transcriptions.create(
            model="gpu/echo", file=("speech.wav", b"RIFF\r\n--x\r\n0000")
        )
        assert heard.text == "сказанное вслух"
        with pytest.raises(openai.NotFoundError, match="has no /audio/transcriptions"):
            await ai.audio.transcriptions.create(model="ollama/echo", file=("a.wav", b"RIFF"))


async def test_models_are_listed_and_found_by_ids_with_slashes(house):
    async with client(house) as ai:
        ids = [model.id async for model in await ai.models.list()]
        assert {"ollama/echo", "gpu/echo", "konsilium/consultation"} <= set(ids)
        assert (await ai.models.retrieve("gpu/echo")).owned_by == "gpu"
        await house.serve("half%2Fone")
        assert (await ai.models.retrieve("gpu/half%2Fone")).id == "gpu/half%2Fone"
        with pytest.raises(openai.NotFoundError):
            await ai.models.retrieve("gpu/nothing/at/all")


def council(*models: str, **chosen: Json) -> Json:
    seats = [{"name": f"M{n}", "model": model} for n, model in enumerate(models, 1)]
    return {"konsilium": {"council_members": json.dumps(seats), **chosen}}


async def test_a_peer_council_ends_early_where_all_say_the_same_and_names_whom_it_lost(house):
    """In the language of the question, since a program's reader has no other."""
    await house.serve("say-42", "say-42_euros", "len-0", "error-503")
    async with client(house) as ai:

        async def asked(*models: str) -> Json:
            return await ai.chat.completions.create(
                model="konsilium/council",
                messages=ask("Сколько будет 40 + 2?"),
                extra_body=council(*models),
            )

        said = await asked("gpu/say-42", "ollama/say-42_euros", "gpu/say-42")
        assert said.choices[0].message.content == "*Все участники согласны.*\n\n42"
        assert said.konsilium["report"]["agreed"]
        assert said.usage.completion_tokens < 12, "nobody was asked to rank or to report"
        left = await asked("gpu/say-42", "ollama/len-0", "gpu/error-503")
        message = left.choices[0].message
        assert message.content.endswith("*Не ответили: B · M2, C · M3.*")
        assert "C · M3 ✗" in message.reasoning_content
        states = [one["state"] for one in left.konsilium["report"]["members"]]
        assert states == ["heard", "silent", "silent"]


async def test_a_council_of_one_model_ranks_reports_and_answers_over_a_stream(house):
    await house.serve("json")
    itself = council(*["gpu/json"] * 3, council_chairman="gpu/json")
    long = "Стоит ли городу менять автобусы на трамваи, и почему? " * 8
    chunks, text = await stream(
        house, "konsilium/council", long, extra_body=itself, temperature=0.6
    )
    assert text
    bodies = house.openai.bodies("/v1/chat/completions")
    sampled = {body["temperature"] for body in bodies}
    assert len(sampled) >= 3, "one model is sampled in different ways"
    [report] = [chunk.konsilium["report"] for chunk in chunks if hasattr(chunk, "konsilium")]
    assert [one["model"] for one in report["members"]] == ["gpu/json"] * 3
    assert (report["chairman"], report["reported"]) == ("gpu/json", True)


@both
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("nothing", openai.NotFoundError),
        ("error-400", openai.BadRequestError),
        ("context", openai.BadRequestError),
        ("error-401", openai.InternalServerError),
        ("error-402", openai.RateLimitError),
        ("error-429", openai.RateLimitError),
        ("error-500", openai.InternalServerError),
        ("html-200", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_errors_before_the_first_token_are_the_classes_clients_know(
    house, server, model, kind, streaming
):
    if model != "nothing":
        await house.serve(model)
    async with client(house) as ai:
        with pytest.raises(kind) as refused:
            await ai.chat.completions.create(
                model=f"{server}/{model}", messages=ask(), stream=streaming
            )
    assert refused.value.code


@both
async def test_a_model_that_never_begins_breaks_the_stream_that_was_kept_alive(house, server):
    await house.serve("stall")
    with pytest.raises(openai.APIError, match="did not begin"):
        await stream(house, f"{server}/stall")
    assert await house.idle()


async def test_a_model_that_never_begins_is_a_timeout_not_worth_a_retry(house):
    await house.serve("stall")
    async with client(house) as ai:
        with pytest.raises(openai.InternalServerError) as refused:
            await ai.chat.completions.create(model="ollama/stall", messages=ask())
    assert refused.value.code == "first_token_timeout"
    assert refused.value.response.headers["x-should-retry"] == "false"


@both
async def test_a_reset_before_the_first_token_is_an_error_with_a_status(house, server):
    await house.serve("reset")
    with pytest.raises(openai.InternalServerError) as refused:
        await stream(house, f"{server}/reset")
    assert refused.value.code == "connection_lost"


@both
@pytest.mark.parametrize(
    "fault",
    [
        "error-after-5",
        "cut-after-5",
        "torn-after-5",
        "reset-after-5",
        "close-after-5",
        "stall-after-5",
    ],
)
async def test_a_stream_that_breaks_says_so_and_never_looks_complete(house, server, fault):
    model = f"len-50+{fault}"
    await house.serve(model)
    heard: list[str] = []

    async def listen() -> None:
        async with client(house) as ai:
            async for chunk in await ai.chat.completions.create(
                model=f"{server}/{model}", messages=ask(), stream=True
            ):
                assert chunk.choices[0].finish_reason is None
                heard.append(chunk.choices[0].delta.content or "")

    with pytest.raises(openai.APIError):
        await listen()
    assert "".join(Cycle(50)).startswith("".join(heard))
    assert await house.idle()


async def test_langchain_asks_streams_calls_tools_and_embeds(house):
    await house.serve("tools")
    for server in SERVERS:
        chat = ChatOpenAI(model=f"{server}/echo", base_url=house.base, api_key="none")  # type: ignore[arg-type]  # it takes a plain text too
        assert (await chat.ainvoke([HumanMessage(QUESTION)])).content == QUESTION
        pieces = [piece.content async for piece in chat.astream(QUESTION)]
        assert "".join(map(str, pieces)) == QUESTION
        tools = ChatOpenAI(model=f"{server}/tools", base_url=house.base, api_key="none")  # type: ignore[arg-type]  # as above
        said = await tools.bind_tools(
            [{"name": "say", "description": "", "parameters": {"type": "object", "properties": {}}}]
        ).ainvoke(QUESTION)
        assert said.tool_calls[0]["name"] == "say"
    vectors = OpenAIEmbeddings(
        model="ollama/embed-m3",
        base_url=house.base,
        api_key="none",  # type: ignore[arg-type]  # as above
        check_embedding_ctx_length=False,
    )
    assert len(await vectors.aembed_documents(["a", "b"])) == 2


async def test_images_reach_a_translated_model_as_bytes(house):
    png = base64.b64encode(b"\x89PNG").decode()
    parts: Json = [
        {"type": "text", "text": "what is it"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
    ]
    await house.serve("llava")
    async with client(house) as ai:
        await ai.chat.completions.create(model="ollama/llava", messages=ask(parts))
    assert house.ollama.bodies("/api/chat")[-1]["messages"][-1]["images"] == [png]
