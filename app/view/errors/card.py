"""The error card's words: what happened, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from app.attachments import refusal_text
from app.core.text import Language, Text
from app.view.errors.advice import Advice
from app.view.errors.here import HERE
from app.view.errors.upstream import OLLAMA_DOWN, UPSTREAM

ADVICE: Mapping[str, Advice] = {**UPSTREAM, **HERE}

WAYS_OUT = {
    "compress_now": Text(ru="Сжать сейчас", uk="Стиснути зараз", en="Compress now"),
    "drop_oldest": Text(
        ru="Отбросить старые сообщения",
        uk="Відкинути старі повідомлення",
        en="Drop the oldest messages",
    ),
    "retry": Text(
        ru="Повторить с другой моделью",
        uk="Повторити з іншою моделлю",
        en="Try again with another model",
    ),
}
"""What may be done where a conversation does not fit the window: buttons of the error card."""

_LATER = Text(
    ru="Повторите чуть позже.", uk="Повторіть трохи згодом.", en="Try again a little later."
)
_IN_SECONDS = Text(
    ru="Повторите через {seconds} с.",
    uk="Повторіть через {seconds} с.",
    en="Try again in {seconds} s.",
)
_NEAR = Text(ru="Похожие: {names}.", uk="Схожі: {names}.", en="Alike: {names}.")


def advice_for(
    facts: Mapping[str, Any], language: Language, *, ollama: bool = False
) -> dict[str, Any]:
    """The error card's words: {"title", "text", "command", "retry", "actions"}, in `language`.

    `facts` is what the turn kept of the error (`code`, `server`, `model`, `retry_after`, ...);
    `ollama` says that the server is an Ollama, whose start command we know.
    """
    code = str(facts.get("code", "internal_error"))
    advice = ADVICE.get(code, ADVICE["internal_error"])
    if code == "server_unavailable" and ollama:
        advice = OLLAMA_DOWN
    words = {"server": facts.get("server") or "—", "model": facts.get("model") or "—"}
    text = advice.text.format(**words)[language]
    if seconds := facts.get("retry_after"):
        text += " " + _IN_SECONDS.format(seconds=max(1, round(float(seconds))))[language]
    elif advice.later:
        text += " " + _LATER[language]
    if near := facts.get("near"):
        text += " " + _NEAR.format(names=", ".join(map(str, near[:3])))[language]
    if code == "attachment_refused" and "reason" in facts:
        text = refusal_text(facts["reason"], facts.get("facts", {}))[language]
    return {
        "title": advice.title.format(**words)[language],
        "text": text,
        "command": advice.command,
        "retry": advice.retry,
        "actions": [
            {"name": name, "label": label[language], "other_model": name == "retry"}
            for name, label in (WAYS_OUT if code == "context_too_long" else {}).items()
        ],
    }
