"""No regular expression that a module keeps holds the app up, whatever people or models write."""

import importlib
import pkgutil
import re
import time

import pytest

import app

LENGTH = 2_000
SECONDS = 2.0
"""A linear one takes milliseconds of the process' own time; one of cubic time, or worse, many seconds."""
MATCHED = {"app.conversation.modes.consultation.complexity._CHORE.0"}
"""Asked at the beginning of a text alone."""
UNITS = ["\n", " ", "a", "1", "-", "#", "[", "<", '"', "\\", "*", "`", "|", "a ", "a\n", "1.", "a-"]
UNITS += [
    " \n",
    "- ",
    "<a ",
    "<script",
    "[a](",
    "а",
    "не ",
    "$",
    "{",
    "```",
    "=",
    "_",
    "1 000 ",
    "'",
    ":",
]


def named():
    """Every compiled pattern that a module of the app keeps, by where it is."""
    found = {}
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(("__main__", "chainlit_app")) or ".migrations." in module.name:
            continue
        kept = vars(importlib.import_module(module.name))
        for name, value in kept.items():
            several = value if isinstance(value, tuple | list) else [value]
            for index, one in enumerate(several):
                if isinstance(one, re.Pattern):
                    found[f"{module.name}.{name}.{index}"] = one
    return found


def texts(pattern):
    for unit in UNITS:
        text = (unit * LENGTH)[:LENGTH]
        for whole in (text, "x" + text + "\x00", text + "!"):
            yield whole.encode() if isinstance(pattern.pattern, bytes) else whole


@pytest.mark.parametrize(("where", "pattern"), named().items(), ids=lambda it: str(it)[:60])
def test_a_pattern_takes_linear_time(where, pattern):
    for text in texts(pattern):
        begun = time.process_time()
        once = where in MATCHED
        for _ in [pattern.match(text)] if once else pattern.finditer(text):
            if time.process_time() - begun > SECONDS:
                break
        assert time.process_time() - begun < SECONDS, (where, text[:40])
