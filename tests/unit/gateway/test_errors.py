import inspect
import json

import pytest

from app.core import errors
from app.core.errors import ContextTooLong, KonsiliumError, LimitReached, ModelNotFound, ServerFault
from app.gateway.errors import ANSWERS, answer_to

TREE = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, KonsiliumError)
]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_an_answer_of_its_own(kind):
    assert kind in ANSWERS
    answer = ANSWERS[kind]
    assert 400 <= answer.status < 600
    assert answer.message.endswith(".")
    assert set(answer.envelope["error"]) == {"message", "type", "param", "code"}


def test_an_unexpected_exception_tells_nothing():
    answer = answer_to(ZeroDivisionError("secret path"))
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_near_names_are_told():
    message = answer_to(ModelNotFound("x", server="o", model="gema", near=("o/gemma",))).message
    assert "`o/gema`" in message
    assert "o/gemma." in message


def test_a_limit_says_when_to_come_back():
    answer = answer_to(LimitReached("10 requests a minute.", retry_after=6.2))
    assert answer.status == 429
    assert (b"retry-after", b"7") in answer.headers


def test_what_a_retry_would_only_repeat_says_so():
    assert (b"x-should-retry", b"false") in answer_to(errors.QuotaExceeded("no money")).headers
    assert (b"x-should-retry", b"false") in answer_to(errors.FirstTokenTimeout("late")).headers


def test_codes_are_what_clients_look_for():
    assert json.loads(answer_to(ContextTooLong("too long")).body)["error"]["code"] == (
        "context_length_exceeded"
    )
    assert answer_to(errors.RateLimited("slow down")).code == "rate_limit_exceeded"
    assert answer_to(errors.BudgetExceeded("spent")).type == "insufficient_quota"
    assert answer_to(ServerFault("out of memory")).message == "out of memory"
