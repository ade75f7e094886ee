"""What the settings panel tells besides the choices: what the conversation has taken so far, what is
pinned in it, and what the system prompt has become."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chainlit.input_widget import InputWidget, TextInput

from app.conversation.compression.thread import ShortSystemPrompt, ThreadNotes
from app.core.errors import StorageUnavailable
from app.core.ports import UsageReports
from app.core.reports import UsageFilter, UsageSummary
from app.core.text import Language, Text
from app.view.pinned_facts import PINNED, PinnedFacts
from app.view.session import Browser

log = logging.getLogger(__name__)

TOTAL = "thread_total"
SHORT_PROMPT = "short_system_prompt"
LABEL = Text(ru="Весь разговор", uk="Уся розмова", en="This conversation so far")
LINE = Text(
    ru="токены: {tokens_in} → {tokens_out} · {cost}",
    uk="токени: {tokens_in} → {tokens_out} · {cost}",
    en="tokens: {tokens_in} → {tokens_out} · {cost}",
)
HINT = Text(
    ru="На входе → на выходе; вызовов моделей: {calls}, считая сжатие и консилиум",
    uk="На вході → на виході; викликів моделей: {calls}, зі стисненням і консиліумом",
    en="In → out; model calls: {calls}, with compression and councils",
)
UNPRICED = Text(
    ru="без известной цены: {calls}", uk="без відомої ціни: {calls}", en="of unknown price: {calls}"
)
SHORT = Text(
    ru="Сжатый системный промпт: {before} → {after} токенов",
    uk="Стиснений системний промпт: {before} → {after} токенів",
    en="Compressed system prompt: {before} → {after} tokens",
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

    def __init__(self, reports: UsageReports, notes: ThreadNotes, pinned: PinnedFacts) -> None:
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
        the short prompt below its switch."""
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
            if widget.id == "compress_system_prompt" and (short := await self._short(browser)):
                fields.append(short_prompt_widget(short, browser.language))
        return fields

    async def _pins(self, browser: Browser, values: Mapping[str, Any]) -> list[InputWidget]:
        try:
            return [await self._pinned.field(browser, values)]
        except StorageUnavailable as error:
            log.warning("facts of thread %s: %s", browser.thread_id, error.detail)
            return []

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
        label=LABEL[language],
        description=total_hint(total, language),
        initial=total_line(total, language),
        disabled=True,
    )


def short_prompt_widget(short: ShortSystemPrompt, language: Language) -> TextInput:
    """What is sent in place of the system prompt, and how long the two are."""
    label = SHORT.format(
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
    """Tokens in and out, and the cost; what is not known is a dash."""
    return LINE.format(
        tokens_in=_count(total.input_tokens, language),
        tokens_out=_count(total.output_tokens, language),
        cost=_rubles(total.cost_rub),
    )[language]


def total_hint(total: UsageSummary, language: Language) -> str:
    """How many calls these are, and how many of them nobody knows the price of."""
    hint = HINT.format(calls=_count(total.calls, language))[language]
    if total.unpriced:
        hint += f"; {UNPRICED.format(calls=_count(total.unpriced, language))[language]}"
    return hint


def _count(value: int | None, language: Language) -> str:
    if value is None:
        return DASH
    return f"{value:,}" if language == "en" else f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")


def _rubles(amount: Decimal | None) -> str:
    """As under an answer: two decimals, or two figures of what is less than a rouble."""
    if amount is None:
        return DASH
    if amount == 0:
        return "0 ₽"
    digits = 2 if amount >= 1 else min(8, 1 - amount.adjusted())
    return f"{amount:.{digits}f} ₽"
