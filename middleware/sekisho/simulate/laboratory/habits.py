"""What owners do alike at log-ins and resets. All assumed."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 60.0  # an owner who is told to wait longer gives up
STEPS_MAX: Final = 6
RETYPE_S: Final = 4.0
AGAIN_S: Final = 3600.0  # until an owner whose right password was refused comes back
READ_MAIL_S: Final = 20.0  # to open the mail, and to type the code or follow the link
