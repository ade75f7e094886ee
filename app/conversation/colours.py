"""The colours of those who speak beside one another: specialists, participants, candidates."""

COLOURS = ("#2d6fd2", "#b45309", "#0f7f63", "#a03fcf", "#be3a6e")
"""Blue, amber, green, violet, rose. White reads on each (4.5:1), and each is told from a dark ground
(3:1). The page has them as --k-voice-0 and so on in konsilium.css."""


def colour_of(number: int) -> str:
    """The colour of the speaker of that number, from 0."""
    return COLOURS[number % len(COLOURS)]
