"""Whatever a limited key asks for, in every mode and by every option, is done by its models and booked to it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from app.conversation.modes import MODES
from app.core.options import CHAT_OPTIONS
from app.gateway.aliases import Alias, Member
from app.knowledge.library import Library
from tests.integration.gateway.test_rest import House, open_house
from tests.integration.gateway.test_spending import a_key, booked
from tests.waiting import until

MINE, SECRET = "gpu/echo", "gpu/len-6"
MODELS = (MINE, "konsilium/*")
TOOLS = "tools+last"
HIDDEN = Alias("hidden", (Member(SECRET),))
QUESTION = "Is a monolith better than microservices for a team of three? Weigh money, time and law."
OPTIONS = [
    (mode.id, option)
    for mode in MODES
    for option in (*CHAT_OPTIONS, *mode.options)
    if option.kind in ("model", "participants")
]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    """MODEL_NAME, the embeddings and what checks the cache and citations are models that the key may not
    use."""
    checks = {"cache_check_model": SECRET, "citation_check_model": SECRET}
    settings = {"embedding_model": "gpu/embed-m3", **checks}
    async with open_house(tmp_path, **settings) as house:
        house.simulator.set_models(["len-6", "embed-m3", *house.simulator.models])
        await house.application.models.refresh()
        yield house


def values_of(option: Any) -> list[Any]:
    """The forbidden model, as that option names one, alone and among the key's own."""
    if option.kind == "model":
        return [SECRET, "len-6", f" {SECRET}\n", f"{SECRET}:latest"]
    casts = [(SECRET, SECRET), (MINE, SECRET), ("len-6", MINE), ("", SECRET), ("hidden", MINE)]
    return [
        json.dumps(
            [{"name": n, "model": m, "system": "x"} for n, m in zip("AB", cast, strict=True)]
        )
        for cast in casts
    ]


def asked_models(house: House) -> set[str]:
    bodies = [request.body for request in house.simulator.requests]
    return {body["model"] for body in bodies if isinstance(body, dict) and "model" in body}


async def checked(house: House, key_id: str) -> None:
    """Nobody but the key's models was asked, and every call is the key's."""
    assert asked_models(house) <= {"echo"}
    calls = len(house.simulator.generations)

    async def stored() -> bool:
        return len(await booked(house)) >= calls

    await until(stored, within=10)
    assert {who for who, _ in await booked(house)} <= {key_id}


@pytest.mark.parametrize(("mode", "option"), OPTIONS, ids=lambda it: getattr(it, "id", it))
async def test_no_option_leads_past_a_keys_models(house, mode, option):
    await house.application.gateway.services.aliases.put(HIDDEN)
    key, headers = await a_key(house, models=MODELS)
    for value in values_of(option):
        chosen = {"model": MINE, option.id: value}
        if option.id == "summary_model":
            chosen["compress_context"] = True
        asks = [
            (
                "/api/chat",
                {"message": QUESTION, "mode": mode, "model": chosen["model"], "options": chosen},
            )
        ]
        if mode != "chat":
            body = {"model": f"konsilium/{mode.replace('_', '-')}", "konsilium": chosen}
            body["messages"] = [{"role": "user", "content": QUESTION}]
            asks.append(("/v1/chat/completions", body))
        for path, body in asks:
            answer = await house.http.post(path, json=body, headers=headers, timeout=60)
            assert answer.status_code < 500, answer.text
            assert asked_models(house) <= {"echo"}, (path, answer.text)
    await checked(house, key.id)


@pytest.mark.parametrize("mode", [mode.id for mode in MODES])
async def test_what_a_person_chose_for_a_thread_leads_no_key_past_its_models(house, mode):
    """A key of theirs asks there, and has an answer of theirs made anew."""
    _, headers = await a_key(house, models=MODELS)
    user = (await house.application.people.local()).id
    conversations = house.application.storage.conversations
    first = await house.say("Hello", mode=mode, model=MINE, options={"compress_context": True})
    chat = first.json()["chatId"]
    said = (await house.http.get(f"/api/chats/{chat}/messages")).json()["messages"]
    await house.application.conversation.compressor.idle()
    house.simulator.forget()
    for option in (option for of, option in OPTIONS if of == mode):
        kept = {"model": MINE, option.id: values_of(option)[0], "compress_context": True}
        await conversations.keep_settings(user, chat, kept | {"mode": mode})
        again = {"messageId": said[0]["id"], "options": kept}
        for path, body in (
            ("/api/chat", {"message": QUESTION, "chatId": chat}),
            ("/api/chat/stream", {"message": QUESTION, "chatId": chat}),
            (f"/api/chat/regenerate/{chat}", again),
        ):
            answer = await house.http.post(path, json=body, headers=headers, timeout=60)
            assert answer.status_code < 500, (option.id, answer.text)
        await house.application.conversation.compressor.idle()
        assert asked_models(house) <= {"echo"}, option.id


async def test_citations_are_checked_by_the_keys_own_model_and_booked_to_it(house, tmp_path):
    """The model that is named for it is none of the key's: the one that answers is asked."""
    house.simulator.set_models([TOOLS, *house.simulator.models])
    await house.application.models.refresh()
    mine = f"gpu/{TOOLS}"
    key, headers = await a_key(house, models=[mine], tools=["search_knowledge"])
    store, user = house.application.storage.knowledge, await house.application.people.local()
    base = await store.create(user.id, "Papers")
    paper = tmp_path / "a.txt"
    paper.write_text("The kettle is repaired free of charge for two years.")
    await Library(store).add(base.id, user.id, paper, "a.txt")
    options = {"model": mine, "tools": "search_knowledge", "check_citations": True}
    question = 'call search_knowledge {"query": "kettle"}\nNobody pays for it [1]'
    body = {"message": question, "model": mine, "options": options}
    answer = await house.http.post("/api/chat", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert asked_models(house) == {TOOLS}
    assert "You check the citations" in str(house.simulator.requests[-1].body)

    async def all_booked() -> bool:
        return sorted(set(await booked(house))) == [
            (key.id, "answer"),
            (key.id, "check"),
            (key.id, "repair"),
        ]

    await until(all_booked)


DISGUISED = (SECRET, "hidden", "gpu\\/len-6", "\\u0067pu/len-6", "gpu/len-6\\u0000")
TWICE = '{"model": "%s", "model": "%s", "messages": [{"role": "user", "content": "hi"}]}'


async def test_a_model_that_is_named_twice_or_in_disguise_is_not_the_keys_either(house):
    await house.application.gateway.services.aliases.put(HIDDEN)
    _, headers = await a_key(house, models=MODELS)
    headers["content-type"] = "application/json"
    for model in DISGUISED:
        for path in ("/v1/chat/completions", "/ollama/api/chat", "/api/chat"):
            twice = TWICE % ("gpu/echo", model)
            answer = await house.http.post(path, content=twice, headers=headers)
            assert answer.status_code in (400, 404, 422), (path, model, answer.text)
        turned = TWICE % (model, "gpu/echo")
        await house.http.post("/v1/chat/completions", content=turned, headers=headers)
    assert asked_models(house) == {"echo"}
    assert not any("len-6" in str(one.body) for one in house.simulator.requests)


async def a_base(library: Library, house: House, folder: Path) -> str:
    """A knowledge base of the key's own user."""
    user = (await house.application.people.local()).id
    base = await library.store.create(user, "Papers")
    path = folder / "papers.txt"
    path.write_text("A monolith of three is called Larchwood.", encoding="utf-8")
    await library.add(base.id, user, path, path.name)
    return base.id


async def test_what_a_key_looks_up_in_documents_it_looks_up_by_words(house, tmp_path):
    """The model of the vectors is not the key's."""
    library = house.application.indexing.library
    base = await a_base(library, house, tmp_path)
    async with asyncio.timeout(30):
        while await library.store.unembedded("gpu/embed-m3", 1):
            await asyncio.sleep(0.01)
    house.simulator.requests.clear()
    house.simulator.set_models(["tools+echo", *house.simulator.models])
    await house.application.models.refresh()
    models = (*MODELS, "gpu/tools+echo")
    options = {"tools": "search_knowledge", "knowledge": base}
    said = 'call search_knowledge {"query": "monolith of three"}'
    body = {"message": said, "model": "gpu/tools+echo", "options": options}
    for tools, found in ((("search_knowledge",), True), ((), False)):
        key, headers = await a_key(house, models=models, tools=tools)
        answer = await house.http.post("/api/chat", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert any("Larchwood" in str(one.body) for one in house.simulator.requests) == found
        assert asked_models(house) == {"tools+echo"}
        assert (await booked(house))[-1][0] == key.id
        house.simulator.requests.clear()


@pytest.mark.parametrize("mode", [mode.id for mode in MODES])
async def test_every_call_of_a_mode_is_the_keys_with_tools_and_the_cache_on(house, mode, tmp_path):
    """Documents are opened to a key by its tools alone."""
    key, headers = await a_key(house, models=MODELS)
    options = {
        "tools": "calculator,now,search_knowledge",
        "knowledge": await a_base(Library(house.application.storage.knowledge), house, tmp_path),
        "answer_cache": "near",
        "compress_context": True,
    }
    body = {"message": QUESTION, "mode": mode, "model": MINE, "options": options}
    for message in (QUESTION, QUESTION.replace("better", "any better")):
        answer = await house.http.post(
            "/api/chat", json=body | {"message": message}, headers=headers, timeout=60
        )
        assert answer.status_code == 200, answer.text
    await house.application.conversation.compressor.idle()
    assert not any("Larchwood" in str(request.body) for request in house.simulator.requests)
    await checked(house, key.id)


SAID = [{"role": "user", "content": "hi"}]
FACES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": SAID}),
    ("/v1/completions", {"prompt": "hi"}),
    ("/v1/messages", {"messages": SAID, "max_tokens": 9}),
    ("/v1/responses", {"input": "hi"}),
    ("/v1/embeddings", {"input": "hi"}),
    ("/v1/audio/speech", {"input": "hi", "voice": "x"}),
    ("/v1/images/generations", {"prompt": "hi"}),
    ("/v1/moderations", {"input": "hi"}),
    ("/v1/rerank", {"query": "hi", "documents": ["hi"]}),
    ("/ollama/api/chat", {"messages": SAID}),
    ("/ollama/api/generate", {"prompt": "hi"}),
    ("/ollama/api/embed", {"input": "hi"}),
    ("/ollama/api/embeddings", {"prompt": "hi"}),
    ("/ollama/api/show", {}),
    ("/api/chat", {"message": "hi"}),
]


@pytest.mark.parametrize("named", [SECRET, "len-6", " gpu/len-6 ", "gpu/len-6:latest"])
@pytest.mark.parametrize(("path", "fields"), FACES, ids=[path for path, _ in FACES])
async def test_no_face_has_a_model_that_is_not_the_keys(house, path, fields, named):
    key, headers = await a_key(house, models=MODELS)
    answer = await house.http.post(path, json=fields | {"model": named}, headers=headers)
    assert answer.status_code in (400, 404), answer.text
    await checked(house, key.id)


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/ollama/api/tags", "/ollama/api/ps", "/api/models/servers", "/api/ps"],
)
async def test_no_list_names_a_model_that_is_not_the_keys(house, path):
    _, headers = await a_key(house, models=MODELS)
    answer = await house.http.get(path, headers=headers)
    assert answer.status_code == 200
    assert "len-6" not in answer.text
