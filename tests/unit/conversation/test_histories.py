"""Exports of other programs become conversations with their branches; what is no export is refused."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.histories import HistoryRefused, imported
from app.conversation.history_formats import read_histories
from app.core.threads import Branches
from app.core.turns import now
from tests.histories import CHATGPT, LIBRECHAT, OPEN_WEBUI, OURS

FORMATS = {"ChatGPT": CHATGPT, "Open WebUI": OPEN_WEBUI, "LibreChat": LIBRECHAT, "Konsilium": OURS}


def branch(thread, leaf=None):
    """The words of the branch that is shown, as they would be stored."""
    parents = {s.id: s.parent_id for s in thread.steps if s.kind in ("question", "turn")}
    path = set(Branches(parents).path(leaf or thread.leaf_id))
    return [
        s.output
        for s in thread.steps
        if s.kind in ("question", "answer")
        and (s.id in path or s.turn_id in path - {s.id})
        and (s.kind == "answer" or s.id in path)
    ]


@pytest.mark.parametrize("source", FORMATS)
def test_a_conversation_comes_with_title_dates_models_and_branches(source):
    (thread,) = read_histories(FORMATS[source])
    assert (thread.source, thread.title) == (source, "О борще")
    assert thread.created_at.year == 2025
    assert [m.text for m in thread.said if m.role == "user"] == ["Как варить борщ?", "А без мяса?"]
    assert {m.model for m in thread.said if m.role == "assistant"} == {"gpt-4o"}
    assert thread.branches == 2
    here = imported(thread, "u", "Ann")
    assert branch(here) == ["Как варить борщ?", "Долго.", "А без мяса?", "Тоже долго."]
    answers = [s.output for s in here.steps if s.kind == "answer"]
    assert sorted(answers) == ["Долго.", "Иначе.", "Тоже долго."]


@pytest.mark.parametrize("source", FORMATS)
def test_what_comes_twice_is_the_same_and_anothers_is_not(source):
    (thread,) = read_histories(json.loads(json.dumps(FORMATS[source])))
    ids = [[s.id for s in imported(thread, user, "x").steps] for user in ("u", "u", "v")]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    parents = set()
    for step in imported(thread, "u", "x").steps:
        assert step.parent_id is None or step.parent_id in parents, "parents come first"
        parents.add(step.id)


def test_names_of_files_that_are_missing_stay_in_the_message():
    (thread,) = read_histories(CHATGPT)
    first = imported(thread, "u", "x").steps[0]
    assert first.output == "Как варить борщ?"
    entry = json.loads(json.dumps(CHATGPT))
    entry[0]["mapping"]["q1"]["message"]["metadata"]["attachments"] = [{"name": "рецепт.pdf"}]
    (thread,) = read_histories(entry)
    assert imported(thread, "u", "x").steps[0].output == "Как варить борщ?\n\n📎 рецепт.pdf"


def test_two_questions_in_a_row_and_a_model_that_begins_are_kept():
    messages = {
        "1": {"role": "assistant", "content": "Hello", "parentId": None},
        "2": {"role": "user", "content": "One", "parentId": "1"},
        "3": {"role": "user", "content": "Two", "parentId": "2"},
        "4": {"role": "assistant", "content": "First", "parentId": "3"},
        "5": {"role": "assistant", "content": "Second", "parentId": "4"},
        "6": {"role": "user", "content": "Last", "parentId": "5"},
    }
    chat = {"history": {"messages": messages, "currentId": "6"}}
    (thread,) = read_histories([{"id": "x", "title": "", "chat": chat}])
    assert branch(imported(thread, "u", "x")) == [
        "…",
        "Hello",
        "One",
        "Two",
        "First",
        "Second",
        "Last",
    ]


def test_a_ring_of_messages_is_left_out():
    messages = {
        "1": {"role": "user", "content": "One", "parentId": None},
        "2": {"role": "user", "content": "Two", "parentId": "3"},
        "3": {"role": "user", "content": "Three", "parentId": "2"},
    }
    chat = {"history": {"messages": messages, "currentId": "3"}}
    (thread,) = read_histories({"id": "x", "chat": chat})
    assert [m.text for m in thread.said] == ["One"]
    assert imported(thread, "u", "x").steps


def chatgpt(nodes, **more):
    """A conversation of (id, parent, role, content, more of the message)."""
    mapping: dict[str, Any] = {
        "root": {"id": "root", "parent": None, "children": [], "message": None}
    }
    for id, parent, role, content, *facts in nodes:
        content = (
            {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
        )
        message = {"author": {"role": role}, "content": content, **(facts[0] if facts else {})}
        mapping[id] = {"id": id, "parent": parent, "children": [], "message": message}
    return [{"id": "c", "title": "x", "create_time": 1.75e9, "mapping": mapping, **more}]


def test_what_chatgpt_writes_beside_the_words_comes_as_what_it_is():
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-a"}
    spoken = {"content_type": "audio_transcription", "text": "Вслух."}
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "План", "content": "Думаю."}]}
    mark = "\ue200cite\ue202turn0search1\ue201"
    links = [{"matched_text": mark, "alt": "([сайт](https://a.example))"}]
    (thread,) = read_histories(
        chatgpt(
            [
                ("s", "root", "system", ""),
                ("i", "s", "user", {"content_type": "user_editable_context", "user_profile": "Я"}),
                (
                    "q", "i", "user",
                    {"content_type": "multimodal_text", "parts": [picture, spoken, "Что это?"]},
                ),
                ("call", "q", "assistant", "{}", {"recipient": "dalle.text2im"}),
                ("image", "call", "tool", {"content_type": "multimodal_text", "parts": [picture]}),
                ("out", "image", "tool", {"content_type": "execution_output", "text": "1"}),
                ("t", "out", "assistant", thoughts),
                (
                    "a", "t", "assistant", f"Кот {mark}, \ue200entity\ue201да.",
                    {"metadata": {"content_references": links, "model_slug": "o3"}},
                ),
                ("recap", "a", "assistant", {"content_type": "reasoning_recap", "content": "5 s"}),
                ("other", None, "user", "Иначе"),
            ],
            current_node="recap",
            is_archived=True,
        )
    )  # fmt: skip
    assert thread.archived
    here = imported(thread, "u", "x")
    words = [
        "Вслух.\nЧто это?\n\n📎 file-a",
        "📎 file-a",
        "Кот ([сайт](https://a.example)), да.",
    ]
    assert branch(here) == words
    assert [s.output for s in here.steps if s.kind == "reasoning"] == ["План\nДумаю."]
    assert branch(here, here.steps[-1].id) == ["Иначе"]


@pytest.mark.parametrize("node", [None, "nowhere", "root", "s"])
def test_where_the_file_does_not_say_what_was_shown_it_is_the_last(node):
    nodes = [("s", "root", "system", ""), ("q", "s", "user", "Да?"), ("a", "q", "assistant", "Да.")]
    (thread,) = read_histories(chatgpt(nodes, **({"current_node": node} if node else {})))
    assert branch(imported(thread, "u", "x")) == ["Да?", "Да."]


def test_a_tree_that_names_children_alone_is_one():
    entry = chatgpt([("q", None, "user", "Да?"), ("a", None, "assistant", "Да.")])
    entry[0]["mapping"]["q"]["children"] = ["a"]
    (thread,) = read_histories(entry)
    assert branch(imported(thread, "u", "x")) == ["Да?", "Да."]


def test_older_chats_of_open_webui_are_read_and_what_it_folds_into_answers_is_taken_out():
    thought = (
        '<details type="reasoning" done="true" duration="5">\n<summary>Thought for 5 seconds</summary>\n'
        "> Is 1 &lt; 2?\n> Yes.\n</details>\n"
        '<details type="tool_calls" done="true" name="t"><summary>Tool</summary>\n</details>\nДа.'
    )
    picture = {"type": "image", "url": "data:image/png;base64,AAAA"}
    file = {"type": "file", "file": {"filename": "счёт.pdf"}}
    messages = [
        {"role": "user", "content": "1 < 2?", "files": [picture, file]},
        {"role": "assistant", "content": thought, "model": "qwq"},
    ]
    for chat in (
        {"title": "t", "timestamp": 1_700_000_000_000, "messages": messages, "history": {}},
        {"chat": {"title": "t", "timestamp": 1_700_000_000_000, "messages": messages}},
    ):
        (thread,) = read_histories([chat])
        assert (thread.title, thread.created_at.year) == ("t", 2023)
        here = imported(thread, "u", "x")
        assert branch(here) == ["1 < 2?\n\n📎 image\n📎 счёт.pdf", "Да."]
        assert [s.output for s in here.steps if s.kind == "reasoning"] == ["Is 1 < 2?\nYes."]
        other = (
            {**chat, "messages": [{"role": "user", "content": "2?"}]} if "history" in chat else None
        )
        assert other is None or len(read_histories([chat, other])) == 2


def test_librechats_tree_of_messages_within_each_other_is_read_however_deep():
    tree: list[dict[str, object]] = []
    for number in range(2000, 0, -1):
        content = [{"type": "think", "think": "Хм."}, {"type": "text", "text": f"№ {number}"}]
        words = {"text": "", "content": content} if number % 2 == 0 else {"text": f"№ {number}"}
        user = number % 2 == 1
        tree = [{"messageId": str(number), "isCreatedByUser": user, "children": tree, **words}]
    document = {
        "conversationId": "c", "title": "t", "exportAt": "17:08:40 GMT+0300", "recursive": True,
        "messagesTree": tree, "options": {"model": "gpt-4o"},
    }  # fmt: skip
    (thread,) = read_histories(document)
    here = imported(thread, "u", "x")
    assert branch(here) == [f"№ {number}" for number in range(1, 2001)]
    assert {s.name for s in here.steps if s.kind == "answer"} == {"gpt-4o"}
    assert sum(s.kind == "reasoning" for s in here.steps) == 1000
    folded = [{"messageId": "1", "isCreatedByUser": False, "text": ":::thinking\nХм.\n:::\n\nДа."}]
    (thread,) = read_histories({"conversationId": "c", "messages": folded})
    assert [(m.text, m.thinking) for m in thread.said] == [("Да.", "Хм.")]


def test_one_conversation_in_two_places_is_one_and_an_empty_one_none():
    first = chatgpt([("q", "root", "user", "Да?")])[0]
    second = chatgpt([("q", "root", "user", "Да?"), ("a", "q", "assistant", "Да.")])[0]
    empty = {**chatgpt([("s", "root", "system", "")])[0], "id": "empty"}
    (thread,) = read_histories([first, empty, second])
    assert branch(imported(thread, "u", "x")) == ["Да?", "Да."]


@pytest.mark.parametrize(
    "moment",
    [
        float("inf"), float("nan"), float("-inf"), -1, 0, 10**30, 1e19, True, [], "soon", "",
        "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "1970-01-01",
    ],
)  # fmt: skip
def test_a_date_that_cannot_be_is_none(moment):
    message = {"create_time": moment}
    nodes = [("q", "root", "user", "Да?", message), ("a", "q", "assistant", "Да.", message)]
    (thread,) = read_histories(chatgpt(nodes, create_time=moment, update_time=moment))
    for at in (
        thread.created_at,
        thread.active_at,
        *(s.created_at for s in imported(thread, "u", "x").steps),
    ):
        assert abs((at - now()).total_seconds()) < 600


@pytest.mark.parametrize("odd", ["a\x00b\ud800", "/", "a/none", "x" + "\udfff" * 300])
def test_letters_that_no_database_takes_are_left_out_and_ids_are_of_any(odd):
    nodes = [("a", None, "user", odd), (odd, "a", "user", odd), ("z", odd, "assistant", odd)]
    (thread,) = read_histories(chatgpt(nodes, title=odd, id=odd))
    here = imported(thread, "u", "x")
    assert len({step.id for step in here.steps}) == len(here.steps)
    for text in (here.title, here.source_id, *(s.output for s in here.steps)):
        text.encode()
        assert "\x00" not in text


def test_a_conversation_of_twenty_thousand_questions_is_read_at_once():
    nodes = [(str(at), str(at - 1), "user", "?") for at in range(20_000)]
    (thread,) = read_histories(chatgpt(nodes))
    start = time.process_time()
    assert len(imported(thread, "u", "x").steps) == 40_000
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "bad",
    [
        [], {}, [[]], "text", 5, None, [None], {"mapping": []}, {"mapping": {"a": 5}, "id": "x"},
        {"chat": None, "id": "x"}, {"chat": {"history": {"messages": {"a": []}}}, "id": "x"},
        {"conversationId": "x", "messages": [{}]}, {"steps": [{}], "active_at": ""},
        {"chat": {"messages": [{"id": "1", "role": "user", "content": "x" * 4_000_001}]}, "id": "x"},
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_by_its_place(bad):
    with pytest.raises(HistoryRefused):
        read_histories(bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "mapping",
                    "chat",
                    "conversationId",
                    "messages",
                    "steps",
                    "leaf_id",
                    "active_at",
                    "id",
                    "message",
                    "author",
                    "role",
                    "content",
                    "content_type",
                    "parts",
                    "history",
                    "parentId",
                    "parent",
                    "messageId",
                    "parentMessageId",
                    "kind",
                    "create_time",
                    "messagesTree",
                    "children",
                    "metadata",
                    "attachments",
                    "files",
                    "thoughts",
                    "type",
                    "text",
                    "turn_id",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_whatever_stands_in_a_file_it_is_read_or_refused(document):
    try:
        threads = read_histories(document)
    except HistoryRefused:
        return
    for thread in threads:
        imported(thread, "u", "x")
