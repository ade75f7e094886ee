"""What the settings panel tells besides its choices: what the conversation has taken, what is pinned in it,
what the system prompt has become."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from app.conversation.compression.thread import ShortSystemPrompt, ThreadNotes
from app.core.errors import StorageUnavailable
from app.core.reports import UsageFilter, UsageSummary
from app.core.text import Language, Text, written
from app.storage.usage import StoredUsage
from app.view.chainlit.browser import Browser
from app.view.chainlit.dicts import InputWidget, TextInput

log = logging.getLogger(__name__)


PINNED = "pinned_facts"
PINNED_LABEL = Text(ru="Закреплённые факты", uk="Закріплені факти", en="Pinned facts")
PINNED_HINT = Text(
    ru="По одному в строке. Модель получает их с каждым вопросом, что бы ни сжималось",
    uk="По одному в рядку. Модель отримує їх із кожним запитанням, хоч би що стискалося",
    en="One a line. The model is told them with every question, whatever is compressed",
)

Ensure = Callable[[str, str], Awaitable[None]]
"""Makes a user's thread where there is none: ensure(thread_id, user_id). Raises NotFound for another's."""


class PinnedFacts:
    """Shows what is pinned in a conversation, and takes what the person made of it."""

    def __init__(self, notes: ThreadNotes, ensure: Ensure) -> None:
        self._notes = notes
        self._ensure = ensure
        self._shown: WeakKeyDictionary[object, tuple[str, ...]] = WeakKeyDictionary()
        """What each page was sent last: only what the person changed in it counts, since a fact may
        have been pinned elsewhere meanwhile."""

    async def field(self, browser: Browser, values: Mapping[str, Any]) -> TextInput:
        """The field, with what is being written in it where that is among the values."""
        pinned = [fact.text for fact in await self._notes.pinned(browser.thread_id)]
        draft = values.get(PINNED)
        if draft is None:
            self._shown[browser.session] = tuple(pinned)
        return TextInput(
            id=PINNED,
            label=PINNED_LABEL[browser.language],
            description=PINNED_HINT[browser.language],
            initial="\n".join(pinned) if draft is None else str(draft),
            multiline=True,
        )

    async def chosen(self, browser: Browser, text: str) -> None:
        """The person confirmed the panel. Raises NotFound for another's thread."""
        before = self._shown.get(browser.session, ())
        after = tuple(dict.fromkeys(filter(None, (" ".join(x.split()) for x in text.split("\n")))))
        added = [line for line in after if line not in before]
        gone = {line for line in before if line not in after}
        if not (added or gone):
            return
        await self._ensure(browser.thread_id, browser.user_id)
        for fact in await self._notes.pinned(browser.thread_id):
            if fact.text in gone:
                await self._notes.unpin(browser.thread_id, fact.id)
        for line in added:
            await self._notes.pin(browser.thread_id, line)


TOTAL = "thread_total"
SHORT_PROMPT = "short_system_prompt"
TOTAL_LABEL = Text(ru="Весь разговор", uk="Уся розмова", en="This conversation so far")
TOTAL_LINE = Text(
    ru="токены: {tokens_in} → {tokens_out} · {cost}",
    uk="токени: {tokens_in} → {tokens_out} · {cost}",
    en="tokens: {tokens_in} → {tokens_out} · {cost}",
)
TOTAL_HINT = Text(
    ru="На входе → на выходе; вызовов моделей: {calls}, считая сжатие и консилиум",
    uk="На вході → на виході; викликів моделей: {calls}, зі стисненням і консиліумом",
    en="In → out; model calls: {calls}, with compression and councils",
)
UNPRICED = Text(
    ru="без известной цены: {calls}", uk="без відомої ціни: {calls}", en="of unknown price: {calls}"
)
SHORT_LABEL = Text(
    ru="Сжатый системный промпт: {before} → {after} токенов",
    uk="Стиснений системний промпт: {before} → {after} токенів",
    en="Compressed system prompt: {before} → {after} tokens",
)
GAVE_UP = "compression_stopped"
GAVE_UP_LABEL = Text(
    ru="Этот разговор сжимается без модели",
    uk="Ця розмова стискається без моделі",
    en="This conversation is compressed without a model",
)
GAVE_UP_HINT = Text(
    ru="Эта модель слишком мала для кратких изложений или трижды подряд не справилась: старые сообщения заменяют выдержки из ваших слов. Для сжатия можно выбрать другую модель",
    uk="Ця модель замала для стислих викладів або тричі поспіль не впоралася: старі повідомлення замінюють витяги з ваших слів. Для стиснення можна вибрати іншу модель",
    en="This model is too small to make summaries, or failed at it three times in a row: excerpts of your own words stand for older messages. You may choose another model for compression",
)
SHORT_HINT = Text(
    ru="Модель получает этот текст вместо написанного вами",
    uk="Модель отримує цей текст замість написаного вами",
    en="The model gets this text instead of what you wrote",
)
DASH = "—"


class PanelFacts:
    """Fields that the options do not have; the panel is drawn without them where the database is
    down."""

    def __init__(self, reports: StoredUsage, notes: ThreadNotes, pinned: PinnedFacts) -> None:
        self._reports = reports
        self._notes = notes
        self._pinned = pinned

    async def chosen(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person confirmed the panel."""
        if isinstance(text := choices.get(PINNED), str):
            await self._pinned.chosen(browser, text)

    async def put_into(
        self, panel: Sequence[InputWidget], browser: Browser, values: Mapping[str, Any]
    ) -> list[InputWidget]:
        """The total first, once the conversation has one; the pinned facts below the system prompt;
        the short prompt below its switch; below the summariser, that it is asked no more."""
        try:
            over = UsageFilter(user_id=browser.user_id, thread_id=browser.thread_id)
            total = await self._reports.summary(over)
        except StorageUnavailable as error:
            log.warning("total of thread %s: %s", browser.thread_id, error.detail)
            total = UsageSummary()
        fields: list[InputWidget] = [total_widget(total, browser.language)] if total.calls else []
        for widget in panel:
            fields.append(widget)
            if widget.id == "system_prompt":
                fields += await self._pins(browser, values)
            if widget.id == "summary_model" and (model := await self._without_model(browser)):
                fields.append(gave_up_widget(model, browser.language))
            if widget.id == "compress_system_prompt" and (short := await self._short(browser)):
                fields.append(short_prompt_widget(short, browser.language))
        return fields

    async def _pins(self, browser: Browser, values: Mapping[str, Any]) -> list[InputWidget]:
        try:
            return [await self._pinned.field(browser, values)]
        except StorageUnavailable as error:
            log.warning("facts of thread %s: %s", browser.thread_id, error.detail)
            return []

    async def _without_model(self, browser: Browser) -> str:
        if not browser.options.on("compress_context"):
            return ""
        return await self._notes.without_model(browser.thread_id, browser.options)

    async def _short(self, browser: Browser) -> ShortSystemPrompt | None:
        options = browser.options
        written = options.text("system_prompt").strip()
        on = options.on("compress_context") and options.on("compress_system_prompt")
        if not (written and on):
            return None
        short = await self._notes.system_prompt(written)
        return short if short.text != written else None


def total_widget(total: UsageSummary, language: Language) -> TextInput:
    """The line, as a field that nobody can write in."""
    return TextInput(
        id=TOTAL,
        label=TOTAL_LABEL[language],
        description=total_hint(total, language),
        initial=total_line(total, language),
        disabled=True,
    )


def gave_up_widget(model: str, language: Language) -> TextInput:
    """Which model makes no more summaries here, and what to do about it."""
    return TextInput(
        id=GAVE_UP,
        label=GAVE_UP_LABEL[language],
        description=GAVE_UP_HINT[language],
        initial=model,
        disabled=True,
    )


def short_prompt_widget(short: ShortSystemPrompt, language: Language) -> TextInput:
    """What is sent in place of the system prompt, and how long the two are."""
    label = SHORT_LABEL.format(
        before=_count(short.tokens_before, language), after=_count(short.tokens_after, language)
    )
    return TextInput(
        id=SHORT_PROMPT,
        label=label[language],
        description=SHORT_HINT[language],
        initial=short.text,
        multiline=True,
        disabled=True,
    )


def total_line(total: UsageSummary, language: Language) -> str:
    """Tokens in and out, `≈` before what we counted in part, and the cost; what is not known is a dash."""
    about = "≈ " if total.estimated else ""
    return TOTAL_LINE.format(
        tokens_in=about + _count(total.input_tokens, language),
        tokens_out=about + _count(total.output_tokens, language),
        cost=_rubles(total.cost_rub, language),
    )[language]


def total_hint(total: UsageSummary, language: Language) -> str:
    """How many calls these are, and how many of them nobody knows the price of."""
    hint = TOTAL_HINT.format(calls=_count(total.calls, language))[language]
    if total.unpriced:
        hint += f"; {UNPRICED.format(calls=_count(total.unpriced, language))[language]}"
    return hint


def _count(value: int | None, language: Language) -> str:
    return DASH if value is None else written(value, language)


def _rubles(amount: Decimal | None, language: Language) -> str:
    """As under an answer: two decimals, or two figures of what is less than a rouble."""
    if amount is None:
        return DASH
    if amount == 0:
        return "0 ₽"
    digits = 2 if amount >= 1 else min(8, 1 - amount.adjusted())
    return f"{written(amount, language, digits)} ₽"
