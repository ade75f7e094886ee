"""Knowledge bases over HTTP: made by upload, read by their owner, shut to everyone else until shared."""

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import quote

import uvicorn

from app.core.knowledge import Document
from app.core.turns import now
from app.view.chainlit.auth import create_token
from app.view.chainlit.dicts import persisted
from tests.attachment_files import a_bomb, a_pdf
from tests.waiting import until

LINK = re.compile(r'/knowledge/documents/([0-9a-f-]{36})">([^<]*)<')
DOCUMENT = re.compile(r"/knowledge/documents/([0-9a-f-]{36})")


async def enter(browser, name, password):
    signed = await browser.post("/login", data={"username": name, "password": password})
    assert signed.status_code == 200


async def made(browser, name="Papers"):
    """A new base's address."""
    answer = await browser.post("/knowledge/create", data={"name": name})
    assert answer.status_code == 303
    return answer.headers["location"]


async def uploaded(browser, address, *files):
    """The page of the base once all was read."""
    form = {"base": address.rpartition("/")[2]}
    listed = [("files", (name, content)) for name, content in files]
    sent = await browser.post("/knowledge/upload", data=form, files=listed)
    assert (sent.status_code, sent.headers["location"]) == (303, address)
    async with asyncio.timeout(60):
        while "http-equiv" in (page := (await browser.get(address)).text):
            await asyncio.sleep(0.1)
    return page


async def test_documents_come_by_upload_and_what_cannot_be_read_says_why(house, ann):
    async with house.visit() as browser:
        await enter(browser, "ann", "ann's password")
        address = await made(browser, "<b>Papers & more</b>")
        page = await uploaded(
            browser,
            address,
            ("report.pdf", a_pdf("Revenue grew by 12 percent")),
            ("../../plan.txt", b"Launch in October"),
            ("bomb.docx", a_bomb(400)),
        )
        assert "&lt;b&gt;Papers &amp; more&lt;/b&gt;" in page
        assert ">report.pdf<" in page
        assert ">plan.txt<" in page
        assert "not read: " in page
        pdf = next(id for id, name in LINK.findall(page) if name == "report.pdf")
        file = await browser.get(f"/knowledge/documents/{pdf}")
        assert file.content == a_pdf("Revenue grew by 12 percent")
        assert file.headers["content-type"] == "application/pdf"
        passage = (await browser.get(f"/knowledge/documents/{pdf}/passages/0")).json()
        assert (passage["text"], passage["page"]) == ("Revenue grew by 12 percent", 1)
        again = await browser.post("/knowledge/create", data={"name": "<b>Papers & more</b>"})
        assert again.status_code == 400
        for odd in ("", "\0", "x" * 300, "a\0b"):
            assert (await browser.post("/knowledge/create", data={"name": odd})).status_code in (
                303,
                400,
            )
        for odd in ("passages/-1", "passages/99999999999999999999", "passages/7", "passages/x"):
            strange = await browser.get(f"/knowledge/documents/{pdf}/{odd}")
            assert strange.status_code in (404, 422)
        for odd in ("%00", "x"):
            assert (await browser.get(f"/knowledge/{odd}")).status_code in (404, 422)
        form = {"base": address.rpartition("/")[2]}
        await browser.post("/knowledge/remove", data={**form, "document": pdf})
        assert (await browser.get(f"/knowledge/documents/{pdf}")).status_code == 404
        await browser.post("/knowledge/remove", data=form)
        assert (await browser.get(address)).status_code == 404


async def test_anothers_base_is_shut_until_it_is_shared_and_is_never_changed_by_others(
    house, ann, bob
):
    async with house.visit() as browser, house.visit() as other, house.visit() as stranger:
        await enter(browser, "ann", "ann's password")
        await enter(other, "bob", "bob's password")
        address = await made(browser)
        page = await uploaded(browser, address, ("plan.txt", b"Launch in October"))
        base, document = address.rpartition("/")[2], DOCUMENT.findall(page)[0]
        read = [
            address,
            f"/knowledge/documents/{document}",
            f"/knowledge/documents/{document}/passages/0",
        ]
        change = [
            ("/knowledge/remove", {"base": base}),
            ("/knowledge/remove", {"base": base, "document": document}),
            ("/knowledge/share", {"base": base, "shared": "true"}),
            ("/knowledge/share", {"base": base}),
        ]

        async def statuses(who):
            got = [(await who.get(path)).status_code for path in read]
            sent = [(await who.post(path, data=form)).status_code for path, form in change]
            file = {"files": ("x.txt", b"mine")}
            sent.append(
                (await who.post("/knowledge/upload", data=change[0][1], files=file)).status_code
            )
            return got, sent

        assert await statuses(stranger) == ([303, 401, 401], [401] * 5)
        assert await statuses(other) == ([404] * 3, [404] * 5)
        assert "Papers" not in (await other.get("/knowledge")).text
        await browser.post("/knowledge/share", data={"base": base, "shared": "true"})
        assert "shared by ann" in (await other.get("/knowledge")).text
        assert await statuses(other) == ([200] * 3, [404] * 5)
        assert "<form" not in (await other.get(address)).text
        await browser.post("/knowledge/share", data={"base": base})
        assert await statuses(other) == ([404] * 3, [404] * 5)
        assert (await browser.get(address)).status_code == 200


ODD_NAMES = (
    'a"b.html',
    "page.html; filename=x.exe",
    "a\r\nSet-Cookie: stolen=1\r\n.html",
    "план \u202egpj.html",
    "sheet.svg.html",
    "notes.md",
)


async def test_a_document_of_a_base_comes_as_a_file_that_runs_nothing_whatever_its_name(house, ann):
    """Read off a socket: the server's own bytes, before any client makes sense of them."""
    store = house.storage.knowledge
    base = await store.create(ann.id, "Odd")
    documents = [
        Document(f"{n:036}", base.id, name, "text/html", f"{n}", 5, None, 5, 0, now())
        for n, name in enumerate(ODD_NAMES)
    ]
    for one in documents:
        await store.put(one, [], b"<script>alert(1)</script>", ann.id)
    token = create_token(persisted(ann))
    async with served(house.app) as port:
        for one in documents:
            head, body = await asked(port, f"/knowledge/documents/{one.id}", token)
            lines = head.decode("ascii").lower().split("\r\n")
            assert lines[0].endswith("200 ok"), one.name
            assert body == b"<script>alert(1)</script>"
            (disposition,) = [line for line in lines if line.startswith("content-disposition")]
            written = quote(one.name, safe="").lower()
            assert disposition == f"content-disposition: attachment; filename*=utf-8''{written}"
            assert "content-type: application/octet-stream" in lines
            assert "x-content-type-options: nosniff" in lines
            assert "content-security-policy: default-src 'none'; sandbox" in lines
            assert not any(line.startswith("set-cookie") for line in lines)


@asynccontextmanager
async def served(app):
    """The app behind a real server; its port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    try:

        async def up():
            return server.started

        await until(up)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def asked(port, path, token):
    """The head and the body of what is answered, as they come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Cookie: access_token={token}\r\n\r\n".encode()
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body
