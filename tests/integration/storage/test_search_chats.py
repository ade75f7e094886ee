"""The tool `search_chats` finds what was said in one's own conversations, and in nobody else's."""

import pytest

from app.core.options import ChatOptions
from app.core.tools import Source, ToolCaller
from app.tools.chats import EXCERPT, MAX_WORDS, ChatSearch
from tests.integration.storage.turns import say


@pytest.fixture
async def talks(storage, ann, bob):
    await say(storage, ann, "Где растёт ЁЖЕВИКА?", "В лесу за рекой.", "ru")
    await say(storage, ann, "Де росте Ґава та їжак?", "П'ять їжаків у лісі.", "uk")
    await say(storage, ann, "The quick brown fox", "word " * 500 + "jumps over the dog", "en")
    await say(storage, bob, "ежевика брата", "Чужая ежевика.", "bob")


async def search(storage, user, query, thread="new"):
    sources: list[Source] = []

    def cite(source):
        sources.append(source)
        return len(sources)

    caller = ToolCaller(user.id, thread, "turn", "ru", ChatOptions(), "", lambda line: None, cite)
    [tool] = await ChatSearch(storage.threads).tools(user.id)
    return (await tool.call({"query": query}, caller)).text, sources


@pytest.mark.parametrize(
    ("query", "thread"),
    [
        ("ежевики", "ru"),
        ("за рекою", "ru"),
        ("їжаками", "uk"),
        ("п’ять їжаків", "uk"),
        ("foxes", "en"),
        ("quick zebra", "en"),
    ],
)
async def test_words_are_found_in_other_forms_and_where_only_some_of_them_stand(
    storage, ann, talks, query, thread
):
    text, sources = await search(storage, ann, query)
    assert {source.url for source in sources} == {f"/thread/{thread}"}
    assert "1" in text


async def test_an_excerpt_is_cut_to_where_the_words_stand(storage, ann, talks):
    _, sources = await search(storage, ann, "jumps")
    assert "jumps over the dog" in sources[0].text
    assert len(sources[0].text) <= EXCERPT + 2
    assert sources[0].date


async def test_another_persons_chats_and_this_very_one_are_not_found(storage, ann, bob, talks):
    assert await search(storage, ann, "ежевика", thread="ru") == ("Nothing was found.", [])
    text, sources = await search(storage, bob, "ежевика")
    assert [source.url for source in sources] == ["/thread/bob"] * 2
    assert "рекой" not in text
    assert await search(storage, bob, "fox") == ("Nothing was found.", [])


async def test_a_query_of_signs_alone_finds_nothing(storage, ann, talks):
    assert await search(storage, ann, " *%' ") == ("Nothing was found.", [])


async def test_a_chat_in_the_bin_is_not_found(storage, ann, talks):
    await storage.threads.delete("en", ann.id)
    assert await search(storage, ann, "fox") == ("Nothing was found.", [])


async def test_of_thousands_of_words_the_first_that_differ_are_looked_for(storage, ann, talks):
    asked = []

    class Counting:
        contents = storage.threads.contents

        async def page(self, user_id, *, limit, search=None):
            asked.append(search)
            return await storage.threads.page(user_id, limit=limit, search=search)

    caller = ToolCaller(
        ann.id, "new", "turn", "en", ChatOptions(), "", lambda line: None, lambda source: 1
    )
    [tool] = await ChatSearch(Counting()).tools(ann.id)
    query = "zebra " * 1000 + "fox " + " ".join(f"word{number}" for number in range(5000))
    assert "The quick brown fox" in (await tool.call({"query": query}, caller)).text
    assert len(asked) <= MAX_WORDS + 1
