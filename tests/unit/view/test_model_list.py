"""The list of models tells what each can do and costs, and remembers what a person likes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from app.core.models import Capability, LoadState, ModelProfile, ModelRef, Price
from app.core.options import ChatOptions
from app.view.model_labels import notes
from app.view.model_list import LIKED_MOST, RECENT_MOST, ModelList, model_facts

CLOUD = ModelProfile(
    ModelRef("openrouter", "qwen/vision"),
    frozenset({Capability.COMPLETION, Capability.VISION, Capability.TOOLS}),
    window=131_072,
    price=Price("USD", Decimal("0.0025"), Decimal("0.01")),
)
LOCAL = ModelProfile(
    ModelRef("ollama", "gemma2:2b"),
    size_bytes=1_600_000_000,
    load=LoadState(100, 100, 4096, None),
    local=True,
    refused=("top_p",),
    price=Price("RUB", Decimal(0), Decimal(0)),
)


class Values:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def get(self, scope: str, key: str) -> Any:
        return self.kept.get(scope + key)

    async def put(self, scope: str, key: str, value: Any) -> None:
        self.kept[scope + key] = value


class Page:
    """A page that remembers what it was sent."""

    user_id, language = "somebody", "en"

    def __init__(self) -> None:
        self.options = ChatOptions.clean({"model": str(CLOUD.ref)}, "chat")
        self.sent: dict[str, Any] = {}

    async def emit(self, _event: str, data: dict[str, Any]) -> None:
        self.sent = data["konsilium_models"]


def model_list() -> ModelList:
    known = {one.ref: one for one in (CLOUD, LOCAL)}
    return ModelList(
        cast(Any, SimpleNamespace(profile=lambda ref: known[ref])), cast(Any, Values())
    )


def test_a_model_tells_its_size_window_price_and_what_it_can():
    facts = model_facts(CLOUD, "qwen/vision", "en")
    assert facts["can"] == ["vision", "tools"]
    assert facts["window"] == 131_072
    assert facts["price"] == ["2.5", "10", "USD"], "for a million tokens"
    assert facts["size"] is None


def test_an_old_price_tells_its_age_and_a_fresh_one_only_where_it_is_pointed_at():
    today = datetime.now(UTC).date()
    for days, old in ((0, False), (59, False), (61, True)):
        price = Price("USD", Decimal(1), Decimal(1), as_of=today - timedelta(days=days))
        facts = model_facts(replace(CLOUD, price=price), "m", "en")
        assert facts["priced"] == f"prices as of {price.as_of}"
        assert facts["oldPrice"] is old
    assert "priced" not in model_facts(CLOUD, "m", "en")


def test_a_model_that_goes_or_is_gone_says_so():
    today = date(2026, 11, 29)
    said = {
        days: notes(replace(CLOUD, retires=today + timedelta(days=days)), "ru", today)
        for days in (-1, 0, 12, 400)
    }
    assert said == {
        -1: ["отключена 28.11.2026"],
        0: ["отключена 29.11.2026"],
        12: ["будет отключена 11.12.2026"],
        400: [],
    }


def test_a_local_model_costs_nothing_and_says_where_it_is_loaded_and_what_it_refuses():
    facts = model_facts(LOCAL, "gemma2:2b", "ru")
    assert "price" not in facts
    assert facts["load"] == "● загружена на GPU"
    assert facts["note"] == "без top_p: модель этого не принимает"


async def test_the_chosen_model_is_in_the_list_while_its_server_is_away():
    page, models = cast(Any, Page()), model_list()
    await models.send(page, {LOCAL.ref: "gemma2:2b"}, CLOUD.ref)
    assert [(one["id"], one.get("away")) for one in page.sent["models"]] == [
        ("openrouter/qwen/vision", True),
        ("ollama/gemma2:2b", None),
    ]
    assert page.sent["chosen"] == "openrouter/qwen/vision"


async def test_the_models_used_last_are_remembered_each_once_and_only_a_few():
    page, models = cast(Any, Page()), model_list()
    for name in ("a", "b", "c", "d", "e", "f", "b"):
        await models.used(page, f"ollama/{name}")
    await models.send(page, {}, None)
    assert page.sent["recent"] == ["ollama/b", "ollama/f", "ollama/e", "ollama/d"]
    assert len(page.sent["recent"]) == RECENT_MOST


async def test_a_star_is_set_once_and_taken_back_and_leaves_the_recent_ones_alone():
    page, models = cast(Any, Page()), model_list()
    await models.used(page, "ollama/a")
    for on in (True, True, False, True):
        await models.favour(page, "ollama/a", on=on)
    await models.favour(page, "ollama/b", on=True)
    await models.send(page, {}, None)
    assert page.sent["favourites"] == ["ollama/a", "ollama/b"]
    assert page.sent["recent"] == ["ollama/a"]
    for number in range(LIKED_MOST + 5):
        await models.favour(page, f"ollama/{number}", on=True)
    await models.send(page, {}, None)
    assert len(page.sent["favourites"]) == LIKED_MOST
