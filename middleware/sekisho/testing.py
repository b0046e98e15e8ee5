"""The guard for the test suites of services: counters of its own, and no settings needed.

    client = TestClient(guarded(app))
    assert client.post("/login", data=wrong).status_code == 401

Each guard counts separately: a new one for each test starts from zero. It sends no requests of its own to the
application, unless a test sets `canary="on"`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Unpack

from sekisho.settings import load
from sekisho.wiring import LoginGuard, owners_of

if TYPE_CHECKING:
    from sekisho.asgi.types import App
    from sekisho.owners import Owners
    from sekisho.read import MailPolicy, Resolver
    from sekisho.record import AccountHook
    from sekisho.settings.overrides import Overrides
    from sekisho.stepup.factors.senders import CodeHook
    from sekisho.wiring import SessionAccount

__all__ = ["guarded"]

SECRET = b"only for tests: this signs nothing that matters"


def guarded(
    app: App,
    *,
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

    Raises `SettingsError` at once: in a test suite, a guard that answers 503 to every request would hide the mistake.
    """
    settings: Overrides = {"secret": SECRET, "store": "memory://", "canary": "off", **overrides}
    given_owners, known = owners_of(owners, settings)
    load(os.environ, known, has_owners=given_owners is not None, has_sender=on_code is not None)
    return LoginGuard(
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
