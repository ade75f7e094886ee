"""A model as a person reads it: `gemma2:2b (1.6 GB) ● loaded on GPU`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from app.core.models import Capability, LoadState, ModelProfile, ServerState
from app.core.text import Language, Text
from app.view.errors import ADVICE

ON_GPU = Text(ru="● загружена на GPU", uk="● завантажена на GPU", en="● loaded on GPU")
ON_CPU = Text(ru="● загружена на CPU", uk="● завантажена на CPU", en="● loaded on CPU")
ON_BOTH = Text(
    ru="● загружена, на GPU {share} %",
    uk="● завантажена, на GPU {share} %",
    en="● loaded, {share}% on GPU",
)
REFUSED = Text(
    ru="без {names}: модель этого не принимает",
    uk="без {names}: модель цього не приймає",
    en="without {names}: the model does not take it",
)
RETIRES = Text(ru="будет отключена {day}", uk="буде вимкнена {day}", en="to be shut down on {day}")
RETIRED = Text(ru="отключена {day}", uk="вимкнена {day}", en="shut down on {day}")
PRICED = Text(ru="цены на {day}", uk="ціни на {day}", en="prices as of {day}")
SOON_DAYS = 180
"""A retirement that is further away is no news yet."""
_GIGABYTE = Text(ru="ГБ", uk="ГБ", en="GB")
_MEGABYTE = Text(ru="МБ", uk="МБ", en="MB")


def size(bytes_: int, language: Language) -> str:
    """`1.6 GB`, decimal units as Ollama shows them."""
    if bytes_ >= 1_000_000_000:
        number, unit = f"{bytes_ / 1e9:.1f}", _GIGABYTE
    else:
        number, unit = f"{max(1, round(bytes_ / 1e6))}", _MEGABYTE
    return f"{number if language == 'en' else number.replace('.', ',')} {unit[language]}"


def load_label(load: LoadState, language: Language) -> str:
    """Where a loaded model lives."""
    if load.gpu_share >= 0.995:
        return ON_GPU[language]
    if load.gpu_share <= 0.005:
        return ON_CPU[language]
    return ON_BOTH.format(share=round(load.gpu_share * 100))[language]


def model_label(profile: ModelProfile, language: Language, *, with_server: bool) -> str:
    """One line for a list; the server is named where there is more than one."""
    parts = [f"{profile.ref.name} · {profile.ref.server}" if with_server else profile.ref.name]
    if profile.size_bytes:
        parts.append(f"({size(profile.size_bytes, language)})")
    if profile.load is not None:
        parts.append(load_label(profile.load, language))
    return " ".join(parts)


def notes(profile: ModelProfile, language: Language, today: date) -> list[str]:
    """What one should know before one chooses it: that it goes or is gone, and what it does not take."""
    said = []
    if profile.retires is not None and (profile.retires - today).days <= SOON_DAYS:
        when = RETIRES if profile.retires > today else RETIRED
        said.append(when.format(day=day(profile.retires, language))[language])
    if profile.refused:
        said.append(REFUSED.format(names=", ".join(profile.refused))[language])
    return said


def priced(profile: ModelProfile, language: Language) -> str | None:
    """How old the price is that is shown; None where the server says it itself, now, or nobody knows."""
    as_of = profile.price.as_of if profile.price else None
    return PRICED.format(day=day(as_of, language))[language] if as_of else None


def day(value: date, language: Language) -> str:
    """`01.08.2026`, in English `2026-08-01`."""
    return value.isoformat() if language == "en" else f"{value:%d.%m.%Y}"


def model_hint(profile: ModelProfile, language: Language, *, with_server: bool) -> str:
    """Its label, and what one should know of it."""
    label = model_label(profile, language, with_server=with_server)
    return " · ".join([label, *notes(profile, language, datetime.now(UTC).date())])


def chat_models(states: Sequence[ServerState]) -> list[ModelProfile]:
    """The models one can talk to, of all servers that answer."""
    return [
        profile
        for state in states
        for profile in state.models
        if profile.can(Capability.COMPLETION)
    ]


def troubles(states: Sequence[ServerState], language: Language) -> str | None:
    """What is wrong with the servers that do not answer; None where all is well."""
    lines = []
    for state in states:
        if state.error is not None:
            advice = ADVICE.get(state.error.code, ADVICE["server_error"])
            title = advice.title.format(server=state.name, model="—")[language]
            lines.append(f"⚠ {title}")
    return " · ".join(lines) or None
