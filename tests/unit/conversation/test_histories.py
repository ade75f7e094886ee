"""Exports of other programs become conversations with their branches; what is no export is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.histories import HistoryRefused, arrived, read_histories
from app.core.threads import Branches
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
    here = arrived(thread, "u", "Ann")
    assert branch(here) == ["Как варить борщ?", "Долго.", "А без мяса?", "Тоже долго."]
    answers = [s.output for s in here.steps if s.kind == "answer"]
    assert sorted(answers) == ["Долго.", "Иначе.", "Тоже долго."]


@pytest.mark.parametrize("source", FORMATS)
def test_what_comes_twice_is_the_same_and_anothers_is_not(source):
    (thread,) = read_histories(json.loads(json.dumps(FORMATS[source])))
    ids = [[s.id for s in arrived(thread, user, "x").steps] for user in ("u", "u", "v")]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    parents = set()
    for step in arrived(thread, "u", "x").steps:
        assert step.parent_id is None or step.parent_id in parents, "parents come first"
        parents.add(step.id)


def test_names_of_files_that_are_missing_stay_in_the_message():
    (thread,) = read_histories(CHATGPT)
    first = arrived(thread, "u", "x").steps[0]
    assert first.output == "Как варить борщ?"
    entry = json.loads(json.dumps(CHATGPT))
    entry[0]["mapping"]["q1"]["message"]["metadata"]["attachments"] = [{"name": "рецепт.pdf"}]
    (thread,) = read_histories(entry)
    assert arrived(thread, "u", "x").steps[0].output == "Как варить борщ?\n\n📎 рецепт.pdf"


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
    assert branch(arrived(thread, "u", "x")) == [
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
    assert arrived(thread, "u", "x").steps


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
        arrived(thread, "u", "x")
