"""The asker token of a browser that asked for a code: for one account, service and day, and unforgeable."""

from __future__ import annotations

import pytest

from sekisho.devices.asker import Askers

NOW = 1_800_000_000
NAME = b"8 random"
OLD, NEW = b"the secret of last year, 32 bytes", b"the secret of this year, 32 bytes"


def token(secrets: tuple[bytes, ...] = (NEW,), namespace: str = "shop") -> str:
    return Askers(secrets, namespace).issued("hana", NOW, NAME)


def test_it_names_its_browser() -> None:
    """It carries the browser's id, under which guesses are counted."""
    assert Askers((NEW,), "shop").find(token(), "hana", NOW + 5) == NAME


@pytest.mark.parametrize(
    ("account", "now_s"), [("Hana", NOW), ("mallory", NOW), ("hana", NOW + 86_400), ("hana", NOW - 121)]
)
def test_it_is_of_one_account_and_one_day(account: str, now_s: int) -> None:
    """It is valid for the exact account and one day; a clock may be two minutes behind."""
    assert Askers((NEW,), "shop").find(token(), account, now_s) == b""


def test_it_is_of_one_service() -> None:
    """Two services with one secret do not share tokens."""
    assert Askers((NEW,), "forum").find(token(), "hana", NOW) == b""


def test_it_outlives_a_rotation() -> None:
    """After a rotation every listed secret verifies, and the newest signs."""
    assert Askers((NEW, OLD), "shop").find(token((OLD,)), "hana", NOW) == NAME
    assert Askers((OLD,), "shop").find(token((NEW, OLD)), "hana", NOW) == b""


@pytest.mark.parametrize("forged", ["", "x", "A" * 40, "A" * 39, "é" * 39, token()[:-2] + "AA", token() * 2])
def test_what_was_made_elsewhere_names_nobody(forged: str) -> None:
    """A forged token is void, as an invented id would be a fresh set of guesses."""
    assert Askers((NEW,), "shop").find(forged, "hana", NOW) == b""
