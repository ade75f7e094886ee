"""Errors by status before text, whatever the body."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.core import errors
from app.providers.upstream_errors import error_in_body, error_of_status, retry_after


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, errors.WrongKey),
        (403, {"error": {"grpcCode": 7, "httpCode": 403, "message": "denied"}}, errors.WrongKey),
        (402, {"error": "Insufficient Balance"}, errors.QuotaExceeded),
        (404, {"error": "model 'x' not found"}, errors.ModelNotFound),
        (404, "404 page not found", errors.ModelNotFound),
        (429, {"error": {"message": "slow down"}}, errors.RateLimited),
        (429, {"error": {"message": "x", "code": "insufficient_quota"}}, errors.QuotaExceeded),
        (400, {"error": '"m" does not support tools'}, errors.Unsupported),
        (400, {"error": {"message": "Model not exist"}}, errors.ModelNotFound),
        (400, {"error": "maximum context length is 8192 tokens"}, errors.ContextTooLong),
        (400, {"error": {"code": "content_filter", "message": "x"}}, errors.ContentFiltered),
        (413, "", errors.BadRequest),
        (422, {"detail": [{"msg": "field required"}]}, errors.BadRequest),
        (500, "<html><body>oops</body></html>", errors.ServerFault),
        (502, "", errors.ServerFault),
        (503, {"error": "server busy, please try again."}, errors.ServerBusy),
        (500, {"error": "input length exceeds the context length"}, errors.ContextTooLong),
    ],
)  # fmt: skip
def test_a_refusal_becomes_the_error_it_is(
    status: int, body: object, error: type[errors.KonsiliumError]
) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = error_of_status("s", "m", status, raw, {})
    assert type(found) is error
    assert (found.server, found.model) == ("s", "m")
    assert "<" not in found.detail


def test_llama_cpp_tells_how_long_the_prompt_was() -> None:
    error = {"type": "exceed_context_size_error", "message": "x", "n_prompt_tokens": 9, "n_ctx": 8}
    found = error_in_body("s", "m", {"error": error})
    assert isinstance(found, errors.ContextTooLong)
    assert (found.prompt_tokens, found.window) == (9, 8)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("CUDA error: out of memory", errors.ServerFault),
        ({"message": "quota", "code": 429}, errors.RateLimited),
        ({"message": "no credits", "code": 402}, errors.QuotaExceeded),
        (None, errors.ServerFault),
        ({}, errors.ServerFault),
        (["odd"], errors.ServerFault),
    ],
)
def test_an_error_in_mid_stream_goes_by_its_own_code(
    error: object, kind: type[errors.KonsiliumError]
) -> None:
    assert type(error_in_body("s", "m", {"error": error})) is kind


def test_retry_after_is_seconds_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": "7"}) == 7
    assert 20 < (retry_after({"retry-after": later}) or 0) <= 30
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_a_long_page_is_cut_short() -> None:
    assert len(error_of_status("s", "m", 400, b"x" * 100_000, {}).detail) < 600
