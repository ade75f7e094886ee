"""Plain chat: one question, one model, one answer."""

import contextlib
from collections.abc import AsyncGenerator

from app.conversation.mode import TurnContext
from app.conversation.sampling import sampling_of
from app.conversation.speech import Speech
from app.core.events import StepKind, StepStarted, TurnEvent
from app.core.options import Option
from app.core.text import Text
from app.core.turns import new_id


class Chat:
    id = "chat"
    name = Text(ru="Чат", uk="Чат", en="Chat")
    description = Text(
        ru="Отвечает одна модель", uk="Відповідає одна модель", en="One model answers"
    )
    icon = "message-circle"
    options: tuple[Option, ...] = ()
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> AsyncGenerator[TurnEvent, None]:
        step = StepStarted(new_id(), StepKind.ANSWER, name=turn.model.name)
        request = turn.ask(
            turn.prompt.messages,
            sampling=sampling_of(turn.request.options),
            step_id=step.step_id,
        )
        speech = Speech(step, turn.models.call(turn.model, request))
        async with contextlib.aclosing(speech.events()) as events:
            async for event in events:
                yield event
