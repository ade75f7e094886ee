"""A model hub as Hugging Face's is: what a file is, and its bytes from anywhere on."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import aiohttp
from yarl import URL

from app.core.errors import (
    ConnectionLost,
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    RateLimited,
    ServerFault,
    ServerUnavailable,
    SettingsInvalid,
    SilenceTimeout,
    WrongKey,
)
from app.core.mending import json_of
from app.providers.deadline import CLOUD
from app.providers.transport import Transport
from app.providers.upstream_errors import retry_after

_HUB_FILE = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+):(?P<file>[\w.-]+(/[\w.-]+)*)(@(?P<sha256>[0-9a-fA-F]{64}))?"
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository of the hub."""

    repo: str
    file: str
    sha256: str | None = None
    """Its checksum, where it was given; else the hub's word counts."""

    @property
    def name(self) -> str:
        return f"{self.repo}:{self.file}"

    def inside(self, folder: Path) -> Path:
        """Where it is kept below that folder."""
        return folder.joinpath(*PurePosixPath(self.repo).parts, *PurePosixPath(self.file).parts)


def source_of(value: str) -> HubFile | Path:
    """EMBEDDED_MODEL understood; a file that exists is one, whatever its name. Raises SettingsInvalid."""
    path = Path(value).expanduser()
    if path.exists() or not (match := _HUB_FILE.fullmatch(value.strip())):
        return path
    parts = [*match["repo"].split("/"), *match["file"].split("/")]
    if any(set(part) == {"."} for part in parts):
        raise SettingsInvalid("EMBEDDED_MODEL", f"{value!r} leads out of the folder of models")
    return HubFile(match["repo"], match["file"], match["sha256"] and match["sha256"].lower())


MAX_REDIRECTS = 5
SILENCE_SECONDS = 30.0
MAX_JSON_BYTES = 4 * 2**20
_SHA256 = re.compile(r'(?:W/)?"?([0-9a-fA-F]{64})"?')


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What the hub says of a file. Unknown is None."""

    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a file from `start` on; `size` is that of the whole."""

    start: int
    size: int | None
    pieces: AsyncIterator[bytes]


class Hub:
    """Its addresses: /{repo}/resolve/main/{file} for a file, /api/models/{repo} for its licence."""

    def __init__(self, base_url: str, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._base_url = base_url.rstrip("/")
        self._silence = silence_seconds
        self._pool = Transport(CLOUD, local=False)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._pool.aclose()

    async def facts(self, file: HubFile) -> HubFacts:
        """Size and checksum, from the headers that stand before the way to the bytes."""
        async with self._asked("HEAD", self._url(file), file, same_host=True) as response:
            headers = response.headers
            tag = headers.get("X-Linked-Etag") or headers.get("ETag") or ""
            length = headers.get("X-Linked-Size")
            if length is None and response.status < 300:
                length = headers.get("Content-Length")
            match = _SHA256.fullmatch(tag.strip())
            size = int(length) if length and length.isdecimal() else None
            return HubFacts(size, match[1].lower() if match else None)

    async def licence(self, file: HubFile) -> str | None:
        """The licence that the repository names; None where it names none."""
        url = URL(f"{self._base_url}/api/models/{file.repo}")
        async with self._asked("GET", url, file) as response:
            pieces = [piece async for piece in self._pieces(response)]
        try:
            said = json_of(b"".join(pieces)[:MAX_JSON_BYTES])
        except ValueError:
            return None
        card = said.get("cardData") if isinstance(said, Mapping) else None
        licence = card.get("license") if isinstance(card, Mapping) else None
        return licence if isinstance(licence, str) and licence else None

    @contextlib.asynccontextmanager
    async def body(self, file: HubFile, start: int) -> AsyncGenerator[Body, None]:
        """The bytes from `start` on, or from 0 where the hub cannot begin elsewhere.

        Raises ModelNotFound, WrongKey, RateLimited, ServerFault, ServerUnavailable; reading on raises
        ConnectionLost and SilenceTimeout.
        """
        async with self._asked("GET", self._url(file), file, start=start) as response:
            began, size = _range(response)
            yield Body(began, size, self._pieces(response))

    def _url(self, file: HubFile) -> URL:
        return URL(f"{self._base_url}/{file.repo}/resolve/main/{file.file}")

    @contextlib.asynccontextmanager
    async def _asked(
        self, method: str, url: URL, file: HubFile, *, same_host: bool = False, start: int = 0
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The response at the end of the redirects; with `same_host`, of those within the hub."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        host = url.host
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(method, url, headers)
            try:
                target = response.headers.get("Location") if 300 <= response.status < 400 else None
                following = url.join(URL(target)) if target else None
                if following is None or (same_host and following.host != host):
                    if response.status >= 400 or (response.status >= 300 and not same_host):
                        raise _refused(response, file)
                    yield response
                    return
                url = following
            finally:
                response.close()
        raise MalformedAnswer("the model hub leads in circles")

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        ours = {"Accept-Encoding": "identity", "User-Agent": "konsilium", **headers}
        try:
            async with asyncio.timeout(self._silence):
                return await self._pool.send(method, url, ours.items(), b"")
        except TimeoutError as error:
            raise SilenceTimeout(f"the model hub says nothing: {url.host}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ServerUnavailable(f"no way to the model hub: {error}") from error

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    piece = await response.content.readany()
                if not piece:
                    return
                yield piece
        except TimeoutError as error:
            raise SilenceTimeout(f"the model hub fell silent for {self._silence:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost(f"the download broke off: {error}") from error


def _range(response: aiohttp.ClientResponse) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the whole file is."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise MalformedAnswer("the model hub sends a part and does not say which")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    return 0, response.content_length


def _refused(response: aiohttp.ClientResponse, file: HubFile) -> KonsiliumError:
    match response.status:
        case 401 | 403:
            return WrongKey(
                f"the model hub wants a sign-in for {file.repo}, or has no such repository:"
                " check its name, or fetch the file by hand"
            )
        case 404:
            return ModelNotFound(f"the model hub has no such file: {file.name}", model=file.name)
        case 429:
            return RateLimited(
                "the model hub is asked too often", retry_after=retry_after(response.headers)
            )
        case status:
            return ServerFault(f"the model hub answered {status}")
