"""One table says what is known of a model by its name: the chat's and the adapters' windows agree."""

import tomllib

import pytest

from app.core.families import TABLE, family_of
from app.core.models import Capability


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("gpt-4.1", 1_047_576),
        ("gpt-4.1-mini", 1_047_576),
        ("openai/gpt-5-mini", 400_000),
        ("gpt-4o", 128_000),
        ("o1-mini", 128_000),
        ("o3", 200_000),
        ("openai/o4-mini", 200_000),
        ("aliceai-llm", 131_072),
        ("aliceai-llm-flash", 65_536),
        ("deepseek-r1:7b", 131_072),
        ("Qwen3-VL-8B", 262_144),
        ("qwen2.5:1.5b", 32_768),
        ("proto1", None),
    ],
)
def test_a_familys_window_is_known(name, window):
    assert family_of(name).window == window


def test_each_fact_comes_from_the_first_row_that_states_it():
    seeing = family_of("qwen3-vl:8b")
    assert Capability.VISION in seeing.capabilities
    assert seeing.window == 262_144
    assert family_of("qwen3-embedding").capabilities == {Capability.EMBEDDING}
    assert family_of("gpt-image-1").capabilities == frozenset()
    assert not family_of("vendor/gpt-5").sampled
    assert family_of("anthropic/claude-sonnet-4.5").one_sampler


def test_every_window_and_every_price_is_dated():
    table = tomllib.loads(TABLE.read_text("utf-8"))
    assert all("as_of" in row for row in table["family"] if "window" in row)
    assert all("as_of" in row for row in table["price"])
    assert "usd_rub_as_of" in table
