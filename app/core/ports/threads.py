"""Conversations as people see them, with their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from app.core.threads import ElementRecord, FeedbackRecord, Page, StoredThread, ThreadRecord
from app.core.turns import StepRecord


class ThreadStore(Protocol):
    """Conversations as people see them. `user_id` or `reader` is who asks: another's thread is
    NotFound, as if it did not exist. Failed writes raise StorageUnavailable."""

    async def page(
        self,
        user_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        feedback: int | None = None,
    ) -> Page[ThreadRecord]:
        """The user's threads, newest activity first. `search` finds words by their beginnings, in any
        case: threads whose title has them all, then those with a message that does, latest first."""
        ...

    async def find(self, thread_id: str, reader: str | None) -> ThreadRecord:
        """The thread, if it is the reader's or shared."""
        ...

    async def contents(self, thread_id: str, reader: str | None) -> StoredThread:
        """The thread with all that was said in it, if it is the reader's or shared."""
        ...

    async def ensure(self, thread_id: str, user_id: str) -> None:
        """Makes an empty thread, which no list shows yet, where there is none."""
        ...

    async def suggest_title(self, thread_id: str, user_id: str, title: str) -> None:
        """Names an unnamed thread; makes it where there is none."""
        ...

    async def rename(self, thread_id: str, user_id: str, title: str) -> None:
        """Names a thread as a person wishes; no answer changes that name."""
        ...

    async def share(self, thread_id: str, user_id: str, shared: bool) -> None:
        """Lets everyone with the link read it, or no longer."""
        ...

    async def annotate(
        self,
        thread_id: str,
        user_id: str,
        metadata: Mapping[str, Any],
        tags: Sequence[str] | None = None,
    ) -> None:
        """Merges `metadata` into what is known; a None deletes. No error for a thread that is gone."""
        ...

    async def delete(self, thread_id: str, user_id: str) -> None:
        """Deletes it with everything in it, files too; its usage stays."""
        ...

    async def write_step(self, step: StepRecord, user_id: str) -> None:
        """Stores a step that is no turn's; makes the thread where there is none."""
        ...

    async def delete_step(self, step_id: str, user_id: str) -> None:
        """Deletes a step of the user's and all below it; no error where there is none."""
        ...

    async def mark_favorite(self, step_id: str, user_id: str, favorite: bool) -> StepRecord:
        """Stars a message, or no longer."""
        ...

    async def favorites(self, user_id: str) -> tuple[StepRecord, ...]:
        """The starred messages, latest first."""
        ...

    async def judge(self, verdict: FeedbackRecord, user_id: str) -> str:
        """Stores a verdict on a step, in place of an earlier one; returns the id it is kept under."""
        ...

    async def withdraw(self, feedback_id: str, user_id: str) -> None:
        """Takes a verdict back."""
        ...


class ElementStore(Protocol):
    """Files and other elements. Ids come from the browser: none reaches into another's thread."""

    async def write(
        self, element: ElementRecord, user_id: str, content: bytes | None = None
    ) -> None:
        """Stores an element, with its bytes if it has any; makes the thread where there is none."""
        ...

    async def find(self, thread_id: str, element_id: str, reader: str | None) -> ElementRecord:
        """The element, if its thread is the reader's or shared."""
        ...

    def path(self, element: ElementRecord) -> Path:
        """Where its bytes are, if it has any."""
        ...

    async def delete(self, element_id: str, user_id: str) -> None:
        """Deletes it, its bytes too."""
        ...
