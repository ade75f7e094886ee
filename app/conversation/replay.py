"""A new model is asked a person's past questions, and a judge compares what it says with what answered then."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from app.conversation.language import language_of_text
from app.conversation.mode import TurnModels
from app.conversation.modes.best_of.judge import Judge, both_orders
from app.conversation.modes.compare.voting import topic_of
from app.core.errors import EmptyAnswer, KonsiliumError
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.ports import Models
from app.core.requests import ModelRequest
from app.core.text import Language
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Purpose
from app.core.votes import Compared, PastAnswer, Vote


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """One question asked again: the judge's vote, or why there is none; and the calls it took."""

    vote: Vote | None
    error: KonsiliumError | None
    request_id: str
    calls: tuple[CallRecord, ...]


async def replayed(
    models: Models,
    new: ModelRef,
    judge: ModelRef,
    past: Sequence[PastAnswer],
    user_id: str,
    language: Language,
) -> AsyncIterator[ReplayResult]:
    """Asks `new` each question, and `judge` twice, in both orders, which answer is better; where it does
    not say the same twice, both count as good. The same three again give the same vote's id."""
    for one in past:
        turn = TurnModels(models)
        request_id = new_id()
        vote, failed = None, None
        try:
            text, side = await _answer(turn, new, one.question, request_id)
            judging = Judge(turn, judge, one.question, language, request_id)
            verdicts = [who for who, _ in await both_orders(judging, one.answer, text)]
            winner = verdicts[0] if verdicts in ([0, 0], [1, 1]) else None
            vote = Vote(
                str(uuid5(NAMESPACE_URL, f"{one.turn_id}/{new}/{judge}")),
                user_id,
                now(),
                "judge",
                language_of_text(one.question, language),
                topic_of([one.answer, text], files=False),
                True,
                (one.by, side),
                "good" if winner is None else "won",
                winner,
            )
        except KonsiliumError as error:
            failed = error
        yield ReplayResult(vote, failed, request_id, turn.records)


async def _answer(
    turn: TurnModels, model: ModelRef, question: str, request_id: str
) -> tuple[str, Compared]:
    messages = (Message.user(question),)
    call = turn.call(
        model, ModelRequest(messages=messages, request_id=request_id, purpose=Purpose.ANSWER)
    )
    said = [event.text async for event in call.events() if isinstance(event, TextDelta)]
    text = "".join(said)
    if not text.strip():
        raise EmptyAnswer("not a word", server=model.server, model=model.name)
    record = call.record
    cost = record.cost.rub if record.cost is not None else None
    return text, Compared(str(model), record.total_s, cost, record.usage.output_tokens)
