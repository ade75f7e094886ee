"""The list of models, in the forms that servers give it: one odd entry takes no other with it."""

import json
from typing import Any

import pytest

from app.core.models import Capability
from app.core.providers import any_server
from app.providers.openai_compatible.listing import profiles

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
