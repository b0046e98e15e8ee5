"""The digests that leave the process instead of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Attempt, Charge, Origin
from sekisho.read import Accounts, Addresses, Digests
from tests.read.making import door

OLD, NEW = b"o" * 32, b"n" * 32
DIGESTS = Digests([OLD])
NOT_COUNTED = {"tries", "_kept", "known_device", "token_generation", "token_issued_us", "exempt", "place", "worked"}


def origin(address: str = "1.2.3.4", agent: bytes = b"x") -> Origin:
    headers = [(b"user-agent", agent)]
    return Addresses([], device_headers=["user-agent"]).read({"client": (address, 1), "headers": headers})


def attempt(account: str = "alice", secret: str = "s3cret", where: Origin | None = None) -> Attempt:
    return Attempt(door(), where or origin(), account, account, secret)


def test_lengths() -> None:
    """Ids of 16 bytes, tags of 4."""
    for address, networks in (("1.2.3.4", 1), ("2001:db8::1", 2), ("", 1)):
        charge = DIGESTS.charge(attempt(where=origin(address)), b"L" * 8, token_generation=3, exempt=True)
        assert [len(each) for each in (charge.ip, charge.device, charge.account, *charge.networks)] == [16] * (
            3 + networks
        )
        tags = (charge.secret, charge.account_tag, charge.ip_tag, charge.pair_tag, charge.member_tag)
        assert [len(each) for each in tags] == [4] * 5
        assert charge.network == charge.networks[-1]
        assert (charge.known_device, charge.token_generation, charge.exempt) == (b"L" * 8, 3, True)


def test_no_two_kinds_share_a_digest() -> None:
    """The same bytes as address, network, device or account give four different digests."""
    charge = DIGESTS.charge(attempt("a", "a", Origin("", (b"a", b"a", b"a"), b"")))
    parts = [charge.ip, charge.network, charge.device, charge.account]
    tags = [charge.secret, charge.account_tag, charge.ip_tag, charge.pair_tag, charge.member_tag]
    assert len({each[:4] for each in parts} | set(tags)) == len(parts) + len(tags)


@pytest.mark.parametrize(
    ("account", "digest"),
    [
        ("hana", "20df8e8eb25ecc4fafa69edf98e80e72"),
        ("Hana@Example.com", "669e832f6315cc907a3f0ec6a16029c8"),
        ("bob smith", "aa377ed7df9fdd79b412ad179d712279"),
        ("太郎", "fc484185bc2e6d2c0254db39c16f8784"),
        ("иван", "861f69d7ff698ce7e1e79fec0cd6585f"),
    ],
)
def test_plain_names_keep_the_counters_that_97295b2_gave_them(account: str, digest: str) -> None:
    """Plain names keep the counters of commit 97295b2, so mixed workers share them and an upgrade gives no fresh
    guesses.
    """
    accounts = Accounts()
    canonical = accounts.canonical(account)
    tried = Attempt(door(), origin(), account, canonical, "s3cret", limit_key=accounts.limit_key(canonical))
    assert DIGESTS.charge(tried).account.hex() == digest


def test_a_known_devices_bucket_stays_with_its_account() -> None:
    """A stranger counts at the limit key; a device's bucket stays with its exact account."""
    tried = Attempt(door(), origin(), "Jessica", "jessica", "s3cret", limit_key="jesica")
    assert DIGESTS.charge(tried).account == DIGESTS.account("jesica")
    assert DIGESTS.charge(tried, b"L" * 8).account == DIGESTS.account("jessica")


@pytest.mark.parametrize("address", ["1.2.3.4", "2001:db8::1", ""])
def test_the_shed_and_the_ledger_agree(address: str) -> None:
    """The shed before the body uses the digests that the ledger counted."""
    charge = DIGESTS.charge(attempt(where=origin(address)))
    assert (charge.ip, charge.device, *charge.networks) == DIGESTS.origin_digests(origin(address)).ids


CHANGES = [
    (attempt(where=origin("1.2.3.5")), {"ip", "ip_tag"}),
    (attempt(where=origin("1.2.4.4")), {"ip", "ip_tag", "network", "networks", "device", "pair_tag"}),
    (attempt(where=origin(agent=b"y")), {"device", "pair_tag"}),
    (attempt("bob"), {"account", "account_tag", "pair_tag", "member_tag"}),
    (attempt(secret="other"), {"secret", "pair_tag", "member_tag"}),
    (attempt("", "s3cret"), {"account", "account_tag", "pair_tag", "member_tag"}),
    (attempt("alice", ""), {"secret", "pair_tag", "member_tag"}),
]


@pytest.mark.parametrize(("changed", "fields"), CHANGES)
def test_each_part_depends_on_what_it_stands_for(changed: Attempt, fields: set[str]) -> None:
    """An address changes address digests alone, an account account digests alone."""
    before, after = DIGESTS.charge(attempt()), DIGESTS.charge(changed)
    assert {name for name in Charge.__slots__ if getattr(before, name) != getattr(after, name)} == fields


def test_a_fingerprint_counts_within_its_network() -> None:
    """Row 31: the same browser in the same /24 is one device, in another network another."""
    assert DIGESTS.origin_digests(origin("1.2.3.4")).device == DIGESTS.origin_digests(origin("1.2.3.9")).device
    assert (
        DIGESTS.origin_digests(origin("2001:db8:0:1::1")).device
        == DIGESTS.origin_digests(origin("2001:db8:0:2::1")).device
    )
    assert DIGESTS.origin_digests(origin("1.2.3.4")).device != DIGESTS.origin_digests(origin("1.2.4.4")).device


def test_what_is_missing_is_empty() -> None:
    """A door without an account or without a secret leaves its place empty: no shared counter."""
    charge = DIGESTS.charge(attempt("", ""))
    assert (charge.account, charge.secret) == (b"", b"")


def test_rotation_resets_no_count() -> None:
    """A new secret in front changes nothing; without the old one everything changes."""
    assert Digests([NEW, OLD]).charge(attempt()) == DIGESTS.charge(attempt())
    before, after = DIGESTS.charge(attempt()), Digests([NEW]).charge(attempt())
    counted = [name for name in Charge.__slots__ if name not in NOT_COUNTED]
    assert all(getattr(before, name) != getattr(after, name) for name in counted)


@pytest.mark.parametrize("secret", ["pass word ", "\u3000pass word", "ｐａｓｓ ｗｏｒｄ", "pass\u00a0word\n"])
def test_a_password_in_other_width_or_with_blanks_around_is_one_secret(secret: str) -> None:
    """Row 132: serializers strip and fold passwords: one in rotation has one tag, but pairs are told apart."""
    plain, other = DIGESTS.charge(attempt(secret="pass word")), DIGESTS.charge(attempt(secret=secret))
    assert other.secret == plain.secret
    assert other.pair_tag != plain.pair_tag


def test_a_password_of_digits_is_no_number() -> None:
    """Passwords are text: a zero in front makes another."""
    assert DIGESTS.charge(attempt(secret="0123")).secret != DIGESTS.charge(attempt(secret="123")).secret


def test_long_secrets_count_whole() -> None:
    """BLAKE2b keys end at 64 bytes, and longer secrets still count in full."""
    assert Digests([b"k" * 64 + b"a"]).charge(attempt()) != Digests([b"k" * 64 + b"b"]).charge(attempt())


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_pairs_are_told_apart(account: str, secret: str, other_account: str, other_secret: str) -> None:
    """Pairs are unambiguous: `ab` + `c` is not `a` + `bc`."""
    one, other = DIGESTS.charge(attempt(account, secret)), DIGESTS.charge(attempt(other_account, other_secret))
    assert (one == other) is ((account, secret) == (other_account, other_secret))


def test_nothing_that_was_typed_stands_in_a_charge() -> None:
    """No field of a charge holds the account, secret or address as typed."""
    shown = repr(DIGESTS.charge(attempt("canary-account", "canary-secret")))
    assert "canary" not in shown
    assert "1.2.3.4" not in shown
    assert b"\1\2\3" not in b"".join(DIGESTS.origin_digests(origin()).ids)


def test_surrogates_do_not_crash() -> None:
    """Row 27: lone surrogates, as the application may report, cause no error."""
    assert len(DIGESTS.charge(attempt("\ud800", "\udfff")).account) == 16


def test_a_place_is_of_one_exact_account_and_one_network() -> None:
    """Row L10: a similarly named account does not share it, and neighbours in a network do."""
    here, family = DIGESTS.place("alice", origin(), 3), 3

    assert len(here) == 8
    assert DIGESTS.place("alice", origin("1.2.3.99", b"y"), family) == here
    assert DIGESTS.place("alice", origin("1.2.4.4"), family) != here
    assert DIGESTS.place("Alice", origin(), family) != here
    assert (DIGESTS.place("alice", origin(), 4)[:7], DIGESTS.place("alice", origin(), 4)[7]) == (here[:7], 4)
    assert here[:7] not in b"".join(DIGESTS.origin_digests(origin()).ids)


def system_of(packed: bytes) -> int:
    """Two systems: 1.2.0.0/16 and 2001:db8::/33 belong to the first, 5.6.0.0/16 to the second."""
    return {b"\1\2": 64500, b"\x20\x01": 64500, b"\5\6": 64501}.get(packed[:2], 0)


def test_a_system_is_the_provider_of_ipv4_and_ipv6() -> None:
    """Row 16: one budget for all networks of a system. An IPv4 address has a site's place too, so the limits fit."""
    digests = Digests([OLD], limits_provider=True, asn_of=system_of)
    addresses = ["1.2.3.4", "1.2.9.9", "2001:db8::1", "5.6.7.8"]
    first, second, six, other = (digests.origin_digests(origin(address)) for address in addresses)
    assert [len(each.networks) for each in (first, second, six, other)] == [3, 3, 3, 3]
    assert first.networks[-1] == second.networks[-1] == six.networks[-1] == first.provider != other.provider
    assert len({*first.networks, *second.networks}) == 5
    assert digests.network_names(origin("1.2.3.4"))[1:] == [b"", b"ASN\0\0\xfb\xf4"]


def test_an_address_of_no_known_system_counts_as_without_the_file() -> None:
    """IPv4 by its /24, IPv6 by its /32 as well; and a system that is only told is no network."""
    digests, without = (Digests([OLD], limits_provider=True, asn_of=each) for each in (system_of, None))
    for address in ("9.9.9.9", "2002:909::1", "3001::1", ""):
        assert digests.origin_digests(origin(address)) == without.origin_digests(origin(address))
    told = Digests([OLD], tells_provider=True, asn_of=system_of).origin_digests(origin("1.2.3.4"))
    assert (len(told.networks), len(told.provider)) == (1, 16)
