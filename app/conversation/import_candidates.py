"""What becomes of conversations of other programs, and the words for it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.conversation.histories import ExportedThread, Refusal
from app.core.text import Text

ImportState = Literal["new", "grown", "known", "deleted"]
"""What became of a conversation: it is a new thread, has new messages, was here, or is in the bin."""

REFUSED = Text(
    ru="Это не экспорт ChatGPT, Open WebUI, LibreChat или Konsilium, либо он повреждён ({why}).",
    uk="Це не експорт ChatGPT, Open WebUI, LibreChat чи Konsilium, або його пошкоджено ({why}).",
    en="This is no export of ChatGPT, Open WebUI, LibreChat or Konsilium, or it is damaged ({why}).",
)
_REASONS: dict[Refusal, Text] = {
    "empty": Text(ru="файл пуст", uk="файл порожній", en="the file is empty"),
    "format": Text(
        ru="разговор {place} не похож ни на один из них",
        uk="розмова {place} не схожа на жодну з них",
        en="conversation {place} is like none of theirs",
    ),
    "damaged": Text(
        ru="разговор {place} не прочитать",
        uk="розмову {place} не прочитати",
        en="conversation {place} cannot be read",
    ),
    "json": Text(ru="это не JSON", uk="це не JSON", en="it is no JSON"),
    "zip": Text(
        ru="ZIP-файл не прочитать", uk="ZIP-файл не прочитати", en="the ZIP file cannot be read"
    ),
    "member": Text(
        ru="в ZIP-файле нет conversations.json",
        uk="у ZIP-файлі немає conversations.json",
        en="there is no conversations.json in the ZIP file",
    ),
    "bytes": Text(ru="больше {place} МБ", uk="понад {place} МБ", en="more than {place} MB"),
    "memory": Text(
        ru="ему нужно слишком много памяти",
        uk="йому треба забагато пам'яті",
        en="it needs too much memory",
    ),
}
STATES: dict[ImportState, Text] = {
    "new": Text(ru="новый", uk="новий", en="new"),
    "grown": Text(ru="дополнен", uk="доповнено", en="grown"),
    "known": Text(ru="уже есть", uk="вже є", en="known"),
    "deleted": Text(ru="в корзине", uk="у кошику", en="in the bin"),
}
ABOUT = Text(
    ru="сообщений: {messages}, ветвей: {branches}",
    uk="повідомлень: {messages}, гілок: {branches}",
    en="messages: {messages}, branches: {branches}",
)
WITH_MODELS = Text(
    ru=f"{ABOUT.ru}, модели: {{models}}",
    uk=f"{ABOUT.uk}, моделі: {{models}}",
    en=f"{ABOUT.en}, models: {{models}}",
)
MISSING = Text(
    ru="Файлов, которых в экспорте нет: {count}. Их имена останутся в сообщениях.",
    uk="Файлів, яких в експорті немає: {count}. Їхні назви залишаться в повідомленнях.",
    en="Files that are not in the export: {count}. Their names stay in the messages.",
)
TOTAL = Text(
    ru="Новых разговоров: {new}, дополненных: {grown}, уже известных: {known}, в корзине: {deleted}.",
    uk="Нових розмов: {new}, доповнених: {grown}, вже відомих: {known}, у кошику: {deleted}.",
    en="New conversations: {new}, grown: {grown}, known already: {known}, in the bin: {deleted}.",
)


@dataclass(frozen=True, slots=True)
class ImportCandidate:
    """One conversation of an export, and what becomes of it here."""

    state: ImportState
    day: str
    title: str
    messages: int
    branches: int
    models: tuple[str, ...] = ()
    missing: int = 0
    """Files that the export only names."""

    @classmethod
    def of(cls, thread: ExportedThread, state: ImportState) -> "ImportCandidate":
        said = thread.said
        return cls(
            state,
            f"{thread.created_at:%Y-%m-%d}",
            thread.title[:60],
            sum(bool(one.whole) for one in said),
            thread.branches,
            tuple(sorted({one.model for one in said if one.model})),
            sum(len(one.attachments) for one in said),
        )

    @property
    def about(self) -> Text:
        text = WITH_MODELS if self.models else ABOUT
        models = ", ".join(self.models)
        return text.format(messages=self.messages, branches=self.branches, models=models)


def refused(reason: Refusal, place: str) -> Text:
    """Why a file is refused."""
    why = _REASONS[reason].format(place=place)
    return Text(
        ru=REFUSED.ru.format(why=why.ru),
        uk=REFUSED.uk.format(why=why.uk),
        en=REFUSED.en.format(why=why.en),
    )


def summed(candidates: Iterable[ImportCandidate]) -> Text:
    """How many there are of each."""
    counts = Counter(one.state for one in candidates)
    return TOTAL.format(**{state: counts[state] for state in STATES})
