"""sekisho (関所, checkpoint): credential-stuffing defence in front of an ASGI log-in.

    request ─► read ─► observe ─► judge ─► answer, or the application ─► record

An attempt is read strictly (`read`), charged before anybody looks at its secret (`observe`), judged by one pure
function (`judge`), and then either refused (`answer`) or passed on; the application's answer tells what became of it
(`middleware`), and only a proven success gives the charge back (`guard`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.model import SekishoError, SettingsError

if TYPE_CHECKING:
    from sekisho.assemble import LoginGuard

__all__ = ["LoginGuard", "SekishoError", "SettingsError"]

if not TYPE_CHECKING:  # or any name would be taken for one that is here

    def __getattr__(name: str) -> Any:
        """The guard, where it is asked for: who wants `sekisho.passwords`, or a command, need not load it and Redis."""
        if name != "LoginGuard":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sekisho.assemble import LoginGuard  # noqa: PLC0415

        return LoginGuard
