"""Who an OAuth provider says somebody is, and whether they may come in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ADDRESSES_OF_THE_DIRECTORY = ("azure-ad", "azure-ad-hybrid")
"""Their principal names are given by the directory's administrators: nobody takes another's domain."""


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """A person as a provider names them."""

    provider: str
    identifier: str
    name: str | None
    subject: str | None
    """What the provider knows them by for ever, where it tells; names and addresses are given anew."""
    addresses: frozenset[str]
    """Their e-mail addresses, as far as the provider has verified them, in lower case."""

    @classmethod
    def of(
        cls, provider: str, identifier: str, name: str | None, said: Mapping[str, Any]
    ) -> "ProviderIdentity":
        """From what the provider's user-info endpoint said."""
        subject = said.get("sub", said.get("id"))
        addresses = frozenset(one.strip().lower() for one in _verified(provider, said))
        known_by = str(subject) if isinstance(subject, str | int) else None
        return cls(provider, identifier, name, known_by, addresses)

    @property
    def by_address(self) -> bool:
        """Whether their identifier is an e-mail address that is theirs."""
        return self.identifier.lower() in self.addresses

    def refusal(self, allowed: frozenset[str]) -> str | None:
        """Why they may not come in, for the log; None where they may. `allowed` are domains and
        addresses in lower case; empty: whoever the provider vouches for."""
        if not self.identifier:
            return "the provider names nobody"
        if "@" in self.identifier and not self.by_address:
            return f"{self.provider} does not say that the address is verified (email_verified)"
        if allowed and not any(_is_among(address, allowed) for address in self.addresses):
            return "no verified address of theirs is in OAUTH_ALLOWED"
        return None


def _verified(provider: str, said: Mapping[str, Any]) -> Iterator[str]:
    if provider in _ADDRESSES_OF_THE_DIRECTORY:
        yield str(said.get("userPrincipalName") or "")
    if _true(said.get("email_verified", said.get("verified_email"))):
        yield str(said.get("email") or "")
    listed = said.get("emails")
    for one in listed if isinstance(listed, list) else ():  # GitHub's
        if isinstance(one, dict) and _true(one.get("verified")):
            yield str(one.get("email") or "")


def _true(claim: object) -> bool:
    return claim is True or claim == "true"  # Cognito says it as text


def _is_among(address: str, allowed: frozenset[str]) -> bool:
    mailbox, _, domain = address.rpartition("@")
    plain = bool(mailbox) and "@" not in mailbox and not any(c.isspace() for c in address)
    return plain and (address in allowed or domain in allowed or f"@{domain}" in allowed)
