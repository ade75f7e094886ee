"""Which questions are plainly simple, told without a model: they are answered at once.

What is not plainly simple goes to the gate, which decides; so a miss here costs a little money, never
an answer.
"""

import re

from app.conversation.language import words_of

SHORT = 12
"""Words up to which a question without a sign of weight is simple."""
FOLLOW_UP = 3
"""Words up to which any question in the middle of a conversation is a clarifying one: "А риски?"."""

LOOKED_AT = 4000
"""Characters; what is longer is not simple anyway, unless it is a chore."""

_WEIGHTY = re.compile(
    r"влия|сравн|плюс\w{0,4} и минус|преимуществ|недостат|за и против|стоит ли|последств|точк\w{1,4} зрения|"
    r"со сторон\w|междисциплин|стратег|риск|компромисс|оцени|проанализ|анализ|взаимосвяз|как связан|"
    r"одновременно|этич|перспектив|разработай план|спроектируй|"
    r"вплив|вплину|порівн|переваг|недолік|чи варто|наслідк|погляду|з боку|міждисциплін|стратегі|ризик|"
    r"компроміс|оціни|проаналіз|аналіз|пов.яза|водночас|етич|розроби план|спроєктуй|"
    r"\baffect|\bimpact|influenc|compar|pros and cons|trade-?off|should (?:i|we)|consequence|perspective|"
    r"point of view|strateg|\brisk|\bevaluat|\banaly[sz]|implication|ethic|interdisciplin|\bversus\b|\bvs\b",
    re.IGNORECASE,
)
_CHORE = re.compile(
    r"\W*(?:пожалуйста,?\s+|будь ласка,?\s+|please,?\s+)?(?:перевед|переклад|перескаж|перекаж|исправь|"
    r"виправ|сократи|скороти|перепиши|отформатируй|відформатуй|посчитай|порахуй|вычисли|обчисли|продолж|"
    r"translate|summari[sz]e|rewrite|fix|correct|shorten|format|calculate|continue|"
    r"привет|здравствуй|добр(?:ый|ого|ий)|спасибо|благодарю|вітаю|дякую|hi\b|hello|thanks|thank you)",
    re.IGNORECASE,
)
_FIELDS = tuple(
    re.compile(field, re.IGNORECASE)
    for field in (
        r"\bзакон|\bюрид|\bправо|\bдогов[оі]р|\bсуд\b|\bсуда\b|\blaw\b|\blegal|\bcontract|\bcourt",
        r"эконом|економ|финанс|фінанс|\bрынк|\bринк|\bринок|налог|подат[оку]|инвест|інвест|бизнес|бізнес|"
        r"econom|financ|\bmarket|\btax|\binvest|\bbusiness",
        r"медиц|врач|лікар|болезн|хвороб|лечени|лікуванн|здоров|medic|\bhealth|\bdisease|\bdoctor",
        r"физик|фізик|квант|термодинам|physic|quantum|thermodynam",
        r"психолог|эмоц|емоці|тревог|тривог|psycholog|emotion|anxiety",
        r"програм|алгоритм|нейросет|нейромереж|искусственн\w{1,4} интеллект|штучн\w{1,4} інтелект|software|"
        r"algorithm|neural|\bAI\b|machine learning",
        r"истори|історі|histor",
        r"эколог|еколог|климат|клімат|ecolog|climate|environment",
        r"инженер|інженер|строител|будівни|конструкц|engineer|construction",
        r"образован|освіт|обучени|навчанн|education|\bschool",
    )
)


def is_simple(text: str, in_conversation: bool) -> bool:
    """Whether the question plainly needs no specialists: a chore, a greeting, a short question of one
    field without a sign of weight, or a word or two in the middle of a conversation."""
    text = text[:LOOKED_AT]
    words = len(words_of(text))
    if _CHORE.match(text) or (in_conversation and words <= FOLLOW_UP):
        return True
    if _WEIGHTY.search(text) or sum(bool(field.search(text)) for field in _FIELDS) > 1:
        return False
    return words <= SHORT
