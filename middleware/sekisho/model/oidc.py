"""How this service is registered with an OpenID Connect provider, and what it asks of a log-in there."""

from __future__ import annotations

from typing import Final, NamedTuple

from sekisho.model.factor_class import FactorClass

MAX_AGE_S: Final = 300
"""The oldest log-in at the provider that counts as a proof, in seconds, unless the operator sets another."""


class OidcRegistration(NamedTuple):
    """Attributes:
    issuer: an https URL, exactly as the provider writes it in its metadata and tokens.
    client_id: the service's identifier at the provider.
    acr: authentication contexts that are asked for; a log-in must have had one of them. Empty: any.
    factor_class: how a proof by this provider counts.
    max_age_s: the oldest log-in at the provider that counts, in seconds.
    name: the provider's name, as owners know it.
    """

    issuer: str
    client_id: str
    acr: tuple[str, ...] = ()
    factor_class: FactorClass = FactorClass.APP
    max_age_s: int = MAX_AGE_S
    name: str = ""


class Identity(NamedTuple):
    """A person at a provider: the exact pair of issuer and subject, which the provider never assigns again."""

    issuer: str
    subject: str

    def __repr__(self) -> str:
        # Tracebacks print values, and a subject can be a number that a country gives to a person.
        return "Identity(...)"
