"""Plug-ins as the guard's own parts: a failing one changes nothing about an attempt."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, final

from sekisho.challenge.captcha import USED_S, Solved
from sekisho.model import Action, Finding
from sekisho.plugins import Hint, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.challenge.captcha import Answer
    from sekisho.model import Attempt, Device
    from sekisho.plugins import ChallengePlugin, SignalPlugin, SinkPlugin
    from sekisho.plugins.failures import Failures
    from sekisho.record import Event
    from sekisho.store.vault import Vault

CHECK_S_MAX: Final = 1.5
CHECKS_MAX: Final = 64
WAIT_S_MAX: Final = 86_400
TOKEN_CHARS_MAX: Final = 8_192


@final
class PluginSignals:
    """Args:
    plugins: by full name.
    failures: takes what goes wrong.
    """

    def __init__(self, plugins: Mapping[str, SignalPlugin], failures: Failures) -> None:
        self._plugins = dict(plugins)
        self._failures = failures

    def of(self, attempt: Attempt, device: Device) -> tuple[Finding, ...]:
        """Return what the plug-ins find about an attempt. A plug-in that fails is counted, and finds nothing."""
        seen = Seen(attempt.door.name, attempt.account, attempt.origin.address, device)
        found = [self._look(name, plugin, seen) for name, plugin in self._plugins.items()]
        return tuple([finding for finding in found if finding is not None])

    def _look(self, name: str, plugin: SignalPlugin, seen: Seen) -> Finding | None:
        try:
            hint = plugin.look(seen)
            return None if hint is None else _finding(hint, plugin)
        except Exception as error:  # noqa: BLE001 - a log-in goes on, regardless of the plug-in
            self._failures.failed(name, error)
            return None


def _finding(hint: Hint, plugin: SignalPlugin) -> Finding:
    if hint.reason not in plugin.reasons:  # each reason is a label of metrics: their number must be bounded
        raise ValueError
    wait_us = int(min(max(hint.wait_s, 1), WAIT_S_MAX) * 1e6) if hint.action is Action.THROTTLE else 0
    return Finding(Action(hint.action), hint.reason, wait_us)


@final
class PluginOutput:
    """A sink behind the thread that writes events; see `sekisho.record.event_writer.Output`."""

    unwritable: Final = "events cannot be written to a plug-in: %s"
    writable: Final = "events are written to the plug-in again"

    def __init__(self, name: str, plugin: SinkPlugin, failures: Failures) -> None:
        self._name = name
        self._plugin = plugin
        self._failures = failures

    def begin(self) -> None:
        """Do nothing: the guard holds nothing open for a plug-in."""

    def write(self, events: list[Event]) -> Iterator[int]:
        for event in events:
            if event.kind in self._plugin.kinds:
                self._take(event)
            yield event.times

    def end(self) -> None:
        """Do nothing: the guard holds nothing open for a plug-in."""

    def _take(self, event: Event) -> None:
        try:
            self._plugin.take(event)
        except Exception as error:  # noqa: BLE001 - the thread goes on, regardless of the plug-in
            self._failures.failed(self._name, error)


@final
class PluginCaptcha:
    """A captcha of a plug-in; see `sekisho.challenge.captcha.Captcha`.

    Args:
        name: the plug-in's full name.
        plugin: checks the tokens.
        failures: takes the errors of the plug-in.
        vault: remembers used tokens.
    """

    def __init__(self, name: str, plugin: ChallengePlugin, failures: Failures, vault: Vault) -> None:
        self._name = name
        self._plugin = plugin
        self._failures = failures
        self._vault = vault
        self._checking = 0

    async def check(self, token: str, *, address: str = "") -> Answer:
        """Ask the plug-in about a token: solved, not solved (False), or could not tell (None).

        A solved token counts once. Beyond the bound of calls at once the answer is *not solved*.
        """
        if not token or len(token) > TOKEN_CHARS_MAX or self._checking >= CHECKS_MAX:
            return False
        self._checking += 1
        try:
            answer = await self._asked(token, address)
        finally:
            self._checking -= 1
        if answer is not True:
            return answer
        return Solved(self._name) if await self._vault.once(self._mark(token), seconds=USED_S) else False

    async def aclose(self) -> None:
        """Do nothing: the guard holds nothing open for a plug-in."""

    async def _asked(self, token: str, address: str) -> bool | None:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                answer = await self._plugin.check(token, address)
        except Exception as error:  # noqa: BLE001 - then work decides
            self._failures.failed(self._name, error)
            return None
        return answer if answer is True or answer is False else None

    def _mark(self, token: str) -> bytes:
        return blake2b(token.encode("utf-8", "replace"), digest_size=16, person=b"plugin captcha").digest()
