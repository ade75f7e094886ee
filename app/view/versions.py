"""`GET /project/thread/{thread}/versions/{node}`: what the versions of a question or of an answer say, and their
numbers, for the page that shows two of them side by side."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from app.core.errors import NotFound
from app.core.turns import StepRecord
from app.storage.threads import Threads
from app.view.chainlit.dicts import stamp
from app.view.chainlit.identity import asking_id


def versions_router(threads: Threads, root: str = "") -> APIRouter:
    """For the thread's owner; 404 for all others."""
    router = APIRouter(prefix=root, include_in_schema=False)

    @router.get("/project/thread/{thread_id}/versions/{node}")
    async def versions(thread_id: str, node: str) -> JSONResponse:
        """Of a question or an answer, with their siblings, in the order they appeared."""
        reader = asking_id()
        if reader is None:
            raise HTTPException(401, "Unauthorized")
        try:
            found = await threads.versions(thread_id, reader, node)
        except NotFound:
            raise HTTPException(404, "Not found") from None
        listed = [_version(id, steps) for id, steps in found.items()]
        return JSONResponse({"versions": listed}, headers={"Cache-Control": "no-store"})

    return router


def _version(id: str, steps: Sequence[StepRecord]) -> dict[str, Any]:
    """Several answers of one turn, as in a dialogue, are one text; the last has the turn's numbers."""
    questions = [step for step in steps if step.kind == "question"]
    answers = [step for step in steps if step.kind == "answer"]
    last = answers[-1] if answers else None
    return {
        "id": id,
        "question": questions[0].output if questions else None,
        "answer": "\n\n".join(step.output for step in answers),
        "by": last.name if last else None,
        "at": stamp(last.created_at) if last else None,
        "entry": last.metadata.get("metrics") if last else None,
    }
