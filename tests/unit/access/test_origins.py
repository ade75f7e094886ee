"""Requests that another site's page could make are refused before anything else is asked."""

import pytest

from app.access.origins import Origins, require_loopback
from app.core.errors import SettingsInvalid

LOCAL = Origins(local=True)


def refused(origins=LOCAL, method="GET", client="127.0.0.1", socket=False, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return origins.refusal(method, named, client, socket=socket) is not None


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.0.0.1"])
def test_the_local_app_answers_to_this_machines_names(host):
    assert not refused(host=host)
    assert not refused(host=host, origin=f"http://{host}", method="POST")
    assert not refused(host=host, origin=f"http://{host}", socket=True)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""]
)
def test_a_name_resolved_to_our_address_is_refused(host):
    assert refused(host=host)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost.evil:8000"]
)
def test_a_foreign_page_is_refused_for_requests_and_sockets(origin):
    for method, socket in (("GET", True), ("POST", False), ("GET", False)):
        assert refused(method=method, socket=socket, host="127.0.0.1:8000", origin=origin)


def test_a_foreign_page_may_link_to_us_but_not_load_from_us():
    site = {"sec_fetch_site": "cross-site", "host": "localhost:8000"}
    assert not refused(**site, sec_fetch_mode="navigate")
    assert refused(**site, sec_fetch_mode="no-cors")


def test_the_local_app_serves_no_other_machine():
    assert refused(host="localhost:8000", client="192.168.1.7")
    assert refused(host="localhost:8000", client="::ffff:192.168.1.7")
    assert not refused(host="localhost:8000", client="::ffff:127.0.0.1")
    for host in ("0.0.0.0", "192.168.1.7", "::", "chat.example"):
        with pytest.raises(SettingsInvalid):
            require_loopback(host)
    for host in ("127.0.0.1", "localhost", "::1"):
        require_loopback(host)


def test_with_users_any_host_is_served_unless_some_are_named():
    anywhere, named = (
        Origins(local=False),
        Origins(local=False, allowed=frozenset({"chat.example"})),
    )
    assert not refused(anywhere, host="anything", client="10.0.0.1")
    assert not refused(named, host="chat.example:443", client="10.0.0.1")
    assert not refused(named, host="127.0.0.1:8000")
    assert refused(named, host="other.example")


def test_with_users_foreign_pages_change_nothing_and_open_no_socket():
    origins = Origins(local=False)
    evil = {"host": "chat.example", "origin": "https://evil.example"}
    assert refused(origins, method="POST", **evil)
    assert refused(origins, socket=True, **evil)
    assert not refused(origins, method="GET", **evil)
    assert not refused(origins, method="POST", **evil, authorization="Bearer key")
    assert not refused(origins, method="POST", host="chat.example", origin="https://chat.example")
    assert not refused(
        origins,
        method="POST",
        host="app:8000",
        x_forwarded_host="chat.example",
        origin="https://chat.example",
    )
