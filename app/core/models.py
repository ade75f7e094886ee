"""What is known about models and the servers they run on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from app.core.errors import KonsiliumError

GATEWAY_SERVER = "konsilium"
"""The server name under which the conversation modes are offered as models."""


@dataclass(frozen=True, slots=True, order=True)
class ModelRef:
    """A model's address, written `server/model`; the model's name may itself hold slashes."""

    server: str
    name: str

    def __str__(self) -> str:
        return f"{self.server}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """`ollama/gemma2:2b` -> ModelRef("ollama", "gemma2:2b"). Raises ValueError without a server."""
        server, slash, name = text.strip().partition("/")
        if not (slash and server and name):
            raise ValueError(f"a model is named server/model, not {text!r}")
        return cls(server, name)


class Capability(StrEnum):
    """What a model can do, as its server says or as a table of model families knows."""

    COMPLETION = "completion"
    EMBEDDING = "embedding"
    VISION = "vision"
    TOOLS = "tools"
    THINKING = "thinking"
    JSON_MODE = "json_mode"
    JSON_SCHEMA = "json_schema"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"


Currency = Literal["RUB", "USD"]


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model per 1,000 tokens, in its own currency, as of a day."""

    currency: Currency
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    """Input tokens served from the provider's prefix cache; None: as `input`."""
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class LoadState:
    """A model in a local server's memory, from Ollama's `/api/ps`."""

    size_bytes: int
    vram_bytes: int
    context_length: int | None
    """Tokens really allocated, which may be less than the model allows."""
    expires_at: datetime | None

    @property
    def gpu_share(self) -> float:
        """0.0 wholly on the CPU, 1.0 wholly on the GPU."""
        return min(1.0, self.vram_bytes / self.size_bytes) if self.size_bytes else 0.0


_PARAMETERS = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d{1,3})?) ?([MmBb])(?![A-Za-z\d])")
_POWERS = {"m": 1e6, "b": 1e9}


TINY = 5e8
"""Parameters below which a model copies out what it reads when it is asked for notes or a verdict: of 100
messages SmolLM2-135M saved 64 to 70 % in 17 calls and 300 s on two cores, where excerpts saved 82 % and
kept every fact."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """Facts about one model on one server. Unknown is None, never 0."""

    ref: ModelRef
    capabilities: frozenset[Capability] = frozenset({Capability.COMPLETION})
    window: int | None = None
    """The context window in tokens, prompt and answer together, that a call has by itself."""
    widest: int | None = None
    """Up to which a call may have it wider, as far as the machine can be judged; None: it stays as it
    is."""
    longest: int | None = None
    """What the model was made for: as much as a person may ask for, whatever the machine."""
    size_bytes: int | None = None
    parameter_size: str | None = None
    quantization: str | None = None
    family: str | None = None
    digest: str | None = None
    price: Price | None = None
    """What the server itself says it costs; from `Models.profile`, what the price table says."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """How much one that thinks may be told to, from least to most."""
    load: LoadState | None = None
    local: bool = False
    """Runs on a machine of ours: free, worth waiting for, never retried."""
    modified_at: datetime | None = None
    retires: date | None = None
    """When its provider takes it away, as far as that is known."""
    refused: tuple[str, ...] = ()
    """Parameters that it was found not to take, and which are left out or named otherwise since."""
    last_resort: bool = False
    """Only for want of another: new chats begin with it where no other model is there."""

    @property
    def parameters(self) -> float | None:
        """How many it has, by what its server says (`134.52M`) or else its name (`smollm2:135m`)."""
        known = _PARAMETERS.search(f"{self.parameter_size or ''} {self.ref.name}")
        return float(known[1]) * _POWERS[known[2].lower()] if known else None

    @property
    def tiny(self) -> bool:
        """Whether it is too small to be asked for anything but an answer."""
        return self.parameters is not None and self.parameters < TINY

    def can(self, capability: Capability) -> bool:
        """Whether the model is known to have `capability`."""
        return capability in self.capabilities


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model that a server recommends, in its own words, which are English."""

    name: str
    about: str = ""
    memory_bytes: int | None = None
    """Of the graphics card, that it wants; None where it does not say."""
    local: bool = True
    """Whether it runs at the server itself, and not in its maker's cloud."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server as it was at `checked_at`."""

    name: str
    kind: str
    """The protocol it speaks, for people to read: `ollama`, `openai` or `embedded`."""
    url: str
    local: bool
    models: tuple[ModelProfile, ...] = ()
    error: KonsiliumError | None = None
    """Why it could not be reached; None where it answered."""
    version: str | None = None
    latency_s: float | None = None
    checked_at: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    provider: str = "other"
    """Its row in core.providers, which says what differs from one kind of server to the next."""
    at_once: int | None = None
    """Calls at once that it lets us make, where it limits them; the others wait here."""
    lists_all: bool = True
    """Whether `models` is all there is: where not, an unlisted name may still be asked for."""
    recommended: tuple[Recommendation, ...] = ()
    """What it says is worth fetching, in its order."""
    assumed: bool = False
    """Nobody named it: it is looked for where one usually is, and was never there."""

    @property
    def reachable(self) -> bool:
        """Whether the server answered when last asked."""
        return self.error is None and self.checked_at is not None


@dataclass(frozen=True, slots=True)
class EmbeddedOffer:
    """A model that can run inside the app, and how far it is from doing so. Unknown is None."""

    name: str
    """What EMBEDDED_MODEL would be: `repo:file` on the model hub, or a file's path."""
    state: Literal["offered", "downloading", "ready", "unusable"]
    """`offered`: nothing is fetched before the person agrees. `ready`: its file is here. `unusable`: it
    can neither be run nor fetched; `error` is NotFound for a missing file, Unsupported without
    llama.cpp."""
    size_bytes: int | None = None
    licence: str | None = None
    as_of: date | None = None
    """When size and licence were looked up; None: the hub said so just now."""
    completed_bytes: int = 0
    """How much of the file is here, also of a download that was broken off."""
    bytes_per_second: float | None = None
    error: KonsiliumError | None = None
    """Why the last download ended without the file, or why it is unusable."""
    languages: tuple[str, ...] = ()
    """Which of the app's it speaks; empty: unknown."""
    ours: bool = False
    """Its file was fetched by the app, which may delete it, too."""
    chosen: bool = False
    """Its file was named on screen, where it may be let go; the file stays."""
