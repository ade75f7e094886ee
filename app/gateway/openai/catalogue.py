"""/v1/models."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from app.core.errors import ModelNotFound
from app.core.models import GATEWAY_SERVER, Capability, ModelProfile
from app.gateway.access import Caller
from app.gateway.http import Exchange
from app.gateway.openai.modes import ModeModels
from app.gateway.services import GatewayServices

Json = dict[str, Any]
_STARTED = int(time.time())


class Catalogue:
    """Lists the caller's models, and finds one of them."""

    def __init__(self, services: GatewayServices, modes: ModeModels) -> None:
        self._services = services
        self._modes = modes

    async def all(self, x: Exchange) -> None:
        """GET /v1/models."""
        caller = await self._services.authenticator.caller(x)
        models = await self._models(caller)
        listed: Json = {"object": "list", "data": models}
        if _is_anthropics(x):
            ends = (models[0]["id"], models[-1]["id"]) if models else (None, None)
            listed = {"has_more": False, "first_id": ends[0], "last_id": ends[1]}
            listed["data"] = [_for_anthropic(model) for model in models]
        await x.reply_json(listed)

    async def one(self, x: Exchange) -> None:
        """GET /v1/models/{id}: ids hold slashes."""
        caller = await self._services.authenticator.caller(x)
        asked = x.path.removeprefix("/v1/models/").rstrip("/")
        models = {model["id"]: model for model in await self._models(caller)}
        name = asked if asked in models else unquote(asked)
        if name not in models:
            ref = next(iter(self._services.candidates(caller, name)))
            name = str(ref)
        if name not in models:
            raise ModelNotFound(f"no {name}", model=name)
        model = models[name]
        await x.reply_json(_for_anthropic(model) if _is_anthropics(x) else model)

    async def _models(self, caller: Caller) -> list[Json]:
        states = self._services.models.states()
        if not any(state.checked_at for state in states):
            states = await self._services.models.refresh()
        listed = [_model(profile) for state in states for profile in state.models]
        if listed:
            listed += [_mode(name) for name in self._modes.names]
            listed += [_mode(name) for name in await self._modes.assistants(caller)]
        allowed = [model for model in listed if caller.may_use(model["id"])]
        return allowed + [_mode(name) for name in self._services.aliases_of(caller)]


def _model(profile: ModelProfile) -> Json:
    created = int(profile.modified_at.timestamp()) if profile.modified_at else 0
    model: Json = {
        "id": str(profile.ref),
        "object": "model",
        "created": created,
        "owned_by": profile.ref.server,
    }
    if profile.window is not None:
        model["context_window"] = profile.window
    if profile.capabilities:
        model["type"] = kind_of(profile)
        model["capabilities"] = sorted(profile.capabilities)
    return model


def kind_of(profile: ModelProfile) -> str:
    """As Together's and LM Studio's lists say it: what is no model to chat with."""
    if profile.can(Capability.COMPLETION):
        return "chat"
    if profile.can(Capability.EMBEDDING):
        return "embedding"
    if profile.can(Capability.SPEECH):
        return "speech"
    return "transcription" if profile.can(Capability.TRANSCRIPTION) else "other"


def _is_anthropics(x: Exchange) -> bool:
    """Anthropic's packages ask the same path for models, in a form of their own."""
    return b"anthropic-version" in x.headers


def _for_anthropic(model: Json) -> Json:
    created = datetime.fromtimestamp(model["created"], UTC).isoformat()
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": created,
        "lifecycle": "active",
        "max_input_tokens": model.get("context_window"),
    }


def _mode(name: str) -> Json:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": GATEWAY_SERVER}
