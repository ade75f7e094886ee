"""The pieces of one consultation: who is asked, in what words, and what they said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.conversation.answer import limit_of, sampling_of
from app.conversation.language import language_of_text
from app.conversation.limits import timed
from app.conversation.mode import TurnContext
from app.conversation.modes.consultation import prompts
from app.conversation.modes.consultation.notes import SpecialistNote
from app.conversation.modes.consultation.options import LENGTH
from app.conversation.modes.consultation.plan import MAX_SPECIALISTS, Plan, Specialist
from app.conversation.modes.dialogue.participants import ParticipantsInvalid, parse_participants
from app.conversation.steps import StepWriter, colour_of
from app.core.errors import BadRequest, KonsiliumError
from app.core.events import StepKind
from app.core.messages import Message
from app.core.models import ModelProfile, ModelRef
from app.core.notes import ErrorNote
from app.core.text import Language
from app.core.usage import Purpose

ENOUGH = 80
"""Characters of an opinion that broke off from which it still counts."""


@dataclass(slots=True)
class Opinion:
    """What one specialist said, and what kept them from saying it all."""

    specialist: Specialist
    text: str = ""
    error: KonsiliumError | None = None

    @property
    def heard(self) -> bool:
        """Whether it can go into the synthesis."""
        return len(self.text.strip()) >= (ENOUGH if self.error else 1)


class Specialists:
    """One turn's council, as the person set it up."""

    def __init__(self, turn: TurnContext) -> None:
        options = turn.request.options
        self.turn = turn
        self.language: Language = language_of_text(
            turn.request.question.text, turn.request.language
        )
        self.most = min(
            MAX_SPECIALISTS, int(options.number("consultation_specialists")) or MAX_SPECIALISTS
        )
        self.sequential = options.text("consultation_order") == "sequential"
        self.answer_tokens = limit_of(options, LENGTH)
        self.seconds = options.number("consultation_seconds")
        self.profile: ModelProfile = turn.models.profile(turn.model)

    def seated(self) -> Plan | None:
        """Those whom the person set up; None for nobody. Raises BadRequest for a list that cannot be read."""
        given = self.turn.request.options.text("consultation_members")
        try:
            named = parse_participants(given, 1, MAX_SPECIALISTS)
        except ParticipantsInvalid as error:
            language = self.turn.request.language
            raise BadRequest(f"specialists: {error.problem[language]}") from error
        called = tuple(Specialist(one.name, "", one.model, one.system) for one in named)
        return Plan(True, specialists=called) if called else None

    def model_for(self, specialist: Specialist) -> ModelRef:
        """The plan's model, else the one set for specialists, else the conversation's."""
        named = self.turn.request.options.text("consultation_model")
        for name in (specialist.model, named):
            if name:
                try:
                    return self.turn.models.resolve(name)
                except KonsiliumError:
                    continue  # gone meanwhile, or made up by the coordinator
        return self.turn.model

    async def ask(
        self,
        opinion: Opinion,
        plan: StepWriter,
        number: int,
        earlier: Sequence[Opinion],
        deadline: float | None,
    ) -> None:
        """One specialist's step. A failure is kept in `opinion` and noted; the others go on."""
        one, model = opinion.specialist, self.model_for(opinion.specialist)
        note = SpecialistNote(one.role, number, colour_of(number), str(model))
        try:
            with self.turn.step(
                StepKind.SPECIALIST,
                one.role,
                parent=plan,
                input=one.question,
                open=True,
                notes=(note,),
            ) as step:
                request = self.turn.ask(
                    self._messages(one, earlier),
                    sampling=replace(
                        sampling_of(self.turn.request.options),
                        max_tokens=self.answer_tokens or None,
                    ),
                    purpose=Purpose.SPECIALIST,
                    step_id=step.id,
                )
                await step.stream(timed(self.turn.call(model, request, step), deadline))
        except KonsiliumError as error:
            opinion.error = error
            step.note(ErrorNote.about(error))
        opinion.text = step.text
        if opinion.error is None and not opinion.heard:
            step.note(replace(note, empty=True))

    def _messages(self, one: Specialist, earlier: Sequence[Opinion]) -> tuple[Message, ...]:
        prompt, language = self.turn.prompt, self.language
        words = max(80, self.answer_tokens // 4) if self.answer_tokens else 300
        system = prompts.SPECIALIST[language].format(role=one.role, words=words)
        if one.system:
            system += f"\n\n{one.system}"
        if prompt.system:
            system += "\n\n" + prompts.WISHES[language].format(system=prompt.system)
        text = prompt.question.text
        if one.question:
            part = prompts.YOUR_PART[language].format(role=one.role, question=one.question)
            text += f"\n\n{part}"
        if heard := [opinion for opinion in earlier if opinion.heard]:
            text += f"\n\n{prompts.EARLIER[language]}\n\n{self.quoted(heard)}"
        question = Message.user(text, *prompt.question.images)
        return (Message.system(system), *prompt.history, question)

    def synthesis(self, opinions: Sequence[Opinion]) -> tuple[Message, ...]:
        """The prompt for the final answer, with every opinion that was heard."""
        prompt, language = self.turn.prompt, self.language
        system = prompts.SYNTHESIS[language]
        if prompt.system:
            system += "\n\n" + prompts.WISHES[language].format(system=prompt.system)
        heard = [opinion for opinion in opinions if opinion.heard]
        text = f"{prompt.question.text}\n\n{prompts.OPINIONS[language]}\n\n{self.quoted(heard)}"
        question = Message.user(text, *prompt.question.images)
        return (Message.system(system), *prompt.history, question)

    def quoted(self, opinions: Sequence[Opinion]) -> str:
        """Opinions between tags, so that they read as information and not as instructions."""
        blocks = []
        for opinion in opinions:
            role = opinion.specialist.role.replace('"', "'").replace("<", "").replace(">", "")
            state = f' state="{prompts.BROKEN_OFF[self.language]}"' if opinion.error else ""
            text = opinion.text.replace("</opinion", "<opinion").strip()
            blocks.append(f'<opinion from="{role}"{state}>\n{text}\n</opinion>')
        return "\n\n".join(blocks)
