"""Every element on one page, with props as the view sends them: what test_elements.py looks at."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path, not as a package

import chainlit as cl

from app.conversation.modes import ELEMENTS as MODE_ELEMENTS
from app.core.text import language_of
from app.view.chainlit.pages import (
    elements_router,
    offline_router,
    project_router,
    script_router,
)
from app.view.chainlit.server import put_first, serve_clean_pages

ENTRY: dict[str, Any] = {
    "outcome": "completed",
    "finish_reason": "stop",
    "model": "gemma2:2b",
    "server": "ollama",
    "purpose": "answer",
    "seconds": 2.31,
    "first_token_seconds": 0.42,
    "load_seconds": None,
    "characters": 127,
    "tokens_per_second": 56.2,
    "input_tokens": 3110,
    "output_tokens": 302,
    "cached_tokens": None,
    "estimated": False,
    "cost_rub": "0",
    "cost": {"amount": "0", "currency": "RUB"},
    "cache": None,
    "window": {"used": 3412, "size": 8192, "warning": False, "truncated": False},
}
CALL = {name: value for name, value in ENTRY.items() if name != "window"}
COUNCIL = ENTRY | {
    "estimated": True,
    "cost_rub": "0.0824",
    "cost": {"amount": "0.001", "currency": "USD"},
    "compression": {"from": 1, "to": 34, "before": 5120, "after": 640, "dropped": 3},
    "calls": [
        CALL | {"name": None, "purpose": "gate"},
        CALL | {"name": "Физик", "purpose": "specialist", "model": "qwen/" + "long-name-" * 5},
        CALL | {"name": "Экономист", "purpose": "specialist", "outcome": "failed", "seconds": None},
    ],
    "total": {
        "calls": 3,
        "input_tokens": 9120,
        "output_tokens": 1460,
        "cost_rub": "0.0824",
        "estimated": True,
    },
}
SERVERS = [
    {
        "name": "ollama",
        "can_pull": True,
        "url": "http://localhost:11434",
        "ok": True,
        "models": 1,
        "reason": None,
    },
    {
        "name": "yandex",
        "can_pull": False,
        "url": "http://yandex",
        "ok": False,
        "models": 0,
        "reason": "wrong_key",
    },
]
MODEL = {
    "name": "gemma2:2b",
    "size_bytes": 1_629_518_495,
    "parameter_size": "2.6B",
    "quantization": "Q4_0",
    "family": "gemma2",
    "window": 8192,
    "capabilities": ["completion", "tools"],
    "load": {
        "size_bytes": 2_200_000_000,
        "vram_bytes": 2_200_000_000,
        "gpu_share": 1.0,
        "expires_at": "2026-11-20T12:35:00Z",
    },
}
ELEMENTS: list[tuple[str, dict[str, Any]]] = [
    ("MetricsCard", {"entry": ENTRY}),
    ("MetricsCard", {"entry": COUNCIL}),
    ("MetricsCard", {"entry": ENTRY | {"outcome": "stopped", "finish_reason": None}}),
    ("MetricsCard", {"entry": ENTRY | {"finish_reason": "length"}}),
    ("MetricsCard", {"entry": {}, "compact": True}),
    ("ErrorCard", {"title": "Ollama", "text": "…", "command": "ollama serve", "retry": True}),
    ("Guide", {"ready": False, "servers": SERVERS, "suggested": "gemma2:2b"}),
    (
        "Candidates",
        {
            "chosen": "a",
            "by": "medoid",
            "candidates": [
                {"step_id": "a", "number": 1, "score": 0.7, "vetoes": [], "parts": {}},
                {"step_id": "b", "number": 2, "score": 0.6, "vetoes": [], "parts": {"length": 1}},
                {"step_id": "c", "number": 3, "score": 0.0, "vetoes": ["cut"], "parts": {}},
            ],
        },
    ),
    ("CompressionNote", {"from": 1, "to": 34, "before": 5120, "after": 640, "text": "! 12 400 ₽"}),
    (
        "CacheNote",
        {
            "kind": "near",
            "asked": "Какие факультеты есть в ХДУ?",
            "at": "2026-01-03T10:00:00+00:00",
            "saved_tokens": 412,
            "saved_rub": "0.04",
        },
    ),
    ("CacheNote", {"kind": "suggestion", "asked": "Скільки факультетів?", "entry_id": "1"}),
    (
        "Participants",
        {
            "models": [{"value": "ollama/gemma2:2b"}],
            "participants": [
                {"name": "Физик", "model": "ollama/gemma2:2b", "system": ""},
                {"name": "Философ", "model": "", "system": ""},
            ],
        },
    ),
    (
        "Sources",
        {
            "sources": [
                {"number": 1, "title": "slow.txt", "id": "slow/0", "text": "What comes late"},
                {"number": 2, "title": "quick.txt", "id": "quick/0", "text": "What comes at once"},
            ]
        },
    ),
    ("Dialogue", {"state": "running"}),
    ("Dialogue", {"state": "ended"}),
    (
        "Servers",
        {
            "admin": True,
            "servers": [
                SERVERS[0] | {"can_pull": True, "local": True, "models": [MODEL]},
                SERVERS[1] | {"models": []},
            ],
            "pulls": [
                {
                    "server": "ollama",
                    "model": "qwen3:8b",
                    "state": "running",
                    "status": "pulling a3de",
                    "speed": 24e6,
                    "left_s": 192,
                    "layers": [{"digest": "sha256:a3de86cd1c13", "total": 5e9, "completed": 1e9}],
                }
            ],
        },
    ),
]


@cl.on_message
async def show(_: cl.Message) -> None:
    lang = language_of(getattr(cl.context.session, "language", None))
    for name, props in ELEMENTS:
        element = cl.CustomElement(name=name, props={"lang": lang, "turn_id": "", **props})
        await cl.Message(author="Konsilium", content="", elements=[element]).send()


serve_clean_pages()
put_first(project_router(), elements_router(MODE_ELEMENTS), script_router(), offline_router())
