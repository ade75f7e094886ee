"""The head of an answer and the first piece of its body are one packet, where they come together."""

import asyncio

from app.gateway.protocol import _HeadWithBody

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written = []
        self.closed = False

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


async def test_a_head_waits_for_its_body_and_no_longer_than_a_moment():
    wire = Wire()
    joined = _HeadWithBody(wire, asyncio.get_running_loop())
    joined.write(HEAD)
    joined.write(b"one")
    joined.write(b"two")
    assert wire.written == [HEAD + b"one", b"two"]
    joined.write(HEAD)
    await asyncio.sleep(0)
    assert wire.written[2:] == [HEAD]
    joined.write(b"late")
    assert wire.written[3:] == [b"late"]


async def test_a_head_whose_connection_ends_in_that_moment_is_not_written():
    wire = Wire()
    joined = _HeadWithBody(wire, asyncio.get_running_loop())
    joined.write(HEAD)
    wire.close()
    await asyncio.sleep(0)
    assert wire.written == []


async def test_a_head_that_is_all_of_the_answer_is_written_before_the_end():
    wire = Wire()
    joined = _HeadWithBody(wire, asyncio.get_running_loop())
    joined.write(HEAD)
    joined.close()
    await asyncio.sleep(0)
    assert wire.written == [HEAD]
    assert joined.is_closing()
