"""Builds step-ups and work from the settings. Imported only where a site uses either, because it needs the extras."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from sekisho.asgi.endpoint_parts import StepUps
from sekisho.challenge.waits import Waits
from sekisho.challenge.work import difficulty
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import DoorKind
from sekisho.stepup.escrow import Escrow
from sekisho.stepup.flow.parts import Parts
from sekisho.stepup.flow.responses import Responses
from sekisho.stepup.links import NoticeLinks
from sekisho.stepup.pages import Pages
from sekisho.wiring.challenges import ChallengeParts
from sekisho.wiring.pages import PageParts
from sekisho.wiring.proofs import ProofParts
from sekisho.wiring.runs import RunParts
from sekisho.wiring.senders import SenderParts
from sekisho.wiring.step_up_extras import city_file_of, factor_classes, oidc_provider, sql_addresses, sql_log_ins

if TYPE_CHECKING:
    from sekisho.challenge.challenges import Challenges
    from sekisho.settings import Settings
    from sekisho.stepup.flow.contact_proofs import Channels
    from sekisho.stepup.flow.parts import Proving
    from sekisho.wiring.site import Site


def import_early(settings: Settings) -> None:
    """Import, at the start, the modules that the first proof would have to wait for, and open the file of cities once.

    Raises `SettingsError`: a file cannot be read.
    """
    if settings.factors:
        factor_classes()
    if "oidc" in settings.factors:
        oidc_provider()
    if settings.owners is not None:
        sql_log_ins()
        sql_addresses()
    if settings.city_file is not None:
        city_file_of(settings.city_file).close()


class StepUpWing:
    """The step-up of one event loop. Closed with the loop.

    It is built in three groups, each of those before it: proofs (owners and factors), runs (the steps around the
    application) and pages. Parts are closed in the opposite order.

    Attributes:
        ports: those of the loop's endpoint.
        caps: sums amounts; None where no route has a cap.
        changes: watches protected routes whose changes owners are told of; None where there are none.
    """

    def __init__(self, site: Site) -> None:
        settings = site.settings
        self._closing: list[Any] = []
        links = NoticeLinks(settings.signers, site.vault, settings.pages_url, clock_s=site.clock_s)
        sending = SenderParts(
            settings, site.vault, site.clocks, links, closing=self._closing, deliver=site.given.deliver
        )
        escrow = _escrow(site)
        self._proofs = ProofParts(site, escrow, sending, closing=self._closing) if settings.factors else None
        channels = sending.channels(site.given)
        proving = self._proofs.proving if self._proofs is not None else None
        parts = _parts(site, escrow, proving, channels, self._challenges(site))
        self._runs: Final = RunParts(site, parts, self._proofs)
        pages = PageParts(site, parts, self._proofs, links, channels, self._runs.consequences, closing=self._closing)
        self.caps: Final = self._runs.caps
        telling = self._proofs.telling if self._proofs is not None else None
        self.changes: Final = telling if telling is not None and telling.watches else None
        self.ports: Final = StepUps(
            asks=self._runs.issuer,
            routes=pages.routes,
            on_file=pages.on_file,
            contacts=pages.contacts,
            fresh=self._runs.fresh,
            consequences=self._runs.consequences,
            passkeys=pages.passkeys,
        )

    def end_all(self, accounts: tuple[bytes, ...]) -> None:
        for account in accounts:
            self._runs.consequences.end_all(account)

    async def aclose(self) -> None:
        """End all step-ups under way, then close the parts that they use."""
        async with AsyncExitStack() as stack:
            for part in self._closing:
                stack.push_async_callback(part.aclose)
            if self._proofs is not None:
                self._proofs.cancel()
            await self._runs.aclose()

    def _challenges(self, site: Site) -> Challenges:
        return ChallengeParts(
            site.settings, site.plugins, site.vault, site.clocks, clock_s=site.clock_s,
            size=site.given.puzzle_size or difficulty, closing=self._closing,
        ).made()  # fmt: skip


def _escrow(site: Site) -> Escrow:
    settings, clock_s = site.settings, site.clock_s
    return Escrow(
        settings.signers,
        site.vault,
        clock_ms=lambda: int(clock_s() * 1000),
        names=settings.secrets,
        has_log_outs=any(door.kind is DoorKind.LOGOUT for door in settings.doors),
        proofs_s=max((route.max_age_s for route in settings.protect), default=0),
    )


def _parts(site: Site, escrow: Escrow, proving: Proving | None, channels: Channels, challenges: Challenges) -> Parts:
    settings, widget = site.settings, site.plugins.widget
    waits = None if settings.captcha or widget else Waits(challenges, site.vault, VaultKeys(settings.secrets))
    provider = settings.oidc.name if settings.oidc else ""
    pages = Pages(settings.mount, settings.service_name, provider, settings.brand, widget)
    factors = proving.factors.names if proving else ()
    return Parts(
        mount=settings.mount,
        escrow=escrow,
        responses=Responses(site.renderer, pages, settings.mount, factors, channels.names),
        challenges=challenges,
        waits=waits,
        asks_work=bool(settings.challenges),
        proving=proving,
        anomaly=site.events.anomaly,
        refusals=site.refusals,
        events=site.events,
        clock_s=site.clock_s,
        account_digest=site.account_digest,
    )
