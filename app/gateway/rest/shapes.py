"""What /api takes and gives, in camelCase; docs and checks are made from it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from app.core.presets import MAX_NAME

Id = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""An id; a whole number is taken for its digits, as older clients send it."""


def camel(*examples: dict[str, Any]) -> ConfigDict:
    """snake_case here, camelCase on the wire; with examples for the description."""
    shown: JsonDict = {"examples": list(examples)} if examples else {}
    return ConfigDict(alias_generator=to_camel, populate_by_name=True, json_schema_extra=shown)


_THREAD = "01975a3e-1f0c-7000-8000-3b2f9d4c6e70"
_CHAT = {
    "id": _THREAD,
    "title": "Квантовая физика",
    "createdAt": 1765000000000,
    "updatedAt": 1765000600000,
    "projectId": None,
}
_PROJECT = {
    "id": "01975a3e-0b51-7000-8000-6f1f0d3c2a94",
    "name": "Роман",
    "instructions": "Пиши как редактор.",
    "facts": ["Героиню зовут Олена"],
    "model": "ollama/gemma2:2b",
    "mode": "chat",
    "knowledge": [],
}
_SAID = {
    "id": "01975a3e-2a7d-7000-8000-51c0e7a9b812",
    "chatId": _THREAD,
    "role": "user",
    "content": "Что такое запутанность?",
    "timestamp": 1765000000000,
    "name": "",
}


class Shape(BaseModel):
    """A value of the API."""

    model_config = camel()


class Refusal(Shape):
    """Why a request was not served."""

    model_config = camel({"error": "Chat not found", "code": "not_found"})
    error: str
    code: str | None = None


class LoadedModel(Shape):
    """A model in a local server's memory."""

    size_bytes: int
    gpu_share: float = Field(description="0.0 wholly on the CPU, 1.0 wholly on the GPU")
    context_length: int | None
    expires_at: datetime | None


class Model(Shape):
    """One model of one server."""

    id: str = Field(description="`server/model`, as everywhere", examples=["ollama/gemma2:2b"])
    name: str
    size_bytes: int | None
    parameter_size: str | None
    quantization: str | None
    family: str | None
    window: int | None = Field(description="Context window in tokens")
    capabilities: list[str]
    loaded: LoadedModel | None


class Server(Shape):
    """A server as it was when last seen."""

    name: str
    kind: str
    url: str | None = Field(description="For administrators only")
    local: bool
    reachable: bool
    error: str | None
    version: str | None
    latency_ms: float | None
    checked_at: datetime | None
    models: list[Model]


class Servers(Shape):
    servers: list[Server]


class ServerModels(Shape):
    server: str
    models: list[Model]


class Chat(Shape):
    """A thread, the same one as in the sidebar. Times are milliseconds since 1970."""

    model_config = camel(_CHAT)
    id: str
    title: str
    created_at: int
    updated_at: int
    project_id: str | None = None


class Chats(Shape):
    model_config = camel({"chats": [_CHAT], "next": None})
    chats: list[Chat]
    next: str | None = Field(default=None, description="Cursor of the next page; null on the last")


class NewChat(Shape):
    model_config = camel({"title": "Квантовая физика"})
    title: str = Field(
        default="", max_length=500, description="Empty: named after its first message"
    )
    project_id: Id | None = Field(
        default=None,
        description="The project that it is in; it begins with that one's model and mode",
    )


class ChatMade(Shape):
    model_config = camel({"chatId": _THREAD, "title": "Квантовая физика"})
    chat_id: str
    title: str


class ChatChange(Shape):
    """What is not given stays."""

    model_config = camel({"title": "Запутанность"}, {"projectId": _PROJECT["id"]})
    title: str | None = Field(default=None, min_length=1, max_length=500)
    project_id: Id | None = Field(default=None, description="null: in none")


class Project(Shape):
    """A folder of threads, and what holds for all of them."""

    model_config = camel(_PROJECT)
    id: str
    name: str
    instructions: str = Field(description="Stand before those of each thread, in every mode")
    facts: list[str] = Field(description="Told with every question")
    model: str = Field(description="New threads begin with it; empty: the default one")
    mode: str
    knowledge: list[str] = Field(
        description="Ids of bases that answers rest on: for people, a key looks nothing up"
    )


class Projects(Shape):
    model_config = camel({"projects": [_PROJECT]})
    projects: list[Project]


class ProjectChange(Shape):
    """What is not given stays, or is empty in a new one."""

    model_config = camel({"name": "Роман", "facts": ["Героиню зовут Олена"]})
    name: str | None = Field(default=None, min_length=1, max_length=MAX_NAME)
    instructions: str | None = Field(default=None, max_length=8_000)
    facts: list[str] | None = Field(default=None, max_length=200)
    model: str | None = Field(default=None, max_length=500)
    mode: str | None = Field(default=None, max_length=100)
    knowledge: list[Id] | None = Field(default=None, max_length=100)


class Success(Shape):
    success: bool = True


class ThreadMessage(Shape):
    """One message of a thread."""

    model_config = camel(_SAID)
    id: str
    chat_id: str
    role: str = Field(description="user or assistant")
    content: str
    timestamp: int
    name: str = Field(default="", description="Who speaks")
    parent_id: str | None = Field(default=None, description="The message it follows")
    siblings: list[str] = Field(
        default=[],
        description="Where there are other versions of it: all of these, itself included, as they appeared",
    )


class Messages(Shape):
    model_config = camel({"messages": [_SAID]})
    messages: list[ThreadMessage]


class Branch(Shape):
    """Which branch of a thread is shown."""

    model_config = camel({"messageId": _SAID["id"]})
    message_id: Id = Field(description="Any message of it")


class Regeneration(Shape):
    """A question to be answered anew, beside its earlier answers."""

    model_config = camel({"messageId": _SAID["id"]})
    message_id: Id = Field(description="The question, or an answer to it")
    model: str | None = Field(default=None, max_length=500)
    options: dict[str, Any] = Field(
        default_factory=dict, description="Further settings by their ids"
    )


class Session(Shape):
    """A thread under its older name."""

    session_id: str
    title: str
    created_at: int
    updated_at: int
    messages: list[ThreadMessage]


class SessionMade(Shape):
    session_id: str
    title: str


class Question(Shape):
    """A message to a thread."""

    model_config = camel(
        {"message": "Как сварить борщ?", "temperature": 0.7},
        {"message": "Оцени план", "mode": "consultation", "model": "ollama/gemma2:2b"},
    )
    message: str = Field(min_length=1, max_length=1_000_000)
    chat_id: Id | None = Field(default=None, description="None begins a new thread")
    parent_id: Id | None = Field(
        default=None,
        description="The message that it follows; empty: none, it begins the thread anew; none given:"
        " the last of the branch that is shown",
    )
    instead_of: Id | None = Field(
        default=None, description="A question that it is another version of: both stay"
    )
    model: str | None = Field(default=None, max_length=500)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=0, le=200_000)
    system_prompt: str | None = Field(default=None, max_length=200_000)
    compress_context: bool | None = None
    compress_system_prompt: bool | None = None
    mode: str | None = Field(
        default=None, description="chat, council, consultation, dialogue, best_of"
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Further settings by their ids"
    )


class Speaker(Shape):
    """One participant of a dialogue of models."""

    model: str = Field(default="", max_length=500)
    name: str = Field(default="", max_length=40)
    system_prompt: str = Field(default="", max_length=8000)


class Dialogue(Shape):
    """A conversation of two to four models."""

    model_config = camel(
        {
            "message": "Нужен ли городу трамвай?",
            "models": [
                {"name": "За", "systemPrompt": "Ты за."},
                {"name": "Против", "systemPrompt": "Ты против."},
            ],
            "turns": 4,
        }
    )
    message: str = Field(min_length=1, max_length=100_000, description="What it is about")
    models: list[Speaker] = Field(min_length=2, max_length=4)
    turns: int = Field(default=6, ge=1, le=40)
    chat_id: Id | None = None


class Agent(Shape):
    """What one participant said."""

    role: str
    content: str


class TokenUsage(Shape):
    """Sums over all model calls of the answer; unknown is null."""

    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    estimated_cost_rub: float | None
    model_name: str | None


class WindowUsage(Shape):
    """How full the model's context window is."""

    current_tokens: int | None
    max_tokens: int | None
    usage_percent: float | None
    is_compressed: bool


class Reply(Shape):
    """An answer."""

    model_config = camel(
        {
            "response": "Сначала сварите бульон…",
            "title": "Борщ",
            "chatId": _THREAD,
            "taskId": "01975a3e-58b2-7000-8000-8d1c5b2f0a11",
            "isMultiAgent": False,
            "agents": None,
            "tokenUsage": {
                "inputTokens": 14,
                "outputTokens": 212,
                "totalTokens": 226,
                "estimatedCostRub": 0.0452,
                "modelName": "yandex/yandexgpt-lite",
            },
            "contextWindowUsage": {
                "currentTokens": 226,
                "maxTokens": 32768,
                "usagePercent": 0.69,
                "isCompressed": False,
            },
            "outcome": "completed",
        }
    )
    response: str
    title: str | None
    chat_id: str
    task_id: str
    is_multi_agent: bool
    agents: list[Agent] | None
    token_usage: TokenUsage
    context_window_usage: WindowUsage
    outcome: str = Field(description="completed, or stopped")
    report: dict[str, Any] | None = Field(
        default=None,
        description="A council's report: members, ranking, agreement, points and quotes",
    )


class NewKey(Shape):
    """A key to be made. What it does not know is refused: a limit with a slip of the pen in its name would
    make a key without limits."""

    model_config = camel(
        {"name": "ci", "models": ["ollama/*"], "rpm": 60, "tpm": 100000, "budgetRub": "500"}
    ) | ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    models: list[str] = Field(
        default=["*"], max_length=200, description="Globs over `server/model`"
    )
    tools: list[str] = Field(
        default=[],
        max_length=200,
        description="Globs over tools of this server that its models may call; none by itself",
    )
    rpm: int | None = Field(default=None, gt=0, le=10**9)
    tpm: int | None = Field(default=None, gt=0, le=10**9)
    budget_rub: Decimal | None = Field(
        default=None, gt=0, le=10**9, description="Roubles a calendar month"
    )
    expires_at: datetime | None = None
    admin: bool = False
    cache: str = Field(default="off", pattern="^(off|exact|near)$")
    drop_params: bool = Field(
        default=False,
        description="Leave out of its requests what a model does not take, instead of refusing it",
    )
    user: str | None = Field(default=None, description="Identifier of its user; none: who makes it")


class Key(Shape):
    """A key as it can be shown."""

    id: str
    name: str
    prefix: str
    models: list[str]
    tools: list[str]
    rpm: int | None
    tpm: int | None
    budget_rub: Decimal | None
    spent_rub: Decimal = Field(description="In the present calendar month")
    admin: bool
    cache: str
    drop_params: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeyMade(Key):
    """With the key itself, for the only time."""

    key: str


class Keys(Shape):
    keys: list[Key]


class AliasMembers(Shape):
    """What an alias stands for."""

    model_config = camel({"models": ["ollama/gemma3:4b", "yandex/yandexgpt-lite"]})
    models: list[str] = Field(min_length=1, max_length=50)
    weights: list[Annotated[float, Field(gt=0, lt=1_000_000)] | None] | None = Field(
        default=None, description="One a model: its share of the requests. None: in their order"
    )


class ModelAlias(Shape):
    """A name and the models that it stands for."""

    name: str
    models: list[str]
    weights: list[float | None]
    configured: bool = Field(description="From MODEL_ALIASES, and changed only there")


class Aliases(Shape):
    aliases: list[ModelAlias]


class CacheRules(Shape):
    """What holds for the answer cache of all users."""

    shared: bool = Field(description="One cache for all users, instead of one for each")
    offer_from: float = Field(description="Share of words in common from which one is offered")
    cosines: dict[str, float] = Field(
        description="By embedding model, the cosine from which one is offered"
    )
    days: float
    entries: int
    aliases: str = Field(description="A group a line: `KSU = Kherson State University`")


class ChangedRules(Shape):
    """What is to change; the rest stays."""

    model_config = camel({"aliases": "ХДУ = Херсонський державний університет"})
    shared: bool | None = None
    offer_from: float | None = Field(default=None, ge=0, le=2)
    cosines: dict[str, float] | None = None
    days: float | None = Field(default=None, gt=0, le=3650)
    entries: int | None = Field(default=None, ge=0, le=10**7)
    aliases: str | None = Field(default=None, max_length=20_000)


class PurgeResult(Shape):
    deleted: int
