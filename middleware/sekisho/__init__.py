"""sekisho (関所, checkpoint): credential-stuffing defence in front of an ASGI log-in.

    request ─► read ─► charge ─► judge ─► answer, or the application ─► record

An attempt is read strictly (`read`), charged before its secret is checked (`ledger`), judged by one pure function
(`judge`), and then either refused (`answer`) or passed on. The application's answer shows the outcome (`asgi`),
and only a proven success refunds the charge (`pipeline`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.model import SekishoError, SettingsError

if TYPE_CHECKING:
    from sekisho.wiring import LoginGuard

__all__ = ["LoginGuard", "SekishoError", "SettingsError"]

if not TYPE_CHECKING:  # otherwise type checkers would accept any name in this module

    def __getattr__(name: str) -> Any:
        """Import the guard on first use: `sekisho.passwords` and the commands then need not load it and Redis."""
        if name != "LoginGuard":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sekisho.wiring import LoginGuard  # noqa: PLC0415

        return LoginGuard
