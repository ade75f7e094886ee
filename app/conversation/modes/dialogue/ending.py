"""When a conversation is over: its mark, courtesies, repetition. Pure functions and one filter."""

import itertools
import re
from collections.abc import Sequence

from app.conversation.language import words_of
from app.conversation.modes.dialogue.prompts import END_MARK

OVERLAP = 0.6
"""Share of a turn's word trigrams found in one of the speaker's own last two turns: more is repetition,
where nothing else in it is new."""
LOOK_BACK = 2
NEW_WORDS = 0.05
"""Share of a turn's words that may be new in a repetition: none in a short turn, one in twenty."""
LONG_TURN = 8
"""Words from which one who says the same again is stuck; shorter turns (a move, a refrain, a yes) end a
conversation only where everybody has said nothing new for two rounds."""
COURTESY_WORDS = 40
"""Words up to which a turn can be mere courtesy or agreement."""
FRESH_SHARE = 0.25
"""Share of such a turn's content that may be about something else; one word always may."""
TALK_SHARE = 0.25
"""Share of its content that must be words of thanks, agreement, parting or the talk itself."""
STEM = 4
"""Letters from which an entry of the tables below stands for all words that begin so; a shorter one, and
one with "=" after it, is a whole word. Of a word that was said before, so many and one more must be the same."""
MAX_ENTRY_LENGTH = 20
"""Letters: no entry of the tables below has more."""


def _phrases(*tables: str) -> re.Pattern[str]:
    """One pattern of tables of phrases, a phrase a line; `$` at its end: nothing but punctuation follows."""
    lines = (line.strip() for table in tables for line in table.strip().splitlines())
    ways = (line.replace("$", r"(?=[\s!.,…)]*\Z)") for line in lines)
    return re.compile(rf"(?<!\w)(?:{'|'.join(ways)})(?!\w)", re.IGNORECASE)


# How people part. A turn whose last sentence is one of these brings nothing, whatever else is in it.
_FAREWELL = _phrases(
    r"""
    до свидан\w*
    до (?:новых |скорой |следующей )?встреч\w*
    до (?:скорого|связи|завтра|вечера|утра|понедельника|вторника|среды|четверга|пятницы|субботы|воскресенья|лета|осени)$
    всего (?:вам |тебе )?(?:добр|хорош|наилучш|самого)\w*
    всех благ
    прощай(?:те)?
    бывай(?:те)?
    пока-пока
    (?:ну |всё |давай(?:те)? |тогда )*,? ?пока$
    чао|адью|покедова|арривидерчи|бай-бай
    счастлив(?:о|ого пути|ой дороги)
    (?:доброго|лёгкого|легкого|хорошего) пути
    (?:доброй|лёгкой|легкой|хорошей) дороги
    хорошего (?:вам |тебе |\w+ )?(?:дня|вечера|отдыха|утра)|хороших выходных
    (?:спокойной|доброй) (?:вам |тебе )?ночи
    (?:сладких|приятных|добрых) (?:вам |тебе )?снов
    (?:ни пуха|с богом|удачи)$
    будь(?:те)? здоров\w*
    береги(?:те)? себя
    храни (?:вас|тебя) (?:бог|господь)
    (?:целую|обнимаю|чмоки|жму руку)
    (?:передавай(?:те)?|привет) (?:\w+ )?(?:привет|маме|папе|всем|семье|жене|мужу|детям|родителям|домашним|нашим)
    не пропадай(?:те)?
    (?:звони|пиши|заходи|приходи|приезжай|заглядывай)(?:те)?(?: ещё| еще| в гости| почаще| если что)*$
    (?:увидимся|свидимся|встретимся|созвонимся|спишемся|услышимся)(?: \w+){0,2}$
    (?:мне |нам |ну )?(?:уже |всё )?пора (?:и )?(?:бежать|идти|ехать|домой|спать|прощаться|расходиться|закругляться|честь знать)
    (?:мне|нам) (?:уже |уж )?пора$
    (?:ну )?(?:я )?(?:побежал|пош[её]л|поехал|побегу|пойду|поеду)(?:а|и|ла|ли)?(?: я)?(?: спать| домой)?$
    не (?:смею|буду|стану) (?:больше |вас |тебя )*(?:задерживать|отвлекать|мешать)
    (?:спите|спи|иди|идите) (?:спать|спокойно)
    до побач\w*
    до (?:нової |нових |наступної |скорої )?зустріч\w*
    до (?:завтра|вечора|ранку|понеділка|вівторка|середи|четверга|п'ятниці|суботи|неділі|літа|зв'язку)$
    бувай(?:те)?
    прощава\w*
    на все добре|усього (?:вам |тобі )?(?:доброго|найкращого)|всього (?:вам |тобі )?(?:доброго|найкращого)
    (?:гарного|доброго|хорошого|чудового) (?:вам |тобі |\w+ )?(?:дня|вечора|відпочинку|ранку)|гарних вихідних
    (?:на )?(?:на)?добраніч
    (?:солодких|гарних|приємних) (?:тобі |вам )?снів
    і (?:тобі|вам) (?:солодких|гарних|того ж|навзаєм)
    щасливо|щасливої дороги|щасливої путі|гарної дороги|легкої дороги
    (?:хай|нехай) (?:щастить|бог \w+|береже \w+)|з богом|удачі$
    будь(?:те)? здоров\w*|ходи(?:те)? здоров\w*
    бережіть себе|бережи себе
    (?:цілую|обіймаю|чмоки|обнімаю)
    (?:передавай(?:те)?|вітай(?:те)?|вітання) (?:\w+ )?(?:вітання|привіт|мамі|татові|всім|усім|родині|дружині|чоловікові|дітям|батькам|своїх|маму|тата)
    не пропадай(?:те)?|не зникай(?:те)?
    (?:дзвони|телефонуй|пиши|пишіть|дзвоніть|заходь|приходь|приїжджай|приїзди|завітай|навідуйся)(?:те)?(?: ще| в гості| частіше| якщо що)*!?$
    (?:побачимось|побачимося|зустрінемось|зустрінемося|спишемось|спишемося|почуємось|почуємося|зідзвонимось|зідзвонимося)(?: \w+){0,2}$
    (?:мені |нам |ну )?(?:вже |час |пора )+(?:бігти|іти|йти|їхати|додому|спати|прощатися|розходитися)
    (?:мушу|маю|треба|повинен|повинна) (?:вже )?(?:іти|йти|бігти|їхати)
    (?:ну )?(?:я )?(?:побіг|побігла|пішов|пішла|поїхав|поїхала|піду|побіжу)(?: я)?(?: спати| додому)?$
    не (?:буду|смію|стану) (?:більше |вас |тебе )*(?:затримувати|відволікати|заважати)
    па-па|чао|адьо|па$
    goodbye|good-bye|bye(?:-bye| bye)?|farewell|ciao|adios|au revoir|ta-?ta|cheerio|toodles|cya|ttyl|gtg|g2g|laters?$|peace out
    see (?:you|ya|u)(?:,? \w+){0,3}$
    (?:talk|speak|chat|write) (?:to you |with you )?(?:soon|later|tomorrow)
    take care(?: of yourself)?|so long$|good ?night|nighty night|sleep (?:well|tight)|sweet dreams
    (?:have|enjoy) (?:a |an |your |the )?(?:rest of (?:your|the) |\w+ ){0,2}(?:day|evening|night|weekend|trip|one|time|week|holiday|journey|flight|morning|afternoon)(?:,? \w+){0,2}$
    (?:until|till) (?:next time|then|tomorrow|we meet\b.*|monday|tuesday|wednesday|thursday|friday|saturday|sunday)
    (?:safe|pleasant) (?:home|travels?|journey|trip|flight|drive)\b.*|godspeed|bon voyage|happy trails
    (?:i'?d better|i should|i must|i have to|i need to|i've got to|gotta|got to|i'?ll|i'?m|must|better|time to|let me) (?:be |get |let you )?(?:go|going|run|running|off|dash|dashing|head(?:ing)? (?:off|home|out)|leave|leaving|crash)(?: now| then| soon| home| to bed| along| you to it)?$
    (?:look at the time|is that the time|it'?s getting late|i'?ve kept you)\b.*
    (?:all the best|best wishes|best of luck|good luck|god bless(?: you)?|cheers|hugs(?: and kisses)?|xoxo|love to (?:\w+ ?){1,3}|say hi to (?:\w+ ?){1,3}|my best to (?:\w+ ?){1,3}|give (?:my|our) (?:love|regards|best) to (?:\w+ ?){1,3})$
    (?:keep in touch|stay in touch|don't be a stranger|drop by any ?time|come again|come back soon|call me|text me|stay safe|be well|be good)$
    wishing you (?:\w+ ?){1,8}$
    """
)


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


# What people speak of when they speak of the talk itself: thanks, agreement, parting. By words and not by
# phrases, so that a new turn of phrase made of them is understood too.
_TALK = _words(
    """
    absolut accept add admit again agree alike alright also amazing answer apolog appreciat argu
    awesome beat bother bottom bravo break brilliant business bye care catch certain chat chatting
    cheer cheerio ciao closed closing complete compromise conced conclu concluded concur consens
    consensus convers convinc cool correct course cover credit dash day day= deal definit discuss
    discussing disput ditto done else end enjoy enough evening everything evident exact excellent
    exhaust fair fantastic farewell fascinat find fine finish finished found friend fruitful further
    generous glad good got gotta gracious grateful great guess happy hear heard hearing help honor
    honour hug hugs indeed insight interest kind know late later leave likeminded likewise line
    listened listening look looks lose lost love lovely luck matter meaningful memorable mention
    more morning need neither nice night none nothing nutshell object obvious okay okey opinion own
    perfect pleas pleasant pleased point preci productive put question reconnect rest resume right
    righto run said same say see seem settle settled sleep something soon sorry splendid stimulating
    subject sum summar summarize summary sums super superb suppose sure surrender talk talking
    tata terrific thank things think thought thoughtful time tired too topic total touch true unanim
    undoubted useful victory view warm welcome well win wisdom wonderful word words work worries
    worry wrap wrapped yeah yep yes yield абсол авжеж ага аналогичн аналогічн аргумент атож баста
    бачимо бачу бегу бежа безпереч безсумнів безум безусл берег бережіт бесед бесспор бесід благодар
    боку больш браво бувай більше варто ваша вашого вважаю вдячн великолеп верн верно вестим вечер
    вечір взаимн взгляд взяла видим видимо вижу визна вийшло виріш вистачить виходить вичерп влаштов
    возра вопрос восхит время всего встреч выкладыва выходит відпов відпоч відступаю вірн гадаю гарн
    говорю годится годиться годі готов действит дела делам день диалог дискусс дискут добав добр
    доброго довод довольно договор дода домов допом дорог досить достат дружб друже друзі дум дума
    думк душевн дяку дізна еге един единомышл жду ждём забавн завер заверш задовол займ займус
    заканч законч закрива закрили закругл закрыва закрыли закрыт закін замечат запереч заперечен
    збіга зв'язк звичайн звони згод згід здаюся здаємос здаєть змістовн знаете знаешь знайти знать
    знаю знаєте знаєш знімаю золот зрозум зустріч зідзвон идеей идентичн идею идея именн интересн
    искать исчерп итог кажется капелюх капитулир клас класс колего компромисс конец конечн консенсус
    конц корисн крапк круто кінец кінц лади ладн ладушки люб'яз люб'язно люб'язні любезн любопыт
    мабуть мир мнен мудр мысл навзаєм навч надо найд найти напиш насичен насыщен науч неодм неоспор
    непремен несомн нечего нечем ничего ночь нужна нужно ніч нічим нічого обговор обним обнимаю
    обращ обсуд обсужд общему общен общий обязат обіймаю одинак однаков однодум одностайн окей ответ
    отдох отличн ото отож отримав отримала отступаю очевидн пане пані певна певно переко перемогли
    перерв перерыв переспор питан пиши= пишит плодотвор плідн побач победил победила побесед повніст
    погляд погов поговор погодж подвед поддерж подойд подойдёт подпис подпишус подытож поділя
    пожалуй поздно познават пока= поклон полезн полност получил получила помог помощ понимаю понял
    поняла понят пора= порозум послух послуш поспор поступа потріб похвал похож почув почула прав
    права правд правда правы прекр прекрасн прекрат прекращ пречудов придём призна признал признател
    прийнято принято припин присоедин пришли приятн приєдн приємн програв продуктив проиграл
    пропадай прост проща прощава підбив підсум підтрим піду підійде пізно рад рада= радий радо=
    рады= раз разгов разделяю разобрал разумеет ранок рацію рація резюм реше ровно розмов рукам
    рівно свидан свяжемся связ сдаюсь сдаёмся себе себя скажу сказ скорого славн слов слуша слушн
    снимаю совпад соглас соглаш содержат созвон солидар солідарн сошлись спасиб спати спать спереч
    спишемось спишемся спор справ справд справи спільн стовідсот стоит стопроцентн сумуй супер схоже
    счаст счита также тема тему темы темі теряй тоже точка точку точно треба тримай убега убед
    уважен увид угу удач удовольств узна уклін услышал услышала успех успіх устраива уступаю уступил
    утро файно факт финал фінал хвал хватит хорош ценю цікав цікавин цілком час чекаю честь чудесн
    чудов чудово шановн шляпу шукати щаст ясн ясно ясно-понятно ідентичн іти
    """
)
# What carries no content of its own.
_PLAIN = _words(
    """
    a about all am an and any are as at be been by can could covered did do does doing don't down
    each every for from get got had has have he her here his how i i'd i'll i'm i've if in into is
    it it'll it's its just let let's may me might must my no not now of off on one only or our out
    quite she so such than that that's the their them then there these they this those to up us very
    was way we we'll we're we've were what when where which who will with would you you'll you're
    you've your а або адже бо був буде будем будемо будет буду була були було бути бы был была были
    было быть в вам вами вас ваш ваша ваше вашего вашей ваши вашим ваших вашу ваші ведь вже ви во
    вона вони вот все всего всем всех всё всі всім вы він где да даже де для до дуже его ей если
    есть ещё её ж же за здесь значит и из им их й його к каждое каждый каждым как ко кожним кто ли
    маю мене меня мені ми мне мной мною могу може может можна можно мои мой мою моя моё мої мы мій
    на навіть над нам нами нас наш наша наши наші не нельзя нема немає нет ни но ну ні о об он она
    они оно ось от отже очень по под при про раз с сам сама сами свои свой свою со та так такая
    також такой такої там тебе тебя теж ти то тобой тобі тогда тоді только тут ты тільки тією тієї у
    уже хто це цей цього цьому цю ця ці чего чем чи что чтобы чём ще що эти это этого этой этом
    этому эту я як якщо є і їх її
    """
)
_AGREES = _words(
    """
    соглас соглаш прав права правы верн точн убед рад згод згід погодж вірн рацію певн agree right
    true sure correct convinc good fair fine happy glad
    """
)
# Of the talk's words those that a talk about truth, language or people needs as well: alone they end nothing.
_SUBJECTS = _words(
    """
    answer argu care chat convers day evening everything feel find found friend good got great happy
    heard help know learn love matter mind morning need night opinion point question right said say
    see something subject talk things think thought time topic true truth use useful view wisdom
    word words work аргумент бачимо бачу бесед бесід больш більше варто вечер вечір взгляд видим
    вижу вопрос время встреч відпов говорю готов действ действит дела делам день диалог добре добро
    довод допом достат дума думк дізна единство займ займус знаете знаешь знайти знать знаю знаєте
    знаєш золот идеей идею идея искать любезн мнен мудр мысл навч надо найд найти науч ночь нужна
    нужно ніч общен ответ отримав отримала питан погов поговор получил получила помог помощ понял
    поняла понят почув почула правд правда прост рада= раз разгов ранок розмов связ скажу сказ сказа
    слов слово слуша спереч спор справ справи стоит счаст счита тема тему темы темі треба узна
    услышал услышала утро факт честь шукати щаст
    """
)
_CONTRAST = re.compile(
    r"\b(?:но|однако|зато|хотя|а вот|але|проте|однак|хоча|зате|but|however|though|although|yet|disagree\w*)\b",
    re.IGNORECASE,
)
_DENIAL = _words("не ни ні нет not no never don't isn't aren't doesn't wasn't")
_DOUBLE_DENIAL = re.compile(
    r"\b(?:не могу не|не можу не|нельзя не|не можна не|(?:couldn|can|could)(?:.t|not)? (?:not )?agree more|can.t not)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[\w'’ʼ]+")
_TOKEN = re.compile(r"\w+")
_BEFORE_NAME = re.compile(r"\s*(?:(?:\*\*|__)\s*)?")
_AFTER_NAME = re.compile(r"\s*(?:(?:\*\*|__)\s*)?:\s*(?:\*\*|__)?\s*")
MARKS = 6
"""Characters after a name in which its colon must come, emphasis and spaces included."""


class Voice:
    """What is shown of a turn while it streams: without the speaker's own name in front and without
    the end mark. What could still become one of these is held back; `rest()` gives it at the end."""

    def __init__(self, name: str) -> None:
        self.ended = False
        """The turn's last word was the end mark."""
        self._held = ""
        self._begun = False
        self._length, self._own = len(name), name.casefold()

    def visible(self, text: str) -> str:
        """The next words to show."""
        self._held += text
        if not self._begun:
            self._held = self._held.lstrip()
            if self._may_be_name():
                return ""
            self._strip_name()
        return self._flow()

    def rest(self) -> str:
        """What was held back, at the end."""
        if not self._begun:
            self._strip_name()
        shown = self._flow()
        held, self._held = self._held, ""
        return shown + held

    def _may_be_name(self) -> bool:
        if len(self._held) > len(self._own) + 2 * MARKS:
            return False
        said = self._held.lstrip(" \t\n*_").casefold()
        if not said or len(said) < len(self._own):
            return self._own.startswith(said)
        return said.startswith(self._own) and len(said) < len(self._own) + MARKS

    def _strip_name(self) -> None:
        self._begun = True
        start = match.end() if (match := _BEFORE_NAME.match(self._held)) else 0
        end = start + self._length
        named = self._held[start:end].casefold() == self._own
        if named and (match := _AFTER_NAME.match(self._held, end)):
            self._held = self._held[match.end() :]

    def _flow(self) -> str:
        shown = []
        while (at := self._held.upper().find(END_MARK)) >= 0:
            shown.append(self._held[:at])
            self._held = self._held[at + len(END_MARK) :]
            self.ended = True
        keep = next(
            (n for n in range(len(END_MARK) - 1, 0, -1) if END_MARK.startswith(self._tail(n))), 0
        )
        text = self._held[: len(self._held) - keep]
        self._held = self._held[len(text) :]
        if text.strip():
            self.ended = False
        return "".join(shown) + text

    def _tail(self, length: int) -> str:
        tail = self._held[-length:].upper()
        return tail if len(tail) == length else "\0"


def is_light(text: str) -> bool:
    """Whether a turn is so short, and without question or figure, that it could be mere courtesy."""
    return 0 < len(_WORDS.findall(text)) <= COURTESY_WORDS and not ("?" in text or _has_digit(text))


def may_close(text: str) -> bool:
    """Whether a light turn has a word of thanks, agreement or parting anywhere: by recall, for a model to
    judge."""
    words = [word.casefold().replace("’", "'").replace("ʼ", "'") for word in _WORDS.findall(text)]
    return bool(_FAREWELL.search(text)) or any(
        _begins(word, _TALK) and not _begins(word, _SUBJECTS) for word in words
    )


def is_closing(text: str, before: Sequence[str] = ()) -> bool:
    """Whether a turn brings nothing: it thanks, agrees, parts, speaks of the talk itself or says what was
    said in `before`, or ends with a goodbye. One that asks, names a figure or objects is not."""
    if says_goodbye(text):
        return True
    words = [word.casefold().replace("’", "'").replace("ʼ", "'") for word in _WORDS.findall(text)]
    if not is_light(text):
        return False
    if _CONTRAST.search(text) or (_denies(words) and not _DOUBLE_DENIAL.search(text)):
        return False
    content = [word for word in words if word not in _PLAIN]
    if not content:
        return True
    known = {word[: STEM + 1] for line in before for word in _tokens(line)}
    of_the_talk = [word for word in content if _begins(word, _TALK)]
    fresh = [word for word in content if word[: STEM + 1] not in known and not _begins(word, _TALK)]
    if len(of_the_talk) < TALK_SHARE * len(content):
        return False
    if all(_begins(word, _SUBJECTS) for word in of_the_talk):
        return len(of_the_talk) == len(content)
    return len(fresh) <= max(1, FRESH_SHARE * len(content))


def _denies(words: Sequence[str]) -> bool:
    """Whether a word of agreement stands right after a denial, with at most one word between."""
    return any(
        word in _DENIAL and any(_begins(next_, _AGREES) for next_ in words[at + 1 : at + 3])
        for at, word in enumerate(words)
    )


def _begins(word: str, table: frozenset[str]) -> bool:
    return (
        word in table
        or f"{word}=" in table
        or any(word[:n] in table for n in range(STEM, min(len(word), MAX_ENTRY_LENGTH + 1)))
    )


def says_goodbye(text: str) -> bool:
    """Whether the turn's last sentence is a goodbye."""
    sentences = [s for s in re.split(r"(?<=[.!?…])\s+|\n+", text.strip()) if words_of(s)]
    last = sentences[-1] if sentences else ""
    return "?" not in last and len(words_of(last)) <= 15 and bool(_FAREWELL.search(last))


def repeats(text: str, own_earlier: Sequence[str]) -> bool:
    """Whether a turn says again what its speaker said in one of the last two, and nothing new: no other
    figure, move, name or word."""
    earlier = own_earlier[-LOOK_BACK:]
    if not any(overlap(text, before) > OVERLAP for before in earlier):
        return False
    known = {token for before in earlier for token in _tokens(before)}
    said = _tokens(text)
    return sum(token not in known for token in said) <= NEW_WORDS * len(said)


def _tokens(text: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(text)]


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def overlap(text: str, before: str) -> float:
    """The share of the text's word trigrams that are in `before`, 0 to 1; of texts shorter than three
    words, whether they are the same."""
    new, old = _trigrams(text), _trigrams(before)
    if not new:
        return float(words_of(text) == words_of(before))
    return len(new & old) / len(new)


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return set(zip(*(itertools.islice(words, i, None) for i in range(3)), strict=False))
