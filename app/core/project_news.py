"""What the processes over one database tell each other of projects: that something of them has changed."""

from collections.abc import Callable

from app.core.ports import Post

Hear = Callable[[str, str], None]
"""hear(user_id, thread_id): that user's projects have changed, or which of them this thread is in; the
thread is empty where it is about the projects themselves."""


class ProjectNews:
    """What is changed in one process is heard in all."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._hearers: list[Hear] = []
        post.on("projects", lambda told: self._hear(str(told["user"]), str(told["thread"])))

    def subscribe(self, hear: Hear) -> None:
        """Hears of each change, of this process or another. Must be quick."""
        self._hearers.append(hear)

    def changed(self, user_id: str, thread_id: str = "") -> None:
        """Tells all of it."""
        self._post.tell_all({"kind": "projects", "user": user_id, "thread": thread_id})
        self._hear(user_id, thread_id)

    def _hear(self, user_id: str, thread_id: str) -> None:
        for hear in self._hearers:
            hear(user_id, thread_id)
