"""/api over the whole application: real database, real turns, simulated servers."""

import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
from pydantic import SecretStr

from app.access.keys import new_key
from app.bootstrap import Application, build
from app.core.reports import UsageFilter
from app.settings import Settings
from tests.gateway import served
from tests.simulators import OpenAISimulator
from tests.waiting import until

MODELS = ["echo", "len-3000+paced-10ms", "error-after-3+len-20"]


@dataclass
class House:
    application: Application
    simulator: OpenAISimulator
    url: str
    http: httpx.AsyncClient

    async def say(self, message: str, **fields: Any) -> httpx.Response:
        return await self.http.post("/api/chat", json={"message": message} | fields)


@contextlib.asynccontextmanager
async def open_house(folder: Path, **settings: Any) -> AsyncGenerator[House, None]:
    async with OpenAISimulator(MODELS) as simulator:
        application = build(
            Settings(
                data_dir=folder,
                ollama_host="",
                embedded_model="off",
                openai_servers=SecretStr(f"gpu={simulator.base_url}"),
                model_name="gpu/echo",
                shutdown_grace_seconds=1,
                **settings,
            )
        )
        await application.start()
        async with (
            served(application.gateway) as url,
            httpx.AsyncClient(base_url=url, timeout=20) as http,
        ):
            yield House(application, simulator, url, http)
        await application.stop()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path) as house:
        yield house


def events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]


async def test_a_chat_is_made_named_listed_read_and_deleted(house):
    made = await house.http.post("/api/chats", json={"title": "Борщ"})
    assert made.status_code == 201
    chat_id = made.json()["chatId"]
    answer = (await house.say("Як варити борщ?", chatId=chat_id)).json()
    assert answer["response"] == "Як варити борщ?"
    assert answer["chatId"] == chat_id
    assert answer["isMultiAgent"] is False
    assert answer["agents"] is None
    usage = answer["tokenUsage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert usage["modelName"] == "gpu/echo"
    (chat,) = (await house.http.get("/api/chats")).json()["chats"]
    assert (chat["id"], chat["title"]) == (chat_id, "Борщ")
    assert chat["updatedAt"] >= chat["createdAt"] > 1_700_000_000_000
    said = (await house.http.get(f"/api/chats/{chat_id}/messages")).json()["messages"]
    assert [(m["role"], m["content"]) for m in said] == [
        ("user", "Як варити борщ?"),
        ("assistant", "Як варити борщ?"),
    ]
    assert {m["chatId"] for m in said} == {chat_id}
    renamed = await house.http.patch(f"/api/chats/{chat_id}", json={"title": "Суп"})
    assert renamed.json()["title"] == "Суп"
    assert (await house.http.delete(f"/api/chats/{chat_id}")).json() == {"success": True}
    assert (await house.http.get(f"/api/chats/{chat_id}/messages")).status_code == 404


async def test_threads_are_put_into_projects_whose_instructions_and_facts_models_are_told(house):
    wanted = {"name": "Novel", "instructions": "Edit.", "facts": ["Olena ", "Olena", "the sea"]}
    made = (await house.http.post("/api/projects", json=wanted | {"model": "gpu/echo"})).json()
    assert made["facts"] == ["Olena", "the sea"]
    assert (await house.http.post("/api/projects", json={"name": "NOVEL"})).status_code == 400
    assert (await house.http.post("/api/projects", json={})).status_code == 400
    odd = {"name": "Odd", "mode": "nonsense"}
    assert (await house.http.post("/api/projects", json=odd)).status_code == 400
    project = made["id"]
    inside = {"projectId": project, "title": "Chapter one"}
    chat = (await house.http.post("/api/chats", json=inside)).json()["chatId"]
    outside = (await house.say("Elsewhere")).json()["chatId"]

    async def system() -> str:
        await house.say("Go on", chatId=chat, systemPrompt="Be short.")
        bodies = [one.body for one in house.simulator.requests if isinstance(one.body, dict)]
        told = [body["messages"] for body in bodies if "messages" in body][-1]
        return str(told[0]["content"])

    assert (await system()).startswith("Edit.\n\nBe short.")
    assert (await system()).endswith("- Olena\n- the sea")
    changed = await house.http.patch(f"/api/projects/{project}", json={"facts": []})
    assert (changed.json()["instructions"], changed.json()["facts"]) == ("Edit.", [])
    assert await system() == "Edit.\n\nBe short."

    async def of(**query: str) -> set[str]:
        answer = await house.http.get("/api/chats", params=query)
        return {one["id"] for one in answer.json()["chats"]}

    assert await of() == {chat, outside}
    assert await of(project=project) == {chat}
    assert await of(project=project, search="elsewhere") == set()
    moved = await house.http.patch(f"/api/chats/{outside}", json={"projectId": project})
    assert moved.json()["projectId"] == project
    out = await house.http.patch(f"/api/chats/{chat}", json={"projectId": None, "title": "Out"})
    assert (out.json()["projectId"], out.json()["title"]) == (None, "Out")
    assert await system() == "Be short."
    for nobody in ("00000000-0000-4000-8000-000000000000", outside):
        gone = await house.http.patch(f"/api/chats/{chat}", json={"projectId": nobody})
        assert gone.status_code == 404
        assert (await house.http.delete(f"/api/projects/{nobody}")).status_code == 404
    assert (await house.http.delete(f"/api/projects/{project}")).json() == {"success": True}
    assert (await house.http.get("/api/projects")).json() == {"projects": []}
    assert await of() == {chat, outside}


async def test_versions_of_questions_and_answers_stand_beside_each_other(house):
    chat = (await house.say("One")).json()["chatId"]

    async def read(branch=""):
        said = await house.http.get(
            f"/api/chats/{chat}/messages", params={"branch": branch} if branch else {}
        )
        assert said.status_code == 200
        return said.json()["messages"]

    one, answer = await read()
    assert (one["parentId"], one["siblings"]) == (None, [])
    assert (answer["parentId"], answer["siblings"]) == (one["id"], [])
    await house.say("Two", chatId=chat)
    again = await house.http.post(f"/api/chat/regenerate/{chat}", json={"messageId": answer["id"]})
    assert again.json()["response"] == "One"
    _, other = await read()
    assert other["siblings"] == [answer["id"], other["id"]]
    await house.say("Uno", chatId=chat, insteadOf=one["id"])
    assert [m["content"] for m in await read()] == ["Uno", "Uno"]
    assert [m["content"] for m in await read(answer["id"])] == ["One", "One", "Two", "Two"]
    whole = await read("all")
    assert [m["content"] for m in whole] == ["One", "One", "Two", "Two", "One", "Uno", "Uno"]
    assert whole[5]["siblings"] == [one["id"], whole[5]["id"]]
    assert whole[2]["parentId"] == answer["id"]
    shown = await house.http.put(f"/api/chats/{chat}/branch", json={"messageId": answer["id"]})
    assert shown.json() == {"success": True}
    assert [m["content"] for m in await read()] == ["One", "One", "Two", "Two"]
    await house.say("Due", chatId=chat, parentId=other["id"])
    sent = house.simulator.bodies("/v1/chat/completions")[-1]["messages"]
    assert [m["content"] for m in sent] == ["One", "One", "Due"]
    for bad in (
        house.say("!", chatId=chat, parentId="nowhere"),
        house.say("!", chatId=chat, insteadOf=answer["id"]),
        house.http.post(f"/api/chat/regenerate/{chat}", json={"messageId": "nowhere"}),
        house.http.put(f"/api/chats/{chat}/branch", json={"messageId": "nowhere"}),
        house.http.get(f"/api/chats/{chat}/messages", params={"branch": "nowhere"}),
    ):
        assert (await bad).status_code == 404
    assert [m["content"] for m in await read()] == ["One", "One", "Due", "Due"]


async def test_the_thread_is_the_very_one_of_the_sidebar(house):
    answer = (await house.say("Перше питання про кота")).json()
    user = await house.application.people.local()
    page = await house.application.storage.threads.page(user.id, limit=10)
    assert [thread.id for thread in page.items] == [answer["chatId"]]
    assert page.items[0].title == "Перше питання про кота"
    again = (await house.say("Друге", chatId=answer["chatId"])).json()
    sent = house.simulator.bodies("/v1/chat/completions")[-1]["messages"]
    assert [m["content"] for m in sent if m["role"] != "system"] == [
        "Перше питання про кота",
        "Перше питання про кота",
        "Друге",
    ]
    assert again["contextWindowUsage"]["currentTokens"]


async def test_a_stream_names_its_task_first_and_ends_with_all_that_is_known(house):
    answer = await house.http.post("/api/chat/stream", json={"message": "Привіт усім"})
    seen = events(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert seen[0]["taskId"]
    assert "".join(event.get("chunk", "") for event in seen) == "Привіт усім"
    assert seen[-1]["done"] is True
    assert seen[-1]["taskId"] == seen[0]["taskId"]
    assert seen[-1]["tokenUsage"]["outputTokens"]


async def test_a_broken_answer_says_so_and_stays_in_the_thread(house):
    model = "gpu/error-after-3+len-20"
    streamed = await house.http.post("/api/chat/stream", json={"message": "hi", "model": model})
    last = events(streamed.text)[-1]
    assert last["error"]
    assert last["code"] == "server_fault"
    whole = await house.say("hi", model=model)
    assert whole.status_code == 502
    assert whole.json()["error"]


async def test_cancel_stops_the_model_and_keeps_what_was_written(house):
    question = {"message": "hi", "model": "gpu/len-3000+paced-10ms"}
    async with house.http.stream("POST", "/api/chat/stream", json=question) as answer:
        lines = answer.aiter_lines()
        task = ""
        async for line in lines:
            if line.startswith("data: "):
                event = json.loads(line[6:])
                task = task or event["taskId"]
                if "chunk" in event:
                    break
        stopped = await house.http.post(f"/api/chat/cancel/{task}")
        assert stopped.json() == {"success": True}
        assert await house.simulator.idle(1.0)
        rest = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")]
    assert rest[-1]["outcome"] == "stopped"
    assert rest[-1]["response"]
    assert (await house.http.post(f"/api/chat/cancel/{task}")).status_code == 404


async def test_another_process_cancels_too(house, tmp_path):
    other = build(house.application.settings)
    await other.start()
    async with (
        served(other.gateway) as url,
        httpx.AsyncClient(base_url=url, timeout=20) as elsewhere,
    ):
        question = {"message": "hi", "model": "gpu/len-3000+paced-10ms"}
        async with house.http.stream("POST", "/api/chat/stream", json=question) as answer:
            lines = answer.aiter_lines()
            task = json.loads((await anext(lines))[6:])["taskId"]
            assert (await elsewhere.post(f"/api/chat/cancel/{task}")).status_code == 200
            assert await house.simulator.idle(1.0)
    await other.stop()


async def test_models_talk_to_each_other(house):
    answer = await house.http.post(
        "/api/chat/multi-model",
        json={
            "message": "Чи потрібен трамвай?",
            "models": [
                {"name": "За", "model": "gpu/echo", "systemPrompt": "Ти за."},
                {"name": "Проти", "model": "gpu/echo", "systemPrompt": "Ти проти."},
            ],
            "turns": 2,
        },
    )
    said = answer.json()
    assert answer.status_code == 200
    assert said["isMultiAgent"]
    assert [agent["role"] for agent in said["agents"]] == ["За", "Проти"]
    prompts = [
        message["content"]
        for sent in house.simulator.bodies("/v1/chat/completions")
        for message in sent["messages"]
        if message["role"] == "system"
    ]
    assert any("Ти за." in prompt for prompt in prompts)


async def test_sessions_are_the_same_threads(house):
    made = await house.http.post("/api/chat/session", json={"title": "Стара назва"})
    session_id = made.json()["sessionId"]
    await house.say("hi", chatId=session_id)
    session = (await house.http.get(f"/api/chat/session/{session_id}")).json()
    assert session["title"] == "Стара назва"
    assert [m["role"] for m in session["messages"]] == ["user", "assistant"]
    assert (await house.http.get("/api/chat/session/nothing")).status_code == 404


async def test_servers_and_their_models_are_told(house):
    (server,) = (await house.http.get("/api/models/servers")).json()["servers"]
    assert server["name"] == "gpu"
    assert server["reachable"] is True
    assert {model["name"] for model in server["models"]} == set(MODELS)
    for key in ("gpu", house.simulator.base_url):
        found = await house.http.get("/api/models/server/models", params={"server_url": key})
        assert {model["id"] for model in found.json()["models"]} >= {"gpu/echo"}
    unknown = await house.http.get("/api/models/server/models", params={"server_url": "http://x"})
    assert unknown.status_code == 404


async def test_keys_are_made_shown_once_and_revoked_by_administrators_alone(house):
    new = {"name": "ci", "models": ["gpu/echo"], "rpm": 5, "budgetRub": "12.50", "dropParams": True}
    made = await house.http.post("/api/keys", json=new)
    assert made.status_code == 201
    secret = made.json()["key"]
    listed = await house.http.get("/api/keys")
    assert secret not in listed.text
    assert float(listed.json()["keys"][0]["budgetRub"]) == 12.5
    assert listed.json()["keys"][0]["dropParams"] is True
    headers = {"authorization": f"Bearer {secret}"}
    assert (await house.http.get("/api/keys", headers=headers)).status_code == 403
    answer = await house.http.post("/api/chat", json={"message": "hi"}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-requests"] == "5"
    other = {"message": "hi", "model": "gpu/len-3000+paced-10ms"}
    refused = await house.http.post("/api/chat", json=other, headers=headers)
    assert refused.status_code == 404
    council = {"message": "hi", "mode": "best_of"}
    assert (await house.http.post("/api/chat", json=council, headers=headers)).status_code == 404
    chats = (await house.http.get("/v1/models", headers=headers)).json()["data"]
    assert [model["id"] for model in chats] == ["gpu/echo"]
    while answer.status_code == 200:
        answer = await house.http.post("/api/chat", json={"message": "hi"}, headers=headers)
    assert answer.status_code == 429
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    revoked = await house.http.delete(f"/api/keys/{made.json()['id']}")
    assert revoked.json() == {"success": True}


async def test_a_base_address_below_api_is_told(house):
    answer = await house.http.post("/api/v1/chat/completions", json={})
    assert answer.status_code == 404
    assert "Did you mean /v1/chat/completions?" in answer.json()["error"]


async def test_the_rules_of_the_answer_cache_are_for_administrators_alone(house):
    path = "/api/answer-cache"
    rules = (await house.http.get(path)).json()
    assert (rules["shared"], rules["offerFrom"], rules["aliases"]) == (False, 0.7, "")
    aliases = "ХДУ = Херсонський державний університет"
    changed = await house.http.patch(path, json={"aliases": aliases, "days": 30})
    assert changed.json() == rules | {"aliases": aliases, "days": 30}
    policy = await house.application.conversation.answers.policies.current()
    assert (policy.aliases, policy.days, policy.shared) == (aliases, 30.0, False)
    assert (await house.http.patch(path, json={"days": 0})).status_code == 422
    assert (await house.http.delete(path)).json() == {"deleted": 0}
    key = (await house.http.post("/api/keys", json={"name": "ci"})).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    for method in ("GET", "PATCH", "DELETE"):
        body = {"shared": True} if method == "PATCH" else None
        refused = await house.http.request(method, path, headers=headers, json=body)
        assert refused.status_code == 403
    assert (await house.http.get(path)).json()["shared"] is False


async def test_another_users_threads_do_not_exist(tmp_path):
    async with open_house(
        tmp_path, auth_mode="password", admin_password="long enough 123"
    ) as house:
        keys = {}
        for name in ("anna", "boris"):
            user = await house.application.people.add(name, "a good password 1")
            key, secret = new_key(name, user.id)
            await house.application.gateway.services.keys.add(key)
            keys[name] = {"authorization": f"Bearer {secret}"}
        assert (await house.http.get("/api/chats")).status_code == 401
        made = await house.http.post("/api/chats", json={"title": "x"}, headers=keys["anna"])
        path = f"/api/chats/{made.json()['chatId']}"
        for method, where in (("GET", path + "/messages"), ("DELETE", path)):
            there = await house.http.request(method, where, headers=keys["boris"])
            assert there.status_code == 404
        said = {"message": "hi", "chatId": made.json()["chatId"]}
        refused = await house.http.post("/api/chat", json=said, headers=keys["boris"])
        assert refused.status_code == 404
        anna = await house.application.storage.users.by_identifier("anna")
        assert anna is not None
        await house.application.people.set_enabled(anna, enabled=False)
        assert (await house.http.get("/api/chats", headers=keys["anna"])).status_code == 401


async def test_what_is_wrong_is_said_in_one_form(house):
    for method, path, fields, status in (
        ("GET", "/api/nothing", None, 404),
        ("PUT", "/api/chats", None, 405),
        ("POST", "/api/chat", {"message": ""}, 422),
        ("POST", "/api/chat", {"message": "x", "chatId": "nothing"}, 404),
        ("POST", "/api/chat", {"message": "x", "chatId": 42}, 404),
        ("POST", "/api/chat", {"message": "x", "mode": "nothing"}, 400),
        ("POST", "/api/chat", {"message": "x", "model": "nothing"}, 404),
    ):
        answer = await house.http.request(method, path, json=fields)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]
        assert answer.json()["code"]


async def test_the_description_names_every_path_and_the_page_comes_from_here(house):
    description = (await house.http.get("/api/openapi.json")).json()
    paths = description["paths"]
    assert {
        "/api/models/servers",
        "/api/models/server/models",
        "/api/chats",
        "/api/chats/{chat_id}",
        "/api/chats/{chat_id}/branch",
        "/api/chats/{chat_id}/messages",
        "/api/chat",
        "/api/chat/stream",
        "/api/chat/cancel/{task_id}",
        "/api/chat/multi-model",
        "/api/chat/session",
        "/api/chat/session/{session_id}",
        "/api/keys",
    } <= set(paths)
    asked = json.dumps([path.get("post", {}).get("requestBody") for path in paths.values()])
    schemas = description["components"]["schemas"]
    given = {name for name in schemas if f'"#/components/schemas/{name}"' in asked}
    assert len(given) >= 4
    assert all(schemas[name]["examples"] for name in given | {"Reply"})
    page = (await house.http.get("/api/docs")).text
    assert "http" not in page
    assert (await house.http.get("/api/docs/swagger-ui-bundle.js")).status_code == 200


async def test_usage_by_key_is_in_the_database_and_in_the_budget(house):
    made = await house.http.post("/api/keys", json={"name": "ci"})
    headers = {"authorization": f"Bearer {made.json()['key']}"}
    request = {"model": "gpu/echo", "messages": [{"role": "user", "content": "hi"}]}
    await house.http.post("/v1/chat/completions", json=request, headers=headers)

    async def used() -> bool:
        return bool((await house.http.get("/api/keys")).json()["keys"][0]["lastUsedAt"])

    await until(used, within=3)
    reports = house.application.storage.usage
    assert len([row async for row in reports.records(UsageFilter())]) == 1


async def test_the_same_path_speaks_ollamas_form_to_those_who_send_messages(house):
    said = [{"role": "user", "content": "Hi"}]
    host = str(house.http.base_url)
    answer = await ollama.AsyncClient(host=host).chat(model="gpu/echo", messages=said)
    assert answer.message.content == "Hi"
    assert (await house.say("Ho")).json()["response"] == "Ho"
    both = await house.http.post("/api/chat", json={"message": "Ho", "messages": said})
    assert "done" not in both.json(), "with both it is ours"
    for body in (b"{", b"[]", b""):
        wrong = await house.http.post("/api/chat", content=body)
        assert wrong.status_code in (400, 422), body
    tags = (await ollama.AsyncClient(host=host).list()).models
    assert "gpu/echo" in {model.model for model in tags}


async def test_administrators_keep_aliases(house):
    made = await house.http.put("/api/aliases/fast", json={"models": ["gpu/echo"], "weights": [2]})
    assert made.status_code == 200, made.text
    one = {"name": "fast", "models": ["gpu/echo"], "weights": [2.0], "configured": False}
    assert made.json() == one
    assert (await house.http.get("/api/aliases")).json() == {"aliases": [one]}
    said = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}]}
    answer = await house.http.post("/v1/chat/completions", json=said)
    assert answer.json()["choices"][0]["message"]["content"] == "Hi"
    wrongs: list[Any] = [
        {"models": []},
        {"models": ["fast"]},
        {"models": ["konsilium/dialogue"]},
        {"models": ["a"], "weights": [1, 2]},
        {"models": ["a"], "weights": [0]},
    ]
    for wrong in wrongs:
        refused = await house.http.put("/api/aliases/fast", json=wrong)
        assert refused.status_code in (400, 422), wrong
    assert (await house.http.delete("/api/aliases/fast")).status_code == 200
    assert (await house.http.delete("/api/aliases/fast")).status_code == 404
    assert (await house.http.get("/api/aliases")).json() == {"aliases": []}
