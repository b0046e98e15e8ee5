"""The guard's own pages and their API, under one path: clients show proofs here.

All answers are of a few kinds, and none reveals whether an account exists, a password was right, or a factor is
enrolled. Tickets are looked up alike for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sekisho.answer import denied, retry_after_s, send_answer, unavailable, unreadable_attempt
from sekisho.asgi.body_reader import BodyReader, HungUp
from sekisho.asgi.proof_headers import CAPTCHA, FORM, WAITED, WORK
from sekisho.crypto.seal import Unsealable
from sekisho.model import SekishoError, Unreadable
from sekisho.read.request import headers_by_name
from sekisho.stepup.flow.browser_key import browser_key_of
from sekisho.stepup.flow.foreign_site import is_foreign
from sekisho.stepup.flow.form import form_fields, read_form
from sekisho.stepup.flow.page_call import PageCall
from sekisho.stepup.flow.resubmission import Resubmission, anew, answering, replay, under
from sekisho.stepup.pages import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.answer import Answer, Refusal
    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.reading import Reading
    from sekisho.asgi.request_context import RequestContext
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.gate import Gate
    from sekisho.model.headers import Headers
    from sekisho.stepup.flow.page_call import Handler
    from sekisho.stepup.flow.parts import Parts

BUSY_US = 3_000_000
ANSWERS_TO_FORMS = (
    "/continue",
    "/step-up",
    "/step-up/oidc",
    "/step-up/send",
    "/step-up/recover",
    "/step-up/recover/confirm",
    "/contact",
    "/contact/send",
)

WELL_KNOWN = "/.well-known/webauthn"
"""Where browsers look for other sites that may use a domain's passkeys (WebAuthn Level 3, section 5.11.1)."""

FOREIGN_SITE = (
    "a post to the pages below SEKISHO_MOUNT came from another site and was refused: if that site is yours, name its "
    "origin in SEKISHO_ORIGINS [SEK053]"
)


class Served(Protocol):
    """Pages below the mount."""

    @property
    def routes(self) -> dict[tuple[str, str], Handler]:
        """The handlers of the pages, by method and path below the mount."""
        ...


class PageRoutes:
    """Serves the pages under the mount. Belongs to one event loop.

    Args:
        gate: knows the denied networks.
        reading: finds the client and the door of a request.
        parts: the parts of step-ups.
        served: further pages; None for those that a site without factors does not have.
        patience: how long a body may take.
        jitter: uniform in [0, 1), for the time after which to try again.
        passkey_sites: the origins that may use the domain's passkeys, if some are of other sites.
    """

    def __init__(
        self,
        gate: Gate,
        reading: Reading,
        parts: Parts,
        served: tuple[Served | None, ...],
        *,
        patience: Patience,
        jitter: Callable[[], float],
        passkey_sites: tuple[str, ...] = (),
    ) -> None:
        self._gate = gate
        self._reading = reading
        self._parts = parts
        self._patience = patience
        self._jitter = jitter
        self._passkey_sites = passkey_sites
        self._routes: dict[tuple[str, str], Handler] = {("POST", "/continue"): self._continue}
        self._routes["GET", f"/{MODULE}"] = self._module
        # A page at these paths was the answer to a form: a reload or a bookmark of it has nothing to show.
        for path in ANSWERS_TO_FORMS:
            self._routes["GET", path] = self._start_again
        for pages in served:
            if pages is not None:
                self._routes.update(pages.routes)

    def finds(self, scope: Scope) -> bool:
        """Whether an HTTP request is for any path under the mount, or gets the list of passkey sites, if any."""
        return scope["type"] == "http" and (under(scope, self._parts.mount) is not None or self._asks_for_sites(scope))

    def _asks_for_sites(self, scope: Scope) -> bool:
        is_there = bool(self._passkey_sites) and scope["method"] == "GET"
        return is_there and scope["path"].removeprefix(scope.get("root_path", "")) == WELL_KNOWN

    async def serve(self, scope: Scope, receive: Receive, send: Send, *, guarded: App) -> None:
        if self._asks_for_sites(scope):
            sites = self._parts.responses.json(scope["headers"], 200, {"origins": self._passkey_sites})
            return await send_answer(send, sites)
        by_name = headers_by_name(scope["headers"])
        try:
            answer = await self._answered(scope, by_name, receive, send, guarded)
        except Unreadable as error:
            answer = self._refused(scope, unreadable_attempt(error.status))
        except HungUp:
            return None
        except SekishoError:
            # The store or the owners' database failed: nothing can be known, so nothing is granted, with one answer for
            # all.
            answer = self._refused(scope, unavailable(retry_after_s(BUSY_US, self._jitter())))
        return None if answer is None else await send_answer(send, answer)

    async def _answered(
        self, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send, guarded: App
    ) -> Answer | None:
        method = scope["method"]
        if method == "OPTIONS" and (allowed := self._parts.responses.preflight(scope["headers"])):
            return allowed
        path = under(scope, self._parts.mount) or ""
        if method == "GET" and (file := self._parts.responses.file(path)):
            return file
        handler = self._routes.get((method, path))
        if handler is None:
            return self._parts.responses.json(scope["headers"], 404, {"code": "not_found"})
        caller = self._reading.callers.read(scope, by_name)
        # Denied between the password and the proof: the proof is worthless (row 83).
        if self._gate.is_denied(caller.origin):
            return self._refused(scope, denied())
        if method == "POST" and is_foreign(by_name) and not self._parts.responses.may_be_read(scope["headers"]):
            self._parts.anomaly(FOREIGN_SITE)
            return self._refused(scope, denied())
        fields = await read_form(by_name, BodyReader(receive), self._patience) if method == "POST" else {}
        if FORM in fields:
            # The form of a work page that answered a request under the mount: it comes back to the same address.
            handler = self._continue
        return await handler(
            PageCall(scope, caller, by_name, fields, browser_key_of(by_name), self._parts.mount, receive, send, guarded)
        )

    # Requests carried by a page while work is done.

    async def unpack(self, context: RequestContext, body: bytes, *, guarded: App) -> None:
        """Send the request in a work page's form, which was posted to the door, through the guard.

        The form is posted there so that the answer has the door's address.
        """
        headers, fields = context.scope["headers"], form_fields(body)
        try:
            form = self._parts.challenges.open_form(
                fields.get(FORM, ""),
                browser_key=browser_key_of(context.by_name).key,
                now_s=int(self._parts.clock_s()),
                door=context.door.name,
            )
        except Unsealable:
            return await send_answer(context.send, self._parts.responses.start_again(headers))
        there = anew(context.as_sent, form, _shown(fields))
        await guarded(there, replay(form.body, context.body_reader.replay), context.send)
        return None

    async def _continue(self, call: PageCall) -> Answer | None:
        try:
            form = self._parts.challenges.open_form(
                call.fields.get("form") or call.fields.get(FORM, ""),
                browser_key=call.browser_key.key,
                now_s=int(self._parts.clock_s()),
            )
            there = Resubmission(call.scope, self._parts.mount, form, _shown(call.fields)).scope(self._reading.doors)
        except Unsealable:
            return self._parts.responses.start_again(call.headers)
        await call.guarded(there, replay(form.body, call.receive), answering(there["path"], call.send))
        return None

    async def _start_again(self, call: PageCall) -> Answer | None:
        return self._parts.responses.start_again(call.headers)

    async def _module(self, _: PageCall) -> Answer | None:
        return self._parts.responses.module(MODULE)

    def _refused(self, scope: Scope, refusal: Refusal) -> Answer:
        return self._parts.responses.refusal(scope["headers"], refusal)


def _shown(fields: dict[str, str]) -> Headers:
    """What a page's fields show, as the headers that programs send."""
    shown = [(WORK, fields.get("work", "")), (CAPTCHA, _captcha(fields))]
    if fields.get("waited"):
        shown.append((WAITED, fields.get(FORM) or fields.get("form", "")))
    return [(name, text.encode("latin-1", "replace")) for name, text in shown if text]


def _captcha(fields: dict[str, str]) -> str:
    """The captcha's answer, under any of the names that providers' scripts give it."""
    return fields.get("captcha") or fields.get("cf-turnstile-response") or fields.get("h-captcha-response") or ""
