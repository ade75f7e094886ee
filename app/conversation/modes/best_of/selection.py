"""Which candidate is the best: what rules one out, and how the rest are scored. Pure functions.

The medoid is the candidate that shares the most word n-grams with the others, the mode of the
distribution (ModeX, arXiv 2601.02535). The default puts care of writing before it, which by the figures
in docs/council.md tells a good answer better; length and keywords (`heuristic`, as first asked for) are
only offered.
"""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.conversation.language import language_of_text, words_of
from app.conversation.modes.best_of.candidates import Candidate
from app.conversation.modes.best_of.notes import CandidateNote, CandidateScore
from app.conversation.modes.council.agreement import NUMBER, figure_of
from app.core.mending import json_of
from app.core.text import Language

Veto = Literal["failed", "empty", "cut", "language", "forbidden", "structure"]

GOOD_LENGTH = (100, 500)
"""Characters between which the heuristic finds a length good (as first asked for)."""
CAREFUL = "careful"
"""The way of choosing that is the default: the most carefully written, of those the most like the others."""
MAX_FORBIDDEN, MAX_FORBIDDEN_CHARACTERS = 300, 20_000
"""Words of a person's list that are looked for."""
TELLING = 20
"""Letters from which a text's language is judged."""
STEM = 5
"""Letters by which a keyword is recognised in its other forms."""

SHOWS_CARE = 300
"""Characters from which a text has had occasion for quotation marks, a dash and ё."""

REFUSAL_CHARACTERS = 160
_WORD = re.compile(r"\w+")
_REFUSAL = re.compile(
    r"не могу (?:\w+ )?(?:помочь|ответить|выполнить|предоставить|обсуждать|дать|с этим)|не в состоянии|"
    r"не имею возможности|вынужден\w* отказать|не можу (?:\w+ )?(?:допомогти|відповісти|виконати|надати|обговорювати|дати)|"
    r"не маю змоги|(?:can.?t|cannot|unable to|not able to|won.t) (?:\w+ )?(?:help|assist|answer|provide|comply|"
    r"discuss|fulfil|do that)|(?:как|as an?|як) (?:языковая модель|мовна модель|ai\b|language model)",
    re.IGNORECASE,
)
_LIST = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+\S", re.MULTILINE)
_MARKS = re.compile(r"\*\*\S|^#{1,6}\s|^\|.+\||```|\n\n", re.MULTILINE)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_JSON_BLOCK = re.compile(r"```json\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_ABOUT_LANGUAGE = re.compile(
    r"перев[её]|переклад|перекла[дс]|translat|язык|мов[иіауою]|language|английск|англійськ|english|"
    r"українськ|украинск|русск|російськ|russian|ukrainian|немецк|німецьк|german|французск|французьк|french",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Score:
    """What speaks for a candidate, 0 to 1, and what rules it out."""

    candidate: Candidate
    score: float = 0.0
    vetoes: tuple[Veto, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def told(self) -> CandidateScore:
        """For the notes of the steps."""
        return CandidateScore(
            self.candidate.step_id,
            self.candidate.number,
            round(self.score, 3),
            self.vetoes,
            {name: round(value, 3) for name, value in self.parts.items()},
        )

    def note(self, best: "Score") -> CandidateNote:
        """For the candidate's own step."""
        told, sampling = self.told, self.candidate.sampling
        return CandidateNote(
            told.number,
            sampling.temperature,
            sampling.top_p,
            queued=False,
            score=told.score,
            vetoes=told.vetoes,
            parts=told.parts,
            chosen=self.candidate is best.candidate,
        )


def vetoes(
    candidate: Candidate, question: str, language: Language, forbidden: Sequence[str]
) -> tuple[Veto, ...]:
    """What rules the candidate out; `language` is the question's."""
    text = candidate.text.strip()
    found: list[Veto] = []
    if candidate.error is not None:
        found.append("failed")
    if not text:
        return (*found, "empty")
    if candidate.finish_reason == "length":
        found.append("cut")
    letters = sum(map(len, words_of(text)))
    if (
        letters >= TELLING
        and not _ABOUT_LANGUAGE.search(question)
        and language_of_text(text, language) != language
    ):
        found.append("language")
    if holds_any(text, forbidden):
        found.append("forbidden")
    if _is_broken(text):
        found.append("structure")
    return tuple(found)


def forbidden_words(listed: str) -> tuple[str, ...]:
    """The person's list, separated by commas, semicolons or lines; `word*` stands for any ending."""
    words = (
        word.strip().lower() for word in re.split(r"[,;\n]", listed[:MAX_FORBIDDEN_CHARACTERS])
    )
    return tuple(dict.fromkeys(filter(None, words)))[:MAX_FORBIDDEN]


def holds_any(text: str, forbidden: Sequence[str]) -> bool:
    """Whether one of the words or phrases stands in the text, in any case of letters."""
    return any(re.search(_whole(word), text, re.IGNORECASE) for word in forbidden)


def _whole(word: str) -> str:
    if word.endswith("*"):
        return rf"(?<!\w){re.escape(word[:-1])}"
    return rf"(?<!\w){re.escape(word)}(?!\w)"


def _is_broken(text: str) -> bool:
    if text.count("```") % 2:
        return True
    blocks = _JSON_BLOCK.findall(text)
    if text[0] in "{[" and text[-1] in "}]":
        blocks.append(text)
    return any(not _is_json(block) for block in blocks)


def _is_json(text: str) -> bool:
    try:
        json_of(text, strict=False)
    except ValueError:
        return False
    return True


def medoid_scores(texts: Sequence[str]) -> list[float]:
    """How much each text agrees with the others, 0 to 1: the mean of Jaccard similarities of word 1-,
    2- and 3-grams, digits and code with their letters' case among the words, and, as much again, of
    what they come to: the last figure, where they have figures. A text alone scores 1.

    Refusals agree with each other by their wording alone, so they score nothing unless most refuse.
    """
    if len(texts) < 2:
        return [1.0] * len(texts)
    refusing = [is_refusal(text) for text in texts]
    if sum(refusing) * 2 > len(texts):
        refusing = [False] * len(texts)
    grams = [[_grams(_WORD.findall(text), n) for n in (1, 2, 3)] for text in texts]
    results = [last_figure(text) for text in texts]
    figured = sum(result is not None for result in results) * 2 > len(texts)
    scores = []
    for i, own in enumerate(grams):
        alike = []
        for j, other in enumerate(grams):
            if j == i or refusing[j]:
                continue
            words = sum(_jaccard(a, b) for a, b in zip(own, other, strict=True)) / 3
            agreed = float(results[i] is not None and results[i] == results[j])
            alike.append((words + agreed) / 2 if figured else words)
        scores.append(0.0 if refusing[i] or not alike else sum(alike) / len(alike))
    return scores


def careful_parts(texts: Sequence[str], language: Language) -> list[dict[str, float]]:
    """For each text its care, its likeness to the others (of the one that has most) and its structure, 0
    to 1. Where more than half come to one figure, that counts first: the others have no care. Where most
    are too short to show any, or in another language, care and structure are the same for all."""
    agreed = medoid_scores(texts)
    most = max(agreed, default=0.0) or 1.0
    short = sum(len(text) < SHOWS_CARE for text in texts) * 2 > len(texts)
    told = language != "en" and not short
    figures = [last_figure(text) for text in texts]
    common, count = Counter(figures).most_common(1)[0] if figures else (None, 0)
    counted = common is not None and count * 2 > len(texts)
    parts = []
    for text, figure, score in zip(texts, figures, agreed, strict=True):
        careful = care(text, language) if told else 1.0
        if counted and figure != common:
            careful = 0.0
        built = structure(text) if told else 0.0
        parts.append({"care": careful, "likeness": score / most, "structure": built})
    return parts


def _careful(parts: Mapping[str, float]) -> float:
    """One mark of care weighs as much as likeness and structure together."""
    return (4 * parts["care"] + (parts["likeness"] + parts["structure"]) / 2) / 5


def care(text: str, language: Language) -> float:
    """How far a Russian or Ukrainian text is set as its readers print it, 0 to 1: «», a dash —, ё, no
    straight quotes. Models that have read much of a language write it so, and models that translate in
    their heads do not."""
    prose = _CODE.sub(" ", text)
    marks = ["«" in prose, "—" in prose, '"' not in prose]
    if language == "ru":
        marks.append("ё" in prose.lower())
    return sum(marks) / len(marks)


def structure(text: str) -> float:
    """Half for a list, half for other marks of Markdown or paragraphs."""
    return (bool(_LIST.search(text)) + bool(_MARKS.search(text))) / 2


def is_refusal(text: str) -> bool:
    """Whether the text begins by declining to answer."""
    return bool(_REFUSAL.search(text[:REFUSAL_CHARACTERS]))


def last_figure(text: str) -> str | None:
    """The last number in the text, its thousands joined; None where there is none."""
    found = NUMBER.findall(text)
    return figure_of(found[-1]) if found else None


def _grams(words: list[str], n: int) -> set[tuple[str, ...]]:
    return set(zip(*(itertools.islice(words, i, None) for i in range(n)), strict=False))


def _jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0


def heuristic_parts(text: str, question: str, forbidden: Sequence[str]) -> dict[str, float]:
    """The four marks as first asked for, each 0 to 1: length, keywords, structure, clean."""
    shortest, longest = GOOD_LENGTH
    length = len(text)
    keywords = {word[:STEM] for word in words_of(question) if len(word) > 3}
    present = {word[:STEM] for word in words_of(text)}
    return {
        "length": min(1.0, length / shortest, longest / max(length, 1)),
        "keywords": len(keywords & present) / len(keywords) if keywords else 1.0,
        "structure": structure(text),
        "clean": 0.0 if holds_any(text, forbidden) else 1.0,
    }


def scored(
    candidates: Sequence[Candidate],
    by: str,
    question: str,
    language: Language,
    forbidden: Sequence[str],
) -> list[Score]:
    """Every candidate with its vetoes and, among those left, its score by `careful`, `medoid` or
    `heuristic`."""
    ruled = [(c, vetoes(c, question, language, forbidden)) for c in candidates]
    left = survivors(ruled)
    if by == "heuristic":
        parts = {c.number: heuristic_parts(c.text, question, forbidden) for c in left}
        marks = {number: sum(part.values()) / len(part) for number, part in parts.items()}
    elif by == CAREFUL:
        each = careful_parts([c.text for c in left], language)
        parts = {c.number: part for c, part in zip(left, each, strict=True)}
        marks = {number: _careful(part) for number, part in parts.items()}
    else:
        parts = {}
        agreed = medoid_scores([c.text for c in left])
        marks = {c.number: score for c, score in zip(left, agreed, strict=True)}
    return [Score(c, marks.get(c.number, 0.0), why, parts.get(c.number, {})) for c, why in ruled]


def survivors(ruled: Sequence[tuple[Candidate, tuple[Veto, ...]]]) -> list[Candidate]:
    """Those without a veto; if all have one, those with the fewest that said anything."""
    speaking = [(c, why) for c, why in ruled if c.text.strip()]
    fewest = min((len(why) for _, why in speaking), default=0)
    return [c for c, why in speaking if len(why) == fewest]


def ranked(scores: Sequence[Score]) -> list[Score]:
    """The candidates left in the contest, best first; equals in the order of their numbers."""
    left = survivors([(s.candidate, s.vetoes) for s in scores])
    numbers = {c.number for c in left}
    return sorted(
        (s for s in scores if s.candidate.number in numbers),
        key=lambda s: (-s.score, s.candidate.number),
    )
