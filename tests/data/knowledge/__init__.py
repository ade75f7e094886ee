"""The measured set: what it holds is told in README.md."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from app.core.tools import Source

FOLDER = Path(__file__).parent
DOCUMENTS = sorted((FOLDER / "documents").iterdir())


@dataclass(frozen=True)
class Asked:
    """A question; `document` is empty where no document answers it."""

    document: str
    passage: str
    question: str
    answer: str


def questions() -> list[Asked]:
    """All 120, as they stand in the file."""
    with open(FOLDER / "questions.tsv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Asked(row["document"].strip("-"), row["passage"], row["question"], row["answer"])
            for row in rows
        ]


@dataclass(frozen=True)
class Cited:
    """An answer with its citations: of each number in it, whether it is right."""

    text: str
    right: tuple[bool, ...]
    sources: tuple[Source, ...]
    question: str
    kind: str = ""
    """How it is right or wrong: the letter that `hard-tuned.txt` explains."""


def cited(name: str = "citations.txt") -> list[Cited]:
    """All answers of that file."""
    found: list[Cited] = []
    sources: list[Source] = []
    question = ""
    for line in (FOLDER / name).read_text("utf-8").splitlines():
        signs, _, text = line.replace("⏎", "\n").partition(" ")
        if signs == "=":
            sources, question = [], ""
        elif signs[:-1].isdigit():
            sources.append(Source("Document.pdf", text=text, id=f"d/{len(sources)}"))
        elif signs == "?":
            question = text
        elif signs[:1] in ("+", "-"):
            right = tuple(sign == "+" for sign in signs if sign in "+-")
            found.append(Cited(text, right, tuple(sources), question, signs.lstrip("+-")))
    return found


def a_scan() -> bytes:
    """The twelfth document: a PDF whose one page is a picture of `scan.txt`."""
    page = Image.new("L", (1240, 900), 255)
    text = (FOLDER / "scan.txt").read_text("utf-8")
    ImageDraw.Draw(page).multiline_text(
        (90, 90), text, font=ImageFont.load_default(36), fill=0, spacing=22
    )
    content = io.BytesIO()
    page.save(content, "PDF", resolution=150)
    return content.getvalue()
