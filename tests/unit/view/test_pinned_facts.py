"""Facts are pinned in the panel, a line each; what others pinned meanwhile stays."""

from app.conversation.compression.thread import ThreadNotes
from app.view.panel_facts import PinnedFacts
from tests.dialogues import Talk


class Page:
    """One page of one person, as the field sees it."""

    class Session:
        """What the facts shown are remembered by."""

    session = Session()
    language = "en"
    user_id = "u"
    thread_id = "t"


def house():
    talk = Talk()
    store = talk.threads
    store.messages.clear()

    async def ensure(thread_id, user_id):
        store.messages.setdefault(thread_id, [])

    notes = ThreadNotes(store, store, talk.compressor, talk.calibration)
    return store, PinnedFacts(notes, ensure)


async def pinned(store):
    return [fact.text for fact in await store.pinned("t")]


async def test_lines_are_pinned_before_anything_was_said_and_unpinned_by_deleting_them():
    store, facts = house()
    assert (await facts.field(Page(), {})).initial == ""
    await facts.chosen(Page(), "The budget is  700\n\nNever call on Fridays\nThe budget is 700")
    assert await pinned(store) == ["The budget is 700", "Never call on Fridays"]
    assert (await facts.field(Page(), {})).initial == "The budget is 700\nNever call on Fridays"
    await facts.chosen(Page(), "Never call on Fridays")
    assert await pinned(store) == ["Never call on Fridays"]


async def test_a_panel_confirmed_as_it_was_makes_no_thread():
    store, facts = house()
    await facts.field(Page(), {})
    await facts.chosen(Page(), "")
    assert store.messages == {}


async def test_what_was_pinned_or_unpinned_elsewhere_meanwhile_stays_so():
    store, facts = house()
    store.messages["t"] = []
    old = await store.pin("t", "old")
    await store.pin("t", "kept")
    await facts.field(Page(), {})
    await store.pin("t", "from a note")
    await store.unpin("t", old.id)
    await facts.chosen(Page(), "old\nkept\nnew")
    assert await pinned(store) == ["kept", "from a note", "new"]


async def test_what_is_being_written_outlives_a_refresh_of_the_panel():
    store, facts = house()
    await facts.field(Page(), {})
    field = await facts.field(Page(), {"pinned_facts": "half a fa"})
    assert (field.initial, field.multiline) == ("half a fa", True)
    await facts.chosen(Page(), "half a fact")
    assert await pinned(store) == ["half a fact"]
