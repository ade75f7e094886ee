"""The prompt of a turn: system text, what was said before, the question."""

from typing import Protocol

from app.core.messages import Message
from app.core.models import ModelProfile
from app.core.turns import HistoryMessage, Prompt, TurnRequest


class PromptBuilder(Protocol):
    """Builds the prompt; compression lives behind this."""

    async def build(
        self,
        request: TurnRequest,
        history: tuple[HistoryMessage, ...],
        profile: ModelProfile,
    ) -> Prompt: ...


class WholeHistory:
    """Everything that was said, uncompressed."""

    async def build(
        self,
        request: TurnRequest,
        history: tuple[HistoryMessage, ...],
        profile: ModelProfile,
    ) -> Prompt:
        """The prompt with the full history."""
        system = request.options.text("system_prompt").strip()
        messages = (
            *((Message.system(system),) if system else ()),
            *(message.as_message() for message in history if message.text),
            request.question.as_message(),
        )
        return Prompt(messages, window=profile.window)
