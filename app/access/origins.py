"""Which requests are let in by what they say of host and origin, before anything else is asked.

A page of another site can make a browser talk to us: by a name that it resolves to our address (DNS
rebinding), or by a socket, which no browser rule holds back. Both name themselves: the one in Host,
the other in Origin.
"""

import ipaddress
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from app.core.errors import SettingsInvalid

_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Origins:
    """The rule. `local`: one user without a password, so loopback alone, in every respect."""

    local: bool
    allowed: frozenset[str] = frozenset()
    """Host names that requests may name besides loopback's; empty outside `local`: any."""

    @classmethod
    def of(cls, mode: str, names: str) -> "Origins":
        """From AUTH_MODE and ALLOWED_HOSTS, comma-separated."""
        return cls(mode == "local", names_in(names))

    def refusal(
        self, method: str, headers: Mapping[str, str], client: str | None, *, socket: bool
    ) -> str | None:
        """Why the request is refused, for the log and in English; None where it may come in.

        `headers` by lower-case name; `client` is the peer's address.
        """
        host = headers.get("host", "")
        name = hostname(host)
        if self.local and client is not None and not is_loopback(client):
            return f"AUTH_MODE=local serves this machine alone, not {client}"
        if not (is_loopback(name) or name in self.allowed or not (self.local or self.allowed)):
            return f"unknown host {host!r}"
        origin = headers.get("origin")
        if self.local:
            if headers.get("sec-fetch-site") == "cross-site" and not _navigates(headers):
                return "a page of another site asks"
            return None if origin is None or netloc(origin) == host.lower() else _foreign(origin)
        if origin is None or (method in _SAFE and not socket) or "authorization" in headers:
            return None
        ours = {name, hostname(headers.get("x-forwarded-host", "")), *self.allowed} - {""}
        return None if hostname(netloc(origin)) in ours else _foreign(origin)


def require_loopback(host: str) -> None:
    """Raises SettingsInvalid where AUTH_MODE=local would listen to other machines."""
    if not is_loopback(host):
        raise SettingsInvalid(
            "HOST",
            f"AUTH_MODE=local has no passwords and listens on this machine alone, not on {host};"
            " use 127.0.0.1, or another AUTH_MODE",
        )


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a host name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def names_in(listed: str) -> frozenset[str]:
    """The names of a comma-separated setting, in lower case."""
    return frozenset(name.strip().lower() for name in listed.split(",") if name.strip())


def hostname(host: str) -> str:
    """The name in a Host header, without its port; empty where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def netloc(origin: str) -> str:
    """Host and port of an origin, in lower case; empty where it is none (`null`)."""
    return urlsplit(origin).netloc.lower() if "//" in origin else ""


def _navigates(headers: Mapping[str, str]) -> bool:
    return headers.get("sec-fetch-mode") == "navigate"


def _foreign(origin: str) -> str:
    return f"foreign origin {origin!r}"


_INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)


def page_policy(html: str, *, evaluates: bool = False) -> str:
    """The policy of that page: everything from its own origin, pictures also from memory, and of inline
    scripts just those that are in it now. Nothing that an answer or a name holds makes a request to
    another machine. `evaluates`: its scripts make code of text, as Chainlit's page does of elements and
    of the worklet that records speech."""
    inline = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(html)
    ]
    scripts = " ".join(["'self'", *inline, *(["'unsafe-eval'", "blob:"] if evaluates else [])])
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",  # React writes styles into elements
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob: data:",
            "worker-src 'self' blob:",
            "frame-src 'self' blob:",
            "object-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )
