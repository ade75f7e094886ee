"""What is known of a model."""

import pytest

from app.core.models import ModelProfile, ModelRef


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("smollm2", "134.52M", 134.52e6),
        ("smollm2:135m", None, 135e6),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", None, 135e6),
        ("qwen2.5:0.5b-instruct", None, 5e8),
        ("gemma3:4b", "4.3B", 4.3e9),
        ("qwen3-30b-a3b", None, 30e9),
        ("phi", "large", None),
        ("gpt-4.1", None, None),
        ("mixtral-8x7b", None, None),
        ("claude-3-5-haiku", None, None),
        ("o3", None, None),
        ("v1.5b2", None, None),
    ],
)
def test_the_parameters_are_those_that_the_server_says_or_that_stand_in_the_name(
    name, size, parameters
):
    profile = ModelProfile(ModelRef("server", name), parameter_size=size)
    assert profile.parameters == (None if parameters is None else pytest.approx(parameters))
