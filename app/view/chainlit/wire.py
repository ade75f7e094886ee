"""What goes to a browser, by the short way.

python-socketio makes a task for each recipient of each event and waits for it, looks through every
event for bytes, and writes Cyrillic letters as six ASCII characters each. Under fifty streaming chats
that was a third of the CPU. An event of ours has one recipient and no bytes.
"""

import json
import logging
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from socketio import AsyncManager, AsyncServer
from socketio.packet import EVENT, Packet

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


class _Packet(Packet):  # type: ignore[misc]  # python-socketio has no types
    json = Json
    data: Any

    def decode(self, encoded_packet: Any) -> int:
        """How many attachments follow. Raises ValueError where they are too many."""
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        if isinstance(self.data, list) and self.data and self.data[0] in _RESERVED:
            log.warning("a page sent an event named %s: it is passed over", self.data[0])
            self.data = ["nobody's"]
        return count


class Direct(AsyncManager):  # type: ignore[misc]  # as above
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
    """Makes the server send so; before its first client."""
    sio.packet_class = _Packet
    sio.manager = Direct()
    sio.manager.set_server(sio)
