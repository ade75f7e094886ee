"""Whom an OAuth provider may send in."""

import pytest

from app.access.oauth import ProviderIdentity
from app.access.origins import names_in

ALLOWED = names_in("Example.com, ann@elsewhere.example, @third.example")


def identity(address: str, **said: object) -> ProviderIdentity:
    facts = {"email": address, "email_verified": True} | said
    return ProviderIdentity.of("generic", address, None, facts)


@pytest.mark.parametrize(
    "address", ["bob@example.com", "BOB@EXAMPLE.COM", "ann@elsewhere.example", "c@third.example"]
)
def test_domains_and_addresses_of_the_list_come_in(address: str):
    assert identity(address).refusal(ALLOWED) is None


@pytest.mark.parametrize(
    "address",
    [
        "bob@elsewhere.example",
        "bob@evil-example.com",
        "bob@sub.example.com",
        "bob@example.com.evil.org",
        '"a@example.com"@evil.org',
        "evil@evil.org@example.com",
        "bob@evil.org\n@example.com",
        "@example.com",
        "example.com",
    ],
)
def test_others_stay_out(address: str):
    assert identity(address).refusal(ALLOWED) is not None


@pytest.mark.parametrize("claim", [False, None, "false", "yes", 1, 0, [], {}])
def test_only_an_address_that_is_said_to_be_verified_counts(claim: object):
    assert identity("bob@example.com", email_verified=claim).refusal(frozenset()) is not None


def test_every_providers_way_of_saying_so_is_understood():
    google = {"email": "a@example.com", "verified_email": True}
    cognito = {"email": "a@example.com", "email_verified": "true"}
    for said in (google, cognito):
        person = ProviderIdentity.of("x", "a@example.com", None, said)
        assert person.refusal(ALLOWED) is None
    mails = [{"email": "a@example.com", "verified": False}, {"email": "b@b.b", "verified": True}]
    github = ProviderIdentity.of("github", "ann", None, {"id": 5, "emails": mails})
    assert (github.subject, github.refusal(frozenset())) == ("5", None)
    assert github.refusal(ALLOWED) is not None
    azure = {"userPrincipalName": "a@example.com", "mail": "boss@example.com", "id": "x"}
    assert ProviderIdentity.of("azure-ad", "a@example.com", None, azure).refusal(ALLOWED) is None
    assert ProviderIdentity.of("azure-ad", "boss@example.com", None, azure).refusal(ALLOWED)
