"""Whether a server accepts a key: many list their models to anybody, and ask for it only then."""

import contextlib
from collections.abc import Sequence

from app.core.errors import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    EmptyAnswer,
    IncompleteAnswer,
    KonsiliumError,
    ModelNotFound,
    RateLimited,
    ServerBusy,
    ServerFault,
    Unsupported,
    WrongKey,
)
from app.core.messages import Message
from app.core.models import Capability, ModelProfile
from app.core.ports import ChatModel
from app.core.requests import ModelRequest, Sampling
from app.providers.openai_compatible.client import OpenAIClient

MODELS_TRIED = 3
_QUESTION = ModelRequest((Message.user("Hi"),), Sampling(max_tokens=16))

_LET_IN = (EmptyAnswer, IncompleteAnswer, ContentFiltered, ContextTooLong)
"""What is said only to those whom the server has let in."""
_OF_THIS_MODEL = (BadRequest, ModelNotFound, RateLimited, ServerBusy, ServerFault, Unsupported)
"""What another model may not answer: a list also holds models that cannot chat, or not now."""


async def refuses(anonymous: OpenAIClient) -> bool:
    """Whether the list of models is refused to one without a key: then a list checks the key."""
    try:
        await anonymous.get("/models")
    except WrongKey:
        return True
    except KonsiliumError:
        return False
    return False


async def ask_little(chat: Sequence[ChatModel]) -> None:
    """A question of one word to the first models of these, until one lets it in; the last refusal is
    raised where none does."""
    refused: KonsiliumError | None = None
    for model in chat[:MODELS_TRIED]:
        try:
            async with contextlib.aclosing(model.stream(_QUESTION)) as events:
                async for _ in events:
                    return
        except _LET_IN:
            return
        except _OF_THIS_MODEL as error:
            refused = error
    if refused is not None:
        raise refused


def able(models: Sequence[ModelProfile]) -> list[str]:
    """The names of those that may chat."""
    return [model.ref.name for model in models if model.can(Capability.COMPLETION)]
