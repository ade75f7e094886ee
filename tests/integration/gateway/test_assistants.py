"""Assistants as models of /v1: their instructions, their model, their tools, for keys that may use all of it."""

from typing import Any

import pytest

from app.core.presets import Preset
from tests.gateway import LOCAL, make_key
from tests.integration.gateway.test_tools import CALCULATES, ask, house
from tests.unit.conversation.test_tools import returned

OWL = {"system_prompt": "You are an owl.", "model": "fake/model", "tools": "calculator"}
NAME = "konsilium/assistants/night-owl"


class Shelf:
    """Implements what the gateway asks of `storage.Presets`: one assistant of everybody's."""

    def __init__(self, **content: str) -> None:
        self.preset = Preset("1", "assistants", LOCAL.user_id, "Me", "Night owl", content)

    async def all(self, kind: str, reader: str) -> tuple[Preset, ...]:
        return (self.preset,)

    async def named(self, kind: str, slug: str, reader: str) -> Preset | None:
        return self.preset if slug == self.preset.slug else None


def with_assistant(script: Any, **content: str) -> tuple[Any, Any]:
    services, models = house(script)
    object.__setattr__(services, "presets", Shelf(**content))
    return services, models


def body(model: str = NAME, **fields: Any) -> dict[str, Any]:
    said = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "6*7?"}]
    return {"model": model, "messages": said, **fields}


@pytest.mark.parametrize("stream", [False, True])
async def test_it_answers_by_its_instructions_with_its_model_and_its_tools(stream: bool):
    services, models = with_assistant(CALCULATES, **OWL)
    _, secret = await make_key(services, tools=["calculator"])
    answer = await ask(services, body(stream=stream), secret)
    assert answer.status_code == 200
    assert "It is 42." in answer.text
    assert NAME in answer.text
    system = models.requests[0][1].messages[0].text
    assert system.startswith("You are an owl.\n\nBe short.")
    assert len(returned(models.requests[1][1])) == 1


@pytest.mark.parametrize(
    ("content", "limits", "model", "status"),
    [
        (OWL, {"models": ["other/*"], "tools": ["*"]}, NAME, 404),
        (OWL, {"models": ["fake/*"], "tools": ["*"]}, NAME, 404),
        (OWL, {"models": ["konsilium/*"], "tools": ["*"]}, NAME, 404),
        (OWL, {"models": ["konsilium/*", "fake/*"]}, NAME, 403),
        (OWL, {"models": ["konsilium/*", "fake/*"], "tools": ["*"]}, NAME, 200),
        ({**OWL, "model": "fake/gone"}, {"tools": ["*"]}, NAME, 404),
        ({"knowledge": "b1"}, {}, NAME, 403),
        ({}, {}, NAME, 200),
        ({}, {"models": ["konsilium/*"]}, NAME, 404),
        (OWL, {"tools": ["*"]}, "konsilium/assistants/nobody", 404),
    ],
)
async def test_a_key_needs_the_assistant_its_model_and_its_tools(content, limits, model, status):
    services, models = with_assistant("Uhu.", **content)
    _, secret = await make_key(services, **limits)
    answer = await ask(services, body(model), secret)
    assert answer.status_code == status, answer.text
    assert bool(models.requests) == (status == 200)
