"""Fetches pages of the web that anybody may name, and nothing else: no address of this network, no
credentials, no more bytes and seconds than allowed.

A name is resolved once, here, and the connection goes to an address that was checked; each redirect is
a new address, checked again.
"""

import asyncio
import ipaddress
import socket
import zlib
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

MAX_BYTES = 5_000_000
SECONDS = 20.0
REDIRECTS = 5
_READABLE = (
    "text/",
    "application/xhtml+xml",
    "application/xml",
    "application/json",
    "application/pdf",
)
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Konsilium)",
    "Accept": "text/html, application/xhtml+xml, text/plain, application/pdf;q=0.8, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
}
_CARRYING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))  # fmt: skip
"""IPv6 networks whose addresses lead to others, of IPv4."""
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20")))  # fmt: skip
"""Public by their form, or to some versions of Python: where machines of Azure and of Oracle's cloud ask for what
is theirs, relays (RFC 7526), IPv6 of a site (RFC 3879) and of documents (RFC 9637)."""
_PORTS = frozenset((80, 443))
_PORTS_FROM = 1024
"""Sites have these ports; below are mail, files and the like, which a request must not be made for."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PageRefused(Exception):
    """A page that is not fetched, or could not be; why, for a model to read."""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What came."""

    url: str
    """Where it was at last."""
    mime: str
    charset: str
    content: bytes


class Allowed:
    """Where pages may be fetched from: public addresses, and what `names` adds: networks, hosts, and
    hosts with all below them, as `.intranet.example`."""

    def __init__(self, names: str = "") -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._hosts: list[str] = []
        for name in filter(None, (part.strip().casefold() for part in names.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                self._hosts.append(name)

    def host(self, host: str) -> bool:
        """Whether it was named, or is below a domain that was."""
        host = host.casefold().rstrip(".")
        return any(host == one or (one[0] == "." and host.endswith(one)) for one in self._hosts)

    def address(self, host: str, written: str) -> bool:
        """Whether a host may be asked at that address."""
        if self.host(host):
            return True
        try:
            address = ipaddress.ip_address(written.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return any(address in network for network in self._networks) or _is_public(address)


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in (*_CARRYING, *_NOT_PUBLIC))


class _Resolver(AbstractResolver):
    """Gives the addresses of a name that may be asked; the connection takes one of these."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [(kind, str(where[0])) for kind, _, _, _, where in found]
        # One that is not public makes the name suspect, and none of them is asked.
        if not addresses or not all(self._allowed.address(host, ip) for _, ip in addresses):
            raise PageRefused("the address is not public")
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=flags,
            )
            for kind, ip in addresses
        ]

    async def close(self) -> None:
        pass


class Fetcher:
    """Fetches one page after another; keeps no cookies, no connections, follows no proxy."""

    def __init__(
        self,
        allowed: Allowed | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        seconds: float = SECONDS,
    ) -> None:
        self._allowed = allowed or Allowed()
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def get(self, address: str) -> FetchedPage:
        """The page. Raises PageRefused."""
        try:
            async with asyncio.timeout(self._seconds), self._session() as session:
                url = self._checked(address)
                for _ in range(REDIRECTS + 1):
                    async with session.get(url, allow_redirects=False) as answer:
                        if answer.status not in (301, 302, 303, 307, 308):
                            return await self._read(url, answer)
                        where = answer.headers.get("Location", "")
                        url = self._checked(str(url.join(URL(where))))
        except TimeoutError:
            raise PageRefused(f"no answer within {self._seconds:.0f} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            if isinstance(cause := error.__cause__ or error.__context__, PageRefused):
                raise cause from None
            raise PageRefused(f"the page cannot be fetched: {type(error).__name__}") from error
        raise PageRefused("too many redirects")

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._allowed), force_close=True, use_dns_cache=False
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_field_size=16_384,
        )

    def _checked(self, address: str) -> URL:
        """An address that may be asked; names are checked when they are resolved."""
        url = URL(address.strip())
        if url.scheme not in ("http", "https") or not url.host:
            raise PageRefused("only addresses that begin with http:// or https:// can be read")
        if url.user is not None or url.password is not None:
            raise PageRefused("an address with a user or a password is not read")
        if not (
            url.port in _PORTS or (url.port or 0) >= _PORTS_FROM or self._allowed.host(url.host)
        ):
            raise PageRefused("pages are not read at that port")
        try:
            ipaddress.ip_address(url.host.partition("%")[0])
        except ValueError:
            if url.host.replace(".", "").isdigit():  # 127.1, 2130706433: addresses, to some
                raise PageRefused("the address is not public") from None
            return url.with_fragment(None)
        if not self._allowed.address(url.host, url.host):
            raise PageRefused("the address is not public")
        return url.with_fragment(None)

    async def _read(self, url: URL, answer: aiohttp.ClientResponse) -> FetchedPage:
        if not 200 <= answer.status < 300:
            raise PageRefused(f"the site answers {answer.status}")
        if not answer.content_type.startswith(_READABLE):
            raise PageRefused(f"the page is of a kind that is not read: {answer.content_type}")
        content = bytearray()
        unpack = _unpacker(answer.headers.get("Content-Encoding", ""))
        async for chunk in answer.content.iter_chunked(65_536):
            content += unpack.decompress(chunk, self._max_bytes + 1) if unpack else chunk
            if len(content) > self._max_bytes or (unpack and unpack.unconsumed_tail):
                raise PageRefused(f"the page has more than {self._max_bytes // 1_000_000} MB")
        return FetchedPage(str(url), answer.content_type, answer.charset or "", bytes(content))


def _unpacker(encoding: str) -> Any:
    match encoding.strip().casefold():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        case "deflate":
            return zlib.decompressobj()
        case other:
            raise PageRefused(f"the page is packed in a way that is not read: {other}")


def host_of(url: str) -> str:
    """A site's name as people know it."""
    host = URL(url).host or ""
    return host.removeprefix("www.")
