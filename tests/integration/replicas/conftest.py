"""Two replicas of the app, the gateway's two workers, nginx, PostgreSQL and Redis: all real processes."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_asyncio

from tests.integration.replicas.pages import MODELS, PASSWORD, PRICES, SLOW, House
from tests.nginx import running_nginx
from tests.postgres import running_postgres
from tests.processes import gateway, konsilium, simulator
from tests.redis_server import running_redis


@contextlib.contextmanager
def starting(*processes):
    """All at once: one after another they take minutes on a busy machine."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor() as threads:
        for process in processes:
            stack.callback(process.stop)
        list(threads.map(lambda process: process.start(), processes))
        yield


@pytest.fixture(scope="package")
def replicas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    (folder / "data").mkdir()
    (folder / "data" / "prices.toml").write_text(PRICES)
    with running_postgres() as postgres, running_redis() as redis:
        models = simulator("ollama", folder, *(name.partition("/")[2] for name in MODELS))
        variables = {
            "OLLAMA_HOST": models.url,
            "MODEL_NAME": SLOW,
            "DATABASE_URL": postgres.database(),
            "REDIS_URL": redis.url,
            "AUTH_MODE": "password",
            "ADMIN_PASSWORD": PASSWORD,
            "SHUTDOWN_GRACE_SECONDS": "40",
            "CHAINLIT_AUTH_SECRET": "one secret for all replicas of the house",
        }
        one, two = konsilium(folder, **variables), konsilium(folder, **variables)
        workers = gateway(folder, 2, **variables)
        urls = (one.url, two.url)
        with starting(models, one, two, workers), running_nginx(urls, workers.url) as balancer:
            yield House(one, two, workers, balancer, redis, postgres)


@pytest_asyncio.fixture
async def house(replicas):
    async with contextlib.AsyncExitStack() as stack:
        replicas.closing = stack
        yield replicas
