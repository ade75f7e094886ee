"""What the inner rooms ask of the outer ones. `bootstrap` is where each port meets its adapter."""

from app.core.ports.caching import AnswerStore, CacheObserver
from app.core.ports.calls import Call, CallObserver, EmbeddingCall, Models, RawCall
from app.core.ports.passing import RawAnswer, RawModel, RawPiece
from app.core.ports.people import KeyStore, KeyValueStore, UserStore
from app.core.ports.servers import (
    ChatModel,
    EmbeddedModels,
    ModelLoader,
    ModelServer,
    ModelStore,
    NewcomerServer,
    NewServer,
    PullProgress,
    ServerRegistry,
)
from app.core.ports.turns import CompressionStore, ThreadHistory, TurnStore
from app.core.ports.usage import GatewayCall, GatewayLog, UsageLog

__all__ = [
    "AnswerStore",
    "CacheObserver",
    "Call",
    "CallObserver",
    "ChatModel",
    "CompressionStore",
    "EmbeddedModels",
    "EmbeddingCall",
    "GatewayCall",
    "GatewayLog",
    "KeyStore",
    "KeyValueStore",
    "ModelLoader",
    "ModelServer",
    "ModelStore",
    "Models",
    "NewServer",
    "NewcomerServer",
    "PullProgress",
    "RawAnswer",
    "RawCall",
    "RawModel",
    "RawPiece",
    "ServerRegistry",
    "ThreadHistory",
    "TurnStore",
    "UsageLog",
    "UserStore",
]
