"""Builds step-ups and work from the settings. Imported only where a site uses either, because it needs the extras."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.asgi.endpoint_parts import StepUps
from sekisho.challenge.waits import Waits
from sekisho.challenge.work import difficulty
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import DoorKind
from sekisho.read.request import headers_by_name
from sekisho.settings.store import MEMORY
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.escrow import Escrow
from sekisho.stepup.factors.code_budget import CodeBudget
from sekisho.stepup.factors.requirements import Strictness
from sekisho.stepup.flow.activity_pages import ActivityPages
from sekisho.stepup.flow.aged_devices import AgedDevices
from sekisho.stepup.flow.capped_routes import CappedRoutes
from sekisho.stepup.flow.consequences import AccountConsequences
from sekisho.stepup.flow.contact_proofs import Channels, ContactBudget, ContactProofs
from sekisho.stepup.flow.enrolment_pages import EnrolmentPages
from sekisho.stepup.flow.escrowed_runs import EscrowedRuns
from sekisho.stepup.flow.fair_queue import FairQueue
from sekisho.stepup.flow.held_log_ins import HeldLogIns
from sekisho.stepup.flow.identity_pages import IdentityPages
from sekisho.stepup.flow.issue import Issuer
from sekisho.stepup.flow.not_me import NotMe
from sekisho.stepup.flow.notice_pages import NoticePages
from sekisho.stepup.flow.on_file import OnFileResets
from sekisho.stepup.flow.parts import Parts, Proving
from sekisho.stepup.flow.passkey_log_ins import PasskeyDoors
from sekisho.stepup.flow.proof_routes import RUN_S, ProofRoutes
from sekisho.stepup.flow.protected_routes import Protection
from sekisho.stepup.flow.questions import Questions
from sekisho.stepup.flow.redeem import Redeemer
from sekisho.stepup.flow.responses import Responses
from sekisho.stepup.flow.route_proofs import RouteProofs
from sekisho.stepup.flow.routes import PageRoutes
from sekisho.stepup.flow.telling import NoticeMeans, OwnerTelling
from sekisho.stepup.flow.unfinished import Unfinished
from sekisho.stepup.links import NoticeLinks
from sekisho.stepup.pages import Pages
from sekisho.stepup.session_binding import SessionBindings
from sekisho.wiring.challenges import ChallengeParts
from sekisho.wiring.owners import OwnerParts
from sekisho.wiring.senders import SenderParts
from sekisho.wiring.step_up_extras import (
    city_file_of,
    factor_classes,
    identity_provider,
    oidc_provider,
    passkey_sites,
    site_passkeys,
    sql_addresses,
    sql_log_ins,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.answer import Renderer
    from sekisho.asgi.admission import Admission
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.shared_addresses import SharedAddresses
    from sekisho.asgi.suspicion import Suspicion
    from sekisho.asgi.types import App
    from sekisho.challenge.challenges import Challenges
    from sekisho.detect import PostureWatch
    from sekisho.ledger.caps import CapLedger
    from sekisho.ledger.daily import DailyLimits
    from sekisho.pipeline import Guard
    from sekisho.record import Events, RefusalLog
    from sekisho.settings import Settings
    from sekisho.stepup.flow.csrf_cookies import CsrfCookies
    from sekisho.stepup.flow.routes import Served
    from sekisho.store.vault import Vault
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.given import Given
    from sekisho.wiring.plugins import PluginParts


log = logging.getLogger("sekisho")

OVER_BUDGET: Final = (
    "codes for log-ins are dropped: within the hour the whole site has sent four fifths of SEKISHO_CODES_MAX, or all. "
    "Owners without a passkey or an app cannot prove themselves meanwhile"
)


class Site(NamedTuple):
    """The parts of the guard that step-ups are built into.

    Attributes:
        cookie: writes device tokens.
        jitter: random numbers from 0 to 1, for pauses.
        sessions: the accounts of requests' sessions.
        lifespan_state: the state that the application shares with all requests from its start.
        test: tests a success rule under suspicion.
        clock_s: Unix time in seconds, by the store's clock.
        caps: sums amounts, if routes have caps.
        watch: the posture; None where none is estimated.
        daily: counts mailed codes in a day; None where no door needs it.
        shared: answers at addresses that many owners share; None where no history is kept.
    """

    app: App
    guard: Guard
    reading: Reading
    renderer: Renderer
    events: Events
    cookie: DeviceCookie
    jitter: Callable[[], float]
    lifespan_state: Callable[[], Mapping[str, object]]
    csrf: CsrfCookies
    sessions: SessionAccounts
    test: Callable[[Suspicion], None]
    clock_s: Callable[[], float]
    caps: CapLedger
    refusals: RefusalLog
    admission: Admission
    patience: Patience
    watch: PostureWatch | None
    daily: DailyLimits | None
    plugins: PluginParts
    shared: SharedAddresses | None


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
    """The step-up of one event loop: `ports` are those of its endpoint. Closed with the loop."""

    def __init__(self, settings: Settings, given: Given, site: Site, vault: Vault, clocks: Clocks) -> None:
        self._settings = settings
        self._vault = vault
        self._clocks = clocks
        self._clock_s = site.clock_s
        self._plugins = site.plugins
        self._closing: list[Any] = []
        self._unfinished: asyncio.Future[None] | None = None
        self._links = NoticeLinks(settings.signers, vault, settings.pages_url, clock_s=site.clock_s)
        self._sending = SenderParts(settings, vault, clocks, self._links, closing=self._closing, deliver=given.deliver)
        escrow = self._escrow()
        self._owners: Final = OwnerParts(settings, given, clocks, closing=self._closing) if settings.factors else None
        proving = self._proving(given, escrow, site, self._owners) if self._owners is not None else None
        channels = self._sending.channels(given)
        challenges = ChallengeParts(
            settings, site.plugins, vault, clocks, clock_s=site.clock_s, size=given.puzzle_size or difficulty,
            closing=self._closing,
        )  # fmt: skip
        parts = self._parts(site, escrow, proving, channels, challenges.made())
        telling = self._telling_owners(site, proving) if proving is not None else None
        self.changes: Final = telling if telling is not None and telling.watches else None
        aged = self._aged_devices(proving) if proving is not None else None
        self._runs: Final = EscrowedRuns(
            site.app, site.guard, parts, site.events, answers=site.reading.answers,
            lifespan_state=site.lifespan_state, csrf=site.csrf, test=site.test, admission=site.admission,
            shared=site.shared,
        )  # fmt: skip
        questions = Questions(parts, site.events, site.jitter)
        held = (
            HeldLogIns(site.guard, proving, self._runs, questions, site.events, watch=site.watch, aged=aged)
            if proving is not None
            else None
        )
        issuer = Issuer(
            site.guard, site.reading, parts, questions, held, workers_share=settings.store != MEMORY,
            telling=telling, aged=aged,
        )  # fmt: skip
        fresh = RouteProofs(parts, site.events)
        self._consequences: Final = AccountConsequences(site.guard, site.reading, parts, telling, fresh)
        self.caps: Final = (
            self._caps(site, proving, fresh, telling)
            if proving is not None and telling is not None and settings.caps
            else None
        )
        contacts = self._contact_proofs(site, parts, channels)
        on_file = self._on_file(site) if any(door.on_file for door in settings.doors) else None
        passkeys = self._passkey_doors(site, parts, proving) if proving is not None else None
        owners_pages = self._owners_pages(site, given, parts, proving) if proving is not None else ()
        routes = PageRoutes(
            site.guard,
            site.reading,
            parts,
            (*owners_pages, contacts, passkeys),
            patience=site.patience,
            jitter=site.jitter,
            passkey_sites=passkey_sites(settings),
        )
        self.ports: Final = StepUps(issuer, routes, on_file, contacts, fresh, self._consequences, passkeys)

    def end_all(self, accounts: tuple[bytes, ...]) -> None:
        for account in accounts:
            self._consequences.end_all(account)

    async def aclose(self) -> None:
        """End all step-ups under way, then close the parts that they use."""
        async with AsyncExitStack() as stack:
            for part in self._closing:
                stack.push_async_callback(part.aclose)
            for task in (self._unfinished, self._owners.looking if self._owners is not None else None):
                if task is not None:
                    task.cancel()
            await self._consequences.aclose()
            await self._runs.aclose()

    def _escrow(self) -> Escrow:
        settings, clock_s = self._settings, self._clock_s
        return Escrow(
            settings.signers,
            self._vault,
            clock_ms=lambda: int(clock_s() * 1000),
            names=settings.secrets,
            has_log_outs=any(door.kind is DoorKind.LOGOUT for door in settings.doors),
            proofs_s=max((route.max_age_s for route in settings.protect), default=0),
        )

    def _parts(
        self, site: Site, escrow: Escrow, proving: Proving | None, channels: Channels, challenges: Challenges
    ) -> Parts:
        settings, widget = self._settings, self._plugins.widget
        waits = None if settings.captcha or widget else Waits(challenges, self._vault, VaultKeys(settings.secrets))
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
            account_digest=partial(site.guard.account_digest, site.reading.accounts),
        )

    def _owners_pages(self, site: Site, given: Given, parts: Parts, proving: Proving) -> tuple[Served | None, ...]:
        """The pages of a site with factors: for proofs, for enrolments, and those that notices link to."""
        redeemer = Redeemer(site.guard, site.reading, parts, proving, site.events, site.cookie, site.watch)
        not_me = NotMe(site.guard, site.reading, self._consequences.end_all, given.on_not_me)
        activity = ActivityPages(parts, proving.log_ins, not_me) if proving.log_ins is not None else None
        return (
            ProofRoutes(parts, proving, redeemer),
            EnrolmentPages(parts, proving, activity),
            IdentityPages(parts, proving) if "oidc" in self._settings.factors else None,
            NoticePages(parts, self._links, not_me, self._settings.account_page or ""),
        )

    def _aged_devices(self, proving: Proving) -> AgedDevices | None:
        if self._settings.aged_device_days is None:
            return None
        return AgedDevices(self._vault, VaultKeys(self._settings.secrets), proving.factors, proving.senders)

    def _telling_owners(self, site: Site, proving: Proving) -> OwnerTelling:
        settings, callers = self._settings, site.reading.callers
        return OwnerTelling(
            proving.factors,
            proving.senders,
            proving.protection,
            NoticeMeans(
                self._vault,
                VaultKeys(settings.secrets),
                frozenset(settings.stranger_notices),
                settings.stranger_notices_max,
                site.clock_s,
                lambda scope: callers.read(scope, headers_by_name(scope["headers"])).origin.address,
            ),
        )

    def _caps(self, site: Site, proving: Proving, fresh: RouteProofs, telling: OwnerTelling) -> CappedRoutes:
        settings = self._settings
        return CappedRoutes(
            site.app, proving.protection, site.caps, self._vault, VaultKeys(settings.secrets),
            account_digest=partial(site.guard.account_digest, site.reading.accounts),
            ask_for_proof=fresh.fresh_proof, renderer=site.renderer, events=site.events, refusals=site.refusals,
            patience=site.patience, body_bytes_max=settings.body_bytes_max, jitter=site.jitter,
            clock_s=site.clock_s, tell=telling.cap_reached,
        )  # fmt: skip

    def _on_file(self, site: Site) -> OnFileResets | None:
        if self._owners is None:
            return None
        found = OnFileResets(
            site.app, site.guard, self._owners.owners, site.renderer, self._vault, VaultKeys(self._settings.secrets),
            book=self._owners.book,
        )  # fmt: skip
        self._closing.append(found)  # closed before the owners that it asks
        return found

    def _passkey_doors(self, site: Site, parts: Parts, proving: Proving) -> PasskeyDoors | None:
        """Proves log-ins that begin with a passkey; None where no door has them."""
        log_in = proving.factors.log_in
        if log_in is None:
            return None
        return PasskeyDoors(site.guard, parts, proving, log_in, site.cookie, jitter=site.jitter)

    def _contact_proofs(self, site: Site, parts: Parts, channels: Channels) -> ContactProofs | None:
        """Asks for codes at sign-ups; None where no door has `contact=`."""
        settings = self._settings
        if not channels.names or site.daily is None:
            return None
        from sekisho.stepup.factors.codes import Codes  # noqa: PLC0415 - needs packages that other sites lack

        keys, sealer = VaultKeys(settings.listed), Sealer(settings.listed, clock_s=self._clocks.wall_s)
        codes = Codes(self._vault, keys, sealer, AttemptLimits(self._vault, keys))
        budget = ContactBudget(
            site.daily, keys, network_max=settings.day_limits.signup_network, site_max=settings.signup_codes_max
        )
        found = ContactProofs(site.guard, site.reading, parts, codes, budget, channels)
        self._closing.append(found)  # closed before the mailer and the sender
        return found

    def _proving(self, given: Given, escrow: Escrow, site: Site, its: OwnerParts) -> Proving:
        settings, owners = self._settings, its.owners
        site_factors, enrolment = factor_classes()
        senders = self._sending.senders(given, site.events, its.database)
        index = its.passkey_index()
        passkeys, provider = site_passkeys(settings), identity_provider(settings, site.events, self._clocks)
        factors = site_factors(
            settings.factors, owners, self._vault, settings.listed, passkeys=passkeys, sender=senders,
            provider=provider, strictness=Strictness(settings.floor, settings.totp_drift, settings.oidc_class),
            book=its.book, budget=self._code_budget(site.events), index=index, clock_s=self._clocks.wall_s,
        )  # fmt: skip
        enrolling = enrolment(
            owners, self._vault, settings.listed, passkeys=passkeys, sender=senders, issuer=settings.service_name,
            requirements=factors.requirements, provider=provider, index=index, clock_s=self._clocks.wall_s,
        )  # fmt: skip
        log_ins = its.log_ins()
        unfinished = Unfinished(
            self._vault, settings.listed, escrow, factors, senders, log_ins=log_ins, clock_s=self._clocks.wall_s,
            sleep=self._clocks.rest,
        )  # fmt: skip
        self._unfinished = asyncio.ensure_future(unfinished.run())
        bindings = SessionBindings(settings.signers, guesses=settings.guesses_session, clock_s=self._clock_s)
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

    def _code_budget(self, events: Events) -> CodeBudget:
        return CodeBudget(
            self._vault,
            VaultKeys(self._settings.secrets),
            codes_max=self._settings.codes_max,
            chance=random.random,
            exhausted=partial(events.anomaly, OVER_BUDGET),
        )
