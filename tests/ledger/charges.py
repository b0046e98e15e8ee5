"""Charges for tests: parties are numbers, with digests that merely differ."""

from __future__ import annotations

from hashlib import blake2b

from sekisho.model import Charge, Limit, LimitSet

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_700_000_000 * SECOND

LIMITS = LimitSet(
    ip=(Limit(6, 10 * MINUTE), Limit(20, DAY)),
    networks=((Limit(12, 10 * MINUTE),), (Limit(40, 10 * MINUTE),), (Limit(50, 10 * MINUTE),)),
    device=(Limit(8, 10 * MINUTE),),
    account=(Limit(5, 5 * MINUTE), Limit(10, HOUR)),
    known_device=(Limit(3, HOUR),),
)
ROOMY = LimitSet(
    ip=(Limit(1_000_000, HOUR),),
    networks=((Limit(1_000_000, HOUR),), (Limit(1_000_000, HOUR),)),
    device=(Limit(1_000_000, HOUR),),
    account=(Limit(5, 5 * MINUTE), Limit(10, HOUR)),
    known_device=(Limit(3, HOUR),),
)


def digest(kind: str, number: int, size: int = 16) -> bytes:
    return blake2b(f"{kind}{number}".encode(), digest_size=size).digest()


def charge(
    account: int = 0,
    secret: int | None = 0,
    ip: int = 0,
    device: int = 0,
    network: int = 0,
    *,
    known_device: int | None = None,
    generation: int = 0,
    exempt: bool = False,
    v6: bool = False,
    provider: bool = False,
    place: int | None = None,
    browser: int = 0,
    worked: bool = False,
    issued_us: int = 0,
    tries: bool = False,
) -> Charge:
    """One attempt. `ip` and `device` are numbered within their network."""
    networks: tuple[bytes, ...] = (digest("/24", network),)
    if v6:
        networks = (digest("/56", network * 100 + ip % 3), digest("/48", network))
        if provider:
            networks = (*networks, digest("/32", network // 2))
    return Charge(
        network=networks[-1],
        networks=networks,
        ip=digest("I6" if v6 else "I4", network * 1000 + ip),
        device=digest("D6" if v6 else "D4", network * 1000 + device),
        account=digest("A", account),
        known_device=b"" if known_device is None else digest("L", known_device, 8),
        token_generation=generation,
        secret=b"" if secret is None else digest("S", secret, 4),
        account_tag=digest("a", account, 4),
        ip_tag=digest("i", network * 10 + ip, 4),
        pair_tag=digest("p", account * 30 + (secret or 0), 4),
        member_tag=digest("m", account * 30 + (secret or 0), 4),
        exempt=exempt,
        place=b"" if place is None else digest("P", account * 100 + place, 7) + bytes([browser]),
        worked=worked,
        token_issued_us=issued_us,
        tries=tries,
    )
