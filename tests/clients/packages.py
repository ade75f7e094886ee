"""Python's packages against a gateway: packages.py ENVIRONMENT URL EMBEDDER MODEL... Prints one line of JSON a try: [name, what
it got]. Runs in environments of their own, which the app is not in."""

import json
import os
import sys
from collections.abc import Callable
from functools import partial

os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
ENVIRONMENT, URL, EMBEDDER, *MODELS = sys.argv[1:]
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


def langchain(model: str, *, responses: bool) -> str:
    from langchain_openai import ChatOpenAI

    asked = ChatOpenAI(
        model=model, base_url=URL + "/v1", api_key="none", use_responses_api=responses
    )
    return asked.invoke(PROMPT).text


def llama_index(model: str, way: str) -> str:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike, OpenAILikeResponses

    kind = OpenAILikeResponses if way == "responses" else OpenAILike
    chat = {} if way == "responses" else {"is_chat_model": way != "completion"}
    asked = kind(model=model, api_base=URL + "/v1", api_key="none", **chat)
    if way == "completion":
        return asked.complete(PROMPT).text
    said = [ChatMessage(role="user", content=PROMPT)]
    if way == "stream":
        return "".join(piece.delta for piece in asked.stream_chat(said))
    return asked.chat(said).message.content


def embedded(vector_of: Callable[[str], list[float]]) -> str:
    vector = vector_of(PROMPT)
    return PROMPT if len(vector) > 9 else repr(vector)


def langchain_vector(text: str) -> list[float]:
    from langchain_openai import OpenAIEmbeddings

    asked = OpenAIEmbeddings(
        model=EMBEDDER, base_url=URL + "/v1", api_key="none", check_embedding_ctx_length=False
    )
    return asked.embed_query(text)


def llama_index_vector(text: str) -> list[float]:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    asked = OpenAILikeEmbedding(model_name=EMBEDDER, api_base=URL + "/v1", api_key="none")
    return asked.get_text_embedding(text)


def try_llama_index(model: str) -> None:
    for way in ("chat", "stream", "completion", "responses"):
        tried(f"llama-index, {way}, {model}", partial(llama_index, model, way))


def try_others(model: str) -> None:
    for api in ("responses", "chat_completions"):
        tried(f"openai-agents, {api}, {model}", partial(agents, model, api))
    for face in ("responses", "chat", "messages"):
        tried(f"pydantic-ai, {face}, {model}", partial(pydantic_ai, model, face))
    tried(f"litellm, openai, {model}", partial(litellm, f"openai/{model}", URL + "/v1"))
    tried(f"litellm, ollama, {model}", partial(litellm, f"ollama_chat/{model}", URL + "/ollama"))
    for responses in (False, True):
        name = f"langchain, {'responses' if responses else 'chat'}, {model}"
        tried(name, partial(langchain, model, responses=responses))


alone = ENVIRONMENT == "llama-index"  # it takes another `openai` than the others do
for each in MODELS:
    (try_llama_index if alone else try_others)(each)
name, vector_of = ("llama-index", llama_index_vector) if alone else ("langchain", langchain_vector)
tried(f"{name}, embeddings, {EMBEDDER}", partial(embedded, vector_of))
