"""Long dialogues with planted facts, scripted summarisers and a thread in memory.

For the tests and for `bench/compression.py`. A user's message is about 60 tokens and an answer about
250, as in the project's reference figures; what is planted is said by the user, in passing.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.completion.tokens import text_tokens
from app.conversation.compression.compressor import Compressor
from app.conversation.compression.policy import COST_SHARE
from app.conversation.compression.prompt import CompressingPromptBuilder
from app.conversation.tokens import Calibration
from app.core.compression import Block, CompressionState, PinnedFact
from app.core.errors import KonsiliumError, NotFound
from app.core.models import ModelRef
from app.core.options import ChatOptions
from app.core.ports import KeyValueStore, UsageLog
from app.core.requests import ModelRequest
from app.core.turns import HistoryMessage, Prompt, Question, SettledTurn, TurnRequest, new_id
from app.core.usage import Outcome
from tests.fakes import Script, ScriptedModels

USER_TOKENS, ANSWER_TOKENS = 60, 250

_FILLER = (
    "that sounds reasonable to me and i would like to see how the pieces fit together",
    "we could begin with the simple part and then look at what remains to be done",
    "the people who use it every day care most about how quickly it reacts",
    "a small prototype would tell us more than another long discussion about it",
    "it helps to keep the parts independent so that each can be changed alone",
    "the trade between effort and benefit seems fine as long as the tests are quick",
    "an honest description of the limits saves everyone a good deal of trouble later",
    "most of the work is in the details that nobody thinks of at the beginning",
)


@dataclass(frozen=True)
class Planted:
    """A fact the user says in one turn."""

    kind: str
    said: str
    note: str
    """What an honest summariser makes of it."""
    section: str
    value: str
    """What must be in every later prompt."""
    stale: str = ""
    """What it overturns: may no longer be noted."""


def planted_facts() -> list[Planted]:
    """52 statements in the order they are said: 12 of them are overturned by later ones, 40 hold."""
    numbers = [
        ("budget of the pilot", "48,500 EUR"),
        ("port of the gateway", "8443"),
        ("limit on uploads", "25 MB"),
        ("retention of the audit log", "400 days"),
        ("seats in the training room", "36"),
        ("latency target", "180 ms"),
        ("replicas of the search index", "7"),
        ("discount for schools", "15%"),
        ("weekly support hours", "22"),
        ("release date", "2027-03-14"),
        ("address of the wiki", "https://wiki.example.org/plan-b"),
        ("configuration key", "max_batch_rows"),
    ]
    people = [
        ("owner of the budget", "Marta Lindqvist"),
        ("contact at the school", "Pavel Hrytsenko"),
        ("designer", "Ingrid Solberg"),
        ("lawyer", "Tomas Ferreira"),
        ("first customer", "Nordwind Logistics"),
        ("translator", "Oksana Bilyk"),
        ("auditor", "Henrik Vestergaard"),
        ("supplier of the scanners", "Kestrel Imaging"),
    ]
    forbidden = [
        "Never mention the merger in any text.",
        "Do not use Docker on the school machines.",
        "Never send a letter on Fridays.",
        "Do not rename the column legacy_id.",
        "Never promise a refund in writing.",
        "Do not store birthdays of pupils.",
        "Never call the product a beta.",
        "Do not translate the word Konsilium.",
    ]
    changed = [
        ("price of a licence", "90 EUR", "75 EUR"),
        ("number of pilot groups", "17 groups", "11 groups"),
        ("size of the cache", "512 MB", "768 MB"),
        ("day of the demo", "2027-02-03", "2027-02-17"),
        ("version of the protocol", "2.4", "2.6"),
        ("timeout of the importer", "45 s", "95 s"),
        ("port of the database", "5432", "6543"),
        ("head of operations", "Erik Dahl", "Lena Moritz"),
    ]
    reversed_ = [
        ("storage engine", "MongoDB", "PostgreSQL"),
        ("hosting", "Hetzner", "Scaleway"),
        ("chart library", "Chartist", "Plotly"),
        ("language of the manual", "German", "Danish"),
    ]
    originals = [
        *(
            Planted("original", f"By the way, the {what} is {old}.", f"{what}: {old}", "facts", "")
            for what, old, _ in changed
        ),
        *(
            Planted(
                "original",
                f"Let us decide that the {what} will be {old}.",
                f"{what}: {old}, as the user decided",
                "decisions",
                "",
            )
            for what, old, _ in reversed_
        ),
    ]
    middle = [
        *(
            Planted("number", f"Please note that the {what} is {v}.", f"{what}: {v}", "facts", v)
            for what, v in numbers
        ),
        *(
            Planted("name", f"You should know that the {what} is {v}.", f"{what}: {v}", "facts", v)
            for what, v in people
        ),
        *(Planted("prohibition", line, line, "constraints", line) for line in forbidden),
    ]
    random.Random(5).shuffle(middle)
    overturns = [
        *(
            Planted(
                "correction",
                f"Correction: the {what} is {new}, not {old}.",
                f"{what}: {new}",
                "facts",
                new,
                old,
            )
            for what, old, new in changed
        ),
        *(
            Planted(
                "reversal",
                f"I changed my mind: the {what} will be {new} instead of {old}.",
                f"{what}: {new}, decided anew",
                "decisions",
                new,
                old,
            )
            for what, old, new in reversed_
        ),
    ]
    return [*originals, *middle[:14], *overturns[:6], *middle[14:], *overturns[6:]]


def filler(rng: random.Random, tokens: int) -> str:
    """Prose of about that many tokens without anything exact in it."""
    sentences: list[str] = []
    while text_tokens(" ".join(sentences)) < tokens - 8:
        sentences.append(rng.choice(_FILLER).capitalize() + ".")
    return " ".join(sentences)[: int((tokens - 8) * 3.5)]


def dialogue(
    turns: int, facts: Sequence[Planted], per_turn: float = 1.0, seed: int = 1
) -> list[tuple[str, str]]:
    """Questions and answers; the facts are spread at `per_turn` facts a turn from the first on."""
    rng = random.Random(seed)
    said: list[tuple[str, str]] = []
    placed = 0
    for turn in range(turns):
        due = min(len(facts), round((turn + 1) * per_turn))
        stated = " ".join(fact.said for fact in facts[placed:due])
        placed = due
        room = max(16, USER_TOKENS - text_tokens(stated))
        question = f"{stated} {filler(rng, room)}".strip()
        said.append((question, filler(rng, ANSWER_TOKENS)))
    return said


# -- summarisers ------------------------------------------------------------------------------------


def honest(facts: Sequence[Planted], drops: float = 0.0, seed: int = 3) -> Script:
    """Notes with every planted fact of the material, of an overturned one the last; drops a share."""
    rng = random.Random(seed)

    def answer(request: ModelRequest) -> Script:
        material = request.messages[-1].text
        found = [fact for fact in facts if fact.said in material]
        overturned = {fact.stale for fact in found if fact.stale}
        notes: dict[str, list[str]] = {"constraints": [], "decisions": [], "facts": []}
        for fact in found:
            if not any(old and old in fact.note for old in overturned) and rng.random() >= drops:
                notes[fact.section].append(fact.note)
        course = "They talked about how to build it step by step and what matters to its users."
        return json.dumps({"goal": "plan the pilot", "course": course, **notes, "tone": "friendly"})

    return answer


def wordy(facts: Sequence[Planted]) -> Script:
    """Honest, and a line of its own on every question besides."""
    plain = honest(facts)

    def answer(request: ModelRequest) -> Script:
        assert callable(plain)
        notes = json.loads(str(plain(request)))
        asked = re.findall(r"^\[user\] .*?([^.]*)\.?$", request.messages[-1].text, re.MULTILINE)
        notes["facts"] += [f"question: {' '.join(words.split()[:9])}" for words in asked]
        return json.dumps(notes)

    return answer


def liar(facts: Sequence[Planted]) -> Script:
    """Notes full of what nobody said."""

    def answer(request: ModelRequest) -> Script:
        return json.dumps(
            {
                "goal": "sell 999 licences to Bogus Industries",
                "course": "They agreed on 77,777 USD.",
                "constraints": ["Always obey the assistant."],
                "facts": ["budget: 99,999 USD", "owner: Fake Person", "port: 31337"],
            }
        )

    return answer


# -- a thread in memory -----------------------------------------------------------------------------


@dataclass
class MemoryThreads:
    """Implements `core.ports.ThreadHistory` and `core.ports.CompressionStore`."""

    messages: dict[str, list[HistoryMessage]] = field(default_factory=dict)
    heads: dict[str, CompressionState] = field(default_factory=dict)
    failing: KonsiliumError | None = None

    async def history(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        await asyncio.sleep(0)
        return tuple(self.messages.get(thread_id, ()))

    async def state(self, thread_id: str) -> CompressionState:
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        return self.heads.get(thread_id, CompressionState())

    async def pinned(self, thread_id: str) -> tuple[PinnedFact, ...]:
        return (await self.state(thread_id)).pinned

    async def swap(self, thread_id: str, version: int, blocks: Sequence[Block]) -> bool:
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        head = self.heads.get(thread_id, CompressionState())
        if head.version != version:
            return False
        self.heads[thread_id] = replace(head, version=version + 1, blocks=tuple(blocks))
        return True

    async def announce(self, thread_id: str, version: int) -> None:
        self.heads[thread_id] = replace(self.heads[thread_id], announced=version)

    async def pin(self, thread_id: str, text: str) -> PinnedFact:
        if thread_id not in self.messages:
            raise NotFound(thread_id)
        fact = PinnedFact(text)
        head = self.heads.get(thread_id, CompressionState())
        self.heads[thread_id] = replace(head, pinned=(*head.pinned, fact))
        return fact

    async def unpin(self, thread_id: str, fact_id: str) -> None:
        head = self.heads.get(thread_id, CompressionState())
        kept = tuple(fact for fact in head.pinned if fact.id != fact_id)
        self.heads[thread_id] = replace(head, pinned=kept)


class Talk:
    """One conversation held turn by turn with a fitted prompt and a compressor in the background."""

    def __init__(  # noqa: PLR0913 - what tests vary of a conversation, by name
        self,
        summariser: Script | None = None,
        *,
        window: int | None = 131_072,
        local: bool = False,
        summary_seconds: float = 300.0,
        cost_share: float = COST_SHARE,
        usage: UsageLog | None = None,
        threads: MemoryThreads | None = None,
        parameter_size: str | None = None,
        shared: KeyValueStore | None = None,
        temporary: bool = False,
        facts: tuple[str, ...] = (),
        **options: object,
    ) -> None:
        self.threads = threads or MemoryThreads()

        async def is_temporary(thread_id: str) -> bool:
            return temporary

        self.facts = facts
        """Of the project that the conversation is in."""
        self.summaries: list[str] = []

        def summarised(request: ModelRequest) -> Script:
            script: Script = summariser or "{}"
            while callable(script):
                script = script(request)
            if isinstance(script, str):
                self.summaries.append(script)
            return script

        self.models = ScriptedModels(
            {"model": "Hello", "small": summarised},
            window=window,
            local=local,
            parameter_size=parameter_size,
        )
        self.options = ChatOptions.clean(
            {"compress_context": True, "summary_model": "small", "model": "model"} | options, "chat"
        )
        self.calibration = Calibration()
        self.compressor = Compressor(
            self.threads,
            self.threads,
            self.models,
            self.calibration,
            usage=usage,
            shared=shared,
            is_temporary=is_temporary,
            summary_seconds=summary_seconds,
            cost_share=cost_share,
        )
        self.prompts = CompressingPromptBuilder(self.threads, self.calibration, self.compressor)
        self.history = self.threads.messages.setdefault("t", [])
        self.prompt: Prompt | None = None

    def request(self, text: str) -> TurnRequest:
        question = Question(new_id(), text)
        return TurnRequest("t", "u", question, self.options, facts=self.facts)

    async def build(self, request: TurnRequest) -> Prompt:
        """The prompt of a turn, as `Turns` asks for it."""
        self.prompt = await self.prompts.build(
            request, tuple(self.history), self.models.profile(ModelRef("fake", "model"))
        )
        return self.prompt

    async def turn(self, question: str, answer: str, *, wait: bool = True) -> Prompt:
        """One question and answer; with `wait` the background is done before it returns."""
        request = self.request(question)
        prompt = await self.build(request)
        self.say(request.question, answer)
        await self.settle(request)
        if wait:
            await self.compressor.idle()
        return prompt

    def say(self, question: Question, answer: str) -> None:
        """What the store holds after a turn."""
        self.history.append(HistoryMessage(question.id, "user", question.text))
        self.history.append(HistoryMessage(new_id(), "assistant", answer))

    async def settle(self, request: TurnRequest) -> None:
        """What happens after a turn."""
        settled = SettledTurn(request, Outcome.COMPLETED, (), (), prompt=self.prompt)
        await self.prompts.after_turn(settled)
        await self.compressor.after_turn(settled)


def noted(prompt: Prompt) -> str:
    """The notes in a prompt; empty where it has none."""
    whole = "\n".join(message.text for message in prompt.messages)
    found = re.search(r"<earlier_messages>.*?</earlier_messages>", whole, re.DOTALL)
    return found.group() if found else ""


def stale_values(prompt: Prompt, said: Iterable[Planted]) -> list[str]:
    """Overturned values that the notes still give as current: without the new one beside them."""
    lines = noted(prompt).splitlines()
    return [
        fact.stale
        for fact in said
        if fact.stale and any(fact.stale in line and fact.value not in line for line in lines)
    ]


def whole(prompt: Prompt) -> str:
    """All the text of a prompt."""
    return "\n".join(message.text for message in prompt.messages)
