"""What the rest of sekisho is told: parsed once, typed, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.model import Door, LimitSet, Mode

Network = IPv4Network | IPv6Network


class StoreFailure(Enum):
    """What happens while the store is gone."""

    LOCAL = "local"  # each worker counts for itself, within bounds
    CLOSED = "closed"  # nobody is let in: 503
    OPEN = "open"  # everybody is let in, uncounted


class NoFactor(Enum):
    """What *step up* becomes where the site has no factor to ask for."""

    CHALLENGE = "challenge"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, by the lower-case name of its variable unless said otherwise.

    Its `repr` holds no secret, no store URL (it has a password in it) and no address.

    Attributes:
        secrets: from `SECRET`; newest first, each of 32 bytes or more. The first one signs, all of them verify.
        doors: of all kinds, in the order of the settings; no method and path appears twice.
        limits: the `LIMIT_…` settings and `ACCOUNT_FAILURES_MAX`.
        trust_unix: whether the peer behind a unix socket is a trusted proxy (the word `unix` in `TRUSTED_PROXIES`).
        client_ip_header, device_headers: lower case, as ASGI spells header names.
        origins: as browsers spell them in the `Origin` header.
        workers: `None` means as many as are seen.
        pairs_key: empty where none is set.
        hibp_url: an origin, without a last slash.
        exposed_header: lower case.
        store_deadline_us: from `STORE_DEADLINE_MS`.
        warnings: what is allowed but should be known; one sentence each, beginning with the variable's name.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    store: str = field(repr=False)
    mode: Mode
    doors: tuple[Door, ...]
    limits: LimitSet
    namespace: str
    mount: str
    trusted_proxies: tuple[Network, ...] = field(repr=False)
    trust_unix: bool
    client_ip_header: str
    device_headers: tuple[bytes, ...]
    origins: frozenset[bytes]
    on_store_failure: StoreFailure
    workers: int | None
    allow: tuple[Network, ...] = field(repr=False)
    deny: tuple[Network, ...] = field(repr=False)
    body_bytes_max: int
    body_seconds_max: float
    store_deadline_us: int
    memory_entries_max: int
    device_cookie: str
    device_days: int
    no_factor: NoFactor
    corpus: str | None
    corpus_days_max: int
    pairs: str | None
    pairs_key: bytes = field(repr=False)
    hibp: bool
    hibp_url: str
    exposed_header: str | None
    breached_min: int
    warnings: tuple[str, ...] = ()

    @property
    def knows_breaches(self) -> bool:
        """Whether there is anything to ask about a password."""
        return self.hibp or self.corpus is not None
