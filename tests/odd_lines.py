"""What servers make of Ollama's protocol: answers of /api/chat in odd forms, each with what it says, and
answers that break off with `boom`. One table for all who read them: a row more is a server more."""

import json
from typing import Any

from tests.odd_streams import ANSWER, BOOM, CLOSED_ALONE, ONE, TAGGED, THOUGHT, TWO, Odd, sse


def line(message: object, **more: object) -> dict[str, Any]:
    said = {"role": "assistant", **message} if isinstance(message, dict) else message
    return {"model": "m", "message": said, "done": False, **more}


def lines(*values: object, end: str = "\n") -> bytes:
    """Lines of these values; a text stands as it is."""
    texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return "".join(text + end for text in texts).encode()


SAID = line({"content": ANSWER})
ENDED = line({"content": ""}, done=True, done_reason="stop", total_duration=9)
WHOLE = lines(SAID, ENDED)
OVER = {**ENDED, "message": {"role": "assistant", "content": ANSWER}}


def said(*values: object) -> Odd:
    return Odd(lines(*values, ENDED))


def ended(**more: object) -> Odd:
    return Odd(lines(SAID, {**ENDED, **more}))


def called(*pieces: object, calls: tuple[tuple[str, str], ...] = ONE) -> Odd:
    told = [line({"content": "", "tool_calls": piece}) for piece in pieces]
    return Odd(lines(*told, ENDED), "", calls=calls, reason="tool_calls")


def call(arguments: object, name: str | None = None, **more: object) -> dict[str, Any]:
    return {**more, "function": {"arguments": arguments} | ({} if name is None else {"name": name})}


def counted(reason: str = "stop", **counts: object) -> Odd:
    return Odd(lines(SAID, {**ENDED, "done_reason": reason, **counts}), reason=reason, usage=(5, 7))


INDENTED = json.dumps(OVER, indent=1, ensure_ascii=False)
FRAMES = {
    "lines end in CR LF": Odd(lines(SAID, ENDED, end="\r\n")),
    "blank lines between": Odd(lines("", SAID, "", "  ", ENDED, "")),
    "no end of the last line": Odd(WHOLE.rstrip()),
    "a byte order mark": Odd(b"\xef\xbb\xbf" + WHOLE),
    "NULs between": Odd(lines(SAID, ENDED, end="\n\0")),
    "blanks for a long while": Odd(b" \n" * 3000 + WHOLE),
    "values without anything between": Odd(lines(SAID, ENDED, end="")),
    "values that commas part": Odd(lines(SAID, ENDED, end=",\n")),
    "all in one list": Odd(json.dumps([SAID, ENDED]).encode()),
    "all in one list, a line each": Odd(b"[" + lines(SAID, end=",\n") + lines(ENDED) + b"]"),
    "each in a list": Odd(lines([SAID], [ENDED])),
    "JSON within JSON": Odd(lines(json.dumps(json.dumps(SAID)), ENDED)),
    "a whole answer": Odd(lines(OVER)),
    "a whole answer over lines": Odd(INDENTED.encode()),
    "a whole answer in a list": Odd(json.dumps([OVER]).encode()),
    "a whole answer without an end": Odd(json.dumps({"model": "m", "message": {"role": "assistant", "content": ANSWER}, "done_reason": "stop"}).encode()),
    "events": Odd(sse(SAID, ENDED, done="")),
    "events with a mark at the end": Odd(sse(SAID, ENDED)),
    "events with no more than a mark at the end": Odd(sse(SAID)),
    "lines with a mark at the end": Odd(lines(SAID, "[DONE]")),
    "lines with an end of the other form": Odd(lines(SAID, ENDED, "data: [DONE]")),
    "a field before each line": Odd(lines(SAID, ENDED, end="\n").replace(b'{"model"', b'data: {"model"')),
    "signs of life": said({}, "null", {"model": "m", "done": False}, SAID),
    "an end twice": Odd(lines(SAID, ENDED, ENDED)),
    "a page after the end": Odd(WHOLE + b"<html>502</html>\n"),
    "words after the end": Odd(WHOLE + b"Internal Server Error\n"),
    "a byte that is no UTF-8": Odd(WHOLE.replace(b'"model"', b'"x": "\xff", "model"', 1)),
    "a raw control character": Odd(WHOLE.replace(b'"model"', b'"x": "a\tb", "model"', 1)),
    "numbers that are none": Odd(WHOLE.replace(b'"model"', b'"x": NaN, "model"', 1)),
    "an answer under data": Odd(lines({"data": SAID}, {"data": ENDED})),
    "a whole answer under result": Odd(lines({"success": True, "result": OVER})),
}  # fmt: skip
SHAPES = {
    "no role": said({"message": {"content": ANSWER}, "done": False}),
    "no word of an end": said({"message": {"content": ANSWER}}),
    "a message that is the text": said(line(ANSWER)),
    "a message as a list": said(line([{"content": ANSWER}])),
    "messages": said({"messages": [{"role": "assistant", "content": ANSWER}], "done": False}),
    "the text as a response": said({"response": ANSWER, "done": False}),
    "the text beside": said({"content": ANSWER, "done": False}),
    "a delta": said({"delta": {"content": ANSWER}, "done": False}),
    "a text in the message": said(line({"text": ANSWER})),
    "parts": said(line({"content": [{"type": "text", "text": ANSWER}]})),
    "one part": said(line({"content": {"type": "text", "text": ANSWER}})),
    "bare parts": said(line({"content": ["От", "вет"]})),
    "numbers as text": Odd(lines(line({"content": 4}), line({"content": 2}), ENDED), "42"),
    "a zero": Odd(lines(line({"content": 0}), line({"content": "1"}), ENDED), "01"),
    "no text": said(line({"content": None}), line({}), line(None), SAID),
    "the last word with the end": Odd(lines(line({"content": "От"}), {**ENDED, "message": {"content": "вет"}})),
    "no message at the end": Odd(lines(SAID, {"done": True})),
    "a message that is null at the end": ended(message=None),
    "an end in words": ended(done="true"),
    "an end in capitals": ended(done="True"),
    "an end as a number": ended(done=1),
    "not yet an end, in words": said(line({"content": ANSWER}, done="false")),
    "not yet an end, null": said(line({"content": ANSWER}, done=None)),
    "an end by its reason alone": Odd(lines(SAID, {"message": {"content": ""}, "done_reason": "stop"})),
    "a reason from the beginning on": said(line({"content": ANSWER}, done_reason="")),
    "an end of the other protocol": Odd(lines(SAID, {"message": {"content": ""}, "finish_reason": "stop"})),
    "an error that is null": said(line({"content": ANSWER}, error=None)),
    "an error that is empty": said(line({"content": ANSWER}, error="")),
    "an error that is false": said(line({"content": ANSWER}, error=False)),
    "an error without words": said(line({"content": ANSWER}, error={"code": None, "message": ""})),
    "a status": said({"status": "loading model"}, SAID),
    "success in words": said(line({"content": ANSWER}, status="success", code=0)),
    "odd probabilities": said(line({"content": ANSWER}, logprobs={"content": None})),
    "probabilities that are numbers": said(line({"content": ANSWER}, logprobs=[-0.5, None])),
    "another protocol's chunk": said({"choices": [{"index": 0, "delta": {"content": ANSWER}}]}),
    "another protocol's answer": Odd(lines({"choices": [{"message": {"content": ANSWER}, "finish_reason": "stop"}]})),
}  # fmt: skip
REASONS = {
    json.dumps(word): Odd(lines(SAID, {**ENDED, "done_reason": word}), reason=ours)
    for ours, words in {
        "stop": ("stop", "STOP", "", None, "eos", "end_turn", {"type": "stop"}, "load"),
        "length": ("length", "LENGTH", "max_tokens", "limit", {"type": "length"}),
        "content_filter": ("content_filter", "safety", "refusal"),
    }.items()
    for word in words
} | {
    "under another name": Odd(lines(SAID, {"message": {}, "done": True, "finish_reason": "length"}), reason="length"),
}  # fmt: skip
CALLS = {
    "as it should be": called([call({"a": 1}, "f", id="1")], calls=(("f", '{"a": 1}'),)),
    "arguments as text": called([call('{"a":1}', "f")]),
    "two at once": called([call('{"a":1}', "f"), call('{"b":2}', "g")], calls=TWO),
    "two, one after the other": called([call('{"a":1}', "f")], [call('{"b":2}', "g")], calls=TWO),
    "two under one index": called(
        [call('{"a":1}', "f", index=0)], [call('{"b":2}', "g", index=0)], calls=TWO
    ),
    "two of one name": called(
        [call('{"a":1}', "f")], [call('{"a":2}', "f")], calls=(*ONE, ("f", '{"a":2}'))
    ),
    "two that are alike": called([call({"a": 1}, "f"), call({"a": 1}, "f")], calls=(("f", '{"a": 1}'),) * 2),
    "one in place of a list": called(call('{"a":1}', "f")),
    "flat": called([{"name": "f", "arguments": '{"a":1}'}]),
    "flat parameters": called([{"name": "f", "parameters": '{"a":1}'}]),
    "no arguments": called([{"function": {"name": "f"}}], calls=(("f", "{}"),)),
    "arguments that are null": called([call(None, "f")], calls=(("f", "{}"),)),
    "arguments that are empty": called([call("", "f")], calls=(("f", "{}"),)),
    "an id that is a number": called([call('{"a":1}', "f", id=7)]),
    "entries that are null": called([None], [None, call('{"a":1}', "f")], [], None),
    "an empty list beside a text": said(line({"content": ANSWER, "tool_calls": []})),
    "in pieces of the other protocol": called(
        [call("", "f", index=0, id="1")], [call('{"a"', index=0)], [call(":1}", index=0)]
    ),
    "in pieces, no index": called([call('{"a"', "f", id="1")], [call(":1}")]),
    "pieces of two": called(
        [call("", "f", index=0, id="1")], [call('{"a":1}', index=0)],
        [call("", "g", index=1, id="2")], [call('{"b":2}', index=1)],
        calls=TWO,
    ),
    "the form before": Odd(
        lines(line({"content": "", "function_call": {"name": "f", "arguments": '{"a":1}'}}), ENDED),
        "", calls=ONE, reason="tool_calls",
    ),
    "with the end": Odd(
        lines({**ENDED, "message": {"content": "", "tool_calls": [call('{"a":1}', "f")]}}),
        "", calls=ONE, reason="tool_calls",
    ),
    "beside the message": Odd(
        lines({**line({"content": ""}), "tool_calls": [call('{"a":1}', "f")]}, ENDED),
        "", calls=ONE, reason="tool_calls",
    ),
    "an end named for them": Odd(
        lines(line({"content": "", "tool_calls": [call('{"a":1}', "f")]}), {**ENDED, "done_reason": "tool_calls"}),
        "", calls=ONE, reason="tool_calls",
    ),
}  # fmt: skip
USAGES = {
    "as it should be": counted(prompt_eval_count=5, eval_count=7),
    "as text": counted(prompt_eval_count="5", eval_count="7"),
    "as fractions": counted(prompt_eval_count=5.0, eval_count=7.0),
    "durations as text": counted(prompt_eval_count=5, eval_count=7, eval_duration="1000", load_duration="x"),
    "durations that are none": counted(prompt_eval_count=5, eval_count=7, eval_duration=-1, load_duration=None),
    "under usage": counted(usage={"prompt_tokens": 5, "completion_tokens": 7}),
    "under usage, by its own names": counted(usage={"prompt_eval_count": 5, "eval_count": 7}),
    "beside an empty usage": counted(usage=None, prompt_eval_count=5, eval_count=7),
    "in the line before the end": Odd(
        lines(SAID, line({"content": ""}, prompt_eval_count=5, eval_count=7), {"done": True}), usage=(5, 7)
    ),
    "once more without counts": Odd(
        lines(SAID, {**ENDED, "prompt_eval_count": 5, "eval_count": 7}, {"done": True}), usage=(5, 7)
    ),
    "in the line after the end": Odd(
        lines(SAID, {"done": True}, {"done": True, "prompt_eval_count": 5, "eval_count": 7}), usage=(5, 7)
    ),
    "none at all": Odd(lines(SAID, {"done": True}), usage=(0, 0)),
    "below nought": Odd(lines(SAID, {**ENDED, "prompt_eval_count": -1, "eval_count": -1}), usage=(0, 0)),
}  # fmt: skip
THINKING = {
    text: Odd(lines(line({"content": text}), ENDED), thinking=THOUGHT) for text in TAGGED
} | {
    f"{text} by the letter": Odd(lines(*(line({"content": c}) for c in text), ENDED), thinking=THOUGHT)
    for text in TAGGED
} | {
    text: Odd(lines(line({"content": text}), ENDED)) for text in CLOSED_ALONE
} | {
    json.dumps(told, ensure_ascii=False): Odd(lines(line(told), SAID, ENDED), thinking=THOUGHT)
    for told in (
        {"thinking": THOUGHT},
        {"content": "", "thinking": THOUGHT},
        {"content": None, "thinking": THOUGHT},
        {"reasoning": THOUGHT},
        {"reasoning_content": THOUGHT},
        {"thinking": {"text": THOUGHT}},
        {"thinking": [{"text": THOUGHT}]},
        {"content": [{"type": "thinking", "thinking": THOUGHT}]},
        {"content": THOUGHT, "thought": True},
    )
} | {
    "beside the answer": Odd(lines(line({"content": ANSWER, "thinking": THOUGHT}), ENDED), thinking=THOUGHT),
    "beside the message": Odd(lines({**line({"content": ""}), "thinking": THOUGHT}, SAID, ENDED), thinking=THOUGHT),
}  # fmt: skip
ODD: dict[str, Odd] = {
    f"{kind}: {name}": odd
    for kind, rows in {
        "frames": FRAMES,
        "shapes": SHAPES,
        "reasons": REASONS,
        "calls": CALLS,
        "usage": USAGES,
        "thinking": THINKING,
    }.items()
    for name, odd in rows.items()
}
BROKEN_OFF: dict[str, bytes] = {
    json.dumps(error): lines(SAID, error)
    for error in (
        {"error": "boom"},
        {"error": "boom", "done": True},
        {"error": BOOM},
        {"error": BOOM, "done": True},
        {**SAID, "error": "boom"},
        {**ENDED, "error": "boom"},
        {"error": '{"error":{"message":"boom"}}'},
        {"error": "llama runner: {\"error\":{\"code\":500,\"message\":\"boom\"}}"},
        {"status": "error", "message": "boom"},
        {"status": "error", "message": "boom", "done": True},
        {"errors": ["boom"], "done": True},
        {"detail": "boom"},
        {"detail": "boom", "done": True},
        {"object": "error", "message": "boom"},
        {**ENDED, "done_reason": "error", "error_message": "boom"},
        {**ENDED, "done_reason": "error", "message": {"content": "boom"}},
        {"message": {"role": "assistant", "content": "", "error": "boom"}, "done": True},
        {"StatusCode": 500, "Status": "500 Internal Server Error", "error": "boom"},
        {"success": False, "message": "boom"},
        [{"error": "boom"}],
    )
} | {
    "an event of that name": sse(SAID, done="event: error\ndata: boom"),
    "an event": sse(SAID, {"error": "boom"}),
    "words in place of JSON": lines(SAID, "boom: the runner is gone"),
    "a list": json.dumps([SAID, {"error": "boom"}]).encode(),
}  # fmt: skip
