"""One conversation as ChatGPT, Open WebUI, LibreChat and we export it, made after their formats: two
questions, and the first answer in two versions, of which the second ended its branch."""

from typing import Any

AT = 1_750_000_000


def _node(id: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "parent": parent,
        "children": [],
        "message": {
            "id": id,
            "author": {"role": role},
            "create_time": AT,
            "content": {"content_type": "text", "parts": [text]},
            "metadata": {"model_slug": "gpt-4o"} if role == "assistant" else {},
            **more,
        },
    }


CHATGPT: list[dict[str, Any]] = [
    {
        "title": "О борще",
        "create_time": AT,
        "update_time": AT + 60.5,
        "conversation_id": "c1",
        "current_node": "a3",
        "mapping": {
            "root": {"id": "root", "parent": None, "children": ["s"], "message": None},
            "s": _node("s", "root", "system", ""),
            "q1": _node("q1", "s", "user", "Как варить борщ?"),
            "a1": _node("a1", "q1", "assistant", "Долго."),
            "a2": _node("a2", "q1", "assistant", "Иначе."),
            "q2": _node("q2", "a1", "user", "А без мяса?"),
            "call": _node(
                "call", "q2", "assistant", "search()",
                content={"content_type": "code", "text": "search()"},
            ),
            "tool": _node("tool", "call", "tool", "found"),
            "a3": _node("a3", "tool", "assistant", "Тоже долго."),
        },
    }
]  # fmt: skip


def open_webui_message(id: str, parent: str | None, role: str, text: str) -> dict[str, Any]:
    model = {"model": "gpt-4o"} if role == "assistant" else {"models": ["gpt-4o"]}
    return {
        "id": id, "parentId": parent, "childrenIds": [], "role": role, "content": text,
        "timestamp": AT, **model,
    }  # fmt: skip


OPEN_WEBUI: list[dict[str, Any]] = [
    {
        "id": "o1",
        "user_id": "someone",
        "title": "О борще",
        "created_at": AT,
        "updated_at": AT + 60,
        "chat": {
            "title": "О борще",
            "models": ["gpt-4o"],
            "history": {
                "currentId": "4",
                "messages": {
                    "1": open_webui_message("1", None, "user", "Как варить борщ?"),
                    "2": open_webui_message("2", "1", "assistant", "Долго."),
                    "5": open_webui_message("5", "1", "assistant", "Иначе."),
                    "3": open_webui_message("3", "2", "user", "А без мяса?"),
                    "4": open_webui_message("4", "3", "assistant", "Тоже долго."),
                },
            },
        },
    }
]


def _libre(id: str, parent: str, text: str, *, user: bool = False) -> dict[str, Any]:
    return {
        "messageId": id, "parentMessageId": parent, "conversationId": "l1", "text": text,
        "sender": "User" if user else "GPT-4", "isCreatedByUser": user,
        "model": None if user else "gpt-4o", "createdAt": "2025-06-15T15:06:40.000Z",
    }  # fmt: skip


LIBRECHAT: dict[str, Any] = {
    "conversationId": "l1",
    "endpoint": "openAI",
    "title": "О борще",
    "exportAt": "2025-06-16T00:00:00.000Z",
    "branches": True,
    "recursive": False,
    "messages": [
        _libre("m1", "00000000-0000-0000-0000-000000000000", "Как варить борщ?", user=True),
        _libre("m5", "m1", "Иначе."),
        _libre("m2", "m1", "Долго."),
        _libre("m3", "m2", "А без мяса?", user=True),
        _libre("m4", "m3", "Тоже долго."),
    ],
}


def _step(id: str, parent: str | None, turn: str, kind: str, text: str = "") -> dict[str, Any]:
    return {
        "id": id, "parent_id": parent, "turn_id": turn, "kind": kind, "output": text, "input": "",
        "name": "gpt-4o" if kind in ("answer", "reasoning") else "ann", "metadata": {}, "outcome": "completed",
        "created_at": "2025-06-15T15:06:40+00:00", "ended_at": None,
    }  # fmt: skip


OURS: dict[str, Any] = {
    "id": "k1",
    "title": "О борще",
    "created_at": "2025-06-15T15:06:40+00:00",
    "active_at": "2025-06-15T15:07:40+00:00",
    "leaf_id": "r3",
    "settings": {"mode": "chat"},
    "steps": [
        _step("q1", None, "r1", "question", "Как варить борщ?"),
        _step("r1", "q1", "r1", "turn"),
        _step("a1", "r1", "r1", "answer", "Долго."),
        _step("r2", "q1", "r2", "turn"),
        _step("a2", "r2", "r2", "answer", "Иначе."),
        _step("q2", "r1", "r3", "question", "А без мяса?"),
        _step("r3", "q2", "r3", "turn"),
        _step("t", "r3", "r3", "reasoning", "hm"),
        _step("a3", "r3", "r3", "answer", "Тоже долго."),
    ],
    "files": [],
    "feedback": [],
}
