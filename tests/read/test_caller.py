"""Callers are read anew each time, except refused ones, which are cached."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from sekisho.read import Addresses, Callers, Digests
from sekisho.read.caller import KNOWN_MAX

if TYPE_CHECKING:
    from sekisho.read.caller import Caller

PEER = "127.0.0.1"
SECRET = b"a secret of the tests, 32 bytes."


def callers() -> Callers:
    addresses = Addresses([ip_network("127.0.0.0/8")], device_headers=["user-agent", "accept-language"])
    return Callers(addresses, Digests([SECRET]))


def read(
    of: Callers, address: str = "198.51.100.7", agent: bytes = b"browser", language: bytes = b"ja", peer: str = PEER
) -> Caller:
    headers = [(b"x-forwarded-for", address.encode()), (b"user-agent", agent), (b"accept-language", language)]
    return of.read({"client": (peer, 1), "headers": headers}, dict(headers))


def test_nobody_is_remembered_who_was_let_in() -> None:
    """Admitted callers are not cached: thousands that come once would burden the garbage collector."""
    of = callers()

    assert read(of) is not read(of)
    assert read(of) == read(of)
    assert not of._known


def test_who_is_turned_away_is_known_again() -> None:
    """A refused caller is cached, so a flood from one address costs no digests and no header reading."""
    of = callers()
    first = read(of)
    of.remember(first)

    assert read(of) is first


@pytest.mark.parametrize(
    "other",
    [{"address": "198.51.100.8"}, {"agent": b"another"}, {"peer": "203.0.113.9"}, {"address": "198.51.100.7, 1.2.3.4"}],
    ids=["address", "agent", "peer", "hops"],
)
def test_nobody_is_taken_for_somebody_else(other: dict[str, str]) -> None:
    """A change in anything that the origin depends on misses the cache: a forged header is not the caller behind the
    proxy.
    """
    of, fresh = callers(), callers()
    of.remember(read(of))

    assert read(of, **other) == read(fresh, **other)  # type: ignore[arg-type]
    assert read(of, **other) != read(of)  # type: ignore[arg-type]


def test_memory_is_bounded() -> None:
    """Memory is bounded: a botnet fills it once, and the oldest entries make room."""
    of = callers()
    turned_away = [read(of, f"198.51.{number >> 8}.{number & 255}") for number in range(KNOWN_MAX + 3)]
    for each in turned_away:
        of.remember(each)
        of.remember(each)

    assert list(of._known.values()) == turned_away[3:]


def test_long_headers_are_not_kept() -> None:
    """Each entry is bounded: a refused caller with kilobytes of headers is read anew."""
    of = callers()
    for long in (read(of, agent=b"x" * 512, language=b"y" * 300), read(of, address="1.2.3.4," * 100 + "198.51.100.7")):
        of.remember(long)

    assert not of._known
