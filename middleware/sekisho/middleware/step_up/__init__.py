"""Asks for more than a secret: work before it is checked, a second proof before the client is let in."""

from __future__ import annotations

from sekisho.middleware.step_up.asking import Asking
from sekisho.middleware.step_up.granting import Granting
from sekisho.middleware.step_up.managing import Managing
from sekisho.middleware.step_up.mount import Mount
from sekisho.middleware.step_up.parts import Parts, Proving
from sekisho.middleware.step_up.redeeming import Redeeming

__all__ = ["Asking", "Granting", "Managing", "Mount", "Parts", "Proving", "Redeeming"]
