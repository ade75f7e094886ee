"""A stage for one mode: a turn's context, and its events folded into a state as the app does it."""

import asyncio
from collections.abc import Callable

from app.conversation.mode import Inbox, Mode, TurnContext, TurnModels
from app.conversation.state import TurnState
from app.core.events import StepKind
from app.core.messages import Message
from app.core.options import ChatOptions
from app.core.turns import HistoryMessage, Prompt, Question, TurnRequest, new_id
from app.core.usage import Outcome
from tests.fakes import ScriptedModels


class Stage:
    """One turn of one mode over scripted models."""

    def __init__(
        self,
        mode: Mode,
        models: ScriptedModels,
        text: str = "Как квантовая механика влияет на финансовые рынки?",
        *,
        language="ru",
        history: tuple[HistoryMessage, ...] = (),
        **options,
    ) -> None:
        self.mode, self.models = mode, models
        request = TurnRequest(
            "thread",
            "user",
            Question(new_id(), text),
            ChatOptions.clean(options, mode.id, mode.options),
            language,
            author="Ада",
        )
        system = request.options.text("system_prompt")
        messages = (
            *((Message.system(system),) if system else ()),
            *(m.as_message() for m in history),
            request.question.as_message(),
        )
        self.inbox = Inbox()
        self.turn = TurnContext(
            request,
            Prompt(messages),
            history,
            models.resolve(request.options.text("model")),
            TurnModels(models),
            self.inbox,
            self.take,
        )
        self.state = TurnState(request)
        self.arrivals: list[tuple[float, object]] = []
        self.on_event: Callable[[object], None] | None = None
        """Called with each event, once the state has it."""

    def take(self, event) -> None:
        """What the mode writes."""
        self.arrivals.append((asyncio.get_running_loop().time(), event))
        self.state.apply(event)
        if self.on_event is not None:
            self.on_event(event)

    async def play(self) -> TurnState:
        """Runs the turn to its end; raises what the mode raises. The state is settled either way."""
        outcome, error = Outcome.STOPPED, None
        try:
            await self.mode.respond(self.turn)
            outcome = Outcome.COMPLETED
        except Exception as failure:  # raised again, once the state has it
            outcome, error = Outcome.FAILED, failure
            raise
        finally:
            self.state.settle(outcome, error, self.turn.models.records)
        return self.state

    def steps(self, *kinds: StepKind):
        """The steps of those kinds, or all of them, in order of appearance."""
        return [s for s in self.state.steps.values() if not kinds or s.kind in kinds]

    @property
    def answer(self):
        """The last answer."""
        return self.steps(StepKind.ANSWER)[-1]

    @property
    def asked(self):
        """The requests in the order they reached the models."""
        return [request for _, request in self.models.requests]

    def prompts(self, purpose):
        """The whole text of every prompt made for `purpose`."""
        return ["\n".join(m.text for m in r.messages) for r in self.asked if r.purpose is purpose]


async def cancelled_everywhere(make_stage, after=None):
    """Cancels a fresh turn after its 1st, 2nd, ... step of the loop, until one runs to its end.

    Asserts each time that no task and no call is left. Returns how many places were tried.
    """
    tried = 0
    while True:
        stage = make_stage()
        playing = asyncio.create_task(stage.play())
        for _ in range(tried):
            await asyncio.sleep(0)
        over = playing.done()
        playing.cancel()
        await asyncio.wait([playing])
        assert stage.models.open == 0, f"a call is open after a cancel at step {tried}"
        assert asyncio.all_tasks() == {asyncio.current_task()}, f"a task is left at step {tried}"
        if after is not None:
            after(stage)
        if over:
            return tried
        assert playing.cancelled(), "a cancel was swallowed"
        tried += 1


async def closed_everywhere(make_stage):
    """Stops a fresh turn at its 1st, 2nd, ... event; nothing may be left."""
    count = 0
    while True:
        stage = make_stage()
        playing = asyncio.create_task(stage.play())

        def stop_at(_event, stage=stage, playing=playing, count=count):
            if len(stage.arrivals) > count:
                playing.cancel()

        stage.on_event = stop_at
        await asyncio.wait([playing])
        assert stage.models.open == 0, f"a call is open after a stop at event {count}"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if len(stage.arrivals) <= count:
            return count
        count += 1
