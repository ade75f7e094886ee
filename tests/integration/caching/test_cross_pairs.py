"""All questions of the labelled set against all."""

import itertools

import pytest

from app.completion.caching.matching import interchangeable
from app.completion.caching.words import read
from tests.data.questions.load import pairs


@pytest.mark.slow
def test_of_all_pairs_of_different_questions_none_lacks_only_a_models_word():
    labelled = pairs()
    same = {frozenset((pair.first, pair.second)) for pair in labelled if pair.same}
    texts = sorted({text for pair in labelled for text in (pair.first, pair.second)})
    tried, served = 0, []
    for one, other in itertools.combinations(texts, 2):
        if frozenset((one, other)) in same:
            continue
        tried += 1
        if interchangeable(read(one), read(other)):
            served.append((one, other))
    assert tried > 1_000_000
    assert served == []
