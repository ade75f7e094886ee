"""Whom a person asks for by name: "Позови экономиста и юриста", "Нужен врач-терапевт",
"Поклич економіста", "ask a lawyer and an economist".

Found by pattern, without a model: a word that calls, at the beginning of a clause, followed by
professions in a fitting case. "Нужен ли юрист", "when should I call a doctor" call nobody.
"""

import re

from app.core.text import Text

MAX_ROLES = 4
EDGE = 1500
"""Characters at either end of a long text in which a request is looked for."""
MAX_LIST_CHARACTERS = 300

_ROLES = Text(
    ru="""физик математик химик врач доктор медик терапевт хирург экономист юрист адвокат нотариус
    бухгалтер финансист программист инженер архитектор разработчик тестировщик аналитик историк
    философ маркетолог дизайнер редактор переводчик лингвист филолог журналист учитель преподаватель
    педагог строитель электрик механик агроном ветеринар повар астроном географ статистик логист
    тренер фармацевт провизор педиатр психиатр психотерапевт критик скептик оптимист пессимист
    писатель поэт художник музыкант режиссёр режиссер менеджер предприниматель инвестор банкир аудитор
    риелтор следователь эксперт специалист консультант этик генетик медиатор кардиохирург логик""",
    uk="""фізик математик хімік лікар доктор медик терапевт хірург економіст юрист адвокат нотаріус
    бухгалтер фінансист програміст інженер архітектор розробник тестувальник аналітик історик
    філософ маркетолог дизайнер редактор перекладач лінгвіст філолог журналіст учитель вчитель викладач
    педагог будівельник електрик механік агроном ветеринар кухар астроном географ статистик логіст
    тренер фармацевт провізор педіатр психіатр психотерапевт критик скептик оптиміст песиміст
    письменник поет художник музикант режисер менеджер інвестор банкір аудитор ріелтор експерт
    спеціаліст консультант етик генетик медіатор кардіохірург логік""",
    en="""physicist mathematician chemist doctor physician therapist surgeon economist lawyer attorney
    accountant financier programmer engineer architect developer tester analyst historian philosopher
    marketer designer editor translator linguist journalist teacher professor educator builder
    electrician mechanic agronomist veterinarian vet chef astronomer geographer statistician coach
    dietitian nutritionist pharmacist pediatrician psychiatrist psychotherapist dentist critic skeptic
    optimist pessimist writer poet artist musician director manager entrepreneur investor banker
    auditor notary realtor expert specialist consultant advisor adviser scientist ethicist geneticist
    biologist mediator""",
)
_ANYBODY = frozenset(("эксперт", "специалист", "експерт", "спеціаліст", "expert", "specialist"))
_IRREGULAR = {
    "фахівця": "фахівець",
    "фахівець": "фахівець",
    "фахівців": "фахівець",
    "підприємця": "підприємець",
    "підприємець": "підприємець",
    "судью": "судья",
    "судья": "судья",
    "суддю": "суддя",
    "суддя": "суддя",
    "слідчого": "слідчий",
    "учёного": "учёный",
    "ученого": "учёный",
    "вченого": "вчений",
}
_STEMS = {role.removesuffix("ь"): role for role in f"{_ROLES.ru} {_ROLES.uk}".split()}
_ENGLISH = frozenset(_ROLES.en.split())
_NOMINATIVE = frozenset(("", "ь", "и", "ы", "і"))
_OBLIQUE = "а я ов ев ей ів їв ом ем єм ами ями"
_CALLED = _NOMINATIVE | frozenset(_OBLIQUE.split())
_OLOGIST = re.compile(r"\w{2,}олог")
_NOT_OLOGISTS = frozenset(("монолог", "пролог", "некролог", "аполог"))

_PREFIX = (
    r"(?:(?:пожалуйста|можешь|можно|давай(?:те)?|а|и|ну|ещё|еще|теперь|тогда|прошу|хочу|чтобы|ты|"
    r"будь|ласка|можеш|тепер|тоді|ще|"
    r"please|can|could|would|you|now|then|also|and|let's|lets|i|want|to)\s*,?\s+){0,6}"
)
_CALL = (
    r"созда(?:й|йте|ть)|позов(?:и|ите)|позвать|приглас(?:и|ите)|подключ(?:и|ите)|собер(?:и|ите)|"
    r"привлек(?:и|ите)|вызов(?:и|ите)|добав(?:ь|ьте)|спрос(?:и|ите)|выслуша(?:й|йте)|"
    r"посовету(?:йся|йтесь)|проконсультиру(?:йся|йтесь)|"
    r"створ(?:и|іть)|поклич(?:те)?|запрос(?:и|іть)|залуч(?:и|іть)|підключ(?:и|іть)|збер(?:и|іть)|"
    r"виклич(?:те)?|дода(?:й|йте)|спита(?:й|йте)|запита(?:й|йте)|порад(?:ься|ьтеся)|"
    r"проконсульту(?:йся|йтеся)|вислуха(?:й|йте)|"
    r"create|call(?:\s+in)?|invite|bring(?:\s+in)?|get|ask|consult(?:\s+with)?|summon|add|involve|"
    r"gather|assemble|convene"
)
_NEED = (
    r"(?:мне|нам|тут|здесь|мені)?\s*(?:нужен|нужна|нужны|требуется|требуются|понадобится|"
    r"потрібен|потрібна|потрібні)|пусть\s+(?:ответит|ответят|выскажется|выскажутся)|"
    r"(?:хай|нехай)\s+(?:відповість|дадуть\s+відповідь|висловиться|висловляться)|"
    r"(?:i|we)\s+need|i'd\s+like|let"
)
_TRIGGER = re.compile(
    rf"(?:^|[.!?:;,(\n—–]|\s-\s)\s*{_PREFIX}(?:(?P<call>{_CALL})|(?P<need>{_NEED}))\s+(?!ли\b)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[\w'’ʼ-]+|[^\w\s]")
_BETWEEN = """мне нам для со с у из мнение мнения агент агента агентов специалистов экспертов консилиум команду
    группу двух трёх трех четырёх пару одного мені з із зі у в думку думки агентів спеціалістів
    експертів консиліум команду групу двох трьох чотирьох
    a an the some me us opinion opinions of from team council panel two three four agents
    specialists experts both in with"""
_FILLERS = frozenset(_BETWEEN.split())
_AND = "и й та і а также також and or или чи або & , плюс plus ещё ще"
_PASSED_OVER = frozenset((*_AND.split(), ":"))
_ADJECTIVE = re.compile(r"\w+(?:ого|его|ый|ий|ой|ых|их|ої|ьої|им|ым)$")
_NOUNS = "question questions about if how what why when that this it for to of from with"
_NO_ADJECTIVE = frozenset(_NOUNS.split())
_VIEW = frozenset(("opinion", "view", "views", "advice", "perspective", "take"))


def requested_roles(text: str) -> tuple[str, ...]:
    """The professions asked for, in the nominative, at most four; empty where nobody is called."""
    found: list[str] = []
    text = _edges(text)
    for trigger in _TRIGGER.finditer(text):
        endings = _NOMINATIVE if trigger["need"] else _CALLED
        following = text[trigger.end() : trigger.end() + MAX_LIST_CHARACTERS]
        for role in _list_at(_TOKEN.findall(following.lower()), endings):
            if role not in found:
                found.append(role)
    named = [role for role in found if role not in _ANYBODY]
    return tuple((named or found)[:MAX_ROLES])


def _edges(text: str) -> str:
    """The beginning and the end of a text, where people are called, with single spaces."""
    if len(text) > 2 * EDGE:
        text = f"{text[:EDGE]}\n{text[-EDGE:]}"
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _list_at(tokens: list[str], endings: frozenset[str]) -> list[str]:
    """The professions at the beginning of `tokens`: "опытного юриста, врача и a tax lawyer"."""
    roles: list[str] = []
    strange = 0
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        role = _role(token, endings, following)
        if role is not None:
            roles.append(role)
            strange = 0
        elif token in _PASSED_OVER or (not roles and not strange and token in _FILLERS):
            continue
        elif token in ("a", "an", "the", "у", "с", "со", "з", "із", "зі", "в") or (
            strange < 2 and _may_describe(token)
        ):
            strange += token.isalpha() and len(token) > 3
        elif token in _VIEW:
            continue
        else:
            break
    return roles


def _may_describe(token: str) -> bool:
    if token.isascii():
        return token.isalpha() and token not in _NO_ADJECTIVE
    return bool(_ADJECTIVE.match(token))


def _role(token: str, endings: frozenset[str], following: str) -> str | None:
    if token.isascii():
        word = token.replace("’", "'")
        if word.endswith("'s") and following in _VIEW:
            word = word.removesuffix("'s")
        for form in (word, word.removesuffix("s")):
            if form in _ENGLISH or (form.endswith("ologist") and len(form) > 9):
                return form
        return None
    parts = [_slavic(part, endings) for part in token.split("-")]
    if not any(parts):
        return None
    return "-".join(part or raw for part, raw in zip(parts, token.split("-"), strict=True))


def _slavic(word: str, endings: frozenset[str]) -> str | None:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for length in range(4):
        stem, ending = word[: len(word) - length], word[len(word) - length :]
        if ending in endings:
            if stem in _STEMS:
                return _STEMS[stem]
            if _OLOGIST.fullmatch(stem) and stem not in _NOT_OLOGISTS:
                return stem
    return None
