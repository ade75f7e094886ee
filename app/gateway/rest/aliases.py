"""/api/aliases: names for models, which administrators keep and everybody may use."""

from fastapi import APIRouter, Depends

from app.gateway.aliases import Alias, Member, checked
from app.gateway.errors import InvalidField
from app.gateway.rest.services import TheServices, administrator
from app.gateway.rest.shapes import Aliases, AliasMembers, ModelAlias, Success

router = APIRouter(prefix="/api/aliases", tags=["models"], dependencies=[Depends(administrator)])


@router.get("")
async def aliases(services: TheServices) -> Aliases:
    """Every alias with its models."""
    known = services.gateway.aliases
    await known.read()
    return Aliases(aliases=[_shown(alias) for alias in known.all()])


@router.put("/{name:path}")
async def put_alias(services: TheServices, name: str, new: AliasMembers) -> ModelAlias:
    """Makes or replaces an alias. Models are asked in their order, or by chance after their weights; the
    next one where one fails before it begins to answer."""
    weights = new.weights or [None] * len(new.models)
    if len(weights) != len(new.models):
        raise InvalidField("There must be as many weights as models.", "weights")
    members = tuple(map(Member, new.models, weights))
    try:
        alias = checked(Alias(name, members))
    except ValueError as error:
        raise InvalidField(f"{error}.", "models") from None
    await services.gateway.aliases.put(alias)
    return _shown(alias)


@router.delete("/{name:path}")
async def delete_alias(services: TheServices, name: str) -> Success:
    """Forgets an alias."""
    await services.gateway.aliases.delete(name)
    return Success()


def _shown(alias: Alias) -> ModelAlias:
    return ModelAlias(
        name=alias.name,
        models=[each.model for each in alias.members],
        weights=[each.weight for each in alias.members],
        configured=alias.configured,
    )
