"""Answers as judges are shown them: by letters, without the names of models, and unable to command."""

import re
from collections.abc import Iterable, Sequence

LETTERS = "ABCDEF"
LEAST_QUOTED = 6
"""Letters and digits that a quotation must have to show anything."""

_LOOK_ALIKE = str.maketrans("АВСЕ", "ABCE")
"""Cyrillic letters that models write for Latin ones."""
_SENTENCE = re.compile(r"[^.!?…\n]+[.!?…]*\s*|\n+|[.!?…]+\s*")
_INTRODUCTION = re.compile(
    r"\b(?:as|being) an? (?:ai|artificial|large language|language) |\bi(?:.m| am) (?:an? )?(?:ai|large language|language model|chatgpt|gpt|claude|"
    r"gemini|llama|qwen|mistral|deepseek|gemma|yandexgpt|gigachat)|\b(?:trained|created|developed|made) by "
    r"(?:openai|anthropic|google|meta|alibaba|mistral|deepseek|yandex|sber|microsoft)|"
    r"\b(?:как|являясь|будучи) (?:ии\b|искусственн|языков|больш\w+ языков|нейросет)|\bя (?:— |- |же )?(?:ии\b|языков|больш\w+ языков|нейросет|"
    r"gigachat|yandexgpt|qwen|chatgpt|алис)|\b(?:обучен|создан|разработан)\w* (?:компани\w+ )?(?:openai|anthropic|google|"
    r"meta|alibaba|mistral|deepseek|яндекс|сбер|microsoft)|"
    r"\bяк (?:ші\b|штучн|мовна|велик\w+ мовн|нейромереж)|\bя (?:— |- )?(?:ші\b|мовна модель|велик\w+ мовн)|"
    r"\b(?:навчен|створен|розроблен)\w* (?:компані\w+ )?(?:openai|anthropic|google|meta|alibaba|mistral|deepseek)",
    re.IGNORECASE,
)
_TO_JUDGES = re.compile(
    r"\b(?:rank|rate|score|place|put|grade|vote for|choose|pick|prefer|select)\b[^.!?\n]{0,40}\b(?:this|my|me|answer|response)\b"
    r"[^.!?\n]{0,40}\b(?:first|top|best|highest|above|10|winner)\b|"
    r"\b(?:ignore|disregard|forget)\b[^.!?\n]{0,30}\b(?:instructions?|answers?|rules?|prompts?)\b|"
    r"\b(?:judges?|rankers?|evaluators?|graders?|reviewers?)\b[^.!?\n]{0,60}\b(?:first|best|highest|must|should)\b|"
    r"(?:постав|помест|оцени|выбери|ранжируй|назови|счита|предпочт|присуди)\w*[^.!?\n]{0,40}(?:этот|мой|меня|ответ)"
    r"[^.!?\n]{0,40}(?:перв|лучш|высш|выше|10)|"
    r"(?:постав|перв\w+ мест)[^.!?\n]{0,40}(?:этот|мой|этому|моему) ответ|"
    r"(?:игнорируй|забудь|не обращай внимания)[^.!?\n]{0,40}(?:инструкци|указани|ответ|правил|остальн)|"
    r"(?:постав|оціни|обери|вибери|вважай|признач)\w*[^.!?\n]{0,40}(?:цю|мою|мене|відповідь)[^.!?\n]{0,40}(?:перш|найкращ|найвищ|вище|10)|"
    r"(?:ігноруй|забудь|не зважай)[^.!?\n]{0,40}(?:інструкці|вказівк|відповід|правил|решт)|"
    r"(?:судь|судді|оценщик|жюри|журі)\w*[^.!?\n]{0,60}(?:перв|лучш|перш|найкращ|высш|найвищ)",
    re.IGNORECASE,
)


def neutral(text: str, question: str, names: Iterable[str]) -> str:
    """The answer for its judges: sentences by which a model introduces itself, and those that tell the
    judges what to do, are cut; `names` of models read "…", unless the question speaks of them."""
    kept = [
        sentence
        for sentence in _SENTENCE.findall(text)
        if not _INTRODUCTION.search(sentence) and not _TO_JUDGES.search(sentence)
    ]
    plain = "".join(kept).strip()
    for name in sorted({*names}, key=len, reverse=True):
        if len(name) > 2 and name.casefold() not in question.casefold():
            plain = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", plain, flags=re.IGNORECASE)
    return plain


def names_of(model: str) -> tuple[str, ...]:
    """What a model may call itself, by its name: `qwen3:8b` -> qwen3:8b, qwen3, qwen."""
    last = model.rpartition("/")[2]
    base = re.split(r"[:@]", last)[0]
    family = re.match(r"[A-Za-z]{4,}", base)
    return tuple(dict.fromkeys((last, base, *((family.group(),) if family else ()))))


def quoted(answers: Sequence[tuple[str, str]], most: int | None = None) -> str:
    """Answers by letter between tags they cannot close; each cut to `most` characters."""
    blocks = []
    for letter, text in answers:
        inert = re.sub(r"<(/?)\s*(answer|question)", r"‹\1\2", text, flags=re.IGNORECASE)
        if most is not None and len(inert) > most:
            inert = inert[:most] + " […]"
        blocks.append(f'<answer letter="{letter}">\n{inert}\n</answer>')
    return "\n\n".join(blocks)


def letter_in(value: object, letters: Sequence[str]) -> str:
    """The letter that a model names, "answer B" and a Cyrillic one too. Raises ValueError."""
    if isinstance(value, dict):
        value = next((value[k] for k in ("letter", "member", "answer") if k in value), "")
    text = str(value).strip().upper().translate(_LOOK_ALIKE)
    found = re.findall(r"(?<![^\W\d_])[A-F](?![^\W\d_])", text)
    if len(found) == 1 and found[0] in letters:
        return str(found[0])
    raise ValueError(f"{str(value)[:40]!r} is none of {', '.join(letters)}")


def find_quote(quote: str, text: str) -> str | None:
    """The words of `text` that `quote` repeats, as they stand there; None where it does not. Space,
    letters' case, kinds of quotation marks and dashes and Markdown's marks make no difference."""
    wanted = max(
        (_plain(part)[0] for part in re.split(r"\[?(?:\.\.\.|…)\]?", quote)), key=len, default=""
    ).strip(" .,;:!?-\"'")
    if sum(map(str.isalnum, wanted)) < min(LEAST_QUOTED, sum(map(str.isalnum, text)) or 1):
        return None
    plain, places = _plain(text)
    at = plain.find(wanted)
    while at > 0 and plain[at - 1].isalnum() and wanted[0].isalnum():
        at = plain.find(wanted, at + 1)  # it began within a word
    if at < 0:
        return None
    end = places[at + len(wanted) - 1] + 1
    while end < len(text) and text[end] in ".!?…":
        end += 1  # the sentence's own end
    return text[places[at] : end]


_SAME = str.maketrans(
    {
        **dict.fromkeys("«»„“”‟″", '"'),
        **dict.fromkeys("’‘ʼ`´", "'"),
        **dict.fromkeys("—–−‑", "-"),
        "ё": "е",
    }
)
_MARKS = frozenset("*_#>|\u00ad\u200b")


def _plain(text: str) -> tuple[str, list[int]]:
    """The text with what makes no difference made alike, and where each of its characters stood."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character in _MARKS:
            continue
        same = " " if character.isspace() else character.lower().translate(_SAME)
        if same == " " and (not plain or plain[-1] == " "):
            continue
        for each in same:
            plain.append(each)
            places.append(place)
    return "".join(plain), places
