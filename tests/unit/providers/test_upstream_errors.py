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


def within(error: dict[str, object]) -> dict[str, object]:
    """As Ollama hands on what its runner says: JSON in a string of JSON."""
    return {"error": json.dumps({"error": error}, separators=(",", ":"))}


NO_IMAGES = {
    "code": 400,
    "message": "Multimodal data provided, but model does not support multimodal requests.",
    "type": "invalid_request_error",
}
TOO_LONG = {
    "code": 400,
    "message": "request (2622 tokens) exceeds the available context size (512 tokens), try increasing it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 2622,
    "n_ctx": 512,
}


def test_an_error_that_is_json_within_json_is_unwrapped() -> None:
    raw = json.dumps(within(TOO_LONG)).encode()
    found = error_of_status("s", "m", 400, raw, {})
    assert isinstance(found, errors.ContextTooLong)
    assert (found.prompt_tokens, found.window) == (2622, 512)
    assert "{" not in found.detail
    assert type(error_in_body("s", "m", within(TOO_LONG))) is errors.ContextTooLong, "in mid-stream"
    behind_words = {"error": f"runner failed: {json.dumps({'error': TOO_LONG})}"}
    assert type(error_in_body("s", "m", behind_words, 400)) is errors.ContextTooLong
    in_a_message = {"error": {"message": json.dumps({"error": TOO_LONG}), "code": 400}}
    assert type(error_in_body("s", "m", in_a_message, 400)) is errors.ContextTooLong


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_model_without_images_is_no_model_that_is_not_there(status: int) -> None:
    found = error_of_status("s", "m", status, json.dumps(within(NO_IMAGES)).encode(), {})
    assert type(found) is errors.Unsupported
    assert found.detail == f"{status}: {NO_IMAGES['message']}"


@pytest.mark.parametrize(
    "said", ["{", "{}", "set {x} first", "{'not': 'json'}", '{"odd": 1}', "{" * 5000]
)
def test_braces_in_an_error_are_words(said: str) -> None:
    found = error_of_status("s", "m", 400, json.dumps({"error": said}).encode(), {})
    assert said[:100] in found.detail


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
    for odd in ("soon", "inf", "nan", "1e999", "9" * 5000, "²", "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert retry_after({"retry-after": odd}) is None
    assert retry_after({"retry-after": "-5"}) == 0
    assert retry_after({}) is None


def test_a_long_page_is_cut_short() -> None:
    assert len(error_of_status("s", "m", 400, b"x" * 100_000, {}).detail) < 600


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"error": {"code": 400, "message": "API key not valid"}}], "API key not valid"),
        ({"error": {"message": ["one", {"msg": "two"}]}}, "one; two"),
        ({"message": {"detail": [{"loc": ["body", "n"], "msg": "extra"}]}}, "body.n: extra"),
        ({"detail": [{"loc": ["body", 0], "msg": "a"}, {"msg": "b"}]}, "body.0: a; b"),
        ({"errors": ["a", "b"]}, "a; b"),
        ({"error": "Bad Request", "message": "no such field"}, "no such field"),
        ({"error": {"error": {"message": "inner"}}}, "inner"),
        ({"error": {"odd": 1}}, '{"odd": 1}'),
    ],
)
def test_errors_given_as_lists_and_in_wrappers_are_said_in_words(body: object, words: str) -> None:
    found = error_of_status("s", "m", 422, json.dumps(body).encode(), {})
    assert found.detail == f"422: {words}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_says_where_the_server_has_moved(status: int) -> None:
    headers = {"location": "https://new.example/v1/models"}
    found = error_of_status("s", None, status, b"<html>Moved</html>", headers)
    assert isinstance(found, errors.ServerMoved)
    assert "https://new.example/v1/models" in found.detail
    assert str(status) in found.detail


CONTEXT = {"error": {"type": "exceed_context_size_error", "message": "x", "n_ctx": 8}}


@pytest.mark.parametrize("key", ["x", "1", "none", "context"])
def test_a_short_key_spoils_no_words(key: str) -> None:
    found = error_of_status("s", "m", 400, json.dumps(CONTEXT).encode(), {}, key)
    assert isinstance(found, errors.ContextTooLong)
    assert "***" not in found.detail


def test_a_key_is_struck_out_of_what_is_shown() -> None:
    body = b'{"error": {"message": "Incorrect API key provided: sk-12345678."}}'
    found = error_of_status("s", "m", 401, body, {}, "sk-12345678")
    assert found.detail == "401: Incorrect API key provided: ***."


@pytest.mark.parametrize("charset", ["utf-16", "windows-1251", "koi8-r", "no-such-charset"])
def test_the_words_of_a_refusal_are_read_by_the_letters_that_its_type_names(charset):
    coded = "utf-8" if charset == "no-such-charset" else charset
    kind = {"content-type": f"application/json; charset={charset}"}
    error = error_of_status("lab", "m", 400, '{"error": "ошибка"}'.encode(coded), kind)
    assert error.detail == "400: ошибка"


def test_a_refusal_in_xml_is_said_without_its_tags():
    body = b"<?xml version='1.0'?><Error><Message>boom happened</Message></Error>"
    assert error_of_status("lab", "m", 400, body, {}).detail == "400: boom happened"
