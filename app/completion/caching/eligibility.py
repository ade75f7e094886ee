"""Which questions may be answered from memory: those whose answer depends on nothing else."""

import re

from app.completion.caching.text import folded

LONGEST = 2000
"""Characters: a longer question is a text to work on, and is kept by its exact form only."""

_AGAIN = re.compile(
    r"""(?<!\w)(?:
    again|once\ more|one\ more|another|a\ different\ one|something\ else|else|more\ (?:examples?|ideas?|options?)|
    shorter|longer|briefer|simpler|rephrase|reword|rewrite|continue|go\ on|regenerate|retry|random(?:ly)?|
    as\ (?:before|above)|previous|the\ above|you\ said|
    еще\ раз|еще|снова|опять|заново|по-другому|иначе|друг(?:ой|ую|ое)\ (?:вариант|пример|ответ|шутку|анекдот|стих\w*|тост)|
    короче|покороче|длиннее|подлиннее|проще|попроще|подробнее|поподробнее|перефразируй\w*|перепиши\w*|продолжай\w*|продолжи\w*|
    случайн\w+|наугад|выше|предыдущ\w+|ты\ сказал\w*|
    ще\ раз|ще|знову|наново|по-іншому|інакше|інш(?:ий|у|е)\ (?:варіант|приклад|відповідь|жарт|анекдот|вірш|тост)|
    коротше|стисліше|довше|простіше|докладніше|детальніше|перефразуй\w*|перепиши\w*|продовжуй\w*|продовж|
    випадков\w+|навмання|вище|попередн\w+|ти\ сказа\w+
    )(?!\w)""",
    re.VERBOSE,
)
_NOW = re.compile(
    r"""(?<!\w)(?:
    today(?:'s)?|tonight|tomorrow|yesterday|now|right\ now|currently|current|at\ the\ moment|these\ days|nowadays|latest|
    newest|recent(?:ly)?|up-to-date|this\ (?:week|month|year|morning|evening|weekend|season)|
    (?:next|last|past|coming)\ (?:week|month|year|weekend|night|days?|hours?)|what\ time|the\ date|what\ day|
    weather|forecast|news|prices?|exchange\ rates?|rates?\ of|stocks?|quotes?|scores?|standings|trending|how\ old|ago|yet|
    сегодня(?:шн\w+)?|сейчас|теперь|завтра(?:шн\w+)?|вчера(?:шн\w+)?|послезавтра|позавчера|ныне(?:шн\w+)?|
    в\ (?:данный|настоящий)\ момент|на\ данный\ момент|текущ\w+|актуальн\w+|последн(?:ие|их)\ (?:новости|события|дни|данные)|
    последн(?:яя|юю|ей)\ верси\w+|свеж(?:ие|их)\ (?:новости|данные)|новейш\w+|недавно|новост\w+|
    (?:на|в)\ (?:этой|прошлой|следующей|будущей)\ неделе|
    в\ (?:этом|прошлом|следующем|будущем)\ (?:году|месяце)|этим\ летом|этой\ (?:зимой|осенью|весной)|
    погод\w+|прогноз\w*|курс\w*\ (?:доллара|евро|валют\w*|рубля|гривны|биткоина|юаня)|котиров\w+|цен[аыуе]?|стоит\ (?:биткоин|доллар|евро)|
    который\ час|сколько\ (?:сейчас\ )?времени|какое\ (?:сегодня\ )?число|какой\ сегодня|сколько\ лет|назад|счет\ матча|
    сьогодні(?:шн\w+)?|зараз|тепер|завтра(?:шн\w+)?|вчора(?:шн\w+)?|учора|післязавтра|позавчора|нині(?:шн\w+)?|наразі|
    на\ цей\ момент|поточн\w+|актуальн\w+|останн(?:і|іх)\ (?:новини|події|дні|дані)|останн(?:я|ю|ьої)\ версі\w+|
    найновіш\w+|нещодавно|новин\w+|
    (?:на|у|в)\ (?:цьому|минулому|наступному)\ (?:тижні|році|місяці)|цього\ (?:року|тижня|місяця|літа)|цієї\ (?:зими|осені|весни)|
    (?:минулого|наступного)\ (?:року|тижня|місяця)|
    курс\w*\ (?:долара|євро|валют\w*|гривні|біткоїна)|котируван\w+|цін[аиуі]?|котра\ година|яке\ (?:сьогодні\ )?число|який\ сьогодні|
    скільки\ років|тому\ назад|рахунок\ матчу
    )(?!\w)""",
    re.VERBOSE,
)


def lasting(question: str) -> bool:
    """Whether the question means the same on another day and in another conversation.

    False for one bound to now (today, сейчас, зараз, the latest, prices, weather), one that asks for
    the same again, shorter or another, and an empty one.
    """
    text = " ".join(folded(question).casefold().split())
    return bool(text) and not _AGAIN.search(text) and not _NOW.search(text)
