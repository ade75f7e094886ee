"""What `doctor` says of several copies of the app, of Redis and of the balancer."""

import asyncio

import pytest

from tests.integration.replicas.pages import PATIENCE
from tests.nginx import running_nginx
from tests.processes import run_command
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]


async def doctor(house, *arguments, **variables):
    """Its exit code and what it says."""
    environment = {**house.one.environment, "APP_LANGUAGE": "en", **variables}
    code, out, _ = await asyncio.to_thread(
        run_command, "doctor", *arguments, environment=environment
    )
    return code, out


async def test_all_is_well_with_one_folder_redis_and_a_sticky_balancer(house):
    async def counted():
        return "Copies of the app: 4" in (await doctor(house))[1]

    await until(counted, within=PATIENCE)  # each says that it is there once it has begun
    code, out = await doctor(house, "--address", house.balancer)
    assert "✅ Copies of the app: 4, and they share the data folder" in out
    assert "✅ Redis redis://" in out
    assert f"✅ {house.balancer}: a page stays with one copy" in out
    assert code == 0


async def test_a_folder_of_its_own_and_a_balancer_that_is_not_sticky_are_named(house, tmp_path):
    urls = (house.one.url, house.two.url)
    with running_nginx(urls, house.workers.url, sticky=False) as balancer:
        code, out = await doctor(house, "--address", balancer, DATA_DIR=str(tmp_path))
    assert "❌ Copies of the app: 4, but 4 of them have another data folder" in out
    assert f"❌ {balancer}: requests of one page reach different copies" in out
    assert code == 1


async def test_redis_that_is_away_or_not_set_and_an_address_without_a_chat_are_named(house):
    code, out = await doctor(
        house, "--address", "http://127.0.0.1:9", REDIS_URL="redis://:secret@127.0.0.1:9/0"
    )
    assert "❌ Redis redis://:***@127.0.0.1:9/0 does not answer" in out
    assert "secret" not in out
    assert "❌ http://127.0.0.1:9: there is no chat" in out
    assert code == 1
    _, out = await doctor(house, REDIS_URL="")
    assert "➖ Copies of the app: 4, but REDIS_URL is not set" in out
