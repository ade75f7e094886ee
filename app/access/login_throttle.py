"""Wrong passwords slow down: the fourth in a row waits 1 s, then 2, 4, ... up to 5 minutes."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from app.core.errors import LimitReached

FREE_TRIES = 3
MAX_WAIT_SECONDS = 300.0
FORGOTTEN_AFTER_SECONDS = 3600.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class LoginThrottle:
    """Remembers failures by key (who, from where), in this process."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        free_tries: int = FREE_TRIES,
        max_wait_s: float = MAX_WAIT_SECONDS,
    ) -> None:
        self._clock = clock
        self._free_tries = free_tries
        self._max_wait_s = max_wait_s
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def check(self, key: Hashable) -> None:
        """Raises LimitReached (retry_after) while that key has to wait."""
        failures = self._failures.get(key)
        if failures is None or failures.count <= self._free_tries:
            return
        since = self._clock() - failures.last
        if since > FORGOTTEN_AFTER_SECONDS:
            del self._failures[key]
            return
        wait = self._wait_after(failures.count - self._free_tries) - since
        if wait > 0:
            raise LimitReached("too many wrong passwords", retry_after=wait)

    def _wait_after(self, tries: int) -> float:
        return min(2.0 ** min(tries - 1, 30), self._max_wait_s)

    def failed(self, key: Hashable) -> None:
        """One more."""
        failures = self._failures.setdefault(key, _Failures(0, 0.0))
        failures.count, failures.last = failures.count + 1, self._clock()
        self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, key: Hashable) -> None:
        """All is forgotten."""
        self._failures.pop(key, None)


def network_of(address: str) -> str:
    """Where tries from that address are counted: itself, or, of IPv6, its /64, which one machine has all of
    (RFC 7421)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
