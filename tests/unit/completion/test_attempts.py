import contextlib

import pytest

from app.completion.attempts import again
from app.core.errors import (
    BadRequest,
    ConnectionLost,
    KonsiliumError,
    RateLimited,
    ServerBusy,
    ServerUnavailable,
)
from app.core.events import Finished, ModelEvent, TextDelta
from app.core.messages import Message
from app.core.requests import ModelRequest
from app.core.usage import Usage
from tests.unit.completion.fakes import FakeModel

REQUEST = ModelRequest((Message.user("x"),))
ANSWER: list[ModelEvent] = [TextDelta("yes"), Finished("stop", Usage())]


class Pauses:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def read(model: FakeModel, pauses: Pauses) -> list[object]:
    attempts = again(lambda: model.stream(REQUEST), sleep=pauses.sleep)
    async with contextlib.aclosing(attempts) as events:
        return [event async for event in events]


@pytest.mark.parametrize(
    "error", [ServerUnavailable(), ServerBusy(), ConnectionLost(), RateLimited(retry_after=2)]
)
async def test_a_passing_trouble_before_the_first_token_is_tried_again(
    error: KonsiliumError,
) -> None:
    pauses, model = Pauses(), FakeModel([error], [error], ANSWER)
    assert await read(model, pauses) == ANSWER
    assert model.calls == 3
    assert len(pauses.seconds) == 2
    assert min(pauses.seconds) >= (error.retry_after or 0.5)


async def test_nothing_is_tried_again_after_the_first_token() -> None:
    model = FakeModel([TextDelta("ye"), ConnectionLost()])
    with pytest.raises(ConnectionLost):
        await read(model, Pauses())
    assert model.calls == 1


async def test_a_refusal_is_not_tried_again() -> None:
    model = FakeModel([BadRequest()])
    with pytest.raises(BadRequest):
        await read(model, Pauses())
    assert model.calls == 1


async def test_the_last_try_raises_its_own_error() -> None:
    model = FakeModel([ServerBusy()], [ServerBusy()], [ConnectionLost("third")])
    with pytest.raises(ConnectionLost, match="third"):
        await read(model, Pauses())


async def test_a_server_that_asks_for_a_long_wait_is_not_waited_for() -> None:
    model = FakeModel([RateLimited(retry_after=60)])
    with pytest.raises(RateLimited):
        await read(model, Pauses())
    assert model.calls == 1
