"""Our requests in the form of OpenAI's `/chat/completions`: pure translation."""

from base64 import b64encode
from dataclasses import replace
from typing import Any

from app.core.families import Family, family_of
from app.core.messages import ImagePart, Message, TextPart, alternating
from app.core.providers import Preset
from app.core.requests import JsonSchema, ModelRequest, ResponseFormat, Sampling
from app.providers.openai_compatible.functions import with_functions


def chat_body(preset: Preset, model: str, request: ModelRequest) -> dict[str, Any]:
    """The body of POST /chat/completions, streaming. `extra` goes through as it is."""
    sampling = _sampling(request.sampling, family_of(model))
    body: dict[str, Any] = {
        "model": preset.names.id(model),
        "messages": [_message(message) for message in alternating(request.messages)],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        preset.completion_tokens_field: sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "tools": [dict(tool) for tool in request.tools] or None,
        "tool_choice": request.tool_choice,
        "response_format": _response_format(request.response_format),
        "stream": True,
        "stream_options": {"include_usage": True} if preset.stream_usage else None,
    }
    body = {key: value for key, value in body.items() if value is not None} | dict(request.extra)
    return with_functions(body) if preset.functions else body


def prompt_body(preset: Preset, model: str, request: ModelRequest) -> dict[str, Any]:
    """The body of POST /completions, streaming, for a prompt that is continued as it stands."""
    body = chat_body(replace(preset, functions=False), model, request)
    del body["messages"]
    return (
        body | {"prompt": request.prompt} | ({"suffix": request.suffix} if request.suffix else {})
    )


def _sampling(sampling: Sampling, family: Family) -> Sampling:
    """Without what models of the family refuse: any temperature but their own, or two samplers."""
    if not family.sampled:
        return replace(sampling, temperature=None, top_p=None)
    if family.one_sampler and sampling.temperature is not None:
        return replace(sampling, top_p=None)
    return sampling


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    match wanted:
        case None:
            return None
        case JsonSchema(name, schema):
            strict = schema.get("additionalProperties") is False
            described = {"name": name, "schema": dict(schema), "strict": strict}
            return {"type": "json_schema", "json_schema": described}
        case _:
            return {"type": "json_object"}


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.name and message.role != "tool":
        wire["name"] = message.name
    if message.tool_calls:
        wire["content"] = wire["content"] or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    return [_part(part) for part in message.parts]


def _part(part: TextPart | ImagePart) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(data, mime):
            url = f"data:{mime};base64,{b64encode(data).decode('ascii')}"
            return {"type": "image_url", "image_url": {"url": url}}
