"""Whom a person asks for by name: "Позови экономиста и юриста", "что скажет врач?", "Поклич економіста",
"loop in a lawyer".

Three things are told by pattern. `requested_roles`: a word that calls, followed by professions in a
fitting case; these are called whatever a model thinks of it. `wants_nobody`: the person says so.
`speaks_of_people`: anything that might be a wish to hear somebody, by recall; a model decides those.
"Нужен ли юрист", "when should I call a doctor" call nobody.
"""

import re

from rapidfuzz.distance import Levenshtein, Prefix

from app.core.text import Text

MAX_ROLES = 4
EDGE = 1500
"""Characters at either end of a long text in which a request is looked for."""
MAX_LIST_CHARACTERS = 300
MIN_ROLE_LENGTH = 4
"""Letters of a word by which a role that no table knows is found in the text."""
MISTYPED_FROM = 6
"""Letters of a profession's stem from which one wrong letter is forgiven."""

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
_AGENT = re.compile(
    r"\w{2,}(?:чик|щик|ник|нік|хник|хнік|тик|мик|тел|ист|іст|ер|ор|ёр|ар|яр|ант|ент|вед|вод|знав|граф|атр|лог|пед|"
    r"навт|ург|евт|опат|ном|мейстер)"
)
"""How words for those who do something end: a role only beside one that is known."""
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
_DATIVE_ENDINGS = frozenset(("у", "ю"))
_OLOGIST = re.compile(r"\w{2,}олог")
_NOT_MISTYPED = frozenset(("экономик", "економік", "критика", "логистик", "механика", "графика"))
_NOT_OLOGISTS = frozenset(("монолог", "пролог", "некролог", "аполог"))

_PREFIX = (
    r"(?:(?:пожалуйста|слушай|послушай|слухай|плиз|ладно|ок|давайте|нет|да|hey|ok|okay|so|well|можешь|можно|давай(?:те)?|а|и|ну|ещё|еще|теперь|тогда|прошу|хочу|чтобы|ты|"
    r"будь|ласка|можеш|тепер|тоді|ще|"
    r"please|can|could|would|you|now|then|also|and|let's|lets|i|want|to)(?:\s*,)?\s+){0,6}"
)
_CALL = (
    r"созда(?:й|йте|ть)|позов(?:и|ите)|позвать|приглас(?:и|ите)|подключ(?:и|ите)|собер(?:и|ите)|"
    r"привлек(?:и|ите)|вызов(?:и|ите)|добав(?:ь|ьте)|спрос(?:и|ите)|выслуша(?:й|йте)|"
    r"посовету(?:йся|йтесь)|проконсультиру(?:йся|йтесь)|"
    r"створ(?:и|іть)|поклич(?:те)?|запрос(?:и|іть)|залуч(?:и|іть)|підключ(?:и|іть)|збер(?:и|іть)|"
    r"виклич(?:те)?|дода(?:й|йте)|спита(?:й|йте)|запита(?:й|йте)|порад(?:ься|ьтеся)|"
    r"проконсульту(?:йся|йтеся)|вислуха(?:й|йте)|"
    r"зов(?:и|ите)|кликни(?:те)?|задейству(?:й|йте)|подтян(?:и|ите)|обрат(?:ись|итесь)\s+к|"
    r"поинтересу(?:йся|йтесь)\s+у|узна(?:й|йте)|послуша(?:й|йте)|обсуд(?:и|ите)|поговор(?:и|ите)|"
    r"организу(?:й|йте)|устро(?:й|йте)|получ(?:и|ите)|"
    r"да(?:й|йте)\s+(?:слово|высказаться|ответить)|(?:услышать|послушать|выслушать|узнать|получить)|"
    r"(?:пригласить|привлечь|подключить|вызвать|собрать)|(?:позовём|позовем|привлечём|привлечем|"
    r"спросим|послушаем|подключим|пригласим)|"
    r"клич(?:те)?|зверн(?:ись|іться)\s+до|підтягн(?:и|іть)|послуха(?:й|йте)|обговор(?:и|іть)|"
    r"поговор(?:іть)|організу(?:й|йте)|отрима(?:й|йте)|дізна(?:йся|йтеся)|"
    r"да(?:й|йте)\s+(?:слово|висловитися|відповісти)|(?:почути|послухати|вислухати|дізнатися|отримати)|"
    r"(?:покликати|запросити|залучити|підключити|зібрати)|(?:покличмо|покличемо|спитаємо|запитаємо|"
    r"залучимо|послухаємо|запросимо)|"
    r"loop\s+in|pull\s+in|rope\s+in|hear\s+from|check\s+with|get\s+hold\s+of|hear|"
    r"create|call(?:\s+in)?|invite|bring(?:\s+in)?|get|ask|consult(?:\s+with)?|summon|add|involve|"
    r"gather|assemble|convene"
)
_NEED = (
    r"(?:(?:мне|нам|тут|здесь|мені)\s*)?(?:нужен|нужна|нужны|требуется|требуются|понадобится|"
    r"потрібен|потрібна|потрібні)|пусть\s+(?:ответит|ответят|выскажется|выскажутся)|"
    r"(?:хай|нехай)\s+(?:відповість|дадуть\s+відповідь|висловиться|висловляться)|"
    r"(?:(?:мне|нам|тут|здесь|мені)\s*)?(?:нужно|необходимо|не\s+помешал[оа]?\s+бы|не\s+помешает|"
    r"пригодил(?:ся|ась|ось)\s+бы|хотелось\s+бы|хочется|інтересна|цікава|интересно|"
    r"потрібно|необхідно|не\s+завади(?:ть|в\s+би|ла\s+б)|знадоби(?:ться|вся\s+б)|хотілося\s+б|хочеться)|"
    r"хочу|хотим|хотел[аи]?\s+бы|хотів\s+би|хотіла\s+б|хочемо|"
    r"пусть(?:\s+ещё|\s+еще|\s+также)?|хай|нехай|"
    r"(?:i|we)\s+(?:need|could\s+use|want)|(?:i'd|we'd|i\s+would)\s+(?:like|love)|let|have|give\s+me|"
    r"що\s+(?:\w+\s+){0,3}?(?:скаже|скажуть|порадить|порадять|думає|думають|сказав\s+би|сказала\s+б)|"
    r"что\s+(?:\w+\s+){0,3}?(?:скажет|скажут|посоветует|посоветуют|думает|думают|ответит|ответят|сказал[аи]?\s+бы)|"
    r"what\s+(?:would|will|do|does)|how\s+would"
)
_TRIGGER = re.compile(
    rf"(?:^|[.!?:;,(\n—–]|\s-\s)[^\S\n]*+{_PREFIX}(?:(?P<call>{_CALL})|(?P<need>{_NEED}))\b[:,]?\s+(?!ли\b|чи\b)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[\w'’ʼ-]+|[^\w\s]")
_BETWEEN = """мне нам для со с у от до к ко из на по ещё еще также пожалуйста плиз срочно сюда это этим
    этому разговору обсуждению беседе ответу диалогу услышать послушать узнать получить чтобы ответил
    ответили агент агента агентов специалистов экспертов консилиум команду группу двух трёх трех
    четырёх четырех пару одного
    мені з із зі у в до це цим цього будь ласка почути послухати дізнатися отримати розмови
    обговорення відповіді агентів спеціалістів експертів фахівців консиліум команду групу двох трьох
    чотирьох
    a an the some me us of from this it here please hear more team council panel two three four agents
    specialists experts both in with"""
_FILLERS = frozenset(_BETWEEN.split())
_AND = "и й та і а также також and or или чи або & , плюс plus ещё ще"
_AFTER_LIST = frozenset(
    ("", *".!?;):", "to", "for", "on", "about", "what", "how", "who", "if", "please")
)
_SEPARATORS = frozenset(_AND.split())
_PASSED_OVER = frozenset((*_AND.split(), ":"))
_ADJECTIVE = re.compile(r"\w+(?:ого|его|ый|ий|ой|ых|их|ої|ьої|им|ым)$")
_NOUNS = "question questions about if how what why when that this it for to of from with"
_NO_ADJECTIVE = frozenset(_NOUNS.split())
_VIEW = frozenset(
    ("opinion", "opinions", "view", "views", "advice", "perspective", "take", "input", "thoughts")
)
_OPINION = _VIEW | frozenset(
    [
        "мнение",
        "мнения",
        "взгляд",
        "взгляды",
        "совет",
        "советы",
        "консультация",
        "консультацию",
        "заключение",
        "комментарий",
        "оценка",
        "оценку",
        "позиция",
        "позицию",
        "точка",
        "точку",
        "зрения",
        "думка",
        "думку",
        "думки",
        "погляд",
        "порада",
        "пораду",
        "консультація",
        "консультацію",
        "висновок",
        "коментар",
        "оцінка",
        "оцінку",
        "позиція",
        "позицію",
        "verdict",
        "second",
    ]
)
_NEEDS_OPINION = re.compile(
    r"хоч|хот[іе]|інтерес|цікав|интерес|(?:мне |нам |тут |здесь |мені )?(?:нужно|необходимо|потрібно|"
    r"необхідно)|(?:i|we) want|give me",
    re.IGNORECASE,
)
"""Words of wish that alone call nobody: "хочу врача" may be about a film."""
_NEEDS_VOICE = re.compile(r"(?:let|have|what|how)\b", re.IGNORECASE)
_VOICE = frozenset(
    [
        "say",
        "think",
        "advise",
        "recommend",
        "suggest",
        "look",
        "check",
        "review",
        "weigh",
        "answer",
        "comment",
        "judge",
        "tell",
        "speak",
        "respond",
        "see",
        "chime",
        "opine",
        "assess",
        "handle",
        "put",
    ]
)
_DATIVE = re.compile(r"обрат|дай", re.IGNORECASE)
_NOBODY = re.compile(
    r"\bне\s+(?:надо\s+|нужно\s+|стоит\s+|треба\s+)?(?:зови|звать|зовите|клич|кликати|кличте|созывай|скликай|"
    r"подключай|підключай|привлекай|залучай)|\b(?:никого|нікого)\s+не\s+(?:зови|клич|подключай|залучай)|"
    r"\bне\s+\w+\s+(?:никого|нікого)\b|"
    r"\bбез\s+(?:консилиума|консиліуму|специалистов|спеціалістів|фахівців|экспертов|експертів)|"
    r"\b(?:ответь|отвечай|відповідай|дай відповідь)\s+(?:сам|сама)\b|\b(?:сам|сама)\s+(?:ответь|отвечай|відповідай)|"
    r"\b(?:do not|don['’]t|no need to)\s+(?:call|ask|invite|involve|bring|consult|convene|loop)\b|"
    r"\bwithout\s+(?:any\s+|a\s+|the\s+)?(?:council|specialists?|experts?|panel)|\bno\s+(?:specialists|experts|council)\b|"
    r"\banswer\s+(?:it\s+|this\s+)?yourself\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"\b(?:консил|консиліум|эксперт|експерт|специалист|спеціаліст|фах[іо]в|мнени|думк[аиуо]|взгляд|погляд|"
    r"точк\w+ зор|точк\w+ зрен|рекомендац|сове[тщ]|порад|консульт|"
    r"пусть|нехай|хай\b|позов|покли[чк]|приглас|запрос[иі]|привлек|привлеч|залуч|подключ|підключ|спрос|спита|"
    r"запита|посовет|что\s+скаж|що\s+скаж|что\s+дума|що\s+дума|глазами|очима|с\s+кем|з\s+ким|кто-нибудь|"
    r"хтось|дво[еє]|тро[еє]|двух|двох|трёх|трех|трьох|четыр|чотир|несколько|кілька|команд|люд[ие]|люде|"
    r"(?:что|как|що|як)\s+(?:бы|би?)\b|loop\s+(?:[\w']+\s+){0,4}in\b|"
    r"судь|судд|учён|учен|вчен|підприєм|предпринимат|слід|диетолог|дієтолог|\w{3,}олог|\w{4,}[иі]ст(?:ов|ів|[ауыиі]|ом|ам)?\b|"
    r"council|panel|expert|specialist|opinion|perspective|viewpoint|advi[cs]|consult|second\s+look|loop\s+in|"
    r"weigh\s+in|chime|bring|call|ask|invite|someone|somebody|people|professional|"
    r"two|three|four|several|couple|team|what\s+would|point\s+of\s+view|\w{3,}ologists?\b|\w{3,}icians?\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(rf"[^.!?\n]{{0,{MAX_LIST_CHARACTERS}}}")
_SPECIALTY = re.compile(r"\b(?:по|з|із|с|со|в|у|для|of|in|for|from|with|on)\b")
_ANY_WORD = re.compile(r"[^\W\d_]+")


def requested_roles(text: str) -> tuple[str, ...]:
    """The professions asked for, in the nominative, at most four; empty where nobody is called."""
    return all_requested_roles(text)[:MAX_ROLES]


def all_requested_roles(text: str) -> tuple[str, ...]:
    """All professions asked for, however many."""
    found: list[str] = []
    text = _edges(text)
    for trigger in _TRIGGER.finditer(text):
        following = text[trigger.end() : trigger.end() + MAX_LIST_CHARACTERS]
        for role in _roles_after(trigger, _TOKEN.findall(following.lower())):
            if role not in found:
                found.append(role)
    named = [role for role in found if role not in _ANYBODY]
    return tuple(named or found)


def is_asked_for(role: str, text: str) -> bool:
    """Whether a role stands, in any form, where the text calls somebody: of one that no table knows, too."""
    text = _edges(text).lower()
    words = _ANY_WORD.findall(_SPECIALTY.split(role.lower())[0])
    nouns = words[-1:] if role.isascii() else [w for w in words if not _ADJECTIVE.match(w)]
    wanted = [noun for noun in nouns if len(noun) >= MIN_ROLE_LENGTH]
    called = [
        word
        for trigger in _TRIGGER.finditer(text)
        for word in _ANY_WORD.findall(_SENTENCE.match(text, trigger.end())[0])  # type: ignore[index]
    ]
    return any(_same_word(one, other) for one in wanted for other in called)


def _same_word(one: str, other: str) -> bool:
    """Whether two words are forms of one: alike but for the ending."""
    shared = Prefix.similarity(one, other)
    return shared >= max(MIN_ROLE_LENGTH - 1, len(one) - 2) and len(other) - shared <= 3


def wants_nobody(text: str) -> bool:
    """Whether the person says that nobody is to be called."""
    return bool(_NOBODY.search(_edges(text)))


def speaks_of_people(text: str) -> bool:
    """Whether there is anything in the text that may be a wish to hear somebody: a profession, an
    opinion, a number of people. Chosen for recall."""
    text = _edges(text)
    return bool(_PEOPLE.search(text)) or any(
        _role(word.lower(), _CALLED | _DATIVE_ENDINGS, "") for word in _ANY_WORD.findall(text)
    )


def names_anybody(roles: tuple[str, ...]) -> bool:
    """Whether a profession was named, and not just "an expert"."""
    return any(role not in _ANYBODY for role in roles)


def _roles_after(trigger: re.Match[str], tokens: list[str]) -> list[str]:
    """The professions that a trigger calls."""
    words = trigger["call"] or trigger["need"]
    endings = _CALLED if trigger["call"] else _NOMINATIVE
    if _DATIVE.match(words):
        endings |= _DATIVE_ENDINGS
    roles, end, opinion = _list_at(tokens, endings)
    if trigger["need"] and not roles and opinion:
        roles, end, opinion = _list_at(tokens, _CALLED)
    if trigger["need"] and _NEEDS_OPINION.match(words) and not opinion:
        return []
    if trigger["need"] and _NEEDS_VOICE.match(words):
        voiced = not _VOICE.isdisjoint(tokens[end : end + 3])
        if not (voiced or opinion):
            return []
    return roles


def _edges(text: str) -> str:
    """The beginning and the end of a text, where people are called, with single spaces."""
    if len(text) > 2 * EDGE:
        text = f"{text[:EDGE]}\n{text[-EDGE:]}"
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _list_at(tokens: list[str], endings: frozenset[str]) -> tuple[list[str], int, bool]:
    """The professions at the beginning of `tokens` ("опытного юриста, врача и a tax lawyer"), where
    they end, and whether it is their opinion that is spoken of."""
    roles: list[str] = []
    unknown: list[str] = []
    strange = end = 0
    opinion = False
    for at, (token, following) in enumerate(zip(tokens, [*tokens[1:], ""], strict=True)):
        role = _role(token, endings, following)
        if role is None and (roles or following in _SEPARATORS) and _is_item(tokens, at):
            role = _unknown(token, endings, bool(roles) and following in _SEPARATORS)
            if role is not None and not roles:
                unknown.append(role)
                strange = 0
                continue
        if role is not None:
            roles.extend((*unknown, role))
            unknown.clear()
            strange, end = 0, at + 1
        elif token in _OPINION:
            opinion = True
        elif token in _PASSED_OVER or (not roles and not strange and token in _FILLERS):
            continue
        elif token in ("a", "an", "the", "у", "с", "со", "з", "із", "зі", "в") or (
            strange < 2 and _may_describe(token)
        ):
            strange += token.isalpha() and len(token) > 3
        else:
            break
    return roles, end, opinion


def _is_item(tokens: list[str], at: int) -> bool:
    """Whether a word stands alone between commas or "and", with an article at most."""
    before, article = tokens[at - 1] if at else "", tokens[at].isascii()
    has_article = article and before in ("a", "an")
    if has_article:
        before = tokens[at - 2] if at > 1 else ""
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    opens = before in _SEPARATORS or (not before and bool(after))
    closes = after in _SEPARATORS or after in _AFTER_LIST
    return opens and closes and (not article or has_article or (before == "," and after == ","))


def _unknown(token: str, endings: frozenset[str], inside: bool) -> str | None:
    """What may be called in a list of roles though no table knows it, in the nominative: any noun of an
    English list and what stands `inside` a Slavic one, else a word for one who does something."""
    if token.isascii():
        known = token in _NO_ADJECTIVE or token in _PASSED_OVER or token in _FILLERS
        return token if token.isalpha() and not known else None
    if token in _FILLERS:
        return None
    for length in (1, 2, 3, 0):
        stem, ending = token[: len(token) - length], token[len(token) - length :]
        if ending in endings and inside and len(stem) >= MIN_ROLE_LENGTH:
            return stem
        if ending in endings and _AGENT.fullmatch(stem):
            return f"{stem}ь" if stem.endswith(("тел", "ар", "яр")) else stem
    return None


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
    return _mistyped(word, endings)


def _mistyped(word: str, endings: frozenset[str]) -> str | None:
    """The profession that a word misses by one letter: "экономста", "адвоката" as "адваката"."""
    for length in range(3):
        stem, ending = word[: len(word) - length], word[len(word) - length :]
        if ending in endings and len(stem) >= MISTYPED_FROM and stem not in _NOT_MISTYPED:
            for known, role in _STEMS.items():
                if (
                    known[0] == stem[0]
                    and not known.startswith(stem)
                    and not stem.startswith(known)
                    and Levenshtein.distance(known, stem, score_cutoff=1) <= 1
                ):
                    return role
    return None
