"""Assistants and prompts are their owner's; what is shared is read by others, and changed by nobody else."""

import pytest

from app.core.errors import BadRequest, NotFound


async def test_what_is_shared_is_read_by_others_until_it_is_closed_or_deleted(storage, ann, bob):
    presets = storage.presets
    id = await presets.put(
        "assistants", ann.id, "  Strict   editor ", {"system_prompt": "Cut\x00."}
    )
    await presets.put("prompts", ann.id, "Strict editor", {"text": "{{text}}"})
    [mine] = await presets.all("assistants", ann.id)
    assert (mine.name, mine.slug, mine.owner) == ("Strict editor", "strict-editor", "ann")
    assert mine.text("system_prompt") == "Cut."
    assert await presets.all("assistants", bob.id) == ()
    for refused in (
        presets.find(id, bob.id),
        presets.share(id, bob.id, True),
        presets.remove(id, bob.id),
        presets.put("assistants", bob.id, "Mine", {}, id),
        presets.put("prompts", ann.id, "Of another kind", {"text": "x"}, id),
    ):
        with pytest.raises(NotFound):
            await refused
    await presets.share(id, ann.id, True)
    assert await presets.named("assistants", "strict-editor", bob.id) == await presets.find(
        id, bob.id
    )
    own = await presets.put("assistants", bob.id, "STRICT editor", {})
    assert (await presets.named("assistants", "strict-editor", bob.id)).id == own
    for refused in (presets.remove(id, bob.id), presets.put("assistants", bob.id, "Mine", {}, id)):
        with pytest.raises(NotFound):
            await refused
    await presets.share(id, ann.id, False)
    assert [one.id for one in await presets.all("assistants", bob.id)] == [own]
    await presets.share(id, ann.id, True)
    await presets.remove(id, ann.id)
    with pytest.raises(NotFound):
        await presets.find(id, bob.id)


@pytest.mark.parametrize(
    ("name", "text"), [("", "x"), ("  ", "x"), ("x" * 81, "x"), ("TAKEN", "x"), ("Empty", "  ")]
)
async def test_a_name_that_will_not_do_is_refused(storage, ann, name, text):
    await storage.presets.put("prompts", ann.id, "Taken", {"text": "x"})
    with pytest.raises(BadRequest):
        await storage.presets.put("prompts", ann.id, name, {"text": text})
    id = await storage.presets.put("prompts", ann.id, "Other", {"text": "x"})
    await storage.presets.put("prompts", ann.id, "other", {"text": "y"}, id)
    assert (await storage.presets.find(id, ann.id)).text("text") == "y"
