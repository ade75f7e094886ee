"""What becomes of conversations of other programs, and the words for it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.conversation.histories import ArrivingThread
from app.core.text import Text

Arrival = Literal["new", "grown", "known", "deleted"]
"""What became of a conversation: it is a new thread, has new messages, was here, or is in the bin."""

REFUSED = Text(
    ru="Это не экспорт ChatGPT, Open WebUI, LibreChat или Konsilium, либо он повреждён ({why}).",
    uk="Це не експорт ChatGPT, Open WebUI, LibreChat чи Konsilium, або його пошкоджено ({why}).",
    en="This is no export of ChatGPT, Open WebUI, LibreChat or Konsilium, or it is damaged ({why}).",
)
STATES: dict[Arrival, Text] = {
    "new": Text(ru="новый", uk="новий", en="new"),
    "grown": Text(ru="дополнен", uk="доповнено", en="grown"),
    "known": Text(ru="уже есть", uk="вже є", en="known"),
    "deleted": Text(ru="в корзине", uk="у кошику", en="in the bin"),
}
ABOUT = Text(
    ru="сообщений: {messages}, ветвей: {branches}, модели: {models}",
    uk="повідомлень: {messages}, гілок: {branches}, моделі: {models}",
    en="messages: {messages}, branches: {branches}, models: {models}",
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
class Arriving:
    """One conversation of an export, and what becomes of it here."""

    state: Arrival
    day: str
    title: str
    messages: int
    branches: int
    models: tuple[str, ...] = ()
    missing: int = 0
    """Files that the export only names."""

    @classmethod
    def of(cls, thread: ArrivingThread, state: Arrival) -> "Arriving":
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
        models = ", ".join(self.models) or "—"
        return ABOUT.format(messages=self.messages, branches=self.branches, models=models)


def summed(arriving: Iterable[Arriving]) -> Text:
    """How many there are of each."""
    counts = Counter(one.state for one in arriving)
    return TOTAL.format(**{state: counts[state] for state in STATES})
