"""An upload that is too large is refused before it is read, whatever it says of itself."""

import json
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.attachments import AttachmentLimits
from app.gateway.bodies import TOO_LARGE, BodyBounds
from app.view.files import AROUND_BYTES, why_too_large

LIMITS = AttachmentLimits(bytes=2_000_000)
MOST = LIMITS.bytes + AROUND_BYTES
PIECE = 65_536


class Upload:
    """A request whose body comes in pieces, and an app that reads it whole, as Chainlit does."""

    def __init__(self, size: int, said: bytes | None, path: str = "/project/file") -> None:
        headers = [(b"accept-language", b"uk-UA,uk;q=0.9")]
        headers += [] if said is None else [(b"content-length", said)]
        self.scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        self.pieces: Iterator[bytes] = (b"x" * PIECE for _ in range(-(-size // PIECE)))
        self.read = 0
        self.sent: list[Message] = []

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["body"]:
            self.read += len(message["body"])

    async def receive(self) -> Message:
        return {"type": "http.request", "body": next(self.pieces, b""), "more_body": True}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self) -> None:
        bounds = BodyBounds(
            self.app,
            lambda path: MOST if path == "/project/file" else 10 * MOST,
            why=why_too_large(LIMITS, "/project/file", None),
        )
        await bounds(self.scope, self.receive, self.send)


async def test_one_that_says_its_size_is_not_read_at_all():
    upload = Upload(200_000_000, b"200000000")
    await upload.run()
    assert upload.read == 0
    assert upload.sent[0]["status"] == 413
    assert "межа — 2 МБ" in json.loads(upload.sent[1]["body"])["detail"]


@pytest.mark.parametrize("said", [None, b"10", b"many"])
async def test_one_that_does_not_say_it_or_lies_is_read_no_further_than_the_limit(
    said: bytes | None,
):
    upload = Upload(200_000_000, said)
    await upload.run()
    assert upload.sent[0]["status"] == 413
    assert MOST - PIECE < upload.read <= MOST


async def test_one_within_the_limit_and_every_other_request_pass():
    for upload in (Upload(PIECE * 3, None), Upload(PIECE * 99, b"6488064", "/chat")):
        await upload.run()
        assert upload.read in (PIECE * 3, PIECE * 99)
        assert upload.sent == []


async def test_what_is_no_upload_is_told_of_no_file():
    upload = Upload(200_000_000, b"200000000", "/chat")
    await upload.run()
    assert json.loads(upload.sent[1]["body"])["detail"] == TOO_LARGE
