"""The colours of those who speak in turn."""

COLOURS = ("#3b82f6", "#d97706", "#059669", "#a855f7")
"""Blue, amber, green, violet; each stands 3:1 against both a white and a near-black ground."""


def colour_of(number: int) -> str:
    """The colour of the speaker of that number, from 0."""
    return COLOURS[number % len(COLOURS)]
