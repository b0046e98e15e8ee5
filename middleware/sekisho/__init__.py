"""sekisho (関所, checkpoint): credential-stuffing defence in front of an ASGI log-in.

    from sekisho import LoginGuard

    app.add_middleware(LoginGuard, login="POST /login success=303:/home")  # Starlette, FastAPI
    app = LoginGuard(app, login="POST /login success=303:/home")           # any other ASGI application

It needs a secret, `SEKISHO_SECRET`. `python -m sekisho.settings` prints all settings; `sekisho --help` lists the
commands. Handlers find a `Report` in `request.state.sekisho`.

    request ─► read ─► charge ─► judge ─► answer, or the application ─► record

An attempt is read strictly (`read`), charged before its secret is checked (`ledger`), judged by one pure function
(`judge`), and then either refused (`answer`) or passed on. The application's answer shows the outcome (`asgi`),
and only a proven success refunds the charge (`settler`).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: the command is interrupted quietly once this module is imported
if TYPE_CHECKING:
    from typing import Any

    from sekisho.asgi.report import Report
    from sekisho.model import Device, SekishoError, SettingsError
    from sekisho.model.previous_log_in import PreviousLogIn
    from sekisho.read import MailPolicy
    from sekisho.settings.overrides import Overrides
    from sekisho.stepup.factors.webhook import CodeMessage
    from sekisho.wiring import LoginGuard

__all__ = [
    "CodeMessage",
    "Device",
    "LoginGuard",
    "MailPolicy",
    "Overrides",
    "PreviousLogIn",
    "Report",
    "SekishoError",
    "SettingsError",
]

_PLACES = {
    "CodeMessage": "sekisho.stepup.factors.webhook",
    "Device": "sekisho.model",
    "LoginGuard": "sekisho.wiring",
    "MailPolicy": "sekisho.read",
    "Overrides": "sekisho.settings.overrides",
    "PreviousLogIn": "sekisho.model.previous_log_in",
    "Report": "sekisho.asgi.report",
    "SekishoError": "sekisho.model",
    "SettingsError": "sekisho.model",
}

if not TYPE_CHECKING:  # otherwise type checkers would accept any name in this module

    def __getattr__(name: str) -> Any:
        """Import a name on first use: `sekisho.passwords` and the commands need neither the guard nor Redis."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - as above

        try:
            module = import_module(_PLACES[name])
        except AttributeError as error:  # of some package; Python would say that there is no such name here
            raise ImportError(f"{_PLACES[name]} cannot be imported: {error}") from error
        return getattr(module, name)

    def __dir__() -> list[str]:
        """All names, for `help(sekisho)` and completion: those that are not imported yet too."""
        return sorted({*globals(), *__all__})
