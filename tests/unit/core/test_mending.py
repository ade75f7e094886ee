"""JSON of models and other programs: read, mended, or refused, in bounded work and depth."""

import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import app
from app.conversation.answer import Draft
from app.conversation.compression.summary import parse
from app.conversation.modes.dialogue.ending import (
    _AGREES,
    _SUBJECTS,
    _TALK,
    MAX_ENTRY_LENGTH,
    is_closing,
    may_close,
)
from app.conversation.partial_json import PartialObject
from app.conversation.structured import json_in
from app.core.mending import DEEPEST, json_of, mended, object_in
from app.core.reading import is_deeper

HERE = Path(app.__path__[0])
OF_OURS = {
    "attachments/reading.py", "attachments/worker.py", "core/post.py", "core/theme.py",
    "knowledge/library.py", "observability/workers.py", "providers/embedded/process.py",
    "providers/saved_servers.py", "storage/redis_post.py", "tools/web/worker.py",
    "view/chainlit/pages.py", "view/council.py", "view/imports.py",
}  # fmt: skip
"""What these read, the app has written itself."""
GUARDED = {
    "conversation/partial_json.py", "conversation/structured.py", "core/mending.py", "core/reading.py",
    "gateway/http.py", "providers/upstream_errors.py", "storage/history_import.py", "storage/transfer.py",
    "tools/mcp/config.py", "view/chainlit/wire.py",
}  # fmt: skip
"""These say themselves what is nested too deep, or read single texts and numbers."""


def test_nothing_of_others_is_read_that_may_be_nested_without_end():
    readers = {
        str(path.relative_to(HERE))
        for path in HERE.rglob("*.py")
        if re.search(r"json\.loads\b|json_repair\.loads|repair_json\(", path.read_text("utf-8"))
    }
    assert readers <= OF_OURS | GUARDED, "read it by app.core.mending.json_of"


@pytest.mark.parametrize("unit", ["[", '{"a":', '[{"a":', '{"message": {"title": "x", "message": '])
def test_what_is_nested_without_end_is_no_json(unit):
    for deep in (unit * 100_000, "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), unit * 300):
        with pytest.raises(ValueError, match=r"deep|Expecting"):
            json_of(deep)
        for read in (mended, json_in, object_in, parse):
            with contextlib.suppress(ValueError):
                assert not is_deeper(read(deep), DEEPEST)


def test_what_is_nested_as_people_do_is_read():
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert json.dumps(json_of(deep)) == deep


@pytest.mark.parametrize(
    "hostile",
    [
        "{" + "``'" * 13_000,
        "{" + '"//' * 13_000,
        '{"a" ' * 6_000,
        '["' + '"a":1,a' * 5_700,
        "{" + "(" * 40_000,
        "{" + ']{"a"' * 6_000,
        "{" + '"a":1,“' * 5_700,
        "{" * 40_000,
        "{" + "1{" * 20_000,
        '{"message": "' + "x" * 500_000,
    ],
    ids=lambda text: text[:9],
)
def test_mending_ends_whatever_a_model_has_written(hostile):
    for read in (json_in, parse, object_in):
        start = time.process_time()
        with contextlib.suppress(ValueError):
            read(hostile)
        assert time.process_time() - start < 2, read


def test_what_models_write_for_arguments_is_an_object():
    assert object_in("") == {}
    assert object_in('{"a": 1') == {"a": 1}
    assert object_in("{'a': 'it''s'}") != {}
    assert object_in("[1]") == {}
    assert object_in("call me") == {}


class Mute:
    """A step that nobody reads."""

    def replace(self, text):
        pass

    note = replace


@pytest.mark.parametrize(
    "begun", ["", "<think>", '{"', '{"title": "x", "message": ', "```", '{ "a": [1']
)
@pytest.mark.parametrize("unit", [" ", "\n", "a", "\\", "["])
def test_what_comes_letter_by_letter_is_looked_through_once(begun, unit):
    start = time.process_time()
    mute: Any = Mute()
    for feed in (PartialObject().feed, Draft(mute).visible):
        feed(begun)
        for _ in range(20_000):
            feed(unit)
    assert time.process_time() - start < 1


def test_a_word_without_end_is_none_that_parts():
    start = time.process_time()
    for letter in "aя\u0130":
        word = letter * 200_000
        may_close(word)
        is_closing(word, [word])
    assert time.process_time() - start < 2
    assert max(map(len, _TALK | _SUBJECTS | _AGREES)) <= MAX_ENTRY_LENGTH
