"""What asking for more is made of. Put together by whoever reads the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.challenge.escrow import Escrow
    from sekisho.challenge.factors import Enrolling, Factors
    from sekisho.challenge.senders import Senders
    from sekisho.challenge.tie import Ties
    from sekisho.challenge.toll import Toll
    from sekisho.middleware.lanes import Lanes
    from sekisho.middleware.protect import Protection
    from sekisho.middleware.step_up.voice import Voice
    from sekisho.record import RefusalLog
    from sekisho.stepup.flow.unfinished import Unfinished
    from sekisho.stepup.flow.waits import Waits


class Proving(NamedTuple):
    """What a site with factors has.

    Attributes:
        lanes, known_lanes: where strangers' log-ins run, and those of devices that are merely seen.
    """

    factors: Factors
    enrolling: Enrolling
    senders: Senders
    lanes: Lanes
    known_lanes: Lanes
    ties: Ties
    protection: Protection
    unfinished: Unfinished


class Parts(NamedTuple):
    """Attributes:
    mount: the path that pages and their API live under; no slash at its end.
    escrow: tickets, and what they stand for.
    toll: work or a captcha in front of the secret, and what pages carry meanwhile.
    waits: in place of work, for browsers without JavaScript; None where a captcha is asked for.
    asks_work: whether there is any to be asked for.
    proving: None where there is no factor.
    odd: is told what an operator should know.
    refusals: is told of wrong proofs.
    """

    mount: str
    escrow: Escrow
    voice: Voice
    toll: Toll
    waits: Waits | None
    asks_work: bool
    proving: Proving | None
    odd: Callable[[str], None]
    refusals: RefusalLog
