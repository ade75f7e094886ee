"""A model's name as a script: see the vocabulary in the package's docstring."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

Fault = Literal[
    "error",
    "bare-error",
    "named-error",
    "reason-error",
    "cut",
    "torn",
    "reset",
    "close",
    "stall",
    "chatter",
]
TAGS = {
    "think": ("<think>", "</think>\n\n"),
    "thinking": ("<thinking>", "</thinking>\n\n"),
    "thought": ("<thought>", "</thought>\n\n"),
    "brackets": ("[THINK]", "[/THINK]"),
    "lone": ("", "\n</think>\n\n"),
    "channels": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
}
"""How thinking stands in the text itself, where a server does not separate it."""
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")

WORDS = (
    "Привет, ", "мир! ", "Це ", "відповідь ", "моделі: ", "she ", "writes ", "slowly ", "и ", "понятно",
    ". ", "Далі ", "— ", "ще ", "кілька ", "слів", ", ", "numbers ", "42 ", "🙂 ",
)  # fmt: skip
EXOTIC = 'a\u0085b\u2028c\u2029d\x00e 👩‍👩‍👧‍👦 e\u0301 "quoted" back\\slash \r\n tab\t 🇺🇦 край'
SPECIALISTS = (
    ("Экономист", "Окупится ли? Прибыль будет через год."),
    ("Юрист", "Что с договором? Прибыли не будет вовсе."),
    ("Эколог", "Каков вред для реки?"),
    ("Инженер", "Выдержит ли перекрытие?"),
)
THOUGHTS = ("Надо ", "подумать", ": ", "what ", "does ", "the ", "person ", "want", "? ", "Зрозуміло", ". ", "So…")  # fmt: skip


@dataclass(frozen=True)
class Script:
    """What one request to a model of that name will see."""

    name: str
    text: Literal["echo", "last", "words", "chars", "marks", "say", "exotic", "json", "notes"] = (
        "echo"
    )
    amount: int = 0
    council: int | None = None
    said: str = ""
    tools: bool = False
    vision: bool = False
    thinking: bool = False
    tags: str | None = None
    thought_field: str = "reasoning_content"
    pace: float = 0.0
    first: float = 0.0
    load: float = 0.0
    comments: bool = False
    empty: bool = False
    label: str | None = None
    as_other: bool = False
    unstreamed: bool = False
    streamed: bool = False
    halves: bool = False
    crlf: bool = False
    split: int = 0
    glued: bool = False
    status: int = 200
    retry_after: str | None = None
    flaky: int = 0
    context: bool = False
    fault: Fault | None = None
    fault_after: int = 0
    foreign: Literal["html", "other"] | None = None
    length: bool = False
    usage: bool = True
    done: bool = True
    reason: bool = True
    linger: bool = False


_FLAGS: dict[str, dict[str, Any]] = {
    "echo": {},
    "last": {"text": "last"},
    "exotic": {"text": "exotic"},
    "json": {"text": "json"},
    "notes": {"text": "notes"},
    "tools": {"tools": True},
    "vision": {"vision": True},
    "thinking": {"thinking": True},
    "comments": {"comments": True},
    "empty-data": {"comments": True, "empty": True},
    "called-json": {"label": "application/json"},
    "called-html": {"label": "text/html"},
    "called-events": {"label": "text/event-stream"},
    "as-other": {"as_other": True},
    "unstreamed": {"unstreamed": True},
    "streamed": {"streamed": True},
    "halves": {"halves": True},
    "crlf": {"crlf": True},
    "utf8-split": {"split": 1},
    "glued": {"glued": True},
    "context": {"context": True},
    "reset": {"fault": "reset"},
    "stall": {"fault": "stall"},
    "html-200": {"foreign": "html"},
    "ndjson-200": {"foreign": "other"},
    "length": {"length": True},
    "nousage": {"usage": False},
    "nodone": {"done": False},
    "noreason": {"reason": False},
    "linger": {"linger": True},
}
_FAULT = re.compile(
    r"(error|bare-error|named-error|reason-error|cut|torn|reset|close|stall|chatter)-after-(\d+)\Z"
)
_NUMBER = re.compile(r"(council|len|burst|chars|marks|error|retry|flaky|split)-(\d+)\Z")
_TIME = re.compile(r"(paced|slow-first|load)-(\d+(?:\.\d+)?)(ms|s)\Z")
_FIELDS = {"paced": "pace", "slow-first": "first", "load": "load"}


@cache
def script_of(model: str) -> Script:
    """The script of a model's name."""
    name = model.rpartition("/")[2].partition(":")[0]
    script = Script(model)
    for word in name.split("+"):
        script = _with(script, word)
    return script


def _with(script: Script, word: str) -> Script:
    if word in _FLAGS:
        return replace(script, **_FLAGS[word])
    if word.startswith("tags-"):
        return replace(script, tags=word[5:])
    if word.startswith("thought-"):
        return replace(script, thinking=True, thought_field=word[8:].replace("-", "_"))
    if word.startswith("say-"):
        return replace(script, text="say", said=word[4:].replace("_", " "))
    if match := _FAULT.match(word):
        return replace(script, fault=match[1], fault_after=int(match[2]))  # type: ignore[arg-type]  # the pattern admits nothing else
    if match := _TIME.match(word):
        return replace(script, **{_FIELDS[match[1]]: float(match[2]) / (1000 if match[3] == "ms" else 1)})  # type: ignore[arg-type]  # all three are seconds  # fmt: skip
    if match := _NUMBER.match(word):
        number = int(match[2])
        match match[1]:
            case "council":
                return replace(script, council=number)
            case "len" | "burst":
                return replace(script, text="words", amount=number)
            case "chars" | "marks":
                return replace(script, text=match[1], amount=number)
            case "error":
                return replace(script, status=number)
            case "retry":
                return replace(script, retry_after=match[2])
            case "flaky":
                return replace(script, flaky=number)
            case _:
                return replace(script, split=number)
    return script


def tokens_of(script: Script, last_user: str, schema: Mapping[str, Any] | None) -> Sequence[str]:
    """What the model says, in tokens."""
    tokens = _answer_of(script, last_user, schema)
    if script.tags is not None:
        opening, closing = TAGS[script.tags]
        tokens = [*_pieces(opening), *THOUGHTS, *_pieces(closing), *tokens]
    return [half for token in tokens for half in _halves(token)] if script.halves else tokens


def _pieces(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _halves(token: str) -> list[str]:
    """The token cut inside its last surrogate pair, where it has one."""
    units = token.encode("utf-16-le")
    for at in range(len(units) - 2, 0, -2):
        if 0xDC <= units[at + 1] <= 0xDF:
            return [part.decode("utf-16-le", "surrogatepass") for part in (units[:at], units[at:])]
    return [token]


def _answer_of(script: Script, last_user: str, schema: Mapping[str, Any] | None) -> Sequence[str]:
    if script.council is not None and schema and "need" in schema["properties"]:
        fields = schema["properties"]["specialists"]["items"]["properties"]
        return _json_tokens(council(script.council, with_models="model" in fields))
    if script.text == "json" and schema and (value := _judgement(last_user, schema)):
        return _json_tokens(value)
    match script.text:
        case "words":
            return Cycle(script.amount)
        case "chars":
            whole, rest = divmod(script.amount, 1000)
            return ["x" * 1000] * whole + (["x" * rest] if rest else [])
        case "marks":
            return ["\\(a_1 "] * script.amount
        case "say":
            return split_words(script.said)
        case "last":
            return split_words(last_user.rstrip().rpartition("\n")[2])
        case "exotic":
            return list(EXOTIC)
        case "json":
            value = instance(schema, last_user) if schema else {"answer": last_user}
            return _json_tokens(value)
        case "notes" if last_user.startswith("<messages>"):
            beginnings = re.findall(r"^\[user\] (\S+ \S+)", last_user, re.MULTILINE)
            return _json_tokens({"goal": beginnings[0], "facts": beginnings})
        case _:
            return split_words(last_user)


def _judgement(prompt: str, schema: Mapping[str, Any]) -> Any:
    """What a judge of a peer council says of the answers in its prompt: the last one is the best, all hold
    how the first begins, and nothing is wrong with the final answer. Of citations: the first source's first
    words prove each claim, or refute it where it says `never`."""
    answers = re.findall(r'<answer letter="(\w)">\n(.*?)\n</answer>', prompt, re.DOTALL)
    quotes = [{"member": letter, "quote": text[:40]} for letter, text in answers]
    fields = schema["properties"]
    if "claims" in fields:
        proof = re.findall(r"<source [^>]*>\n((?:\S+ ){3}\S+)", prompt)[:1]
        claims = re.findall(r"^(\d+)\. \[[\d, ]+\] (.*)$", prompt, re.MULTILINE)
        verdicts = [("supported", "contradicted")["never" in claim] for _, claim in claims]
        told = zip(claims, verdicts, strict=True)
        return {"claims": [{"claim": int(n), "words": proof, "verdict": v} for (n, _), v in told]}
    if "ranking" in fields:
        return {"reason": "Полнее.", "ranking": [letter for letter, _ in answers][::-1]}
    if "consensus" in fields:
        sides = [{**quote, "claim": "так"} for quote in quotes]
        return {
            "consensus": [{"point": "Все начинают с ответа", "quotes": quotes}],
            "contradictions": [{"point": "Чем кончить", "sides": sides}],
            "partial": [],
            "unique": [{**quotes[0], "point": "Повторяет вопрос"}],
            "blind_spots": ["Никто не назвал цену"],
        }
    return {"missing": [], "unsupported": []} if "unsupported" in fields else None


def _json_tokens(value: Any) -> list[str]:
    return re.findall(r".{1,4}", json.dumps(value, ensure_ascii=False), re.DOTALL)


def council(size: int, *, with_models: bool) -> Any:
    """A coordinator's plan that calls so many of SPECIALISTS; with 0, none is needed. Where it may
    name models, the last one gets a model that breaks off."""
    specialists = [{"role": role, "question": asked} for role, asked in SPECIALISTS[:size]]
    if with_models and specialists:
        specialists[-1]["model"] = "reset-after-5"
    reason = "Вопрос на стыке областей." if size else "Вопрос простой."
    return {"need": size > 0, "reason": reason, "specialists": specialists}


class Cycle(Sequence[str]):
    """WORDS over and over, without a list of them all."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [WORDS[i % len(WORDS)] for i in range(*index.indices(self._length))]
        if not 0 <= index < self._length:
            raise IndexError(index)
        return WORDS[index % len(WORDS)]


def split_words(text: str) -> list[str]:
    """Words with the space before them: about what a tokenizer does."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def instance(schema: Mapping[str, Any], text: str) -> Any:
    """The plainest value that fits a JSON schema; strings say the text."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return instance(schema[key][0], text)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    match kind:
        case "object":
            return {k: instance(v, text) for k, v in (schema.get("properties") or {}).items()}
        case "array":
            items = schema.get("items") or {"type": "string"}
            return [instance(items, text)] * max(1, schema.get("minItems", 1))
        case "integer":
            return int(schema.get("minimum", 1))
        case "number":
            return float(schema.get("minimum", 1))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return text[: schema.get("maxLength", 200)] or "text"


def tool_calls(script: Script, body: Mapping[str, Any], last: str) -> list[tuple[str, Any]]:
    """The tools that an answer calls, each with its arguments."""
    offered = [tool["function"]["name"] for tool in body.get("tools") or []]
    returned = body["messages"] and body["messages"][-1].get("role") == "tool"
    if not (script.tools and offered) or returned or body.get("tool_choice") == "none":
        return []
    wanted = re.findall(r"^call ([\w-]+) (\{.*\})$", last, re.MULTILINE)
    return [(name, json.loads(given)) for name, given in wanted] or [(offered[0], {"echo": last})]
