"""How the models of a turn sample."""

from app.core.options import TEMPERATURE, ChatOptions
from app.core.requests import Sampling


def sampling_of(options: ChatOptions) -> Sampling:
    """The sampling a person chose in the panel; what was left as it was is the model's own affair."""
    temperature = options.number("temperature")
    return Sampling(
        temperature=None if temperature == TEMPERATURE else temperature,
        max_tokens=int(options.number("max_tokens")) or None,
    )
