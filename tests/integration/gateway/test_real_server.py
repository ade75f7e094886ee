"""The gateway before llama.cpp's own server, which nobody here wrote."""

from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.core.providers import any_server
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.gateway import MemoryKeys, gateway, make_services
from tests.llama_server import ALIAS, llama_server
from tests.waiting import until


@pytest.mark.slow
async def test_listing_streaming_usage_and_stop_work_before_a_real_server(tmp_path):
    async with llama_server(tmp_path, fills=True) as url:
        server = OpenAICompatibleServer(any_server("llama", url + "/v1"))
        catalogue = Catalogue([server])
        models = Models(catalogue, Prices())
        await models.refresh()
        store = MemoryKeys()
        services = make_services(models, store)
        async with (
            gateway(services) as ours,
            AsyncOpenAI(base_url=ours + "/v1", api_key="none", max_retries=0) as ai,
        ):
            assert f"llama/{ALIAS}" in [model.id async for model in await ai.models.list()]
            request: Any = {
                "model": f"llama/{ALIAS}",
                "messages": [{"role": "user", "content": "Привет"}],
            }
            whole = await ai.chat.completions.create(**request, max_tokens=8)
            assert whole.usage is not None
            assert whole.usage.completion_tokens == 8
            assert whole.choices[0].finish_reason == "length"
            chunks = [
                chunk
                async for chunk in await ai.chat.completions.create(
                    **request, max_tokens=8, stream=True, stream_options={"include_usage": True}
                )
            ]
            assert chunks[0].choices[0].delta.role == "assistant"
            assert chunks[-1].usage is not None
            assert chunks[-1].usage.completion_tokens == 8
            text = await ai.completions.create(model=f"llama/{ALIAS}", prompt="a", max_tokens=4)
            assert text.choices[0].finish_reason == "length"
            gap: Any = {"model": f"llama/{ALIAS}", "prompt": "a", "suffix": "b c", "max_tokens": 4}
            filled = await ai.completions.create(**gap, temperature=0)
            assert filled.model == f"llama/{ALIAS}"
            assert filled.usage is not None
            assert text.usage is not None
            assert filled.usage.prompt_tokens > text.usage.prompt_tokens + 3
            pieces = [
                piece
                async for piece in await ai.completions.create(
                    **gap, temperature=0, stream=True, stream_options={"include_usage": True}
                )
            ]
            said = "".join(piece.choices[0].text for piece in pieces if piece.choices)
            assert said == filled.choices[0].text
            assert pieces[-1].usage == filled.usage
            asked = {**gap, "options": {"num_predict": 4, "temperature": 0}, "stream": False}
            async with httpx.AsyncClient() as http:
                answer = await http.post(f"{ours}/ollama/api/generate", json=asked)
            assert answer.json()["response"] == said

            stream = await ai.chat.completions.create(**request, max_tokens=8000, stream=True)
            await anext(aiter(stream))
            await stream.close()
            await until(lambda: _idle(url), within=3)
        await catalogue.aclose()


async def _idle(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        slots = (await http.get(url + "/slots")).json()
    return not any(slot["is_processing"] for slot in slots)
