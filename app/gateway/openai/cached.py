"""API calls with the answer cache, for keys that have one: a cached answer is streamed like any other."""

import logging

from app.completion.caching.cache import Asker, Hit
from app.completion.caching.query import query_of_call
from app.completion.caching.serving import CachingCall
from app.core.errors import StorageUnavailable
from app.core.models import ModelRef
from app.core.ports import Call
from app.core.requests import ModelRequest
from app.core.usage import CallRecord
from app.gateway.access import Caller
from app.gateway.errors import HttpError
from app.gateway.http import Exchange
from app.gateway.openai.responder import CompletionRequest, Responder
from app.gateway.openai.translating import TranslatingResponder, model_request
from app.gateway.services import GatewayServices

log = logging.getLogger(__name__)

HEADER = b"x-konsilium-cache"
"""In a request, `bypass`: ask the model and replace. In an answer: hit-exact, hit-near or miss."""
MISS = (HEADER, b"miss")


async def cached(
    services: GatewayServices, x: Exchange, asked: CompletionRequest, ref: ModelRef
) -> tuple[Responder, ...]:
    """The first model with the cache beside it; none where the cache has no say.

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
    query = query_of_call(
        request,
        ref,
        owner=owner,
        digest=services.models.profile(ref).digest,
        kind="completions" if asked.legacy else "chat/completions",
    )
    if query is None:
        return ()
    x.extra.append(MISS)

    def hit(found: Hit) -> None:
        x.extra[x.extra.index(MISS)] = (HEADER, f"hit-{found.kind}".encode())

    call = CachingCall(
        services.models.call(ref, request),
        cache,
        query,
        _asker(services, asked.caller),
        near=key.cache == "near",
        bypass=x.header(HEADER).strip().lower() == "bypass",
        hit=hit,
    )
    return (TranslatingResponder(services, ref, asked, call),)


def _asker(services: GatewayServices, caller: Caller) -> Asker:
    """Checks are made with the caller's own models, and booked to their key."""

    def call(name: str, request: ModelRequest) -> Call:
        return services.models.call(services.candidates(caller, name)[0], request)

    def book(record: CallRecord) -> None:
        services.recorder.note(caller, record)

    return Asker(call, book)
