"""Age stamps: signed for one device at one account, kept in what earlier versions read, and bounded."""

from __future__ import annotations

import pytest

from sekisho.crypto.signers import Signer
from sekisho.devices.age import AgeStamps
from sekisho.devices.token import PRESENTED_CHARS_MAX, DeviceTokens, Token
from sekisho.model import Device

DAY = 86_400
NOW = 20_000 * DAY
SECRET, OTHER = b"s" * 32, b"o" * 32
TOKENS = DeviceTokens([SECRET], days=180)
BEFORE, AFTER = (AgeStamps([SECRET], days=14, begins=begins) for begins in (True, False))
SEEN = Token(b"device-1", 3, Device.SEEN, NOW)


def handed_out(
    presented: str = "", account: str = "hana", *, stamps: AgeStamps = BEFORE, day: int = 0, device: bytes = b"device-1"
) -> str:
    """What a browser holds after a success on a day."""
    now_s = NOW + day * DAY
    token = TOKENS.find(presented, account, 4, now_s)
    tokens = TOKENS.renewed(presented, account, token, device_class=Device.SEEN, family=4, now_s=now_s, fresh=device)
    return stamps.carried(tokens, presented, account, token, device, now_s)


def after(successes: int, stamps: AgeStamps = BEFORE) -> str:
    held = ""
    for day in range(successes):
        held = handed_out(held, stamps=stamps, day=day)
    return held


def aged(held: str, *, day: int, account: str = "hana", stamps: AgeStamps = AFTER, family: int = 4) -> bool:
    now_s = NOW + day * DAY
    token = TOKENS.find(held, account, family, now_s)
    return token is not None and stamps.is_aged(held, account, token, now_s)


def test_four_successes_and_fourteen_days_make_a_device_aged() -> None:
    """Each is needed; later successes keep the first day."""
    assert [aged(after(4), day=day) for day in (13, 14, 100)] == [False, True, True]
    assert not aged(after(3), day=100)
    assert aged(handed_out(after(4), stamps=AFTER, day=10), day=14)


def test_no_stamp_begins_while_there_are_factors() -> None:
    """A device that is first seen then never ages."""
    assert not aged(after(9, AFTER), day=100)


def test_a_token_of_an_earlier_version_counts_from_its_last_renewal() -> None:
    """Upgrades are quiet: the token itself says since when its device was seen."""
    old = TOKENS.renewed("", "hana", None, device_class=Device.SEEN, family=4, now_s=NOW, fresh=b"device-1")
    held = old
    for day in (20, 21, 22):
        held = handed_out(held, day=day)
    assert aged(held, day=22)


def test_a_stamp_is_for_one_account_and_one_device() -> None:
    """A stamp moved to another account's token, or to a device with a new name, says nothing."""
    held = after(4)
    stamp = held.split(".")[1]
    other = handed_out("", "jun", stamps=AFTER).split(".")[0]
    for _ in range(4):
        other = handed_out(other, "jun", stamps=AFTER)
    assert not aged(f"{other}.{stamp}", account="jun", day=100)
    renamed = Token(b"device-2", 9, Device.SEEN, NOW)
    assert not AFTER.is_aged(held, "hana", renamed, NOW + 100 * DAY)


@pytest.mark.parametrize("device_class", [Device.STRANGER, Device.PROVED])
def test_only_a_seen_device_is_aged(device_class: Device) -> None:
    """A proof ends the stamp; a copy in another browser is a stranger."""
    held = after(4)
    assert not AFTER.is_aged(held, "hana", Token(b"device-1", 9, device_class, NOW), NOW + 100 * DAY)
    assert not aged(held, day=100, family=3)
    proved = TOKENS.renewed(held, "hana", None, device_class=Device.PROVED, family=4, now_s=NOW, fresh=b"device-9")
    assert "." not in AFTER.carried(proved, held, "hana", SEEN, b"", NOW)


def test_a_forged_stamp_says_nothing() -> None:
    """A flipped bit, another service's secret, a secret that has ended."""
    held = after(4)
    flipped = held[:-5] + ("A" if held[-5] != "A" else "B") + held[-4:]
    assert not aged(flipped, day=100)
    assert not aged(held, day=100, stamps=AgeStamps([OTHER], days=14, begins=False))
    assert not aged(held, day=100, stamps=AgeStamps([Signer(SECRET, until_s=NOW)], days=14, begins=False))
    assert aged(held, day=100, stamps=AgeStamps([OTHER, SECRET], days=14, begins=False))


def test_earlier_versions_read_the_tokens_beside_stamps() -> None:
    """They skip texts that are no tokens, and refuse values beyond their bound: with five accounts no stamp fits."""
    held = ""
    for account in ("hana", "jun", "ken", "mei", "rin"):
        held = handed_out(held, account)
        assert len(held) <= PRESENTED_CHARS_MAX == 325
    for account in ("hana", "jun", "ken", "mei", "rin"):
        assert TOKENS.find(held, account, 4, NOW) is not None
    first = after(2)
    assert TOKENS.find(first, "hana", 4, NOW + DAY) == Token(b"device-1", 1, Device.SEEN, NOW + DAY)


@pytest.mark.parametrize("text", ["é" * 26, "A" * 26, "." * 325, "A" * 400, ".".join(["A" * 26] * 12)])
def test_any_text_is_no_stamp(text: str) -> None:
    """The texts that clients send are bounded and never an error."""
    assert not AFTER.is_aged(text, "hana", SEEN, NOW + 100 * DAY)
    assert len(AFTER.carried("x" * 63, text, "hana", SEEN, b"device-1", NOW)) <= 325
