"""What servers make of OpenAI's protocol: answers in odd forms, each with what it says, and answers that
break off with `boom`. One table for all who read them: a row more is a server more."""

import json
from dataclasses import dataclass
from typing import Any

ANSWER, THOUGHT = "Ответ", "мысль"
ONE = (("f", '{"a":1}'),)
TWO = (*ONE, ("g", '{"b":2}'))


@dataclass(frozen=True)
class Odd:
    """A stream, or a whole body, and what any reader is to make of it."""

    body: bytes
    text: str = ANSWER
    thinking: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    reason: str = "stop"
    usage: tuple[int, int] | None = None
    """Tokens of the prompt and of the answer, where the row is about them."""


def chunk(delta: object, finish: object = None, **more: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def sse(
    *values: object, end: str = "\n\n", done: str = "data: [DONE]", name: str = "data: "
) -> bytes:
    """Events of these values; a text stands as it is."""
    texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return ("".join(f"{name}{text}{end}" for text in texts) + (done + end if done else "")).encode()


SAID, ENDED = chunk({"content": ANSWER}), chunk({}, "stop")
WHOLE = sse(SAID, ENDED)


def said(*values: object) -> Odd:
    return Odd(sse(*values, ENDED))


def called(*pieces: object, calls: tuple[tuple[str, str], ...] = ONE, **delta: object) -> Odd:
    chunks = [chunk({"tool_calls": piece}) for piece in pieces]
    if delta:
        chunks.append(chunk(delta))
    return Odd(sse(*chunks, chunk({}, "tool_calls")), "", calls=calls, reason="tool_calls")


def call(arguments: object, name: str | None = None, **more: object) -> dict[str, Any]:
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return {**more, "function": function}


def whole(body: object, **fields: Any) -> Odd:
    return Odd(body if isinstance(body, bytes) else json.dumps(body).encode(), **fields)


MESSAGE = {"choices": [{"index": 0, "message": {"content": ANSWER}, "finish_reason": "stop"}]}
INDENTED = json.dumps(SAID, indent=1, ensure_ascii=False).split("\n")
FRAMES = {
    "lines end in CR LF": Odd(sse(SAID, ENDED, end="\r\n\r\n")),
    "lines end in CR": Odd(sse(SAID, ENDED, end="\r\r")),
    "line ends of both kinds": Odd(sse(SAID, end="\r\n\r\n", done="") + sse(ENDED)),
    "one line feed between events": Odd(sse(SAID, ENDED, end="\n")),
    "the field twice": Odd(sse(SAID, ENDED, name="data: data: ")),
    "the field without a blank": Odd(sse(SAID, ENDED, name="data:", done="data:[DONE]")),
    "the field in capitals": Odd(sse(SAID, ENDED, name="Data: ", done="Data: [DONE]")),
    "blanks before the field": Odd(sse(SAID, ENDED, name=" data: ", done=" data: [DONE]")),
    "a value over several lines": Odd(
        "".join(f"data: {line}\n" for line in INDENTED).encode() + b"\n" + sse(ENDED)
    ),
    "a byte order mark": Odd(b"\xef\xbb\xbf" + WHOLE),
    "a byte order mark in each": Odd(sse(SAID, ENDED, name="data: \ufeff")),
    "NULs between": Odd(WHOLE.replace(b"\n\n", b"\n\n\0")),
    "comments and signs of life": Odd(b": hi\n\n:\n\nevent: ping\ndata: {}\n\ndata:\n\n" + WHOLE),
    "a heartbeat in words": Odd(b"event: heartbeat\ndata: alive\n\n" + WHOLE),
    "ids and a name": Odd(b"id: 1\nretry: 5\nevent: message\n" + WHOLE),
    "a name after the data": Odd(WHOLE.replace(b"\n\n", b"\nevent: chunk\n\n")),
    "blanks for a long while": Odd(b" " * 3000 + b"\n\n\n" + WHOLE),
    "null as a sign of life": said("null", SAID, "null"),
    "an empty list as a sign of life": said("[]", SAID),
    "an empty object as a sign of life": said({}, {"type": "ping"}, SAID),
    "each in a list": Odd(sse([SAID], [ENDED])),
    "two in one": Odd(sse(json.dumps(SAID) + json.dumps(ENDED))),
    "JSON within JSON": Odd(sse(json.dumps(json.dumps(SAID)), ENDED)),
    "an end in small letters": Odd(sse(SAID, ENDED, done="data: [done]")),
    "an end in quotes": Odd(sse(SAID, done='data: "[DONE]"')),
    "an end without brackets": Odd(sse(SAID, done="data: DONE")),
    "an end that is no event": Odd(sse(SAID, ENDED, done="[DONE]")),
    "an end by name": Odd(sse(SAID, done="event: done\ndata: {}")),
    "an end by name, in words": Odd(sse(SAID, done="event: end\ndata: bye")),
    "a proxy's word after the end": Odd(WHOLE + b"Internal Server Error\n"),
    "a page after the last chunk": Odd(sse(SAID, ENDED, done="") + b"<html>502</html>\n\n"),
    "a line a value": Odd("\n".join(map(json.dumps, (SAID, ENDED))).encode() + b"\n"),
    "lines with an end of the other form": Odd(
        "\n".join(map(json.dumps, (SAID, ENDED))).encode() + b"\ndata: [DONE]\n\n"
    ),
    "values without anything between": Odd(json.dumps(SAID).encode() + json.dumps(ENDED).encode()),
    "all in one list": Odd(json.dumps([SAID, ENDED]).encode()),
    "a byte that is no UTF-8": Odd(WHOLE.replace(b'"index": 0', b'"index": 0, "x": "\xff"', 1)),
    "a raw control character": Odd(WHOLE.replace(b'"index": 0', b'"index": 0, "x": "a\tb"', 1)),
    "numbers that are none": Odd(
        WHOLE.replace(b'"index": 0', b'"index": 0, "logprobs": NaN', 1)
    ),
    "a whole answer": whole(MESSAGE),
    "a whole answer over lines": whole(json.dumps(MESSAGE, indent=2).encode()),
    "a whole answer as an event": Odd(sse(MESSAGE)),
    "a whole answer as a text": whole(json.dumps(MESSAGE)),
    "a whole answer in a list": whole([MESSAGE]),
    "a whole answer under data": whole({"code": 0, "data": MESSAGE}),
    "a whole answer under result": whole({"result": [MESSAGE], "success": True}),
    "chunks under data": Odd(sse({"data": SAID}, {"data": ENDED})),
    "a whole answer with a delta": whole(chunk({"content": ANSWER}, "stop")),
}  # fmt: skip
SHAPES = {
    "no choices at first": said({"choices": []}, {"choices": None}, SAID),
    "choices that are null": said({"choices": [None]}, SAID),
    "one choice in place of a list": said({"choices": {"index": 0, "delta": {"content": ANSWER}}}),
    "choices by number": said({"choices": {"0": {"delta": {"content": ANSWER}}}}),
    "no delta": said(chunk(None), {"choices": [{"index": 0}]}, SAID),
    "no index": said({"choices": [{"delta": {"content": ANSWER}}]}),
    "an index in words": said({"choices": [{"index": "0", "delta": {"content": ANSWER}}]}),
    "a delta that is the text": said({"choices": [{"index": 0, "delta": ANSWER}]}),
    "a delta with text": said(chunk({"text": ANSWER})),
    "a delta as a list": said(chunk([{"content": ANSWER}])),
    "parts": said(chunk({"content": [{"type": "text", "text": ANSWER}]})),
    "parts of the other protocol": said(chunk({"content": [{"type": "output_text", "text": ANSWER}]})),
    "one part": said(chunk({"content": {"type": "text", "text": ANSWER}})),
    "bare parts": said(chunk({"content": ["От", "вет"]})),
    "parts that are null": said(
        chunk({"content": [{"type": "text", "text": None}, None, {"type": "text", "text": ANSWER}]})
    ),
    "numbers as text": Odd(sse(chunk({"content": 4}), chunk({"content": 2}), ENDED), "42"),
    "a zero": Odd(sse(chunk({"content": 0}), chunk({"content": "1"}), ENDED), "01"),
    "a message that is the text": whole({"choices": [{"message": ANSWER, "finish_reason": "stop"}]}),
    "a message without more": whole({"choices": [{"message": {"content": ANSWER}}]}),
    "a message in one choice": whole({"choices": {"message": {"content": ANSWER}}}),
    "all of it once more at the end": Odd(
        sse(SAID, {"choices": [{"index": 0, "delta": {}, "message": {"content": ANSWER}, "finish_reason": "stop"}]})
    ),
    "all of it so far beside each piece": said(
        {"choices": [{"index": 0, "delta": {"content": ANSWER}, "message": {"content": ANSWER}}]},
        {"choices": [{"index": 0, "delta": {"content": ""}, "message": {"content": ANSWER}}]},
    ),
    "an empty reason": said(chunk({"content": ANSWER}, "")),
    "a reason named null": said(chunk({"content": ANSWER}, "null")),
    "an unspecified reason": said(chunk({"content": ANSWER}, "FINISH_REASON_UNSPECIFIED")),
    "the end twice": said(SAID, ENDED),
    "an error that is null": said(chunk({"content": ANSWER}, error=None)),
    "an error that is empty": said(chunk({"content": ANSWER}, error={}), chunk({}, error="")),
    "an error that is false": said(chunk({"content": ANSWER}, error=False), chunk({}, error=[])),
    "an error without words": said(
        chunk({"content": ANSWER}, error={"code": None, "message": None})
    ),
    "an error with code 0": said(chunk({"content": ANSWER}, error={"code": 0, "message": ""})),
    "an error in the choice that is null": said(
        {"choices": [{"index": 0, "delta": {"content": ANSWER}, "error": None}]}
    ),
    "success in words": said(chunk({"content": ANSWER}, code=0, message="success")),
    "MiniMax' success": said(chunk({"content": ANSWER}, base_resp={"status_code": 0})),
    "MiniMax' success as text": said(chunk({"content": ANSWER}, base_resp={"status_code": "0"})),
}  # fmt: skip
REASONS = {
    word if isinstance(word, str) else json.dumps(word): Odd(sse(SAID, chunk({}, word)), reason=ours)
    for ours, words in {
        "stop": ("STOP", "eos_token", "end_turn", "stop_sequence", 1, {"type": "stop"}),
        "length": ("length", "LENGTH", "MAX_TOKENS", "max_output_tokens", "model_length", "max_output_reached", "too_long", "context_length_exceeded", ["length"], {"type": "length"}, {"reason": "max_tokens"}),
        "content_filter": ("content_filter", "contentFilter", "content-filter", "filtered", "IMAGE_SAFETY", "SAFETY", "RECITATION", "blacklist", "sensitive", "refusal"),
    }.items()
    for word in words
} | {
    "in the delta": Odd(sse(SAID, chunk({"finish_reason": "length"})), reason="length"),
    "under another name": Odd(sse(SAID, {"choices": [{"delta": {}, "finishReason": "MAX_TOKENS"}]}), reason="length"),
    "as a stop_reason": Odd(sse(SAID, {"choices": [{"delta": {}, "stop_reason": "max_tokens"}]}), reason="length"),
}  # fmt: skip
CALLS = {
    "as it should be": called([call("", "f", index=0, id="1")], [call('{"a":1}', index=0)]),
    "arguments before the name": called(
        [call("", index=0, id="1")], [call("", "f", index=0)], [call('{"a":1}', index=0)]
    ),
    "the name in every piece": called(
        [call('{"a"', "f", index=0, id="1")], [call(":1}", "f", index=0, id="1")]
    ),
    "the name in every piece, no ids": called(
        [call('{"a"', "f", index=0)], [call(":1}", "f", index=0)]
    ),
    "the name in every piece, nothing else": called([call('{"a"', "f")], [call(":1}", "f")]),
    "the whole call once more": called(
        [call("", "f", index=0, id="1")], [call('{"a":1}', index=0)], [call('{"a":1}', "f", index=0, id="1")]
    ),
    "a name in two pieces": called(
        [call("", "look", index=0, id="1")], [call("{}", "_up", index=0)], calls=(("look_up", "{}"),)
    ),
    "the later one first": called(
        [call('{"b":2}', "g", index=1, id="2")], [call('{"a":1}', "f", index=0, id="1")], calls=TWO[::-1]
    ),
    "pieces by turns": called(
        [call("", "f", index=0, id="1"), call("", "g", index=1, id="2")],
        [call('{"b":', index=1), call('{"a":', index=0)],
        [call("1}", index=0), call("2}", index=1)],
        calls=TWO,
    ),
    "told apart by ids alone": called(
        [call("", "f", id="1"), call("", "g", id="2")],
        [call('{"b":2}', id="2"), call('{"a":1}', id="1")],
        calls=TWO,
    ),
    "an index in words": called([call('{"a":', "f", index="0", id="1")], [call("1}", index="0")]),
    "an index that is null": called([call('{"a":', "f", index=None, id="1")], [call("1}", index=None)]),
    "an index from one on": called([call('{"a":', "f", index=1, id="1")], [call("1}", index=1)]),
    "empty ids and names": called(
        [call('{"a":', "f", index=0, id="1")], [call("1}", "", index=0, id="")]
    ),
    "one in place of a list": called(call('{"a":1}', "f", index=0, id="1")),
    "flat": called([{"index": 0, "id": "1", "name": "f", "arguments": '{"a":1}'}]),
    "arguments as an object": called(
        [call({"a": 1}, "f", index=0, id="1")], calls=(("f", '{"a": 1}'),)
    ),
    "arguments that are null": called([call(None, "f", index=0, id="1")], [call('{"a":1}', index=0)]),
    "entries that are null": called(
        [None], [call('{"a":1}', "f", index=0, id="1")], [], None
    ),
    "two under one index": called(
        [call('{"a":1}', "f", index=0, id="1"), call('{"b":2}', "g", index=0, id="2")], calls=TWO
    ),
    "two under one index without ids": called(
        [call('{"a":1}', "f", index=0)], [call('{"b":2}', "g", index=0)], calls=TWO
    ),
    "the same twice under one index without ids": called(
        [call('{"a":1}', "f", index=0)], [call('{"a":2}', "f", index=0)], calls=(*ONE, ("f", '{"a":2}'))
    ),
    "another id in every piece": called(
        [call('{"a":', "f", index=0, id="1")], [call("1}", index=0, id="9")]
    ),
    "a plain end": Odd(
        sse(chunk({"tool_calls": [call('{"a":1}', "f", index=0, id="1")]}, "stop")),
        "", calls=ONE, reason="tool_calls",
    ),
    "the form before": Odd(
        sse(
            chunk({"function_call": {"name": "f", "arguments": '{"a":'}}),
            chunk({"function_call": {"arguments": "1}"}}),
            chunk({}, "function_call"),
        ),
        "", calls=ONE, reason="tool_calls",
    ),
    "in a message": whole(
        {"choices": [{"message": {"content": None, "tool_calls": [call('{"a":1}', "f", id="1")]}}]},
        text="", calls=ONE, reason="tool_calls",
    ),
}  # fmt: skip
COUNTED = {"prompt_tokens": 5, "completion_tokens": 7}
OUTSIDE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 12}


def counted(*values: object, end: dict[str, Any] = ENDED) -> Odd:
    return Odd(sse(SAID, end, *values), usage=(5, 7))


USAGES = {
    name: counted({"choices": [], "usage": usage})
    for name, usage in {
        "as it should be": COUNTED,
        "as text": {"prompt_tokens": "5", "completion_tokens": "7"},
        "as text and fractions": {"prompt_tokens": " 5.0 ", "completion_tokens": 7.0},
        "in a list": [COUNTED],
        "the answer's in the total alone": {"prompt_tokens": 5, "total_tokens": 12},
        "beside others that no server counts": COUNTED | {
            "total_tokens": 10**40, "prompt_tokens_details": {"cached_tokens": "9" * 5000},
            "completion_tokens_details": {"reasoning_tokens": 1e300},
        },
        "in camels": {"promptTokens": 5, "completionTokens": 7},
        "Yandex' own": {"inputTextTokens": "5", "completionTokens": "7", "totalTokens": "12"},
        "Responses'": {"input_tokens": 5, "output_tokens": 7},
        "Anthropic's cache": {
            "input_tokens": 1, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 1, "output_tokens": 7,
        },
        "Gemini's own": {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 4},
        "GigaChat's kept ones": {
            "prompt_tokens": 1, "completion_tokens": 7, "total_tokens": 8, "precached_prompt_tokens": 4,
        },
        "thinking outside": OUTSIDE | {"completion_tokens_details": {"reasoning_tokens": 4}},
        "thinking outside, as text": {
            "prompt_tokens": "5", "completion_tokens": "3", "total_tokens": "12",
            "completion_tokens_details": {"reasoning_tokens": "4"},
        },
        "thinking outside, at the top": OUTSIDE | {"reasoning_tokens": 4},
        "thinking by another name": OUTSIDE | {"thoughts_token_count": 4},
        "thinking in the total alone": OUTSIDE,
        "thinking inside": COUNTED | {"total_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 4}},
    }.items()
} | {
    "choices are null": counted({"choices": None, "usage": COUNTED}),
    "no choices": counted({"usage": COUNTED}),
    "another name for it": counted({"choices": [], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7}}),
    "in the choice": counted(end={"choices": [{"delta": {}, "finish_reason": "stop", "usage": COUNTED}]}),
    "in the delta": counted(end=chunk({"usage": COUNTED}, "stop")),
    "in a message beside": counted(end=chunk({}, "stop", message={"usage": COUNTED})),
    "under x_groq": counted(end=chunk({}, "stop", x_groq={"usage": COUNTED})),
    "llama.cpp's timings alone": counted(
        end=chunk({}, "stop", timings={"prompt_n": 3, "cache_n": 2, "predicted_n": 7, "predicted_ms": 9.0})
    ),
    "growing, then none": counted(
        chunk({}, usage=COUNTED | {"completion_tokens": 6}), chunk({}, usage=COUNTED),
        chunk({}, usage=None), {"choices": [], "usage": {}},
    ),
    "in halves": counted(chunk({}, usage={"prompt_tokens": 5}), chunk({}, usage={"completion_tokens": 7})),
    "none at all": Odd(sse(SAID, chunk({}, "stop", usage="n/a"), {"choices": [], "usage": []})),
}  # fmt: skip
TAGGED = (
    "<think>мысль</think>Ответ",
    "\n\n<think>\nмысль\n</think>\n\nОтвет",
    "<THINK>мысль</THINK>Ответ",
    '<think type="deep">мысль</think>Ответ',
    "<think:6f2a>мысль</think:6f2a>Ответ",
    "< think >мысль</ think >Ответ",
    "<think>мысль</think></think>Ответ",
    "<think>мы</think>\n<think>сль</think>Ответ",
    "<think>мысль</thinking>Ответ",
    "<thinking>мысль</think>\nОтвет",
    "<think>мысль</think><|begin_of_box|>Ответ<|end_of_box|>",
    "<think>\n\n</think>\n\n<think>мысль</think>Ответ",
    "<think>мысль</think><answer>Ответ</answer>",
    "<think>мысль</think>\n<answer>\nОтвет</answer>\n",
    *(f"<{name}>мысль</{name}>Ответ" for name in ("thinking", "thought", "thoughts", "reasoning", "seed:think", "mm:think")),
    "[THINK]мысль[/THINK]Ответ",
    "[THINKING]мысль[/THINKING]Ответ",
    "◁think▷мысль◁/think▷Ответ",
    "<|thinking|>мысль<|/thinking|>Ответ",
    "<|START_THINKING|>мысль<|END_THINKING|><|START_RESPONSE|>Ответ<|END_RESPONSE|>",
    "<|begin_of_thought|>мысль<|end_of_thought|>\n\n<|begin_of_solution|>Ответ<|end_of_solution|>",
    "<|channel>thought\nмысль<channel|>Ответ",
    "<|channel|>analysis<|message|>мысль<|end|><|start|>assistant<|channel|>final<|message|>Ответ<|return|>",
    "<|channel|>analysis<|message|>мысль<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>Ответ<|return|>",
    "<|start|>assistant<|channel|>analysis<|message|>мысль<|end|><|channel|>final<|message|>Ответ",
)  # fmt: skip
CLOSED_ALONE = (
    *(f"{tag}Ответ" for tag in ("</think>", "\n</think>\n\n", "</THINK>\n", "</thought>", "</reasoning> ", "</seed:think>")),
    *(f"{tag}Ответ" for tag in ("[/THINK]", "◁/think▷", "<|end_of_thought|>", "<channel|>", "</think>\n</think>", "\u200b</think>")),
    "<|end|><|start|>assistant<|channel|>final<|message|>Ответ<|return|>",
    "<think></think>Ответ",
)  # fmt: skip
"""Nothing was thought, or the server has taken it out."""
THINKING = {
    text: Odd(sse(chunk({"content": text}), ENDED), thinking=THOUGHT) for text in TAGGED
} | {
    f"{text} by the letter": Odd(sse(*(chunk({"content": c}) for c in text), ENDED), thinking=THOUGHT)
    for text in TAGGED
} | {
    text: Odd(sse(chunk({"content": text}), ENDED)) for text in CLOSED_ALONE
} | {
    f"{text} by the letter": Odd(sse(*(chunk({"content": c}) for c in text), ENDED)) for text in CLOSED_ALONE
} | {
    f"apart, {text!r}": Odd(
        sse(chunk({"reasoning_content": THOUGHT}), *(chunk({"content": c}) for c in text), ENDED), thinking=THOUGHT
    )
    for text in CLOSED_ALONE[:6]
} | {
    json.dumps(delta, ensure_ascii=False): Odd(sse(chunk(delta), SAID, ENDED), thinking=THOUGHT)
    for delta in (
        *({name: THOUGHT} for name in ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")),
        *({name: THOUGHT} for name in ("reasoning_text", "thinking_content", "chain_of_thought")),
        {"reasoning": {"text": THOUGHT}},
        {"reasoning": {"content": THOUGHT}},
        {"reasoning": {"summary": THOUGHT}},
        {"reasoning": [{"text": THOUGHT}]},
        {"reasoning": THOUGHT, "reasoning_content": THOUGHT},
        {"reasoning": THOUGHT, "reasoning_details": [{"text": THOUGHT}]},
        {"thinking": {"thinking": THOUGHT, "signature": "x"}},
        {"thinking_blocks": [{"thinking": THOUGHT}]},
        {"reasoningContent": {"reasoningText": {"text": THOUGHT}}},
        {"reasoning_details": {"text": THOUGHT}},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": [{"text": THOUGHT}]}]},
        {"reasoning_details": [{"data": "x"}, {"content": THOUGHT}]},
        {"content": [{"type": "thinking", "thinking": THOUGHT}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]},
        {"content": [{"type": "reasoning", "reasoning": THOUGHT}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]}]},
        {"content": [{"type": "text", "text": THOUGHT, "thought": True}]},
        {"content": THOUGHT, "thought": True},
        {"provider_specific_fields": {"reasoning_content": THOUGHT}},
    )
} | {
    "hidden": said(chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}), SAID),
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
BOOM = {"message": "boom"}
BROKEN_OFF: dict[str, bytes] = {
    json.dumps(error): sse(SAID, error)
    for error in (
        {"error": "boom"},
        {"error": ["x", "boom"]},
        {"error": BOOM},
        {"error": BOOM, "usage": {"prompt_tokens": 1}},
        {"error": {"error": {"error": "boom"}}},
        {"error": {"code": "boom"}},
        {"error": 500, "message": "boom"},
        {"error": True, "reason": "boom"},
        {"error": "invalid", "error_description": "boom"},
        {"error": {"message": ["boom"]}},
        {"error": {"message": {"text": "boom"}}},
        {"error": '{"message":"boom"}'},
        {"error": {"message": '{"error":{"message":"boom"}}'}},
        {"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "boom"}}},
        {"choices": [], "error": BOOM},
        {"Error": "boom"},
        {"err": "boom"},
        {"errors": [BOOM]},
        {"errors": "boom"},
        {"errors": {"field": ["boom"]}},
        {"errorMessage": "boom"},
        {"__type": "ThrottlingException", "Message": "boom"},
        {"exception": "boom"},
        {"fault": {"faultstring": "boom"}},
        {"detail": "boom"},
        {"detail": [{"loc": ["body"], "msg": "boom", "type": "x"}]},
        {"detail": {"error": BOOM}},
        {"title": "Bad", "detail": "boom", "status": 400},
        {"code": 500, "msg": "boom", "data": None},
        {"code": "InvalidParameter", "message": "boom", "request_id": "1"},
        {"status": 500, "message": "boom"},
        {"status": "error", "message": "boom"},
        {"success": False, "errors": [{"code": 1, "message": "boom"}], "result": None},
        {"result": {"error": "boom"}},
        {"object": "error", "message": "boom", "code": 500},
        {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}},
        {"base_resp": {"status_code": 1004, "status_msg": "boom"}},
        [{"error": BOOM}],
        chunk({}, None, base_resp={"status_code": 1000, "status_msg": "boom"}),
        chunk({}, "error", message="boom"),
        chunk({}, "ERROR", message="boom"),
        chunk({"error": BOOM}),
        {"choices": [{"index": 0, "delta": {}, "error": BOOM}]},
        {"choices": [{"message": {"error": "boom"}, "delta": {}, "finish_reason": "error"}]},
    )
} | {
    "an event of that name": sse(SAID, done="event: error\ndata: boom"),
    "an event of that name in capitals": sse(SAID, done="event: Error\ndata: boom"),
    "an exception": sse(SAID, done='event: exception\ndata: {"message":"boom"}'),
    "among the events without their form": sse(SAID, done='{"error": {"message": "boom"}}'),
    "words in place of JSON": sse(SAID, done="data: [ERROR] boom"),
    "bare words at the end": sse(SAID, done="") + b"boom: upstream error\n",
}  # fmt: skip
