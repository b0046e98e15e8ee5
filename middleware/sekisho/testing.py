"""A service's own tests: the guard in memory, a clock that tests set, browsers, and solved work.

    clock = FakeClock()
    shop = guarded(app, clock=clock, limit_account="5/10minute")
    thief, owner = browser(shop, address="198.51.100.7"), browser(shop, address="203.0.113.9")

    assert thief.post("/login", data=wrong).status_code == 401
    clock.advance(minutes=10)

Each guard counts separately: a new one for each test starts from zero. It sends no requests of its own to the
application, unless a test sets `canary="on"`. `sekisho.pytest_plugin` does the same for guards that a service makes
itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Unpack

from sekisho.model import SettingsError
from sekisho.settings import load
from sekisho.simulate.solve import solved
from sekisho.wiring import Clocks, LoginGuard, on_clocks, owners_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.testclient import TestClient

    from sekisho.asgi.types import App
    from sekisho.owners import Owners
    from sekisho.read import MailPolicy, Resolver
    from sekisho.record import AccountHook
    from sekisho.settings.overrides import Overrides
    from sekisho.stepup.factors.senders import CodeHook
    from sekisho.wiring import SessionAccount

__all__ = ["FakeClock", "browser", "guarded", "work_headers"]

SECRET = b"only for tests: this signs nothing that matters"
START_S = 1_767_225_600.0  # 2026-01-01 00:00 UTC
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class FakeClock:
    """Time that stands still until a test moves it.

    Args:
        start_s: Unix time in seconds.
    """

    def __init__(self, start_s: float = START_S) -> None:
        self._us = round(start_s * 1_000_000)
        self.clocks = Clocks(lambda: self.now_s, lambda: self._us, lambda: self.now_s, lambda: self._us)

    @property
    def now_s(self) -> float:
        """Unix time in seconds."""
        return self._us / 1_000_000

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move time forward. Raises `ValueError` where it would go backwards: limits assume that it never does."""
        moved = seconds + 60 * minutes + 3_600 * hours + 86_400 * days
        if moved < 0:
            raise ValueError("time moves forward only")
        self._us += round(moved * 1_000_000)


def guarded(  # noqa: PLR0913 - what `LoginGuard` takes, and a clock
    app: App,
    *,
    clock: FakeClock | None = None,
    resolver: Resolver | None = None,
    mail_policy: MailPolicy | None = None,
    on_change_password: AccountHook | None = None,
    owners: Owners | str | None = None,
    on_code: CodeHook | None = None,
    session_account: SessionAccount | None = None,
    on_not_me: AccountHook | None = None,
    **overrides: Unpack[Overrides],
) -> LoginGuard:
    """Put `app` behind a guard in memory, with settings by keyword. The environment's `SEKISHO_…` settings still apply.

    `clock`: the guard's time; without one, the machine's.

    Raises `SettingsError` at once: in a test suite, a guard that answers 503 to every request would hide the mistake.
    """
    settings: Overrides = {"secret": SECRET, "store": "memory://", "canary": "off", **overrides}
    given_owners, known = owners_of(owners, settings)
    load(os.environ, known, has_owners=given_owners is not None, has_sender=on_code is not None)
    made: type[LoginGuard] = on_clocks(clock.clocks if clock else LoginGuard._clocks)  # noqa: SLF001 - of this package
    guard = made(
        app,
        resolver=resolver,
        mail_policy=mail_policy,
        on_change_password=on_change_password,
        owners=owners,
        on_code=on_code,
        session_account=session_account,
        on_not_me=on_not_me,
        **settings,
    )
    if guard.problem:  # what only shows when files are opened, or in several settings together
        name, _, problem = guard.problem.partition(": ")
        raise SettingsError(name, problem)
    return guard


def browser(app: App, *, address: str = "203.0.113.9", agent: str = AGENT) -> TestClient:
    """A browser at an address: Starlette's test client over HTTPS, which keeps cookies. Works for any ASGI application.

    Args:
        app: the guarded application.
        address: an IP address, as the server would report it.
        agent: the browser's `User-Agent`.
    """
    from starlette.testclient import TestClient  # noqa: PLC0415 - it needs an HTTP client that services need not have

    return TestClient(app, base_url="https://testserver", client=(address, 50_000), headers={"User-Agent": agent})


def work_headers(answer: Mapping[str, Any]) -> dict[str, str]:
    """Do the work that an answer asks for, and return the headers with which the same request is sent again.

    Takes a tenth of a second or more. Raises `ValueError` if the answer asks for no work.

    Args:
        answer: the JSON of an answer with the code `challenge_required`.
    """
    if "work" not in answer:
        raise ValueError("this answer asks for no work")
    return {"Sekisho-Work": solved(answer["work"])}
