"""A minimal site: our pages with real work and real passkeys behind them."""

from __future__ import annotations

import json
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sekisho.challenge.work import Work
from sekisho.model.brand import NO_BRAND
from sekisho.stepup.factors.totp import provisioning_uri, qr_svg, secret_text
from sekisho.stepup.log_ins import RecordedLogIn
from sekisho.stepup.pages import ListedFactor, Page, Pages
from sekisho.stepup.webauthn import Credential, ProofFailed, WebAuthn
from sekisho.store.vault import MemoryVault

if TYPE_CHECKING:
    from starlette.requests import Request

    from sekisho.model.brand import Brand

NONCE = "bm9uY2Vub25jZW5vbmNlbg=="
FACTORS = ("webauthn", "totp", "oidc", "email", "webhook", "recovery")
TICKET = "dGlja2V0" * 20
ATTEMPT = b"attempt"
ENROLMENTS = (
    ListedFactor("0" * 32, "webauthn", "Alice’s phone <script>alert(1)</script>", 1_700_000_000, 0, "Apple Passwords"),
    ListedFactor("1" * 32, "totp", "", 1_710_000_000, 1_710_259_200),
    ListedFactor("2" * 32, "recovery", "", 1_720_000_000),
)
LOG_INS = (
    RecordedLogIn(
        "p" + "0" * 31, 1_750_000_000, "proved", "Firefox on Windows", "192.0.2.0/24", b"device 1", "大阪市, JP"
    ),
    RecordedLogIn("k" + "1" * 31, 1_750_000_900, "known", "", "", b""),
    RecordedLogIn("n" + "2" * 31, 1_750_000_600, "not_completed", "<script>", "2001:db8::/56", b""),
)
CODES = tuple(f"WMWM-WMWM-WMWM-{number:04}" for number in range(10))  # as long as real ones


class Offered(NamedTuple):
    """An offer, as the enrolment of an app has it."""

    secret_text: str
    qr_svg: str
    state: str


OFFER = Offered(
    secret_text(b"s" * 20), qr_svg(provisioning_uri(b"s" * 20, issuer="Shop", account="alice")), "c3RhdGU" * 9
)
PUZZLE = Work(
    [b"s" * 32], MemoryVault(entries_max=9, bytes_max=1 << 20, clock_s=time.time), clock_s=time.time
).challenge(ATTEMPT, 256)


def every_page(pages: Pages, language: str, nonce: str = NONCE) -> dict[str, Page]:
    """One page of each kind and of each state that changes its content."""
    step_up = partial(pages.step_up, language, challenge=TICKET, factors=FACTORS, nonce=nonce)
    return {
        "step_up": step_up(),
        "step_up_failed": step_up(failed=True, chosen="totp"),
        "step_up_sent": step_up(sent=True, chosen="email", form="Zm9ybQ"),
        "contact": pages.contact(language, challenge=TICKET, form="Zm9ybQ", nonce=nonce),
        "contact_anywhere": pages.contact(language, challenge=TICKET, sent=True, by_mail=False, nonce=nonce),
        "contact_failed": pages.contact(language, challenge=TICKET, failed=True, nonce=nonce),
        "contact_sent": pages.contact(language, challenge=TICKET, sent=True, nonce=nonce),
        "work": pages.work(language, form="Zm9ybQ", work=PUZZLE.text, nonce=nonce),
        "activity": pages.activity(
            language, log_ins=LOG_INS, previous=LOG_INS[0], token="dG9rZW4", notice="ended", nonce=nonce
        ),
        "activity_empty": pages.activity(language, log_ins=(), previous=None, token="dG9rZW4", notice="", nonce=nonce),
        **{
            f"notice_{said}": pages.notice(language, said=said, account_page="shop.example/account", nonce=nonce)
            for said in ("", "yes", "no", "over")
        },
        "manage": pages.manage(language, enrolments=ENROLMENTS, token="dG9rZW4", factors=FACTORS, nonce=nonce),
        "manage_empty": pages.manage(
            language, enrolments=(), token="dG9rZW4", factors=FACTORS, nonce=nonce, notice="removed"
        ),
        "returned": pages.returned(
            language,
            path="/step-up",
            fields={"challenge": TICKET, "factor": "oidc", "code": "123456", "credential": '{"state": "s"}'},
            nonce=nonce,
        ),
        "totp": pages.totp(language, offer=OFFER, token="dG9rZW4", nonce=nonce),
        "totp_failed": pages.totp(language, offer=OFFER, token="dG9rZW4", nonce=nonce, failed=True),
        "recovery": pages.recovery(language, codes=CODES, nonce=nonce),
        "start_again": pages.message(language, code="start_again", nonce=nonce),
        "unavailable": pages.message(language, code="unavailable", nonce=nonce),
    }


class Site:
    """Does for one account what the guard would do."""

    def __init__(self, brand: Brand = NO_BRAND) -> None:
        self.pages = Pages("/sekisho", "Shop", "Bank", brand)
        self.work = Work(
            [b"s" * 32], MemoryVault(entries_max=99, bytes_max=1 << 20, clock_s=time.time), clock_s=time.time
        )
        self.passkeys: WebAuthn | None = None
        self.state = b""
        self.enrolled: list[Credential] = []
        self.elsewhere = ""  # an origin that the application redirects to
        self.posted: list[tuple[str, dict[str, str]]] = []

    def listen(self, port: int) -> None:
        """Start listening; passkeys are bound to the page's origin."""
        self.passkeys = WebAuthn("localhost", "Shop", [f"http://localhost:{port}"], b"d" * 32)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/sekisho/sekisho.js", self._module),
                Route("/sekisho/page-{digest}", self._file),
                Route("/sekisho/logo-{digest}", self._logo),
                Route("/sekisho/continue", self._continue, methods=["POST"]),
                Route("/sekisho/step-up", self._step_up, methods=["POST"]),
                Route("/sekisho/step-up/options", self._options, methods=["POST"]),
                Route("/sekisho/step-up/send", self._sent, methods=["POST"]),
                Route("/sekisho/factors/webauthn/options", self._make_options, methods=["POST"]),
                Route("/sekisho/factors/webauthn", self._made, methods=["POST"]),
                Route("/show/{language}/{name}", self._show),
                Route("/favicon.ico", lambda _: Response(status_code=204)),
                Route("/home", lambda _: HTMLResponse("<!doctype html><title>home</title>home")),
                Route("/plain", lambda _: HTMLResponse("<!doctype html><title>plain</title><p>plain")),
                Route("/login", self._login, methods=["POST"]),
                Route("/transfer", self._transfer, methods=["POST"]),
            ]
        )

    async def _show(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(18)
        name, language = request.path_params["name"], request.path_params["language"]
        if name == "work":
            work = self.work.challenge(ATTEMPT, 256 * 64).text
            return _answer(self.pages.work(language, form="Zm9ybQ", work=work, nonce=nonce))
        return _answer(every_page(self.pages, language, nonce)[name])

    async def _module(self, _: Request) -> Response:
        return Response(self.pages.module(), media_type="text/javascript")

    async def _file(self, request: Request) -> Response:
        for file in (self.pages.style, self.pages.script):
            if request.url.path == f"/sekisho{file.path}":
                return Response(file.body, media_type=file.content_type.decode())
        return Response(status_code=404)

    async def _logo(self, _: Request) -> Response:
        logo = self.pages.logo
        assert logo is not None
        return Response(logo.body, media_type=logo.content_type.decode())

    async def _continue(self, request: Request) -> Response:
        fields = await self._fields(request)
        done = await self.work.accept(fields["work"], ATTEMPT)
        return Response("worked" if done else "refused", 200 if done else 401)

    async def _options(self, request: Request) -> Response:
        await self._fields(request)
        assert self.passkeys is not None
        options, self.state = self.passkeys.authentication_options(
            "alice", self.enrolled, fresh=secrets.token_bytes(32), now_s=int(time.time())
        )
        return JSONResponse({"publicKey": options})

    async def _step_up(self, request: Request) -> Response:
        fields = await self._fields(request)
        if not self._proves(fields):
            if "text/html" in request.headers["accept"]:
                page = self.pages.step_up(
                    "en", challenge=TICKET, factors=FACTORS, failed=True, chosen=fields["factor"], nonce=NONCE
                )
                return _answer(page, 401)
            return JSONResponse({"code": "proof_failed"}, 401)
        if fields["challenge"] == "transfer":
            return JSONResponse({"proof": "proved", "expires_in": 120})
        if "text/html" not in request.headers["accept"]:
            return JSONResponse({"welcome": "alice"}, headers={"set-cookie": "session=1; HttpOnly"})
        return RedirectResponse(f"{self.elsewhere}/home", 303, headers={"set-cookie": "session=1; HttpOnly"})

    def _proves(self, fields: dict[str, str]) -> bool:
        if fields["factor"] != "webauthn":
            return fields.get("code") == "123456"
        assert self.passkeys is not None
        try:
            self.passkeys.authenticate(self.state, fields["credential"].encode(), self.enrolled, now_s=int(time.time()))
        except ProofFailed:
            return False
        return True

    async def _sent(self, request: Request) -> Response:
        fields = await self._fields(request)
        page = self.pages.step_up(
            "en", challenge=TICKET, factors=FACTORS, sent=True, chosen=fields["factor"], nonce=NONCE
        )
        return _answer(page)

    async def _make_options(self, request: Request) -> Response:
        await self._fields(request)
        assert self.passkeys is not None
        options, self.state = self.passkeys.registration_options(
            "7", "alice", self.enrolled, fresh=secrets.token_bytes(32), now_s=int(time.time())
        )
        return JSONResponse({"publicKey": options, "state": "sealed"})

    async def _made(self, request: Request) -> Response:
        fields = await self._fields(request)
        assert self.passkeys is not None
        self.enrolled.append(self.passkeys.register(self.state, fields["credential"].encode(), now_s=int(time.time())))
        return Response(f"made {fields['state']} {fields['label']}")

    async def _login(self, request: Request) -> Response:
        if not await self.work.accept(request.headers.get("sekisho-work", ""), ATTEMPT):
            puzzle = json.loads(self.work.challenge(ATTEMPT, 256).text)
            return JSONResponse({"code": "challenge_required", "work": puzzle}, 401)
        return _step_up_required("login")

    async def _transfer(self, request: Request) -> Response:
        if request.headers.get("sekisho-proof") != "proved":
            return _step_up_required("transfer")
        return JSONResponse({"sent": (await request.body()).decode()})

    async def _fields(self, request: Request) -> dict[str, str]:
        if request.headers["content-type"] == "application/json":
            read: dict[str, Any] = await request.json()
            fields = {name: one if isinstance(one, str) else json.dumps(one) for name, one in read.items()}
        else:
            fields = {name: str(one) for name, one in (await request.form()).items()}
        self.posted.append((request.url.path, fields))
        return fields


def _step_up_required(ticket: str) -> Response:
    members = {"challenge": ticket, "step_up": "/sekisho/step-up", "factors": list(FACTORS), "expires_in": 600}
    return JSONResponse({"code": "step_up_required", **members}, 401)


def _answer(page: Page, status: int = 200) -> Response:
    headers = {name.decode(): value.decode() for name, value in page.headers}
    return Response(page.body, status, headers)
