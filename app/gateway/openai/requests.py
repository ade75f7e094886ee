"""Bodies of /v1 requests as our own values. Pure; raises InvalidField naming the field."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import ModelNotFound
from app.core.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from app.core.models import ModelRef
from app.core.requests import JsonObject, JsonSchema, ModelRequest, ResponseFormat, Sampling
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.face import Envelope

MAX_MESSAGES = 4096
MAX_TEXTS = 2048
"""Of one embeddings request."""
Json = Mapping[str, Any]

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_OURS = {
    "model",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "seed",
    "stop",
    "n",
    "best_of",
    "echo",
    "tools",
    "tool_choice",
    "response_format",
    "think",
    "user",
    "suffix",
    "store",
    "metadata",
    "service_tier",
}
"""Fields that are translated, or mean nothing to a model; the others go along as `extra`."""


_CHOOSE_MODELS = (
    "provider",
    "plugins",
    "preset",
    "route",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "providerOptions",
)
"""Of OpenRouter (2026), of LiteLLM's proxy and of Vercel's AI Gateway."""


_BOUNDS = ("max_completion_tokens", "max_tokens")


def envelope(body: Json, *, legacy: bool = False) -> Envelope:
    """Checks what must be so for any model."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise InvalidField("`model` must be a model's name.", "model")
    characters = len(prompt_text(body)) if legacy else _messages_size(body.get("messages"))
    if legacy and body.get("konsilium"):
        raise InvalidField("A text that is continued has no tools of this server.", "konsilium")
    stream = _typed(body, "stream", bool) or False
    options = _typed(body, "stream_options", dict) or {}
    wants_usage = options.get("include_usage") is True
    return Envelope(model.strip(), stream, wants_usage, characters, _most_tokens(body))


def _most_tokens(body: Json) -> int | None:
    """The bound of the answer where it is one; what is none, the server may refuse."""
    for name in _BOUNDS:
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def check_fields(body: Json, caller: Caller, targets: Sequence[ModelRef]) -> None:
    """Refuses what would let a server answer with a model that the key may not use.

    `models` (OpenRouter's next ones) must be the key's own; the fields that choose models or servers in
    ways of their own are for keys of all models. Raises InvalidField or ModelNotFound.
    """
    if caller.key is None or "*" in caller.key.models:
        return
    for name in _CHOOSE_MODELS:
        if body.get(name):
            raise InvalidField(f"`{name}` is for keys without a list of models.", name)
    others = body.get("models") or []
    if not isinstance(others, list) or not all(isinstance(each, str) for each in others):
        raise InvalidField("`models` must be a list of models' names.", "models")
    for other in others:
        for ref in targets:
            if not caller.may_use(f"{ref.server}/{other}"):
                raise ModelNotFound("not for this key", server=ref.server, model=other)


def _messages_size(messages: object) -> int:
    if not isinstance(messages, list) or not messages:
        raise InvalidField("`messages` must be a list of at least one message.", "messages")
    if len(messages) > MAX_MESSAGES:
        raise InvalidField(f"More than {MAX_MESSAGES} messages.", "messages")
    size = 0
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidField("A message must be an object with a role.", f"messages[{position}]")
        content = message.get("content")
        if isinstance(content, str):
            size += len(content)
        elif isinstance(content, list):
            texts = (part.get("text") for part in content if isinstance(part, dict))
            size += sum(len(text) for text in texts if isinstance(text, str))
    return size


def prompt_text(body: Json) -> str:
    """The prompt of a legacy completion: one text. Token ids and batches are not for chat models."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, list) and all(isinstance(item, str | int | list) for item in prompt):
        return "".join(item for item in prompt if isinstance(item, str))
    if not isinstance(prompt, str):
        raise InvalidField("`prompt` must be a text.", "prompt")
    return prompt


def chat_request(body: Json, request_id: str) -> ModelRequest:
    """A chat completion for a model that is spoken to in another protocol."""
    _only_one(body)
    messages = tuple(
        _message(message, f"messages[{position}]")
        for position, message in enumerate(body["messages"])
    )
    return _request(body, messages, request_id)


def legacy_request(body: Json, request_id: str) -> ModelRequest:
    """A legacy completion: a text to be continued as it stands."""
    _only_one(body)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and not (len(prompt) == 1 and isinstance(prompt[0], str)):
        raise InvalidField("This model takes one text as `prompt`.", "prompt")
    suffix = _typed(body, "suffix", str) or ""
    others = whole_number(body, "logprobs", minimum=0)
    if others is not None:  # of each token; in chat completions it is a field of its own
        body = {**body, "logprobs": True, "top_logprobs": others}
    text = prompt_text(body)
    if body.get("tools") or body.get("response_format"):
        raise InvalidField("A text that is continued has no tools and no format.", "tools")
    asked = _request(body, (Message.user(text),), request_id)
    return replace(asked, prompt=text, suffix=suffix)


def _request(body: Json, messages: tuple[Message, ...], request_id: str) -> ModelRequest:
    tools = _typed(body, "tools", list) or []
    if not all(isinstance(tool, dict) and isinstance(tool.get("function"), dict) for tool in tools):
        raise InvalidField('Each tool must be `{"type": "function", "function": {…}}`.', "tools")
    if body.get("functions"):  # left out, they would be missed in silence
        raise InvalidField(
            "This model takes `tools`; `functions` is their former shape.", "functions"
        )
    choice = body.get("tool_choice")
    if not isinstance(choice, str | dict | None):
        raise InvalidField("`tool_choice` must be a word or an object.", "tool_choice")
    return ModelRequest(
        messages=messages,
        sampling=_sampling(body),
        response_format=_response_format(body.get("response_format")),
        tools=tuple(tools),
        tool_choice=choice,
        think=_think(body),
        request_id=request_id,
        extra={name: value for name, value in body.items() if name not in _OURS},
    )


def _only_one(body: Json) -> None:
    for name in ("n", "best_of"):
        if (_typed(body, name, int) or 1) != 1:
            raise InvalidField(f"This model gives one answer at a time: `{name}` must be 1.", name)


def _sampling(body: Json) -> Sampling:
    stop = body.get("stop")
    if isinstance(stop, str):
        stop = [stop]
    if stop is not None and not (
        isinstance(stop, list) and len(stop) <= 64 and all(isinstance(s, str) for s in stop)
    ):
        raise InvalidField("`stop` must be a text or a list of texts.", "stop")
    limit = token_limit(body, "max_completion_tokens")
    return Sampling(
        temperature=_number(body, "temperature", 0, 2),
        top_p=_number(body, "top_p", 0, 1),
        max_tokens=limit if limit is not None else token_limit(body, "max_tokens"),
        seed=whole_number(body, "seed"),
        stop=tuple(text for text in stop or () if text),
    )


def _think(body: Json) -> bool | None:
    """`think` is Ollama's word; OpenAI's `reasoning_effort` goes along as it is."""
    think: bool | None = _typed(body, "think", bool)
    return think


def _response_format(value: object) -> ResponseFormat | None:
    match value:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return JsonObject()
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema, **rest}}:
            return JsonSchema(str(rest.get("name") or "answer"), schema)
    raise InvalidField("`response_format` is of no known type.", "response_format")


def _message(message: Json, where: str) -> Message:
    role = _ROLES.get(message["role"])
    if role is None:
        raise InvalidField(f"Unknown role {message['role']!r}.", f"{where}.role")
    name, call_id = message.get("name"), message.get("tool_call_id")
    return Message(
        role=role,
        parts=_parts(message.get("content"), where),
        name=name if isinstance(name, str) else None,
        tool_calls=tuple(_tool_call(call, where) for call in _listed(message, "tool_calls", where)),
        tool_call_id=call_id if isinstance(call_id, str) else None,
    )


def _listed(message: Json, name: str, where: str) -> list[Any]:
    value = message.get(name) or []
    if not isinstance(value, list):
        raise InvalidField(f"`{name}` must be a list.", f"{where}.{name}")
    return value


def _parts(content: object, where: str) -> tuple[Part, ...]:
    match content:
        case None:
            return ()
        case str():
            return (TextPart(content),)
        case list():
            return tuple(_part(part, f"{where}.content[{i}]") for i, part in enumerate(content))
    raise InvalidField("`content` must be a text or a list of parts.", f"{where}.content")


def _part(part: object, where: str) -> Part:
    match part:
        case {"type": "text" | "input_text", "text": str() as text}:
            return TextPart(text)
        case {"type": "refusal", "refusal": str() as text}:
            return TextPart(text)
        case {"type": "image_url", "image_url": {"url": str() as url}}:
            return _image(url, where)
        case {"type": "image_url", "image_url": str() as url}:
            return _image(url, where)
    raise InvalidField("This model takes parts of text and images only.", where)


def _image(url: str, where: str) -> ImagePart:
    """Only images that come with the request: an address would make us fetch what others name."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        raise InvalidField(
            "An image must come along as base64 (`data:image/…;base64,`): nothing is fetched here.",
            where,
        )
    try:
        padded = data + "=" * (-len(data) % 4)  # browsers' btoa pads, other encoders do not
        return ImagePart(base64.b64decode(padded, validate=True), head[5:-7])
    except (binascii.Error, ValueError):
        raise InvalidField("The image is not valid base64.", where) from None


def _tool_call(call: object, where: str) -> ToolCall:
    match call:
        case {"function": {"name": str() as name, **rest}, **outer}:
            arguments, id = rest.get("arguments", ""), outer.get("id")
            if isinstance(arguments, str) and isinstance(id, str | None):
                return ToolCall(id or "", name, arguments)
    raise InvalidField("A tool call needs a function with a name and arguments.", where)


def _typed(body: Json, name: str, kind: type[Any]) -> Any:
    value = body.get(name)
    truth_as_number = kind is int and isinstance(value, bool)
    if value is None or (isinstance(value, kind) and not truth_as_number):
        return value
    raise InvalidField(f"`{name}` has the wrong type.", name)


def _number(body: Json, name: str, minimum: float, maximum: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(f"`{name}` must be a number.", name)
    if not minimum <= value <= maximum:
        raise InvalidField(f"`{name}` must be from {minimum:g} to {maximum:g}.", name)
    return float(value)


def whole_number(body: Json, name: str, minimum: int = -(2**63)) -> int | None:
    """A whole number, which may be written as 10.0. Raises InvalidField."""
    value = body.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidField(f"`{name}` has the wrong type.", name)
    if not minimum <= value < 2**63:
        raise InvalidField(f"`{name}` is out of range.", name)
    return value


_IN_MODES = {
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "konsilium",
}
_SAYS_NOTHING = {
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "cache_prompt",
    "keep_alive",
    "tool_choice",
    "parallel_tool_calls",
    "top_logprobs",
    "think",
    "reasoning_effort",
}
"""What a mode keeps, and what says nothing of its answer, with tools and logprobs refused: a council
deliberates however much thought is asked for."""
_CHANGES_NOTHING = {
    "top_p": 1,
    "top_k": 0,
    "min_p": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "repetition_penalty": 1,
    "repeat_penalty": 1,
}
"""Values that samplers have anyway."""


def check_mode_fields(body: Json) -> None:
    """Refuses what a council cannot keep: it would be dropped in silence. Raises InvalidField."""
    if _response_format(body.get("response_format")) is not None:
        raise InvalidField("konsilium's modes answer in text.", "response_format")
    for name in _not_kept(body):
        raise InvalidField(f"`{name}` is not supported by konsilium's modes.", name)


def _not_kept(body: Json) -> list[str]:
    """The fields that say something which no mode keeps."""
    known = _IN_MODES | _SAYS_NOTHING | {"response_format", *_ONE_AT_A_TIME}
    return [name for name, value in body.items() if name not in known and _wants(name, value)]


def _wants(name: str, value: Any) -> bool:
    empty = value is None or value is False or value in ("", [], {})
    return not empty and value != _CHANGES_NOTHING.get(name)


_ONE_AT_A_TIME = ("n", "best_of", "echo")


def without_parameters(body: Json, *, mode: bool = False, legacy: bool = False) -> dict[str, Any]:
    """The body without what would be refused though an answer is one without it: in a council (`mode`)
    also tools, formats and samplers, of a text that is continued (`legacy`) tools and formats, of all a
    format of a kind that is not known here."""
    left_out = {*_ONE_AT_A_TIME, "functions", "function_call"}
    if mode:
        left_out |= {*_not_kept(body), "response_format"}
    if legacy:
        left_out |= {"tools", "response_format"}
    try:
        _response_format(body.get("response_format"))
    except InvalidField:
        left_out.add("response_format")
    return {name: value for name, value in body.items() if name not in left_out}


def token_limit(body: Json, name: str) -> int | None:
    """How long an answer may be; clients of LM Studio, llama.cpp and Ollama say -1 or 0 for no limit."""
    value = whole_number(body, name, minimum=-1)
    return value if value and value > 0 else None


def without_no_bound(body: Json, none: tuple[int, ...] = (-1, 0)) -> Json:
    """The body without a bound that is `none`, which some servers would refuse and others take for one."""
    said = [name for name in _BOUNDS if name in body and not isinstance(body[name], bool)]
    left_out = [name for name in said if body[name] in none]
    return (
        {name: value for name, value in body.items() if name not in left_out} if left_out else body
    )


def embedding_size(body: Json) -> int:
    """Characters of an embeddings request; a token counts as four."""
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    alone = not isinstance(given, list)
    if not texts or not all(isinstance(t, str if alone else str | int | list) for t in texts):
        raise InvalidField("`input` must be a text or a list of texts.", "input")
    if len(texts) > MAX_TEXTS and not isinstance(texts[0], int):
        raise InvalidField(f"More than {MAX_TEXTS} texts.", "input")
    return sum(
        len(t) if isinstance(t, str) else 4 * len(t) if isinstance(t, list) else 4 for t in texts
    )


def embedding_texts(body: Json) -> list[str]:
    """The texts of an embeddings request."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise InvalidField("This model takes a text or a list of texts as `input`.", "input")
    return texts
