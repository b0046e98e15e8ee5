"""A site with every factor and two owners; messages to hooks are kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyotp
from cryptography.hazmat.primitives.asymmetric import ec

from sekisho.crypto.seal import Sealer
from sekisho.owners import Contact, MemoryOwners
from sekisho.record import Events
from sekisho.stepup.factors import AccountOwner, Enrolling, Factors, ShownFactor
from sekisho.stepup.factors.dependencies import FactorDependencies
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.factors.proving import NORMAL
from sekisho.stepup.factors.requirements import LOG_IN
from sekisho.stepup.factors.senders import Senders
from sekisho.stepup.factors.webhook import CodeQueue
from sekisho.stepup.webauthn import WebAuthn
from tests.stepup.authenticator import Authenticator
from tests.stepup.proving import NOW, SECRETS, memory
from tests.stepup.proving import Clock as Ticking

if TYPE_CHECKING:
    from sekisho.mail import Mailer, Service
    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.stepup.factors import Proof, TotpOffer
    from sekisho.stepup.factors.codes import Code
    from sekisho.stepup.factors.requirements import Demand, Strictness
    from sekisho.stepup.factors.webhook import CodeMessage

ORIGIN = "https://shop.example"
EVERY = ("webauthn", "totp", "email", "webhook")
BOUND = b"this browser"


class Clock:
    def __init__(self) -> None:
        self.now_s = float(NOW)

    def __call__(self) -> float:
        return self.now_s


class Notes(Senders):
    """The notices to owners, kept as well as sent."""

    def __init__(self, mailer: Mailer | None, service: Service | None) -> None:
        self.codes: list[CodeMessage] = []
        self.queued: list[str] = []
        self.recovering: list[str] = []
        self.resets: list[int] = []
        self.changes: list[tuple[str, str]] = []
        self.queue = CodeQueue(self._keep, chance=lambda: 0.0)
        super().__init__(Events(clock_us=lambda: 0), mailer, service, code_senders=(self.queue,), clock_s=time.time)

    async def _keep(self, message: CodeMessage) -> None:
        self.codes.append(message)

    def send_code(self, factor: str, owner: AccountOwner, code: Code, *, recovers: bool = False) -> None:
        (self.recovering if recovers else self.queued).append(code.digits)
        super().send_code(factor, owner, code, recovers=recovers)

    def reset_asked(self, owner: AccountOwner, due_s: int) -> None:
        self.resets.append(due_s)
        super().reset_asked(owner, due_s)

    def factor_changed(self, owner: AccountOwner, factor: str, change: str) -> None:
        self.changes.append((factor, change))
        super().factor_changed(owner, factor, change)


class Site:
    def __init__(
        self,
        mailer: Mailer | None = None,
        service: Service | None = None,
        strictness: Strictness = NORMAL,
        names: tuple[str, ...] = EVERY,
    ) -> None:
        self.clock = Clock()
        self.vault_clock = Ticking()
        self.vault = memory(self.vault_clock)
        self.owners = MemoryOwners(
            {
                "alice": Contact("1", "alice@mail.example", "en"),
                "Alice": Contact("1", "alice@mail.example", "en"),
                "bob": Contact("2", None, "ja"),
            }
        )
        self.senders = Notes(mailer, service)
        web = WebAuthn("shop.example", "Shop", [ORIGIN], b"d" * 32)
        secrets = tuple(SECRETS)
        index = PasskeyIndex(self.owners, Sealer(secrets, clock_s=self.clock), clock_s=self.clock)
        self.dependencies = FactorDependencies(
            self.owners, self.vault, secrets, self.senders, self.clock, passkeys=web, passkey_index=index
        )
        self.factors = Factors(names, self.dependencies, strictness=strictness)
        self.enrolling = Enrolling(self.dependencies, issuer="Shop", requirements=self.factors.requirements)

    async def owner(self, account: str = "alice") -> AccountOwner:
        return await self.factors.owner(account)

    async def trial(self, account: str = "alice", challenge: bytes = b"c" * 16, *, right: bool = True) -> CodeTrial:
        return self.factors.trial(challenge, await self.owner(account), behind_right_secret=right)

    async def shown(
        self,
        factor: str,
        code: str = "",
        credential: bytes = b"",
        *,
        account: str = "alice",
        challenge: bytes = b"c" * 16,
        right: bool = True,
        bound_to: bytes = BOUND,
        demand: Demand = LOG_IN,
    ) -> Proof | None:
        """Show a proof as a request would."""
        owner = await self.owner(account)
        trial = self.factors.trial(challenge, owner, behind_right_secret=right)
        return await self.factors.prove(trial, owner, ShownFactor(factor, code, credential), bound_to, demand=demand)

    async def app(self, account: str = "alice") -> pyotp.TOTP:
        """An enrolled authenticator app; the time step that enrolled it has passed."""
        owner = await self.owner(account)
        offer = await self.enrolling.begin_totp(owner)
        made = await self.enrolling.confirm_totp(owner, offer.state, self.code_of(offer), "Phone")
        assert made is not None
        self.clock.now_s += 30
        return pyotp.TOTP(offer.secret_text.replace(" ", ""))

    def code_of(self, offer: TotpOffer) -> str:
        return pyotp.TOTP(offer.secret_text.replace(" ", "")).at(int(self.clock.now_s))

    def code(self, app: pyotp.TOTP) -> str:
        return app.at(int(self.clock.now_s))

    def wrong(self, app: pyotp.TOTP) -> str:
        """A code of no time step nearby."""
        near = {app.at(int(self.clock.now_s) + drift * 30) for drift in (-1, 0, 1)}
        return next(text for number in range(9) if (text := f"{number:06}") not in near)

    async def passkey(self, account: str = "alice", credential_id: bytes = b"i" * 32) -> Authenticator:
        key = Authenticator(ORIGIN, ec.generate_private_key(ec.SECP256R1()), credential_id=credential_id)
        owner = await self.owner(account)
        options, state = await self.enrolling.passkey_options(owner)
        await self.enrolling.confirm_passkey(owner, state, key.create(options), "Key")
        return key

    async def assertion(
        self, key: Authenticator, account: str = "alice", challenge: bytes = b"c" * 16, bound_to: bytes = BOUND
    ) -> bytes:
        owner, trial = await self.owner(account), await self.trial(account, challenge)
        return key.get(await self.factors.passkey_options(trial, owner, bound_to, account_digest=b"counted"))

    async def code_sent(self, account: str = "alice", challenge: bytes = b"c" * 16) -> str:
        """The code that is sent for this challenge; empty if none is."""
        before = len(self.senders.queued)
        await self.factors.send(await self.trial(account, challenge), await self.owner(account), "webhook")
        return self.senders.queued[-1] if len(self.senders.queued) > before else ""

    def settle(self) -> None:
        """Let 72 hours pass, after which a new factor is no longer held back."""
        self.clock.now_s += 72 * 3_600

    async def told(self) -> None:
        """Wait until the hook has taken all queued messages, and take no more."""
        await self.senders.queue.aclose()
        await self.senders.aclose()
