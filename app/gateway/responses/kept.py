"""Responses that were asked to be kept: for `previous_response_id`, references to items, and GET."""

import logging
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from app.core.errors import NotFound, StorageUnavailable
from app.core.ports import KeyValueStore
from app.gateway.access import Caller
from app.gateway.errors import InvalidField

log = logging.getLogger(__name__)

SCOPE = "responses"
KEPT_SECONDS = 24 * 3600
MAX_CHARACTERS = 4_000_000
"""Of one response with all that went before it; a longer one is not kept."""
FORGET_EVERY_SECONDS = 600
_TIME_DIGITS = 12


def new_key() -> str:
    """What the ids of a response and of its items have in common; it begins with the time."""
    return f"{int(time.time() * 1000):0{_TIME_DIGITS}x}{uuid4().hex[:20]}"


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response, and all that was said up to it."""

    response: dict[str, Any]
    items: list[Any]
    """Of the conversation before it."""

    @property
    def conversation(self) -> list[Any]:
        return [*self.items, *self.response["output"]]


class KeptResponses:
    """Finds, keeps and forgets the responses of each caller."""

    def __init__(self, store: KeyValueStore | None) -> None:
        self._store = store
        self._forgot_at = 0.0

    async def find(self, caller: Caller, id: str) -> StoredResponse:
        """Raises NotFound, also for another's."""
        key = id.removeprefix("resp_")
        document = None
        if self._store is not None and key != id:
            document = await self._store.get(SCOPE, key)
        if document is None or document["owner"] != _owner(caller):
            raise NotFound(f"There is no response '{id}': it was not kept, or a day has passed.")
        return StoredResponse(document["response"], document["items"])

    async def keep(self, caller: Caller, key: str, kept: StoredResponse) -> None:
        """Keeps it; what cannot be kept is said in the log, for the answer is there all the same."""
        if self._store is None:
            return
        document = {"owner": _owner(caller), "response": kept.response, "items": kept.items}
        if len(repr(document)) > MAX_CHARACTERS:
            log.info("a response of more than %d characters is not kept", MAX_CHARACTERS)
            return
        try:
            await self._store.put(SCOPE, key, document)
            await self._forget_old()
        except StorageUnavailable as error:
            log.warning("a response was not kept: %s", error.detail)

    async def delete(self, caller: Caller, id: str) -> None:
        """Forgets it. Raises NotFound."""
        await self.find(caller, id)
        if self._store is not None:
            await self._store.delete(SCOPE, id.removeprefix("resp_"))

    async def whole(self, caller: Caller, items: list[Any], previous: object) -> list[Any]:
        """The conversation that `items` continue, with what they refer to in place."""
        before: list[Any] = []
        if previous is not None:
            if not isinstance(previous, str):
                raise InvalidField("`previous_response_id` must be a text.", "previous_response_id")
            before = (await self.find(caller, previous)).conversation
        found: dict[str, StoredResponse] = {}
        whole: list[Any] = list(before)
        for item in items:
            if isinstance(item, dict) and item.get("type") == "item_reference":
                whole.append(await self._referred(caller, str(item.get("id")), found))
            else:
                whole.append(item)
        return whole

    async def _referred(self, caller: Caller, id: str, found: dict[str, StoredResponse]) -> Any:
        response = f"resp_{id.partition('_')[2].rpartition('_')[0]}"
        if response not in found:
            found[response] = await self.find(caller, response)
        for item in found[response].response["output"]:
            if item.get("id") == id:
                return item
        raise NotFound(f"There is no item '{id}'.")

    async def _forget_old(self) -> None:
        now = time.time()
        if self._store is not None and now - self._forgot_at > FORGET_EVERY_SECONDS:
            self._forgot_at = now
            oldest = f"{int((now - KEPT_SECONDS) * 1000):0{_TIME_DIGITS}x}"
            await self._store.forget_before(SCOPE, oldest)


def _owner(caller: Caller) -> str:
    return f"key:{caller.key.id}" if caller.key is not None else f"user:{caller.user_id}"
