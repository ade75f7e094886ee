"""The context window of a model, and how full it is."""

from app.core.families import family_of
from app.core.models import ModelProfile
from app.core.options import ChatOptions

ANSWER_RESERVE = 1024
NEARLY_FULL = 0.85
"""From this share of the window on, a person is warned."""


def window_of(profile: ModelProfile, options: ChatOptions) -> int | None:
    """Tokens for prompt and answer together: what the server really allocated, else what it says,
    else the person's own figure, else the family's; None where nobody knows.

    A person's figure never widens what a server said: it would be cut there in silence.
    """
    said = (profile.load.context_length if profile.load else None) or profile.window
    chosen = int(options.number("window")) or None
    if said and chosen:
        return min(said, chosen)
    return said or chosen or family_of(profile.ref.name).window


def answer_reserve(options: ChatOptions, window: int) -> int:
    """Tokens of the window kept for the answer: as the person chose, else an eighth, 1,024 at most."""
    chosen = int(options.number("max_tokens"))
    return min(chosen or min(ANSWER_RESERVE, window // 8), window // 2)


def nearly_full(used: int | None, size: int | None) -> bool:
    """Whether to warn."""
    return used is not None and size is not None and used >= NEARLY_FULL * size


def cut_by_server(counted: int | None, likely: int | None) -> bool:
    """Whether the server must have dropped part of the prompt in silence: it counted far fewer tokens
    than the estimate (`Scale.likely`) can be wrong by. Short prompts prove nothing."""
    if counted is None or likely is None or likely < 1000:
        return False
    return counted < 0.7 * likely
