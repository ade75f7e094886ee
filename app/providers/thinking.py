"""Thinking that a server leaves in the answer's text, told apart from the answer.

Servers with a parser for the model's family separate it themselves; others (llama.cpp without one,
LM Studio, vLLM, older Ollamas) do not. Thinking stands at the very beginning, between tags. The
templates of R1 distils and Qwen3-Thinking write the opening tag into the prompt, so that only the
closing one is in the text: there it counts at the beginning of a line or before a blank one, if no tag
was opened. Servers that separate thinking, or a template that forbids it, may leave the closing tag alone
at the very beginning of the answer: there it is no part of it. After it another block may follow, its closing tag once more, or a tag around the answer
(`<answer>`), which is no part of it. gpt-oss speaks in channels (Harmony), whose marks some servers leave in, or leave in
without their brackets.
"""

import re

from app.core.events import ModelEvent, ReasoningDelta, TextDelta, TextWasThinking

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think", "mm:think", "longcat_think", "antthinking")  # fmt: skip
TAGS = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",
    "[thinking]": "[/thinking]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|thinking|>": "<|/thinking|>",
    "<|think|>": "<|/think|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "<|channel|>commentary<|message|>": "<|end|>",
}
"""The opening tags, in lower case, and what closes each. In upper case they count, too."""
BARE_CHANNEL, BARE_FINAL = "analysis", "assistantfinal"
"""Harmony whose marks were dropped: `analysisThe person asks…assistantfinalYes`."""
SPEAKER = "<|start|>assistant"
FINALS = tuple(
    f"<|channel|>final{of}<|message|>" for of in ("", " <|constrain|>json", "<|constrain|>json")
)
"""What stands before the answer itself in Harmony, and is no part of it."""
LONE = ("</think>", "</thinking>", "</thought>", "</reasoning>", "[/think]", "[/thinking]")
"""Closing tags that may come without their opening one."""
_MIXED = ("</think>", "</thinking>")
"""Models that were trained on both close the one with the other."""
_LONE = re.compile("|".join(map(re.escape, LONE)), re.IGNORECASE)
_OPENING = re.compile("|".join(re.escape(tag) for tag in TAGS), re.IGNORECASE)
_MARKS = (*LONE, *(tag for tag in TAGS if TAGS[tag] in LONE))
WRAPPERS = {
    "<answer>": "</answer>",
    "<response>": "</response>",
    "<solution>": "</solution>",
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<|start_response|>": "<|end_response|>",
    "<|begin_of_box|>": "<|end_of_box|>",
}
"""What models put around the answer that follows their thinking."""
_ODD = re.compile(
    rf"<\s?(?P<name>{'|'.join(sorted(_NAMES, key=len, reverse=True))})(?P<of>:[\w-]{{1,40}})?(?:\s[^<>]{{0,100}})?>"
)
"""An opening tag with blanks, attributes or a mark of its kind in it: `<think type="deep">`, `<think:9f>`."""
_ODD_PART = re.compile(
    rf"<\s?(?:(?:{'|'.join(_NAMES)})(?::[\w-]{{0,40}}|[\s:][^<>]{{0,140}})|(?P<part>[a-z:_]*))\Z"
)
_CLOSINGS = tuple(dict.fromkeys(TAGS.values()))
_LEFT = tuple(tag for tag in _CLOSINGS if tag.startswith("</"))
"""What servers with a parser of their own leave before the answer."""
_LEADING = re.compile(r"[\s\u200b\ufeff]*")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_CHANNEL_ENDS = ("<|end|>", "<|return|>", "<|call|>")
_BEGINNINGS = (*TAGS, *_CLOSINGS, SPEAKER, *FINALS)
_AFTER = (*TAGS, *TAGS.values(), *WRAPPERS)
_THINKER = re.compile(
    r"(?:^|[-_/:.])(?:r1|qwq|think|thinking|reasoner|reasoning|deepthink|z1)(?:$|[-_/:.])",
    re.IGNORECASE,
)


def thinks_by_name(model: str) -> bool:
    """Whether a model of that name is likely to think in its text without an opening tag, should its
    server not separate it: DeepSeek-R1 and its distils, QwQ, Qwen3-…-Thinking."""
    return _THINKER.search(model) is not None


class ThinkTags:
    """Splits the text of one answer. While it is `over`, text without `<` and `[` may pass it by."""

    def __init__(self, *, begun: bool = False) -> None:
        """`begun`: this model is known to think at once, without a word about it."""
        self.over = False
        """The beginning is decided and nothing is held back."""
        self.closed_alone = False
        """A closing tag ended thinking that no tag had begun."""
        self.never_closed = False
        """What was taken for thinking from the beginning was the whole answer."""
        self.before = ""
        """The text that last passed by."""
        self._begun = begun
        self._decided = False
        self._closing: str | None = None
        self._closings: tuple[str, ...] = ()
        """What ends the thinking that goes on, in small letters."""
        self._ended = False
        """Thinking has ended, and what follows it is not known yet."""
        self._wrapper = ""
        """What closes the tag around the answer."""
        self._trims = False
        self._channels = False
        self._opened = False
        self._apart = False
        """Thinking comes by itself, and nothing of the answer has come yet."""
        self._held = ""
        self._unclosed: list[str] = []

    def no_more(self) -> None:
        """The server separates thinking by itself: tags in the text are the answer's own, but for a closing
        one that it has left before the answer."""
        self._opened = True
        if not (self._held or self.thinking or self._decided):
            self._decided = self.over = self._apart = True

    def split(self, text: str) -> list[ModelEvent]:
        """The events that more text makes; what may be half a tag is held back."""
        self._held += text
        if self._apart:
            return self._after_apart()
        if self._closing is not None:
            return self._thought()
        if self._ended:
            return self._after()
        return self._answer() if self._decided else self._beginning()

    def rest(self, *, complete: bool = True) -> list[ModelEvent]:
        """What was held back, at the end or when it is no tag. `complete`: the answer came to its end;
        then what was taken for thinking and never closed is the answer."""
        self.over = True
        held, self._held = self._held, ""
        if self._closing == BARE_FINAL or self._unannounced:
            unclosed = "".join((*self._unclosed, held))
            self._closing = None
            self.never_closed = complete
            return [TextDelta(unclosed)] if unclosed and complete else []
        if not held:
            return []
        bare = held.strip().lower()
        if self._ended or (self._wrapper and bare == self._wrapper):
            held = "" if bare in TAGS.values() or bare == self._wrapper else held.lstrip()
            return [TextDelta(held)] if held else []
        if self._decided and _LONE.fullmatch(held.strip()):
            return [TextWasThinking()]
        return [ReasoningDelta(held) if self._closing is not None else TextDelta(held)]

    @property
    def thinking(self) -> bool:
        """What comes now is thinking."""
        return self._closing is not None

    @property
    def _unannounced(self) -> bool:
        return self._closing == ""

    def _beginning(self) -> list[ModelEvent]:
        begun = self._held[_LEADING.match(self._held).end() :]  # type: ignore[union-attr]  # it always matches
        low = begun.lower()
        if (closing := _closing_first(low)) is not None:
            self._held, self._opened = begun[len(closing) :], True
            if closing == "<|end|>":
                self._channels = True
                return self._beginning() if self._held else []
            self._ended = True
            return self._after()
        if (found := _opening(low)) is not None:
            length, closings = found
            self._channels = closings[0] == "<|end|>"
            self._opened = True
            return self._think(closings[0], begun[length:], closings)
        for mark in (SPEAKER, *FINALS):
            if low.startswith(mark):
                self._channels = True
                self._held = begun[len(mark) :]
                if mark is SPEAKER:
                    return self._beginning()
                self._decided = self._trims = True
                return self._answer()
        if begun.startswith(BARE_CHANNEL) and begun[len(BARE_CHANNEL) :][:1].isupper():
            return self._think(BARE_FINAL, begun[len(BARE_CHANNEL) :])
        if _may_begin(low, _BEGINNINGS) or begun == BARE_CHANNEL:
            return []
        if self._begun and not self._channels:
            return self._think("", self._held)
        self._decided = True
        return self._answer()

    def _think(self, closing: str, text: str, closings: tuple[str, ...] = ()) -> list[ModelEvent]:
        self._closing, self._held = closing, text
        self._closings = closings or (LONE if closing == "" else (closing,))
        return self._thought()

    def _thought(self) -> list[ModelEvent]:
        low = self._held.lower()
        found = [(at, len(tag)) for tag in self._closings if (at := low.find(tag)) >= 0]
        if found:
            at, length = min(found)
            thought, self._held = self._held[:at], self._held[at + length :]
            self.closed_alone |= self._unannounced
            self._closing, self._opened = None, True
            self._unclosed.clear()
            said: list[ModelEvent] = [ReasoningDelta(thought)] if thought else []
            if self._channels:
                self._trims = True
                return said + (self._beginning() if self._held else [])
            self._ended = True
            return said + self._after()
        keep = _half(low, self._closings)
        thought = self._held[: len(self._held) - keep]
        self._held = self._held[len(thought) :]
        if thought and (self._unannounced or self._closing == BARE_FINAL):
            self._unclosed.append(thought)
        return [ReasoningDelta(thought)] if thought else []

    def _after(self) -> list[ModelEvent]:
        """What follows thinking: more of it, its closing tag once more, a tag around the answer, or the
        answer."""
        self._held = self._held.lstrip()
        low = self._held.lower()
        if not low:
            return []
        if (found := _opening(low)) is not None:
            self._ended = False
            return self._think(found[1][0], self._held[found[0] :], found[1])
        again = _closing_first(low)
        if again is not None:
            self._held = self._held[len(again) :]
            return self._after()
        wrapper = next((tag for tag in WRAPPERS if low.startswith(tag)), None)
        if wrapper is None and _may_begin(low, _AFTER):
            return []
        if wrapper is not None:
            self._wrapper, self._held = WRAPPERS[wrapper], self._held[len(wrapper) :]
        self._ended, self._decided, self._trims = False, True, True
        return self._answer()

    def _after_apart(self) -> list[ModelEvent]:
        """The beginning of an answer whose thinking came by itself."""
        self.over = self._apart = False
        begun = "" if self.before.strip() else self._held.lstrip()
        low = begun.lower()
        if (closing := _closing_first(low, _LEFT)) is not None:
            self._held, self._trims = begun[len(closing) :], True
        elif low and any(tag.startswith(low) for tag in _LEFT):
            self._apart = True
            return []
        return self._answer()

    def _answer(self) -> list[ModelEvent]:
        """The answer, without the blank lines that part it from the thinking."""
        if self._trims:
            self._held = self._held.lstrip()
            if not self._held:
                return []
            self._trims = False
        text, self._held = self._held, ""
        if self._channels:
            text = _CHANNEL_END.sub("", text)
            return self._given(text, _half(text, _CHANNEL_ENDS))
        if self._wrapper:
            return self._given(text, self._wrapped(text))
        return self._given(text, 0) if self._opened else self._watched(text)

    def _wrapped(self, text: str) -> int:
        """How much of the text may be the end of the tag around the answer: it counts at the very end."""
        at = text.lower().rfind(self._wrapper)
        if at >= 0 and not text[at + len(self._wrapper) :].strip():
            return len(text) - at
        return _half(text.lower(), (self._wrapper,))

    def _watched(self, text: str) -> list[ModelEvent]:
        """Looks for a closing tag without an opening one, which makes all before it thinking."""
        found = _LONE.search(text)
        opening = _OPENING.search(text)
        if opening and not (found and found.start() < opening.start()):
            self._opened = True
            return self._given(text, 0)
        if found is None:
            return self._given(text, _half(text.lower(), _MARKS))
        before, after = text[: found.start()], text[found.end() :]
        if not self._begins_line(before):
            if after in ("", "\n"):
                return self._given(text, len(text) - found.start())
            if not after.startswith("\n\n"):
                self._opened = True
                return self._given(text, 0)
        self.closed_alone = self._opened = self._trims = True
        said: list[ModelEvent] = [TextDelta(before)] if before else []
        self.before, self._held, self.over = "", after, False
        return [*said, TextWasThinking(), *self._answer()]

    def _begins_line(self, before: str) -> bool:
        """Whether what stands after `before` stands at the beginning of a line, or of all."""
        line = before if before.strip(" ") else self.before + before
        return line.rstrip(" ").endswith("\n") if line.strip(" ") else not self.before

    def _given(self, text: str, keep: int) -> list[ModelEvent]:
        said = text[: len(text) - keep]
        self._held = text[len(said) :]
        self.over = not self._held
        if not said:
            return []
        self.before = said
        return [TextDelta(said)]


def _opening(low: str) -> tuple[int, tuple[str, ...]] | None:
    """Of a text in small letters that begins with an opening tag: its length, and what may close it."""
    for opening, closing in TAGS.items():
        if low.startswith(opening):
            if opening[1:-1] not in _NAMES:
                return len(opening), (closing,)
            spaced = (closing.replace("</", "</ "), closing.replace(">", " >"))
            return len(opening), (closing, *spaced, *(_MIXED if closing in _MIXED else ()))
    odd = _ODD.match(low)
    if odd is None:
        return None
    names = {odd["name"], odd["name"] + (odd["of"] or "")}
    ends = (f"</{a}{name}{b}>" for name in sorted(names) for a in ("", " ") for b in ("", " "))
    return odd.end(), tuple(ends)


def _closing_first(low: str, closings: tuple[str, ...] = _CLOSINGS) -> str | None:
    """The closing tag that a text in small letters begins with."""
    return next((tag for tag in closings if low.startswith(tag)), None)


def _may_begin(low: str, tags: tuple[str, ...]) -> bool:
    """Whether a text in small letters may be the beginning of one of the tags."""
    if any(tag.startswith(low) for tag in tags):
        return True
    odd = _ODD_PART.match(low)
    if odd is None:
        return False
    return odd["part"] is None or any(name.startswith(odd["part"]) for name in _NAMES)


def whole(text: str, *, apart: bool = False) -> tuple[str, str]:
    """The thinking and the answer of a whole text. `apart`: its thinking has come by itself."""
    if not ("<" in text or "[" in text or "◁" in text or text.startswith(BARE_CHANNEL)):
        return "", text
    tags = ThinkTags()
    if apart:
        tags.no_more()
    thought, answer = "", ""
    for event in [*tags.split(text), *tags.rest()]:
        match event:
            case ReasoningDelta(more):
                thought += more
            case TextDelta(more):
                answer += more
            case TextWasThinking():
                thought, answer = thought + answer, ""
    return thought, answer


def _half(text: str, tags: tuple[str, ...]) -> int:
    """How many of the last characters may begin one of the tags."""
    return max((_half_of(text, tag) for tag in tags), default=0)


def _half_of(text: str, tag: str) -> int:
    return next(
        (n for n in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:n])), 0
    )
