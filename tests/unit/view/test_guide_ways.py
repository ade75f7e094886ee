"""Each way of the guide says whether it can work here."""

import asyncio

from app.view.guide_ways import SetupWays

HUB = "https://hub.test"


async def test_each_way_is_looked_at_once_and_says_what_was_found():
    asked: list[str] = []

    async def reachable(url: str) -> bool:
        asked.append(url)
        return "api.openai.com" in url

    ways = SetupWays(reachable, HUB)
    before = ways.props((), "openai", "en")
    assert [before[name]["ok"] for name in ("cloud", "embedded")] == [None, None]
    ways.look("openai")
    ways.look("openai")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ways.look("openai")
    assert asked == [HUB, "https://api.openai.com/v1"]
    after = ways.props((), "openai", "en")
    assert after["cloud"] == {"ok": True, "text": "api.openai.com can be reached from here"}
    assert after["embedded"]["ok"] is False
    assert "EMBEDDED_MODEL" in after["embedded"]["text"]
    assert after["ollama"]["ok"] is False
    assert ways.props((), "other", "en")["cloud"] == {}


async def test_without_any_way_out_ollama_has_to_come_from_elsewhere():
    async def unreachable(url: str) -> bool:
        return False

    ways = SetupWays(unreachable, HUB)
    ways.look("yandex")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "no internet" in ways.props((), "yandex", "en")["ollama"]["text"]
