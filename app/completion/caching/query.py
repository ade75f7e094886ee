"""What is looked up: a question in its scope."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from app.completion.caching.lasting import lasting
from app.core.caching import CachedAnswer
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.normal_forms import normalized
from app.core.options import Scalar
from app.core.requests import JsonSchema, ModelRequest, Sampling
from app.core.usage import CallRecord, Outcome, Purpose

VERSION = 2
"""Of the rules and of what is kept: raised where older entries must not be served any more."""
SHARED = "shared"
"""The owner of entries that an administrator shares among users."""
MAX_NEAR = 500
"""Characters: a longer question is a text to work on, and is kept by its exact form only."""

_LITERAL = re.compile(r"[`\"'{}=;<>|\\]|^[^\S\n]|^[-*+#]", re.MULTILINE)
"""Where white space may mean something: code, quotations, indentation, lists."""


@dataclass(frozen=True)
class Scope:
    """Whoever asks, whatever answers, and how: an answer never leaves its scope."""

    owner: str
    """`user:<id>`, `key:<id>` or SHARED."""
    model: ModelRef
    digest: str | None = None
    """Of the model's file, where its server tells: another download is another model."""
    sampling: Sampling = field(default_factory=Sampling)
    system: str = ""
    """The system text as it is sent."""
    language: str = ""
    mode: str = "chat"
    choices: Mapping[str, Scalar] = field(default_factory=dict)
    """Every other choice that could change an answer."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of it all."""
        return _hash({"version": VERSION, **asdict(self)})


@dataclass(frozen=True, slots=True)
class CacheQuery:
    """A question that may be looked up, and its answer kept."""

    scope: Scope
    key: str
    question: str
    first: bool = True
    """The first of its conversation and short: it stands alone, and may be like others."""
    request_id: str | None = None

    def entry(self, text: str, calls: Sequence[CallRecord], **source: Any) -> CachedAnswer:
        """What is kept of an answer, with what its calls took; `source`: title and ids of its turn."""
        calls = [call for call in calls if call.purpose is not Purpose.CACHE_CHECK]
        tokens = sum((c.usage.input_tokens or 0) + (c.usage.output_tokens or 0) for c in calls)
        costs = [call.cost.rub for call in calls if call.cost is not None]
        return CachedAnswer(
            scope=self.scope.key,
            key=self.key,
            owner=self.scope.owner,
            question=self.question,
            answer=text,
            model=str(self.scope.model),
            tokens=tokens or None,
            cost_rub=sum(costs, Decimal(0)) if costs else None,
            **source,
        )


def query_of(
    messages: Sequence[Message], scope: Scope, request_id: str | None = None
) -> CacheQuery | None:
    """What may be looked up of a conversation whose last message is the question; None where its
    answer depends on more than these words, or may not be given twice."""
    spoken = [message for message in messages if message.role != "system"]
    plain = all(m.role in ("user", "assistant") and not m.images for m in spoken)
    if not plain or not spoken or spoken[-1].role != "user":
        return None
    text = spoken[-1].text
    if not lasting(text, shared=scope.owner == SHARED):
        return None
    alone = len(spoken) == 1
    key = question_key(text) if alone else context_key(messages)
    return CacheQuery(scope, key, text, alone and len(text) <= MAX_NEAR, request_id)


_HARMLESS = frozenset(
    {"frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias"}
)
"""Fields of OpenAI's form that say nothing where they are zero, false or empty."""


def query_of_call(
    request: ModelRequest, ref: ModelRef, *, owner: str, digest: str | None, kind: str
) -> CacheQuery | None:
    """What may be looked up of one call; None also for one with tools or with fields that only a
    model can answer. `kind` keeps forms of the API apart."""
    extra = {name for name, value in request.extra.items() if value or name not in _HARMLESS}
    if request.tools or request.tool_choice or request.suffix or extra:
        return None
    form = request.response_format
    scope = Scope(
        owner=owner,
        model=ref,
        digest=digest,
        sampling=request.sampling,
        system="\n\n".join(m.text for m in request.messages if m.role == "system"),
        mode=kind,
        choices={
            "think": request.think,
            "form": type(form).__name__ if form else None,
            "schema": repr(form.schema) if isinstance(form, JsonSchema) else None,
            **({"drops": True} if form and request.drops else {}),  # it may have no form then
        },
    )
    return query_of(request.messages, scope, request.request_id)


def cacheable_answer(text: str, calls: Sequence[CallRecord]) -> bool:
    """Whether an answer may be given again: it says something, and every call that was made for it
    ended by itself, neither stopped, failed nor cut off by length or a filter."""
    made = [call for call in calls if call.purpose is not Purpose.CACHE_CHECK]
    return bool(made and text.strip()) and all(
        call.outcome is Outcome.COMPLETED and call.finish_reason == "stop" for call in made
    )


def exact_form(text: str) -> str:
    """NFC, one blank for any white space where it cannot mean anything, and no closing full stop."""
    text = normalized("NFC", text).strip()
    if not _LITERAL.search(text):
        text = " ".join(text.split())
    if text.endswith(".") and (text[-2:-1].isalpha() or text[-2:-1] in tuple("»”)")):
        return text[:-1]  # a full stop, not `cd .`, `1.` or `...`
    return text


def question_key(question: str) -> str:
    """SHA-256 of the exact form of a first question."""
    return _hash({"first": exact_form(question)})


def context_key(messages: Sequence[Message]) -> str:
    """SHA-256 of everything that was said, to the letter; system texts are part of the scope."""
    return _hash({"context": [(m.role, m.text) for m in messages if m.role != "system"]})


def _hash(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
