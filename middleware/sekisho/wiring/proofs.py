"""Builds what a site with factors has: what owners prove themselves by, and what tells them."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import DoorKind
from sekisho.read.request import headers_by_name
from sekisho.stepup.factors.code_budget import CodeBudget
from sekisho.stepup.factors.dependencies import FactorDependencies
from sekisho.stepup.factors.requirements import Strictness
from sekisho.stepup.flow.aged_devices import AgedDevices
from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.stepup.flow.parts import Proving
from sekisho.stepup.flow.proof_routes import RUN_S
from sekisho.stepup.flow.protected_routes import Protection
from sekisho.stepup.flow.telling import NoticeMeans, OwnerTelling
from sekisho.stepup.flow.unfinished import Unfinished
from sekisho.stepup.session_binding import SessionBindings
from sekisho.wiring.owners import OwnerParts
from sekisho.wiring.step_up_extras import factor_classes, identity_provider, site_passkeys

if TYPE_CHECKING:
    from sekisho.stepup.escrow import Escrow
    from sekisho.stepup.factors import Enrolling, Factors
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.log_ins import LogIns
    from sekisho.wiring.senders import SenderParts
    from sekisho.wiring.site import Site

OVER_BUDGET: Final = (
    "codes for log-ins are dropped: within the hour the whole site has sent four fifths of SEKISHO_CODES_MAX, or all. "
    "Owners without a passkey or an app cannot prove themselves meanwhile"
)


class ProofParts:
    """The proofs of one event loop's site.

    Args:
        site: has factors.
        escrow: tickets of step-ups.
        sending: builds what sends codes and notices.
        closing: takes the parts that are closed with the loop.

    Attributes:
        owners: account owners, as the database or the service's object knows them.
        proving: factors, queues of runs, sessions and protected routes.
        telling: tells owners of what concerns their account.
        aged: lets devices in by their age; None where none is.
    """

    def __init__(self, site: Site, escrow: Escrow, sending: SenderParts, *, closing: list[Any]) -> None:
        self._site = site
        self._keys = VaultKeys(site.settings.secrets)
        self.owners: Final = OwnerParts(site.settings, site.given, site.clocks, site.events, closing=closing)
        senders = sending.senders(site.given, site.events, self.owners.database)
        factors, enrolling = self._factors(senders)
        log_ins = self.owners.log_ins()
        unfinished = self._unfinished(escrow, factors, senders, log_ins)
        self._noticing: Final = asyncio.ensure_future(unfinished.run())
        self.proving: Final = self._proving(factors, enrolling, senders, unfinished, log_ins)
        self.telling: Final = self._telling()
        self.aged: Final = self._aged_devices()

    def cancel(self) -> None:
        """Cancel the tasks in the background."""
        self._noticing.cancel()
        if self.owners.looking is not None:
            self.owners.looking.cancel()

    def _factors(self, senders: Senders) -> tuple[Factors, Enrolling]:
        site, settings, its = self._site, self._site.settings, self.owners
        site_factors, enrolment = factor_classes()
        dependencies = FactorDependencies(
            its.owners,
            site.vault,
            settings.listed,
            senders,
            site.clocks.wall_s,
            site_passkeys(settings),
            identity_provider(settings, site.events, site.clocks),
            its.passkey_index(),
        )
        factors = site_factors(
            settings.factors,
            dependencies,
            strictness=Strictness(settings.floor, settings.totp_drift, settings.oidc_class),
            book=its.book,
            budget=self._code_budget(),
        )
        return factors, enrolment(dependencies, issuer=settings.service_name, requirements=factors.requirements)

    def _code_budget(self) -> CodeBudget:
        site = self._site
        return CodeBudget(
            site.vault,
            self._keys,
            codes_max=site.settings.codes_max,
            chance=random.random,
            exhausted=partial(site.events.anomaly, OVER_BUDGET),
        )

    def _unfinished(self, escrow: Escrow, factors: Factors, senders: Senders, log_ins: LogIns | None) -> Unfinished:
        site = self._site
        return Unfinished(
            site.vault, site.settings.listed, escrow, factors, senders, log_ins=log_ins, clock_s=site.clocks.wall_s,
            sleep=site.clocks.rest,
        )  # fmt: skip

    def _proving(
        self, factors: Factors, enrolling: Enrolling, senders: Senders, unfinished: Unfinished, log_ins: LogIns | None
    ) -> Proving:
        site, settings = self._site, self._site.settings
        bindings = SessionBindings(settings.signers, guesses=settings.guesses_session, clock_s=site.clock_s)
        return Proving(
            factors,
            enrolling,
            senders,
            FairQueue(site.admission, seconds_max=RUN_S),
            FairQueue(seconds_max=RUN_S),
            bindings,
            Protection(
                settings.protect,
                bindings,
                site.sessions,
                settings.caps,
                floor=settings.floor,
                links=[door for door in settings.doors if door.kind is DoorKind.LINK],
            ),
            unfinished,
            log_ins,
        )

    def _telling(self) -> OwnerTelling:
        site, proving, callers = self._site, self.proving, self._site.reading.callers
        return OwnerTelling(
            proving.factors,
            proving.senders,
            proving.protection,
            NoticeMeans(
                site.vault,
                self._keys,
                frozenset(site.settings.stranger_notices),
                site.settings.stranger_notices_max,
                site.clock_s,
                lambda scope: callers.read(scope, headers_by_name(scope["headers"])).origin.address,
            ),
        )

    def _aged_devices(self) -> AgedDevices | None:
        site = self._site
        if site.settings.aged_device_days is None:
            return None
        return AgedDevices(site.vault, self._keys, self.proving.factors, self.proving.senders)
