"""What an attempt tries, door by door, and the counter that it is charged to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.judge.attempt_kind import asks_owner, counter_scope, is_log_in, tries_code, tries_password
from tests.judge.attempts import BASIC, CHANGE, CODE, LINK, LOGIN, RESET, SIGNUP, attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Attempt, Door

DOORS = {
    "log-in": LOGIN,
    "basic": BASIC,
    "change": CHANGE,
    "sign-up": SIGNUP,
    "reset": RESET,
    "code": CODE,
    "link": LINK,
}


def doors(holds: Callable[[Attempt], bool], secret: str = "tried", account: str = "hana") -> set[str]:
    return {name for name, each in DOORS.items() if holds(attempt(each, secret, account))}


def test_an_existing_password_is_tried_at_log_ins_and_changes() -> None:
    """Codes, PINs and new passwords are in no list of leaks and fill no sets of wrong passwords."""
    assert doors(tries_password) == {"log-in", "basic", "change"}
    assert not doors(tries_password, secret="")


def test_codes_and_pins_are_guessable() -> None:
    """A secret that may be a code or a PIN is judged as one: work must not buy guesses at it."""
    assert doors(tries_code) == {"reset", "code", "link"}
    assert not doors(tries_code, secret="")


def test_only_a_form_creates_nothing_but_a_session() -> None:
    """HTTP Basic may do anything with one request, and a change changes the account: neither is only a log-in."""
    assert doors(is_log_in) == {"log-in"}


def test_an_owner_is_asked_behind_the_password_of_a_named_account() -> None:
    """Without a name there is nobody to ask, and where no password is tried nothing says that the owner is there."""
    assert doors(asks_owner) == {"log-in", "basic", "change"}
    assert not doors(asks_owner, account="")


@pytest.mark.parametrize(
    ("at", "secret", "asker", "scope"),
    [
        (LOGIN, "tried", b"", b""),
        (LOGIN, "tried", b"browser", b""),  # the cookie of a code gives a password no counter of its own
        (CHANGE, "tried", b"", b""),
        (LOGIN, "", b"", b"login"),
        (RESET, "", b"", b"reset"),
        (SIGNUP, "tried", b"", b"signup"),
        (CODE, "tried", b"", b""),
        (CODE, "tried", b"browser", b"askerbrowser"),
        (CODE, "", b"browser", b"code"),
        (LINK, "tried", b"", b""),
    ],
)
def test_requests_without_a_secret_use_up_no_log_in(at: Door, secret: str, asker: bytes, scope: bytes) -> None:
    """Resets and sign-ups are counted apart from passwords, and the asker of a code apart from strangers."""
    assert counter_scope(attempt(at, secret), asker) == scope
