"""Log-ins that begin with a passkey: the options for the form's script, and the proof at the door.

No password is asked for, so the application must not run without a proof: it runs behind a right passkey alone, and for
the account that the passkey names. All wrong ones are answered alike, at the same moments, and stay counted by address,
network and device.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from sekisho.answer import retry_after_s, send_answer, unavailable
from sekisho.asgi.ports import ProvedLogIn
from sekisho.model import SekishoError
from sekisho.model.text import utf8
from sekisho.read import credentials_set
from sekisho.stepup.escrow import Purpose
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.grants import Grants, ProvedClient
from sekisho.stepup.flow.proof_routes import even_s
from sekisho.stepup.flow.waiting_proofs import WaitingProofs
from sekisho.stepup.pages import PASSKEY_MODULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Answer
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import Message
    from sekisho.assessment import Assessment
    from sekisho.model import Door
    from sekisho.model.headers import Headers
    from sekisho.settler import Settler
    from sekisho.stepup.factors.passkey_log_in import PasskeyLogIn, ProvedOwner
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts, Proving


FACTOR: Final = "webauthn"
BUSY_US: Final = 3_000_000
PATH: Final = "/passkey/options"
TOTAL_MAX: Final = 256
"""Passkeys that one event loop looks at together: each costs some queries and a signature's check."""


class PasskeyDoors:
    """Belongs to one event loop.

    Args:
        settler: refunds the charge of right ones, and keeps that of wrong ones.
        parts: the parts of a step-up.
        proving: the parts of a proof.
        log_in: makes challenges, and accepts passkeys.
        grants: give the client a device token and bind its session.
        jitter: uniform in [0, 1), for the time after which to try again.
    """

    def __init__(
        self,
        settler: Settler,
        parts: Parts,
        proving: Proving,
        log_in: PasskeyLogIn,
        grants: Grants,
        *,
        jitter: Callable[[], float],
    ) -> None:
        self._settler = settler
        self._parts = parts
        self._senders = proving.senders
        self._log_in = log_in
        self._grants = grants
        self._jitter = jitter
        self._waiting = WaitingProofs(total_max=TOTAL_MAX)
        self.routes: dict[tuple[str, str], Handler] = {
            ("POST", PATH): self._options,
            ("GET", f"/{PASSKEY_MODULE}"): self._module,
        }

    async def prove(self, context: RequestContext, assessment: Assessment) -> ProvedLogIn | None:
        """Return the log-in of the account whose passkey was shown; None if the passkey proves nothing.

        With None, the client has its answer: a refusal, also if the store or the database fails.
        """
        begun_s = asyncio.get_running_loop().time()
        try:
            with self._waiting.place(context.digests.site, context.digests.ip):
                found = await self._shown(context, assessment.attempt.secret)
                if found is not None:
                    self._settler.give_back(assessment)  # this was no guess, for any answer of the application
                    return self._granted(context, found)
                await asyncio.sleep(even_s(asyncio.get_running_loop().time() - begun_s))
            answer = self._refused(context)
        except SekishoError:
            # Nothing can be known, so nothing is granted.
            refusal = unavailable(retry_after_s(BUSY_US, self._jitter()))
            answer = self._parts.responses.refusal(context.scope["headers"], refusal)
        self._settler.put_off(assessment)
        await send_answer(context.send, answer)
        return None

    async def _shown(self, context: RequestContext, credential: str) -> ProvedOwner | None:
        found = await self._log_in.accept(utf8(credential), browser_key_of(context.by_name).key)
        # A name that the settings no longer accept counts as no account.
        return found if found is not None and self._parts.account_digest(found.owner.account) else None

    def _granted(self, context: RequestContext, found: ProvedOwner) -> ProvedLogIn:
        owner, door = found.owner, context.door
        self._parts.events.proved(door.name, Purpose.LOGIN.value, FACTOR, owner.account, context.origin)
        by_header = context.presented.by_header or browser_key_of(context.by_name).by_header
        elsewhere = self._parts.responses.is_elsewhere(context.scope["headers"])
        client = ProvedClient(owner, context.by_name, context.origin.address, by_header, elsewhere)

        async def send(message: Message) -> None:
            # An attacker who can crash the worker now must not keep the owner from hearing of the device.
            if message["type"] == "http.response.start":
                await self._senders.kept(owner.account_id)
            await context.send(message)

        return ProvedLogIn(owner.account, partial(self._headers, client, found, door), send)

    def _headers(self, client: ProvedClient, found: ProvedOwner, door: Door, headers: Headers, body: bytes) -> Headers:
        binding = self._grants.binding(client, found.proof, credentials_set(door, headers, body))
        return [*self._grants.device(client), *binding]

    def _refused(self, context: RequestContext) -> Answer:
        door = context.door.name
        self._parts.refusals.answered(door, "proof_failed", FACTOR, enforced=True)
        self._parts.events.step_up_failed(door, Purpose.LOGIN.value, FACTOR, "", context.origin)
        return self._parts.responses.proof_failed(context.scope["headers"])

    async def _options(self, call: PageCall) -> Answer:
        options = self._log_in.options(call.browser_key.key)
        line = call.browser_key.line(elsewhere=self._parts.responses.is_elsewhere(call.headers))
        return self._parts.responses.json(call.headers, 200, {"publicKey": options}).adding(line)

    async def _module(self, _: PageCall) -> Answer:
        return self._parts.responses.module(PASSKEY_MODULE)
