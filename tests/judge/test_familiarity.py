"""Whether a stranger is familiar: the score's direction, and what never makes anybody familiar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.judge.familiarity import is_familiar, is_spared, score
from sekisho.judge.policy import decide
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import AskedFrom, Device, History, Policy, Posture, Signals, Spread


def packed(history: History) -> int:
    total, here, networks, browser, hour = history
    return total | here << 7 | networks << 14 | browser << 17 | hour << 18


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (History(1, 1, 1, True, True), True),
        (History(5, 5, 1, False, False), True),  # a new phone at home, at night
        (History(100, 100, 1, False, False), True),
        (History(100, 1, 4, True, True), True),
        (History(100, 1, 4, False, False), False),  # once in a café, and now another browser at another hour
        (History(127, 0, 4, True, True), False),
        (History(0, 0, 0, False, False), False),
    ],
)
def test_examples(history: History, expected: bool) -> None:
    assert is_familiar(packed(history)) is expected


@pytest.mark.parametrize(("accounts", "spared"), [(0, True), (4, True), (5, False), (16, False)])
def test_in_an_alarm_nobody_is_familiar_where_many_accounts_are_tried(accounts: int, spared: bool) -> None:
    """A bot behind one address with owners does not profit from their past; threat P11."""
    history, spread = packed(History(5, 5, 1, True, True)), Spread(accounts_per_network=accounts)
    verdict = UNHINDERED._replace(history=history, spread=spread)

    alarm = Policy(factors=True).in_posture(Posture.ATTACK, AskedFrom(0, 1, own_network=True))
    assert is_spared(verdict, alarm.at_quiet_network(AskedFrom(0, 1, own_network=True))) is spared
    assert is_spared(verdict, Policy(factors=True, spares_familiar=True))  # in calm
    assert not is_spared(verdict, alarm)


@pytest.mark.parametrize(("here", "spared"), [(5, True), (0, False)])
def test_in_an_alarm_a_loud_network_spares_a_familiar_device_and_no_stranger(here: int, spared: bool) -> None:
    """A bot's guesses have no token. A device from elsewhere is asked, and so is one in a posture that is forced."""
    asked = AskedFrom(0, 1, own_network=True)
    alarm = Policy(factors=True).in_posture(Posture.ATTACK, asked)
    verdict = UNHINDERED._replace(history=packed(History(5, here, 1, True, True)))

    def asks(policy: Policy, device: Device) -> bool:
        familiar = is_spared(verdict, policy)
        return not decide(Signals(verdict, device, familiar=familiar), policy).passes

    loud = alarm.at_loud_network(asked)
    assert asks(loud, Device.SEEN) is not spared
    assert asks(loud, Device.STRANGER)
    assert not decide(Signals(verdict, familiar=True), loud).releases
    assert asks(alarm, Device.SEEN)
    assert loud.steps == "2n"


@given(total=st.integers(1, 127), networks=st.integers(1, 4), browser=st.booleans(), hour=st.booleans())
def test_browser_and_hour_alone_make_nobody_familiar(total: int, networks: int, browser: bool, hour: bool) -> None:
    """Both are shared by many, and easily imitated."""
    assert not is_familiar(packed(History(total, 0, networks, browser, hour)))


@given(total=st.integers(2, 127), here=st.integers(1, 126), networks=st.integers(1, 4), hour=st.booleans())
def test_what_is_known_only_lowers_the_score(total: int, here: int, networks: int, hour: bool) -> None:
    here = min(here, total - 1)
    assert score(History(total, here, networks, True, hour)) < score(History(total, here, networks, False, hour))
    assert score(History(total, here + 1, networks, True, hour)) < score(History(total, here, networks, True, hour))


def test_the_published_smoothing() -> None:
    """Of four log-ins, two from here, of two networks: (2 / 4)(1 - 2 / 6); an unseen browser and hour: 1 / (4 + 1)."""
    expected = (0.001 / (0.5 * (1 - 2 / 6))) * (0.25 / 0.2) * (0.125 / 0.2)

    assert score(History(4, 2, 2, False, False)) == pytest.approx(expected)


@given(st.builds(History, st.integers(0, 127), st.integers(0, 127), st.integers(0, 7), st.booleans(), st.booleans()))
def test_a_packed_history_is_read_as_it_was(history: History) -> None:
    assert History.unpacked(packed(history)) == history
