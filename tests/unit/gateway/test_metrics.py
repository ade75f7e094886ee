"""/metrics is open to programs on this machine and needs a key from elsewhere, in the app and alone."""

import httpx
import pytest

from app.access.keys import KeyRing
from app.gateway.access import Authenticator, Caller
from app.gateway.app import Gateway, InFront
from app.gateway.health import Metrics
from tests.fakes import ScriptedModels
from tests.gateway import MemoryKeys, make_key, make_services


async def signed_in(cookies):
    return Caller("anna") if cookies.get("who") == "anna" else None


@pytest.fixture
def house():
    return House()


class House:
    """A gateway in front of an app that is served under /house."""

    def __init__(self) -> None:
        store = MemoryKeys()
        authenticator = Authenticator(KeyRing(store), signed_in=signed_in)
        self.services = make_services(ScriptedModels(), store, authenticator=authenticator)
        metrics = Metrics(authenticator, lambda: b"konsilium_x 1\n", "text/plain; v=1")
        self._app = InFront(_behind, Gateway(self.services, metrics=metrics), "/house")

    async def asked(
        self,
        address: str = "127.0.0.1",
        path: str = "/metrics",
        method: str = "GET",
        **headers: str,
    ) -> int:
        """Asks for /metrics from an address; the status, where it is 200 that of the figures."""
        transport = httpx.ASGITransport(self._app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            answer = await http.request(method, path, headers=headers)
        if answer.status_code == 200:
            assert answer.content == b"konsilium_x 1\n"
            assert answer.headers["content-type"] == "text/plain; v=1"
        return answer.status_code


async def _behind(scope, receive, send):
    raise AssertionError("not its path")


async def test_programs_on_this_machine_need_no_key(house):
    assert await house.asked() == 200
    assert await house.asked("::1") == 200
    assert await house.asked("::ffff:127.0.0.1") == 200
    assert await house.asked(path="/house/metrics") == 200
    assert await house.asked(method="POST") == 405


async def test_a_proxy_another_machine_or_another_sites_page_does(house):
    assert await house.asked(**{"x-forwarded-for": "203.0.113.5"}) == 401
    assert await house.asked(host="evil.example") == 401
    assert await house.asked(origin="https://evil.example") == 401
    assert await house.asked("203.0.113.5") == 401
    assert await house.asked("203.0.113.5", authorization="Bearer no-such-key") == 401


async def test_a_key_or_a_browser_signed_in_opens_it_from_elsewhere(house):
    _, secret = await make_key(house.services)
    assert await house.asked("203.0.113.5", authorization=f"Bearer {secret}") == 200
    assert await house.asked("203.0.113.5", cookie="who=anna") == 200
    assert await house.asked("203.0.113.5", cookie="who=nobody") == 401
