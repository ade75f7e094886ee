"""How many tokens a prompt will be: an upper bound by letters, calibrated by the servers' own counts.

There is no tokenizer that fits every model. Measured characters per token: 3.2-3.4 Ukrainian and
Russian, 4.2 English (a Llama 3 vocabulary), 2.85 Russian (Qwen 3); the divisors below stay under all
of them. After a few answers the estimate follows the model's own counts.
"""

import logging
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from app.core.errors import StorageUnavailable
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.ports import KeyValueStore

log = logging.getLogger(__name__)

MESSAGE_TOKENS = 8
"""What a chat template puts around one message, at most."""
IMAGE_TOKENS = 768
CREDIBLE = (0.4, 2.0)
"""Counts per bound that a tokenizer may give."""
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U0001f000-\U0001faff]")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


@lru_cache(maxsize=2048)
def text_tokens(text: str) -> int:
    """An upper bound: Cyrillic letters / 2.5, Latin and all else / 3.5, code / 3, CJK one each."""
    code = sum(len(block) for block in _CODE.findall(text))
    prose = _CODE.sub("", text) if code else text
    cyrillic = len(_CYRILLIC.findall(prose))
    wide = len(_WIDE.findall(prose))
    return math.ceil(cyrillic / 2.5 + wide + (len(prose) - cyrillic - wide) / 3.5 + code / 3)


def message_tokens(message: Message) -> int:
    """One message of a prompt with its wrapping and its images."""
    return text_tokens(message.text) + IMAGE_TOKENS * len(message.images) + MESSAGE_TOKENS


def prompt_tokens(messages: Iterable[Message]) -> int:
    """A whole prompt."""
    return sum(message_tokens(message) for message in messages)


@dataclass(frozen=True, slots=True)
class Scale:
    """How a model's own counts compare with the bound: tokens = bound * factor."""

    factor: float = 1.0
    samples: int = 0

    def tokens(self, bound: int) -> int:
        """The estimate for a prompt with that bound."""
        return math.ceil(bound * self.factor)

    def likely(self, bound: int) -> int:
        """The estimate without its caution: uncalibrated, the bound is a third too high on average."""
        return int(bound * self.factor * (1.0 if self.samples else 0.75))

    def learned(self, bound: int, counted: int) -> "Scale":
        """After one more count: a moving average that forgets in about ten answers."""
        weight = max(0.1, 1 / (self.samples + 1))
        factor = self.factor + weight * (counted / bound - self.factor)
        return Scale(factor, self.samples + 1)


class Calibration:
    """The scale of every model, kept over restarts under the scope `calibration`."""

    SCOPE = "calibration"

    def __init__(self, store: KeyValueStore | None = None) -> None:
        self._store = store
        self._scales: dict[str, Scale] | None = None

    async def scale(self, model: ModelRef) -> Scale:
        """What is known of that model; the bare bound where nothing is."""
        return (await self._loaded()).get(str(model), Scale())

    async def learn(self, model: ModelRef, bound: int, counted: int) -> None:
        """A server counted `counted` tokens in a prompt with that bound. A count that no tokenizer
        would give (an old server leaves out what it had cached) teaches nothing."""
        if not CREDIBLE[0] <= counted / bound <= CREDIBLE[1]:
            return
        scales = await self._loaded()
        scale = scales.get(str(model), Scale()).learned(bound, counted)
        scales[str(model)] = scale
        if self._store is not None:
            kept = {"factor": round(scale.factor, 4), "samples": scale.samples}
            await self._store.put(self.SCOPE, str(model), kept)

    async def _loaded(self) -> dict[str, Scale]:
        if self._scales is None:
            self._scales = await self._load()
        return self._scales

    async def _load(self) -> dict[str, Scale]:
        if self._store is None:
            return {}
        try:
            kept = await self._store.items(self.SCOPE)
        except StorageUnavailable as error:
            log.warning("calibration could not be read: %s", error.detail)
            return {}
        return {
            model: Scale(float(value["factor"]), int(value["samples"]))
            for model, value in kept.items()
        }
