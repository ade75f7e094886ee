"""Names of an administrator's own, and models that no list has."""

from typing import Any

import ollama
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from app.gateway.aliases import Alias, Aliases, Member
from tests.gateway import make_key
from tests.integration.gateway.conftest import open_house

ASK: Any = [{"role": "user", "content": "Hi"}]


def aliases(*members: Member) -> Aliases:
    return Aliases({"fast": Alias("fast", members)})


async def ask(house, model: str = "fast", key: str = "none", **options):
    async with AsyncOpenAI(base_url=house.base, api_key=key, max_retries=0) as ai:
        return await ai.chat.completions.create(model=model, messages=ASK, **options)


async def test_an_alias_answers_in_every_protocol_and_is_listed():
    async with open_house(aliases=aliases(Member("gpu/echo"))) as house:
        assert (await ask(house)).choices[0].message.content == "Hi"
        async with AsyncAnthropic(base_url=house.url, api_key="none") as ai:
            said = await ai.messages.create(model="fast", max_tokens=9, messages=ASK)
            assert said.content[0].text == "Hi"  # type: ignore[union-attr]
        of_ollama = ollama.AsyncClient(host=f"{house.url}/ollama")
        answer = await of_ollama.chat(model="fast:latest", messages=ASK)
        assert answer.message.content == "Hi"
        assert "fast" in {model.model for model in (await of_ollama.list()).models}
        async with AsyncOpenAI(base_url=house.base, api_key="none") as client:
            assert "fast" in [model.id async for model in client.models.list()]
            assert (await client.models.retrieve("fast")).id == "fast"
            vectors = await client.embeddings.create(model="gpu/embed-m3", input="x")
            assert vectors.data


@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_model_of_an_alias_is_asked_where_one_fails_before_it_begins(stream):
    members = (Member("gpu/error-503"), Member("ollama/echo"))
    async with open_house(aliases=aliases(*members)) as house:
        await house.serve("error-503")
        if stream:
            async with AsyncOpenAI(base_url=house.base, api_key="none", max_retries=0) as ai:
                answer = await ai.chat.completions.create(model="fast", messages=ASK, stream=True)
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
        else:
            text = (await ask(house)).choices[0].message.content or ""
        assert text == "Hi"
        assert house.openai.bodies("/v1/chat/completions")


async def test_an_alias_gives_a_key_no_model_that_is_not_its_own():
    members = (Member("gpu/echo"), Member("ollama/echo"))
    async with open_house(aliases=aliases(*members)) as house:
        _, one = await make_key(house.services, models=("ollama/*",))
        await ask(house, key=one)
        assert not house.openai.bodies("/v1/chat/completions")
        _, none = await make_key(house.services, models=("elsewhere/*",))
        with pytest.raises(openai.NotFoundError):
            await ask(house, key=none)
        async with AsyncOpenAI(base_url=house.base, api_key=none) as client:
            assert [model.id async for model in client.models.list()] == []
