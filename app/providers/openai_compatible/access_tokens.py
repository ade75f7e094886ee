"""Keys that are exchanged for a token which lasts for a while (OAuth's client credentials)."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from app.core.errors import BadRequest, MalformedAnswer, WrongKey
from app.core.reading import read_json
from app.providers.transport import Transport
from app.providers.upstream_errors import WRONG_SHAPE

RENEWED_SECONDS = 60.0
"""Before it ends, so that a request on its way does not meet the end."""
USUAL_SECONDS = 1800.0
"""GigaChat's, where an answer does not say."""


class AccessTokens:
    """The token of one key: fetched when it is first needed, anew before it ends and where it is refused.
    Whoever needs it meanwhile waits for the same fetch."""

    def __init__(
        self,
        url: str,
        scope: str,
        key: str,
        transport: Transport,
        server: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._scope, self._key = url, scope, key
        self._transport = transport
        self._server = server
        self._clock = clock
        self._token = ""
        self.until = 0.0
        """When the next one is fetched, by that clock."""
        self._fetching = asyncio.Lock()

    async def current(self) -> str:
        """A token that holds for a while. Raises WrongKey, or what the server of tokens says."""
        if self._clock() >= self.until:
            async with self._fetching:
                if self._clock() >= self.until:
                    await self._fetch()
        return self._token

    def refused(self, token: str) -> None:
        """That token does not hold any more, whatever it was said to."""
        if token == self._token:
            self.until = 0.0

    async def _fetch(self) -> None:
        headers = {
            "authorization": f"Basic {self._key}",
            "rquid": str(uuid4()),
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        form = urlencode({"scope": self._scope}).encode()
        try:
            answer = await self._transport.open(
                "POST", self._url, headers, form, server=self._server, key=self._key
            )
        except BadRequest as error:  # a key that is none, or one of another scope
            raise WrongKey(error.detail, server=self._server) from error
        said = await answer.body()
        try:
            told: Mapping[str, Any] = read_json(said)
            token = told.get("access_token") or told["tok"]
            until = told.get("expires_at") or told.get("exp")
            if not isinstance(token, str):
                raise TypeError("a token that is no text")
        except WRONG_SHAPE as error:
            raise MalformedAnswer("no token in the answer", server=self._server) from error
        self._token = token
        self.until = self._end(until) - RENEWED_SECONDS

    def _end(self, until: object) -> float:
        """In seconds since 1970; the server says it in thousandths, its documentation in seconds."""
        if isinstance(until, bool) or not isinstance(until, int | float) or until <= 0:
            return self._clock() + USUAL_SECONDS
        return until / 1000 if until > 1e11 else float(until)
