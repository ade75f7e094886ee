"""Any body gets an answer: no 500, no hang. /api by its own description, all faces by hypothesis."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import content_type_conformance

from tests.integration.gateway.test_rest import open_house

Json = dict[str, Any]
QUIET = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextlib.contextmanager
def house_in_a_thread(folder: Path) -> Iterator[str]:
    """The application in a loop of its own: schemathesis and hypothesis call it synchronously."""
    ready, leave = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with open_house(folder) as house:
            found.extend((house.url, asyncio.get_running_loop()))
            ready.set()
            await leave.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    url, loop = found
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join(20)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with house_in_a_thread(tmp_path_factory.mktemp("fuzz")) as url:
        yield url


def test_every_operation_of_the_description_answers_as_described(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json")
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # an Err has no ok(), and fails here
    assert len(operations) > 12

    for operation in operations:

        @QUIET
        @given(case=operation.as_strategy())
        def answers(case: Any) -> None:
            answer = case.call(timeout=15)
            assert answer.status_code < 500 or answer.status_code in (502, 503, 504), answer.text
            case.validate_response(answer, checks=[content_type_conformance])
            if answer.status_code >= 400:
                assert json.loads(answer.content)["error"]

        answers()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
MODELS = ["gpu/echo", "ollama/echo", "echo", "nothing", "konsilium/consultation", "konsilium/x", ""]
ASK = [{"role": "user", "content": "hi"}]
SAMPLING = ["stream", "temperature", "top_p", "stop", "seed", "think", "reasoning_effort", "user"]
CHAT = [*SAMPLING, "tools", "tool_choice", "response_format", "n", "max_tokens", "konsilium"]
OLLAMA = ["stream", "format", "think", "options", "keep_alive", "tools", "images", "suffix", "raw"]
EMBEDDING = ["encoding_format", "dimensions", "truncate", "options", "input"]
CLAUDE = ["system", "tools", "tool_choice", "thinking", "max_tokens", "stop_sequences", "metadata"]
ANSWERED = [
    "instructions",
    "tools",
    "tool_choice",
    "text",
    "reasoning",
    "store",
    "include",
    "input",
]
PATHS: dict[str, tuple[Json, list[str]]] = {
    "/v1/chat/completions": ({"messages": ASK}, [*CHAT, "messages", "stream_options", "logprobs"]),
    "/v1/completions": ({"prompt": "hi"}, [*CHAT, "prompt", "suffix", "echo", "best_of"]),
    "/v1/embeddings": ({"input": "hi"}, EMBEDDING),
    "/v1/messages": ({"messages": ASK, "max_tokens": 9}, [*SAMPLING, *CLAUDE, "messages"]),
    "/v1/messages/count_tokens": ({"messages": ASK}, [*CLAUDE, "messages"]),
    "/v1/responses": ({"input": "hi"}, [*SAMPLING, *ANSWERED, "previous_response_id"]),
    "/v1/responses/input_tokens": ({"input": "hi"}, ANSWERED),
    "/v1/audio/speech": ({"input": "hi", "voice": "alloy"}, ["input", "voice", "speed"]),
    "/v1/images/generations": ({"prompt": "hi"}, ["prompt", "n", "size"]),
    "/v1/rerank": ({"query": "hi", "documents": ["a"]}, ["query", "documents", "top_n"]),
    "/v1/moderations": ({"input": "hi"}, ["input"]),
    "/ollama/api/chat": ({"messages": ASK}, [*OLLAMA, "messages"]),
    "/ollama/api/generate": ({"prompt": "hi"}, [*OLLAMA, "prompt", "system", "template"]),
    "/ollama/api/embed": ({"input": "hi"}, EMBEDDING),
    "/ollama/api/embeddings": ({"prompt": "hi"}, ["prompt", "options"]),
    "/ollama/api/show": ({}, ["name", "verbose"]),
    "/api/chat": ({"messages": ASK}, OLLAMA),
}
"""Of every face what is asked, and fields beside it."""


@pytest.mark.parametrize("path", PATHS)
def test_any_json_is_answered(url: str, path: str) -> None:
    good, fields = PATHS[path]

    @settings(QUIET, max_examples=5)
    @given(
        model=st.sampled_from(MODELS) | json_values,
        others=st.dictionaries(st.sampled_from(fields), json_values, max_size=4),
    )
    def answers(model: Any, others: Json) -> None:
        body = good | {"model": model} | others
        check(path, httpx.post(url + path, json=body, timeout=15))

    answers()


@QUIET
@given(path=st.sampled_from([*PATHS, "/v1/audio/transcriptions"]), body=st.binary(max_size=200))
def test_any_bytes_are_answered(url: str, path: str, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    check(path, httpx.post(url + path, content=body, headers=headers, timeout=15))


def check(path: str, answer: httpx.Response) -> None:
    """No fault of ours, and an error in the form of its face."""
    assert answer.status_code < 500 or answer.status_code in (502, 503, 504), answer.text
    if answer.status_code < 400:
        return
    said = answer.json()
    if path.startswith("/v1/messages"):
        assert said["type"] == "error"
        assert set(said["error"]) == {"type", "message"}
    elif path.startswith("/v1/"):
        assert set(said["error"]) == {"message", "type", "param", "code"}
    else:
        assert isinstance(said["error"], str)
