"""sekisho (関所, checkpoint): credential-stuffing defence in front of an ASGI log-in.

    request ─► read ─► observe ─► judge ─► answer, or the application ─► record

An attempt is read strictly (`read`), charged before anybody looks at its secret (`observe`), judged by one pure
function (`judge`), and then either refused (`answer`) or passed on; the application's answer tells what became of it
(`middleware`), and only a proven success gives the charge back (`guard`).
"""

from __future__ import annotations

from sekisho.assemble import LoginGuard
from sekisho.model import SekishoError, SettingsError

__all__ = ["LoginGuard", "SekishoError", "SettingsError"]
