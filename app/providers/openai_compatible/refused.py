"""What a model was found to refuse: a parameter is left out, or named otherwise, once it was refused.

Rows of the table of families say what is known beforehand; everything else shows when it is tried.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from app.core.concurrency import BackgroundTasks
from app.core.errors import BadRequest, KonsiliumError, ServerFault, Unsupported

SCOPE = "refused-parameters"
REMEMBERED_SECONDS = 7 * 86_400.0
"""Then it is tried again: models and the servers before them change."""

OPTIONAL = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "seed",
    "stop",
    "stream_options",
    "stream",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "top_k",
    "min_p",
    "repetition_penalty",
    "parallel_tool_calls",
    "reasoning_effort",
    "verbosity",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
)
"""Without these an answer is still an answer to the question."""
OF_MESSAGES = (
    "name",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "refusal",
    "annotations",
)
"""Without these a message is still what was said: clients send back what they were told."""
_IN_MESSAGES = "messages."
"""How the name of such a field begins here."""
FORMAT = "response_format"
"""Without this an answer to a prompt that describes its form, too, is one; to others it is not."""
_KINDS_OF_FORMAT = ("json_object", "json_schema")
WITH_FORMAT = (*OPTIONAL, FORMAT)
DROPPED = (
    *WITH_FORMAT,
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "n",
    "best_of",
    "echo",
    "user",
    "store",
    "metadata",
    "modalities",
    "prediction",
    "web_search_options",
    "encoding_format",
    "quality",
    "style",
    "speed",
    "instructions",
)
"""Without these an answer may be another one: they are left out for those alone who say that they may be."""
_GOES_ALONG = {
    "stream": ("stream_options",),
    "tools": ("tool_choice", "parallel_tool_calls"),
    "functions": ("function_call",),
}
"""What means nothing without the parameter that was refused."""
RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}

_SAID = {
    FORMAT: "(?i:response[_ ]format|json[_ ](?:schema|object|mode)|structured[ _]outputs?)",
    "stream": "(?:['\"`]stream['\"`]|[Ss]treaming|to stream|body\\.stream|: stream\\))",
    "tools": r"(?:body\.)?tools(?!\[|\.\w)",  # one of them that is wrong is another matter
    "functions": r"(?:body\.)?functions(?!\[|\.\w)",
}
"""What a refusal calls a parameter, where that is not its name alone."""

_REFUSING = re.compile(
    r"unsupported|not supported|n.t support|not support|not permitted|not allowed|forbidden"
    r"|unrecogni[sz]ed|unknown|unexpected|extraneous|extra (inputs?|fields?|parameters?)"
    r"|not both|cannot both|can.t both|only one|mutually exclusive|(used|set|sent|specified) together"
    r"|only \S{1,20} (is|are) (allowed|supported|valid)|only be set to|must be (set to )?1(\.0)?\b(?! or)"
    r"|deprecated|unavailable|must be verified|invalid (argument|parameter|field)"
    r"|не поддержива|недопустим|неизвестн|не підтриму|невідом|不支持",
    re.IGNORECASE,
)
"""That the parameter is not taken at all; `must be at most 4096` is another matter."""
_FORMATS = "['\"`]?(?:text|json_object|json_schema)\\b"
_OTHER_FORMAT = re.compile(
    rf"(?:must|should) be (?:one of:? |either )?{_FORMATS}|supported (?:values|types|formats)\b.{{0,20}}{_FORMATS}"
    rf"|only .{{0,40}}{_FORMATS}.{{0,12}} (?:is|are) (?:supported|allowed)|mode is not enabled",
    re.IGNORECASE,
)
"""That a format of that kind is not taken, in the words of those who name the kinds that are."""
_OF_THE_SCHEMA = re.compile(
    r"invalid (?:json[_ ])?schema|(?<!json_)(?<!json )(?:schema|grammar) (?:for|in|is)\b|\bkeyword|json_schema\.\w",
    re.IGNORECASE,
)
"""That this one schema is not taken: others may be."""
_WORD = re.compile(r"\w+")
_NEAR_THE_PLACE = 300
"""Characters behind the word `messages` in which a refusal names the field."""


class Store(Protocol):
    """Where it is remembered."""

    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]: ...

    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None: ...


class RefusedParameters:
    """One for all servers of the process; kept in the database where there is one."""

    def __init__(self, store: Store | None = None, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self._store = store
        self._clock = clock
        self._known: dict[str, dict[str, tuple[str, float]]] = {}
        """By `server/model`: parameter -> (what it is called instead, "" for nothing; when)."""
        self._writing = BackgroundTasks()

    async def load(self) -> None:
        """Reads what earlier runs found. Raises StorageUnavailable."""
        stored = await self._store.items(SCOPE) if self._store else {}
        for key, fact in stored.items():
            name, _, model = key.partition(" ")
            if model:
                self._known.setdefault(model, {})[name] = str(fact["other"]), float(fact["at"])

    def of(self, model: str) -> dict[str, str]:
        """Parameter -> its other name, or "" where it is left out, as found within a week. A format that was
        refused is there as `response_format.<kind>`."""
        found = self._known.get(model)
        if not found:
            return {}
        since = self._clock() - REMEMBERED_SECONDS
        return {name: new for name, (new, at) in found.items() if at > since}

    def apply(
        self, model: str, body: dict[str, Any], optional: Sequence[str] = OPTIONAL
    ) -> dict[str, Any]:
        """The body without what the model refused of those parameters, and of the fields of messages."""
        known = self.of(model)
        found = {
            name: new
            for name, new in known.items()
            if name in optional or name.startswith(_IN_MESSAGES)
        }
        if FORMAT in optional and _format_of(body) in known:
            found[FORMAT] = ""
        if not found:
            return body
        sent = _renamed(body, found)
        for name in found:
            for other in _GOES_ALONG.get(name, ()):
                sent.pop(other, None)
        if fields := {name.removeprefix(_IN_MESSAGES) for name in found if _IN_MESSAGES in name}:
            sent["messages"] = [_without(message, fields) for message in sent.get("messages", [])]
        return sent

    def learn(
        self,
        model: str,
        body: Mapping[str, Any],
        error: KonsiliumError,
        optional: Sequence[str] = OPTIONAL,
    ) -> str | None:
        """The one of those parameters, or the field of messages as `messages.<field>`, that the refusal is
        about and the body has. It is remembered then, but for a format whose schema alone was refused."""
        name = refused_parameter(body, error, optional) or _refused_of_messages(body, error)
        if name is None or (name == FORMAT and _OF_THE_SCHEMA.search(error.detail)):
            return name
        other = RENAMED.get(name, "")
        if other in body or other in self.of(model):
            other = ""
        at = self._clock()
        known = _format_of(body) if name == FORMAT else name
        self._known.setdefault(model, {})[known] = (other, at)
        if self._store is not None:  # a row for each: other processes find others at the same time
            fact = {"other": other, "at": at}
            self._writing.start(self._store.put(SCOPE, f"{known} {model}", fact))
        return name


def refused_parameter(
    body: Mapping[str, Any], error: KonsiliumError, optional: Sequence[str] = OPTIONAL
) -> str | None:
    """The parameter of the body that the server does not take at all, by the words of its refusal: of
    two that exclude each other the later of OPTIONAL's order; None where it is about anything else."""
    if not isinstance(error, BadRequest | Unsupported | ServerFault):
        return None
    if not _REFUSING.search(error.detail):
        if not _OTHER_FORMAT.search(error.detail):
            return None
        optional = [name for name in optional if name == FORMAT]
    said = {name: _named(name).search(error.detail) for name in optional}
    named = [name for name in optional if name in body and said[name]]
    if named == ["temperature", "top_p"]:
        return "top_p"
    return named[0] if named else None


def _format_of(body: Mapping[str, Any]) -> str:
    """The body's format with its kind: a model that takes no schema may well take `json_object`."""
    wanted = body.get(FORMAT)
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    return f"{FORMAT}.{kind}" if kind in _KINDS_OF_FORMAT else FORMAT


def _refused_of_messages(body: Mapping[str, Any], error: KonsiliumError) -> str | None:
    """The field of the body's messages that the server does not take, as `messages.<field>`."""
    if not isinstance(error, BadRequest | Unsupported) or not _REFUSING.search(error.detail):
        return None
    _, messages, said = error.detail.partition("messages")
    listed = body.get("messages")
    sent = (
        {field for one in listed for field in one} if messages and isinstance(listed, list) else ()
    )
    words = set(_WORD.findall(said[:_NEAR_THE_PLACE]))
    return next((_IN_MESSAGES + one for one in OF_MESSAGES if one in sent and one in words), None)


def _without(message: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in fields}


@cache
def _named(name: str) -> re.Pattern[str]:
    """What finds a parameter in the words of a refusal: some servers write it in camels."""
    head, *rest = name.split("_")
    camels = head + "".join(part.capitalize() for part in rest)
    return re.compile(
        rf"(?<![\w.]){_SAID.get(name, f'(?:(?:body|generationConfig)[.])?(?:{name}|{camels})')}(?!\w)"
    )


def _renamed(body: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for name, value in body.items():
        ours = found.get(name, name)
        if ours := found.get(ours, ours) if ours != name else ours:
            sent[ours] = value
    return sent
