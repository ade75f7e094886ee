"""Python's packages against a gateway: packages.py URL MODEL... Prints one line of JSON a try: [name, what
it got]. Runs in an environment of its own, which the app is not in."""

import json
import os
import sys
from collections.abc import Callable

os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
URL, MODELS = sys.argv[1], sys.argv[2:]
PROMPT = "hello there"


def tried(name: str, work: Callable[[], object]) -> None:
    try:
        got = work()
    except Exception as error:  # noqa: BLE001 - whatever a package raises is what it got
        got = repr(error)
    print(json.dumps([name, got]), flush=True)


def agents(model: str, api: str) -> str:
    from agents import Agent, Runner, set_default_openai_api, set_default_openai_client
    from openai import AsyncOpenAI

    set_default_openai_api(api)
    set_default_openai_client(AsyncOpenAI(base_url=URL + "/v1", api_key="none"))
    return Runner.run_sync(Agent("a", model=f"openai/{model}"), PROMPT).final_output


def pydantic_ai(model: str, face: str) -> str:
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    openai = OpenAIProvider(base_url=URL + "/v1", api_key="none")
    asked = {
        "responses": lambda: OpenAIResponsesModel(model, provider=openai),
        "chat": lambda: OpenAIChatModel(model, provider=openai),
        "messages": lambda: AnthropicModel(
            model, provider=AnthropicProvider(base_url=URL, api_key="none")
        ),
    }
    return Agent(asked[face]()).run_sync(PROMPT).output


def litellm(model: str, base: str) -> str:
    from litellm import completion

    ask = [{"role": "user", "content": PROMPT}]
    return completion(model, messages=ask, api_base=base, api_key="none").choices[0].message.content


for one in MODELS:
    for api in ("responses", "chat_completions"):
        tried(f"openai-agents, {api}, {one}", lambda m=one, a=api: agents(m, a))
    for face in ("responses", "chat", "messages"):
        tried(f"pydantic-ai, {face}, {one}", lambda m=one, f=face: pydantic_ai(m, f))
    tried(f"litellm, openai, {one}", lambda m=one: litellm(f"openai/{m}", URL + "/v1"))
    tried(f"litellm, ollama, {one}", lambda m=one: litellm(f"ollama_chat/{m}", URL + "/ollama"))
