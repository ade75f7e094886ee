"""What was said, and how each participant is shown it: oneself as assistant, all others as users."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.conversation.compression.layout import said
from app.conversation.language import language_of_text
from app.conversation.mode import TurnContext
from app.conversation.modes.dialogue import prompts
from app.conversation.modes.dialogue.participants import Participant
from app.core.messages import ImagePart, Message
from app.core.text import Language

CHARACTERS_A_TOKEN = 2.5
"""Russian text in common vocabularies; on the safe side for English."""
SHARE_OF_WINDOW = 0.8
WINDOW_UNKNOWN = 8192
MAX_ROLE_CHARACTERS = 600
"""Characters of a system prompt that are said again last in the prompt."""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn; `speaker` is the participant's index, None for a person or somebody from before."""

    name: str
    text: str
    speaker: int | None = None


@dataclass(slots=True)
class Transcript:
    """A conversation as far as it has come."""

    participants: Sequence[Participant]
    topic: str
    person: str
    language: Language
    system: str = ""
    """The person's own system prompt, for everybody."""
    images: tuple[ImagePart, ...] = ()
    """Those that came with the question; everybody sees them."""
    lines: list[Line] = field(default_factory=list)
    notes: str = ""
    """What stands for the lines before these, where compression is on."""
    omitted: int = 0
    """The most lines that had to give way in any prompt so far."""

    @classmethod
    def of(cls, turn: TurnContext, participants: Sequence[Participant]) -> "Transcript":
        """From the thread: a dialogue that was begun goes on, else the question is the topic."""
        question = turn.request.question.text
        language = language_of_text(question, turn.request.language)
        person = turn.request.author or prompts.HOST[language]
        index = {one.name: number for number, one in enumerate(participants)}
        lines: list[Line] = []
        topic = ""
        notes = turn.prompt.notes
        covered = (turn.prompt.compression.last or 0) if notes else 0
        noted = 0
        for number, message in enumerate(said(turn.history), 1):
            speaker = index.get(message.name) if message.role == "assistant" else None
            if speaker is not None and not topic:
                topic = next((line.text for line in reversed(lines) if line.name == person), "")
            name = person if message.role == "user" else message.name
            if message.text.strip():
                lines.append(Line(name, message.text, speaker))
                noted += number <= covered
        transcript = cls(
            participants,
            topic or question,
            person,
            language,
            system=turn.prompt.system,
            images=turn.prompt.question.images,
            lines=lines[noted:],
            notes=notes,
        )
        transcript.add(person, turn.request.question.as_message().text)
        return transcript

    def add(self, name: str, text: str, speaker: int | None = None) -> None:
        """One more turn."""
        self.lines.append(Line(name, text, speaker))

    def last_speaker(self) -> int:
        """The participant who spoke last; -1 before the first turn."""
        return next((x.speaker for x in reversed(self.lines) if x.speaker is not None), -1)

    def own(self, speaker: int) -> list[str]:
        """What that participant has said so far."""
        return [line.text for line in self.lines if line.speaker == speaker]

    def messages(self, speaker: int, window: int | None, answer_tokens: int) -> tuple[Message, ...]:
        """The prompt for that participant's next turn; the oldest lines give way where the window is
        small, which `omitted` remembers; the topic and the notes never do."""
        me = self.participants[speaker]
        system, anchor = self._frame(speaker), self._anchor(me)
        room = ((window or WINDOW_UNKNOWN) - answer_tokens) * SHARE_OF_WINDOW * CHARACTERS_A_TOKEN
        kept = self._recent(room - len(system) - len(anchor) - len(self.notes))
        turns: list[tuple[bool, str]] = []
        left_out = len(self.lines) - len(kept)
        self.omitted = max(self.omitted, left_out)
        if self.notes or left_out:
            mark = prompts.OMITTED[self.language] if left_out else ""
            turns.append((False, "\n\n".join(filter(None, (self.topic, self.notes, mark)))))
        for line in kept:
            mine = line.speaker == speaker
            text = line.text if mine else f"{line.name}: {line.text}"
            if turns and turns[-1][0] == mine:
                turns[-1] = (mine, f"{turns[-1][1]}\n\n{text}")
            else:
                turns.append((mine, text))
        if turns and turns[0][0]:
            turns.insert(0, (False, self.topic))
        if turns and not turns[-1][0]:
            turns[-1] = (False, f"{turns[-1][1]}\n\n---\n{anchor}")
        else:
            turns.append((False, anchor))
        *before, (_, last) = turns
        said = (Message.assistant(text) if mine else Message.user(text) for mine, text in before)
        return (Message.system(system), *said, Message.user(last, *self.images))

    def _recent(self, room: float) -> list[Line]:
        kept: list[Line] = []
        for line in reversed(self.lines):
            room -= len(line.text) + len(line.name) + 4
            if room < 0 and kept:
                break
            kept.append(line)
        return kept[::-1]

    def _frame(self, speaker: int) -> str:
        me = self.participants[speaker]
        others = ", ".join(x.name for i, x in enumerate(self.participants) if i != speaker)
        frame = prompts.FRAME[self.language].format(
            name=me.name, others=others, person=self.person, topic=self.topic
        )
        wishes = prompts.WISHES[self.language].format(system=self.system) if self.system else ""
        return "\n\n".join(part for part in (frame, me.system, wishes) if part)

    def _anchor(self, me: Participant) -> str:
        role = " ".join(me.system.split())[:MAX_ROLE_CHARACTERS]
        asked = next((x.text for x in reversed(self.lines) if x.name == self.person), self.topic)
        return prompts.ANCHOR[self.language].format(
            name=me.name,
            role=prompts.ROLE[self.language].format(role=role) if role else "",
            topic=self.topic,
            asked=prompts.ASKED[self.language].format(text=asked) if asked != self.topic else "",
            mark=prompts.END_MARK,
        )
