"""How an account, an address or a device stands: its counters and waits, and why it is refused."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli import reasons
from sekisho.cli.counter_rows import Party, rows_of
from sekisho.cli.estimate import estimate
from sekisho.judge.posture import PostureState
from sekisho.model import Mode
from sekisho.read.address import contains

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.cli.counter_rows import CounterRow
    from sekisho.cli.operator import Desk
    from sekisho.cli.reasons import Reason
    from sekisho.cli.target import Target
    from sekisho.settings import Settings


class Standing(NamedTuple):
    """The answer: reasons, the sternest first, and all counters. `proxy`: of a trusted proxy, what that means."""

    kind: str
    mode: Mode
    reasons: list[Reason]
    rows: list[CounterRow]
    proxy: str = ""

    @property
    def has_both(self) -> bool:
        """Whether it is of an account and of an address."""
        return {Party.ACCOUNT, Party.ADDRESS} <= {row.party for row in self.rows}

    @property
    def is_refused(self) -> bool:
        return self.mode is Mode.ENFORCE and any(reason.refuses for reason in self.reasons)


async def standing_of(service: Desk, found: Sequence[Target]) -> Standing:
    """Read the counters of an account, an address or a device; returns them with the reasons for which it is refused.

    `found`: what `target.targets` returns: an account may come with the address of its owner.

    Raises `StoreUnavailable`, `ControlError`.
    """
    settings, record = service.settings, await service.record()
    address = next((each for each in found if each.kind != "account"), None)
    why, rows = list[reasons.Reason](), []
    for each in found:
        its = await rows_of(service, each)
        if each.kind == "account":
            why += reasons.of_account(settings, record, each, its)
        else:
            why += await reasons.of_address(service, record, each, its)
        rows += its
    state = await estimate(service) if settings.factors and settings.goes_by_posture else PostureState()
    why += reasons.of_posture(settings, record, state, address)
    why.sort(key=lambda reason: (not reason.refuses, -reason.wait_us))
    proxy = _proxy(settings, address.origin.address) if address is not None else ""
    return Standing(found[0].kind, record.mode or settings.mode, why, rows, proxy)


def _proxy(settings: Settings, address: str) -> str:
    """What an operator has to know of the address of a trusted proxy; empty for every other."""
    if not contains(settings.trusted_proxies, address):
        return ""
    return (
        "This is a trusted proxy (SEKISHO_TRUSTED_PROXIES). Clients behind it are counted at the addresses that it "
        f"writes into {settings.client_ip_header} (SEKISHO_CLIENT_IP_HEADER); look at those. What follows is of "
        "requests that name no client."
    )


def lines_of(standing: Standing, before: str = "") -> Iterator[str]:
    """Why it is refused, or more is asked of it, as lines for an operator, and below them what ends them.

    `before`: how the line of a reason begins.
    """
    if standing.mode is not Mode.ENFORCE and standing.reasons:
        yield f"{before}The mode is {standing.mode.value}: nobody is refused. In enforce it would be:"
    for end, its in groupby(standing.reasons, key=lambda reason: reason.end):
        for reason in its:
            yield f"{before}{reason.text}"
        if end:
            yield f"  ends it: {end}"


def reasons_json(standing: Standing) -> list[dict[str, str | bool | int]]:
    """The reasons as JSON values."""
    return [
        {"text": each.text, "refuses": each.refuses, "wait_s": -(-each.wait_us // 1_000_000), "ends": each.end}
        for each in standing.reasons
    ]
