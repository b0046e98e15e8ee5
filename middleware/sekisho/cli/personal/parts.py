"""The parts of what is stored about an account. `docs/privacy.md` has a row for each; a test compares them."""

from __future__ import annotations

from typing import Final, NamedTuple

STORED: Final = {
    "counters": "times of attempts, failures, addresses and pairs that were tried, by kind of door",
    "devices": "known devices, failures of known devices, and the last change of the password",
    "history": "successes: the first, their number, the hours of the day, networks and browsers",
    "guesses": "guesses at codes today",
    "sums": "amounts at routes with a cap",
    "step_up_counts": "codes that were tried and sent, letters, and notices",
    "asked": "campaigns for which a proof is asked of it",
    "told": "campaigns because of which its owner was told",
    "factors": "enrolled factors",
    "reset": "a reset of the factors that is pending",
    "addresses": "mail addresses, those before a change included",
    "log_ins": "recent log-ins",
    "notices": "notices that wait to be sent, or were sent within the hour",
}
"""Each part that is printed and removed, in the order of the export."""


class Staying(NamedTuple):
    """A part that is kept.

    Attributes:
        part: its name in `docs/privacy.md`.
        why: the reason.
        until: when it ends by itself.
    """

    part: str
    why: str
    until: str


STAYS: Final = (
    Staying(
        "spent_tokens",
        "the random names of devices whose trust was ended, or that logged in within the day, and the time of the last "
        "change of the password: without them a thief's token would be trusted again",
        "400 days after trust was ended or the password changed; a day after a log-in",
    ),
    Staying("tags", "4 bytes of a digest in sets of addresses, devices and secrets, which are not searched", "an hour"),
    Staying("credit", "it belongs to an address and does not name the account", "60 days"),
    Staying("feed", "addresses that the limits refuse, and a filter of addresses; they name no account", "two days"),
    Staying("posture", "4 bytes of a digest for a second, and one of 4,194,304 bits, which many share", "two days"),
    Staying("campaigns", "digests of accounts that were tried lately: they are not searched", "two days"),
    Staying("acts", "what operators did, with digests; workers that were silent read it later", "256 newer acts"),
    Staying(
        "aged_devices",
        "named by the device's token, which is in the owner's browser",
        "90 days after they were told",
    ),
    Staying("step_ups", "sealed with keys that only browsers have; those under way are ended", "eleven minutes"),
    Staying("links", "digests of accounts that it tried to link today: they are not searched", "midnight (UTC)"),
    Staying("sign_ups", "digests of mailboxes that codes of sign-ups were sent to: they are not searched", "an hour"),
    Staying("contact", "the service's own table: it is read, and not written", "the service removes it"),
    Staying("cookies", "device tokens are in the browsers of the owner only", "SEKISHO_DEVICE_DAYS after a log-in"),
    Staying(
        "events",
        "the event file and the log are not rewritten: they name the account by a digest",
        "they are rotated by the service",
    ),
    Staying(
        "audit",
        "a line of the audit cannot be removed unnoticed: it proves what happened",
        "SEKISHO_AUDIT_FILES_MAX files of SEKISHO_AUDIT_BYTES_MAX, or 100,000 lines of the stream",
    ),
)
"""Each part that `sekisho forget` leaves, and why."""

DIGESTS: Final = (
    "Addresses, networks, passwords and devices in counters and history are keyed digests or random names. They are "
    "printed as they are stored, and cannot be turned back."
)
"""What an export says of values that name nothing."""
