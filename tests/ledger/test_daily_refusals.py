"""A day's limits refuse guesses, sign-ups and links, each where it concerns an attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.daily import DailyGuesses, DailyLimits, DayCounts
from sekisho.ledger.daily_refusals import DailyRefusals
from sekisho.model import Attempt, DayLimits
from sekisho.model.shown_proofs import NOTHING_SHOWN, ShownProofs
from sekisho.read import Digests
from sekisho.store.vault import MemoryVault
from tests.judge.attempts import CODE, LINK, LOGIN, RESET, SIGNUP, attempt

if TYPE_CHECKING:
    from sekisho.model import Door

DIGESTS = Digests([b"k" * 32])
LIMITS = DayLimits(signup_network=3, signup_device=2, link_account=1, link_device=2, link_network=3)
OF_ASKER = ShownProofs(asker=b"browser")
OF_SESSION = ShownProofs(linking=b"s" * 16)


def refusals(*, guesses_max: int = 5) -> DailyRefusals:
    vault = MemoryVault(entries_max=1000, bytes_max=1_000_000, clock_s=lambda: 0.0)
    counts = DayCounts(vault, None, let_in=False, clock_s=lambda: 1_700_006_400.0)
    return DailyRefusals(DIGESTS, DailyGuesses(counts, guesses_max=guesses_max), DailyLimits(counts), LIMITS)


async def reasons(
    of: DailyRefusals,
    *tried: Attempt,
    shown: ShownProofs = NOTHING_SHOWN,
    known: bool = False,
    exempt: bool = False,
) -> list[str]:
    """The reason of each attempt's refusal; empty where there is none."""
    found = []
    for each in tried:
        decision = await of.of(each, DIGESTS.origin_digests(each.origin), shown, known=known, exempt=exempt)
        found.append(decision.findings[0].reason if decision is not None else "")
    return found


async def test_strangers_have_a_fifth_of_the_askers_guesses() -> None:
    """Guesses from ever new browsers end with the day, and leave the browser that asked its own."""
    day = refusals(guesses_max=5)

    assert await reasons(day, *[attempt(CODE)] * 2) == ["", "account_guesses"]
    assert await reasons(day, *[attempt(CODE)] * 6, shown=OF_ASKER) == [""] * 5 + ["account_guesses"]


async def test_a_known_device_is_bounded_by_its_own_bucket() -> None:
    """Neither its guesses nor a request without a code use up what strangers have."""
    day = refusals(guesses_max=5)

    assert await reasons(day, *[attempt(CODE)] * 3, known=True) == [""] * 3
    assert await reasons(day, *[attempt(CODE, secret="")] * 3) == [""] * 3
    assert await reasons(day, attempt(CODE)) == [""]


@pytest.mark.parametrize("door", [CODE, RESET])
async def test_messages_to_one_owner_are_bounded(door: Door) -> None:
    """133: twenty in an hour, from any number of browsers. A known device asks for as many as it wants."""
    hour = refusals()

    assert await reasons(hour, *[attempt(door, secret="")] * 21) == [""] * 20 + ["account_messages"]
    assert await reasons(hour, attempt(door, account="another", secret="")) == [""]
    assert await reasons(hour, attempt(door, secret=""), known=True) == [""]
    assert await reasons(refusals(), *[attempt(replace(door, on_file=True), secret="")] * 21) == [""] * 21


async def test_sign_ups_are_counted_by_device_before_network() -> None:
    """One fingerprint opens two accounts in a day; an exempt address as many as it wants."""
    day = refusals()

    assert await reasons(day, *[attempt(SIGNUP)] * 3) == ["", "", "signups"]
    assert await reasons(day, *[attempt(SIGNUP)] * 3, exempt=True) == [""] * 3


async def test_links_are_counted_by_target() -> None:
    """The same account again is no new target; a session's own limit holds at exempt addresses too."""
    day = refusals(guesses_max=100)
    targets = [attempt(LINK, account=name) for name in ("a", "b", "c")]

    assert await reasons(day, targets[0], *targets) == ["", "", "", "link_targets"]
    assert await reasons(refusals(guesses_max=100), *targets, exempt=True) == [""] * 3
    assert await reasons(refusals(guesses_max=100), *targets, shown=OF_SESSION, exempt=True) == [
        "",
        "link_targets",
        "link_targets",
    ]


async def test_a_log_in_has_no_limit_of_a_day() -> None:
    """Passwords are bounded by the ledger, which knows strangers from devices."""
    assert await reasons(refusals(guesses_max=5), *[attempt(LOGIN)] * 9) == [""] * 9
