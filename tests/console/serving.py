"""A console whose service is a value, for tests of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.console import Console, Tally, Unknown
from sekisho.console.logs import Reading
from sekisho.record import Event, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOON_S: Final = 1_795_953_600  # 2026-11-29 12:00:00 UTC
KEY: Final = "k" * 43
LOGIN: Final = "POST /login"
NETWORKS: Final = ("203.0.113.0/24", "192.0.2.0/24", "198.51.100.0/24")

_CAMPAIGN: Final = {
    "name": "c-922b76", "first": NOON_S - 1_180, "last": NOON_S, "addresses": 31, "networks": 3, "accounts": 40,
    "attempts": 1_204, "shared": [], "entered": [], "proved": 0, "passwords_known": 3,
}  # fmt: skip
_CAMPAIGN_TEXT: Final = (
    "c-922b76: 20 attempts at 14 accounts from 6 addresses; accounts entered: 0, with a second proof: 0, right "
    "password without: 0"
)
_DENIED: Final = {
    "network": NETWORKS[0], "until": NOON_S + 3_000, "by": "mari (uid 1000) on shop-1", "why": "nobody but bots"
}  # fmt: skip


WAITS = {"text": "Told to wait.", "refuses": True, "wait_s": 9, "ends": "`sekisho unblock account -`"}


class Told:
    """A service that says what it is given."""

    def __init__(self, standing: dict[str, Any] | None = None) -> None:
        self.standing: dict[str, Any] = {"problem": ""} if standing is None else standing
        self.asked: list[tuple[str, str]] = []

    async def look(self, kind: str, value: str) -> tuple[dict[str, Any], str, str]:
        self.asked.append((kind, value))
        if value == "nobody":
            raise Unknown("VALUE is refused as an account name at every door")
        found = {"kind": kind, "refused": True, "why": [WAITS], "proxy": "", "counters": []}
        return found, "a" * 32, ""


class Read:
    """A log whose events were read."""

    def __init__(self, done: float = 1.0, unread: int = 0) -> None:
        self.done = done
        self.unread = unread

    async def more(self) -> Sequence[Event]:
        return []


def console(*events: Event, service: Told | None = None, read: Read | None = None, problem: str = "") -> Console:
    tally = Tally()
    for event in events:
        tally.add(event)
    reading = Reading(read or Read(), tally)
    reading.problem = problem
    return Console(tally, service or Told(), KEY, clock_s=lambda: NOON_S + 1.5, reading=reading, name="shop")


def an_attack() -> Console:
    """An hour at a shop: its owners, and a list of stolen passwords from twenty minutes ago on."""
    return console(*_owners(), *_bots(), *_operators(), service=Told(STANDING))


STANDING: Final[dict[str, Any]] = {
    "problem": "",
    "mode": {"mode": "enforce"},
    "posture": {
        "forced": "",
        "until": 0,
        "doors": {LOGIN: {"posture": "attack", "since": NOON_S - 1_100, "hostile": 1_870}},
    },
    "deny": {"settings": [], "listed": [_DENIED]},
    "allow": {"settings": [], "listed": []},
    "asked": 0,
    "workers": 4,
    "campaigns": [_CAMPAIGN],
}


def _owners() -> Iterator[Event]:
    for minute in range(60):
        at_us = (NOON_S - minute * 60) * 1_000_000
        times = 30 + (minute * 7) % 13
        yield Event("decided", at_us, LOGIN, action="allow", times=times - 6)
        yield Event("settled", at_us, LOGIN, result="succeeded", times=times - 6)
        yield Event("decided", at_us, LOGIN, action="step_up", reasons=("unproved_device",), times=6)
        yield Event("settled", at_us, LOGIN, result="succeeded", reasons=("withheld",), times=5)
        yield Event("settled", at_us, LOGIN, result="failed", times=3 + minute % 2)
        yield Event("step_up_issued", at_us, LOGIN, purpose="login", times=6)
        yield Event("step_up_proved", at_us, LOGIN, purpose="login", factor="webauthn", times=5)


def _bots() -> Iterator[Event]:
    for minute in range(20):
        at_us = (NOON_S - minute * 60) * 1_000_000
        for number in range(24):
            bot = Subject(NETWORKS[number % 3], account=f"{(number * 7 + minute) % 40:02x}" * 16)
            yield Event("settled", at_us, LOGIN, result="failed", subject=bot)
        yield Event("decided", at_us, LOGIN, action="step_up", reasons=("unproved_device",), times=24)
        yield Event("decided", at_us, LOGIN, action="throttle", reasons=("ip_rate",), times=41 + minute % 5)
        yield Event("decided", at_us, LOGIN, action="throttle", reasons=("shed",), times=60 + (minute * 11) % 17)
        yield Event("decided", at_us, LOGIN, action="challenge", reasons=("ip_accounts", "network_accounts"), times=9)


def _operators() -> Iterator[Event]:
    told = Event(
        "posture_changed", (NOON_S - 1_100) * 1_000_000, LOGIN, reasons=("site",), result="attack", before="calm"
    )
    yield told
    at_us = (NOON_S - 900) * 1_000_000
    yield Event("campaign", at_us, result="recognised", reasons=("device", "network"), text=_CAMPAIGN_TEXT)
    yield Event(
        "commanded", at_us + 300_000_000, command="deny", by="mari (uid 1000) on shop-1", text="nobody but bots"
    )
