"""The operations of the API: what programs send, and which answers they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.asgi.proof_headers import CAPTCHA, PROOF, WORK
from sekisho.asgi.request_context import DEVICE_HEADER as DEVICE
from sekisho.stepup.api.schemas import ref, text
from sekisho.stepup.flow.browser_key import HEADER as CHALLENGE
from sekisho.stepup.flow.routes import ANSWERS_TO_FORMS, WELL_KNOWN
from sekisho.stepup.pages import PASSKEY_MODULE
from sekisho.stepup.session_binding import HEADER as TIE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.stepup.api.schemas import Schema


def cased(header: bytes) -> str:
    """A header's name as it is usually written: `Sekisho-Tie`."""
    return header.decode().title()


STRANGER: Final = tuple(cased(name) for name in (CHALLENGE, WORK, CAPTCHA, PROOF, DEVICE, TIE))
SESSION: Final = tuple(cased(name) for name in (CHALLENGE, TIE))
KEY: Final = (cased(CHALLENGE),)
ASKED: Final = ("WWW-Authenticate", cased(CHALLENGE), "Set-Cookie")
RELEASED: Final = (cased(DEVICE), cased(TIE), "Set-Cookie")


class ApiOperation(NamedTuple):
    """One method at one path.

    Attributes:
        method: in upper case.
        path: below the mount; of the site where `beside` is true.
        name: its id.
        summary: in one line.
        description: more, or empty.
        fields: of the request, by name; empty where it has none.
        needs: the fields that are required.
        answers: the names of schemas, by status. `""`: no JSON.
        shows: headers that the request may have.
        says: headers of the answers, by status.
        beside: whether it lies outside the mount.
        released: whether the application's own answer may come as well.
    """

    method: str
    path: str
    name: str
    summary: str
    description: str = ""
    fields: Mapping[str, Schema] = {}
    needs: tuple[str, ...] = ()
    answers: Mapping[int, tuple[str, ...]] = {}
    shows: tuple[str, ...] = ()
    says: Mapping[int, tuple[str, ...]] = {}
    beside: bool = False
    released: bool = False


def _proving(path: str, name: str, summary: str, description: str = "", **more: Any) -> ApiOperation:
    """A step that shows a ticket. `fields`: besides the ticket, all required."""
    fields = {"challenge": text("The ticket.", minLength=1), **more.pop("fields", {})}
    needs = more.pop("needs", tuple(fields))
    return ApiOperation("POST", path, name, summary, description, fields, needs, shows=KEY, **more)


def _changing(path: str, name: str, summary: str, answers: tuple[str, ...], **more: Any) -> ApiOperation:
    """A change on the owner's page. `fields`: besides the token."""
    fields = {"token": text("Of the page's JSON.", minLength=1), **more.pop("fields", {})}
    needs = more.pop("needs", tuple(fields))
    every = {
        200: answers,
        401: ("LogInFirst", "StepUpRequired", *more.pop("wrong", ())),
    }
    says = {401: (*ASKED, cased(TIE))}
    return ApiOperation("POST", path, name, summary, _OWNER, fields, needs, every, SESSION, says, **more)


def _shown(path: str, name: str, summary: str, answer: str) -> ApiOperation:
    answers = {200: (answer,), 401: ("LogInFirst", "StepUpRequired")}
    says = {200: (cased(CHALLENGE), "Set-Cookie"), 401: (*ASKED, cased(TIE))}
    return ApiOperation("GET", path, name, summary, _OWNER, answers=answers, shows=SESSION, says=says)


_OWNER = (
    "For the account that is logged in, with the session of your application and a proof of the last five minutes. A "
    "401 with a ticket asks for one; prove it at `/step-up` and repeat the request."
)
_CODE = text("The code, in any spelling: spaces, hyphens and full-width digits are understood.")
_CREDENTIAL: Schema = {
    "type": ["object", "string"],
    "description": "What the browser gave, `PublicKeyCredential.toJSON()`; in a form its JSON.",
    "additionalProperties": True,
}
_STATE = text("Of the offer.")
_LABEL = text("The owner's name for the factor.", maxLength=64)
_FACTOR = ref("FactorName")
_LOG_IN = text("Of the list.")

DOOR: Final = ApiOperation(
    "POST",
    "/login",
    "attempt",
    "An attempt at a door",
    "Stands for every door of your settings (`SEKISHO_LOGIN`, `SEKISHO_SIGNUP`, `SEKISHO_CHANGE`, …), with your own "
    "path and fields. 422 is answered where a password or a mail address is chosen, 202 at requests for a reset, and "
    "`proof_failed` where a log-in begins with a passkey (`SEKISHO_PASSKEY`, field `credential`).",
    answers={
        202: ("ResetRequested",),
        401: ("ChallengeRequired", "ContactRequired", "StepUpRequired", "ProofFailed"),
        403: ("Denied",),
        422: ("BreachedPassword", "DisposableAddress"),
        429: ("TooManyAttempts",),
        503: ("Unavailable", "Misconfigured"),
    },
    shows=STRANGER,
    says={202: (*KEY, "Set-Cookie"), 401: ASKED, 429: ("Retry-After",), 503: ("Retry-After",)},
    beside=True,
    released=True,
)
ROUTE: Final = ApiOperation(
    "POST",
    "/pay",
    "protected",
    "A protected route",
    "Stands for every route of `SEKISHO_PROTECT` and `SEKISHO_CAPS`. `WWW-Authenticate` has `max_age` and, where a "
    "class is asked for, `acr_values` (RFC 9470).",
    answers={401: ("LogInFirst", "StepUpRequired"), 403: ("CapReached",)},
    shows=SESSION,
    says={401: ASKED},
    beside=True,
    released=True,
)
SITES: Final = ApiOperation(
    "GET",
    WELL_KNOWN,
    "passkeySites",
    "Other sites that may use the passkeys of this domain",
    "Only where `SEKISHO_PASSKEY_ORIGINS` names one (WebAuthn Level 3, section 5.11.1).",
    answers={200: ("Sites",)},
    beside=True,
)
PROVING: Final = (
    _proving(
        "/step-up",
        "prove",
        "Show a proof",
        "At doors that read a password, a right proof is answered by the application: its answer has waited for it. A "
        "wrong proof is answered alike for every account and every reason, a second after the ticket was issued at the "
        "earliest.",
        fields={"factor": _FACTOR, "code": _CODE, "credential": _CREDENTIAL},
        needs=("challenge", "factor"),
        answers={200: ("Proved", "Proof"), 401: ("ProofFailed",)},
        says={200: RELEASED, 401: ("WWW-Authenticate",)},
        released=True,
    ),
    _proving("/step-up/options", "passkeyRequest", "What a passkey signs", answers={200: ("PasskeyRequest",)}),
    _proving(
        "/step-up/send",
        "sendCode",
        "Ask for a code by mail or message",
        "Answered before it is known whether one is sent: only behind a right secret.",
        fields={"factor": _FACTOR},
        answers={202: ("Sent",)},
    ),
    _proving(
        "/step-up/oidc",
        "beginLogInElsewhere",
        "Ask for the address of the identity provider",
        "Open it in a browser. The provider sends that browser to `/oidc/callback`; an app that is handed this address "
        "(a universal link) asks for it itself, and posts the members of the answer to `/step-up`. Elsewhere the "
        "browser does so, with the key that it was issued.",
        answers={200: ("Elsewhere",)},
    ),
    _proving(
        "/contact",
        "proveContact",
        "Show the code that was mailed to the address of a sign-up",
        fields={"code": _CODE},
        answers={200: ("Proof",), 401: ("ProofFailed",)},
        says={401: ("WWW-Authenticate",)},
    ),
    _proving("/contact/send", "sendContactCode", "Ask for another such code", answers={202: ("Sent",)}),
    _proving(
        "/step-up/recover",
        "beginRecovery",
        "Replace a lost passkey or app: the recovery code",
        "If it is right, a second code is sent.",
        fields={"code": _CODE},
        answers={202: ("Sent",)},
    ),
    _proving(
        "/step-up/recover/confirm",
        "confirmRecovery",
        "Replace a lost passkey or app: the code that was sent",
        fields={"code": _CODE},
        answers={202: ("RecoveryBegun",), 401: ("ProofFailed",)},
        says={401: ("WWW-Authenticate",)},
    ),
)
OWNERS: Final = (
    _shown("/factors", "factors", "What the account has enrolled", "Factors"),
    _changing("/factors/totp", "offerTotp", "Begin with an authenticator app", ("TotpOffer",)),
    _changing(
        "/factors/totp/confirm",
        "confirmTotp",
        "Enrol the app: its first code",
        ("Done",),
        fields={"state": _STATE, "code": _CODE, "label": _LABEL},
        needs=("token", "state", "code"),
        wrong=("ProofFailed",),
    ),
    _changing("/factors/webauthn/options", "offerPasskey", "Begin with a passkey", ("PasskeyOffer",)),
    _changing(
        "/factors/webauthn",
        "confirmPasskey",
        "Enrol the passkey",
        ("Done",),
        fields={"state": _STATE, "credential": _CREDENTIAL, "label": _LABEL},
        needs=("token", "state", "credential"),
        wrong=("ProofFailed",),
    ),
    _changing("/factors/recovery", "recoveryCodes", "Make new recovery codes", ("RecoveryCodes",)),
    _changing(
        "/factors/remove",
        "removeFactor",
        "Remove a factor",
        ("Done",),
        fields={"id": text("Of the list.")},
    ),
    _changing(
        "/factors/only-strong",
        "onlyStrong",
        "Refuse weaker ways, or accept them again",
        ("Done",),
        fields={"on": text("`yes`, or anything else for no.")},
        wrong=("ProofFailed",),
    ),
    _shown("/activity", "logIns", "Recent log-ins", "LogIns"),
    _changing("/activity/end", "endDevice", "End a device's trust", ("Done",), fields={"id": _LOG_IN}),
    _changing("/activity/not-me", "notMe", "Say that it was somebody else", ("Done",), fields={"id": _LOG_IN}),
)
CALLBACK: Final = ApiOperation(
    "GET",
    "/oidc/callback",
    "logInElsewhere",
    "The fields of a log-in at the identity provider",
    "With the query as the provider wrote it. It changes and grants nothing.",
    answers={200: ("LogInElsewhere",), 410: ("StartAgain",)},
)
NOTICE: Final = ApiOperation(
    "POST",
    "/notice",
    "answerNotice",
    "Answer the link in a notice",
    fields={"token": text("Behind the link's `#`."), "answer": text("Was it you?", enum=["yes", "no"])},
    needs=("token", "answer"),
    answers={200: ("Answered",), 410: ("NoticeOver",)},
)
PASSKEY: Final = ApiOperation(
    "POST",
    "/passkey/options",
    "passkeyLogIn",
    "What a passkey signs that begins a log-in",
    "Only with `SEKISHO_PASSKEY`. It names no account, and is good for ten minutes and one answer, in the browser that "
    "it was issued to. Post the answer to your door, in the field `credential`: `JSON.stringify(credential.toJSON())`.",
    answers={200: ("PasskeyRequest",)},
    shows=KEY,
    says={200: (cased(CHALLENGE), "Set-Cookie")},
)
PASSKEY_SCRIPT: Final = ApiOperation(
    "GET",
    f"/{PASSKEY_MODULE}",
    "passkeyModule",
    "The script for a log-in form that begins with a passkey",
    answers={200: ("",)},
)
MODULE: Final = ApiOperation("GET", "/sekisho.js", "module", "The script for front ends", answers={200: ("",)})
OPERATIONS: Final = (DOOR, ROUTE, *PROVING, PASSKEY, *OWNERS, CALLBACK, NOTICE, MODULE, PASSKEY_SCRIPT, SITES)

PAGES_ONLY: Final = frozenset(
    {
        ("POST", "/continue"),
        ("POST", "/factors/oidc"),
        ("POST", "/factors/oidc/confirm"),
        ("GET", "/notice"),
        *{("GET", path) for path in ANSWERS_TO_FORMS},
        *{("GET", one.path) for one in OWNERS if one.method == "POST" and one.path.startswith("/factors/")},
        *{("GET", path) for path in ("/factors/oidc", "/factors/oidc/confirm")},
    }
)
"""Routes for forms and links of pages, which programs have no use for."""
