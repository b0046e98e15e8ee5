"""Builds the steps around the application: questions and runs behind them, fresh proofs, consequences and caps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.settings.store import MEMORY
from sekisho.stepup.flow.cap_answers import CapAnswers
from sekisho.stepup.flow.cap_proofs import CapProofs
from sekisho.stepup.flow.capped_routes import Amounts, CappedRoutes
from sekisho.stepup.flow.consequences import AccountConsequences
from sekisho.stepup.flow.escrowed_run import GuardedApp
from sekisho.stepup.flow.escrowed_runs import EscrowedRuns
from sekisho.stepup.flow.held_log_ins import HeldLogIns
from sekisho.stepup.flow.issue import Issuer
from sekisho.stepup.flow.questions import Questions
from sekisho.stepup.flow.route_proofs import RouteProofs

if TYPE_CHECKING:
    from sekisho.stepup.flow.parts import Parts
    from sekisho.wiring.proofs import ProofParts
    from sekisho.wiring.site import Site


class RunParts:
    """The steps of one event loop.

    Args:
        site: what they are built from.
        parts: the parts of a step-up.
        proofs: of a site with factors; None of others.

    Attributes:
        issuer: asks for work and proofs.
        fresh: asks for fresh proofs at protected routes.
        consequences: what log-ins, changes and log-outs lead to.
        caps: sums amounts; None where no route has a cap.
    """

    def __init__(self, site: Site, parts: Parts, proofs: ProofParts | None) -> None:
        self._site = site
        self._parts = parts
        self._proofs = proofs
        self._runs: Final = self._escrowed_runs()
        self.issuer: Final = self._issuer()
        self.fresh: Final = RouteProofs(parts, site.events)
        telling = proofs.telling if proofs is not None else None
        self.consequences: Final = AccountConsequences(site.guard, site.reading, parts, telling, self.fresh)
        self.caps: Final = self._caps(proofs) if proofs is not None and site.settings.caps else None

    async def aclose(self) -> None:
        """End all step-ups under way."""
        await self.consequences.aclose()
        await self._runs.aclose()

    def _escrowed_runs(self) -> EscrowedRuns:
        site = self._site
        guarded = GuardedApp(site.app, site.lifespan_state, site.csrf, site.reading.answers, site.admission)
        return EscrowedRuns(guarded, site.settler, self._parts, site.events, test=site.test, shared=site.shared)

    def _issuer(self) -> Issuer:
        site, proofs = self._site, self._proofs
        questions = Questions(self._parts, site.events, site.jitter)
        return Issuer(
            site.guard,
            site.settler,
            site.reading,
            self._parts,
            questions,
            self._held(proofs, questions) if proofs is not None else None,
            workers_share=site.settings.store != MEMORY,
            telling=proofs.telling if proofs is not None else None,
            aged=proofs.aged if proofs is not None else None,
        )

    def _held(self, proofs: ProofParts, questions: Questions) -> HeldLogIns:
        site = self._site
        return HeldLogIns(
            site.guard, proofs.proving, self._runs, questions, site.events, watch=site.watch, aged=proofs.aged
        )

    def _caps(self, proofs: ProofParts) -> CappedRoutes:
        site, keys, digest = self._site, VaultKeys(self._site.settings.secrets), self._site.account_digest
        return CappedRoutes(
            site.app,
            proofs.proving.protection,
            Amounts(site.patience, site.settings.body_bytes_max),
            site.caps,
            key_of=lambda route, account: keys.of(b"caps", route, digest(account)),
            proofs=CapProofs(site.vault, keys, clock_s=site.clock_s),
            answers=CapAnswers(
                site.renderer,
                site.events,
                site.refusals,
                site.jitter,
                ask_for_proof=self.fresh.fresh_proof,
                tell=proofs.telling.cap_reached,
            ),
            clock_s=site.clock_s,
        )
