"""Models of other limiters keep the thresholds that their projects publish."""

from __future__ import annotations

import pytest

from sekisho.simulate.laboratory.peers import PEERS, Peer

HERE, HANA = "203.0.113.9", "hana"


def peer(name: str) -> Peer:
    return PEERS[name](lambda account: account == HANA)


def failures(of: Peer, number: int, *, account: str = HANA, address: str = HERE, every_s: float = 1.0) -> int:
    """How many of so many failures are let through, one every `every_s` seconds."""
    passed = 0
    for n in range(number):
        if not of.wait_s(address, account, n * every_s):
            passed += 1
            of.ended(address, account, n * every_s, success=False)
    return passed


@pytest.mark.parametrize(
    ("name", "passed"),
    [("slowapi", 10), ("fastapi-limiter", 40), ("django-axes", 3), ("auth0", 10), ("aws-atp", 10), ("keycloak", 31)],
)
def test_failures_of_one_address_at_one_account(name: str, passed: int) -> None:
    """A hundred failures, one a second: so many are let through."""
    assert failures(peer(name), 100) == pytest.approx(passed, abs=1)


def test_auth0_counts_an_address_over_all_accounts() -> None:
    """A hundred failures of an address in a day, over all accounts."""
    assert failures_at_all(peer("auth0"), 300) == 100


def failures_at_all(of: Peer, number: int) -> int:
    passed = 0
    for n in range(number):
        if not of.wait_s(HERE, f"account{n}", float(n)):
            passed += 1
            of.ended(HERE, f"account{n}", float(n), success=False)
    return passed


def test_stopguessing_counts_unknown_accounts_double_and_forgets_by_half_lives() -> None:
    """Some fifty failures of an address, half as many at accounts that do not exist; a day later it may try again."""
    of = peer("stopguessing")
    assert failures(of, 100) == pytest.approx(51, abs=1)
    assert failures_at_all(peer("stopguessing"), 100) == pytest.approx(26, abs=1)
    assert of.wait_s(HERE, HANA, 86_400) == 0


def test_a_success_is_no_failure() -> None:
    """Twenty successes lock nobody out of a limiter that counts failures."""
    for name in ("django-axes", "auth0", "keycloak", "stopguessing"):
        of = peer(name)
        for n in range(20):
            assert of.wait_s(HERE, HANA, n) == 0
            of.ended(HERE, HANA, n, success=True)
