"""Builds the challenges of a site: proof of work, and a captcha where the settings or a plug-in name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.challenge.captcha import HCAPTCHA, TURNSTILE, Provider, Siteverify
from sekisho.challenge.challenges import Challenges
from sekisho.challenge.work import Work
from sekisho.crypto.seal import Sealer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.challenge.captcha import Captcha
    from sekisho.settings import Settings
    from sekisho.store.vault import Vault
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.given import PuzzleSize
    from sekisho.wiring.plugins import PluginParts


class ChallengeParts:
    """The challenges of one event loop.

    Args:
        settings: of the service.
        plugins: may bring a captcha.
        vault: remembers what was solved.
        clocks: of the service.
        clock_s: Unix time in seconds, by the store's clock.
        size: how hard each puzzle is; see `sekisho.wiring.given`.
        closing: takes the parts that are closed with the loop.
    """

    def __init__(
        self,
        settings: Settings,
        plugins: PluginParts,
        vault: Vault,
        clocks: Clocks,
        *,
        clock_s: Callable[[], float],
        size: PuzzleSize,
        closing: list[Any],
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._vault = vault
        self._clocks = clocks
        self._clock_s = clock_s
        self._puzzle_size = size
        self._closing = closing

    def made(self) -> Challenges:
        """Build and return the site's challenges: proof of work, and a captcha where there is one. Call it once."""
        settings = self._settings
        return Challenges(
            Work(settings.signers, self._vault, clock_s=self._clock_s),
            self._made_captcha(),
            Sealer(settings.signers, clock_s=self._clock_s),
            captcha_public=self._public(),
            size=self._puzzle_size,
        )

    def _public(self) -> dict[str, str] | None:
        if self._plugins.widget is not None:
            name, widget = self._plugins.widget
            return {"provider": name, "sitekey": widget.sitekey}
        provider = self._provider()
        return {"provider": provider.name, "sitekey": self._settings.captcha_sitekey or ""} if provider else None

    def _provider(self) -> Provider | None:
        return next((one for one in (TURNSTILE, HCAPTCHA) if one.name == self._settings.captcha), None)

    def _made_captcha(self) -> Captcha | None:
        settings, provider = self._settings, self._provider()
        if provider is None:
            return self._plugins.captcha(self._vault)
        captcha = Siteverify(
            provider,
            settings.captcha_secret or "",
            self._vault,
            hostnames=settings.captcha_hosts,
            sitekey=(settings.captcha_sitekey or "") if provider.takes_sitekey else "",
            url=settings.captcha_url or provider.url,
            clock_s=self._clocks.monotonic_s,
        )
        self._closing.append(captcha)
        return captcha
