"""What goes to a browser, by the short way; and what comes from one, looked at before it is believed.

python-socketio makes a task for each recipient of each event and waits for it, looks through every
event for bytes, and writes Cyrillic letters as six ASCII characters each. Under fifty streaming chats
that was a third of the CPU. An event of ours has one recipient and no bytes.
"""

import json
import logging
from typing import Any

import engineio.packet
from pydantic_core import PydanticSerializationError, to_json
from socketio import AsyncManager, AsyncServer
from socketio.packet import ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet

log = logging.getLogger(__name__)

_WITH_BYTES = "audio"
"""How the names of the events begin that may hold bytes."""


class Json:
    """The `json` of packets: letters as they are."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(value: Any, **formatting: Any) -> str:
        """JSON text; half of a surrogate pair, which a model may end with, is escaped."""
        try:
            return to_json(value).decode()
        except PydanticSerializationError:
            return json.dumps(value, **formatting)


MAX_ATTACHMENTS = 1
"""Of a packet with bytes; the page's only one is a piece of speech. They are kept until the last has come."""
_RESERVED = ("connect", "disconnect")
"""Events that the server makes itself. A page that sends one would reach their handlers with a request of its
own making."""


class OddPacket(ValueError):
    """What no page sends. Its words say what, and nothing of what is in it but the name of an event."""


class _Packet(Packet):  # type: ignore[misc]  # python-socketio has no types
    json = Json
    packet_type: int
    data: Any

    def decode(self, encoded_packet: Any) -> int:
        """How many attachments follow. Raises OddPacket."""
        try:
            count: int = super().decode(encoded_packet)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise OddPacket("a packet that cannot be read") from error
        if count > MAX_ATTACHMENTS:
            raise OddPacket("too many attachments")
        if self.packet_type in (EVENT, BINARY_EVENT):
            if self.namespace not in (None, "/"):
                raise OddPacket("an event for nobody")
            name = self.data[0] if isinstance(self.data, list) and self.data else None
            if not isinstance(name, str) or name in _RESERVED:
                raise OddPacket(f"an event named {name}" if name in _RESERVED else "no event")
        elif self.packet_type not in (CONNECT, DISCONNECT, ACK):
            raise OddPacket("a packet of a kind that is not a page's")
        return count

    def add_attachment(self, attachment: Any) -> bool:
        """Whether it was the last. Raises OddPacket."""
        try:
            if isinstance(attachment, bytes):
                return bool(super().add_attachment(attachment))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise OddPacket("an attachment that has no place") from error
        raise OddPacket("text in place of an attachment")


class _Frame(engineio.packet.Packet):  # type: ignore[misc]  # as above
    packet_type: int
    data: Any

    def decode(self, encoded_packet: Any) -> None:
        """What cannot be read is as good as nothing: engine.io would leave its connection hanging."""
        try:
            super().decode(encoded_packet)
            engineio.packet.packet_names[self.packet_type]
        except (ValueError, IndexError, RecursionError):
            _pass_over("a frame that cannot be read")
            self.packet_type, self.data = engineio.packet.NOOP, None


def _pass_over(what: str) -> None:
    log.warning("a page sent %s: it is passed over", what)


class DirectManager(AsyncManager):  # type: ignore[misc]  # as above
    """Sends to one recipient without a task; all else as python-socketio does."""

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **options: Any,
    ) -> None:
        recipient = to or room
        ours = not event.startswith(_WITH_BYTES) and not isinstance(data, tuple)
        if ours and isinstance(recipient, str) and callback is skip_sid is None:
            eio_sid = self.eio_sid_from_sid(recipient, namespace)
            if eio_sid is not None:
                packet = _Packet(EVENT, namespace=namespace, data=[event, data], binary=False)
                await self.server.eio.send(eio_sid, packet.encode())
                return
        await super().emit(event, data, namespace, room, skip_sid, callback, to, **options)


def shorten(sio: AsyncServer) -> None:
    """Makes the server send so, and look at what comes; before its first client."""
    engineio.packet.Packet = _Frame  # there is no other way in
    sio.packet_class = _Packet
    sio.manager = DirectManager()
    sio.manager.set_server(sio)
    hear = sio.eio.handlers["message"]

    async def heard(eio_sid: str, data: Any) -> None:
        try:
            if not data or (
                data[0] == str(BINARY_EVENT) and not sio.manager.sid_from_eio_sid(eio_sid, "/")
            ):
                raise OddPacket("nothing, or too early")
            await hear(eio_sid, data)
        except OddPacket as error:
            sio._binary_packet.pop(eio_sid, None)  # noqa: SLF001 - it would wait for attachments
            _pass_over(str(error))

    sio.eio.on("message", heard)
