"""Asks a small model whether one question's answer answers another."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from app.completion.caching.cache import Check
from app.completion.caching.policy import Policies
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.ports import Models
from app.core.requests import ModelRequest, Sampling
from app.core.usage import CallRecord, Purpose

RULE = (
    "You compare two questions. Reply with one word. Reply yes only if a complete and correct answer "
    "to A is also a complete and correct answer to B, in the same language. If they differ in what is "
    "asked, in a number, date, name, place, direction, negation or order, reply no."
)
LONGEST_REPLY = 8
"""Tokens."""


def checker(
    models: Models, policies: Policies, log: Callable[[CallRecord], Awaitable[None]]
) -> Check:
    """Asks the policy's `check_model`; without one, the answer is no. `log` keeps each call."""

    async def check(known: str, new: str, request_id: str | None) -> bool:
        name = (await policies.current()).check_model
        if not name:
            return False
        request = ModelRequest(
            messages=(Message.system(RULE), Message.user(f"A: {known}\nB: {new}")),
            sampling=Sampling(temperature=0.0, max_tokens=LONGEST_REPLY),
            think=False,
            purpose=Purpose.CACHE_CHECK,
            request_id=request_id,
        )
        call = models.call(models.resolve(name), request)
        try:
            async with aclosing(call.events()) as events:
                said = "".join([e.text async for e in events if isinstance(e, TextDelta)])
        finally:
            await log(call.record)
        return said.strip().strip("\"'*.!").lower() == "yes"

    return check
