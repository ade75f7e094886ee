"""Answers of OpenAI-compatible servers on their way through: watched, hardly touched.

A stream's bytes are parsed only where something in them has to be known or mended. The first delta has
a role, tool calls have indexes, thinking stands apart from the answer, `finish_reason` is null or a
known word, the usage chunk is withheld from a client that did not ask for it.
"""

import json
import re

from app.core.errors import IncompleteAnswer, KonsiliumError, MalformedAnswer
from app.core.events import Finished, ModelEvent, ReasoningDelta, TextDelta
from app.core.reading import SurrogateJoiner, read_json
from app.core.sse import DONE, apart, encode, payload
from app.core.usage import Usage
from app.providers.chunks import Chunk, cleaned, is_done, parsed_chunks, unwrapped
from app.providers.openai_compatible.straight import straighten
from app.providers.openai_compatible.tool_calls import ToolCallIndexes
from app.providers.openai_compatible.usage import counted, merged, usage_in, usage_of
from app.providers.shapes import FINISH_REASONS
from app.providers.thinking import ThinkTags
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol

_DETAILS = r'|_details"\s*:\s*\[\s*\{'
_MARKED = (
    r'"(?:f(?:inish(?:_reason"\s*:\s*[^n\s]|Reason)|unction_call"\s*:\s*\{|ault"\s*:\s*[{"\[t1-9])'
    r'|c(?:ontent"\s*:\s*[^"n\s]|hoices"\s*:\s*[^\[\s]|hain_of_thought")'
    r'|d(?:elta"\s*:\s*(?:[^{n\s]|\{\s*"text"))'
    r'|reasoning(?:"\s*:\s*[^"n\s]|_content"\s*:\s*[^"n\s]|_text"\s*:\s*[^n\s]|Content"DETAILS)'
    r'|o(?:bject"\s*:\s*"chat\.completion")'
    r'|usage(?:"\s*:\s*[^n\s]|Metadata)'
    r'|t(?:ool_calls"\s*:\s*[\[{]|imings"|h(?:inking|oughts?)\w*"\s*:\s*[^n\s])'
    r'|(?:err|exception|[eE]rror\w*)"\s*:\s*[{"\[t1-9]'
    r'|s(?:top_reason"\s*:\s*[^n\s])'
    r'|m(?:essage"\s*:\s*\{)'
    r'|base_resp"\s*:\s*\{\s*"status_code"\s*:\s*"?[1-9]'
    r'|provider_specific_fields"\s*:\s*\{)'
    r'|\\u(?:[dD][89abAB][0-9a-fA-F]{2}"|003[cC](?:\\?/|"))|<(?:\\?/|")|\[(?:/THINK|DONE\])'
)
_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*+"')
_MARKS = re.compile(_MARKED.replace("DETAILS", _DETAILS).encode())
"""What makes an event worth parsing: all that is more than one more word, in the protocol's own shape. In
a JSON string most of these would have their quotes escaped, so text of a model that speaks of them costs a
parse at most."""
_BUT_DETAILS = re.compile(_MARKED.replace("DETAILS", "").encode())
"""The same where the thinking in `reasoning_details` stands beside them as text, too (OpenRouter)."""
_CLOSING = re.compile(r"</|<\Z|\[/", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")

_REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}
_CONTENT = (
    "content",
    "text",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
)


class _Choice:
    """What is known of one of the answers that were asked for at once."""

    def __init__(self, *, thinks: bool) -> None:
        self.tags = ThinkTags(begun=thinks)
        self.halves = SurrogateJoiner()
        self.calls = ToolCallIndexes()
        self.called = False
        self.ended = False
        self.said = ""
        """Text of the events that wait."""
        self.told = ""
        """What `tags` made of it so far."""

    @property
    def settled(self) -> bool:
        """Nothing of its text is held back or undecided."""
        return self.tags.over and not self.halves.held


class StreamMender:
    """Follows the events of one stream and lets them through, mended where a server is careless.

    `[DONE]` is withheld until `closing()` says how it ended.
    """

    def __init__(
        self,
        server: str = "",
        model: str = "",
        *,
        wants_usage: bool,
        asked_usage: bool = True,
        choices: int = 1,
        thinks: bool = False,
        functions: bool = True,
        called: str = "",
    ) -> None:
        """`asked_usage`: we asked for it; what comes unasked is let through as it is. `choices`:
        answers asked for at once (`n`), each with an end of its own. `thinks`: as in AnswerReader.
        `functions`: as in `straighten`. `called`: the model's name that the client is told; empty: as the
        server says it."""
        self._server, self._model = server, model
        self._wants_usage, self._asked_usage = wants_usage, asked_usage
        self._expected = choices
        self._thinks = thinks
        self._functions = functions
        self._called = called
        self._theirs = self._ours = b""
        """The model's name as it stands in their events, and as in ours."""
        self._choices: dict[int, _Choice] = {}
        self._started = False
        self._shown_usage = False
        self._usage: Chunk = {}
        self._raw_usage: Chunk = {}
        self._plain = True
        """Events are written as nearly all servers write them, so that any client can read them."""
        self._marks = _MARKS
        self._unread = b""
        """The last events that were let through unread."""
        self._last: Chunk = {}
        self._settled = False
        self._waiting: list[bytes] = []
        """Events held back whole until it shows whether their text is the answer's."""
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.done = False
        self.events = 0
        """Events from the first content on: about as many as tokens."""
        self.failure: KonsiliumError | None = None
        """What went wrong after the events that were passed last."""
        self.spoken = False
        """Something of the answer has come, more than its role."""

    @property
    def complete(self) -> bool:
        """Whether nothing of an answer is left to come; usage and `[DONE]` may be."""
        ended = sum(1 for choice in self._choices.values() if choice.ended)
        return self.done or ended >= self._expected

    @property
    def tags(self) -> ThinkTags | None:
        """Of the first answer."""
        return self._choices[0].tags if 0 in self._choices else None

    def passed(self, block: bytes) -> bytes:
        """What the client is sent of these whole events; a `failure` among them comes after that.

        Raises ServerFault or whatever else the server says went wrong, MalformedAnswer where it is
        not the protocol.
        """
        if self._settled and self._plain and not self.done and self._marks.search(block) is None:
            events = block.count(b"\n\n")
            if block.count(b'"choices"') == events:
                self.events += events
                self._unread = block
                return block.replace(self._theirs, self._ours) if self._theirs else block
        passed: list[bytes] = []
        for event in _events(block):
            try:
                passed.append(self._event(event))
            except KonsiliumError as error:
                if not any(passed):
                    raise
                self.failure = error
                break
        return b"".join(passed)

    def _event(self, event: bytes) -> bytes:
        if self.done:
            return b""
        plain = self._settled and self._plain and b'"choices"' in event
        if plain and self._marks.search(event) is None:
            self.events += 1
            self._unread = event
            return event.replace(self._theirs, self._ours) if self._theirs else event
        if event.startswith(b":") and b"\ndata:" not in event:
            return event
        data = payload(event)
        if data is None or not data.strip():
            return b""
        if is_done(data):
            self.done = True
            return b""
        named = event.startswith(b"data: ") or b"\ndata: " in event
        self._plain = named and cleaned(data) == data.strip()
        try:
            chunks = [chunk for chunk, _ in parsed_chunks(self._server, self._model, data)]
        except MalformedAnswer:
            if self.complete:  # after the end anything may come: a word of some proxy
                return b""
            raise
        alone = self._plain and len(chunks) == 1 and data.lstrip().startswith(b"{")
        return b"".join(self._chunk(chunk, data, event if alone else b"") for chunk in chunks)

    def _chunk(self, chunk: Chunk, data: bytes, event: bytes) -> bytes:
        """What the client is sent of a chunk. `event`: how it came, where that will do for the client."""
        came, chunk = chunk, unwrapped(chunk)
        try:
            changed = self._mend(chunk) or chunk is not came
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._model, data) from error
        self.events += self.spoken
        if not chunk:
            return b""
        if self._called and (theirs := chunk.get("model")) != self._called:
            chunk["model"] = self._called
            changed = True
            if isinstance(theirs, str) and not self._theirs and (found := _MODEL.search(event)):
                self._theirs = found[0]
                self._ours = b'"model":' + json.dumps(self._called, ensure_ascii=False).encode()
        mended = event if event and not changed else encode(chunk)
        if any(choice.said for choice in self._choices.values()):
            self._waiting.append(mended)
            return b""
        waiting, self._waiting = b"".join(self._waiting), []
        return waiting + mended

    def _mend(self, chunk: Chunk) -> bool:
        """Notes what the chunk says and corrects it in place; empties it where it is to be withheld."""
        changed = straighten(self._server, self._model, chunk, functions=self._functions)
        choices: list[Chunk] = chunk.get("choices") or []
        first: Chunk = choices[0] if choices else {}
        if usage := usage_in(chunk, first):
            self._raw_usage = merged(self._raw_usage, usage)
            self.usage = usage_of(self._raw_usage, chunk.get("timings"))
            self._usage = counted(self._raw_usage)
        withheld = False
        if chunk.get("usage"):
            unasked = not self._wants_usage and self._asked_usage
            withheld = unasked or "message" in first or not self._usage
            changed |= withheld or chunk["usage"] != self._usage
            if withheld:
                del chunk["usage"]
            else:
                self._shown_usage = True
                chunk["usage"] = self._usage
        if not choices:
            if withheld or not self._wants_usage or not ("usage" in chunk or "choices" in chunk):
                chunk.clear()
            return changed
        self._last = chunk
        if chunk.get("object") == "chat.completion":
            chunk["object"] = "chat.completion.chunk"
            changed = True
        for choice in choices:
            changed |= self._mend_choice(choice)
        known = self._choices.values()
        self._settled = (
            self.spoken and len(known) >= self._expected and all(c.settled for c in known)
        )
        return changed

    def _mend_choice(self, choice: Chunk) -> bool:
        index = choice.get("index") or 0
        known = self._choices.get(index)
        if known is None:
            known = self._choices[index] = _Choice(thinks=self._thinks)
        changed = False
        if isinstance(choice.get("message"), dict) and not choice.get("delta"):
            told = choice.pop("message")
            if not (self.spoken and isinstance(choice.get("delta"), dict)):
                choice["delta"] = told  # else it is all that was said, once more
            choice["finish_reason"] = choice.get("finish_reason") or "stop"
            changed = True
        delta = choice.get("delta")
        if not self._started:
            self._started = True
            if isinstance(delta, dict) and "role" not in delta:
                delta = choice["delta"] = {"role": "assistant", **delta}
                changed = True
        reason = choice.get("finish_reason")
        said = delta if isinstance(delta, dict) else choice
        self.spoken = self.spoken or bool(reason) or any(map(said.get, _CONTENT))
        if isinstance(delta, dict):
            changed |= self._mend_delta(known, delta, choice)
        else:
            known.tags.over = True
        return changed | self._mend_reason(known, choice, reason)

    def _mend_delta(self, known: _Choice, delta: Chunk, choice: Chunk) -> bool:
        changed = _mend_calls(known, delta)
        thought = bool(delta.get("reasoning_content") or delta.get("reasoning"))
        if delta.get("reasoning_details"):
            self._marks = _BUT_DETAILS if delta.get("reasoning") else _MARKS
        if thought:
            known.tags.no_more()
        ends = bool(choice.get("finish_reason"))
        text = delta.get("content") or ""
        if not (text or (ends and not known.settled)):
            return changed
        if known.halves.held or _SURROGATE.search(text):
            text = known.halves.joined(text)
        events: list[ModelEvent] = []
        unread, self._unread = self._unread, b""
        if not known.tags.over or _CLOSING.search(text):
            known.tags.before = _last_text(unread) or known.tags.before
            events = known.tags.split(text)
        elif text:
            known.tags.before = text
            events = [TextDelta(text)]
        if ends:
            left = known.halves.rest()
            text += left
            reason = FINISH_REASONS.get(choice["finish_reason"])
            complete = reason != "length" and not known.called
            events += [
                *(known.tags.split(left) if left else ()),
                *known.tags.rest(complete=complete),
            ]
        return changed | self._tell_apart(known, delta, text, events, separate=thought)

    def _tell_apart(
        self, known: _Choice, delta: Chunk, text: str, events: list[ModelEvent], *, separate: bool
    ) -> bool:
        """Puts into the delta what has shown to be answer and thinking. Until it shows, events wait as
        they are: most turn out to be plain text, and are passed on untouched."""
        told, thought = _told_apart(events)
        known.said, known.told = known.said + text, known.told + told
        undecided = not (known.tags.over or known.tags.thinking or thought or separate)
        if undecided and self._expected == 1:
            if delta.get("content") == text:
                return False
            delta["content"] = text
            return True
        said, told = known.said, known.told
        known.said = known.told = ""
        if said == told and not thought:
            told = text
        elif self._waiting:
            self._waiting.clear()
            delta.setdefault("role", "assistant")
        changed = (delta.get("content") or "") != told
        if changed:
            delta["content"] = told
        if thought:
            delta["reasoning_content"] = (delta.get("reasoning_content") or "") + thought
        return changed or bool(thought)

    def _mend_reason(self, known: _Choice, choice: Chunk, reason: str | None) -> bool:
        ours: str | None = None
        if reason:
            ours = reason if reason in _REASONS else FINISH_REASONS.get(reason, "stop")
            if known.called and ours in ("stop", "function_call"):
                ours = "tool_calls"
            self.finish_reason = ours
            known.ended = True
        changed = choice.get("finish_reason") != ours
        choice["finish_reason"] = ours
        return changed

    def closing(self, rest: bytes = b"") -> bytes:
        """What is left to send at the end of the body, `[DONE]` last.

        Raises IncompleteAnswer where neither a finish_reason nor `[DONE]` has come: a cut.
        """
        left = b""
        if rest.strip():
            try:
                left = self.passed(rest + b"\n\n")
            except MalformedAnswer as error:
                raise IncompleteAnswer("the stream ended inside an event") from error
        if self.failure is not None:
            raise self.failure
        if not self.complete:
            raise IncompleteAnswer("the stream ended without finish_reason and [DONE]")
        head = {name: value for name, value in self._last.items() if name != "usage"}
        if self.finish_reason is None:
            choice = self._closing_choice()
            self.finish_reason = choice["finish_reason"]
            left += b"".join(self._waiting) + encode(head | {"choices": [choice]})
        if self._wants_usage and self._usage and not self._shown_usage:
            left += encode(head | {"choices": [], "usage": self._usage})
        return left + DONE

    def _closing_choice(self) -> Chunk:
        """The end of an answer whose server said only `[DONE]`."""
        known = self._choices.get(0) or _Choice(thinks=False)
        spoken = self._last.get("choices") or [{}]
        if "text" in spoken[0]:
            return {"index": 0, "text": "", "finish_reason": "stop"}
        reason = "tool_calls" if known.called else "stop"
        choice: Chunk = {"index": 0, "delta": {}, "finish_reason": reason}
        self._mend_delta(known, choice["delta"], choice)
        return choice

    def finished(self) -> Finished:
        """How it ended, for the record."""
        return Finished(FINISH_REASONS.get(self.finish_reason or "stop", "stop"), self.usage)


def _told_apart(events: list[ModelEvent]) -> tuple[str, str]:
    """The answer and the thinking; what is sent already cannot be taken back."""
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def _mend_calls(known: _Choice, delta: Chunk) -> bool:
    changed = False
    for position, call in enumerate(delta.get("tool_calls") or ()):
        known.called = True
        index = known.calls.of(call, position)
        name, arguments = known.calls.added(index, call)
        function = call["function"]
        mended: Chunk = {"index": index}
        if name:
            mended["id"] = call.get("id") or known.calls.id_of(index)
            mended["type"] = call.get("type") or "function"
        elif function.get("name"):
            del function["name"]
            changed = True
        if arguments != (function.get("arguments") or ""):
            function["arguments"] = arguments
            changed = True
        if any(call.get(key) != value for key, value in mended.items()):
            call |= mended
            changed = True
    return changed


def _last_text(events: bytes) -> str:
    """The text of the last of these events, which are straight."""
    if not events:
        return ""
    try:
        content = read_json(payload(_events(events)[-1]) or b"")["choices"][0]["delta"]["content"]
    except WRONG_SHAPE:
        return ""
    return content if isinstance(content, str) else ""


def _events(block: bytes) -> list[bytes]:
    events = (one for event in block.split(b"\n\n") for one in apart(event))
    return [event + b"\n\n" for event in events if event.strip(b"\n")]
