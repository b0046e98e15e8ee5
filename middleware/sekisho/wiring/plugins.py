"""The plug-ins of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from sekisho.plugins.failures import Failures
from sekisho.plugins.loading import Loaded, load
from sekisho.plugins.running import PluginCaptcha, PluginSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.plugins import Widget
    from sekisho.store.vault import Vault


class PluginParts(NamedTuple):
    """Attributes:
    loaded: the plug-ins that the settings name.
    failures: takes their failures.
    """

    loaded: Loaded
    failures: Failures

    @classmethod
    def of(cls, names: Sequence[str], count: Callable[[str, str, str], object]) -> Self:
        """Load the plug-ins of these names. Raises `SettingsError` if one cannot be loaded.

        `count`: counts each failure of a plug-in.
        """
        return cls(load(names), Failures(count))

    @property
    def signals(self) -> PluginSignals | None:
        """Return what asks plug-ins for more findings about an attempt; None where no plug-in has any."""
        return PluginSignals(self.loaded.signals, self.failures) if self.loaded.signals else None

    @property
    def widget(self) -> tuple[str, Widget] | None:
        """The name and the widget of the captcha; None where no plug-in has one."""
        return next(((name, plugin.widget) for name, plugin in self.loaded.challenges.items()), None)

    def captcha(self, vault: Vault) -> PluginCaptcha | None:
        """Return the captcha of a plug-in, which notes solved ones in the vault; None where no plug-in has one."""
        found = next(iter(self.loaded.challenges.items()), None)
        return PluginCaptcha(*found, self.failures, vault) if found is not None else None
