"""Events: one frozen value for each thing that happened. Everything that records takes these values and nothing else.

An event names a door, reason codes and keyed digests; it contains no account, no address and no secret. The exact
account and address are behind a handle, which opens only for a sink that was given the key.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from sekisho.model.value import Value


class Kind:
    """The kinds of events. Plain texts: they are written as they are, and are compared for every attempt."""

    DECIDED: Final = "decided"
    SETTLED: Final = "settled"
    UNREADABLE: Final = "unreadable"
    CROWDED: Final = "crowded"
    STEP_UP_ISSUED: Final = "step_up_issued"
    STEP_UP_PROVED: Final = "step_up_proved"
    STEP_UP_FAILED: Final = "step_up_failed"
    STEP_UP_NOT_COMPLETED: Final = "step_up_not_completed"
    FACTOR_CHANGED: Final = "factor_changed"
    FACTOR_ENROLLED: Final = "factor_enrolled"
    CAP_REACHED: Final = "cap_reached"
    CODE_SENT: Final = "code_sent"
    NEW_DEVICE: Final = "new_device"
    AGED_DEVICE: Final = "aged_device"
    NOTICE_LOST: Final = "notice_lost"
    NOTICE_ANSWERED: Final = "notice_answered"
    NEW_PASSWORD: Final = "new_password"  # noqa: S105 - the name of an event
    CHANGE_PASSWORD: Final = "change_password"  # noqa: S105 - the same
    SUCCESS_RULE: Final = "success_rule"
    UNJUDGED: Final = "unjudged"
    MISCONFIGURED: Final = "misconfigured"
    DEGRADED: Final = "degraded"
    RECOVERED: Final = "recovered"
    STORE_EMPTIED: Final = "store_emptied"
    MODE_CHANGED: Final = "mode_changed"
    COMMANDED: Final = "commanded"
    POSTURE_CHANGED: Final = "posture_changed"
    CAMPAIGN: Final = "campaign"


class Exact(Value):
    """The account as it was typed, and the client's address."""

    __slots__ = ("account", "address")

    def __init__(self, account: str, address: str) -> None:
        self.account: Final = account
        self.address: Final = address

    def __repr__(self) -> str:
        return "Exact(...)"


WITHHELD: Final = "withheld"
"""The reason of a settled attempt whose answer waits for a proof: a right secret there has opened nothing yet."""


@final
class Handle:
    """Stands for the exact account and address of an event. Only the `HandleKey` that made it opens it.

    It cannot be printed, copied or pickled, so a sink that writes events down cannot write these by mistake. It is no
    protection against code in the same process.
    """

    __slots__ = ("_exact", "_key")

    def __init__(self, key: HandleKey, exact: Exact) -> None:
        self._key: Final = key
        self._exact: Final = exact

    def __repr__(self) -> str:
        return "Handle(...)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a handle is neither copied nor written down")


@final
class HandleKey:
    """Makes handles and opens them. Made once, and given to the sinks that need accounts and addresses."""

    def close(self, account: str, address: str) -> Handle:
        return Handle(self, Exact(account, address))

    def open(self, handle: Handle) -> Exact:
        """The account and address for which a handle stands.

        Raises `PermissionError` for a handle that another key made.
        """
        if handle._key is not self:  # noqa: SLF001 - nothing else may read it
            raise PermissionError("this handle is of another key")
        return handle._exact  # noqa: SLF001 - the same


@final
class Subject(Value):
    """The client and the account that an event concerns. A field that is unknown is empty.

    Attributes:
        network: the client's network as text: IPv4 /24, IPv6 /56.
        account: the keyed digest of the canonical account, 32 hex digits.
        address: the keyed digest of the address (IPv6: of its /64), 32 hex digits.
        device: the keyed digest of the device headers within their network, 32 hex digits.
        software: the keyed digest of the device headers alone, 16 hex digits: the same on every network.
        device_class: `stranger`, `seen` or `proved`.
        country: two letters (ISO 3166-1).
        secret: the keyed digest of a secret that was tried at many accounts lately, 8 hex digits; only where it was
            refused or wrong, so that it never tells an account's own.
        counted: what the counters were asked; see `sekisho.record.counted`.
        handle: the exact account and address; None if no sink reads them, and never part of a written event.
    """

    __slots__ = (
        "account",
        "address",
        "counted",
        "country",
        "device",
        "device_class",
        "handle",
        "network",
        "secret",
        "software",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the fields of all events
        self,
        network: str = "",
        account: str = "",
        address: str = "",
        device: str = "",
        device_class: str = "",
        country: str = "",
        handle: Handle | None = None,
        software: str = "",
        counted: str = "",
        secret: str = "",
    ) -> None:
        self.network: Final = network
        self.account: Final = account
        self.address: Final = address
        self.device: Final = device
        self.device_class: Final = device_class
        self.country: Final = country
        self.handle: Final = handle
        self.software: Final = software
        self.counted: Final = counted
        self.secret: Final = secret


NOBODY: Final = Subject()


@final
class Event(Value):
    """One thing that happened. `sekisho.record.lines` says which fields each kind has, and what they mean.

    Attributes:
        kind: see `Kind`.
        at_us: Unix time in microseconds.
        door: the name of the door or protected route; empty for events of the whole service.
        reasons: codes.
        times: how many such events this value stands for; those of a flood are summed.
        subject: the client and the account.
    """

    __slots__ = (
        "action",
        "at_us",
        "basis",
        "before",
        "by",
        "command",
        "door",
        "factor",
        "kind",
        "mode",
        "notice",
        "part",
        "purpose",
        "reasons",
        "result",
        "subject",
        "text",
        "times",
    )

    def __init__(  # noqa: PLR0913 - the fields of all kinds
        self,
        kind: str,
        at_us: int,
        door: str = "",
        *,
        action: str = "",
        reasons: tuple[str, ...] = (),
        mode: str = "",
        result: str = "",
        before: str = "",
        basis: str = "",
        purpose: str = "",
        factor: str = "",
        part: str = "",
        command: str = "",
        by: str = "",
        text: str = "",
        notice: str = "",
        times: int = 1,
        subject: Subject = NOBODY,
    ) -> None:
        self.kind: Final = kind
        self.at_us: Final = at_us
        self.door: Final = door
        self.action: Final = action
        self.reasons: Final = reasons
        self.mode: Final = mode
        self.result: Final = result
        self.before: Final = before
        self.basis: Final = basis
        self.purpose: Final = purpose
        self.factor: Final = factor
        self.part: Final = part
        self.command: Final = command
        self.by: Final = by
        self.text: Final = text
        self.notice: Final = notice
        self.times: Final = times
        self.subject: Final = subject

    @property
    def sort(self) -> tuple[str | tuple[str, ...], ...]:
        """All fields but time, number and subject: events that agree in these may be summed."""
        return (
            self.kind, self.door, self.action, self.reasons, self.mode, self.result, self.basis, self.purpose,
            self.factor, self.part, self.command, self.by, self.text, self.notice, self.before,
        )  # fmt: skip
