"""The account owner's own page: lists the account's factors, adds new ones, removes old ones.

An attacker with a stolen session, or one left open in a library, must not be able to enrol a factor: the session must
be bound to its account, and a proof of *that* account must have been shown a moment ago (R4). Where no factor is
enrolled yet, mail can serve as the proof; the owner is told of every change.
"""

from __future__ import annotations

import json
from functools import partial
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from sekisho.answer import Answer, language_of, prefers_page
from sekisho.owners import EnrolmentsFull
from sekisho.stepup.escrow import Purpose, Ticket
from sekisho.stepup.factors.requirements import HELD_S, MANAGE, is_settled
from sekisho.stepup.flow.identity_pages import TOKEN
from sekisho.stepup.flow.waiting_proofs import WaitingProofs
from sekisho.stepup.pages import ListedFactor
from sekisho.stepup.proof import ProofFailed, StillNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from sekisho.stepup.factors import AccountOwner, TotpOffer
    from sekisho.stepup.flow.activity_pages import ActivityPages
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts, Proving
    from sekisho.stepup.session_binding import SessionBinding

    Step = Callable[[PageCall, AccountOwner], Awaitable[Answer]]

FRESH_S = 300
"""How long a proof permits changes on this page."""

PAGE = "page"
FAILED, CONFLICT = 401, 409
DONE = frozenset({"added", "removed", "changed"})
ENDED = frozenset({"ended", "denied"})
NAME_CHARS_MAX = 64


class EnrolmentPages:
    """Serves the owner's page and its API."""

    def __init__(self, parts: Parts, proving: Proving, activity: ActivityPages | None = None) -> None:
        self._parts = parts
        self._proving = proving
        self._activity = activity
        # Each look reads the owners' database, by the few connections that log-ins need too: an account of an
        # attacker's own, proved once in five minutes, would otherwise shut all strangers out.
        self._looks = WaitingProofs()
        steps: dict[str, Step] = {
            "/factors/totp": self._begin_totp,
            "/factors/totp/confirm": self._confirm_totp,
            "/factors/webauthn/options": self._passkey_options,
            "/factors/webauthn": self._confirm_passkey,
            "/factors/oidc": self._begin_identity,
            "/factors/oidc/confirm": self._confirm_identity,
            "/factors/recovery": self._recovery,
            "/factors/remove": self._remove,
            "/factors/only-strong": self._only_strong,
        }
        self.routes: dict[tuple[str, str], Handler] = {
            ("POST", path): partial(self._changed, step) for path, step in steps.items()
        }
        self.routes["GET", "/factors"] = partial(self._shown, self._listed_factors)
        for path in steps:
            self.routes["GET", path] = self._reloaded
        if activity is not None:
            self.routes["GET", "/activity"] = partial(self._shown, self._listed_log_ins)
            self.routes["POST", "/activity/end"] = partial(self._changed, activity.end)
            self.routes["POST", "/activity/not-me"] = partial(self._changed, activity.deny)

    async def _shown(self, show: Step, call: PageCall) -> Answer:
        with self._place(call):
            found = await self._person(call)
            return found if isinstance(found, Answer) else await show(call, found)

    async def _listed_factors(self, call: PageCall, owner: AccountOwner) -> Answer:
        return self._overview(call, owner, _notice(call, DONE))

    async def _listed_log_ins(self, call: PageCall, owner: AccountOwner) -> Answer:
        assert self._activity is not None  # noqa: S101 - or there would be no route
        answer = await self._activity.show(call, owner, self._token(call, owner), _notice(call, ENDED))
        return self._with_holder(call, answer)

    def _token(self, call: PageCall, owner: AccountOwner) -> str:
        """A token for forms: it shows that a request came from a page that its owner may see."""
        _, token = self._parts.escrow.issue(Ticket(b"", Purpose.MANAGE, PAGE, owner.account), call.browser_key.key)
        return token

    async def _reloaded(self, call: PageCall) -> Answer:
        """Redirect to the page that a step began on: the step's own page was the answer to a form."""
        return self._parts.responses.see_other(f"{call.prefix}{self._parts.mount}/factors")

    def _place(self, call: PageCall) -> AbstractContextManager[None]:
        return self._looks.place(call.caller.digests.site, call.caller.digests.ip)

    async def _changed(self, step: Step, call: PageCall) -> Answer:
        """Make a change: only for a client that may see the page, and from it; no other site can have it posted."""
        with self._place(call):
            return await self._change(step, call)

    async def _change(self, step: Step, call: PageCall) -> Answer:
        owner = await self._person(call)
        if isinstance(owner, Answer):
            return owner
        token = self._parts.escrow.read(call.fields.get("token", ""), call.browser_key.key)
        if token is None or (token.purpose, token.door, token.account) != (Purpose.MANAGE, PAGE, owner.account):
            return self._parts.responses.start_again(call.headers)
        try:
            answer = await step(call, owner)
        except EnrolmentsFull:
            return self._impossible(call, owner, "full", "enrolments_full")
        except StillNeeded:
            return self._impossible(call, owner, "needed", "still_needed")
        except (ProofFailed, ValueError):
            return self._failed(call, owner)
        # An attacker who can crash the worker now must not keep the owner from hearing of the change.
        await self._proving.senders.kept(owner.account_id)
        return answer

    def _impossible(self, call: PageCall, owner: AccountOwner, notice: str, code: str) -> Answer:
        if prefers_page(call.headers):
            return self._overview(call, owner, notice, CONFLICT)
        return self._parts.responses.json(call.headers, CONFLICT, {"code": code})

    def _failed(self, call: PageCall, owner: AccountOwner) -> Answer:
        if prefers_page(call.headers):
            return self._overview(call, owner, "failed", FAILED)
        return self._parts.responses.proof_failed(call.headers)

    async def _binding(self, call: PageCall) -> SessionBinding | None:
        return await self._proving.protection.binding(call.scope, int(self._parts.clock_s()))

    async def _person(self, call: PageCall) -> AccountOwner | Answer:
        """The owner whose page it is; or the answer that asks for a missing proof or log-in."""
        binding = await self._binding(call)
        if binding is None:
            wanted = self._proving.bindings.wanted(by_header=call.browser_key.by_header)
            return self._parts.responses.log_in_first(call.headers).adding(wanted)
        if not await self._is_fresh(binding):
            return await self._question(call, binding)
        owner = await self._proving.factors.owner(binding.account)
        # A worker of an earlier version may have taken a weaker proof, or a stronger factor has just come of age.
        now_s = int(self._parts.clock_s())
        if not self._proving.factors.requirements.suffices(owner, binding.proved_by, MANAGE, now_s):
            return await self._question(call, binding)
        return owner

    async def _is_fresh(self, binding: SessionBinding) -> bool:
        """Whether the session's proof is recent, and no change of the password has ended it: a thief's would go on."""
        if self._parts.clock_s() - binding.proved_s > FRESH_S:
            return False
        return not await self._parts.escrow.ended_since(self._parts.account_digest(binding.account), binding.proved_s)

    async def _question(self, call: PageCall, binding: SessionBinding) -> Answer:
        """The answer that asks for a proof."""
        _, text = await self._parts.escrow.issue_for_session(
            Ticket(b"", Purpose.MANAGE, "", binding.account, self._parts.account_digest(binding.account)),
            call.browser_key.key,
            self._proving.bindings.session(call.headers),
        )
        self._parts.events.step_up_issued("", Purpose.MANAGE.value, binding.account, call.caller.origin)
        return self._with_holder(call, self._parts.responses.step_up(call.headers, text))

    def _overview(self, call: PageCall, owner: AccountOwner, notice: str = "", status: int = 200) -> Answer:
        token = self._token(call, owner)
        responses, factors = self._parts.responses, self._proving.factors.names
        passkeys = self._proving.enrolling.accepted_passkeys(owner)
        only_strong = self._proving.factors.requirements.is_only_strong(owner)
        if not prefers_page(call.headers):
            listed = [self._described(one) for one in self._listed(owner)]
            members = {"factors": listed, "only_strong": only_strong, "passkeys": passkeys, "token": token}
            return self._with_holder(call, responses.json(call.headers, 200, members))
        page = responses.pages.manage(
            language_of(call.headers),
            enrolments=self._listed(owner),
            only_strong=only_strong,
            signal=json.dumps(passkeys) if passkeys else "",
            token=token,
            factors=factors,
            notice=notice,
            has_activity=self._activity is not None,
            nonce=token_urlsafe(16),
        )
        return self._with_holder(call, responses.page(page, status))

    # The changes.

    async def _begin_totp(self, call: PageCall, owner: AccountOwner) -> Answer:
        offer = await self._proving.enrolling.begin_totp(owner)
        if prefers_page(call.headers):
            return self._offered(call, offer)
        members = {"id": offer.id, "secret": offer.secret_text, "uri": offer.uri, "qr": offer.qr_svg}
        return self._parts.responses.json(call.headers, 200, {**members, "state": offer.state})

    def _offered(self, call: PageCall, offer: TotpOffer, *, failed: bool = False) -> Answer:
        responses, token = self._parts.responses, call.fields.get("token", "")
        page = responses.pages.totp(
            language_of(call.headers), offer=offer, token=token, failed=failed, nonce=token_urlsafe(16)
        )
        return responses.page(page, FAILED if failed else 200)

    async def _confirm_totp(self, call: PageCall, owner: AccountOwner) -> Answer:
        fields, enrolling = call.fields, self._proving.enrolling
        state = fields.get("state", "")
        if await enrolling.confirm_totp(owner, state, fields.get("code", ""), _label(fields)) is not None:
            return self._done(call, "added")
        # People mistype, and have the secret in their app already: a new secret would confuse them.
        if prefers_page(call.headers) and (offer := enrolling.totp_again(owner, state)) is not None:
            return self._offered(call, offer, failed=True)
        return self._failed(call, owner)

    async def _passkey_options(self, call: PageCall, owner: AccountOwner) -> Answer:
        options, state = await self._proving.enrolling.passkey_options(owner)
        return self._parts.responses.json(call.headers, 200, {"publicKey": options, "state": state})

    async def _confirm_passkey(self, call: PageCall, owner: AccountOwner) -> Answer:
        fields = call.fields
        credential = fields.get("credential", "").encode()
        await self._proving.enrolling.confirm_passkey(owner, fields.get("state", ""), credential, _label(fields))
        return self._done(call, "added")

    async def _begin_identity(self, call: PageCall, owner: AccountOwner) -> Answer:
        fields = {TOKEN: call.fields.get("token", "")}
        address = await self._proving.enrolling.begin_identity(owner, call.browser_key.key, fields)
        return self._parts.responses.see_other(address)

    async def _confirm_identity(self, call: PageCall, owner: AccountOwner) -> Answer:
        code, credential = call.fields.get("code", ""), call.fields.get("credential", "").encode()
        await self._proving.enrolling.confirm_identity(owner, call.browser_key.key, code, credential)
        return self._done(call, "added")

    async def _recovery(self, call: PageCall, owner: AccountOwner) -> Answer:
        sheet = await self._proving.enrolling.recovery(owner)
        responses = self._parts.responses
        if prefers_page(call.headers):
            page = responses.pages.recovery(language_of(call.headers), codes=sheet.codes, nonce=token_urlsafe(16))
            return responses.page(page)
        return responses.json(call.headers, 200, {"codes": list(sheet.codes)})

    async def _remove(self, call: PageCall, owner: AccountOwner) -> Answer:
        await self._proving.enrolling.remove(owner, call.fields.get("id", ""))
        return self._done(call, "removed")

    async def _only_strong(self, call: PageCall, owner: AccountOwner) -> Answer:
        await self._proving.enrolling.only_strong(owner, call.fields.get("on") == "yes")
        return self._done(call, "changed")

    def _done(self, call: PageCall, notice: str) -> Answer:
        """Redirect browsers back to the page, as is usual after a post."""
        if prefers_page(call.headers):
            return self._parts.responses.see_other(f"{call.prefix}{self._parts.mount}/factors?notice={notice}")
        return self._parts.responses.json(call.headers, 200, {"done": True})

    def _listed(self, owner: AccountOwner) -> list[ListedFactor]:
        now_s, makers = int(self._parts.clock_s()), self._proving.enrolling.makers(owner)
        return [
            ListedFactor(
                one.id,
                one.kind,
                one.label,
                one.created_s,
                0 if is_settled(one.created_s, now_s) else one.created_s + HELD_S,
                makers.get(one.id, ""),
            )
            for one in owner.factors
        ]

    def _described(self, factor: ListedFactor) -> dict[str, object]:
        return {
            "id": factor.id,
            "kind": factor.kind,
            "class": self._proving.factors.requirements.class_of(factor.kind).text,
            "label": factor.label,
            "maker": factor.maker,
            "created": factor.created_s,
            "settles": factor.created_s + HELD_S,
        }

    def _with_holder(self, call: PageCall, answer: Answer) -> Answer:
        line = call.browser_key.line(elsewhere=self._parts.responses.is_elsewhere(call.headers))
        return answer.adding(line)


def _notice(call: PageCall, known: frozenset[str]) -> str:
    """The notice on the page. The link may have been forged, so only notices that the guard itself writes are shown."""
    said = call.scope.get("query_string", b"").removeprefix(b"notice=").decode("latin-1")
    return said if said in known else ""


def _label(fields: dict[str, str]) -> str:
    text = fields.get("label", "")[:NAME_CHARS_MAX].strip()
    return text if text.isprintable() else ""
