"""Who sits in a council, and in which order they work."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from app.conversation.answer import limit_of, sampling_of
from app.conversation.mode import TurnContext
from app.conversation.modes.best_of.candidates import varied
from app.conversation.modes.council.blind import LETTERS
from app.conversation.modes.council.notes import MemberNote, PeersNote
from app.conversation.modes.council.options import LEAST, LENGTH, MOST
from app.conversation.modes.dialogue.participants import (
    Participant,
    ParticipantsInvalid,
    parse_participants,
)
from app.conversation.steps import colour_of
from app.core.concurrency import at_once
from app.core.errors import BadRequest, KonsiliumError
from app.core.events import FinishReason
from app.core.models import Capability, ModelProfile, ModelRef
from app.core.requests import Sampling
from app.core.turns import new_id
from app.core.usage import CallRecord, Outcome

ENOUGH = 80
"""Characters of an answer that broke off from which it still counts."""
MAX_CONCURRENT_LOCAL = 2
"""Calls that one turn makes at a time on one server of ours: others get their turn between them."""


@dataclass(slots=True, eq=False)
class Member:
    """One member and its answer; `number` counts from 1."""

    number: int
    name: str
    profile: ModelProfile
    sampling: Sampling
    system: str = ""
    step_id: str = field(default_factory=new_id)
    text: str = ""
    finish_reason: FinishReason | None = None
    record: CallRecord | None = None
    error: KonsiliumError | None = None
    kept: bool = False
    """Taken over from an earlier try."""
    for_judges: str | None = None
    """Its words as judges are shown them, once they are needed."""

    @property
    def model(self) -> ModelRef:
        return self.profile.ref

    @property
    def letter(self) -> str:
        """By which the report and the answer know it."""
        return LETTERS[self.number - 1]

    @property
    def label(self) -> str:
        """As it is shown."""
        return f"{self.letter} · {self.name}"

    @property
    def heard(self) -> bool:
        """Whether its answer counts."""
        return len(self.text.strip()) >= (ENOUGH if self.error else 1)

    @property
    def whole(self) -> bool:
        """Its answer is complete, and need not be asked for again."""
        return bool(self.text.strip()) and self.error is None

    @property
    def cut(self) -> bool:
        """Its answer breaks off."""
        return self.heard and (self.error is not None or self.finish_reason == "length")

    @property
    def note(self) -> MemberNote:
        return MemberNote(
            self.number,
            self.name,
            str(self.model),
            colour_of(self.number - 1),
            self.kept,
        )


def gathered(turn: TurnContext) -> list[Member]:
    """The members: those that the person named, or those that are at hand. Raises BadRequest for a list
    that cannot be read, ModelNotFound for a model that there is not."""
    options = turn.request.options
    try:
        named = parse_participants(options.text("council_members"), LEAST, MOST)
    except ParticipantsInvalid as error:
        raise BadRequest(f"members: {error.problem[turn.request.language]}") from error
    named = named or _seated(turn) or at_hand(turn, int(options.number("council_size")) or 3)
    refs = [turn.models.resolve(one.model) if one.model else turn.model for one in named]
    limit = limit_of(options, LENGTH) or None
    base = replace(sampling_of(options), max_tokens=limit)
    samplings = {
        ref: iter(varied(base, refs.count(ref)) if refs.count(ref) > 1 else [base]) for ref in refs
    }
    members = [
        Member(number, one.name, turn.models.profile(ref), next(samplings[ref]), one.system)
        for number, (one, ref) in enumerate(zip(named, refs, strict=True), 1)
    ]
    _take_over(turn, members)
    return members


def _seated(turn: TurnContext) -> tuple[Participant, ...]:
    """Those who sat in an earlier try at this question."""
    notes = (PeersNote.of(step.metadata) for step in turn.request.parts)
    seats = next((note.members for note in notes if note is not None), ())
    return tuple(Participant(seat.name, seat.model, seat.system) for seat in seats)


def at_hand(turn: TurnContext, size: int) -> tuple[Participant, ...]:
    """The conversation's own model and others, one of a family, those of ours first, of the clouds' those
    whose price is known; where there are not enough, they answer several times."""
    profiles = [
        turn.models.profile(listed.ref)
        for state in turn.models.states()
        if state.error is None
        for listed in state.models
        if listed.can(Capability.COMPLETION)
        and not listed.can(Capability.EMBEDDING)
        and not listed.last_resort
    ]
    profiles = [one for one in profiles if one.local or one.price is not None]
    own = turn.models.profile(turn.model)
    profiles.sort(key=lambda one: (not one.local, one.load is None))
    chosen: dict[str, ModelProfile] = {_family(own): own}
    for profile in profiles:
        chosen.setdefault(_family(profile), profile)
    models = [profile.ref for profile in chosen.values()][:size]
    seats = [models[number % len(models)] for number in range(size)]
    seen: dict[ModelRef, int] = {}
    company = []
    for ref in sorted(seats, key=models.index):
        seen[ref] = seen.get(ref, 0) + 1
        several = seats.count(ref) > 1
        alone = sum(other.name == ref.name for other in models) == 1
        name = ref.name if alone else str(ref)
        company.append(Participant(f"{name} #{seen[ref]}" if several else name, str(ref)))
    return tuple(company)


def _family(profile: ModelProfile) -> str:
    """Models of a family make the same mistakes: `qwen3:8b` and `qwen2.5:7b` are qwen."""
    name = profile.ref.name.rpartition("/")[2].casefold()
    letters = "".join(x if x.isalpha() else " " for x in name).split()
    return letters[0] if letters else name


def _take_over(turn: TurnContext, members: Sequence[Member]) -> None:
    """Complete answers of an earlier try are not asked for again."""
    for step in turn.request.parts:
        note = MemberNote.of(step.metadata)
        if note is None or step.outcome is not Outcome.COMPLETED or not step.output.strip():
            continue
        for member in members:
            if (member.number, member.name, str(member.model)) == (
                note.number,
                note.name,
                note.model,
            ):
                member.text, member.kept = step.output, True


Work = Callable[[Member], Awaitable[None]]


async def in_order(members: Sequence[Member], work: Work, *, backwards: bool = False) -> None:
    """Everybody works: those of clouds at once; of a server of ours one model after the other, each with
    all that it has to do, so that none is loaded more often than it must be. `backwards` begins with
    the model that came last, which is loaded still."""
    lanes: dict[str, dict[ModelRef, list[Member]]] = {}
    for member in sorted(members, key=lambda one: one.profile.load is None):
        lane = member.model.server if member.profile.local else member.step_id
        lanes.setdefault(lane, {}).setdefault(member.model, []).append(member)
    await at_once(
        *(_lane([*models.values()][:: -1 if backwards else 1], work) for models in lanes.values())
    )


async def _lane(models: Sequence[Sequence[Member]], work: Work) -> None:
    slots = asyncio.Semaphore(MAX_CONCURRENT_LOCAL)

    async def one(member: Member) -> None:
        async with slots:
            await work(member)

    for members in models:
        await at_once(*(one(member) for member in members))
