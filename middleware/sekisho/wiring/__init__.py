"""Settings become a guard. The only room that knows both the settings and all the parts."""

from __future__ import annotations

from sekisho.asgi.session_account import SessionAccount
from sekisho.wiring.clocks import MACHINE, Clocks
from sekisho.wiring.login_guard import LoginGuard, guards, on_clocks, owners_of, prescribe

__all__ = ["MACHINE", "Clocks", "LoginGuard", "SessionAccount", "guards", "on_clocks", "owners_of", "prescribe"]
