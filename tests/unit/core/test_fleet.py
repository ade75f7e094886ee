"""What processes tell each other of themselves, and when they count no more."""

import asyncio
from functools import partial

from app.core.fleet import SILENT_SECONDS, Fleet
from app.core.post import LocalPost
from tests.waiting import until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_each_hears_what_the_others_say_of_themselves_and_not_its_own():
    office: dict[str, LocalPost] = {}
    chats = {"a": 1, "b": 2, "c": 3}
    fleets = {name: Fleet(LocalPost(name, office)) for name in chats}
    for name, fleet in fleets.items():
        fleet.share("chats", partial(chats.__getitem__, name))
        fleet.changed()
    await until(lambda: fleets["a"].said("chats") == {"b": 2, "c": 3})
    assert fleets["a"].size == 3
    chats["b"] = 7
    fleets["b"].changed()
    await until(lambda: fleets["a"].said("chats") == {"b": 7, "c": 3})
    assert fleets["a"].said("something else") == {}


async def test_changes_of_one_moment_are_told_once():
    office: dict[str, LocalPost] = {}
    one, news = Fleet(LocalPost("a", office)), []
    other = Fleet(LocalPost("b", office))
    other.on_news(lambda: news.append(other.said("n")))
    numbers = iter(range(100))
    one.share("n", lambda: next(numbers))
    for _ in range(10):
        one.changed()
    await until(lambda: news)
    await asyncio.sleep(0)
    assert news == [{"a": 0}]


async def test_who_is_silent_counts_no_more():
    office: dict[str, LocalPost] = {}
    clock, news = Clock(), []
    here, there = Fleet(LocalPost("a", office), clock), Fleet(LocalPost("b", office))
    there.share("chats", lambda: 1)
    there.changed()
    await until(lambda: here.said("chats"))
    here.on_news(lambda: news.append(here.said("chats")))
    clock.now = SILENT_SECONDS - 0.1
    here.forget_the_silent()
    assert here.size == 2
    clock.now = SILENT_SECONDS + 0.1
    here.forget_the_silent()
    assert here.size == 1
    assert news == [{}]


async def test_alone_nothing_is_told():
    asked = []
    alone = Fleet(LocalPost("a"))
    alone.share("chats", lambda: asked.append(1))
    running = asyncio.create_task(alone.run())
    alone.changed()
    await asyncio.sleep(0.02)
    running.cancel()
    assert (asked, alone.size) == ([], 1)
