"""Dialogue: two to four models talk about a topic, and the person may pause, put in a word, go on.

A later question in the same thread goes on with the conversation: the participants' earlier turns are
found in the history by their names. `continuation` makes the question of "N more turns".
"""

import logging
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.conversation.answer import limit_of, sampling_of
from app.conversation.language import words_of, yes_or_no
from app.conversation.limits import deadline_in, passed, timed
from app.conversation.mode import TurnContext
from app.conversation.modes.dialogue import prompts
from app.conversation.modes.dialogue.ending import (
    LONG_TURN,
    Voice,
    is_closing,
    is_light,
    may_close,
    repeats,
)
from app.conversation.modes.dialogue.notes import DialogueNote, LeftNote, ParticipantNote
from app.conversation.modes.dialogue.options import LENGTH, MAX_TURNS, OPTIONS
from app.conversation.modes.dialogue.participants import (
    ParticipantsInvalid,
    default_participants,
    parse_participants,
)
from app.conversation.modes.dialogue.transcript import Transcript
from app.conversation.steps import StepWriter, colour_of
from app.core.errors import BadRequest, EmptyAnswer, KonsiliumError
from app.core.events import StepKind, TextDelta, TextWasThinking
from app.core.messages import Message
from app.core.models import Capability
from app.core.notes import ErrorNote, Note
from app.core.options import ChatOptions, Option
from app.core.ports import Call
from app.core.requests import Sampling
from app.core.text import Language, Text, plural
from app.core.usage import Purpose

MAX_TURNS_IN_ALL = 60
"""Turns of one request, however often a person puts in a word."""
CHECK_SECONDS = 10.0
CHECK_TOKENS = 16
CHECK_LINES = 6
CHECK_CHARACTERS = 500

log = logging.getLogger(__name__)


class Dialogue:
    id = "dialogue"
    name = Text(ru="Диалог моделей", uk="Діалог моделей", en="Dialogue of models")
    description = Text(
        ru="Модели говорят между собой, вы можете вмешаться",
        uk="Моделі розмовляють між собою, ви можете втрутитися",
        en="Models talk to each other, and you may join in",
    )
    icon = "messages-square"
    options: tuple[Option, ...] = OPTIONS
    notes: tuple[type[Note], ...] = (ParticipantNote, DialogueNote, LeftNote)
    takes_interjections = True

    async def respond(self, turn: TurnContext) -> None:
        await _Conversation(turn).run()


def continuation(options: ChatOptions, turns: int, language: Language) -> tuple[str, ChatOptions]:
    """The question and the options of a TurnRequest that goes on for so many more turns."""
    counted = plural(turns, *prompts.TURNS).format(n=turns)
    text = prompts.CONTINUE[language].format(turns=counted[language])
    return text, replace(options, values={**options.values, "dialogue_turns": turns})


@dataclass(frozen=True, slots=True)
class _End:
    """Why it is over, and who brought that about."""

    reason: str
    name: str = ""


class _Conversation:
    """One request's share of a conversation."""

    def __init__(self, turn: TurnContext) -> None:
        options = turn.request.options
        try:
            participants = parse_participants(options.text("dialogue_participants"))
        except ParticipantsInvalid as error:
            raise BadRequest(f"participants: {error.problem[turn.request.language]}") from error
        self._turn = turn
        self._language: Language = turn.request.language
        self._participants = participants or default_participants(self._language)
        self._models = [
            turn.models.resolve(one.model) if one.model else turn.model
            for one in self._participants
        ]
        self._transcript = Transcript.of(turn, self._participants)
        self._tokens = limit_of(options, LENGTH)
        self._remaining = min(MAX_TURNS, int(options.number("dialogue_turns")) or 6)
        self._deadline = deadline_in(options.number("dialogue_seconds"))
        self._present = set(range(len(self._participants)))
        self._last = self._transcript.last_speaker()
        self._spoken = 0
        self._silent = 0
        self._light: list[bool] = []
        """The last turns that were short, without a question or a figure; of each, whether it was nothing
        but courtesy or agreement."""
        self._hints = 0
        """How many of them had a word of courtesy or agreement in them."""
        self._next_check: float = 3
        """How many of them there must be before a model is asked whether it is over."""
        self._repeating = 0
        """Turns in a row that said nothing new."""
        self._end: _End | None = None

    async def run(self) -> None:
        """Everybody in turn, until it is over."""
        while True:
            await self._take_interjections()
            if self._end or not self._remaining or self._spoken >= MAX_TURNS_IN_ALL:
                break
            if passed(self._deadline):
                self._end = _End("time")
                break
            await self._speak(self._next())
        self._close(self._end or _End("turns"))

    def _next(self) -> int:
        count = len(self._participants)
        following = ((self._last + step) % count for step in range(1, count + 1))
        return next(speaker for speaker in following if speaker in self._present)

    async def _take_interjections(self) -> None:
        """Waits while paused; what the person typed meanwhile enters the conversation, and everybody
        gets a turn to answer it."""
        inbox = self._turn.inbox
        if inbox.paused:
            self._turn.progress(prompts.PAUSED)
            await inbox.going()
        for text in inbox.take():
            with self._turn.step(StepKind.QUESTION, self._turn.request.author) as step:
                step.write(text)
            self._transcript.add(self._transcript.person, text)
            self._remaining = max(self._remaining, len(self._present))
            self._light = []
            self._hints = 0
            self._end = None

    async def _speak(self, speaker: int) -> None:
        """One turn of one participant, under its own name."""
        turn, one, model = self._turn, self._participants[speaker], self._models[speaker]
        turn.progress(prompts.SPEAKING.format(name=one.name))
        voice = Voice(one.name)
        self._remaining -= 1
        self._spoken += 1
        self._last = speaker
        who = ParticipantNote(one.name, str(model), speaker, colour_of(speaker))
        try:
            with turn.step(StepKind.ANSWER, one.name, notes=(who,), begin=False) as step:
                await step.stream(self._call(speaker, step), voice.visible)
                if rest := voice.rest():
                    step.write(rest)
        except KonsiliumError as error:
            self._leave(speaker, error)
        await self._heard(speaker, step.text.strip(), voice.ended)

    def _call(self, speaker: int, step: StepWriter) -> Call:
        turn, model = self._turn, self._models[speaker]
        window = turn.models.profile(model).window
        request = turn.ask(
            self._transcript.messages(speaker, window, self._tokens or 500),
            sampling=replace(sampling_of(turn.request.options), max_tokens=self._tokens or None),
            purpose=Purpose.DIALOGUE,
            step_id=step.id,
        )
        return timed(turn.call(model, request, step), self._deadline)

    def _leave(self, speaker: int, error: KonsiliumError) -> None:
        """One who cannot answer leaves; a conversation of one is an error."""
        if passed(self._deadline):
            self._end = _End("time")
            return
        self._present.discard(speaker)
        if len(self._present) < 2:
            raise error
        name = self._participants[speaker].name
        with self._turn.step(StepKind.NOTICE, "Konsilium") as step:
            step.write(prompts.LEFT[self._language].format(name=name))
            about = ErrorNote.about(error)
            step.note(LeftNote(name, about.code, about.server, about.model))

    async def _heard(self, speaker: int, text: str, marked: bool) -> None:
        """Takes the turn in and sees whether the conversation is over."""
        name = self._participants[speaker].name
        if not text:
            self._silent += speaker in self._present
            if marked:
                self._end = self._end or _End("mark", name)
            elif self._silent >= len(self._present):
                self._end = self._end or _End("silence")
            return
        self._silent = 0
        before = [line.text for line in self._transcript.lines]
        closing = is_closing(text, [self._transcript.topic, *before])
        light = closing or is_light(text)
        self._light = [*self._light, closing] if light else []
        self._hints = self._hints + may_close(text) if light else 0
        repeated = repeats(text, self._transcript.own(speaker))
        self._repeating = self._repeating + 1 if repeated else 0
        stuck = repeated and (
            len(words_of(text)) >= LONG_TURN or self._repeating >= 2 * len(self._present)
        )
        self._transcript.add(name, text, speaker)
        if marked:
            self._end = self._end or _End("mark", name)
        elif stuck:
            self._end = self._end or _End("repetition", name)
        elif (
            self._courtesies() >= max(2, len(self._present) - 1) or await self._is_said_to_be_over()
        ):
            self._end = self._end or _End("courtesy")

    def _courtesies(self) -> int:
        """How many turns in a row were nothing but courtesy or agreement."""
        return next(
            (n for n, closing in enumerate(reversed(self._light)) if not closing), len(self._light)
        )

    async def _is_said_to_be_over(self) -> bool:
        """What the chat's own model says, in one short call, of light turns with words of courtesy or
        agreement among them: all that people have for it is in no table. After a no it is asked when
        there are twice as many, after no answer it is asked no more."""
        turn, light = self._turn, len(self._light)
        profile = turn.models.profile(turn.model)
        if light < self._next_check or self._hints < 2 or self._light[-1]:
            return False
        if not self._remaining or profile.tiny:
            return False
        last = self._transcript.lines[-CHECK_LINES:]
        lines = "\n".join(f"{line.name}: {line.text[:CHECK_CHARACTERS]}" for line in last)
        request = turn.ask(
            (Message.user(prompts.CHECK[self._transcript.language].format(lines=lines)),),
            sampling=Sampling(temperature=0.0, max_tokens=CHECK_TOKENS),
            think=False if profile.can(Capability.THINKING) else None,
            purpose=Purpose.CHECK,
        )
        said = ""
        try:
            call = timed(turn.models.call(turn.model, request), deadline_in(CHECK_SECONDS))
            async with aclosing(call.events()) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        said += event.text
                    elif isinstance(event, TextWasThinking):
                        said = ""
        except KonsiliumError as error:
            log.info("nobody says whether the dialogue is over: %s: %s", error.code, error.detail)
        over = yes_or_no(said)
        self._next_check = float("inf") if over is None else 2 * light
        return bool(over)

    def _close(self, end: _End) -> None:
        """A line of ours that says why it ended; the view offers to go on beside it."""
        if end.reason == "silence" and not any(
            line.speaker is not None for line in self._transcript.lines
        ):
            raise EmptyAnswer("no participant said a word")
        why = prompts.ENDS[end.reason][self._language].format(name=end.name)
        if omitted := self._transcript.omitted:
            why += " " + prompts.LEFT_OUT[self._language].format(n=omitted)
        with self._turn.step(StepKind.NOTICE, "Konsilium") as step:
            step.write(why)
            step.note(DialogueNote(end.reason, end.name, self._spoken))
