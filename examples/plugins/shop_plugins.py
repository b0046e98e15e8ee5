"""One plug-in of each kind, as a package of a shop's own: `SEKISHO_PLUGINS=signals:tor,challenges:tea,sinks:syslog`.

Each reads its own settings from the environment, when it is made: once in each process.
"""

from __future__ import annotations

import logging
import os
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.plugins import Action, Device, Hint, Widget

if TYPE_CHECKING:
    from sekisho.events import Event
    from sekisho.plugins import Seen

log = logging.getLogger("shop.security")


class TorExits:
    """Asks strangers at exits of Tor for work, and known devices for nothing."""

    reasons = frozenset({"tor_exit"})

    def __init__(self) -> None:
        self._exits = frozenset(Path(os.environ["SHOP_TOR_EXITS"]).read_text().split())

    def look(self, seen: Seen) -> Hint | None:
        if seen.device is Device.STRANGER and seen.address in self._exits:
            return Hint(Action.CHALLENGE, "tor_exit")
        return None


class TeaQuiz:
    """A captcha that the shop runs itself. Its script writes the answer into the form's field `captcha`."""

    widget = Widget("tea-quiz", "https://quiz.shop.example/quiz.js", "https://quiz.shop.example", sitekey="shop")

    def __init__(self) -> None:
        self._answer = os.environ["SHOP_QUIZ_ANSWER"]

    async def check(self, token: str, address: str) -> bool | None:  # noqa: ARG002 - the quiz does not need it
        return compare_digest(token.encode(), self._answer.encode())


class Syslog:
    """Writes refused attempts and new devices to the shop's own log."""

    kinds = frozenset({"decided", "new_device"})

    def take(self, event: Event) -> None:
        if event.kind == "new_device" or event.action in {"throttle", "deny"}:
            log.warning("%s %s at %s, %d times", event.kind, event.action, event.door, event.times)
