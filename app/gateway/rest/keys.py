"""/api/keys: for administrators."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends

from app.access.keys import new_key
from app.core.errors import NotFound
from app.core.keys import ApiKey
from app.gateway.rest.services import RestServices, TheCaller, TheServices, administrator
from app.gateway.rest.shapes import Key, KeyMade, Keys, NewKey, Success

router = APIRouter(prefix="/api/keys", tags=["keys"], dependencies=[Depends(administrator)])


@router.get("")
async def keys(services: TheServices) -> Keys:
    """Every key, newest first, the revoked ones too."""
    ring = services.gateway.keys
    return Keys(keys=[Key(**_shown(services, key)) for key in await ring.keys()])


@router.post("", status_code=201)
async def make_key(services: TheServices, caller: TheCaller, new: NewKey) -> KeyMade:
    """A new key; it is shown this once and never again."""
    user_id = caller.user_id
    if new.user is not None:
        user = await services.users.by_identifier(new.user)
        if user is None:
            raise NotFound("There is no such user.")
        user_id = user.id
    fields = new.model_dump(exclude={"name", "user"})
    key, secret = new_key(new.name, user_id, **fields)
    await services.gateway.keys.add(key)
    return KeyMade(**_shown(services, key), key=secret)


@router.delete("/{key_id}")
async def revoke_key(services: TheServices, key_id: str) -> Success:
    """Revokes a key, at once: by its id, name or first characters."""
    await services.gateway.keys.revoke(key_id)
    return Success()


def _shown(services: RestServices, key: ApiKey) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(key).items() if name not in ("hash", "user_id")}
    return fields | {"models": list(key.models), "spent_rub": services.gateway.keys.spent(key)}
