"""Puts the application together: here each port of core meets the class that fills it."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from limits.aio.storage import Storage as CounterStorage
from pydantic import SecretStr

from app.access.budgets import Budgets
from app.access.keys import KeyRing
from app.access.limits import Limits, redis_counters
from app.access.origins import names_in
from app.access.people import People
from app.access.sessions import Sessions
from app.completion.caching.cache import AnswerCache, Embedder
from app.completion.caching.policy import Policies
from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.pulls import Pulls, Stores
from app.completion.registration import ModelServers, ServerRegistration
from app.completion.speech import Speech
from app.completion.transcription import Transcription
from app.conversation.cached import TurnCache
from app.conversation.citation_check import CitationCheck
from app.conversation.compression.compressor import Compressor
from app.conversation.compression.prompt import CompressingPromptBuilder
from app.conversation.compression.thread import ThreadNotes
from app.conversation.modes import MODES
from app.conversation.replicas import Replicas
from app.conversation.sources import Find
from app.conversation.tokens import Calibration
from app.conversation.turn import Turns
from app.core.concurrency import BackgroundTasks
from app.core.fleet import Fleet
from app.core.models import ModelRef
from app.core.people import User
from app.core.ports import Post
from app.core.post import LocalPost
from app.core.project_news import ProjectNews
from app.core.tools import ToolBox
from app.core.usage import CallRecord
from app.gateway.access import Authenticator, Caller
from app.gateway.aliases import Aliases, parsed_aliases
from app.gateway.app import Gateway
from app.gateway.health import Metrics
from app.gateway.key_usage import KeyUsageRecorder
from app.gateway.protocol import grace_left
from app.gateway.rest.app import build_rest
from app.gateway.rest.services import RestServices
from app.gateway.services import GatewayServices
from app.knowledge.embedding import Embeddings
from app.knowledge.folders import WatchedFolders, parsed_folders
from app.knowledge.indexing import IndexingQueue
from app.knowledge.library import Library as KnowledgeLibrary
from app.observability.logs import configure_logging
from app.observability.prometheus import CONTENT_TYPE, CallMetrics
from app.providers.configured import embedded_server, library_from, registry_of, servers_from
from app.providers.embedded.library import Library
from app.providers.embedded.server import NAME as EMBEDDED
from app.providers.openai_compatible import RefusedParameters
from app.providers.saved_servers import SavedServers
from app.settings import Settings, environment
from app.storage.counters import Counters
from app.storage.storage import Storage
from app.tools.builtin import NAMES, BuiltIn
from app.tools.chats import ChatSearch
from app.tools.knowledge import KnowledgeTools
from app.tools.mcp.config import McpFile
from app.tools.mcp.servers import McpServers
from app.tools.web.fetching import Allowed, Fetcher
from app.tools.web.tools import WebTools

log = logging.getLogger(__name__)

Identify = Callable[[Mapping[str, str]], Awaitable[str | None]]
"""The identifier of the user whom a browser's cookies sign in."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a turn is made with."""

    turns: Turns
    compressor: Compressor
    notes: ThreadNotes
    answers: AnswerCache
    tools: ToolBox
    find: Find


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything there is, ready to be started; one a process."""

    settings: Settings
    metrics: CallMetrics
    storage: Storage
    servers: ModelServers
    refused: RefusedParameters
    models: Models
    conversation: Conversation
    tools: ToolBox
    mcp: McpServers
    indexing: IndexingQueue
    people: People
    sessions: Sessions
    transcription: Transcription
    speech: Speech
    gateway: Gateway
    background: BackgroundTasks
    post: Post
    fleet: Fleet
    project_news: ProjectNews

    async def start(self) -> None:
        """Opens the database and looks for models. Raises StorageUnavailable."""
        log_as(self.settings)  # again: the server has set up handlers of its own meanwhile
        await self.storage.open()
        await self.refused.load()
        await self._receive_people()
        self.background.start(self.people.watch())
        self.background.start(self.gateway.services.keys.run())
        self.background.start(self.storage.threads.keep_bin_short())
        self.background.start(self.conversation.turns.watch())
        self.background.start(self.post.run())
        self.background.start(self.fleet.run())
        self.background.start(self.servers.catalogue.run())
        self.mcp.start()
        await self.servers.catalogue.refresh()
        if (embeddings := self.indexing.library.embeddings) is not None:
            self.background.start(embeddings.run())
        if folders := parsed_folders(self.settings.knowledge_folders):
            library, values = self.indexing.library, self.storage.key_values
            watched = WatchedFolders(library, values, folders, self._first_person)
            self.background.start(watched.run())
        gc.freeze()  # what is loaded by now stays: to look it through again takes a third of a second
        gc.enable()  # the imports were spared it

    async def _first_person(self) -> str | None:
        """Whose what belongs to the house is: the local user, else the first administrator."""
        if self.settings.auth_mode == "local":
            return (await self.people.local()).id
        admins = [user for user in await self.storage.users.all() if user.role == "admin"]
        return min(admins, key=lambda user: user.created_at).id if admins else None

    async def _receive_people(self) -> None:
        match self.settings.auth_mode:
            case "local":
                await self.people.local()
            case "password":
                password = self.settings.admin_password
                await self.people.first_admin(password.get_secret_value() if password else None)

    async def stop(self) -> None:
        """Lets answers finish for a while, stores what they wrote, and closes everything."""
        grace_seconds = grace_left(self.settings.shutdown_grace_seconds)
        turns = self.conversation.turns
        await asyncio.gather(turns.drain(grace_seconds), self.gateway.drain(grace_seconds))
        await self.conversation.compressor.aclose()
        await self.conversation.answers.drain()
        await self.background.cancel()
        await self.mcp.aclose()
        await self.indexing.aclose()
        await self.servers.aclose()
        await self.post.aclose()
        await self.storage.aclose()


def build(
    settings: Settings, identify_by: Callable[[People, Sessions], Identify] | None = None
) -> Application:
    """The application of these settings; nothing is opened or asked yet. Raises SettingsInvalid.

    `identify_by` makes what lets signed-in browsers use /api.
    """
    log_as(settings)
    metrics = CallMetrics()
    storage = Storage(settings.database, settings.data_dir)
    refused = RefusedParameters(storage.key_values)
    servers = _model_servers(settings, refused)
    prices = Prices(settings.data_dir)
    post = _post(settings, storage.process.id)
    fleet = Fleet(post)
    models = Models(
        servers.catalogue, prices, default=settings.model_name, observers=[metrics], fleet=fleet
    )
    knowledge = KnowledgeLibrary(
        storage.knowledge, embeddings=embeddings(settings, storage, models)
    )
    mcp = McpServers(settings.data_dir, environment, taken=NAMES, changed=lambda: log_as(settings))
    tools = ToolBox(
        [
            BuiltIn(),
            ChatSearch(storage.threads),
            KnowledgeTools(knowledge),
            *web_tools(settings),
            mcp,
        ]
    )
    conversation = _conversation(settings, storage, models, metrics, tools, knowledge, post)
    storage.conversations.on_switched(conversation.turns.tell_others)
    project_news = ProjectNews(post)
    storage.presets.on_projects(project_news.changed)
    storage.threads.on_moved(project_news.changed)
    people = People(storage.users)
    people.on_revoked(lambda user: conversation.turns.abandon_all(user.id))
    sessions = Sessions(storage.key_values)
    identify = identify_by(people, sessions) if identify_by else None
    return Application(
        settings=settings,
        metrics=metrics,
        storage=storage,
        servers=servers,
        refused=refused,
        models=models,
        conversation=conversation,
        tools=tools,
        mcp=mcp,
        indexing=IndexingQueue(knowledge),
        people=people,
        sessions=sessions,
        transcription=Transcription(models, storage.usage),
        speech=Speech(
            models, storage.usage, named=settings.speech_model, voice=settings.speech_voice
        ),
        gateway=_gateway(
            settings,
            storage,
            models,
            servers.stores,
            conversation,
            metrics,
            people,
            identify,
        ),
        background=BackgroundTasks(),
        post=post,
        fleet=fleet,
        project_news=project_news,
    )


def _model_servers(settings: Settings, refused: RefusedParameters) -> ModelServers:
    library = library_from(settings)
    configured = servers_from(settings, library, refused=refused)
    registry = registry_of(settings, configured, refused)
    catalogue = Catalogue([*configured, *registry.servers()])
    library.subscribe(lambda: _follow_embedded(catalogue, library))
    stores = Stores(catalogue)
    return ModelServers(
        catalogue,
        library,
        stores,
        Pulls(stores),
        ServerRegistration(catalogue, registry, changed=lambda: log_as(settings)),
    )


def _conversation(
    settings: Settings,
    storage: Storage,
    models: Models,
    metrics: CallMetrics,
    tools: ToolBox,
    knowledge: KnowledgeLibrary,
    post: Post,
) -> Conversation:
    calibration = Calibration(storage.key_values, models.count_tokens)
    compressor = Compressor(
        storage.compressions,
        storage.conversations,
        models,
        calibration,
        usage=storage.usage,
        shared=storage.key_values,
        default_model=settings.summary_model or "",
        is_temporary=storage.threads.is_temporary,
    )
    notes = ThreadNotes(storage.compressions, storage.conversations, compressor, calibration)
    prompts = CompressingPromptBuilder(storage.compressions, calibration, compressor)

    async def log_call(call: CallRecord) -> None:
        await storage.usage.add(None, None, call.request_id, [call])

    answers = AnswerCache(
        storage.answers,
        Policies(storage.key_values),
        embedder=embedder(settings, models, log_call),
        check_model=settings.cache_check_model,
        observers=[metrics],
    )
    turn_cache = TurnCache(answers, [metrics], storage.threads.is_temporary)
    follow_ups = (prompts.after_turn, compressor.after_turn, turn_cache.after)
    modes = turn_cache.wrap(MODES)
    find = knowledge.find
    turns = Turns(
        storage.turns,
        models,
        prompts,
        modes,
        follow_ups,
        tools=tools,
        find=find,
        project_of=storage.presets.project_of,
        citations=CitationCheck(settings.citation_check_model or ""),
    )
    turns.join(Replicas(post, storage.leases))
    return Conversation(turns, compressor, notes, answers, tools, find)


def _gateway(
    settings: Settings,
    storage: Storage,
    models: Models,
    stores: Stores,
    conversation: Conversation,
    metrics: CallMetrics,
    people: People,
    identify: Identify | None,
) -> Gateway:
    keys, counters = KeyRing(storage.keys), _counters(settings)
    services = GatewayServices(
        models=models,
        authenticator=_authenticator(settings, keys, people, identify),
        keys=keys,
        limits=Limits(counters),
        budgets=Budgets(keys, counters),
        recorder=KeyUsageRecorder(storage.keys),
        modes=MODES,
        tools=conversation.tools,
        stores=stores,
        aliases=Aliases(parsed_aliases(settings.model_aliases), storage.key_values),
        documents=storage.key_values,
        answers=conversation.answers,
        presets=storage.presets,
        find=conversation.find,
    )
    rest = RestServices(
        services,
        conversation.turns,
        storage.threads,
        storage.presets,
        storage.conversations,
        storage.users,
        storage.key_values,
        MODES,
    )
    scrape = Metrics(services.authenticator, metrics.exposition, CONTENT_TYPE)
    return Gateway(services, build_rest(rest), scrape)


async def _follow_embedded(catalogue: Catalogue, library: Library) -> None:
    """A model has been downloaded or removed: its server comes, or goes with it."""
    if library.wanted is None:
        await catalogue.remove(EMBEDDED)
        return
    if EMBEDDED not in catalogue.servers:
        catalogue.add(embedded_server(library))
    await catalogue.look(EMBEDDED)


def _post(settings: Settings, process_id: str) -> Post:
    """How the processes tell each other of their turns."""
    if settings.redis_url is None:
        return LocalPost(process_id)
    from app.storage.redis_post import RedisPost  # its library takes a tenth of a second to import

    return RedisPost(settings.redis_url.get_secret_value(), process_id)


def _counters(settings: Settings) -> CounterStorage:
    """Where the processes of one machine, or of several, count what a key has used of its limits."""
    if settings.redis_url is not None:
        return redis_counters(settings.redis_url.get_secret_value())
    return Counters(settings.data_dir / "limits.db")


def embedder(
    settings: Settings, models: Models, log_call: Callable[[CallRecord], Awaitable[None]]
) -> Embedder | None:
    """What makes a question's vector, where EMBEDDING_MODEL names a model."""
    name = settings.embedding_model
    if not name:
        return None

    async def embed(question: str) -> Sequence[float]:
        call = models.embedding(ModelRef.parse(name), [question])
        try:
            return (await call.vectors())[0]
        finally:
            await log_call(call.record)

    return Embedder(name, embed)


def web_tools(settings: Settings) -> Iterator[WebTools]:
    """Search and pages of the web, where the settings allow them."""
    if settings.searxng_url or settings.read_pages:
        yield WebTools(Fetcher(Allowed(settings.web_allowed)), settings.searxng_url or "")


def embeddings(settings: Settings, storage: Storage, models: Models) -> Embeddings | None:
    """What makes the vectors of knowledge bases, where EMBEDDING_MODEL names a model."""

    async def embed(name: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        call = models.embedding(ModelRef.parse(name), texts)
        try:
            return await call.vectors()
        finally:
            await storage.usage.add(None, None, call.record.request_id, [call.record])

    name = settings.embedding_model
    return Embeddings(storage.knowledge, name, embed) if name else None


def _authenticator(
    settings: Settings, ring: KeyRing, people: People, identify: Identify | None
) -> Authenticator:
    async def local() -> Caller:
        return _caller(await people.local())

    async def signed_in(cookies: Mapping[str, str]) -> Caller | None:
        identifier = await identify(cookies) if identify else None
        user = await people.known(identifier) if identifier else None
        return _caller(user) if user is not None and user.enabled else None

    return Authenticator(
        ring,
        local=local if settings.auth_mode == "local" else None,
        require_key=settings.require_api_key,
        signed_in=signed_in,
        hosts=names_in(settings.allowed_hosts),
        origins=names_in(settings.allowed_origins),
        is_disabled=people.is_disabled,
    )


def _caller(user: User) -> Caller:
    return Caller(user.id, user.display_name or user.identifier, user.role == "admin")


def log_as(settings: Settings) -> None:
    """Makes this process log as the settings say."""
    configure_logging(settings.log_level, settings.log_format, secrets_of(settings))


def secrets_of(settings: Settings) -> Iterator[str]:
    """Every secret of the settings, to be kept out of the log; of lists of
    `name=url|key|models` each key."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            yield secret
            yield from (
                part.strip() for entry in secret.split(",") for part in entry.split("|")[1:2]
            )
    yield from SavedServers(settings.data_dir).keys()
    yield from McpFile(settings.data_dir).secrets(environment())
