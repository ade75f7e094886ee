"""No regular expression over people's text takes more than linear time; nor does reading a question."""

import importlib
import pkgutil
import random
import re
import time
from pathlib import Path

import pytest

from app.completion import caching
from app.completion.caching.lasting import lasting
from app.completion.caching.matching import compare, interchangeable
from app.completion.caching.query import MAX_NEAR, exact_form
from app.completion.caching.words import read, terms_of

MOTIFS = (
    "\n", " ", "\t ", "a", "я", "1", "-", "'", '"', ".", ",", "1,", "1.", "a-", "a'", "# ", "/", "`",
    "что ", "how ", "еще", "is the ", "как лучше ", "what is the ", "чи \u043f", "Is A", "-1", "$1", "{", "(", "\u0301",
)  # fmt: skip
LENGTH = 10_000
"""Quadratic time would be ten seconds and more."""
SECONDS = 0.5


@pytest.fixture(scope="module", autouse=True)
def _what_the_first_comparison_reads_is_read():
    compare(read("что такое 1"), read("what is 2"))


def patterns():
    for module in pkgutil.iter_modules(caching.__path__):
        name = f"{caching.__name__}.{module.name}"
        for variable, value in vars(importlib.import_module(name)).items():
            if isinstance(value, re.Pattern):
                yield pytest.param(value, id=f"{module.name}.{variable}")


def seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("pattern", list(patterns()))
def test_every_pattern_of_the_package_is_linear(pattern):
    for motif in MOTIFS:
        text = motif * (LENGTH // len(motif)) + "\x00"
        for search in (pattern.findall, pattern.fullmatch):
            assert seconds(lambda s=search, t=text: s(t)) < SECONDS, motif


def test_no_pattern_hides_in_a_function():
    for file in Path(caching.__path__[0]).glob("*.py"):
        source = file.read_text(encoding="utf-8")
        inline = re.findall(
            r"^ +.*\bre\.(?:search|match|fullmatch|findall|finditer|split|sub)\(", source, re.M
        )
        assert inline == [], file.name


def test_any_text_can_be_read():
    draw = random.Random(5)
    alphabet = "aбіяuи bь.,-'\"«»()[]{}0 1 5%$€!?…—\n\u0301😀٣ ß漢 " + "".join(MOTIFS)
    for _ in range(5_000):
        one, other = ("".join(draw.choices(alphabet, k=draw.randint(0, 30))) for _ in range(2))
        a, b = read(one), read(other)
        assert compare(a, b) == compare(b, a) or compare(a, b).score == compare(b, a).score
        assert interchangeable(a, a)
        terms_of(a, 12)
        lasting(one)


@pytest.mark.parametrize("motif", MOTIFS)
def test_a_long_question_is_judged_and_named_quickly(motif):
    text = motif * (30_000 // len(motif))
    assert seconds(lambda: (lasting(text), exact_form(text))) < SECONDS
    short = text[:MAX_NEAR]
    assert seconds(lambda: compare(read(short), read(short + " x"))) < SECONDS
