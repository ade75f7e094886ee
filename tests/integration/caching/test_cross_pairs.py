"""All questions of the labelled set against all."""

import itertools

import pytest

from app.completion.caching.analysis import analyse
from app.completion.caching.matching import compare
from tests.data.questions.load import pairs


@pytest.mark.slow
def test_of_ten_thousand_pairs_of_different_questions_fewer_than_one_is_served():
    labelled = pairs()
    same = {frozenset((pair.first, pair.second)) for pair in labelled if pair.same}
    texts = sorted({text for pair in labelled for text in (pair.first, pair.second)})
    analyses = {text: analyse(text) for text in texts}
    tried = 0
    served = []
    for one, other in itertools.combinations(texts, 2):
        a, b = analyses[one], analyses[other]
        if a is None or b is None or frozenset((one, other)) in same:
            continue
        tried += 1
        if compare(a, b).kind == "serve":
            served.append((one, other))
    assert tried > 500_000
    assert len(served) / tried < 1 / 10_000, served
