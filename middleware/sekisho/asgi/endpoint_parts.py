"""What the endpoint works with, grouped by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Renderer
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.attempt_reader import AttemptReader
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.first_steps import FirstSteps
    from sekisho.asgi.place_queue import PlaceQueue
    from sekisho.asgi.ports import Consequences, Contacts, FreshProofs, OnFile, PasskeyLogIns, Routes, StepUp
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.refusal_pace import RefusalPace
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.record import Events, RefusalLog


class Readers(NamedTuple):
    """What reads a request.

    Attributes:
        reading: the doors and what goes with them.
        attempts: reads attempts.
        patience: how long a body may take.
        cookie: carries the device token.
        asker: recognises the browser that asked for a code; None where no door takes codes.
        first_steps: passes on requests with a name alone; None where no door takes them.
    """

    reading: Reading
    attempts: AttemptReader
    patience: Patience
    cookie: DeviceCookie
    asker: AskerCookie | None = None
    first_steps: FirstSteps | None = None


class Refusing(NamedTuple):
    """What refuses an attempt and records it.

    Attributes:
        renderer: renders refusals.
        events: counts decisions.
        refusals: logs refusals.
        pace: holds refusals back while they keep the event loop busy.
        jitter: uniform in [0, 1), for the time after which to try again.
    """

    renderer: Renderer
    events: Events
    refusals: RefusalLog
    pace: RefusalPace
    jitter: Callable[[], float]


class Places(NamedTuple):
    """Where strangers wait for their turn.

    Attributes:
        admission: the strangers' attempts that are in the application.
        queue: where strangers wait for a place in the application.
        shared: answers at addresses that many owners share; None where no history is kept.
    """

    admission: Admission
    queue: PlaceQueue
    shared: SharedAddresses | None = None


class StepUps(NamedTuple):
    """The ports of step-ups; all are None where the guard only refuses.

    Attributes:
        asks: asks for work and proofs.
        routes: the pages below the mount.
        on_file: answers requests for a reset that must be on file; None where no door asks for it.
        contacts: answers sign-ups whose address must be proved first; None where no door asks for it.
        fresh: asks for fresh proofs at protected routes.
        consequences: what log-ins, changes and log-outs lead to.
        passkeys: proves log-ins that begin with a passkey; None where no door has them.
    """

    asks: StepUp | None = None
    routes: Routes | None = None
    on_file: OnFile | None = None
    contacts: Contacts | None = None
    fresh: FreshProofs | None = None
    consequences: Consequences | None = None
    passkeys: PasskeyLogIns | None = None
