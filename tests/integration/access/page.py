"""A page without a browser: the requests and the socket that Chainlit's own client would open."""

import asyncio
import contextlib
from uuid import uuid4

import httpx
import socketio

EVENTS = (
    "new_message",
    "update_message",
    "stream_start",
    "stream_token",
    "resume_thread",
    "resume_thread_error",
    "konsilium_branch",
    "first_interaction",
    "element",
    "chat_settings",
    "task_end",
    "reload",
    "toast",
)


class Page:
    """One open page; `heard` is what its socket was sent, as (event, data)."""

    def __init__(self, url):
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=30)
        self.session = str(uuid4())
        self.heard = []
        self._news = asyncio.Event()
        self.socket = socketio.AsyncClient(reconnection=False)
        for event in EVENTS:
            self.socket.on(event, self._hear(event))
        self.closed = asyncio.Event()
        self.socket.on("disconnect", lambda *_: self.closed.set())

    def _hear(self, event):
        def hear(data=None):
            self.heard.append((event, data))
            self._news.set()

        return hear

    async def sign_in(self, name, password):
        form = {"username": name, "password": password}
        return (await self.http.post("/login", data=form)).status_code

    async def connect(self, thread_id="", origin=None):
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        await self.socket.connect(
            self.url,
            headers={"Cookie": cookies, "Origin": origin or self.url, "Accept-Language": "en"},
            auth={
                "sessionId": self.session,
                "clientType": "webapp",
                "userEnv": "{}",
                "threadId": thread_id,
            },
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            wait_timeout=100,
        )
        await self.socket.emit("connection_successful")

    async def hear(self, event, accept=lambda data: True, timeout=60):
        """The data of the first such event, come already or to come."""
        async with asyncio.timeout(timeout):
            while True:
                for name, data in self.heard:
                    if name == event and accept(data):
                        return data
                self._news.clear()
                await self._news.wait()

    async def ask(self, text, files=(), id=None):
        """Sends a message, anew or once more under its id; returns that."""
        id = id or str(uuid4())
        message = {
            "id": id,
            "threadId": "",
            "name": "User",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }
        references = [{"id": file} for file in files]
        await self.socket.emit("client_message", {"message": message, "fileReferences": references})
        return id

    async def upload(self, name, content, mime):
        """Uploads a file to the session; returns its id."""
        answer = await self.http.post(
            "/project/file",
            params={"session_id": self.session},
            files={"file": (name, content, mime)},
        )
        answer.raise_for_status()
        return answer.json()["id"]

    async def threads(self, search=None):
        """The sidebar's first page."""
        query = {"pagination": {"first": 35}, "filter": {"search": search}}
        return (await self.http.post("/project/threads", json=query)).json()["data"]

    async def close(self):
        with contextlib.suppress(Exception):  # a socket that was refused has nothing to close
            await self.socket.disconnect()
        await self.http.aclose()
