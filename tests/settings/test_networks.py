"""Addresses in settings: strictly read, and never half of the internet."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import SettingsError
from sekisho.settings.networks import allowed, networks, proxies


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/8,0.0.0.0/0",
        "0.0.0.0/1,128.0.0.0/1",
        "0.0.0.0/1,128.0.0.0/2,192.0.0.0/2",
        "128.0.0.0/1",
        "2000::/3",
        "3000::/4",
        "::/1",
        "::ffff:0:0/96",
        "::ffff:0.0.0.0/97",
        "2000::/5,2800::/5",
        "unix,0.0.0.0/0",
        ",".join(f"{n}.0.0.0/8" for n in range(128)),
    ],
)
def test_nobody_can_trust_everybody(text: str) -> None:
    """Trusting half of the internet is refused, in one network or in a hundred."""
    for parse, problem in ((proxies, "trusts half"), (allowed, "lets half")):
        if parse is proxies or "unix" not in text:
            with pytest.raises(SettingsError, match=f"^X: {problem} of the internet or more"):
                parse(text, "X")


@given(st.integers(0, 32).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(0, 2**32 - 1))))
def test_everything_split_in_two_is_still_everything(where: tuple[int, int]) -> None:
    """IPv4 without any one network is refused while the rest is half or more."""
    bits, number = where
    hole = IPv4Network((number, bits), strict=False)
    rest = list(IPv4Network("0.0.0.0/0").address_exclude(hole)) or [IPv4Network("0.0.0.0/0")]

    with pytest.raises(SettingsError, match="half of the internet"):
        proxies(",".join(map(str, rest if bits else [hole])), "X")


def test_proxies_are_networks_and_perhaps_the_socket() -> None:
    """A bare address is one host, and `unix` is recognised."""
    assert proxies("10.0.0.0/8, 192.0.2.1", "X") == ((ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32")), False)
    assert proxies("UNIX", "X") == ((), True)


def test_mapped_networks_are_the_ones_they_map() -> None:
    """IPv4-mapped networks become IPv4, or they would match nothing."""
    assert networks("::ffff:10.0.0.0/104", "X") == (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0.0/33", "10.9.8", "010.0.0.1", "localhost", "fe80::1%eth0/64", "10.0.0.0/255.0.0.0x"]
)
def test_what_is_no_network_is_counted_not_repeated(text: str) -> None:
    """An item that is no network is reported by its position, not its text."""
    with pytest.raises(SettingsError) as caught:
        networks(f"192.0.2.0/24,{text}", "X")

    assert str(caught.value).startswith("X: item 2 is no network")
    assert text not in str(caught.value).replace("10.0.0.0/8", "")


def test_denying_everybody_is_allowed() -> None:
    """Denying everyone is allowed: it affects the own service alone."""
    assert networks("0.0.0.0/0", "X") == (ip_network("0.0.0.0/0"),)
