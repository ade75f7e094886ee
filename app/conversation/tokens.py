"""How many tokens a prompt has, and how many there is room for."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.completion.tokens import LIKELY, cyrillic_share, text_tokens, window_for
from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.families import family_of
from app.core.models import ModelProfile, ModelRef
from app.core.options import ChatOptions
from app.core.ports import KeyValueStore

log = logging.getLogger(__name__)

CREDIBLE = (0.4, 5.0)
"""Counts per estimate that a tokenizer may give: SmolLM2, whose vocabulary has hardly a Cyrillic letter,
gives 2.02 for Russian; one that knew nothing but bytes would give 5."""


COUNTED_FROM = 1000
"""Estimated tokens of one script from which on a model that was never seen to write it is asked first."""
COUNTED_CHARACTERS = 16_000
"""Of a text, as many are sent to be counted."""
COUNT_SECONDS = 2.0
"""What a question waits for a count."""

CountTokens = Callable[[ModelRef, str], Awaitable[int]]
"""How many tokens a text is for a model, by its server's own tokenizer; raises a KonsiliumError."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a model's own counts compare with the estimate: tokens = estimate * factor."""

    factor: float = 1.0
    samples: float = 0
    """Counts that taught it; those of texts in two scripts are divided between them."""

    def tokens(self, bound: int) -> int:
        """The estimate for a prompt with that bound."""
        return math.ceil(bound * self.factor)

    def likely(self, bound: int) -> int:
        """The estimate without its caution."""
        return int(bound * self.factor * (1.0 if self.samples else LIKELY))


@dataclass(frozen=True, slots=True)
class Scales:
    """One model's two: a vocabulary made for English takes twice as many tokens for Russian."""

    cyrillic: Scale = Scale()
    rest: Scale = Scale()

    def mixed(self, share: float) -> Scale:
        """That of a text with this share of Cyrillic; as well known as its larger part."""
        factor = share * self.cyrillic.factor + (1 - share) * self.rest.factor
        return Scale(factor, self.cyrillic.samples if share > 0.5 else self.rest.samples)

    def learned(self, bound: int, counted: int, share: float) -> "Scales":
        """After one more count: a moving average that forgets in about ten answers. Of a text in both
        scripts each factor takes its part of the error (normalised least mean squares)."""
        known = ((self.cyrillic, share), (self.rest, 1 - share))
        weight = sum(part * max(0.1, 1 / (scale.samples + 1)) for scale, part in known)
        error = counted / bound - self.mixed(share).factor
        step = weight * error / (share**2 + (1 - share) ** 2)
        cyrillic, rest = (
            Scale(
                min(max(scale.factor + step * part, CREDIBLE[0]), CREDIBLE[1]), scale.samples + part
            )
            for scale, part in known
        )
        return Scales(cyrillic, rest)


class Calibration:
    """The scales of every model, kept over restarts under the scope `calibration`."""

    SCOPE = "calibration"

    def __init__(
        self, store: KeyValueStore | None = None, count: CountTokens | None = None
    ) -> None:
        self._store = store
        self._count = count
        self._uncounted: set[str] = set()
        self._scales: dict[str, Scales] | None = None

    async def scale(self, model: ModelRef, texts: Sequence[str] = ()) -> Scale:
        """What is known of that model for texts like these; the bare bound where nothing is."""
        scales = (await self._loaded()).get(str(model), Scales())
        return scales.mixed(cyrillic_share(texts))

    async def measured(self, model: ModelRef, texts: Sequence[str]) -> Scale:
        """The same for texts that are about to be sent: where they are long, and in a script that the
        model was never seen to count, its server is asked first, COUNT_SECONDS at most."""
        share = cyrillic_share(texts)
        scales = (await self._loaded()).get(str(model), Scales())
        if self._worth_counting(model, scales, share, texts):
            await self._count_some(model, "\n".join(texts)[:COUNTED_CHARACTERS])
        return await self.scale(model, texts)

    async def learn(self, model: ModelRef, bound: int, counted: int, share: float = 0.0) -> None:
        """A server counted `counted` tokens in a prompt with that bound and that share of Cyrillic. A
        count that no tokenizer would give (an old server leaves out what it had cached) teaches
        nothing."""
        if not CREDIBLE[0] <= counted / bound <= CREDIBLE[1]:
            return
        all_scales = await self._loaded()
        scales = all_scales.get(str(model), Scales()).learned(bound, counted, share)
        all_scales[str(model)] = scales
        if self._store is not None:
            await self._store.put(
                self.SCOPE,
                str(model),
                _kept(scales.rest) | {"cyrillic": _kept(scales.cyrillic)},
            )

    def _worth_counting(
        self, model: ModelRef, scales: Scales, share: float, texts: Sequence[str]
    ) -> bool:
        if self._count is None or str(model) in self._uncounted:
            return False
        parts = ((scales.cyrillic, share), (scales.rest, 1 - share))
        unknown = sum(part for scale, part in parts if scale.samples < 1)
        return unknown > 0 and unknown * sum(map(text_tokens, texts)) >= COUNTED_FROM

    async def _count_some(self, model: ModelRef, text: str) -> None:
        """Learns by one count. A server that cannot is not asked again; one that is late may be."""
        if self._count is None:
            return
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                counted = await self._count(model, text)
        except KonsiliumError as error:
            log.debug("%s counts no tokens: %s", model, error)
            self._uncounted.add(str(model))
        except TimeoutError:
            log.debug("%s counted no tokens within %g s", model, COUNT_SECONDS)
        else:
            await self.learn(model, text_tokens(text), counted, cyrillic_share([text]))

    async def _loaded(self) -> dict[str, Scales]:
        if self._scales is None:
            self._scales = await self._load()
        return self._scales

    async def _load(self) -> dict[str, Scales]:
        if self._store is None:
            return {}
        try:
            kept = await self._store.items(self.SCOPE)
        except StorageUnavailable as error:
            log.warning("calibration could not be read: %s", error.detail)
            return {}
        return {
            model: Scales(_scale(value.get("cyrillic", value)), _scale(value))
            for model, value in kept.items()
        }


def _kept(scale: Scale) -> dict[str, Any]:
    return {"factor": round(scale.factor, 4), "samples": round(scale.samples, 2)}


def _scale(value: Mapping[str, Any]) -> Scale:
    return Scale(float(value["factor"]), float(value["samples"]))


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
