"""How the models of a turn sample."""

from app.core.options import ChatOptions
from app.core.requests import Sampling


def sampling_of(options: ChatOptions) -> Sampling:
    """The sampling a person chose in the panel."""
    return Sampling(
        temperature=options.number("temperature"),
        max_tokens=int(options.number("max_tokens")) or None,
    )
