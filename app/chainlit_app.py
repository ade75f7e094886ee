"""What `chainlit run` loads: builds the application and puts it behind Chainlit's server."""

import gc
import sys
from pathlib import Path

gc.disable()  # a quarter of the imports' time, for nothing found; `start` enables it
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path, not as a package
from app.view.chainlit.event_loop import restore_event_loop

restore_event_loop()  # before anything else of ours, which might keep what it finds

from app.access.origins import Origins, names_in
from app.attachments import AttachmentLimits
from app.bootstrap import build
from app.cli.terminal import end_in_words
from app.conversation.modes import ELEMENTS, MODES
from app.gateway.app import InFront, body_limits, too_large
from app.gateway.bodies import BodyBounds
from app.gateway.dashboard import dashboard_router
from app.gateway.health import health
from app.gateway.protocol import bound_connections
from app.providers.transport import reachable
from app.settings import PAGE, load_settings
from app.storage.files import make_private, own_folder
from app.storage.migrations.apply import check_before_start
from app.view import files, imports, knowledge
from app.view.bin import bin_router
from app.view.chainlit import auth, pages, server
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.identity import signed_in
from app.view.chainlit.sockets import Sockets
from app.view.chat import Chat
from app.view.commands import Commands
from app.view.council import SEATS, AnswerActions, DialogueForm
from app.view.diagrams import diagrams_router
from app.view.guide import Guide
from app.view.guide_ways import SetupWays
from app.view.library import LibraryServices, library_router
from app.view.panel_facts import PanelFacts, PinnedFacts
from app.view.panels import Panel
from app.view.projects import ProjectPages, projects_router
from app.view.server_form import ServerForm
from app.view.servers import Servers
from app.view.sessions import sessions_router
from app.view.sign_in import AuthMiddleware
from app.view.temporary import TemporaryChats, temporary_router
from app.view.tool_lists import ToolLists
from app.view.tool_servers import ToolServers
from app.view.versions import versions_router
from app.view.voice import Voice, speech_router

sys.excepthook = end_in_words
settings = load_settings()
make_private(settings.data_dir)
server.keep_uploads_in(own_folder(settings.data_dir / "uploads"))
check_before_start(settings.database)
mode = settings.auth_mode
app = build(settings, lambda people, sessions: auth.Tokens(people, sessions, mode).signed_in)
storage, models, people, talk = app.storage, app.models, app.people, app.conversation
turns, notes, catalogue = talk.turns, talk.notes, app.servers.catalogue
tokens = auth.Tokens(people, app.sessions, mode)
language, root = settings.app_language, server.ROOT
local, newcomers = mode == "local", mode in ("header", "oauth")

# What the page shows
pinned = PinnedFacts(notes, storage.threads.ensure)
facts = PanelFacts(storage.usage, notes, pinned)
form, values = DialogueForm(models, storage.key_values, storage.presets), storage.key_values
tool_lists = ToolLists(app.tools, models, storage.knowledge)
forms = dict.fromkeys(SEATS, form.draw)
passing = [mode for mode, seats in SEATS.items() if seats.passing]
panel = Panel(models, MODES, storage.conversations, values, facts, forms, tool_lists, passing)
ways = SetupWays(reachable, settings.model_hub)
server_form = ServerForm(app.servers, people)
guide = Guide(models, app.servers, people, panel.recovered, ways, server_form)
tool_servers = ToolServers(app.mcp, people)
servers = Servers(models, app.servers, people, models.waiting, tool_servers, server_form)
layer = DataLayer(
    people,
    storage.threads,
    storage.elements,
    newcomers=newcomers,
    on_delete=turns.abandon,
    on_dislike=talk.answers.dislike,
)
limits = AttachmentLimits()
stores = (storage.conversations, storage.elements, layer.get_thread)
chat = Chat(turns, models, panel, guide, limits, *stores)
answers = AnswerActions(chat, turns, storage.threads, notes, form, storage.votes)
voice = Voice(chat, app.transcription, app.speech)
catalogue.subscribe(panel.models_changed)
ProjectPages(storage.presets, app.project_news)

# How Chainlit serves it
server.prepare(app.start, app.stop, layer, language, loopback_only=local)
allowed = names_in(settings.oauth_allowed)
secret, header = settings.auth_secret(), settings.auth_header
auth.register(people, storage.threads, mode, secret, header, allowed)
if not local:
    people.on_look(tokens.look)
shelves = LibraryServices(
    storage.presets, storage.threads, values, models, app.tools, storage.knowledge
)
commands = Commands(app.mcp, storage.presets)
app.mcp.subscribe(commands.changed)
unkept = TemporaryChats(storage.threads, turns)
Sockets(chat, guide, servers, voice, layer, commands, unkept).register()
server.put_around(
    AuthMiddleware,
    people=people,
    tokens=tokens,
    origins=Origins.of(mode, settings.allowed_hosts),
    root=root,
    header=header if mode == "header" else None,
    policy=server.own_policy(),
)
server.put_around(InFront, gateway=app.gateway, root=root)
taking = files.uploads(limits, root) | knowledge.uploads(root) | imports.uploads(root)
most = body_limits(root, {path: upload.bytes for path, upload in taking.items()})
of_uploads, of_gateway = files.too_large(taking, language), too_large(root)
server.put_around(  # the last added is the first asked
    BodyBounds, limit=most, too_large=lambda scope: of_uploads(scope) or of_gateway(scope)
)
naming = header if mode == "header" else None
bound_connections(settings.shutdown_grace_seconds, settings.trusted_proxies, naming)
who = signed_in(people, local=local)
buttons = {**answers.actions, **servers.actions, **guide.actions, **server_form.actions}
server.put_first(
    pages.closed_router(),
    pages.script_router(),
    pages.offline_router(),
    pages.project_router(language, alone=local),
    pages.feedback_router(layer),
    pages.elements_router(ELEMENTS, root),
    files.uploads_router(server.accepts, root),
    pages.action_router(buttons, panel.picked),
    pages.health_router(lambda: health(storage.keys, models)),
    files.files_router(storage.elements),
    *(bin_router(storage.threads, shelf, root) for shelf in ("bin", "archive")),
    temporary_router(storage.threads, root),
    projects_router(storage.presets, storage.threads, root),
    library_router(shelves, root),
    knowledge.knowledge_router(app.indexing, storage.knowledge, root),
    *(() if local else (sessions_router(app.sessions, root),)),
    files.exports_router(storage.threads, root),
    versions_router(storage.threads, root),
    diagrams_router(root),
    imports.imports_router(imports.Imports(settings.data_dir / "imports"), root),
    files.attachment_costs_router(models, limits, root),
    speech_router(app.speech, root),
    dashboard_router(storage.usage, storage.votes, who, PAGE / "public", language, root),
)
app.metrics.watch(
    open_chats=server.open_chats,
    turns=lambda: turns.count,
    queue=models.waiting_here,
    fleet=app.fleet,
)
