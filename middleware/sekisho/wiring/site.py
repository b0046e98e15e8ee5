"""What step-ups are built from: the settings, the service's objects, and the parts of the guard that they use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.answer import Renderer
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.asgi.suspicion import Suspicion
    from sekisho.asgi.types import App
    from sekisho.detect import PostureWatch
    from sekisho.gate import Gate
    from sekisho.ledger.caps import CapLedger
    from sekisho.ledger.daily import DailyLimits
    from sekisho.pipeline import Guard
    from sekisho.record import Events, RefusalLog
    from sekisho.settings import Settings
    from sekisho.settler import Settler
    from sekisho.stepup.flow.csrf_cookies import CsrfCookies
    from sekisho.store.vault import Vault
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.given import Given
    from sekisho.wiring.plugins import PluginParts


class Site(NamedTuple):
    """One event loop's site, as its step-ups see it.

    Attributes:
        settings: of the service.
        given: the objects that the service passes.
        vault: keeps what step-ups remember.
        clocks: of the process.
        gate, guard, settler: refuse, assess and settle attempts.
        cookie: writes device tokens.
        jitter: random numbers from 0 to 1, for pauses.
        sessions: the accounts of requests' sessions.
        lifespan_state: the state that the application shares with all requests from its start.
        test: tests a success rule under suspicion.
        clock_s: Unix time in seconds, by the store's clock.
        caps: sums amounts, if routes have caps.
        watch: the posture; None where none is estimated.
        daily: counts mailed codes in a day; None where no door needs it.
        shared: answers at addresses that many owners share; None where no history is kept.
    """

    settings: Settings
    given: Given
    vault: Vault
    clocks: Clocks
    app: App
    gate: Gate
    guard: Guard
    settler: Settler
    reading: Reading
    renderer: Renderer
    events: Events
    cookie: DeviceCookie
    jitter: Callable[[], float]
    lifespan_state: Callable[[], Mapping[str, object]]
    csrf: CsrfCookies
    sessions: SessionAccounts
    test: Callable[[Suspicion], None]
    clock_s: Callable[[], float]
    caps: CapLedger
    refusals: RefusalLog
    admission: Admission
    patience: Patience
    watch: PostureWatch | None
    daily: DailyLimits | None
    plugins: PluginParts
    shared: SharedAddresses | None

    @property
    def account_digest(self) -> Callable[[str], bytes]:
        """Digests an account as it was typed, all its spellings alike."""
        return partial(self.guard.account_digest, self.reading.accounts)
