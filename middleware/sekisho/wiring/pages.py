"""Builds the pages below the mount, and what answers at doors that lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.flow.activity_pages import ActivityPages
from sekisho.stepup.flow.contact_proofs import ContactBudget, ContactProofs
from sekisho.stepup.flow.enrolment_pages import EnrolmentPages
from sekisho.stepup.flow.grants import Grants
from sekisho.stepup.flow.identity_pages import IdentityPages
from sekisho.stepup.flow.not_me import NotMe
from sekisho.stepup.flow.notice_pages import NoticePages
from sekisho.stepup.flow.on_file import OnFileResets
from sekisho.stepup.flow.passkey_log_ins import PasskeyDoors
from sekisho.stepup.flow.proof_routes import ProofRoutes
from sekisho.stepup.flow.redeem import Redeemer
from sekisho.stepup.flow.routes import PageRoutes
from sekisho.wiring.step_up_extras import passkey_sites

if TYPE_CHECKING:
    from sekisho.stepup.flow.consequences import AccountConsequences
    from sekisho.stepup.flow.contact_proofs import Channels
    from sekisho.stepup.flow.parts import Parts, Proving
    from sekisho.stepup.flow.routes import Served
    from sekisho.stepup.links import NoticeLinks
    from sekisho.wiring.proofs import ProofParts
    from sekisho.wiring.site import Site


class PageParts:
    """The pages of one event loop.

    Args:
        site: what they are built from.
        parts: the parts of a step-up.
        proofs: of a site with factors; None of others.
        links: reads the links of notices.
        channels: send codes at sign-ups.
        consequences: end the step-ups of an account whose owner says that it was another person.
        closing: takes the parts that are closed with the loop.

    Attributes:
        contacts: asks for codes at sign-ups; None where no door has `contact=`.
        on_file: answers requests for a reset whose address must be on file; None where no door asks for it.
        passkeys: proves log-ins that begin with a passkey; None where no door has them.
        routes: serves the pages.
    """

    def __init__(
        self,
        site: Site,
        parts: Parts,
        proofs: ProofParts | None,
        links: NoticeLinks,
        channels: Channels,
        consequences: AccountConsequences,
        *,
        closing: list[Any],
    ) -> None:
        self._site = site
        self._parts = parts
        self._links = links
        self._consequences = consequences
        self._closing = closing
        self.contacts: Final = self._contact_proofs(channels)
        self.on_file: Final = self._on_file(proofs) if proofs is not None else None
        self.passkeys: Final = self._passkey_doors(proofs) if proofs is not None else None
        owners_pages = self._owners_pages(proofs) if proofs is not None else ()
        self.routes: Final = PageRoutes(
            site.gate,
            site.reading,
            parts,
            (*owners_pages, self.contacts, self.passkeys),
            patience=site.patience,
            jitter=site.jitter,
            passkey_sites=passkey_sites(site.settings),
        )

    def _contact_proofs(self, channels: Channels) -> ContactProofs | None:
        site, settings = self._site, self._site.settings
        if not channels.names or site.daily is None:
            return None
        from sekisho.stepup.factors.codes import Codes  # noqa: PLC0415 - needs packages that other sites lack

        keys, sealer = VaultKeys(settings.listed), Sealer(settings.listed, clock_s=site.clocks.wall_s)
        codes = Codes(site.vault, keys, sealer, AttemptLimits(site.vault, keys))
        budget = ContactBudget(
            site.daily, keys, network_max=settings.day_limits.signup_network, site_max=settings.signup_codes_max
        )
        found = ContactProofs(site.settler, site.reading, self._parts, codes, budget, channels)
        self._closing.append(found)  # closed before the mailer and the sender
        return found

    def _on_file(self, proofs: ProofParts) -> OnFileResets | None:
        site, its = self._site, proofs.owners
        if not any(door.on_file for door in site.settings.doors):
            return None
        found = OnFileResets(
            site.app, site.settler, its.owners, site.renderer, site.vault, VaultKeys(site.settings.secrets),
            clock_s=site.clock_s, book=its.book,
        )  # fmt: skip
        self._closing.append(found)  # closed before the owners that it asks
        return found

    def _passkey_doors(self, proofs: ProofParts) -> PasskeyDoors | None:
        site, log_in = self._site, proofs.proving.factors.log_in
        if log_in is None:
            return None
        return PasskeyDoors(
            site.settler, self._parts, proofs.proving, log_in, _grants(site, proofs.proving), jitter=site.jitter
        )

    def _owners_pages(self, proofs: ProofParts) -> tuple[Served | None, ...]:
        """The pages of a site with factors: for proofs, for enrolments, and those that notices link to."""
        site, parts, proving, settings = self._site, self._parts, proofs.proving, self._site.settings
        redeemer = Redeemer(site.settler, site.reading, parts, proving, site.events, _grants(site, proving), site.watch)
        not_me = NotMe(site.guard, site.reading, self._consequences.end_all, site.given.on_not_me)
        activity = ActivityPages(parts, proving.log_ins, not_me) if proving.log_ins is not None else None
        return (
            ProofRoutes(parts, proving, redeemer),
            EnrolmentPages(parts, proving, activity),
            IdentityPages(parts, proving) if "oidc" in settings.factors else None,
            NoticePages(parts, self._links, not_me, settings.account_page or ""),
        )


def _grants(site: Site, proving: Proving) -> Grants:
    return Grants(site.guard.devices, proving, site.cookie, clock_s=site.clock_s)
