"""/api/answer-cache: for administrators."""

from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.completion.caching.cache import AnswerCache
from app.core.errors import NotFound
from app.gateway.rest.services import RestServices, TheServices, administrator
from app.gateway.rest.shapes import CacheRules, ChangedRules, PurgeResult

router = APIRouter(
    prefix="/api/answer-cache", tags=["answer cache"], dependencies=[Depends(administrator)]
)

Wanted = Annotated[str | None, Query(max_length=200)]


@router.get("")
async def rules(services: TheServices) -> CacheRules:
    """What holds for the answer cache of all users, as the database says now."""
    return CacheRules(**asdict(await _cache(services).policies.latest()))


@router.patch("")
async def change_rules(services: TheServices, changed: ChangedRules) -> CacheRules:
    """Changes what is named; other processes follow within seconds."""
    policies = _cache(services).policies
    policy = replace(await policies.latest(), **changed.model_dump(exclude_none=True))
    await policies.change(policy)
    return CacheRules(**asdict(policy))


@router.delete("")
async def purge(services: TheServices, model: Wanted = None, owner: Wanted = None) -> PurgeResult:
    """Deletes cached answers: of a model (`server/model`), of an owner (`user:<id>`, `key:<id>`,
    `shared`), or all."""
    return PurgeResult(deleted=await _cache(services).purge(model=model, owner=owner))


def _cache(services: RestServices) -> AnswerCache:
    if services.gateway.answers is None:
        raise NotFound("There is no answer cache here.")
    return services.gateway.answers
