"""Answers from the cache, for keys that have one: a hit is streamed like an answer."""

import logging

from app.completion.caching.cache import Hit, Miss
from app.completion.caching.calls import HEADER, Kept, Replayed, asked_of, header_of, known
from app.core.errors import StorageUnavailable
from app.core.models import ModelRef
from app.gateway.errors import HttpError
from app.gateway.http import Exchange
from app.gateway.openai.responder import CompletionRequest, Responder
from app.gateway.openai.translating import TranslatingResponder, model_request
from app.gateway.services import GatewayServices

log = logging.getLogger(__name__)


async def from_cache(
    services: GatewayServices, x: Exchange, asked: CompletionRequest, ref: ModelRef
) -> tuple[Responder, ...]:
    """The cached answer, or the first model's, which is kept; none where the cache has no say.

    Puts `x-konsilium-cache` on the answer. `bypass` in the request asks the model and replaces.
    """
    cache, key = services.answers, asked.caller.key
    if cache is None or key is None or key.cache == "off":
        return ()
    try:
        request = model_request(asked)
        owner = await cache.owner(f"key:{key.id}")
    except HttpError:
        return ()  # a form that only the server itself understands
    except StorageUnavailable as error:
        log.warning("answer cache: %s", error.detail)
        return ()
    question = asked_of(
        request,
        ref,
        owner=owner,
        digest=services.models.profile(ref).digest,
        kind="completions" if asked.legacy else "chat/completions",
    )
    if question is None:
        return ()
    bypass = x.header(HEADER).strip().lower() == "bypass"
    found = Miss() if bypass else await known(cache, question, near=key.cache == "near")
    x.extra.append((HEADER, header_of(found)))
    if isinstance(found, Hit):
        cache.later(cache.served(found.entry.id))
        return (TranslatingResponder(services, ref, asked, Replayed(found, asked.request_id)),)
    call = Kept(services.models.call(ref, request), cache, question, replaces=bypass)
    return (TranslatingResponder(services, ref, asked, call),)
