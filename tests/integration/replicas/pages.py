"""Pages of several replicas, and what they were shown."""

import contextlib
from dataclasses import dataclass, field

from tests.integration.access.page import Page
from tests.postgres import Postgres
from tests.processes import Process
from tests.redis_server import RedisServer
from tests.simulators.script import WORDS
from tests.waiting import until

SLOW = "ollama/len-600+paced-20ms"
LONG = "ollama/len-1200+paced-20ms"
LONGER = "ollama/len-3000+paced-20ms"
SHORT = "ollama/echo"
PAID = "ollama/len-900+paced-20ms"
"""5 roubles for 1,000 tokens of an answer."""
PRICES = f"""
[[price]]
model = "{PAID}"
currency = "RUB"
input = 0
output = 5
"""
WHOLE = "".join(WORDS[i % len(WORDS)] for i in range(600))
"""What SLOW answers."""
MODELS = (SLOW, LONG, LONGER, SHORT, PAID)
ANEW = ("resume_thread", "konsilium_branch")
"""What brings a page steps: all of a thread, or what is different in it."""
PATIENCE = 100
PASSWORD = "the administrator's"


@dataclass
class House:
    """Two replicas, the gateway's workers, the balancer before them, and what they stand on."""

    one: Process
    two: Process
    workers: Process
    balancer: str
    redis: RedisServer
    postgres: Postgres
    signed_in: dict[str, str] = field(default_factory=dict)
    """The cookies of a sign-in, which holds at all replicas."""
    closing: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def visit(self, replica, thread_id="", cookies=()):
        """A page of that replica, or, by its URL, of the balancer; closed at the end of the test."""
        page = await self.sign_in(replica, cookies)
        await page.connect(thread_id)
        return page

    async def sign_in(self, replica, cookies=()):
        page = Page(replica if isinstance(replica, str) else replica.url)
        page.http.timeout = PATIENCE
        self.closing.push_async_callback(page.close)
        if not self.signed_in:  # once: only so many sign-ins a minute are let in
            assert await page.sign_in("admin", PASSWORD) == 200
            self.signed_in.update(page.http.cookies)
            page.http.cookies.clear()
        page.http.cookies.update({**self.signed_in, **dict(cookies)})
        return page

    async def http(self, replica):
        """A signed-in client of that replica."""
        return (await self.sign_in(replica)).http

    def led_to(self, replica):
        """The cookie with which the balancer leads to that replica."""
        return {"konsilium_replica": "one" if replica is self.one else "two"}


async def half_answered(page, text="A slow one?", model=SLOW, patience=PATIENCE):
    """Asks that model, since a person's new chats begin with the one chosen last, and returns the thread's
    id once the answer has begun."""
    await page.socket.emit("chat_settings_change", {"model": model})
    await page.ask(text)
    first = await page.hear("first_interaction", timeout=patience)
    await page.hear("stream_token", timeout=patience)
    return first["thread_id"]


def answers(thread):
    return [s for s in thread["steps"] if s["type"] == "assistant_message"]


def answer_of(thread):
    (answer,) = answers(thread)
    return answer


def step_to(step_id):
    """What a page says of an arrow to another version."""
    return {"konsilium": {"event": "branch", "step": step_id}}


def drawn(page, step_id):
    """The text of a step as the page has it: what it was sent last, and what came after."""
    text = None
    for event, data in page.heard:
        if event in ANEW:
            (text,) = [s["output"] for s in data["steps"] if s["id"] == step_id] or [text]
        elif event in ("new_message", "update_message") and data["id"] == step_id:
            text = data["output"]
        elif event == "stream_token" and data["id"] == step_id:
            text = (text or "") + data["token"]
    return text


def questions(page):
    """Those that the page shows, in order, as it was sent them."""
    shown: dict[str, str] = {}
    for event, data in page.heard:
        if event in ANEW:
            before = list(shown.items())
            ids = list(shown)
            kept = before[: ids.index(data["cut"])] if event == "konsilium_branch" else []
            asked = [s for s in data["steps"] if s["type"] == "user_message"]
            shown = dict(kept) | {step["id"]: step["output"] for step in asked}
    return list(shown.values())


async def stopped(page):
    """Presses Stop, and waits until the answer is over."""
    await page.socket.emit("stop")
    await ended(page)


async def ended(page, turns=1, patience=PATIENCE):
    """Waits until so many turns have ended on the page, whether it saw that or was sent all of them anew."""

    def seen():
        runs = set()
        for event, data in page.heard:
            steps = data["steps"] if event in ANEW else [data]
            if event in (*ANEW, "update_message"):
                runs |= {step["id"] for step in steps if step["type"] == "run" and step.get("end")}
        return len(runs) >= turns

    await until(seen, within=patience)


async def stored(house, thread):
    """The thread as it stands in the database."""
    http = await house.http(house.two)
    return (await http.get(f"/project/thread/{thread}")).json()
