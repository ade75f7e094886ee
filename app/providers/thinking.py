"""Thinking that a server leaves in the answer's text: `<think>…</think>` at its beginning.

Servers with a parser for the model's family separate it themselves; others (llama.cpp without one,
LM Studio, older Ollamas) do not. Only the very beginning counts: later tags are the answer's own.
"""

from app.core.events import ModelEvent, ReasoningDelta, TextDelta

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Splits the text of one answer; `over` once nothing is left to decide."""

    def __init__(self) -> None:
        self.over = False
        self._thinking = False
        self._thought_through = False
        self._held = ""

    def split(self, text: str) -> list[ModelEvent]:
        """The events that more text makes; what may be half a tag is held back."""
        self._held += text
        if self._thought_through:
            return self._answer()
        if self._thinking:
            return self._thought()
        begun = self._held.lstrip()
        if begun.startswith(OPEN):
            self._thinking = True
            self._held = begun[len(OPEN) :]
            return self._thought()
        if OPEN.startswith(begun):
            return []
        return self.rest()

    def rest(self) -> list[ModelEvent]:
        """What was held back, at the end or when it is no tag."""
        self.over = True
        held, self._held = self._held, ""
        if not held:
            return []
        return [ReasoningDelta(held) if self._thinking else TextDelta(held)]

    def _thought(self) -> list[ModelEvent]:
        thought, tag, answer = self._held.partition(CLOSE)
        if tag:
            self._thinking, self._thought_through, self._held = False, True, answer
            return [*([ReasoningDelta(thought)] if thought else []), *self._answer()]
        keep = _half_tag(thought)
        self._held = thought[len(thought) - keep :]
        said = thought[: len(thought) - keep]
        return [ReasoningDelta(said)] if said else []

    def _answer(self) -> list[ModelEvent]:
        """The answer without the blank lines that part it from the thinking."""
        self._held = self._held.lstrip()
        return self.rest() if self._held else []


def _half_tag(text: str) -> int:
    """How many of the last characters may begin the closing tag."""
    return next(
        (n for n in range(min(len(CLOSE) - 1, len(text)), 0, -1) if text.endswith(CLOSE[:n])), 0
    )
