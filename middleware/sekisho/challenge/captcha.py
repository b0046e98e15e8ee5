"""Captcha providers: Turnstile and hCaptcha. Their `siteverify` says whether a token was earned.

A solved captcha means that a person, possibly a hired one, solved a riddle on the site. It does not identify the
person: `Solved` is no proof of identity, and no code that requires one accepts it.

A question has three answers. A provider that is down, slow, broken or doubtful gives *could not tell* (None). A caller
must treat it neither as *solved*, which an attacker could cause by slowing the provider down, nor as *not solved*,
which would lock out every client. Both *not solved* and *could not tell* are false in a condition.

The provider learns the token, and with it everything that its own script reported. It learns the client's address only
if the site enables that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlencode

from sekisho.https_post import FORM, HttpsPost, PostFault
from sekisho.store.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho.captcha")

USED_S = 600  # seconds; twice the life of Turnstile's tokens; hCaptcha's live for two minutes

_TOKEN = re.compile("[!-~]+")
_NO_SECRET = {"missing-input-secret", "invalid-input-secret"}
_NOT_EARNED = {
    "missing-input-response",
    "invalid-input-response",
    "expired-input-response",
    "timeout-or-duplicate",
    "already-seen-response",
    "invalid-or-already-seen-response",
    "sitekey-secret-mismatch",  # earned on another site
}


@dataclass(frozen=True, slots=True)
class Solved:
    """A captcha was solved for this attempt. It is no proof of identity, and no tuple that could equal one.

    Attributes:
        by: the provider's name.
    """

    by: str


Answer: TypeAlias = Solved | Literal[False] | None
"""Solved, not solved, could not tell."""


class Captcha(Protocol):
    """Says whether a token was earned."""

    async def check(self, token: str, *, address: str = "") -> Answer:
        """Check a token that a client showed: solved, not solved (False), or could not tell (None).

        A solved token counts once. Beyond the bounds the answer is *not solved*.

        Raises:
            StoreUnavailable: it is unknown whether the token was used before, so grant nothing.
        """
        ...


class Provider(NamedTuple):
    """The differences between providers with `siteverify`.

    Attributes:
        name: as in the settings.
        url: of `siteverify`.
        field: the name of the token in the page's form.
        token_chars_max: longer tokens are refused without a request.
        tells_action: whether the answer names the action that the page gave the widget.
        takes_sitekey: whether the request may name the site's key, so that tokens of the operator's other sites are
            refused.
    """

    name: str
    url: str
    field: str
    token_chars_max: int
    tells_action: bool
    takes_sitekey: bool


TURNSTILE = Provider(
    "turnstile",
    "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "cf-turnstile-response",
    token_chars_max=2_048,  # documented
    tells_action=True,
    takes_sitekey=False,
)
HCAPTCHA = Provider(
    "hcaptcha",
    "https://api.hcaptcha.com/siteverify",
    "h-captcha-response",
    token_chars_max=8_192,  # no bound is documented; tokens have some thousands
    tells_action=False,
    takes_sitekey=True,
)


class CaptchaLimits(NamedTuple):
    """Every bound, with its reason. Times are in seconds.

    Attributes:
        call_s: limit of a whole call, because a client waits for it.
        calls_max: calls at once. A flood is not passed on: further calls wait for a place.
        waiting_max: calls that wait. Beyond it the answer is *not solved*. With *could not tell*, an attacker who fills
            these places would replace the captcha by work for all clients.
        address_max: calls of one address that wait or run: one flood must not take all places.
        wait_s: how long a call waits for a place.
        answer_bytes_max: headers included. An answer has less than 1 KiB.
        failures_max: consecutive failures before a pause.
        pause_s_min: the first pause; it doubles with each failed trial.
        pause_s_max: the longest pause.
    """

    call_s: float = 1.5
    calls_max: int = 64
    waiting_max: int = 1_000
    address_max: int = 16
    wait_s: float = 5
    answer_bytes_max: int = 16 << 10
    failures_max: int = 3
    pause_s_min: float = 1
    pause_s_max: float = 60


class Siteverify:
    """Asks a provider; see the module. Belongs to the event loop in which it is used; each loop has its own.

    Args:
        provider: `TURNSTILE` or `HCAPTCHA`.
        secret: the site's secret at the provider.
        vault: remembers used tokens.
        hostnames: the exact hosts whose pages show the widget; a token from any other host is refused.
        action: the action that the page gave the widget, if the provider reports it; empty: not checked.
        sitekey: the site's key, if the provider takes it.
        send_address: whether to send the client's address to the provider.
        url: replaces the provider's own.
        limits: see `CaptchaLimits`.
        clock_s: monotonic seconds, for the pauses.

    Raises:
        ValueError: no secret, no hostname, or a check that the provider does not support.
    """

    def __init__(  # noqa: PLR0913 - the options of a site, each by name
        self,
        provider: Provider,
        secret: str,
        vault: Vault,
        *,
        hostnames: Iterable[str],
        action: str = "",
        sitekey: str = "",
        send_address: bool = False,
        url: str = "",
        limits: CaptchaLimits = CaptchaLimits(),  # noqa: B008 - frozen
        clock_s: Callable[[], float],
    ) -> None:
        self._hostnames = frozenset(name.lower() for name in hostnames)
        if not secret or not self._hostnames:
            raise ValueError("a captcha needs a secret and the hostnames that it is shown on")
        if (action and not provider.tells_action) or (sitekey and not provider.takes_sitekey):
            raise ValueError(f"{provider.name} does not support that check")
        self._provider = provider
        self._form = {"secret": secret} | ({"sitekey": sitekey} if sitekey else {})
        self._mark_key = blake2b(secret.encode(), digest_size=64, person=b"sekisho.captcha").digest()
        self._vault = vault
        self._action = action
        self._send_address = send_address
        self._wire = HttpsPost(url or provider.url, content_type=FORM, answer_bytes_max=limits.answer_bytes_max)
        self._limits = limits
        self._clock_s = clock_s
        self._breaker = Breaker(
            failures_max=limits.failures_max, pause_s_min=limits.pause_s_min, pause_s_max=limits.pause_s_max
        )
        self._calls: set[asyncio.Task[Answer]] = set()
        self._places = asyncio.Semaphore(limits.calls_max)
        self._waiting: Counter[str] = Counter()  # by address, including running calls
        self._is_crowded = False
        self._closed = False

    @property
    def answers(self) -> bool:
        """Whether the provider answered the last request."""
        return self._breaker.closed

    async def check(self, token: str, *, address: str = "") -> Answer:
        """Ask the provider about a token; see `Captcha.check`. `address` is sent only if the site enables that."""
        if len(token) > self._provider.token_chars_max or not _TOKEN.fullmatch(token):
            return False
        if self._closed or not self._breaker.admits(self._clock_s()):
            return None
        answer = await self._in_place(self._form | {"response": token} | self._told(address), address)
        if not answer:
            return answer
        # The provider, too, accepts a token once. We do not rely on that promise: a mark in the store costs little.
        return answer if await self._vault.once(self._mark(token), seconds=USED_S) else False

    async def aclose(self) -> None:
        """Answer *could not tell* to all waiting callers, and refuse new ones."""
        self._closed = True
        for call in tuple(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _told(self, address: str) -> dict[str, str]:
        return {"remoteip": address} if address and self._send_address else {}

    def _mark(self, token: str) -> bytes:
        return blake2b(token.encode(), key=self._mark_key, digest_size=16, person=b"captcha used").digest()

    async def _in_place(self, form: dict[str, str], address: str) -> Answer:
        """Make the call once there is a place for it; *not solved* if there is none."""
        if not self._has_room(address):
            return self._turned_away()
        self._waiting[address] += 1
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await self._places.acquire()
        except TimeoutError:
            return self._turned_away()
        else:
            return await self._asked(form)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _has_room(self, address: str) -> bool:
        if address and self._waiting[address] >= self._limits.address_max:
            return False
        return self._waiting.total() < self._limits.calls_max + self._limits.waiting_max

    def _turned_away(self) -> Literal[False]:
        if not self._is_crowded:
            self._is_crowded = True
            log.warning(
                "too many captchas to check with %s at once: some clients must solve another one", self._provider.name
            )
        return False

    def _leave(self) -> None:
        """Release a place."""
        self._places.release()
        self._is_crowded = self._is_crowded and self._places.locked()

    async def _asked(self, form: dict[str, str]) -> Answer:
        """Make the call in its place, and release the place when the call has ended."""
        if self._closed or (ticket := self._breaker.enter(self._clock_s())) is None:
            self._leave()
            return None
        # A separate task. Otherwise a client that hangs up would take the breaker's ticket with it, and an attacker who
        # opens and drops connections could make the breaker open.
        call = asyncio.create_task(self._call(form, ticket))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        await asyncio.wait((call,))
        return None if call.cancelled() else call.result()

    def _ended(self, call: asyncio.Task[Answer]) -> None:
        self._calls.discard(call)
        self._leave()

    async def _call(self, form: dict[str, str], ticket: int) -> Answer:
        try:
            answer = self._judged(_read(await self._wire.ask(urlencode(form).encode(), limit_s=self._limits.call_s)))
        except PostFault as fault:
            if self._breaker.failed(ticket, self._clock_s()):
                log.warning("%s is not asked for a while: %s", self._provider.name, fault.reason)
            return None
        if self._breaker.succeeded(ticket):
            log.info("%s answers again", self._provider.name)
        return answer

    def _judged(self, said: dict[str, Any]) -> Answer:
        """Interpret an answer.

        Raises:
            PostFault: the provider refuses our secret.
        """
        if not said["success"]:
            return _refusal(_codes(said))
        hostname = said.get("hostname")
        if not isinstance(hostname, str) or hostname.lower() not in self._hostnames:
            return False
        if self._action and said.get("action") != self._action:
            return False
        return Solved(self._provider.name)


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise PostFault("no JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("success"), bool):
        raise PostFault("an unexpected answer")
    return said


def _codes(said: dict[str, Any]) -> set[str]:
    codes = said.get("error-codes")
    return {code for code in codes if isinstance(code, str)} if isinstance(codes, list) else set()


def _refusal(codes: set[str]) -> Literal[False] | None:
    if codes & _NO_SECRET:
        raise PostFault("it refuses the site's secret")
    # Other codes are no fault: a client's token may have caused them, and no client may switch off the captcha for
    # others.
    return False if codes & _NOT_EARNED else None
