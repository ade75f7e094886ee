"""JSON from a model: by schema where it can, by JSON mode or by the prompt alone elsewhere.

What comes is read strictly, then mended here (json-repair, free of charge), then asked for once
more; after that it is a MalformedAnswer and the caller does without.
"""

import contextlib
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from app.conversation.partial_json import PartialObject, whole_characters
from app.core.errors import BadRequest, MalformedAnswer, Unsupported
from app.core.events import TextDelta, TextWasThinking
from app.core.mending import json_of, mended
from app.core.messages import Message
from app.core.models import Capability, ModelProfile
from app.core.ports import Call
from app.core.requests import JsonObject, JsonSchema, ModelRequest, ResponseFormat
from app.core.text import Language, Text
from app.core.usage import Purpose

T = TypeVar("T")

MAX_REPAIR_CHARACTERS = 6000
"""Characters of a broken answer that are shown to the model when it is asked again."""


ONLY_JSON = Text(
    ru="Ответь только одним объектом JSON, без пояснений и без разметки, строго такого вида:\n{shape}",
    uk="Відповідай лише одним об'єктом JSON, без пояснень і без розмітки, точно такого вигляду:\n{shape}",
    en="Answer with a single JSON object and nothing else, no explanations, no markup, exactly of this form:\n{shape}",
)
AGAIN = Text(
    ru="Этот JSON не удалось прочитать: {problem}. Пришли его ещё раз целиком и исправленным. {rule}",
    uk="Цей JSON не вдалося прочитати: {problem}. Надішли його ще раз повністю й виправленим. {rule}",
    en="That JSON could not be read: {problem}. Send it again, whole and corrected. {rule}",
)


@dataclass(frozen=True, slots=True)
class Structure(Generic[T]):
    """What is asked for: a schema for servers, an example for the prompt, and how to read it."""

    schema: JsonSchema
    example: str
    read: Callable[[Mapping[str, Any]], T]
    """Makes the value; raises ValueError where the object does not fit, saying why."""

    def rule(self, language: Language) -> str:
        """The words for the prompt."""
        return ONLY_JSON[language].format(shape=self.example)

    def parse(self, text: str) -> T:
        """Reads what a model wrote. Raises ValueError where it cannot be mended."""
        return self.read(_object(json_in(text)))


def json_in(text: str) -> Any:
    """What JSON says in a model's words, strictly read or mended. Raises ValueError where there is none."""
    for written in (text, _unwrapped(text)):
        with contextlib.suppress(ValueError):
            return json_of(plain_backslashes(written), strict=False)
    return mended(_trimmed(plain_backslashes(_unwrapped(text))))


_ESCAPED = re.compile(r"\s*+(?:\"\s*+)?[\[{]\s*\\\"")
_AS_HTML = re.compile(r"\s*[\[{]\s*&(?:quot|#34|#x22);")
_COLON = re.compile(r"(?<!\\)(\"\s*)(?:：|=(?=\s*\"))")
_TRIPLE = re.compile(r"\"{3}(.*?)\"{3}", re.DOTALL)


def _unwrapped(text: str) -> str:
    """JSON that was written as a string, as HTML or half as another language, as it was meant."""
    if _ESCAPED.match(text):
        inner = text.strip().removeprefix('"').removesuffix('"')
        with contextlib.suppress(ValueError):
            return str(json.loads(f'"{inner}"', strict=False))
    if _AS_HTML.match(text):
        return html.unescape(text)
    text = _TRIPLE.sub(lambda found: json.dumps(found[1], ensure_ascii=False), text)
    return _COLON.sub(r"\1:", text)


_BACKSLASH = re.compile(
    r"\\(?:([\\\"/])"
    r"|(?=[bfr][A-Za-z]{2}|u(?![0-9a-fA-F]{4})|[^\\\"/bfnrtu])"
    r"|(?=n(?:u|abla|eq?|eg|ot|otin|i|exists|mid|leq|geq|onumber|ewline|earrow)(?![A-Za-z]))"
    r"|(?=t(?:ext[a-z]*|imes|heta|anh?|au|o|op|riangle[a-z]*|ilde|frac|herefore|ag)(?![A-Za-z])))"
)


def plain_backslashes(text: str) -> str:
    """JSON in which the backslash of a formula stays one: models write `\\frac` with a single backslash,
    and that would be a form feed. No text has a backspace, a form feed or a lone carriage return
    before a word; of the line break and the tab, LaTeX's own commands are known."""
    return _BACKSLASH.sub(lambda found: found.group() if found.group(1) else r"\\", text)


def formats(profile: ModelProfile, schema: JsonSchema) -> tuple[ResponseFormat | None, ...]:
    """The response formats to try, strictest first; the last is none at all."""
    if profile.can(Capability.JSON_SCHEMA):
        return schema, None
    if profile.can(Capability.JSON_MODE):
        return JsonObject(), None
    return (None,)


async def ask(
    call: Callable[[ModelRequest], Call],
    profile: ModelProfile,
    request: ModelRequest,
    shape: Structure[T],
    language: Language,
    seen: Callable[[Mapping[str, Any]], bool] | None = None,
) -> T:
    """A value of that shape; `request`'s last message must already hold `shape.rule`.

    `seen` is shown the complete fields each time something has come, and ends the reading by True.
    Raises MalformedAnswer where the repair failed too, and whatever the calls raise.
    """
    written = await _written(call, profile, request, shape, seen)
    try:
        return shape.parse(written)
    except ValueError as broken:
        return await repaired(call, profile, request, shape, language, written, broken, seen)


async def repaired(
    call: Callable[[ModelRequest], Call],
    profile: ModelProfile,
    request: ModelRequest,
    shape: Structure[T],
    language: Language,
    written: str,
    broken: ValueError,
    seen: Callable[[Mapping[str, Any]], bool] | None = None,
) -> T:
    """Asks once more for what `written` should have been. Raises as `ask` does."""
    again = AGAIN[language].format(problem=broken, rule=shape.rule(language))
    before = (Message.assistant(written[:MAX_REPAIR_CHARACTERS]),) if written.strip() else ()
    repair = replace(
        request,
        messages=(*request.messages, *before, Message.user(again)),
        purpose=Purpose.REPAIR,
    )
    try:
        return shape.parse(await _written(call, profile, repair, shape, seen))
    except ValueError as error:
        raise MalformedAnswer(
            f"no {shape.schema.name} even after a repair: {error}",
            server=profile.ref.server,
            model=profile.ref.name,
        ) from error


async def _written(
    call: Callable[[ModelRequest], Call],
    profile: ModelProfile,
    request: ModelRequest,
    shape: Structure[T],
    seen: Callable[[Mapping[str, Any]], bool] | None,
) -> str:
    *strict, loosest = formats(profile, shape.schema)
    for form in strict:
        try:
            return await _read(call(replace(request, response_format=form)), seen)
        except (BadRequest, Unsupported):
            continue  # a server that does not know the format: the prompt says it too
    return await _read(call(replace(request, response_format=loosest)), seen)


async def _read(call: Call, seen: Callable[[Mapping[str, Any]], bool] | None) -> str:
    pieces: list[str] = []
    parser = PartialObject()
    async with contextlib.aclosing(call.events()) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                pieces.append(event.text)
                parser.feed(event.text)
                if seen is not None and seen(parser.fields):
                    return json.dumps(parser.fields)
            elif isinstance(event, TextWasThinking):
                pieces.clear()
                parser = PartialObject()
    return "".join(pieces)


def _trimmed(text: str) -> str:
    """From the first brace on: models like to say a word before. Raises ValueError where there is none."""
    begun = re.search(r"[\[{]\s*[\"'“«{\[]", text)
    start = begun.start() if begun else text.find("{")
    if start < 0:
        raise ValueError("no JSON object in it")
    return text[start:]


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]  # json-repair makes a list of an object and the chatter after it
    if not isinstance(value, dict):
        raise ValueError("not an object")
    whole: Mapping[str, Any] = whole_characters(value)
    return whole
