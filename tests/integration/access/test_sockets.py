"""The real app, its sockets and its death: strangers, disabled users, kill -9."""

import asyncio
import contextlib
import resource
import signal
import time

import pytest
import pytest_asyncio
import socketio.exceptions

from app.access.passwords import Passwords
from app.access.people import People
from app.access.sessions import Sessions
from app.storage.storage import Storage
from tests.integration.access.page import Page
from tests.processes import konsilium, running, simulator
from tests.unit.access.test_passwords import CHEAP
from tests.waiting import until

SLOW = "ollama/len-200+paced-20ms"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """AUTH_MODE=password over a simulated Ollama that takes about 4 s an answer."""
    folder = tmp_path_factory.mktemp("password")
    models = simulator("ollama", folder)
    variables = {"AUTH_MODE": "password", "ADMIN_PASSWORD": "the administrator's"}
    process = konsilium(folder, OLLAMA_HOST=models.url, MODEL_NAME=SLOW, **variables)
    with running(models, process):
        yield process


@pytest_asyncio.fixture
async def storage(app):
    """The app's own database, from another process than its own."""
    folder = app.log.parent / "data"
    opened = Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder)
    yield opened
    await opened.database.aclose()


@pytest_asyncio.fixture
async def people(storage):
    return People(storage.users, Passwords(CHEAP))


@pytest_asyncio.fixture
async def visit(app, people):
    """Opens pages of users made for the purpose; all are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def visit(name, thread_id="", connect=True):
            if await people.known(name) is None:
                await people.add(name, "long enough")
            page = Page(app.url)
            stack.push_async_callback(page.close)
            assert await page.sign_in(name, "long enough") == 200
            if connect:
                await page.connect(thread_id)
            return page

        yield visit


async def half_answered(page, text="A slow one?"):
    """Asks, and returns the thread's id once the answer has begun."""
    await page.ask(text)
    first = await page.hear("first_interaction")
    await page.hear("stream_token")
    return first["thread_id"]


def questions(thread):
    return [step["output"] for step in thread["steps"] if step["type"] == "user_message"]


def initial(widgets, name):
    """What the panel shows for that setting."""
    return next(widget["initial"] for widget in widgets if widget["id"] == name)


async def test_a_new_thread_is_in_the_sidebar_while_it_is_answered(visit):
    page = await visit("ann")
    thread = await half_answered(
        page, "Как варить борщ, если свёклы нет, а гости уже на пороге дома?"
    )
    (listed,) = await page.threads()
    assert listed["id"] == thread
    assert listed["name"] == "Как варить борщ, если свёклы нет, а гости уже на…"


async def test_a_message_that_comes_twice_is_answered_once(visit):
    page = await visit("ann-twice")
    id = await page.ask("Once?")
    thread = (await page.hear("first_interaction"))["thread_id"]
    await page.hear("stream_token")
    await page.ask("Once?", id=id)
    await page.ask("Another")
    read = f"/project/thread/{thread}"
    async with asyncio.timeout(60):
        while len(questions((await page.http.get(read)).json())) < 2:
            await asyncio.sleep(0.1)
    steps = (await page.http.get(read)).json()["steps"]
    assert questions({"steps": steps}) == ["Once?", "Another"]
    assert len([step for step in steps if step["type"] == "run"]) <= 2


async def test_no_copy_of_an_upload_outlives_its_question(app, visit):
    page = await visit("ann-files")
    file = await page.upload("notes.txt", b"the notes", "text/plain")
    assert list((app.log.parent / "data" / "uploads").rglob(file))
    await page.ask("What do they say?", [file])
    stored = await page.hear("element", lambda data: data["id"] == file and data["url"])
    got = await page.http.get(stored["url"])
    assert got.content == b"the notes"
    uploads = app.log.parent / "data" / "uploads"
    await until(lambda: not list(uploads.rglob(file)))


async def test_a_strangers_socket_gets_neither_thread_nor_its_stream(visit, storage):
    ann = await visit("ann-2")
    thread = await half_answered(ann)
    bob = await visit("bob-2", thread)
    assert await bob.hear("resume_thread_error") == "Thread not found."
    await bob.socket.emit("stop")
    await bob.socket.emit("connection_successful")
    await bob.ask("Is this mine?")
    own = (await bob.hear("first_interaction"))["thread_id"]
    assert own != thread
    await bob.hear("stream_token")
    mine = (await ann.http.get(f"/project/thread/{thread}")).json()
    assert [s["output"] for s in mine["steps"] if s["type"] == "user_message"] == ["A slow one?"]
    streamed = {data["id"] for event, data in bob.heard if event == "stream_token"}
    assert not streamed & {step["id"] for step in mine["steps"]}

    async def answered_whole():
        steps = (await ann.http.get(f"/project/thread/{thread}")).json()["steps"]
        return any(s["type"] == "assistant_message" and len(s["output"]) > 300 for s in steps)

    await until(answered_whole, within=20)  # Bob's stop has not ended it


async def test_elements_cannot_be_put_into_anothers_thread(visit, storage, people):
    ann, bob = await visit("ann-3"), await visit("bob-3")
    thread = await half_answered(ann)
    await half_answered(bob)
    who = await people.known("ann-3")
    element = {
        "id": "guessed",
        "type": "custom",
        "name": "ErrorCard",
        "display": "inline",
        "threadId": thread,
        "forId": None,
        "props": {"evil": True},
    }
    for session in (bob.session, ann.session):
        for method in ("PUT", "DELETE"):
            payload = {"element": element, "sessionId": session}
            asked = await bob.http.request(method, "/project/element", json=payload)
            assert asked.status_code == 404
    stored = await storage.threads.contents(thread, who.id)
    assert stored.elements == ()


async def test_an_upload_outlives_its_session_and_is_its_owners_alone(visit, app):
    ann, bob = await visit("ann-4"), await visit("bob-4", connect=False)
    file = await ann.upload("notes.txt", b"the notes", "text/plain")
    message = await ann.ask("See the notes", [file])
    thread = (await ann.hear("first_interaction"))["thread_id"]
    await ann.hear("stream_token")
    await ann.close()
    again = await visit("ann-4", thread)
    resumed = await again.hear("resume_thread")
    (element,) = [e for e in resumed["elements"] if e["type"] == "file"]
    assert (element["name"], element["forId"]) == ("notes.txt", message)
    assert (await again.http.get(element["url"])).content == b"the notes"
    assert (await bob.http.get(element["url"])).status_code == 404


async def test_a_user_disabled_in_mid_answer_is_out_at_once(visit, people, storage):
    page = await visit("eve")
    thread = await half_answered(page)
    eve = await people.known("eve")
    await people.set_enabled(eve, enabled=False)
    await asyncio.wait_for(page.closed.wait(), 5)
    assert (await page.http.get("/user")).status_code == 401
    with pytest.raises(socketio.exceptions.ConnectionError):
        await Page.connect(again := Page(page.url), thread)
    await again.close()

    async def outcome():
        ended = (await storage.threads.contents(thread, eve.id)).steps[1].outcome
        return ended != "running" and ended

    assert await until(outcome, within=5) == "stopped"


async def test_an_answer_is_over_after_its_last_word(visit):
    page = await visit("ann-last")
    await page.hear("task_end")  # of its opening
    await page.socket.emit("chat_settings_change", {"model": "ollama/len-3"})
    await page.hear("chat_settings", lambda widgets: initial(widgets, "model") == "ollama/len-3")
    for _ in range(5):
        page.heard.clear()
        await page.ask("A short one?")
        await page.hear("update_message", lambda step: step["type"] == "run" and step.get("end"))
        await page.hear("task_end")
        events = [event for event, _ in page.heard]
        assert events.index("task_end") > max(
            at for at, event in enumerate(events) if event in ("stream_token", "update_message")
        )


async def test_a_question_asked_in_one_tab_is_asked_and_answered_in_the_other(visit):
    one = await visit("ann-6")
    thread = await half_answered(one)
    two = await visit("ann-6", thread)
    await two.hear("resume_thread")
    before = {data["id"] for event, data in one.heard if event == "stream_token"}
    await one.ask("And this?")
    both = ["A slow one?", "And this?"]
    shown = await two.hear("konsilium_branch", lambda part: questions(part) == both)
    run = [step["id"] for step in shown["steps"] if step["type"] == "run"][-1]
    await two.hear("stream_token", lambda token: token["id"] not in before)
    await two.socket.emit("stop")
    await one.hear("update_message", lambda step: step["id"] == run and step["end"])
    await two.hear("update_message", lambda step: step["id"] == run and step["end"])


async def test_choices_made_in_one_tab_hold_in_the_other_and_outlive_it(visit, storage, people):
    one = await visit("ann-7")
    thread = await half_answered(one)
    who = await people.known("ann-7")
    two = await visit("ann-7", thread)
    await two.hear("resume_thread")
    choices = {"temperature": 0.2, "system_prompt": "Be brief", "best_of_n": 4}
    await one.socket.emit("chat_settings_change", choices)
    await two.hear("chat_settings", lambda widgets: initial(widgets, "temperature") == 0.2)
    await one.socket.emit("chat_settings_change", {"temperature": 0.4})
    await two.hear("chat_settings", lambda widgets: initial(widgets, "temperature") == 0.4)
    await one.close()
    await two.close()
    kept = (await storage.threads.find(thread, who.id)).metadata["chat_settings"]
    expected = {**choices, "temperature": 0.4, "mode": "chat"}
    assert {name: kept[name] for name in expected} == expected


async def test_a_tab_that_missed_a_change_does_not_undo_it_when_it_closes(visit, storage, people):
    one = await visit("ann-8")
    thread = await half_answered(one)
    who = await people.known("ann-8")
    await storage.conversations.keep_settings(who.id, thread, {"temperature": 0.2})
    await one.close()
    await asyncio.sleep(1)  # a page that closes leaves nothing behind
    metadata = (await storage.threads.find(thread, who.id)).metadata
    assert metadata["chat_settings"] == {"temperature": 0.2}
    assert "client_type" not in metadata


@contextlib.contextmanager
def full_disk(app):
    """The kernel lets the app write into no file past its first byte, as where no block is left."""
    soft, hard = resource.prlimit(app.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(app.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(app.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_in_mid_answer_is_said_and_all_is_stored_when_there_is_room(
    visit, app, storage, people
):
    page = await visit("ann-9")
    thread = await half_answered(page)
    who = await people.known("ann-9")
    with full_disk(app):
        await page.hear("toast", lambda toast: toast["type"] == "warning")
        failed = await page.http.put("/project/thread", json={"threadId": thread, "name": "Mine"})
        assert failed.status_code == 503
    await page.hear("toast", lambda toast: toast["type"] == "success")
    await page.hear("update_message", lambda step: step["type"] == "run" and step["end"])
    answer = (await storage.threads.contents(thread, who.id)).steps[-1]
    assert (answer.outcome, len(answer.output) > 300) == ("completed", True)


async def test_a_foreign_page_opens_no_socket(visit):
    page = await visit("mallory", connect=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await page.connect(origin="http://evil.example")


async def test_killed_in_mid_answer_the_question_and_the_half_are_there_again(
    visit, app, storage, people
):
    page = await visit("ann-5")
    thread = await half_answered(page, "Will it last?")
    who = await people.known("ann-5")

    async def checkpointed():
        answer = (await storage.threads.contents(thread, who.id)).steps[-1]
        return len(answer.output) > 50

    await until(checkpointed)
    app.restart(signal.SIGKILL)
    again = await visit("ann-5", thread)
    resumed = await again.hear("resume_thread")
    question, run, answer, _notice = resumed["steps"]
    assert {e["name"] for e in resumed["elements"]} == {"MetricsCard", "ErrorCard"}
    assert (question["output"], run["type"]) == ("Will it last?", "run")
    assert len(answer["output"]) > 50
    assert answer["end"] is not None
    await again.ask("Go on?")
    await again.hear("stream_token")
    (listed,) = await again.threads()
    assert listed["id"] == thread


@pytest.mark.parametrize("session", ["..", "../..", "/etc", "", "a/b", ["x"], None, "0" * 36])
async def test_a_session_is_called_as_pages_call_theirs_and_names_no_folder(visit, app, session):
    """The folder of its uploads is called like the session, and goes with it."""
    page = await visit("mallory-2", connect=False)
    page.session = session
    with pytest.raises(socketio.exceptions.ConnectionError):
        await page.connect()
    assert (app.log.parent / "data" / "konsilium.db").exists()


async def test_a_sign_in_that_is_ended_in_another_process_closes_its_pages(visit, storage, people):
    one, other = await visit("ann-10"), await visit("ann-10")
    ann = await people.known("ann-10")
    sessions = Sessions(storage.key_values)
    await sessions.end(one.http.cookies["access_token"], time.time() + 60)
    await asyncio.wait_for(one.closed.wait(), 20)
    assert (await one.http.get("/user")).status_code == 401
    assert not other.closed.is_set()
    assert len(await sessions.of(ann.id)) == 1


async def test_a_new_password_closes_the_pages_of_the_former(visit, people):
    page = await visit("ann-11")
    await people.add("ann-11", "another long one")
    await asyncio.wait_for(page.closed.wait(), 20)
    assert (await page.http.get("/user")).status_code == 401


@pytest.mark.parametrize("event", ["connect", "disconnect"])
async def test_a_page_cannot_send_the_events_that_the_server_makes(visit, app, event):
    """Their handlers would believe the request and the reason that it brings."""
    page = await visit("mallory-3")
    made_up = {"HTTP_COOKIE": "access_token=mine", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}
    with pytest.raises(socketio.exceptions.TimeoutError):  # who handles an event acknowledges it
        await page.socket.call(event, (made_up, {"userEnv": "{}"}), timeout=3)
    assert f"an event named {event}" in app.log.read_text()
    await half_answered(page)
