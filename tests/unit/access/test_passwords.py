"""Passwords are kept hashed, and guessing them gets slow."""

from contextlib import ExitStack

import pytest
from argon2 import PasswordHasher

from app.access.login_throttle import LoginThrottle, network_of
from app.access.passwords import MAX_WAITING_FROM_ONE, Passwords, weakness
from app.core.errors import LimitReached

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_matches_its_hash_and_nothing_else():
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("correct horse")
    assert "correct" not in stored
    assert await passwords.matches("correct horse", stored)
    assert not await passwords.matches("wrong horse", stored)
    assert not await passwords.matches("correct horse", None)
    assert not await passwords.matches("nobody's", None)
    assert not await passwords.matches("anything", "not a hash")


def test_wrong_passwords_wait_longer_and_longer():
    at = 0.0
    throttle = LoginThrottle(lambda: at)
    waits = []
    for _ in range(8):
        try:
            throttle.check("ann")
        except LimitReached as error:
            waits.append(error.retry_after)
            at += error.retry_after or 0.0
        throttle.failed("ann")
    assert waits == [1, 2, 4, 8]
    throttle.check("bob")
    throttle.succeeded("ann")
    throttle.check("ann")


def test_no_wait_is_longer_than_five_minutes_and_an_hour_forgets():
    at = 0.0
    throttle = LoginThrottle(lambda: at)
    for _ in range(60):
        throttle.failed("ann")
    with pytest.raises(LimitReached) as caught:
        throttle.check("ann")
    assert caught.value.retry_after == 300
    at = 3601.0
    throttle.check("ann")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "short"),
        (" " * 12, "short"),
        ("Password123", "common"),
        ("пароль123", "common"),
        ("zzzzzzzzzzzz", "common"),
        ("correct horse", None),
        ("x" + "é" * 7, None),
    ],
)
def test_a_new_password_is_long_enough_and_none_that_everybody_tries(password, why):
    assert weakness(password) == why


def test_a_flood_from_one_address_leaves_places_for_others():
    passwords = Passwords(CHEAP)
    with ExitStack() as waiting:
        for _ in range(MAX_WAITING_FROM_ONE):
            waiting.enter_context(passwords.admit("203.0.113.5"))
        with pytest.raises(LimitReached):
            passwords.admit("203.0.113.5")
        waiting.enter_context(passwords.admit("198.51.100.7"))
    with passwords.admit("203.0.113.5"):
        """There is room again."""


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.5", "::ffff:203.0.113.5"),
        ("", ""),
    ],
)
def test_a_machine_does_not_get_more_tries_by_having_many_addresses(address, network):
    assert network_of(address) == network
