"""A process of its own that begins a turn, writes half of it, says so, and waits to be killed.

python -m tests.integration.storage.living URL FOLDER USER_ID THREAD_ID
"""

import asyncio
import sys
from pathlib import Path

from app.conversation.state import TurnState
from app.core.events import StepDelta, StepKind, StepStarted
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.storage.storage import Storage


async def main(url: str, folder: str, user_id: str, thread_id: str) -> None:
    storage = await Storage(url, Path(folder)).open()
    question = Question(new_id(), "Will it last?")
    request = TurnRequest(thread_id, user_id, question, ChatOptions.clean({}, "chat"))
    state = TurnState(request)
    await storage.turns.begin(request, state.opening())
    state.apply(StepStarted(new_id(), StepKind.ANSWER, "model"))
    state.apply(StepDelta(next(iter(state.steps)), "Half an answ"))
    await storage.turns.checkpoint(state.changed_steps())
    print("written", flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
