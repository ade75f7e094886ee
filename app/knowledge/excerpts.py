"""A document that is too long for a prompt, searched by itself: the same passages and words as those of
bases, without a database."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePath

from app.attachments.blocks import blocks_of_text
from app.core.knowledge import Passage
from app.knowledge.passages import passages_of
from app.knowledge.terms import query_terms

_K, _B = 1.2, 0.75
"""BM25's own, as FTS5 has them."""


@lru_cache(maxsize=8)
def passages_in(text: str, name: str) -> tuple[Passage, ...]:
    """A text's passages. The first time takes a second a megabyte, or two."""
    return tuple(passages_of(blocks_of_text(text, PurePath(name).suffix.lower()), name)[0])


def best_of(passages: Sequence[Passage], question: str) -> list[Passage]:
    """The passages that hold words of the question, best first; then, for questions about the whole,
    others from all over the text: the first, the last, the middle, and so on."""
    words = [Counter(passage.terms.split()) for passage in passages]
    lengths = [sum(counted.values()) for counted in words]
    mean = sum(lengths) / len(lengths) if lengths else 1.0
    scores = [0.0] * len(passages)
    for term in query_terms(question):
        counts = [_count(term.forms, term.stem, counted) for counted in words]
        held = sum(map(bool, counts))
        rarity = math.log(1 + (len(passages) - held + 0.5) / (held + 0.5))
        for at, count in enumerate(counts):
            if count:
                size = 1 - _B + _B * lengths[at] / mean
                scores[at] += rarity * count * (_K + 1) / (count + _K * size)
    found = sorted((at for at in range(len(passages)) if scores[at]), key=lambda at: -scores[at])
    chosen = dict.fromkeys([*found, *_spread(len(passages))])
    return [passages[at] for at in chosen]


def _count(forms: Sequence[str], stem: str, counted: Counter[str]) -> int:
    count = sum(counted[form] for form in forms)
    if not count and stem:
        count = sum(times for word, times in counted.items() if word.startswith(stem))
    return count


def _spread(count: int) -> list[int]:
    """0, the last, the middle, the quarters: every place of so many, coarse before fine."""
    places = dict.fromkeys([0, count - 1]) if count else {}
    step = count
    while step > 1:
        step = math.ceil(step / 2)
        places |= dict.fromkeys(range(0, count, step))
    return list(places)
