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
"""Words up to which a turn can be mere courtesy."""
POLITE_SHARE = 0.5
"""Share of a courtesy's words that stand in clauses with a polite word or one of agreement."""
FRESH_SHARE = 0.25
"""Share of the content of a mere agreement that may be new; a word always may."""

_FAREWELL = re.compile(
    r"\b(?:до свидан|до (?:новых |скорой )?встреч|до скорого|до завтра|всего (?:вам |тебе )?(?:добр|хорош|наилучш)|"
    r"прощай|бывай|пока-пока|счастливо|хорошего (?:\w+ )?(?:дня|вечера)|(?:спокойной|доброй) ночи|(?:ну )?пока[!.]*\s*\Z|"
    r"до побач|до (?:нової |нових )?зустріч|бувай|прощава|на все добре|гарного (?:\w+ )?(?:дня|вечора)|"
    r"(?:на )?добраніч|щасливо|goodbye|good-bye|bye\b|farewell|see you|take care|so long|good night|"
    r"have a (?:\w+ )?(?:nice|great|good|wonderful|lovely)|good ?night|later\b[!.]*\s*\Z)",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\b(?:спасиб|благодар|признател|рад[аы]?\b|приятн|удачи\b|удач\b|успехов\b|взаимно|обращайтесь|"
    r"не за что|и вам\b|и тебе\b|всегда пожалуйста|познавательн|интересн|замечательн|чудесн|многое узнал|"
    r"на этом вс[её]|на этом закончим|берегите себя|"
    r"дяку|вдячн|радий\b|рада\b|приємн|щасти\b|успіхів\b|навзаєм|звертайтес|нема за що|і вам\b|цікав|чудов|пиши(?:те|іть)? якщо|багато дізна|на цьому все|"
    r"thank|you.re welcome|pleasure|my honou?r|(?:great|good|nice) (?:talk|chat|discuss)|all the best|"
    r"good luck|likewise|enjoy|interesting|insightful|fascinating|lovely|wonderful|learned a lot|that.s all|no problem|happy to help|(?:don.t|no need to) mention|cheers\b|same to you|anytime\b)",
    re.IGNORECASE,
)
_AGREEMENT = re.compile(
    r"\b(?:соглас(?:ен|на|ны)\b|соглаша|соглашусь|поддержива|присоединяюсь|подписываюсь|"
    r"(?:вы|ты) (?:\w+ )?прав[аы]?\b|именно|точно\b|верно\b|безусловно|несомненно|разумеется|конечно|"
    r"абсолютно|полностью|действительно|так и есть|в точку|"
    r"договорились|по рукам|(?:отлично|прекрасно|хорошо) сказано|"
    r"(?:отличн|прекрасн|хорош)\w* (?:мысль|идея|вывод)|сошлись|единодуш|разделяю|(?:тоже|так же|также) (?:так )?(?:считаю|думаю)|"
    r"згод(?:ен|на|ні)\b|погоджу|підтриму|приєдну|ма(?:єш|єте) рацію|саме так|безумовно|безперечно|авжеж|звичайно|"
    r"цілком|слушно|справді|домовил|влучно|поділяю|одностайн|теж (?:так )?(?:вважаю|думаю)|так само (?:вважаю|думаю)|"
    r"agree|exactly|absolutely|precisely|indeed|(?:quite|so|very) (?:right|true)|you.re (?:\w+ )?right|"
    r"well (?:said|put)|concur|fair enough|deal\b|good point|of course|definitely|"
    r"certainly|totally|completely|same here|(?:think|feel) (?:so too|the same)|second that|on the same page|eye to eye)",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?:нечего|нічого) (?:\w+ ){0,2}(?:добавить|додати|возразить|заперечити)|"
    r"(?:добавить|додати|возразить|заперечити) (?:\w+ ){0,2}(?:нечего|нічого)|nothing (?:\w+ ){0,2}to add",
    re.IGNORECASE,
)
_BUT = re.compile(
    r"\b(?:но|однако|зато|хотя|а вот|не|але|проте|однак|хоча|but|however|though|although|yet|disagree\w*|not)\b|n.t\b",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(
    r"не за что|(?:не могу|не можу|нельзя|не можна) не|не могу добавить|не можу додати|couldn.t agree more|can.t agree more|can.t argue|"
    r"не о чем (?:больше )?спорить|спорить (?:больше )?не о чем|не хворай|don.t mention|не стоит благодарности",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[^.!?…\n,;:—–]+")
_TOKEN = re.compile(r"\w+")
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
        self._name = re.compile(
            rf"\s*(?:\*\*|__)?\s*{re.escape(name)}\s*(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*",
            re.IGNORECASE,
        )
        self._own = name.casefold()

    def visible(self, text: str) -> str:
        """The next words to show."""
        self._held += text
        if not self._begun:
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
        said = self._held.lstrip(" \t\n*_").casefold()
        if not said or len(said) < len(self._own):
            return self._own.startswith(said)
        return said.startswith(self._own) and len(said) < len(self._own) + MARKS

    def _strip_name(self) -> None:
        self._begun = True
        name = self._name.match(self._held)
        if name is not None:
            self._held = self._held[name.end() :]

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


def is_courtesy(text: str) -> bool:
    """Whether a turn is nothing but thanks, praise, agreement and goodbyes, or ends with a goodbye. One
    that asks, names a figure or objects is not."""
    if says_goodbye(text):
        return True
    if not 0 < len(words_of(text)) <= COURTESY_WORDS or "?" in text or _has_digit(text):
        return False
    plain = _NOT_BUT.sub(" спасибо ", text)
    if _BUT.search(plain):
        return False
    if _NOTHING.search(plain):
        return True
    clauses = [(clause, len(words_of(clause))) for clause in _CLAUSE.findall(plain)]
    polite = sum(
        n for clause, n in clauses if _COURTESY.search(clause) or _AGREEMENT.search(clause)
    )
    return polite >= POLITE_SHARE * sum(n for _, n in clauses)


def says_goodbye(text: str) -> bool:
    """Whether the turn's last sentence is a goodbye."""
    sentences = [s for s in re.split(r"(?<=[.!?…])\s+|\n+", text.strip()) if words_of(s)]
    last = sentences[-1] if sentences else ""
    return "?" not in last and len(words_of(last)) <= 15 and bool(_FAREWELL.search(last))


def merely_agrees(text: str, before: Sequence[str]) -> bool:
    """Whether a turn agrees and says only what was said before."""
    if "?" in text or not _AGREEMENT.search(text[:80]) or _BUT.search(_NOT_BUT.sub(" ", text)):
        return False
    known = {token[:5] for line in before for token in _tokens(line)}
    content = {token[:5] for token in _tokens(text) if len(token) > 3 or token.isdigit()}
    fresh = {token for token in content if token not in known and not _AGREEMENT.match(token)}
    return not any(map(_has_digit, fresh)) and len(fresh) <= max(1, FRESH_SHARE * len(content))


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
