"""Answers in the form of OpenAI's Responses API."""

import json
import time
from collections.abc import AsyncIterable, Mapping
from json.encoder import encode_basestring as quoted
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.mending import json_of
from app.core.sse import PING
from app.core.usage import Usage
from app.gateway.access import Caller
from app.gateway.errors import Answer, HttpError, InvalidField, NoSuchPath
from app.gateway.face import CallsInTurn, Json, call_id, likely_tokens
from app.gateway.http import EVENTS, ErrorForm, Exchange, openai_error
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.requests import chat_request
from app.gateway.responses.kept import KeptResponses, StoredResponse, new_key
from app.gateway.responses.requests import CUSTOM_INPUT, chat_body, input_items, known_tools
from app.gateway.services import GatewayServices

_ENDS = tuple(
    f',"type":"response.{status}"}}\n\n'.encode()
    for status in ("completed", "incomplete", "failed")
)
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is not whole, by how it ended."""
_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "temperature",
    "top_p",
    "user",
)


class ResponsesQuestion:
    """A request to /v1/responses."""

    legacy = False

    def __init__(self, asked: Json, items: list[Any], caller: Caller, kept: KeptResponses) -> None:
        """`items`: the whole conversation."""
        self.body = chat_body(asked, items)
        self._asked, self._items = asked, items
        self._caller, self._kept = caller, kept
        self._writer: ResponseWriter | None = None

    def writer(self, model: str) -> "ResponseWriter":
        key = new_key()
        self._writer = ResponseWriter(self._head(model, key), key, known_tools(self._asked), self)
        return self._writer

    async def whole(self, model: str, events: AsyncIterable[ModelEvent]) -> Json:
        writer, calls = self.writer(model), CallsInTurn()
        async for event in events:
            for each in calls.ordered(event):
                writer.event(each)
        return await writer.finish()

    async def keep(self, key: str, response: dict[str, Any]) -> None:
        """Keeps the response for later ones, unless it is not to be."""
        if response["store"]:
            await self._kept.keep(self._caller, key, StoredResponse(response, self._items))

    def broken(self, answer: Answer) -> bytes:
        if self._writer is None:
            head = self._head(str(self.body["model"]), key := new_key())
            self._writer = ResponseWriter(head, key, {}, self)
        return self._writer.failed(answer)

    def _head(self, model: str, key: str) -> dict[str, Any]:
        asked = self._asked
        reasoning, text = asked.get("reasoning") or {}, asked.get("text") or {}
        tools = [tool for tool in asked.get("tools") or () if tool.get("type") != "namespace"]
        return {
            "id": f"resp_{key}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            **{name: asked.get(name) for name in _ECHOED},
            "metadata": asked.get("metadata") or {},
            "model": model,
            "output": [],
            "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "service_tier": "default",
            "store": asked.get("store") is not False,
            "text": {"format": {"type": "text"}, **text},
            "tool_choice": asked.get("tool_choice") or "auto",
            "tools": [_echoed_tool(tool) for tool in tools],
            "top_logprobs": 0,
            "truncation": "disabled",
            "usage": None,
        }


def _echoed_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return tool
    return {"strict": False, "parameters": None, "description": None, **tool}


class _Item:
    """One item of the output, while it is written."""

    def __init__(self, index: int, fields: dict[str, Any]) -> None:
        self.index = index
        self.fields = fields
        self.text: list[str] = []
        self.delta = ("", "")
        """What stands before and after the next words of it, but for the number."""
        self.open = True


class ResponseWriter:
    """The events of one answer. Each item is opened, written and closed before the next."""

    def __init__(
        self, head: dict[str, Any], key: str, tools: Mapping[str, Json], question: ResponsesQuestion
    ) -> None:
        self._response = head
        self._key = key
        self._tools = tools
        self._question = question
        self._number = -1
        self._items: list[_Item] = []
        self._calls: dict[int, _Item] = {}
        self._finished = Finished("stop", Usage())

    # -- events ---------------------------------------------------------------------------------

    def opening(self) -> bytes:
        return self._lifecycle("created") + self._lifecycle("in_progress")

    def event(self, event: ModelEvent) -> bytes:
        match event:
            case TextDelta(text):
                return self._said("message", text) if text else b""
            case ReasoningDelta(text):
                return self._said("reasoning", text) if text else b""
            case TextWasThinking():
                return b""  # what was sent cannot be taken back
            case ToolCallDelta():
                return self._called(event)
            case Finished():
                self._finished = event
                return self._end()

    async def closing(self) -> bytes:
        response = await self.finish()
        return self._lifecycle(response["status"])

    async def finish(self) -> dict[str, Any]:
        """The whole response, kept where it is to be."""
        response, finished = self._response, self._finished
        why = _CUT.get(finished.finish_reason)
        response["status"] = "incomplete" if why else "completed"
        response["incomplete_details"] = {"reason": why} if why else None
        response["completed_at"] = None if why else int(time.time())
        response["usage"] = _usage(finished.usage)
        await self._question.keep(self._key, response)
        return response

    def failed(self, answer: Answer) -> bytes:
        """The end of a stream that broke: an error for those who look for one, and the whole of it."""
        code = answer.code or "server_error"
        error = self._event(
            "error", {"code": code, "message": answer.message, "param": answer.param}
        )
        self._response["status"] = "failed"
        self._response["error"] = {"code": "server_error", "message": answer.message}
        return error + self._lifecycle("failed")

    # -- items ----------------------------------------------------------------------------------

    def _said(self, kind: str, text: str) -> bytes:
        last = self._items[-1] if self._items else None
        begun = b""
        if last is None or not last.open or last.fields["type"] != kind:
            begun, last = self._begin_text(kind)
        last.text.append(text)
        self._number += 1
        before, after = last.delta
        piece = f"{before}{quoted(text)}{after}".replace("\1", str(self._number), 1)
        return begun + piece.encode("utf-8", "replace")

    def _begin_text(self, kind: str) -> tuple[bytes, _Item]:
        if kind == "message":
            prefix, fields = "msg", dict[str, Any](role="assistant", content=[])
            part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
            part["logprobs"] = []
            added, name = "response.content_part.added", "response.output_text.delta"
            place, more = {"content_index": 0}, dict[str, Any](logprobs=[])
        else:
            prefix, fields = "rs", dict[str, Any](summary=[], encrypted_content=None)
            part = {"type": "summary_text", "text": ""}
            added = "response.reasoning_summary_part.added"
            name = "response.reasoning_summary_text.delta"
            place, more = {"summary_index": 0}, {}
        begun, item = self._begin(prefix, kind, fields)
        where = {"item_id": item.fields["id"], "output_index": item.index, **place}
        begun += self._event(added, {**where, "part": part})
        template = f"event: {name}\ndata: " + json.dumps(
            {"type": name, "sequence_number": "\1", **where, **more, "delta": "\0"},
            separators=(",", ":"),
        )
        before, after = template.replace('"\\u0001"', "\1").split('"\\u0000"')
        item.delta = before, after + "\n\n"
        return begun, item

    def _called(self, event: ToolCallDelta) -> bytes:
        begun = b""
        item = self._calls.get(event.index)
        if item is None:
            tool = self._tools.get(event.name or "", {"name": event.name or ""})
            call = {"call_id": event.id or call_id(), "name": tool["name"]}
            if "namespace" in tool:
                call["namespace"] = tool["namespace"]
            if tool.get("type") == "custom":
                begun, item = self._begin("ctc", "custom_tool_call", call | {"input": ""})
            else:
                begun, item = self._begin("fc", "function_call", call | {"arguments": ""})
            self._calls[event.index] = item
        if event.arguments:
            item.text.append(event.arguments)
            if item.fields["type"] == "function_call":
                where = {"item_id": item.fields["id"], "output_index": item.index}
                name = "response.function_call_arguments.delta"
                begun += self._event(name, {**where, "delta": event.arguments})
        return begun

    def _begin(self, prefix: str, kind: str, fields: dict[str, Any]) -> tuple[bytes, _Item]:
        ended = self._end()
        index = len(self._items)
        head = {"id": f"{prefix}_{self._key}_{index}", "type": kind, "status": "in_progress"}
        item = _Item(index, head | fields)
        self._items.append(item)
        added = self._event(
            "response.output_item.added", {"output_index": index, "item": head | fields}
        )
        return ended + added, item

    def _end(self) -> bytes:
        """The end of the item that is open, if one is."""
        item = self._items[-1] if self._items else None
        if item is None or not item.open:
            return b""
        item.open = False
        fields, text = item.fields, "".join(item.text)
        fields["status"] = "incomplete" if self._finished.finish_reason in _CUT else "completed"
        where = {"item_id": fields["id"], "output_index": item.index}
        match fields["type"]:
            case "message":
                part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
                fields["content"] = [part]
                where["content_index"] = 0
                done = self._event(
                    "response.output_text.done", {**where, "text": text, "logprobs": []}
                ) + self._event("response.content_part.done", {**where, "part": part})
            case "reasoning":
                part = {"type": "summary_text", "text": text}
                fields["summary"] = [part]
                where["summary_index"] = 0
                done = self._event(
                    "response.reasoning_summary_text.done", {**where, "text": text}
                ) + self._event("response.reasoning_summary_part.done", {**where, "part": part})
            case "custom_tool_call":
                said = fields["input"] = _free_text(text)
                name = "response.custom_tool_call_input"
                done = self._event(f"{name}.delta", {**where, "delta": said}) if said else b""
                done += self._event(f"{name}.done", {**where, "input": said})
            case _:
                fields["arguments"] = text or "{}"
                done = self._event(
                    "response.function_call_arguments.done",
                    {**where, "name": fields["name"], "arguments": fields["arguments"]},
                )
        self._response["output"].append(fields)
        place = {"output_index": item.index, "item": fields}
        return done + self._event("response.output_item.done", place)

    def _event(self, name: str, fields: Mapping[str, Any]) -> bytes:
        self._number += 1
        data = {"type": name, "sequence_number": self._number, **fields}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {name}\ndata: {text}\n\n".encode("utf-8", "replace")

    def _lifecycle(self, status: str) -> bytes:
        """An event with the whole response. Its type comes last: so an end is known as one."""
        self._number += 1
        name = f"response.{status}"
        data = {"sequence_number": self._number, "response": self._response, "type": name}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {name}\ndata: {text}\n\n".encode("utf-8", "replace")


def _free_text(arguments: str) -> str:
    """The input of a tool of free text, as a model wrote it."""
    try:
        found = json_of(arguments)
    except ValueError:
        return arguments
    said = found.get(CUSTOM_INPUT) if isinstance(found, dict) else found
    return said if isinstance(said, str) else arguments


def _usage(usage: Usage) -> dict[str, Any]:
    prompt, answer = usage.input_tokens or 0, usage.output_tokens or 0
    details = {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": 0}
    return {
        "input_tokens": prompt,
        "input_tokens_details": details,
        "output_tokens": answer,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": prompt + answer,
    }


class Responses:
    """The face."""

    passes: ClassVar[str | None] = None
    content_type: ClassVar[bytes] = EVENTS
    ping: bytes = PING
    ends: ClassVar[tuple[bytes, ...]] = _ENDS
    councils: ClassVar[bool] = True
    errors: ErrorForm = staticmethod(openai_error)

    def __init__(self, kept: KeptResponses) -> None:
        self._kept = kept

    async def read(self, x: Exchange, caller: Caller) -> ResponsesQuestion:
        asked = await x.json()
        items = await self._kept.whole(
            caller, input_items(asked), asked.get("previous_response_id")
        )
        return ResponsesQuestion(asked, items, caller, self._kept)


class NotInBackground(HttpError):
    """Only responses in the background can be cancelled, or streamed again, and there are none."""

    code = "invalid_request_error"


class OneResponse:
    """GET and DELETE /v1/responses/{id}, its input_items, and cancel."""

    def __init__(self, services: GatewayServices, kept: KeptResponses) -> None:
        self._services = services
        self._kept = kept

    async def get(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        id, _, what = _id(x).partition("/")
        found = await self._kept.find(caller, id)
        if what == "input_items":
            query = dict(parse_qsl(x.scope["query_string"].decode("latin-1")))
            await x.reply_json(_page(found.items, query))
        elif what:
            raise InvalidField(f"A response has no {what}.")
        elif b"stream=true" in x.scope["query_string"]:
            raise NotInBackground("Only a response in the background can be streamed once more.")
        else:
            await x.reply_json(found.response)

    async def delete(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        await self._kept.delete(caller, _id(x))
        await x.reply_json({"id": _id(x), "object": "response", "deleted": True})

    async def post(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        id, _, what = _id(x).partition("/")
        if id == "compact":
            raise NoSuchPath(
                "Conversations are not compacted here: send what is to be kept of one."
            )
        await self._kept.find(caller, id)
        if what != "cancel":
            raise InvalidField("A response can be cancelled, no more.")
        raise NotInBackground("Only a response in the background can be cancelled.")


def _page(items: list[Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Items by `order` (desc where nothing is said), `limit` and `after`, as OpenAI lists them."""
    rows: list[dict[str, Any]] = [
        {"id": f"item_{number}", **item}
        for number, item in enumerate(items)
        if isinstance(item, dict)
    ]
    if query.get("order") != "asc":
        rows.reverse()
    ids = [row["id"] for row in rows]
    if (after := query.get("after")) in ids:
        rows = rows[ids.index(after) + 1 :]
    limit = query.get("limit", "")
    most = min(100, max(1, int(limit))) if limit.isdecimal() else 20
    page, ids = rows[:most], [row["id"] for row in rows[:most]]
    ends = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return {"object": "list", "data": page, "has_more": len(rows) > most, **ends}


class InputTokens:
    """/v1/responses/input_tokens: an estimate, as no server counts without answering."""

    def __init__(self, services: GatewayServices, modes: ModeModels, kept: KeptResponses) -> None:
        self._services = services
        self._modes = modes
        self._kept = kept

    async def __call__(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        question = await Responses(self._kept).read(x, caller)
        model = question.body.get("model", "")
        if model and self._modes.mode(model) is None:
            self._services.candidates(caller, model)
        request = chat_request(question.body, x.request_id)
        tokens = likely_tokens(request)
        await x.reply_json({"object": "response.input_tokens", "input_tokens": tokens})


def _id(x: Exchange) -> str:
    return unquote(x.path.removeprefix("/v1/responses/"))
