"""/api/keys: for administrators."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from app.access.keys import new_key
from app.core.errors import NotFound
from app.core.keys import ApiKey
from app.gateway.rest.desk import Administrator, RestDesk, TheDesk
from app.gateway.rest.shapes import Done, Key, KeyMade, Keys, NewKey

router = APIRouter(prefix="/api/keys", tags=["keys"])


@router.get("")
async def keys(desk: TheDesk, caller: Administrator) -> Keys:
    """Every key, newest first, the revoked ones too."""
    ring = desk.gateway.keys
    return Keys(keys=[Key(**_shown(desk, key)) for key in await ring.keys()])


@router.post("", status_code=201)
async def make_key(desk: TheDesk, caller: Administrator, new: NewKey) -> KeyMade:
    """A new key; it is shown this once and never again."""
    user_id = caller.user_id
    if new.user is not None:
        user = await desk.users.by_identifier(new.user)
        if user is None:
            raise NotFound("There is no such user.")
        user_id = user.id
    fields = new.model_dump(exclude={"name", "user"})
    key, secret = new_key(new.name, user_id, **fields)
    await desk.gateway.keys.add(key)
    return KeyMade(**_shown(desk, key), key=secret)


@router.delete("/{key_id}")
async def revoke_key(desk: TheDesk, caller: Administrator, key_id: str) -> Done:
    """Revokes a key, at once: by its id, name or first characters."""
    await desk.gateway.keys.revoke(key_id)
    return Done()


def _shown(desk: RestDesk, key: ApiKey) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(key).items() if name not in ("hash", "user_id")}
    return fields | {"models": list(key.models), "spent_rub": desk.gateway.keys.spent(key)}
