"""Plug-ins: signals, challenges and sinks of installed packages, loaded only where SEKISHO_PLUGINS names them.

A package announces a factory, called once in each process, by an entry point of the group `sekisho.signals`,
`sekisho.challenges` or `sekisho.sinks`:

    [project.entry-points."sekisho.sinks"]
    siem = "shop_plugins:Siem"

docs/plugins.md has the rules, and examples/plugins a package with one of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from sekisho.model import Action, Device

if TYPE_CHECKING:
    from sekisho.record import Event

__all__ = ["Action", "ChallengePlugin", "Device", "Hint", "Seen", "SignalPlugin", "SinkPlugin", "Widget"]


class Seen(NamedTuple):
    """An attempt as a plug-in sees it, before its secret is looked at.

    Attributes:
        door: the door's name.
        account: as the client typed it; empty if the door has none.
        address: the client's; empty if there is none.
        device: the class of the device at this account.
    """

    door: str
    account: str
    address: str
    device: Device

    def __repr__(self) -> str:
        # Error reporters print values: accounts and addresses must not appear there.
        return f"Seen(door={self.door!r}, ...)"


class Hint(NamedTuple):
    """What a plug-in has found about an attempt.

    Attributes:
        action: what it calls for. `ALLOW` only notes the reason.
        reason: one of the plug-in's `reasons`.
        wait_s: for `THROTTLE`: the time until the client may try again.
    """

    action: Action
    reason: str
    wait_s: float = 0


class Widget(NamedTuple):
    """A captcha on the guard's page. Its script puts the token into a field of the form with the name `captcha`.

    Attributes:
        element: the class of the element that the script looks for.
        script: the script's https URL.
        hosts: what the script loads from and frames, as sources of a Content-Security-Policy, separated by spaces.
        sitekey: the attribute `data-sitekey` of the element.
    """

    element: str
    script: str
    hosts: str
    sitekey: str


@runtime_checkable
class SignalPlugin(Protocol):
    """Finds something about attempts.

    Attributes:
        reasons: the codes that it may give, at most 16, of small letters, digits and _. They appear in events and
            metrics.
    """

    @property
    def reasons(self) -> frozenset[str]: ...

    def look(self, seen: Seen) -> Hint | None:
        """The finding about an attempt, or None. It runs in each log-in, perhaps twice; it neither waits nor blocks."""
        ...


@runtime_checkable
class ChallengePlugin(Protocol):
    """A captcha. Proof of work stays its fallback."""

    @property
    def widget(self) -> Widget: ...

    async def check(self, token: str, address: str) -> bool | None:
        """Whether a token was earned; None if that cannot be told at the moment: then work decides.

        It is also called with the token `none`, which nobody has earned.
        """
        ...


@runtime_checkable
class SinkPlugin(Protocol):
    """Takes events.

    Attributes:
        kinds: the kinds that it wants; see `sekisho.events.Kind`.
    """

    @property
    def kinds(self) -> frozenset[str]: ...

    def take(self, event: Event) -> None:
        """Take one event. A thread of its own calls it, so it may block; meanwhile at most 10,000 events wait."""
        ...


KINDS: Final = {"signals": SignalPlugin, "challenges": ChallengePlugin, "sinks": SinkPlugin}
"""Each kind of plug-in, as SEKISHO_PLUGINS and the entry points' groups name it."""
