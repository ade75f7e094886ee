"""No regular expression holds the app up, whatever people or models write."""

import ast
import importlib
import pkgutil
import re
import signal
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import app

LENGTH = 30_000
SECONDS = 0.5
"""Of the process' own time. A linear one takes milliseconds; one of quadratic time, or worse, seconds."""
TRUSTED = {
    "app.access.origins._INLINE_SCRIPT.0": "pages of our own",
    "app.view.chainlit.markdown.DRAWING.0": "400 characters of Chainlit's script",
    "app.view.chainlit.markdown.DIALOG_TITLE.0": "Chainlit's script",
    "app.view.chainlit.pages._META_IMAGE.0": "Chainlit's page",
}
"""Nothing of what people or models write, and what it is instead."""
BUILT = {
    ("refused.py", "learn"): "the name of one parameter",
    ("refused.py", "refused_parameter"): "the names of parameters",
    ("selection.py", "holds_any"): "words, escaped",
    ("thread_pages.py", "excerpt"): "words that are searched for, escaped",
    ("citations.py", "_kept"): "a class of dashes, ours",
    ("blind.py", "neutral"): "the name of a model, escaped",
    ("chats.py", "excerpts"): "a word that is searched for, escaped",
    ("ending.py", "_phrases"): "a table of phrases: what is made of it is tried here",
    ("families.py", "_rows"): "a row of models.toml, over the name of a model",
    ("lasting.py", "_any"): "tables of words: what is made of them is tried here",
    ("logs.py", "__init__"): "secrets, escaped",
    ("refused.py", "_named"): "the names of parameters",
    ("embedding.py", "of"): "words of ours, over the name of a model",
}
"""Patterns that a function puts together, and what of."""
UNITS = ["\n", " ", "a", "1", "-", "#", "[", "<", '"', "\\", "*", "`", "|", "a ", "a\n", "1.", "a-"]
UNITS += [" \n", "- ", "<a ", "<script", "[a](", "а", "не ", "$", "{", "```", "=", "_", "1 000 "]
UNITS += ["'", ":", "да ", "да, ", "пусть ", "олог", "<_", "</", "\t", "\r\n", "что a ", '\\"', "Z"]
USES = ("search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
AT_THE_START = {"match", "fullmatch"}
HERE = Path(app.__path__[0])
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(HERE.rglob("*.py"))}


@cache
def trees():
    """Every file of the app, parsed: where a test asks, not whenever these are listed."""
    return {path: ast.parse(source) for path, source in SOURCES.items()}


def kept():
    """Every compiled pattern that a module of the app keeps, by where it is; and its file."""
    found = {}
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(("__main__", "chainlit_app")) or ".migrations." in module.name:
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            several = value if isinstance(value, tuple | list) else [value]
            for index, one in enumerate(several):
                if isinstance(one, re.Pattern):
                    found[f"{module.name}.{name}.{index}"] = Path(str(loaded.__file__)), one
    return found


def calls(*uses):
    """(file, call, name before the dot, name behind it) of every `pattern.search(...)` and its like, or of
    what is called so."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in (uses or USES):
                owner = called.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                yield path, node, name, called.attr


def uses():
    """How each name that holds a pattern is used: those with an underscore by their own module."""
    found: dict[str, set[str]] = {}
    for path, _, name, use in calls():
        at = ".".join(("app", *path.relative_to(HERE).with_suffix("").parts))
        whole = f"{at.removesuffix('.__init__')}.{name}" if name.startswith("_") else name
        found.setdefault(whole, set()).add(use)
    return found


def written_in_place():
    """Patterns that stand in their call as a text, and the call."""
    return {
        f"{path.relative_to(HERE)}:{call.lineno}": (
            path,
            re.compile(ast.literal_eval(call.args[0])),
            {use},
        )
        for path, call, name, use in calls()
        if name == "re" and isinstance(call.args[0], ast.Constant)
    }


@cache
def patterns():
    """By folder: where each stands, the pattern, and how it is used. Asked at the beginning of a text alone,
    it may do what would be too slow at each place of it."""
    used, found, seen = uses(), defaultdict(list), set()
    for where, (path, pattern) in kept().items():
        whole = where.rpartition(".")[0]
        name = whole.rpartition(".")[2]
        by = frozenset(used.get(whole if name.startswith("_") else name, {"finditer"}))
        if where not in TRUSTED and (pattern, by) not in seen:  # one that is imported is the same
            found[path.parent].append((where, pattern, by))
            seen.add((pattern, by))
    for where, (path, pattern, by) in written_in_place().items():
        found[path.parent].append((where, pattern, by))
    return found


def texts(pattern):
    """Long ones of one unit: common ones, and words that the pattern itself looks for."""
    source = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    own = re.findall(r"(?<!\\)[^\W\d_]{2,}", source)[:8]
    for unit in (*UNITS, *own, *(word + " " for word in own)):
        text = (unit * LENGTH)[:LENGTH]
        for whole in (text, "x" + text + "\x00"):
            yield whole.encode() if isinstance(pattern.pattern, bytes) else whole


class TooSlow(Exception):
    """The clock of the process' own time has run out."""


@pytest.fixture
def clock():
    def late(*_):
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, late)
    yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


FOLDERS = sorted({path.parent for path in SOURCES})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HERE)))
def test_no_pattern_of_a_folder_runs_wild(folder, clock):
    for where, pattern, used in patterns()[folder]:
        for text in texts(pattern):
            clock()
            try:
                if used <= AT_THE_START:
                    for use in used:
                        getattr(pattern, use)(text)
                else:
                    for _ in pattern.finditer(text):
                        pass
            except TooSlow:
                pytest.fail(f"{where} on {text[:40]!r}")


def test_patterns_that_are_put_together_are_known():
    built = {
        (path.name, function)
        for path, call, name, use in calls(*USES, "compile")
        if name == "re" and not isinstance(call.args[0], ast.Constant)
        if (function := around(path, call)) or use != "compile"
    }
    assert built <= set(BUILT), "name a compiled pattern, or say here what it is put together of"


def around(path, call):
    """The name of the innermost function that the call stands in."""
    functions = [
        node
        for node in ast.walk(trees()[path])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= call.lineno <= (node.end_lineno or 0)
    ]
    return max(functions, key=lambda node: node.lineno).name if functions else ""


@pytest.mark.parametrize(
    ("pattern", "unit"), [(r"^\s*[#/]", "\n"), (r"(a+)+b", "a"), (r"\s+$", " "), (r"\w+x", "a")]
)
def test_such_a_test_finds_patterns_that_do(pattern, unit, clock):
    clock()
    with pytest.raises(TooSlow):
        for _ in re.compile(pattern, re.MULTILINE).finditer(unit * LENGTH + "!"):
            pass


def test_normal_forms_are_made_in_one_place_alone():
    """Python's own sorts marks by insertion; of one letter and its mark it may."""
    own = {
        path.name
        for path, call, name, _ in calls("normalize")
        if name == "unicodedata" and path.name != "normal_forms.py"
    }
    assert own <= {"blind.py"}
