"""Every model of every server, by its address."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from rapidfuzz import fuzz, process

from app.completion.attempts import again
from app.completion.catalogue import Catalogue
from app.completion.metering import Accounts, MeteredCall, MeteredEmbedding, MeteredRawCall, Traffic
from app.completion.pricing import Prices
from app.completion.routing import MAX_PARALLEL, MAX_WAITING, Router
from app.completion.tokens import needs_of
from app.core.errors import ModelNotFound, NoModels, Unsupported
from app.core.events import ModelEvent
from app.core.fleet import Fleet
from app.core.keys import payer
from app.core.models import Capability, ModelProfile, ModelRef, ServerState
from app.core.ports import CallObserver, ChatModel, ModelServer, TokenCounter
from app.core.requests import ModelRequest, RawRequest
from app.core.usage import Cost, Usage

NEAR_NAMES = 3
MAX_NAME_LENGTH = 300
"""Characters; no model's name is longer, and to look for what is near to a million takes seconds."""
NEAR_SCORE = 60.0
"""Out of 100, by rapidfuzz's weighted ratio."""


class Models:
    """Implements core.ports.Models: the one way to a model, whoever calls it."""

    def __init__(
        self,
        catalogue: Catalogue,
        prices: Prices,
        *,
        default: str | None = None,
        observers: Sequence[CallObserver] = (),
        parallel: int = MAX_PARALLEL,
        waiting: int = MAX_WAITING,
        fleet: Fleet | None = None,
    ) -> None:
        """`default` is MODEL_NAME: `server/model` or a bare name. `parallel` calls go to one local
        server at once, and so many more wait for it, of all the processes of the `fleet`."""
        self._catalogue = catalogue
        self._prices = prices
        self._default = default
        self.subscribe = catalogue.subscribe
        self.state = catalogue.state
        router = Router(self, parallel=parallel, waiting=waiting, fleet=fleet)
        self.candidates = router.candidates
        self.waiting = router.waiting
        self.waiting_here = router.waiting_here
        self.queued = router.queued
        self.traffic = Traffic()
        self._accounts = Accounts(
            self.cost, observers, lambda ref: self._near(str(ref)), router, self.traffic
        )

    def states(self) -> tuple[ServerState, ...]:
        """The servers as last seen, without waiting; for a key's request with that key's models alone."""
        states = self._catalogue.states()
        if payer() is None:
            return states
        return tuple(
            replace(state, models=tuple(each for each in state.models if _may_use(each.ref)))
            for state in states
        )

    async def refresh(self) -> tuple[ServerState, ...]:
        """Asks all servers at once, 3 s at most each."""
        return await self._catalogue.refresh()

    def resolve(self, name: str) -> ModelRef:
        """`server/model`, a bare name, or "" for the default.

        Raises ModelNotFound (with near names), also for a model that is not the asking key's; with no
        name and no model, NoModels, or the error of the first server that is down where none is up.
        """
        name = name.strip()
        if not name:
            return self._default_model()
        server, slash, model = name.partition("/")
        if slash and server in self._catalogue.servers:
            ref = ModelRef(server, model)
            found: ModelRef | None = self._listed(ref) or self._unlisted(ref)
        else:
            found = self._bare(name)
        if found is None or not _may_use(found):
            raise self._not_found(name)
        return found

    def profile(self, ref: ModelRef) -> ModelProfile:
        """What is known of the model, its price from the table; only its ref, price, and whether it is
        local, where nothing is."""
        known = self._known(ref)
        return replace(known, price=self._prices.price(ref, known))

    def call(self, ref: ModelRef, request: ModelRequest) -> MeteredCall:
        server = self._server(ref)
        model = server.model(ref.name)
        profile = self._catalogue.profile(ref)
        if not (profile.local if profile else server.local):
            model = _Retried(model)
        elif profile is not None and profile.widest and request.needs is None:
            request = replace(request, needs=needs_of(request, profile))
        return MeteredCall(model, ref, request, self._accounts)

    def raw_call(self, ref: ModelRef, request: RawRequest) -> MeteredRawCall | None:
        model = self._server(ref).raw(ref.name, request.path)
        return None if model is None else MeteredRawCall(model, ref, request, self._accounts)

    def embedding(
        self,
        ref: ModelRef,
        texts: Sequence[str],
        *,
        dimensions: int | None = None,
        request_id: str | None = None,
    ) -> MeteredEmbedding:
        server = self._server(ref)
        return MeteredEmbedding(
            server, ref, texts, self._accounts, dimensions=dimensions, request_id=request_id
        )

    async def count_tokens(self, ref: ModelRef, text: str) -> int:
        """By the server's own tokenizer. Raises Unsupported where it has none to ask, or its error."""
        server = self._server(ref)
        if not isinstance(server, TokenCounter):
            raise Unsupported("counts no tokens", server=ref.server, model=ref.name)
        return await server.count_tokens(ref.name, text)

    def cost(self, ref: ModelRef, usage: Usage) -> Cost | None:
        """What so many tokens of that model cost; None where its price is not known."""
        return self._prices.cost(self._prices.price(ref, self._known(ref)), usage)

    def _known(self, ref: ModelRef) -> ModelProfile:
        known = self._catalogue.profile(ref)
        if known is None:
            server = self._catalogue.servers.get(ref.server)
            known = ModelProfile(ref, local=server is not None and server.local)
        return known

    def _server(self, ref: ModelRef) -> ModelServer:
        server = self._catalogue.servers.get(ref.server)
        if server is None or not _may_use(ref):
            raise self._not_found(str(ref))
        return server

    def _default_model(self) -> ModelRef:
        if self._default:
            return self.resolve(self._default)
        chat = [
            p for p in self._catalogue.known if p.can(Capability.COMPLETION) and _may_use(p.ref)
        ]
        reachable = {state.name for state in self.states() if state.reachable}
        here = [p for p in chat if p.ref.server in reachable]
        here.sort(key=lambda p: (p.last_resort, p.load is None))
        for profile in (*here, *chat):
            return profile.ref
        raise self._nothing()

    def _nothing(self) -> Exception:
        states = [state for state in self.states() if not state.assumed]
        down = [state.error for state in states if state.error is not None]
        if down and len(down) == len(states):
            return down[0]
        return NoModels("no server has a model")

    def _listed(self, ref: ModelRef) -> ModelRef | None:
        """The ref as its server lists it: Ollama's `gemma2` is `gemma2:latest`."""
        for candidate in (ref, ModelRef(ref.server, f"{ref.name}:latest")):
            if self._catalogue.profile(candidate) is not None:
                return candidate
        return None

    def _unlisted(self, ref: ModelRef) -> ModelRef:
        """A server that is away, or does not list everything, is asked all the same: its error says
        more."""
        state = self.state(ref.server)
        if state is None or (
            state.reachable and state.models and state.lists_all and state.kind != "openai"
        ):
            raise self._not_found(str(ref))
        return ref

    def _bare(self, name: str) -> ModelRef | None:
        """The model of that name: of several, one that is loaded, then in the servers' order."""
        reachable = {state.name for state in self.states() if state.reachable}
        found = [
            p
            for p in self._catalogue.known
            if p.ref.name in (name, f"{name}:latest") and _may_use(p.ref)
        ]
        found.sort(key=lambda p: (p.ref.server not in reachable, p.load is None))
        return found[0].ref if found else None

    def _not_found(self, name: str) -> ModelNotFound:
        if len(name) > MAX_NAME_LENGTH:
            return ModelNotFound(f"no model has a name of {len(name)} characters")
        server, slash, model = name.partition("/")
        return ModelNotFound(
            f"no model {name}",
            server=server if slash else None,
            model=model if slash else name,
            near=self._near(name),
        )

    def _near(self, name: str) -> tuple[str, ...]:
        names = [str(each.ref) for each in self._catalogue.known if _may_use(each.ref)]
        near = process.extract(
            name, names, scorer=fuzz.WRatio, limit=NEAR_NAMES, score_cutoff=NEAR_SCORE
        )
        return tuple(found for found, _, _ in near if found != name)


def _may_use(ref: ModelRef) -> bool:
    """Whether the model is one of those that the asking key may use."""
    asking = payer()
    return asking is None or asking.key.allows(str(ref))


class _Retried:
    """A cloud's ChatModel, asked again where it fails before it begins."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer of the first attempt that begins to answer."""
        return again(lambda: self._model.stream(request))
