"""Where a question weighs options, another way to answer it is offered under the answer, with its price. It
is never taken by itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from app.conversation import cost
from app.conversation.mode import TurnContext
from app.conversation.modes.council import options as council
from app.conversation.modes.council.members import at_hand
from app.conversation.modes.council.mode import foreseen
from app.core.events import StepKind
from app.core.models import Currency
from app.core.notes import Note
from app.core.options import ChatOptions

LOOKED_AT = 2000
TYPICAL_ANSWER, CANDIDATES, MEMBERS = 500, 3, 3
_WEIGHS = re.compile(
    r"\bсравни(?:те|ть)?\b|\bв ч[её]м (?:разница|отличи)|\bчто (?:лучше|выбрать|выгоднее)\b|\bлучше ли\b|"
    r"\bкак(?:ой|ая|ую|ое|ие) [^.!?\n]{0,40}\b(?:лучше|выбрать)\b|\bстоит ли\b|\bза и против\b|\bплюсы и минусы\b|"
    r"\bпорівняй(?:те)?\b|\bпорівняти\b|\b(?:у|в) чому різниця\b|\bщо (?:краще|вибрати|обрати|вигідніше)\b|\bчи краще\b|"
    r"\bяк(?:ий|а|у|е|і|ого) [^.!?\n]{0,40}\b(?:краще|вибрати|обрати)\b|\bчи варто\b|\bза і проти\b|\bплюси (?:і|й|та) мінуси\b|"
    r"\bcompare\b|\b(?:which|what) is (?:better|best)\b|\bshould (?:i|we)\b|\bpros and cons\b|\bversus\b|\bvs\b|"
    r"\bdifferences? between\b|\bbetter (?:to|than|choice|option)\b|\bwhich [^.!?\n]{0,40}\b(?:better|choose|pick)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|«[^«»\n]*»|“[^“”\n]*”|\"[^\"\n]*\"", re.DOTALL)


@dataclass(frozen=True, slots=True)
class OfferNote(Note):
    """Another way to answer the question, and about what it takes."""

    key = "offer"
    steps = (StepKind.ANSWER,)
    element = "Offer"
    mode: str
    """council, or best_of where there is one model."""
    calls: int
    tokens: int
    money: Mapping[Currency, Decimal] | None
    """By currency; null where a price is unknown, empty where it is free."""


def weighs_options(text: str) -> bool:
    """Whether the question asks for a comparison or weighs options; what it quotes does not count."""
    return _WEIGHS.search(_QUOTED.sub(" ", text[:LOOKED_AT])) is not None


def offered(turn: TurnContext) -> tuple[Note, ...]:
    """The offer for this question, where there is one to make."""
    if not weighs_options(turn.request.question.text):
        return ()
    if len({seat.model for seat in at_hand(turn, MEMBERS)}) > 1:
        options = ChatOptions.clean(turn.request.options.values, "council", council.OPTIONS)
        mode = "council"
        estimated = foreseen(replace(turn, request=replace(turn.request, options=options)))
    else:
        characters = sum(len(message.text) for message in turn.prompt.messages)
        read = turn.prompt.tokens or cost.tokens_in(characters)
        profile = turn.models.profile(turn.model)
        calls = [cost.PlannedCall(profile, read, TYPICAL_ANSWER)] * CANDIDATES
        mode, estimated = "best_of", cost.estimate(calls)
    return (OfferNote(mode, estimated.calls, estimated.tokens, estimated.money),)
