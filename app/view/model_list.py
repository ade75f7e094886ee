"""The list of models that the composer opens: what each can do and costs, and which ones a person likes.

The page draws it (public/models.js); nothing is fetched for it but what the catalogue knows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from app.core.models import Capability, ModelProfile, ModelRef
from app.core.ports import KeyValueStore, Models
from app.core.text import Language
from app.view.chainlit.browser import Browser
from app.view.model_labels import load_label, notes, priced

LIKED: Final = "liked-models"
"""Scope of the key-value store: by user, the models they starred and those they chose last."""
RECENT_MOST: Final = 4
OLD_DAYS: Final = 60
"""A price that is older says so beside it, not only when it is pointed at."""
LIKED_MOST: Final = 50

SHOWN: Final = (Capability.VISION, Capability.TOOLS, Capability.THINKING)


def model_facts(profile: ModelProfile, name: str, language: Language) -> dict[str, Any]:
    """One model as the page draws it; prices are for a million tokens."""
    facts: dict[str, Any] = {
        "id": str(profile.ref),
        "name": name,
        "server": profile.ref.server,
        "local": profile.local,
        "can": [one.value for one in SHOWN if profile.can(one)],
        "size": profile.size_bytes,
        "window": profile.window,
        "load": load_label(profile.load, language) if profile.load else None,
    }
    today = datetime.now(UTC).date()
    if said := notes(profile, language, today):
        facts["note"] = " · ".join(said)
    if (price := profile.price) and not profile.local:
        facts["price"] = [_million(price.input), _million(price.output), price.currency]
        if label := priced(profile, language):
            facts["priced"] = label
            facts["oldPrice"] = bool(price.as_of and (today - price.as_of).days > OLD_DAYS)
    return facts


def _million(price: Decimal) -> str:
    return f"{(price * 1000).normalize():f}"


class ModelList:
    """Sends a page its models, and keeps what its user thinks of them."""

    def __init__(self, models: Models, values: KeyValueStore) -> None:
        self._models = models
        self._values = values

    async def send(
        self, browser: Browser, names: Mapping[ModelRef, str], away: ModelRef | None
    ) -> None:
        """`names`: how each model is called in the composer; `away`: the chosen one, where its server
        does not answer."""
        liked = await self._values.get(LIKED, browser.user_id) or {}
        language = browser.language
        models = [
            model_facts(self._models.profile(ref), name, language) for ref, name in names.items()
        ]
        if away:
            models.insert(0, model_facts(ModelProfile(away), away.name, language) | {"away": True})
        sent = {
            "models": models,
            "chosen": browser.options.text("model"),
            "favourites": liked.get("favourites", []),
            "recent": liked.get("recent", []),
        }
        await browser.emit("window_message", {"konsilium_models": sent})

    async def used(self, browser: Browser, model: str) -> None:
        """The person chose it: it is among the recent ones."""
        liked = await self._values.get(LIKED, browser.user_id) or {}
        recent = [model, *(one for one in liked.get("recent", []) if one != model)]
        await self._values.put(LIKED, browser.user_id, {**liked, "recent": recent[:RECENT_MOST]})

    async def favour(self, browser: Browser, model: str, *, on: bool) -> None:
        """The person starred it, or no longer. The newest star is the last."""
        liked = await self._values.get(LIKED, browser.user_id) or {}
        starred = [one for one in liked.get("favourites", []) if one != model]
        starred += [model] if on else []
        await self._values.put(
            LIKED, browser.user_id, {**liked, "favourites": starred[-LIKED_MOST:]}
        )
