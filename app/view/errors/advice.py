"""What an error's words are made of."""

from dataclasses import dataclass

from app.core.text import Text


@dataclass(frozen=True, slots=True)
class Advice:
    """What the error card says: a title, what to do, a command to copy, and the buttons."""

    title: Text
    text: Text
    command: str | None = None
    retry: bool = True
    later: bool = False
    """Time mends it: the text goes on with when to try again."""


KEPT = Text(
    ru="Всё, что успело прийти, сохранено и помечено как неполное.",
    uk="Усе, що встигло надійти, збережено й позначено як неповне.",
    en="Whatever had come is kept and marked as incomplete.",
)
