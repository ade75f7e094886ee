"""The list of models, in the forms that servers give it: one odd entry takes no other with it."""

import json
from contextlib import aclosing
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.models import Capability, Recommendation
from app.core.providers import any_server
from app.providers.ollama import OllamaServer
from app.providers.ollama import listing as ollama
from app.providers.openai_compatible.listing import profiles
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.simulators.http import Exchange, HttpServer, chunk

SERVER = any_server("lab", "https://lab.example/v1")
M = {"id": "m", "object": "model"}


def names(listed: Any) -> list[str]:
    return [profile.ref.name for profile in profiles(SERVER, listed, None)]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"object": "list", "data": [M]}, ["m"]),
        ([M], ["m"]),
        (["m", "n"], ["m", "n"]),
        ({"models": [M]}, ["m"]),
        ({"models": [{"name": "m"}, {"model": "n"}]}, ["m", "n"]),
        ({"data": {"m": {"object": "model"}, "n": {}}}, ["m", "n"]),
        ({"data": {"data": [M]}}, ["m"]),
        ({"object": "list", "data": {"models": [M]}}, ["m"]),
        ({"code": 0, "result": {"items": [M]}}, ["m"]),
        ({"models": {"object": "list", "data": [M]}}, ["m"]),
        ({"data": [{"id": " m\n"}, {"id": "n\ud83d"}]}, ["m", "n\ufffd"]),
        ({"data": None}, []),
        ({"data": []}, []),
        ([], []),
        ({"data": [M, {"object": "model"}, {"id": None}, {"id": 7}, {"id": ""}, None, 5, [M], ""]}, ["m"]),
        ({"data": [{**M, "architecture": "MoE", "supported_parameters": ["tools"]}]}, ["m"]),
        ({"data": [{**M, "architecture": {"input_modalities": 5}, "supported_parameters": [{}]}]}, ["m"]),
        ({"data": [{**M, "supported_parameters": "tools", "meta": "x", "context_length": "8k"}]}, ["m"]),
        ({"data": [{**M, "pricing": "free"}, {"id": "n", "pricing": {"prompt": []}}]}, ["m", "n"]),
        ({"data": [{**M, "created": created} for created in (True, "2024", -5, 1e300, None)]}, ["m"] * 5),
    ],
)  # fmt: skip
def test_what_can_be_read_is_listed(listed: Any, expected: list[str]) -> None:
    assert names(listed) == expected


@pytest.mark.parametrize("listed", [{}, {"object": "list"}, 5, "models", None, {"data": 7}])
def test_what_is_no_list_is_not_taken_for_an_empty_one(listed: Any) -> None:
    with pytest.raises(TypeError):
        profiles(SERVER, listed, None)


@pytest.mark.parametrize(
    "price", ["NaN", "Infinity", "-1", "-Infinity", "sNaN", "x", None, {}, [1]]
)
def test_a_price_that_is_none_is_no_price(price: Any) -> None:
    rows = [{**M, "pricing": {"prompt": price, "completion": "0.000001"}}]
    (profile,) = profiles(SERVER, rows, None)
    assert profile.price is None


def test_a_moment_may_be_in_seconds_or_milliseconds() -> None:
    rows = [{**M, "created": created} for created in (1_765_000_000, 1_765_000_000_000, 1_765e6)]
    assert len({profile.modified_at for profile in profiles(SERVER, rows, None)}) == 1


def test_json_with_a_bare_nan_is_read() -> None:
    rows = json.loads(
        '[{"id": "m", "created": NaN, "context_length": NaN, "pricing": {"prompt": NaN}}]'
    )
    (profile,) = profiles(SERVER, rows, 4096)
    assert (profile.modified_at, profile.window, profile.price) == (None, 4096, None)
    assert profile.can(Capability.COMPLETION)


@pytest.mark.parametrize(
    "name",
    ["context_length", "max_model_len", "context_window", "max_context_length", "max_input_tokens"],
)
def test_a_window_is_read_by_any_of_its_names(name: str) -> None:
    for value in (8192, "8192", 8192.0):
        (profile,) = profiles(SERVER, [{**M, name: value}], None)
        assert profile.window == 8192


@pytest.mark.parametrize(
    ("entry", "day"),
    [
        ({"id": "m", "shutdown_date": "2026-12-11"}, date(2026, 12, 11)),
        ({"id": "m", "expiration_date": "2026-12-11"}, date(2026, 12, 11)),
        ({"id": "m", "deprecation": "2026-12-11T12:00:00Z"}, date(2026, 12, 11)),
        ({"id": "m", "deprecation": None}, None),
        ({"id": "m", "deprecation": "soon"}, None),
        ({"id": "m", "shutdown_date": 5}, None),
        ({"id": "claude-3-7-sonnet-20250219"}, date(2026, 2, 19)),
        ({"id": "openai/gpt-5"}, date(2026, 12, 11)),
        ({"id": "gpt-5-2025-08-07", "shutdown_date": "2027-01-01"}, date(2027, 1, 1)),
        ({"id": "gpt-5.6-sol"}, None),
        ({"id": "gpt-5-codex"}, None),
        ({"id": "claude-opus-4-8"}, None),
    ],
)
def test_a_list_tells_when_a_model_is_shut_down_and_a_table_where_it_does_not(
    entry: dict[str, Any], day: date | None
) -> None:
    cloud = replace(SERVER, local=False)
    (profile,) = profiles(cloud, [entry], None)
    assert profile.retires == day
    (own,) = profiles(replace(SERVER, local=True), [{"id": entry["id"]}], None)
    assert own.retires is None


ODD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**30, -1, "", "\ud83d", "NaN", "9" * 400, 1e400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FULL = {
    "id": "odd",
    "created": 1_765_000_000,
    "context_length": 8192,
    "meta": {"n_ctx": 8192, "size": 5},
    "pricing": {"prompt": "0.1", "completion": "0.1", "input_cache_read": "0.1"},
    "supported_parameters": ["tools"],
    "architecture": {"input_modalities": ["text", "image"]},
}
TAG = {
    "name": "odd",
    "model": "odd",
    "size": 5,
    "digest": "abc",
    "modified_at": "2026-01-01T00:00:00Z",
    "details": {"parameter_size": "1B", "quantization_level": "Q4", "family": "f", "context_length": 5},
    "capabilities": ["completion"],
}  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, entry: dict[str, Any]) -> Any:
    """The entry with one value in it, or all of it, replaced by an odd one."""
    odd = draw(ODD_VALUES)
    name = draw(st.sampled_from([None, *entry]))
    if name is None:
        return odd
    within = entry[name]
    if isinstance(within, dict) and draw(st.booleans()):
        odd = {**within, draw(st.sampled_from(list(within))): odd}
    return {**entry, name: odd}


@settings(max_examples=400, deadline=None)
@given(spoilt(FULL))
def test_no_entry_takes_another_with_it(entry: Any) -> None:
    found = names({"data": [entry, M]})
    assert "m" in found
    for name in found:
        name.encode()


@settings(max_examples=400, deadline=None)
@given(spoilt(TAG), spoilt({"name": "m", "size": 5, "size_vram": 5, "context_length": 5}))
async def test_no_entry_of_ollama_takes_another_with_it(tag: Any, running: Any) -> None:
    listed = ollama.entries({"models": [tag, {"name": "m"}]})
    loads = [ollama.load_state(entry) for entry in ollama.entries({"models": [running]})]
    found = [ollama.profile("lab", each, None, next(iter(loads), None)) for each in listed]
    assert "m" in [profile.ref.name for profile in found]


@pytest.mark.parametrize("path", ["/api/ps", "/api/version"])
@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"null", b'{"models": 5, "version": []}'])
async def test_what_ollama_says_beside_its_list_costs_no_model(path: str, answer: bytes) -> None:
    class Odd(HttpServer):
        async def handler(self, exchange: Exchange) -> None:
            if exchange.path == path:
                await exchange.write(exchange.start("text/plain") + chunk(answer) + chunk(b""))
            elif exchange.path == "/api/tags":
                await exchange.respond(200, {"models": [{"name": "m"}, None, {"size": 1}]})
            else:
                await exchange.respond(404, {})

    async with Odd() as odd, aclosing(OllamaServer("lab", odd.url)) as server:
        state = await server.state()
    assert [profile.ref.name for profile in state.models] == ["m"]


async def test_a_list_that_comes_in_pages_is_read_to_its_end() -> None:
    class Paged(HttpServer):
        async def handler(self, exchange: Exchange) -> None:
            after = exchange.query.removeprefix("after_id=")
            page = {"": ("a", True), "a": ("b", True), "b": ("c", False)}[after]
            listed = {"data": [{"id": page[0]}], "has_more": page[1], "last_id": page[0]}
            await exchange.respond(200, listed)

    async with (
        Paged() as paged,
        aclosing(OpenAICompatibleServer(any_server("lab", paged.url))) as server,
    ):
        state = await server.state()
    assert [profile.ref.name for profile in state.models] == ["a", "b", "c"]


async def test_a_list_with_a_stray_byte_in_it_is_a_list() -> None:
    class Stray(HttpServer):
        async def handler(self, exchange: Exchange) -> None:
            body = b'\xef\xbb\xbf{"data": [{"id": "m", "about": "\xff\t"}]}'
            await exchange.write(exchange.start("application/json") + chunk(body) + chunk(b""))

    async with (
        Stray() as stray,
        aclosing(OpenAICompatibleServer(any_server("lab", stray.url))) as server,
    ):
        state = await server.state()
    assert [profile.ref.name for profile in state.models] == ["m"]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"recommendations": None},
        {"recommendations": "gemma4"},
        {
            "recommendations": [
                "gemma4",
                7,
                {"model": 7},
                {"description": "nameless"},
                {"model": " "},
            ]
        },
    ],
)
def test_recommendations_that_are_none_are_none(said: dict[str, Any]) -> None:
    assert ollama.recommendations(said) == ()


def test_a_recommendation_is_known_by_its_name_and_said_briefly() -> None:
    odd = {"model": " gemma4\n", "description": "x" * 999, "vram_bytes": "many"}
    twice = {"recommendations": [odd, {"model": "gemma4", "description": 5}] * 30}
    assert ollama.recommendations(twice) == (Recommendation("gemma4"),)
    (one,) = ollama.recommendations({"recommendations": [odd]})
    assert (one.about, one.memory_bytes) == ("x" * 200, None)
