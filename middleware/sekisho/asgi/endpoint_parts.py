"""What the endpoint and its handlers work with, grouped by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.asker import AskerCookie
    from sekisho.asgi.attempt_reader import AttemptReader
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.place_queue import PlaceQueue
    from sekisho.asgi.ports import Consequences, Contacts, FreshProofs, OnFile, PasskeyLogIns, Routes, StepUp
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.asgi.stacked import Mark


class Readers(NamedTuple):
    """What reads a request.

    Attributes:
        reading: the doors and what goes with them.
        attempts: reads attempts.
        patience: how long a body may take.
        mark: goes into the scopes of requests at doors; see `stacked`.
        asker: recognises the browser that asked for a code; None where no door takes codes.
    """

    reading: Reading
    attempts: AttemptReader
    patience: Patience
    mark: Mark
    asker: AskerCookie | None = None


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
