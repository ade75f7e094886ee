"""Citations on the screen: marks that open their source, those that words leave open, and those that do not
hold struck through."""

from dataclasses import asdict, replace
from typing import Any

from app.conversation.export import OPEN, as_plain, why_struck, with_marks
from app.core.notes import CitationsNote, Mark
from app.core.text import Language, Text

UNSOURCED = Text(
    ru="этого числа нет в источнике",
    uk="цього числа немає в джерелі",
    en="this number is not in the source",
)


def marked(text: str, cited: CitationsNote, language: Language, own: bool) -> str:
    """An answer's text in Markdown, its citations as links that `konsilium.js` opens. A model's proof, which
    is the document's words, is shown to whose conversation it is."""

    def mark(one: Mark) -> str:
        one = one if own else replace(one, words="")
        if one.open:
            # `\\[1?\\]` would be a formula
            return f'[&#91;{one.number}?&#93;](#k-open-source-{one.number} "{OPEN[language]}")'
        if one.holds:
            words = f' "«{as_plain(one.words)}»"' if one.words else ""
            return f"[\\[{one.number}\\]](#k-source-{one.number}{words})"
        return f"~~\\[{one.number}\\]~~ *({why_struck(one, language)})*"

    def figure(written: str) -> str:
        return f'[{written}](#k-no-source "{UNSOURCED[language]}")'

    return with_marks(text, cited, mark, figure)


def listed(cited: CitationsNote, own: bool) -> dict[str, Any]:
    """What the element under the answer shows. Of a document, the text that the model was given is kept for
    whose conversation it is: others are asked at the door of its base, as everybody is for all around it."""
    sources = [asdict(source) for source in cited.sources]
    return {
        "sources": [one | {"text": ""} if one["id"] and not own else one for one in sources],
        "marks": len(cited.marks),
        "open": sorted({mark.number for mark in cited.marks if mark.open}),
        "checker": cited.checker.partition("/")[2],
        "check": cited.check,
    }
