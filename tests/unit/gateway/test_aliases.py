from functools import partial

import pytest

from app.core.errors import NotAllowed, NotFound, SettingsInvalid
from app.gateway.aliases import Alias, Aliases, Member, parsed_aliases
from tests.answers import MemoryDocuments
from tests.waiting import until


def test_aliases_are_read_from_one_line_or_several():
    found = parsed_aliases("fast = ollama/gemma3:4b, yandex/lite; gpt-4o=openai/gpt-5*2,b*1\n")
    assert found["fast"].members == (Member("ollama/gemma3:4b"), Member("yandex/lite"))
    assert found["gpt-4o"].members == (Member("openai/gpt-5", 2.0), Member("b", 1.0))
    assert parsed_aliases(" ;\n ") == {}


@pytest.mark.parametrize(
    "text",
    ["fast", "= a", "fast =", "fast = fast", "a b = c", "fast = konsilium/dialogue", "x = y*0",
     "x = y*much", "konsilium/x = y", "x = y z"],
)  # fmt: skip
def test_what_is_no_alias_is_said(text):
    with pytest.raises(SettingsInvalid, match="MODEL_ALIASES"):
        parsed_aliases(text)


def test_weights_are_shares_and_the_others_are_next():
    alias = Alias("a", (Member("rare", 1.0), Member("last"), Member("often", 3.0)))
    for chance, order in ((0.1, ["rare", "often", "last"]), (0.5, ["often", "rare", "last"])):
        aliases = Aliases({"a": alias}, chance=partial(float, chance))
        assert list(aliases.models("a")) == order
    assert Aliases({}).models("a") == ()


async def test_aliases_are_kept_and_other_processes_see_them_soon():
    store, now = MemoryDocuments(), 0.0
    mine = Aliases({"fixed": Alias("fixed", (Member("x"),), configured=True)}, store)
    others = Aliases({}, store, clock=lambda: now)
    assert others.models("fast") == ()
    await mine.put(Alias("fast", (Member("a"), Member("b", 2.0))))
    assert mine.models("fast") == ("b", "a")
    now = 3.0
    await until(lambda: others.models("fast") == ("b", "a"))
    assert [alias.name for alias in mine.all()] == ["fast", "fixed"]
    await mine.delete("fast")
    assert mine.models("fast") == ()
    with pytest.raises(NotFound):
        await mine.delete("fast")
    with pytest.raises(NotAllowed):
        await mine.put(Alias("fixed", (Member("y"),)))
