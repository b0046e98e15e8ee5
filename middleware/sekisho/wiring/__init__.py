"""Settings become a guard. The only room that knows both the settings and all the parts."""

from __future__ import annotations

from sekisho.wiring.given import SessionAccount
from sekisho.wiring.login_guard import LoginGuard, guards, owners_of

__all__ = ["LoginGuard", "SessionAccount", "guards", "owners_of"]
