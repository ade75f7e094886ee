"""Who talks: the value of the option `dialogue_participants`, JSON text.

    [{"name": "Оптимист", "model": "ollama/gemma2:2b", "system": "Ты ищешь сильные стороны…"},
     {"name": "Скептик", "model": "", "system": "Ты ищешь слабые места…"}]

A list of 2 to 4 objects. `name`: 1 to 40 characters, each name once, letter case aside. `model`:
`server/model`, or "" (or absent) for the conversation's own. `system`: the participant's system
prompt, up to 8,000 characters, may be "". Unknown keys are ignored. The empty text stands for two
participants of ours in the reader's language. A preset is such a text under a name.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from app.core.mending import json_of
from app.core.text import Language, Text

MIN_PARTICIPANTS, MAX_PARTICIPANTS = 2, 4
MAX_NAME_CHARACTERS = 40
MAX_SYSTEM_CHARACTERS = 8000

NOT_READABLE = Text(
    ru="Список участников не читается: нужен список JSON.",
    uk="Список учасників не читається: потрібен список JSON.",
    en="The participants cannot be read: a JSON list is needed.",
)
WRONG_NUMBER = Text(
    ru="Участников должно быть от {least} до {most}, а их {n}.",
    uk="Учасників має бути від {least} до {most}, а їх {n}.",
    en="There must be {least} to {most} participants, not {n}.",
)
NO_NAME = Text(
    ru="У участника {n} нет имени.",
    uk="В учасника {n} немає імені.",
    en="Participant {n} has no name.",
)
LONG_NAME = Text(
    ru="Имя участника {n} длиннее {most} символов.",
    uk="Ім'я учасника {n} довше за {most} символів.",
    en="The name of participant {n} is longer than {most} characters.",
)
SAME_NAME = Text(
    ru="Имя «{name}» у двух участников.",
    uk="Ім'я «{name}» у двох учасників.",
    en='Two participants are called "{name}".',
)
LONG_SYSTEM = Text(
    ru="Системный промпт участника «{name}» длиннее {most} символов.",
    uk="Системний промпт учасника «{name}» довший за {most} символів.",
    en='The system prompt of "{name}" is longer than {most} characters.',
)

OPTIMIST = Text(ru="Оптимист", uk="Оптиміст", en="Optimist")
OPTIMIST_PROMPT = Text(
    ru="Ты ищешь сильные стороны и возможности, предлагаешь, как сделать, чтобы получилось.",
    uk="Ти шукаєш сильні сторони й можливості, пропонуєш, як зробити, щоб вийшло.",
    en="You look for strengths and chances, and propose how to make it work.",
)
SKEPTIC = Text(ru="Скептик", uk="Скептик", en="Sceptic")
SKEPTIC_PROMPT = Text(
    ru="Ты ищешь слабые места и риски, требуешь доказательств, признаёшь правоту, когда тебя убедили.",
    uk="Ти шукаєш слабкі місця й ризики, вимагаєш доказів, визнаєш слушність, коли тебе переконали.",
    en="You look for weak points and risks, ask for evidence, and concede when you are convinced.",
)

SEAT = Text(ru="Участник {n}", uk="Учасник {n}", en="Participant {n}")
SPECIALIST_SEAT = Text(ru="Специалист {n}", uk="Фахівець {n}", en="Specialist {n}")
COLUMN = Text(ru="Ответ {n}", uk="Відповідь {n}", en="Answer {n}")
"""What a seat that nobody has named is called: of a dialogue or a council, a consultation, a comparison."""
_OURS = (OPTIMIST, SKEPTIC, OPTIMIST_PROMPT, SKEPTIC_PROMPT)
_NUMBERED = re.compile(r"(\D+) (\d{1,2})")


@dataclass(frozen=True, slots=True)
class Participant:
    """One voice of a dialogue."""

    name: str
    model: str = ""
    system: str = ""


class ParticipantsInvalid(ValueError):
    """The form cannot be used as it is; `problem` says why, for the person."""

    def __init__(self, problem: Text) -> None:
        super().__init__(problem.en)
        self.problem = problem


def default_participants(language: Language) -> tuple[Participant, ...]:
    """Who talks where nobody was set up: an optimist and a skeptic, both on the conversation's model."""
    return (
        Participant(OPTIMIST[language], system=OPTIMIST_PROMPT[language]),
        Participant(SKEPTIC[language], system=SKEPTIC_PROMPT[language]),
    )


def parse_participants(
    value: str, least: int = MIN_PARTICIPANTS, most: int = MAX_PARTICIPANTS
) -> tuple[Participant, ...]:
    """The participants of the option's value; none for the empty text. Raises ParticipantsInvalid."""
    if not value.strip():
        return ()
    try:
        listed = json_of(value)
    except ValueError as error:
        raise ParticipantsInvalid(NOT_READABLE) from error
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ParticipantsInvalid(NOT_READABLE)
    if not least <= len(listed) <= most:
        raise ParticipantsInvalid(WRONG_NUMBER.format(least=least, most=most, n=len(listed)))
    participants = tuple(_participant(one, number) for number, one in enumerate(listed, 1))
    names = [one.name.casefold() for one in participants]
    for one in participants:
        if names.count(one.name.casefold()) > 1:
            raise ParticipantsInvalid(SAME_NAME.format(name=one.name))
    return participants


def read_in(written: str, language: Language) -> str:
    """The option's value as whoever reads `language` is to see it: a name or a prompt of ours that nobody has
    touched is in their language, whichever it was written in. One that cannot be read is left as it is."""
    try:
        participants = parse_participants(written, 1, len(written))
    except ParticipantsInvalid:
        return written  # whoever is to use it says what is wrong
    told = tuple(
        replace(one, name=_said(one.name, language), system=_said(one.system, language))
        for one in participants
    )
    names = {one.name.casefold() for one in told}
    return written if told == participants or len(names) < len(told) else written_participants(told)


def _said(text: str, language: Language) -> str:
    """The text in `language` where it is one of ours; as it is where it is the person's."""
    for ours in _OURS:
        if text in (ours.ru, ours.uk, ours.en):
            return ours[language]
    if numbered := _NUMBERED.fullmatch(text):
        form = f"{numbered[1]} {{n}}"
        for seat in (SEAT, SPECIALIST_SEAT, COLUMN):
            if form in (seat.ru, seat.uk, seat.en):
                return seat[language].format(n=numbered[2])
    return text


def written_participants(participants: Sequence[Participant]) -> str:
    """The option's value for these participants."""
    return json.dumps([asdict(one) for one in participants], ensure_ascii=False)


def _participant(fields: Mapping[str, object], number: int) -> Participant:
    name = " ".join(_text(fields, "name").split())
    if not name:
        raise ParticipantsInvalid(NO_NAME.format(n=number))
    if len(name) > MAX_NAME_CHARACTERS:
        raise ParticipantsInvalid(LONG_NAME.format(n=number, most=MAX_NAME_CHARACTERS))
    system = _text(fields, "system")
    if len(system) > MAX_SYSTEM_CHARACTERS:
        raise ParticipantsInvalid(LONG_SYSTEM.format(name=name, most=MAX_SYSTEM_CHARACTERS))
    return Participant(name, _text(fields, "model"), system)


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    return value.strip() if isinstance(value, str) else ""
