"""What owners prove themselves with: a passkey, an authenticator app, or a mailbox that codes are sent to."""

from __future__ import annotations

import asyncio
import json
from base64 import b32encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import pyotp

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Contact, Enrolment, MemoryOwners
from sekisho.simulate.laboratory.passkey import Passkey
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.factors.totp import PURPOSE, SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.simulate.laboratory.browser import Browser, BrowserAnswer
    from sekisho.simulate.laboratory.scenario import OwnerHabits
    from sekisho.simulate.population import Population
    from sekisho.stepup.factors.webhook import CodeMessage

NONE, SENT, APP, PHR = "none", "sent", "app", "phr"
SITE: Final = "https://shop.test"
PHISHER: Final = "https://shop-test.example"
CODE_S_MAX: Final = 30.0


def mail_address(owner: int) -> str:
    return f"owner{owner}@mail.test"


class SimulatedFactors:
    """The owners' factors, as the guard stores them and as the owners hold them.

    Args:
        in_use: whether the service asks for factors; otherwise every account counts as one without.
        clock_s: Unix time in seconds.

    Attributes:
        stored: what the guard reads: mail addresses and enrolments.
    """

    def __init__(
        self, population: Population, owners: OwnerHabits, seed: int, *, in_use: bool, clock_s: Callable[[], float]
    ) -> None:
        self._population = population
        self._owners = owners
        self._seed = seed
        self._in_use = in_use
        self._clock_s = clock_s
        self._mailboxes: dict[str, asyncio.Queue[str]] = {}
        self.stored = MemoryOwners({})
        if in_use:
            self.stored = MemoryOwners(
                {population.account(owner): self._contact(owner) for owner in range(population.owners)}
            )

    def account_class(self, owner: int) -> str:
        """Return the kind of an owner's factor: `NONE`, `SENT` (codes), `APP` or `PHR` (a passkey)."""
        if not self._in_use:
            return NONE
        place, owners = self._words(owner)[0] / 256, self._owners
        if place < owners.app_share:
            return APP
        # At the other end, so that the apps of a scenario stay with their owners.
        if place >= 1 - owners.passkey_share:
            return PHR
        return SENT if place < owners.app_share + owners.mail_share else NONE

    def _contact(self, owner: int) -> Contact:
        has_mail = self.account_class(owner) != NONE
        return Contact(str(owner), mail_address(owner) if has_mail else None, "en")

    def has_enrolled(self, owner: int) -> bool:
        """Whether this owner has an app or a passkey."""
        return self.account_class(owner) in {APP, PHR}

    async def enrol(self, secret: bytes) -> None:
        """Store the enrolments of all apps and passkeys, sealed with the service's secret."""
        sealer = Sealer((secret,), clock_s=self._clock_s)
        passkeys = PasskeySealer(sealer)
        for owner in range(self._population.owners):
            account, number, held = str(owner), self._words(owner)[32:48].hex(), self.account_class(owner)
            if held == APP:
                sealed = sealer.seal(PURPOSE, self._secret(owner), bound_to=enrolment_binding(account, number))
                await self.stored.enrol(account, Enrolment(number, "totp", "phone", 1, sealed))
            elif held == PHR:
                sealed = passkeys.seal(self._passkey(owner).credential, account=account, enrolment=number)
                await self.stored.enrol(account, Enrolment(number, "webauthn", "phone", 1, sealed))

    async def on_code(self, message: CodeMessage) -> None:
        """Deliver a code to its owner's mailbox, as the service's own channel would."""
        self._mailbox(message.account).put_nowait(message.code)

    async def prove(
        self, owner: int, browser: Browser, asked: BrowserAnswer, where: str, page: str = SITE
    ) -> BrowserAnswer | None:
        """Answer a question with the owner's factor; return the service's answer, None if the owner has none to show.

        Args:
            owner: the number of the owner that is asked.
            browser: sends the answer.
            asked: the question.
            where: the browser's address.
            page: origin of the page that the owner sees: `SITE`, or `PHISHER` where a phisher passes the answer on.
        """
        factor = self._factor(owner)
        if not self.can_answer(owner, asked):
            return None
        if factor == "webauthn":
            options = await browser.passkey_options(asked, where)
            signed = None if options is None else self._passkey(owner).sign(options, page)
            return None if signed is None else await browser.prove(asked, where, factor, signed)
        code = self._app_code(owner) if factor == "totp" else await self._sent_code(owner, browser, asked, where)
        return await browser.prove(asked, where, factor, code) if code else None

    def can_answer(self, owner: int, asked: BrowserAnswer) -> bool:
        """Whether the owner has a factor that the question accepts."""
        return self._factor(owner) in json.loads(asked.body).get("factors", ())

    def _factor(self, owner: int) -> str:
        return {PHR: "webauthn", APP: "totp", SENT: "webhook"}.get(self.account_class(owner), "")

    def _app_code(self, owner: int) -> str:
        return pyotp.TOTP(b32encode(self._secret(owner)).decode()).at(int(self._clock_s()))

    async def _sent_code(self, owner: int, browser: Browser, asked: BrowserAnswer, where: str) -> str:
        mailbox = self._mailbox(self._population.account(owner))
        while not mailbox.empty():
            mailbox.get_nowait()
        await browser.ask_for_code(asked, where)
        try:
            async with asyncio.timeout(CODE_S_MAX):
                return await mailbox.get()
        except TimeoutError:
            return ""

    def _mailbox(self, account: str) -> asyncio.Queue[str]:
        return self._mailboxes.setdefault(account, asyncio.Queue())

    def _passkey(self, owner: int) -> Passkey:
        return Passkey(self._words(owner)[:32])

    def _secret(self, owner: int) -> bytes:
        return self._words(owner)[:SECRET_BYTES]

    def _words(self, owner: int) -> bytes:
        return blake2b(owner.to_bytes(8, "big"), digest_size=64, salt=self._seed.to_bytes(16, "big")).digest()
