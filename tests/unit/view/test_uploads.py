"""An upload that is too large is refused before it is read, whatever it says of itself."""

import json
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.attachments import AttachmentLimits
from app.gateway.bodies import TOO_LARGE, BodyBounds
from app.view import files, imports, knowledge

LIMITS = AttachmentLimits(bytes=2_000_000)
TAKING = files.uploads(LIMITS) | knowledge.uploads() | imports.uploads()
MOST = TAKING["/project/file"].bytes
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
        piece = next(self.pieces, b"")
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self) -> None:
        bounds = BodyBounds(
            self.app,
            lambda path: TAKING[path].bytes if path in TAKING else 10 * MOST,
            too_large=files.too_large(TAKING, None),
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


@pytest.mark.parametrize(
    ("path", "said"),
    [("/import", "Файл більший за 100 МБ."), ("/knowledge/upload", "Файли разом більші за 200 МБ")],
)
async def test_one_of_a_page_with_forms_is_answered_by_a_page(path: str, said: str):
    upload = Upload(10 * MOST, b"%d" % (TAKING[path].bytes + 1), path)
    await upload.run()
    start, body, *_ = upload.sent
    assert start["status"] == 413
    assert (b"content-type", b"text/html; charset=utf-8") in start["headers"]
    assert said in body["body"].decode()
