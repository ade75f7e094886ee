"""A second user tries every route with ids they have guessed, and gets nowhere."""

import pytest

from app.core.threads import ElementRecord
from tests.integration.storage.turns import say

HTML = b"<script>alert(1)</script>"


@pytest.fixture
async def theirs(house, ann):
    """Ann's thread with an answer, a file and a verdict."""
    settled = await say(house.storage, ann, "A secret?", "The secret.")
    question, turn = settled.request.question.id, settled.request.turn_id
    element = ElementRecord("e1", "t1", "file", "a.html", question, "text/html")
    await house.storage.elements.write(element, ann.id, HTML)
    async with house.visit(ann) as browser:
        verdict = {"feedback": {"forId": turn, "value": 1, "threadId": "t1"}, "sessionId": "s"}
        answer = await browser.put("/feedback", json=verdict)
        assert answer.status_code == 200
    return {"question": question, "turn": turn, "feedback": answer.json()["feedbackId"]}


async def test_a_thread_can_be_neither_seen_nor_changed(house, ann, bob, theirs):
    async with house.visit(bob) as browser:
        thread = {"threadId": "t1"}
        tries = [
            await browser.get("/project/thread/t1"),
            await browser.get("/project/share/t1"),
            await browser.get("/project/thread/t1/element/e1"),
            await browser.get("/files/t1/e1"),
            await browser.put("/project/thread", json={**thread, "name": "Mine"}),
            await browser.put("/project/thread/share", json={**thread, "isShared": True}),
            await browser.request("DELETE", "/project/thread", json=thread),
            await browser.post("/archive/add", data={"thread": "t1"}),
            await browser.post("/archive/restore", data={"thread": "t1"}),
        ]
        assert [answer.status_code for answer in tries] == [404] * len(tries)
        listed = {"pagination": {"first": 9}, "filter": {"search": "secret", "userId": ann.id}}
        assert (await browser.post("/project/threads", json=listed)).json()["data"] == []
    stored = await house.storage.threads.contents("t1", ann.id)
    assert (stored.thread.title, stored.thread.shared_at) == ("A secret?", None)
    assert stored.thread.archived_at is None


async def test_feedback_is_the_owners_alone(house, ann, bob, theirs):
    async with house.visit(bob) as browser:
        verdict = {"feedback": {"forId": theirs["turn"], "value": 0}, "sessionId": "s"}
        assert (await browser.put("/feedback", json=verdict)).status_code == 404
        taken = await browser.request(
            "DELETE", "/feedback", json={"feedbackId": theirs["feedback"]}
        )
        assert taken.status_code == 404
    stored = await house.storage.threads.contents("t1", ann.id)
    assert [verdict.value for verdict in stored.feedback] == [1]


async def test_a_verdict_of_ones_own_may_name_anothers_and_changes_nothing_of_it(
    house, ann, bob, theirs
):
    own = await say(house.storage, bob, "Hi?", "Hello.", thread="t2")
    named = {"id": theirs["feedback"], "forId": own.request.turn_id, "value": 0}
    async with house.visit(bob) as browser:
        kept = await browser.put("/feedback", json={"feedback": named, "sessionId": "s"})
    assert kept.status_code == 200
    assert kept.json()["feedbackId"] != theirs["feedback"]
    stored = await house.storage.threads.contents("t1", ann.id)
    assert [(one.id, one.value) for one in stored.feedback] == [(theirs["feedback"], 1)]


async def test_without_signing_in_nothing_opens(house, theirs):
    async with house.visit() as browser:
        for path in ("/user", "/project/thread/t1", "/project/share/t1", "/files/t1/e1"):
            assert (await browser.get(path)).status_code == 401


async def test_a_shared_thread_is_read_by_other_users_until_it_is_taken_back(
    house, ann, bob, theirs
):
    async with house.visit(ann) as mine, house.visit(bob) as his:
        await mine.put("/project/thread/share", json={"threadId": "t1", "isShared": True})
        shared = (await his.get("/project/share/t1")).json()
        assert [s["output"] for s in shared["steps"]][::2] == ["A secret?", "The secret."]
        assert shared["metadata"].keys() == {"is_shared", "shared_at"}
        assert (await his.get("/files/t1/e1")).status_code == 200
        assert (await his.get("/project/thread/t1")).status_code == 404
        renamed = await his.put("/project/thread", json={"threadId": "t1", "name": "Mine"})
        assert renamed.status_code == 404
        await mine.put("/project/thread/share", json={"threadId": "t1", "isShared": False})
        assert (await his.get("/project/share/t1")).status_code == 404
        assert (await his.get("/files/t1/e1")).status_code == 404


async def test_an_uploaded_page_never_runs_on_our_origin(house, ann, theirs):
    async with house.visit(ann) as browser:
        file = await browser.get("/files/t1/e1")
        assert file.content == HTML
        assert file.headers["content-type"] == "application/octet-stream"
        assert file.headers["content-disposition"].startswith("attachment")
        assert file.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in file.headers["content-security-policy"]
        for path in ("/files/t1/..%2f..%2fkonsilium.db", "/files/../konsilium.db/x"):
            assert (await browser.get(path)).content != HTML


async def test_a_file_is_told_about_by_head_to_whom_it_is_given(house, ann, bob, theirs):
    async with house.visit(ann) as browser:
        whole, head = await browser.get("/files/t1/e1"), await browser.head("/files/t1/e1")
        assert (head.status_code, head.content) == (200, b"")
        for header in ("content-type", "content-length", "content-disposition"):
            assert head.headers[header] == whole.headers[header]
        assert (await browser.head("/files/t1/%00")).status_code == 404
    async with house.visit(bob) as browser:
        assert (await browser.head("/files/t1/e1")).status_code == 404


async def test_odd_pages_of_the_sidebar_are_the_browsers_fault(house, ann):
    async with house.visit(ann) as browser:
        for first, status in ((-1, 400), (0, 400), (10**20, 200)):
            asked = {"pagination": {"first": first}, "filter": {}}
            assert (await browser.post("/project/threads", json=asked)).status_code == status
