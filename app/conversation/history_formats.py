"""The exports of ChatGPT, Open WebUI and LibreChat, and our own JSON, read as conversations. Pure; a file
that is none of these, or is damaged, is refused, not guessed at.

None of these programs documents its format: these are the forms that their code writes and reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from app.conversation.histories import ExportedMessage, ExportedThread, HistoryRefused, Role
from app.core.presets import MAX_NAME
from app.core.turns import now

MAX_MESSAGES = 100_000
"""Of one conversation; more is no export of a person's."""
MAX_CHARACTERS = 4_000_000
"""Of one message."""
NAME_CHARACTERS = 200
"""Of a title, a model or a file."""
NO_PARENT = "00000000-0000-0000-0000-000000000000"
"""LibreChat's, of a first message."""


def read_histories(document: Any) -> tuple[ExportedThread, ...]:
    """The conversations of an export, already parsed from JSON, in which anything was said. Raises
    HistoryRefused."""
    entries = document if isinstance(document, list) else [document]
    if not entries:
        raise HistoryRefused("empty")
    threads: dict[tuple[str, str], ExportedThread] = {}
    for number, entry in enumerate(entries, 1):
        try:
            thread = _thread(entry)
        except _OF_DAMAGE as error:
            raise HistoryRefused("damaged", number) from error
        if thread is None:
            raise HistoryRefused("format", number)
        known = threads.get((thread.source, thread.id))
        threads[thread.source, thread.id] = known.with_more(thread) if known else thread
    return tuple(thread for thread in threads.values() if thread.said)


_OF_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading raises where values are not what they should be."""


def _thread(entry: Mapping[str, Any]) -> ExportedThread | None:
    """None for what is none of the known formats."""
    if "mapping" in entry:
        return _chatgpt(entry)
    if "chat" in entry or "history" in entry:
        return _open_webui(entry)
    if "conversationId" in entry and ("messages" in entry or "messagesTree" in entry):
        return _librechat(entry)
    if "steps" in entry and ("leaf_id" in entry or "active_at" in entry):
        return _ours(entry)
    return None


# -- ChatGPT ---------------------------------------------------------------------------------------


def _chatgpt(entry: Mapping[str, Any]) -> ExportedThread:
    nodes = dict(_bounded(entry["mapping"].items()))
    above = {str(child): id for id, node in nodes.items() for child in node.get("children") or ()}
    messages = {}
    for id, node in nodes.items():
        parent = _optional(node.get("parent")) or above.get(id)
        messages[id] = _of_chatgpt(id, parent, node.get("message") or {})
    created = _moment(entry.get("create_time"))
    return _thread_of(
        "ChatGPT",
        entry.get("conversation_id") or entry.get("id"),
        entry.get("title"),
        (created, _moment(entry.get("update_time"))),
        messages,
        _optional(entry.get("current_node")),
        archived=entry.get("is_archived") is True,
    )


def _of_chatgpt(id: str, parent: str | None, message: Mapping[str, Any]) -> ExportedMessage:
    """What models say to their tools, and what they are told before a conversation, is no part of it; of
    what tools answer only the pictures are."""
    content, facts = message.get("content") or {}, message.get("metadata") or {}
    kind, author = content.get("content_type"), (message.get("author") or {}).get("role")
    raw = content.get("parts")
    parts: Sequence[Any] = raw if isinstance(raw, list) else ()
    pictures = tuple(_pictures(parts, facts))
    spoken = kind in ("text", "multimodal_text") and message.get("recipient") in (None, "all")
    hidden = facts.get("is_visually_hidden_from_conversation") is True
    role: Role | None = "user" if author == "user" else "assistant"
    text = thinking = ""
    if kind == "thoughts" and author == "assistant":
        thoughts = content.get("thoughts") or ()
        thinking = "\n\n".join(map(_thought_of, thoughts))
    elif spoken and not hidden and author in ("user", "assistant"):
        text = _cited("\n".join(filter(None, map(_part, parts))), facts)
    elif author != "tool" or not pictures:
        role = None
    return ExportedMessage(
        id,
        parent,
        role,
        text,
        thinking,
        _name(facts.get("model_slug")) if role == "assistant" else "",
        _moment(message.get("create_time")),
        (*map(_file, facts.get("attachments") or ()), *pictures) if role else (),
    )


def _thought_of(thought: Mapping[str, Any]) -> str:
    return "\n".join(_clean(str(thought.get(part) or "")) for part in ("summary", "content"))


def _part(part: Any) -> str:
    """Words, or those of what was said aloud."""
    if isinstance(part, Mapping):
        part = part.get("text") if part.get("content_type") == "audio_transcription" else None
    return _clean(part) if isinstance(part, str) else ""


def _pictures(parts: Sequence[Any], facts: Mapping[str, Any]) -> Iterator[str]:
    """Those that are not among the files by name."""
    named = [str(file.get("id")) for file in facts.get("attachments") or ()]
    for part in parts:
        if isinstance(part, Mapping) and part.get("content_type") == "image_asset_pointer":
            pointer = _name(part.get("asset_pointer")).rpartition("/")[2]
            if pointer not in named:
                yield pointer or "?"


def _cited(text: str, facts: Mapping[str, Any]) -> str:
    """The text with links in place of ChatGPT's marks for them, which stand between letters of no
    alphabet."""
    if "\ue200" not in text:
        return text
    for reference in facts.get("content_references") or ():
        mark, link = reference.get("matched_text"), reference.get("alt")
        if isinstance(mark, str) and "\ue200" in mark:
            text = text.replace(mark, _clean(link) if isinstance(link, str) else "")
    return _without(text, "\ue200", "\ue201")[0]


# -- Open WebUI ------------------------------------------------------------------------------------


def _open_webui(entry: Mapping[str, Any]) -> ExportedThread:
    """As the app writes it, and as it did before the chat had an entry around it."""
    chat = entry.get("chat", entry)
    history = chat.get("history") or {}
    kept = history.get("messages") or chat.get("messages") or ()
    messages: dict[str, ExportedMessage] = {}
    last: str | None = None
    for key, message in _bounded(kept.items() if isinstance(kept, Mapping) else enumerate(kept)):
        id = str(message.get("id") or key)
        role = message.get("role")
        words, aside = _without(_words(message.get("content")), "<details type=", "</details>")
        messages[id] = ExportedMessage(
            id,
            _optional(message["parentId"]) if "parentId" in message else last,
            role if role in ("user", "assistant") else None,
            words.strip(),
            "\n\n".join(filter(None, map(_thought, aside))),
            _name(message.get("model")),
            _moment(message.get("timestamp")),
            tuple(_file(file) for file in message.get("files") or ()),
        )
        last = id
    created = _moment(entry.get("created_at") or chat.get("timestamp"))
    return _thread_of(
        "Open WebUI",
        entry.get("id"),
        entry.get("title") or chat.get("title"),
        (created, _moment(entry.get("updated_at"))),
        messages,
        _optional(history.get("currentId")),
        archived=entry.get("archived") is True,
    )


def _thought(details: str) -> str:
    """What a model thought, folded into its answer; other things folded there are calls of tools."""
    if not details.startswith('<details type="reasoning"'):
        return ""
    inner = details.partition("</summary>")[2].removesuffix("</details>")
    lines = unescape(inner).strip().splitlines()
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines)


# -- LibreChat -------------------------------------------------------------------------------------


def _librechat(entry: Mapping[str, Any]) -> ExportedThread:
    """A list, or a tree of messages within each other."""
    messages: dict[str, ExportedMessage] = {}
    model = (entry.get("options") or {}).get("model")
    top = entry.get("messagesTree") or entry.get("messages") or ()
    waiting: list[tuple[Mapping[str, Any], str | None]] = [(m, None) for m in reversed(top)]
    while waiting:
        message, above = waiting.pop()
        id = str(message["messageId"])
        if id in messages:
            continue
        if len(messages) >= MAX_MESSAGES:
            raise ValueError("too many messages")
        user = bool(message.get("isCreatedByUser"))
        content = message.get("content")
        text = _clean(str(message.get("text") or "")) or _words(content)
        text, aside = _without(text, ":::thinking", ":::")
        thoughts = [one.removeprefix(":::thinking").removesuffix(":::").strip() for one in aside]
        messages[id] = ExportedMessage(
            id,
            _optional(message.get("parentMessageId")) or above,
            "user" if user else "assistant",
            text.strip(),
            "\n\n".join(filter(None, (*thoughts, _words(content, "think")))),
            "" if user else _name(message.get("model") or model or message.get("sender")),
            _moment(message.get("createdAt")),
            tuple(_file(file) for file in message.get("files") or ()),
        )
        waiting += [(child, id) for child in reversed(message.get("children") or ())]
    times = [one.at for one in messages.values() if one.at]
    dates = (min(times, default=None), max(times, default=None))
    return _thread_of("LibreChat", entry["conversationId"], entry.get("title"), dates, messages)


# -- our own ---------------------------------------------------------------------------------------


def _ours(entry: Mapping[str, Any]) -> ExportedThread:
    steps = {str(step["id"]): step for step in entry["steps"]}
    files: dict[str, list[str]] = {}
    for file in entry.get("files") or ():
        files.setdefault(str(file.get("step_id")), []).append(_file(file))
    messages: dict[str, ExportedMessage] = {}
    last: str | None = None  # of before there were branches, in the order of the file
    branched = "leaf_id" in entry
    for id, step in _bounded(steps.items()):
        kind = step["kind"]
        thought = kind == "reasoning" and step.get("parent_id") == step.get("turn_id")
        role: Role | None = "user" if kind in ("question", "interjection") else None
        role = "assistant" if kind == "answer" or thought else role
        words = _clean(str(step.get("output") or "")) if role else ""
        parent = _optional(step.get("parent_id"))
        if not branched and kind == "question":
            parent = last
        messages[id] = ExportedMessage(
            id,
            parent,
            role,
            "" if thought else words,
            words if thought else "",
            _name(step.get("name")) if role == "assistant" else "",
            _moment(step.get("created_at")),
            tuple(files.get(id, ())) if role else (),
        )
        last = id if kind in ("question", "answer") else last
    _follow_answers(messages, steps)
    leaf = _optional(entry.get("leaf_id"))
    answers = [
        id for id, step in steps.items() if step["kind"] == "answer" and step.get("turn_id") == leaf
    ]
    dates = (_moment(entry.get("created_at")), _moment(entry.get("active_at")))
    shown = answers[-1] if answers else leaf
    thread = _thread_of("Konsilium", entry["id"], entry.get("title"), dates, messages, shown)
    return replace(thread, project=_name(entry.get("project"))[:MAX_NAME].strip())


def _follow_answers(
    messages: dict[str, ExportedMessage], steps: Mapping[str, Mapping[str, Any]]
) -> None:
    """Within a turn the messages follow each other, and a question the last of the turn before it."""
    last: dict[str, str] = {}
    for id, message in messages.items():
        turn = str(steps[id].get("turn_id") or "")
        if message.role is not None and steps[id]["kind"] != "question":
            messages[id] = replace(message, parent_id=last.get(turn, turn))
            last[turn] = id
    for id, message in messages.items():
        if steps[id]["kind"] == "question" and message.parent_id in last:
            messages[id] = replace(message, parent_id=last[message.parent_id])


# -- what they have in common ----------------------------------------------------------------------


def _thread_of(
    source: str,
    id: Any,
    title: Any,
    dates: tuple[datetime | None, datetime | None],
    messages: Mapping[str, ExportedMessage],
    leaf_id: str | None = None,
    *,
    archived: bool = False,
) -> ExportedThread:
    """One without an id is known by how it begins."""
    times = [one.at for one in messages.values() if one.at is not None]
    created = dates[0] or min(times, default=None) or now()
    active = max(created, dates[1] or max(times, default=created))
    if id is None:
        first = next((one for one in messages.values() if one.role is not None), None)
        id = (
            f"{first.id} {created if dates[0] or times else ''} {first.text[:1000]}"
            if first
            else ""
        )
    name = _name(title)
    return ExportedThread(
        source, _clean(str(id)), name, created, active, messages, leaf_id, archived=archived
    )


def _bounded(items: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, (id, item) in enumerate(items):
        if number >= MAX_MESSAGES:
            raise ValueError("too many messages")
        yield str(id), item


def _words(content: Any, kind: str = "text") -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, str):
        return _clean(content) if kind == "text" else ""
    parts: Sequence[Any] = content if isinstance(content, list) else ()
    texts = (p.get(kind) for p in parts if isinstance(p, Mapping) and p.get("type") == kind)
    return _clean(
        "\n".join(
            text if isinstance(text, str) else str((text or {}).get("value", "")) for text in texts
        )
    )


def _without(text: str, start: str, end: str) -> tuple[str, list[str]]:
    """The text without all that begins and ends so, and what that was."""
    kept, taken, at = [], [], 0
    while (opening := text.find(start, at)) != -1:
        closing = text.find(end, opening + len(start))
        if closing == -1:
            break
        kept.append(text[at:opening])
        at = closing + len(end)
        taken.append(text[opening:at])
    return "".join([*kept, text[at:]]), taken


def _file(file: Any) -> str:
    """What a file is called; a picture in the message itself has no name."""
    known = file if isinstance(file, Mapping) else {}
    inner = known.get("file")
    within = inner if isinstance(inner, Mapping) else {}
    names = (known.get("name"), known.get("filename"), within.get("filename"), known.get("type"))
    return _name(next((name for name in names if name), "?"))


def _name(value: Any) -> str:
    """In one line that is not too long."""
    text = str(value)[: 10 * NAME_CHARACTERS] if value else ""
    return " ".join(_clean(text).split())[:NAME_CHARACTERS]


def _clean(text: str) -> str:
    """A text as every database and every page takes it."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError("a message that is too long")
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def _optional(id: Any) -> str | None:
    return None if id in (None, "", NO_PARENT) else str(id)


def _moment(value: Any) -> datetime | None:
    """Seconds, milliseconds or nanoseconds since 1970, or ISO 8601; None where it is none of these, or
    no moment at which there were such programs."""
    read: Callable[[Any], datetime | None] = _of_text if isinstance(value, str) else _of_number
    try:
        at = read(value)
    except (ValueError, OverflowError):
        return None
    return at if at is not None and EARLIEST <= at <= now() + timedelta(days=1) else None


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def _of_text(value: str) -> datetime | None:
    at = datetime.fromisoformat(value)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _of_number(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e20:
        return None
    unit = 1 if value < 1e11 else 1e3 if value < 1e14 else 1e6 if value < 1e17 else 1e9
    return datetime.fromtimestamp(value / unit, UTC)
