"""The ways to answer: each folder or module here with a MODE in it is one, and all that is its own stands
there: its options, texts, notes and the elements that show these (`Name.jsx`)."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from app.conversation.mode import Mode
from app.core.notes import COMMON, Note


def modes_in(package: str) -> tuple[Mode, ...]:
    """The MODE of each part of that package, in the order of the picker: by its PLACE, from 0."""
    folder = import_module(package).__path__
    parts = [import_module(f"{package}.{part.name}") for part in pkgutil.iter_modules(folder)]
    return tuple(part.MODE for part in sorted(parts, key=lambda part: int(part.PLACE)))


def elements_in(package: str) -> dict[str, Path]:
    """The elements that the modes of that package draw with: name -> file, served below /public."""
    folders = map(Path, import_module(package).__path__)
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*/*.jsx"))}


MODES = modes_in(__name__)
NOTES: tuple[type[Note], ...] = (*COMMON, *(note for mode in MODES for note in mode.notes))
ELEMENTS: Mapping[str, Path] = elements_in(__name__)


def mode_named(mode_id: str) -> Mode:
    """The mode of that id; plain chat for an id of a version that is gone."""
    return next((mode for mode in MODES if mode.id == mode_id), MODES[0])
