"""One model on an OpenAI-compatible server: its answers, as events or as they come."""

import json
import logging
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import (
    IncompleteAnswer,
    KonsiliumError,
    MalformedAnswer,
    RequestRefused,
    ServerError,
    ServerFault,
)
from app.core.events import Finished, ModelEvent
from app.core.ports import RawAnswer, RawPiece
from app.core.reading import read_json
from app.core.requests import ModelRequest, RawRequest
from app.core.sse import MAX_EVENT_BYTES, StreamReader
from app.core.usage import Purpose, Usage
from app.providers.chunks import ChunkReader
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.openai_compatible.answers import AnswerReader
from app.providers.openai_compatible.client import OpenAIClient
from app.providers.openai_compatible.functions import with_functions
from app.providers.openai_compatible.infill import InfillAnswer, asked_infill, infill_body
from app.providers.openai_compatible.passing import StreamMender
from app.providers.openai_compatible.refused import (
    DROPPED,
    FORMAT,
    OPTIONAL,
    WITH_FORMAT,
    RefusedParameters,
)
from app.providers.openai_compatible.usage import usage_of
from app.providers.openai_compatible.whole_answers import mended_answer
from app.providers.openai_compatible.wire import chat_body, prompt_body
from app.providers.thinking import ThinkTags, thinks_by_name
from app.providers.transport import UpstreamAnswer
from app.providers.upstream_errors import WRONG_SHAPE, error_in_body, not_the_protocol, says_error

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 256 * 2**20
"""Of an answer that is no completion: 2,048 vectors of 3,072 numbers have some 130 MB."""
EMBEDDINGS = "/embeddings"
Post = Callable[[bytes], Coroutine[Any, Any, UpstreamAnswer]]
COMPLETIONS = ("/chat/completions", "/completions")
JSON = "application/json"


class OpenAICompatibleModel:
    """A ChatModel over POST /chat/completions, and a RawModel over any path."""

    def __init__(
        self,
        client: OpenAIClient,
        name: str,
        timeouts: Timeouts,
        thinking: dict[str, bool],
        refused: RefusedParameters,
    ) -> None:
        """`thinking`: of each model of this server, whether it thinks in the answer's text and says
        only where that ends; shared, for it shows as answers come."""
        self._client = client
        self._server, self._name = client.server, name
        self._timeouts = timeouts
        self._thinking = thinking
        self._refused = refused
        self._ref = f"{client.server}/{name}"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer, ended by `Finished`; closing this generator closes the connection."""
        build = chat_body if request.prompt is None else prompt_body
        body = build(self._client.preset, self._name, request)
        known = self._thinking.get(self._name, False)
        reader = AnswerReader(self._server, self._name, thinks=known)
        chunks = ChunkReader(self._server, self._name)
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        answer: UpstreamAnswer | None = None
        whole = False
        try:
            with deadline:
                answer = await deadline.wait(
                    self._accepted(
                        body, self._posting(request), DROPPED if request.drops else WITH_FORMAT
                    )
                )
                while not whole:
                    piece = await deadline.wait(answer.next())
                    whole = not piece
                    deadline.alive()
                    for chunk, odd in chunks.read(piece):
                        if not chunks.is_events and "choices" not in chunk:
                            raise not_the_protocol(self._server, self._name, _dumped(chunk))
                        for event in self._read(reader, chunk, odd):
                            deadline.content()
                            yield event
                    if chunks.done or reader.complete:
                        deadline.ending()
        except ServerError:
            if not (chunks.done or reader.complete):
                raise
        finally:
            if answer is not None:
                await answer.close(whole=whole)
        if not (chunks.done or reader.complete):
            raise IncompleteAnswer(
                "the stream ended without finish_reason or [DONE]",
                server=self._server,
                model=self._name,
            )
        for event in reader.held_back():
            yield event
        self._learn(reader.tags)
        yield reader.finished()

    def _read(self, reader: AnswerReader, chunk: dict[str, Any], odd: bool) -> list[ModelEvent]:
        try:
            return reader.read(chunk, odd=odd)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error

    async def raw_stream(self, request: RawRequest) -> AsyncGenerator[RawPiece, None]:
        """The answer as whole events, mended only where a server is careless."""
        mender = self._mender(request)
        values = StreamReader()
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        answer: UpstreamAnswer | None = None
        held = b""  # the role: until a word comes, another server may still answer instead
        try:
            with deadline:
                answer = await deadline.wait(self._posted(request))
                while True:
                    seen, complete = mender.events, mender.complete
                    data = await deadline.wait(answer.next())
                    block = mender.passed(values.events(data)) if data else b""
                    if not data or mender.done:
                        break
                    if mender.events != seen:
                        deadline.content()
                    else:
                        deadline.alive()
                    if mender.complete and not complete:
                        deadline.ending()
                    if not mender.spoken:
                        held += b"" if block.startswith(b":") else block
                    elif block:
                        yield RawPiece(held + block if held else block, mender.events)
                        held = b""
                    if mender.failure is not None:
                        raise mender.failure
            block += mender.closing(values.rest_events())
            if mender.tags is not None:
                self._learn(mender.tags)
            yield RawPiece(held + block, mender.events, mender.finished())
        except KonsiliumError as error:
            self._place(error)
            raise
        finally:
            if answer is not None:
                await answer.close(whole=mender.done)

    async def raw_answer(self, request: RawRequest) -> RawAnswer:
        """The answer as one body; for many texts of a server that takes one, in as many requests."""
        body, one_by_one = request.body, self._client.preset.embeddings_at_once == 1
        if one_by_one and request.path == EMBEDDINGS and isinstance(body, Mapping):
            texts = body.get("input")
            if isinstance(texts, list) and len(texts) > 1:
                return await self._one_by_one(request, body, texts)
        return await self._raw_answer(request)

    async def _one_by_one(
        self, request: RawRequest, body: Mapping[str, Any], texts: list[Any]
    ) -> RawAnswer:
        rows: list[Any] = []
        tokens = 0
        for text in texts:
            one = replace(request, body={**body, "input": text})
            answer = await self._raw_answer(one)
            try:
                rows.append({**read_json(answer.body)["data"][0], "index": len(rows)})
            except WRONG_SHAPE as error:
                raise not_the_protocol(self._server, self._name, answer.body) from error
            tokens += answer.finished.usage.input_tokens or 0
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        whole = {"object": "list", "data": rows, "model": self._ref, "usage": usage}
        return RawAnswer(
            [_dumped(whole)],
            answer.content_type,
            Finished("stop", Usage(input_tokens=tokens or None)),
        )

    async def _raw_answer(self, request: RawRequest) -> RawAnswer:
        spoken = request.purpose in (Purpose.TRANSCRIPTION, Purpose.SPEECH)
        seconds = self._timeouts.transcription if spoken else self._timeouts.whole
        timeouts = replace(self._timeouts, first_token=seconds)
        deadline = StreamDeadline(timeouts, self._server, self._name)
        answer: UpstreamAnswer | None = None
        whole = False
        try:
            with deadline:
                answer = await deadline.wait(self._posted(request))
                limit = MAX_EVENT_BYTES if request.path in COMPLETIONS else MAX_ANSWER_BYTES
                pieces = await self._pieces(answer, deadline, limit)
            whole = True
            kind = answer.headers.get("content-type", "application/json")
            if request.path in COMPLETIONS:
                body = b"".join(pieces).strip()
                body, finished = mended_answer(
                    self._server, self._name, body, functions=self._functions(request)
                )
                return RawAnswer(named([body], self._ref), "application/json", finished)
            pieces = _with_whole_ends(pieces)
            if (error := _error_in(self._server, self._name, pieces)) is not None:
                raise error
            if request.path == EMBEDDINGS:
                pieces = named(pieces, self._ref)
            return RawAnswer(pieces, kind, Finished("stop", _usage_at_the_end(pieces)))
        except KonsiliumError as error:
            self._place(error)
            raise
        finally:
            if answer is not None:
                await answer.close(whole=whole)

    async def _pieces(
        self, answer: UpstreamAnswer, deadline: StreamDeadline, limit: int
    ) -> list[bytes]:
        parts: list[bytes] = []
        size = 0
        while data := await deadline.wait(answer.next()):
            parts.append(data)
            size += len(data)
            if size > limit:
                raise MalformedAnswer(f"an answer of more than {limit} bytes")
        return parts

    def _posting(self, request: ModelRequest) -> Post:
        path = COMPLETIONS[request.prompt is not None]
        return lambda body: self._post(path, body, request.request_id)

    async def _post(
        self, path: str, body: bytes, request_id: str | None, content_type: str = JSON
    ) -> UpstreamAnswer:
        asked = asked_infill(body) if path == COMPLETIONS[1] else None
        if asked and await self._client.is_llama(self._timeouts.listing):
            path, body = self._client.beside("/infill"), _dumped(infill_body(asked))
        answer = await self._client.post(
            path, body, model=self._name, request_id=request_id, content_type=content_type
        )
        return answer if path in COMPLETIONS or not asked else InfillAnswer(answer, asked)

    async def _accepted(
        self, body: dict[str, Any], post: Post, optional: Sequence[str]
    ) -> UpstreamAnswer:
        """The answer to that body, without what the model refuses of those parameters: tried once more
        for each that is found to be refused."""
        while True:
            sent = self._refused.apply(self._ref, body, optional)
            answer, refusal = await self._tried(post, _dumped(sent))
            if refusal is not None:
                if name := self._refused.learn(self._ref, sent, refusal, optional):
                    log.info("%s: %s", self._ref, refusal.detail)
                    if name == FORMAT:  # of this call in any case, whatever is remembered
                        body = {key: value for key, value in body.items() if key != FORMAT}
                    if answer is not None:
                        await answer.close()
                    continue
                if answer is None:
                    raise refusal
            if answer is not None:
                return answer

    async def _tried(
        self, post: Post, body: bytes
    ) -> tuple[UpstreamAnswer | None, KonsiliumError | None]:
        """The answer, and what it refuses at once, if it does."""
        try:
            answer = await post(body)
        except (RequestRefused, ServerFault) as error:
            return None, error
        try:
            return answer, self._said_at_once(await answer.peek())
        except BaseException:
            await answer.close()
            raise

    def _said_at_once(self, beginning: bytes) -> KonsiliumError | None:
        """The refusal that a 200 begins with, from servers that send the status before they look."""
        if len(beginning) > _NEAR_THE_END or b"rror" not in beginning or b'"choices"' in beginning:
            return None
        reader = ChunkReader(self._server, self._name)
        try:
            for part in (beginning, b""):
                for _ in reader.read(part):
                    pass
        except KonsiliumError as error:
            return error
        return None

    def _posted(self, request: RawRequest) -> Coroutine[Any, Any, UpstreamAnswer]:
        preset = self._client.preset
        name = preset.names.id(self._name)

        def post(body: bytes) -> Coroutine[Any, Any, UpstreamAnswer]:
            return self._post(request.path, body, request.request_id, request.content_type)

        if isinstance(request.body, tuple):
            before, after = request.body
            return post(before + name.encode() + after)
        fields = {**request.body, "model": name}
        if request.stream and preset.stream_usage:
            options = fields.get("stream_options") or {}
            fields["stream_options"] = {**options, "include_usage": True}
        if preset.functions and request.path in COMPLETIONS:
            fields = with_functions(fields)
        return self._accepted(fields, post, DROPPED if request.drops else OPTIONAL)

    def _mender(self, request: RawRequest) -> StreamMender:
        several = request.body.get("n") if isinstance(request.body, Mapping) else None
        known = self._thinking.get(self._name)
        return StreamMender(
            self._server,
            self._name,
            called=self._ref,
            wants_usage=request.wants_usage,
            asked_usage=self._client.preset.stream_usage,
            choices=max(1, several) if isinstance(several, int) else 1,
            thinks=thinks_by_name(self._name) if known is None else known,
            functions=self._functions(request),
        )

    def _functions(self, request: RawRequest) -> bool:
        """Whether functions that are called are to come as tool calls: not to a client that offered them in
        that form."""
        if self._client.preset.functions or not isinstance(request.body, Mapping):
            return True
        return "functions" not in request.body

    def _learn(self, tags: ThinkTags) -> None:
        if tags.closed_alone:
            self._thinking[self._name] = True
        elif tags.never_closed:
            self._thinking[self._name] = False

    def _place(self, error: KonsiliumError) -> None:
        """Tells the error where it happened."""
        error.server, error.model = error.server or self._server, error.model or self._name


def _dumped(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair: it travels as it came, escaped
        return json.dumps(body, separators=(",", ":")).encode()


_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*+"')


def named(pieces: list[bytes], name: str) -> list[bytes]:
    """An answer under the name that the model has here; where it is written is found, not parsed: in a
    JSON text quotes are escaped, so that no text of a model reads like it. It stands near one of its ends
    (`_with_whole_ends`)."""
    ours = b'"model":' + json.dumps(name, ensure_ascii=False).encode("utf-8", "replace")
    last = len(pieces[-1])
    for at, begin, end in ((0, 0, _NEAR_THE_END), (-1, max(0, last - _NEAR_THE_END), last)):
        if (found := _MODEL.search(pieces[at], begin, end)) is not None:
            pieces[at] = pieces[at][: found.start()] + ours + pieces[at][found.end() :]
            break
    return pieces


def _with_whole_ends(pieces: list[bytes]) -> list[bytes]:
    """The same pieces, the first and the last no shorter than `_NEAR_THE_END`; one where they are few."""
    for at in (0, -1):
        while len(pieces) > 1 and len(pieces[at]) < _NEAR_THE_END:
            two = slice(0, 2) if at == 0 else slice(-2, None)
            pieces[two] = [b"".join(pieces[two])]
    return pieces or [b""]


_USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*\})')
_NEAR_THE_END = 4096


def _usage_at_the_end(pieces: list[bytes]) -> Usage:
    """The usage of a body that may be large: found, not parsed."""
    for part in (pieces[-1][-_NEAR_THE_END:], pieces[0][:_NEAR_THE_END]):
        if found := _USAGE.search(part):
            try:
                return usage_of(read_json(found[1]))
            except ValueError:
                continue
    return Usage()


def _error_in(server: str, model: str, pieces: list[bytes]) -> KonsiliumError | None:
    """The error that a small JSON body of a status 200 is, if it is one."""
    body = pieces[0]
    if len(pieces) > 1 or len(body) > _NEAR_THE_END or not body.startswith((b"{", b"[")):
        return None
    try:
        said = read_json(body)
    except ValueError:
        return None
    if isinstance(said, dict) and "data" not in said and "text" not in said and says_error(said):
        return error_in_body(server, model, said)
    return None
