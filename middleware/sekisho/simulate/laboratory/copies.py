"""Copies of device tokens, as malicious software on an owner's computer makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.simulate.laboratory.places import DAY_S

if TYPE_CHECKING:
    from sekisho.simulate.laboratory.browser import Browser

NO_TOKEN, SEEN, AGED, PROVED = "no token", "seen", "aged", "proved"
"""Kinds of devices when they are copied."""

ALONE, OWNER_FIRST, OWNER_GONE, COPY_FIRST = "copy alone", "owner first", "owner first, gone for a day", "copy first"
"""Which of the owner and the copy logged in first since the copy was made: see `Copy.use`."""

CALM, ATTACK = "calm", "attack"
ELSEWHERE, AT_OWNER = "elsewhere", "owner's computer"

AGED_DAYS: Final = 14
AGED_ENTRIES: Final = 4
"""As the policy `factors-aged` has it: seen for so many days, with so many successes."""


@dataclass(slots=True)
class Copy:
    """A copy of all cookies of a device.

    Attributes:
        kind: what the device was then, as its owner knows it: `NO_TOKEN`, `SEEN`, `AGED` or `PROVED`.
        browser: the attacker's, with the copied cookies.
        original: the owner's; None where the owner had none.
        at_s: when it was made, in seconds after the beginning of the history.
        first_s: when it was first used; infinite until then.
    """

    kind: str
    browser: Browser
    original: Browser | None
    at_s: float
    first_s: float = float("inf")

    def use(self, at_s: float) -> str:
        """Note a use of the copy; return who of owner and copy was first to log in since it was made.

        `ALONE`: the owner has not come back. `OWNER_GONE`: the owner came first, and has not come for a day now.
        """
        self.first_s = min(self.first_s, at_s)
        since = [each for each in self._entered_s() if each > self.at_s]
        if not since:
            return ALONE
        if since[0] > self.first_s:
            return COPY_FIRST
        return OWNER_FIRST if at_s - since[-1] <= DAY_S else OWNER_GONE

    def _entered_s(self) -> list[float]:
        return [] if self.original is None else self.original.entered_s


def kind_of(device: Browser, at_s: float) -> str:
    """Return what a device is at `at_s`, from what its owner has done with it: `Copy.kind`."""
    if not device.has_cookies:
        return NO_TOKEN
    if device.has_proved:
        return PROVED
    entered_s = device.entered_s
    is_old = len(entered_s) >= AGED_ENTRIES and at_s - entered_s[0] >= AGED_DAYS * DAY_S
    return AGED if is_old else SEEN
