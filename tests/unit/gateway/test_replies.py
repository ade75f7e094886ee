"""What is written to a client in one go, and how."""

from app.gateway.http import PIECE_BYTES, Exchange, one_line

LINES = "a\x85b\u2028c\u2029d"


async def replied(body):
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Exchange(scope, receive, send).reply(200, body)
    return sent


async def test_a_large_answer_is_written_in_pieces_and_others_get_their_turn():
    whole = b"0123456789abcde\n" * (PIECE_BYTES // 8) + b"end"
    start, *pieces = await replied(whole)
    assert dict(start["headers"])[b"content-length"] == str(len(whole)).encode()
    assert b"".join(piece["body"] for piece in pieces) == whole
    assert [piece["more_body"] for piece in pieces] == [True, True, False]
    assert all(len(piece["body"]) <= PIECE_BYTES for piece in pieces)


async def test_an_empty_answer_and_a_small_one_are_one_piece():
    for body in (b"", b"{}", b"x" * PIECE_BYTES):
        _, *pieces = await replied(body)
        assert [(piece["body"], piece["more_body"]) for piece in pieces] == [(body, False)]


def test_line_ends_that_are_none_in_json_are_escaped():
    assert one_line(LINES.encode()) == rb"a\u0085b\u2028c\u2029d"
    assert one_line("слово".encode()) == "слово".encode()
    assert one_line(b"plain") == b"plain"
