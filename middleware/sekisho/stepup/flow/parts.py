"""The parts that step-ups are made of. Assembled from the settings elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.challenge.challenges import Challenges
    from sekisho.challenge.waits import Waits
    from sekisho.record import Events, RefusalLog
    from sekisho.stepup.escrow import Escrow
    from sekisho.stepup.factors import Enrolling, Factors
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.flow.fair_queue import FairQueue
    from sekisho.stepup.flow.protected_routes import Protection
    from sekisho.stepup.flow.responses import Responses
    from sekisho.stepup.flow.unfinished import Unfinished
    from sekisho.stepup.log_ins import LogIns
    from sekisho.stepup.session_binding import SessionBindings


class Proving(NamedTuple):
    """The parts of a site with factors.

    Attributes:
        factors: asks owners for proofs, and checks them.
        enrolling: enrols factors, and removes them.
        senders: send codes and notices.
        queue, known_queue: run the log-ins of strangers, and of devices that are merely seen.
        bindings: bind sessions to their accounts.
        protection: knows the protected routes, and whether a session's proof is fresh.
        unfinished: tells owners of step-ups that nobody completed.
        log_ins: keeps recent log-ins for owners to see; None without a database.
    """

    factors: Factors
    enrolling: Enrolling
    senders: Senders
    queue: FairQueue
    known_queue: FairQueue
    bindings: SessionBindings
    protection: Protection
    unfinished: Unfinished
    log_ins: LogIns | None = None


class Parts(NamedTuple):
    """Attributes:
    mount: the path below which pages and their API are served; without a trailing slash.
    escrow: tickets, and the runs that they stand for.
    responses: the answers and pages, as the client's headers ask for them.
    challenges: work or a captcha before the secret is checked, and the sealed forms that pages carry meanwhile.
    waits: a wait instead of work, for browsers without JavaScript; None where a captcha is asked for.
    asks_work: whether clients can be asked for work or a captcha.
    proving: None where there is no factor.
    anomaly: receives warnings for the operator.
    refusals, events: receive wrong proofs.
    clock_s: Unix time in seconds, by the clock that all workers share.
    account_digest: of an account as it was typed, the same for all its spellings; empty for text that names none.
    """

    mount: str
    escrow: Escrow
    responses: Responses
    challenges: Challenges
    waits: Waits | None
    asks_work: bool
    proving: Proving | None
    anomaly: Callable[[str], None]
    refusals: RefusalLog
    events: Events
    clock_s: Callable[[], float]
    account_digest: Callable[[str], bytes]
