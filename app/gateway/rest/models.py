"""/api/models: servers, their models, sizes, what is loaded."""

from fastapi import APIRouter

from app.core.errors import NotFound
from app.core.models import ModelProfile, ServerState
from app.gateway.access import Caller
from app.gateway.rest.services import TheCaller, TheServices
from app.gateway.rest.shapes import LoadedModel, Model, Server, ServerModels, Servers

router = APIRouter(prefix="/api/models", tags=["models"])


@router.get("/servers")
async def servers(services: TheServices, caller: TheCaller, refresh: bool = False) -> Servers:
    """Every server with its models; `refresh=true` asks them all now (3 s at most)."""
    models = services.gateway.models
    states = await models.refresh() if refresh else models.states()
    return Servers(servers=[_server(state, caller) for state in states])


@router.get("/server/models")
async def server_models(services: TheServices, caller: TheCaller, server_url: str) -> ServerModels:
    """The models of one server, by its name; administrators may give its URL."""
    wanted = server_url.rstrip("/")
    for state in await services.gateway.models.refresh():
        if wanted == state.name or (caller.admin and wanted == state.url.rstrip("/")):
            return ServerModels(server=state.name, models=_models(state, caller))
    raise NotFound("There is no such server.")


def _server(state: ServerState, caller: Caller) -> Server:
    return Server(
        name=state.name,
        kind=state.kind,
        url=state.url if caller.admin else None,
        local=state.local,
        reachable=state.reachable,
        error=state.error.code if state.error else None,
        version=state.version,
        latency_ms=round(state.latency_s * 1000, 1) if state.latency_s is not None else None,
        checked_at=state.checked_at,
        models=_models(state, caller),
    )


def _models(state: ServerState, caller: Caller) -> list[Model]:
    return [_model(profile) for profile in state.models if caller.may_use(str(profile.ref))]


def _model(profile: ModelProfile) -> Model:
    load = profile.load
    return Model(
        id=str(profile.ref),
        name=profile.ref.name,
        size_bytes=profile.size_bytes,
        parameter_size=profile.parameter_size,
        quantization=profile.quantization,
        family=profile.family,
        window=profile.window,
        capabilities=sorted(profile.capabilities),
        loaded=LoadedModel(
            size_bytes=load.size_bytes,
            gpu_share=load.gpu_share,
            context_length=load.context_length,
            expires_at=load.expires_at,
        )
        if load
        else None,
    )
