"""How many tokens a prompt has, and how many there is room for."""

import logging
import math
from dataclasses import dataclass

from app.completion.tokens import LIKELY, window_for
from app.core.errors import StorageUnavailable
from app.core.families import family_of
from app.core.models import ModelProfile, ModelRef
from app.core.options import ChatOptions
from app.core.ports import KeyValueStore

log = logging.getLogger(__name__)

CREDIBLE = (0.4, 5.0)
"""Counts per estimate that a tokenizer may give: SmolLM2, whose vocabulary has hardly a Cyrillic letter,
gives 2.02 for Russian; one that knew nothing but bytes would give 5."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a model's own counts compare with the estimate: tokens = estimate * factor."""

    factor: float = 1.0
    samples: int = 0

    def tokens(self, bound: int) -> int:
        """The estimate for a prompt with that bound."""
        return math.ceil(bound * self.factor)

    def likely(self, bound: int) -> int:
        """The estimate without its caution."""
        return int(bound * self.factor * (1.0 if self.samples else LIKELY))

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


NEARLY_FULL = 0.85
"""From this share of the window on, a person is warned."""
HALF_WITHIN = 8
"""Tokens by which a prompt cut in half misses the half of the window."""


def window_of(profile: ModelProfile, options: ChatOptions, needs: int = 0) -> int | None:
    """`window_for` with the person's figure; the family's where nobody knows better."""
    found = window_for(profile, needs, int(options.number("window")) or None)
    return found or family_of(profile.ref.name).window


def nearly_full(used: int | None, size: int | None) -> bool:
    """Whether to warn."""
    return used is not None and size is not None and used >= NEARLY_FULL * size


def cut_by_server(
    counted: int | None, likely: int | None, window: int | None = None, bound: int | None = None
) -> bool:
    """Whether the server must have dropped part of the prompt in silence, as old versions of Ollama do:
    it counted far fewer tokens than the estimate (`Scale.likely`) can be wrong by, or what is left of a
    prompt that filled the window: all of it, or half where the `bound` is more. Short prompts prove
    nothing."""
    if counted is None:
        return False
    if window is not None and counted >= window:
        return True
    halved = window is not None and 0 <= counted - window // 2 <= HALF_WITHIN
    if halved and bound is not None and bound > counted:
        return True
    if likely is None or likely < 1000:
        return False
    return counted < 0.7 * likely
