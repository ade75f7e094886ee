"""Any body gets an answer: no 500, no hang. /api by its own description, /v1 by hypothesis."""

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
FIELDS = [
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "tools",
    "tool_choice",
    "n",
    "seed",
    "response_format",
    "reasoning_effort",
    "think",
    "prompt",
    "input",
    "encoding_format",
    "dimensions",
    "konsilium",
    "logprobs",
]
MODELS = ["gpu/echo", "echo", "nothing", "konsilium/consultation", "konsilium/x", ""]
GOOD = {"messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "input": "hi"}
PATHS = ["chat/completions", "completions", "embeddings"]


@QUIET
@given(
    path=st.sampled_from(PATHS),
    model=st.sampled_from(MODELS) | json_values,
    fields=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4),
)
def test_any_json_is_answered(url: str, path: str, model: Any, fields: dict[str, Any]) -> None:
    check(httpx.post(f"{url}/v1/{path}", json=GOOD | {"model": model} | fields, timeout=15))


@QUIET
@given(path=st.sampled_from([*PATHS, "audio/transcriptions"]), body=st.binary(max_size=200))
def test_any_bytes_are_answered(url: str, path: str, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    check(httpx.post(f"{url}/v1/{path}", content=body, headers=headers, timeout=15))


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.status_code in (502, 503, 504), answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
