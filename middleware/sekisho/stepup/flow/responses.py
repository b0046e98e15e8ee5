"""Answers that ask a client for more: pages for people, JSON for programs, the same for every account."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from sekisho.answer import Answer, language_of, prefers_page, proof_failed, start_again, step_up_required
from sekisho.answer.cookies import attributes
from sekisho.answer.refusal import challenge_required, contact_required
from sekisho.asgi.proof_headers import LOOK_SECONDS, LOOK_START
from sekisho.stepup.escrow import TICKET_S
from sekisho.stepup.factors.lost_factor import LOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.answer import Refusal, Renderer
    from sekisho.challenge.challenges import Challenge
    from sekisho.model import ProtectedRoute
    from sekisho.model.headers import Header
    from sekisho.stepup.pages import File, Page, Pages


_JSON = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_MODULE = (
    (b"content-type", b"text/javascript; charset=utf-8"),
    (b"cache-control", b"public, max-age=3600"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-allow-origin", b"*"),
)

_FOR_GOOD = b"public, max-age=31536000, immutable"
_OTHER_FILE = re.compile(r"/page-[0-9a-f]{16}(\.css|\.js)")
# An SVG that is opened by itself is a document of the site's own origin: no script of it may run there.
_PICTURE = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")
_SCHEME = ((b"www-authenticate", b'Sekisho realm="login"'),)
_LOOK_END = attributes(LOOK_SECONDS)
_CHALLENGE = challenge_required()
_CONTACT = contact_required()

NONCE_BYTES = 16
"""Length of the random value that a page's policy and its elements share, in bytes; written as hex digits."""


class Responses:
    """Args:
    renderer: for refusals as JSON.
    pages: for people.
    mount: the path of the next step.
    factors: the site's factors, in order; every client is told all of them, regardless of the account's own.
    channels: the ways in which codes for sign-ups are sent.
    """

    def __init__(
        self,
        renderer: Renderer,
        pages: Pages,
        mount: str,
        factors: tuple[str, ...],
        channels: tuple[str, ...] = (),
    ) -> None:
        self._renderer = renderer
        self.pages = pages
        self._factors = factors
        files = (pages.style, pages.script)
        self._files = {file.path: _file(file, _FOR_GOOD) for file in files}
        # During an update, a browser may ask a worker of one version for the file of another. It gets this version's
        # file, which it must not keep under that name.
        self._others = {PurePosixPath(file.path).suffix: _file(file, b"no-store") for file in files}
        if pages.logo is not None:
            self._files[pages.logo.path] = _file(pages.logo, _FOR_GOOD, _PICTURE)
        # Joined once: these JSON members never change, and a flood would pay for joining them.
        self._continue = _members({"continue": f"{mount}/continue"})
        self._contact = _members({"step_up": f"{mount}/contact", "factors": channels, "expires_in": TICKET_S})
        self._mails_only = channels == ("email",)
        self._next = _members({"step_up": f"{mount}/step-up", "factors": factors, "expires_in": TICKET_S})

    def step_up(
        self,
        headers: Sequence[Header],
        ticket: str,
        *,
        form: str = "",
        failed: bool = False,
        sent: bool = False,
        chosen: str = "",
        route: ProtectedRoute | None = None,
    ) -> Answer:
        """Return the answer that asks for a proof: a page, or JSON.

        Args:
            headers: of the request.
            ticket: the client's text of the ticket.
            form: the sealed request that waits for the proof, carried by a page.
            failed: the last proof was wrong.
            sent: a code was requested.
            chosen: the factor of the last step; ignored if the site does not have it.
            route: the protected route that needs the proof; None elsewhere.
        """
        refusal = proof_failed() if failed else _required(route)
        if prefers_page(headers):
            page = self.pages.step_up(
                language_of(headers),
                challenge=ticket,
                factors=self._factors,
                form=form,
                failed=failed,
                sent=sent,
                chosen=chosen if chosen in (*self._factors, LOST) else "",
                nonce=token_bytes(NONCE_BYTES).hex(),
            )
            return self._refused(headers, refusal, page)
        if sent:
            return self.json(headers, 202, {"sent": True})
        return self._renderer.render(refusal, headers, f'"challenge": "{ticket}", {self._next}')

    def contact(
        self, headers: Sequence[Header], ticket: str, *, form: str = "", failed: bool = False, sent: bool = False
    ) -> Answer:
        """Return the answer that asks for the code sent to the address of a sign-up. Arguments as for `step_up`."""
        refusal = proof_failed() if failed else _CONTACT
        if prefers_page(headers):
            page = self.pages.contact(
                language_of(headers), challenge=ticket, form=form, failed=failed, sent=sent,
                by_mail=self._mails_only, nonce=token_bytes(NONCE_BYTES).hex(),
            )  # fmt: skip
            return self._refused(headers, refusal, page)
        if sent:
            return self.json(headers, 202, {"sent": True})
        return self._renderer.render(refusal, headers, f'"challenge": "{ticket}", {self._contact}')

    def challenge_page(
        self, headers: Sequence[Header], asked: Challenge, form: str, line: Header, *, here: bool, mark: str = ""
    ) -> Answer:
        """Return the page that asks a person for work or a captcha, before the secret is checked.

        Args:
            headers: of the request.
            asked: the work or captcha.
            form: the sealed request, carried by the page.
            line: a header of the answer, which issues the browser's key.
            here: whether the page posts it to its own address, or below the mount.
            mark: the browser shows it with the form there; see `Challenges.page_mark`.
        """
        page = self.pages.work(
            language_of(headers),
            form=form,
            work=asked.work.text if asked.work else "",
            captcha=asked.captcha or None,
            here=here,
            nonce=token_bytes(NONCE_BYTES).hex(),
        )
        return self._page(401, page, _look(mark), line) if mark and here else self._page(401, page, line)

    def challenge(self, headers: Sequence[Header], asked: Challenge, line: Header) -> Answer:
        """Return the JSON that asks a program for work or a captcha. Arguments as for `challenge_page`."""
        work = f'"work": {asked.work.text}, ' if asked.work else ""
        captcha = f'"captcha": {json.dumps(dict(asked.captcha))}, ' if asked.captcha else ""
        return self._renderer.render(_CHALLENGE, headers, f"{work}{captcha}{self._continue}").adding(line)

    def refusal(self, headers: Sequence[Header], refusal: Refusal) -> Answer:
        return self._renderer.render(refusal, headers)

    def start_again(self, headers: Sequence[Header]) -> Answer:
        """Return the answer to a ticket or form that is expired, used, another client's or tampered with.

        The client must not learn which.
        """
        return self._said(headers, start_again(), "start_again")

    def log_in_first(self, headers: Sequence[Header], route: ProtectedRoute | None = None) -> Answer:
        """Return the answer for a session that is bound to no account: the client must log in, as no proof helps."""
        return self._said(headers, _required(route), "log_in")

    def preflight(self, headers: Sequence[Header]) -> Answer | None:
        """The answer to a preflight; None for origins that are not named."""
        return self._renderer.preflight(headers)

    def is_elsewhere(self, headers: Sequence[Header]) -> bool:
        """Whether a request comes from a named origin on another site, where browsers keep no `SameSite=Lax` cookie."""
        for name, value in headers:
            if name == b"sec-fetch-site":
                return value == b"cross-site" and self.may_be_read(headers)
        return False

    def may_be_read(self, headers: Sequence[Header]) -> bool:
        """Whether a request comes from an origin that the operator named."""
        return bool(self._renderer.cors(headers))

    def recovery_begun(self, headers: Sequence[Header], due_s: int) -> Answer:
        """Return the answer to a begun recovery: the account's factors are removed at `due_s` unless one is shown.

        `due_s`: Unix time in seconds.
        """
        if not prefers_page(headers):
            return self.json(headers, 202, {"recovery": "begun", "due": due_s})
        nonce = token_bytes(NONCE_BYTES).hex()
        return self._page(202, self.pages.message(language_of(headers), code="recovery_begun", nonce=nonce))

    def proof_failed(self, headers: Sequence[Header]) -> Answer:
        return self.refusal(headers, proof_failed())

    def proved(self, headers: Sequence[Header], door: str, location: str) -> Answer:
        """Return the answer to a proof of a session's account: the client may repeat its request to `door`.

        `location`: the address that browsers are sent to.
        """
        if prefers_page(headers):
            return self.see_other(location)
        return self.json(headers, 200, {"proved": door or True})

    @staticmethod
    def see_other(location: str) -> Answer:
        headers = ((b"location", location.encode("utf-8")), (b"cache-control", b"no-store"), (b"content-length", b"0"))
        return Answer(303, headers, b"")

    def json(self, headers: Sequence[Header], status: int, members: dict[str, Any]) -> Answer:
        body = json.dumps(members, ensure_ascii=False).encode("utf-8", "replace")
        length = (b"content-length", b"%d" % len(body))
        return Answer(status, (*_JSON, length, *self._renderer.cors(headers)), body)

    def module(self, name: str) -> Answer:
        """An ES module, for pages of this site and of others."""
        body = self.pages.module(name)
        return Answer(200, (*_MODULE, (b"content-length", b"%d" % len(body))), body)

    def file(self, path: str) -> Answer | None:
        """A page's style or script; None for other paths. `path`: below the mount."""
        if found := self._files.get(path):
            return found
        other = _OTHER_FILE.fullmatch(path)
        return self._others[other[1]] if other else None

    def page(self, page: Page, status: int = 200) -> Answer:
        return self._page(status, page)

    def _said(self, headers: Sequence[Header], refusal: Refusal, code: str) -> Answer:
        """A refusal; for people, a page in the style of the page before it."""
        if not prefers_page(headers):
            return self.refusal(headers, refusal)
        return self._refused(
            headers, refusal, self.pages.message(language_of(headers), code=code, nonce=token_bytes(NONCE_BYTES).hex())
        )

    def _refused(self, headers: Sequence[Header], refusal: Refusal, page: Page) -> Answer:
        """A page with the status and the authentication header of a refusal."""
        said = self.refusal(headers, refusal).headers
        scheme = tuple((name, value) for name, value in said if name == b"www-authenticate")
        length = (b"content-length", b"%d" % len(page.body))
        return Answer(refusal.status, (*page.headers, *scheme, length), page.body)

    def _page(self, status: int, page: Page, *lines: Header) -> Answer:
        length = (b"content-length", b"%d" % len(page.body))
        scheme = _SCHEME if status == 401 else ()
        return Answer(status, (*page.headers, *scheme, length, *lines), page.body)


def _required(route: ProtectedRoute | None) -> Refusal:
    if route is None:
        return step_up_required()
    return step_up_required(route.max_age_s, route.acr.text if route.acr else "")


def _members(values: dict[str, Any]) -> str:
    """A JSON object's members, without its braces."""
    return json.dumps(values, ensure_ascii=False)[1:-1]


def _file(file: File, cache_control: bytes, *more: Header) -> Answer:
    headers = (
        (b"content-type", file.content_type),
        (b"cache-control", cache_control),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"content-length", b"%d" % len(file.body)),
        *more,
    )
    return Answer(200, headers, file.body)


def _look(mark: str) -> tuple[bytes, bytes]:
    return b"set-cookie", LOOK_START + mark.encode() + _LOOK_END
