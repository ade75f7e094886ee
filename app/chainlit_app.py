"""What `chainlit run` loads: builds the application and puts it behind Chainlit's server."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path, not as a package

from app.view.chainlit.event_loop import restore_event_loop

restore_event_loop()  # before anything else of ours, which might keep what it finds

from chainlit.config import config
from chainlit.server import app as server
from chainlit.server import sio

from app.access.origins import Origins, require_loopback
from app.attachments import AttachmentLimits
from app.bootstrap import build
from app.conversation.modes import MODES
from app.gateway.app import InFront, body_limits
from app.gateway.bodies import BodyBounds
from app.gateway.dashboard import dashboard_router
from app.gateway.health import health
from app.gateway.protocol import bound_connections
from app.settings import load_settings
from app.view import sign_in
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.identity import signed_in
from app.view.chainlit.pages import (
    TAGS,
    action_router,
    health_router,
    project_router,
    put_first,
    serve_clean_pages,
)
from app.view.chainlit.sockets import register
from app.view.chainlit.wire import shorten
from app.view.chat import Chat
from app.view.council import Council
from app.view.errors import answer_errors
from app.view.files import (
    AROUND_BYTES,
    UploadLimit,
    attachment_costs_router,
    exports_router,
    files_router,
)
from app.view.guide import Guide
from app.view.panels import Panel, PanelFacts, PinnedFacts
from app.view.servers import Servers, keep_pickers_true
from app.view.starters import starters
from app.view.voice import Voice, offer_microphone

if config.run.ci:  # with CI in the environment Chainlit makes up a key; it is no server of ours
    os.environ.pop("OPENAI_API_KEY", None)

PUBLIC = Path(__file__).resolve().parents[1] / "public"

settings = load_settings()
application = build(settings, identify=sign_in.identifier_of)
storage, models, conversation = application.storage, application.models, application.conversation
model_servers, turns = application.servers, conversation.turns

guide = Guide(
    models,
    model_servers.stores,
    model_servers.pulls,
    model_servers.registration,
    application.people,
    model_servers.library,
)
limits = AttachmentLimits()
pinned = PinnedFacts(conversation.notes, storage.threads.ensure)
facts = PanelFacts(storage.usage, conversation.notes, pinned)
panel = Panel(models, MODES, storage.conversations, storage.key_values, facts)
chat = Chat(turns, models, storage.conversations, panel, guide, limits)
data_layer = DataLayer(
    application.people,
    storage.threads,
    storage.elements,
    newcomers=settings.auth_mode in ("header", "oauth"),
    deleted=turns.abandon,
    disliked=conversation.answers.dislike,
)

shorten(sio)
config.code.data_layer = lambda: data_layer
config.code.on_app_startup = application.start
config.code.on_app_shutdown = application.stop
config.ui.language = settings.app_language and TAGS[settings.app_language]
council = Council(chat, turns, models, storage.threads, conversation.notes, storage.key_values)
panel.has_form("dialogue", council.form)
servers = Servers(
    models,
    model_servers.stores,
    model_servers.pulls,
    model_servers.registration,
    model_servers.library,
    application.people,
    models.waiting,
)
keep_pickers_true(model_servers.catalogue.subscribe, panel.show_pickers)
voice = Voice(chat, application.transcription)
offer_microphone(voice, model_servers.catalogue.subscribe)
register(chat, guide, servers, voice, {**council.actions, **servers.actions, **guide.actions})
config.code.set_starters = starters
serve_clean_pages()
if settings.auth_mode == "local":
    require_loopback(config.run.host)
sign_in.register(
    application.people,
    storage.threads,
    settings.auth_mode,
    settings.auth_secret(),
    settings.auth_header,
)
answer_errors(server)
server.add_middleware(UploadLimit, limits=limits)
server.add_middleware(
    sign_in.AuthMiddleware,
    people=application.people,
    origins=Origins.of(settings.auth_mode, settings.allowed_hosts),
)
root = config.run.root_path
server.add_middleware(InFront, gateway=application.gateway, root=root)
most = body_limits(root, f"{root}/project/file", limits.bytes + AROUND_BYTES)
server.add_middleware(BodyBounds, limit=most)  # added last, it is first
bound_connections(settings.shutdown_grace_seconds)
application.metrics.watch(
    open_chats=lambda: len(sio.eio.sockets),
    turns=lambda: turns.count,
    queue=models.waiting,
)
who = signed_in(application.people, local=settings.auth_mode == "local")
put_first(
    [
        project_router(settings.app_language, alone=settings.auth_mode == "local"),
        action_router(),
        health_router(lambda: health(storage.keys, models)),
        files_router(storage.elements),
        exports_router(storage.threads, root),
        attachment_costs_router(models, limits, root),
        dashboard_router(storage.usage, who, PUBLIC, settings.app_language, root),
    ]
)
