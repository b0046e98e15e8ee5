"""Schemas of the API's answers: refusals are made from the refusals themselves, all others are written here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.answer import refusal
from sekisho.answer.words import WORDS
from sekisho.model.factor_class import CLASS_OF
from sekisho.settings.factors import FACTORS
from sekisho.stepup.escrow import PROOF_S, TICKET_S
from sekisho.stepup.factors.account_owner import RECOVERY
from sekisho.stepup.factors.requirements import HELD_S
from sekisho.stepup.log_ins import KNOWN, NOT_COMPLETED, PROVED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.answer import Refusal

Schema = dict[str, Any]

_WAIT = 1
REFUSALS: Final = (
    refusal.too_many_attempts(_WAIT),
    refusal.challenge_required(),
    refusal.step_up_required(),
    refusal.contact_required(),
    refusal.proof_failed(),
    refusal.start_again(),
    refusal.denied(),
    refusal.cap_reached(),
    *[refusal.unreadable_attempt(status) for status in sorted(refusal.UNREADABLE_STATUSES)],
    refusal.breached_password(),
    refusal.reset_requested(),
    refusal.disposable_address(),
    refusal.unavailable(_WAIT),
    refusal.misconfigured(""),
)
"""One of each kind. The wait of a real one is another."""


def name_of(code: str) -> str:
    """Return the name of a refusal's schema by the refusal's code: `TooManyAttempts` for `too_many_attempts`."""
    return code.title().replace("_", "")


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def number(description: str, **more: object) -> Schema:
    return {"type": "integer", "description": description, **more}


def record(description: str, *, optional: Iterable[str] = (), **members: Schema) -> Schema:
    """Return the schema of a JSON object with these members. All are required but those named in `optional`."""
    required = [name for name in members if name not in set(optional)]
    return {"type": "object", "description": description, "properties": members, "required": required}


def _problem(kind: Refusal, description: str = "", *, optional: Iterable[str] = (), **more: Schema) -> Schema:
    statuses = sorted({one.status for one in REFUSALS if one.code == kind.code})
    words = WORDS["en"][kind.code]
    waiting = {} if kind.retry_after_s is None else {"retry_after": number("Seconds, as in `Retry-After`.", minimum=1)}
    return record(
        description or f"{words.title}: {words.detail}",
        optional=optional,
        type={"const": f"urn:problem-type:sekisho:{kind.code}"},
        title=text("In the language of `Accept-Language`: English or Japanese.", examples=[words.title]),
        status={"enum": statuses},
        detail=text("For people, in the same language."),
        code={"const": kind.code},
        **waiting,
        **more,
    )


def _ticket() -> dict[str, Schema]:
    return {
        "challenge": text(
            "The ticket: bound to this client by its cookie or `Sekisho-Challenge`. Show it in each step."
        ),
        "step_up": text("The path to post the proof to.", examples=["/sekisho/step-up"]),
        "factors": {
            "type": "array",
            "items": ref("FactorName"),
            "description": "The site's factors in order of preference, whatever the account has enrolled.",
        },
        "expires_in": number("Seconds that a ticket lives.", const=TICKET_S),
    }


def _step_up_required() -> Schema:
    return _problem(
        refusal.step_up_required(),
        "A second proof is needed. The same for known and unknown accounts, right and wrong passwords.",
        **_ticket(),
    )


def _contact_required() -> Schema:
    return _problem(
        refusal.contact_required(),
        "A code was sent to the address or number of a sign-up, if it may get one. The same for every address.",
        **{**_ticket(), "factors": {"enum": [["email"], ["webhook"], ["email", "webhook"]]}},
    )


def _proof_failed() -> Schema:
    """On the owner's page there is no ticket to try again with."""
    ticket = _ticket()
    found = _problem(
        refusal.proof_failed(),
        "The proof is wrong. The same for every reason. Try again with the same ticket.",
        optional=ticket,
        **ticket,
    )
    return {**found, "dependentRequired": {"challenge": ["step_up", "factors", "expires_in"]}}


def _challenge_required() -> Schema:
    return _problem(
        refusal.challenge_required(),
        "Work, a captcha or both are needed before the secret is looked at. Repeat the request with `Sekisho-Work`, "
        "`Sekisho-Captcha` or both.",
        optional=("work", "captcha"),
        work={
            "type": "object",
            "description": "A puzzle of ALTCHA's second version (PBKDF2/SHA-256).",
            "properties": {
                "parameters": {"type": "object", "additionalProperties": True},
                "signature": text("Opaque."),
            },
            "required": ["parameters", "signature"],
        },
        captcha=record("The captcha to show.", provider=text("`turnstile` or `hcaptcha`."), sitekey=text("Its key.")),
        **{"continue": text("Where pages post the request; programs repeat it at its own address.")},
    )


def _log_in_first() -> Schema:
    """The same code as that of a step-up, without a ticket: the disjoint schemas tell programs the two cases apart."""
    found = _problem(
        refusal.step_up_required(),
        "The session is bound to no account, so no proof helps: log in anew. The next log-in is bound, if the answer's "
        "cookie or `Sekisho-Tie` is shown there.",
    )
    return {**found, "not": {"required": ["challenge"]}}


def _problems() -> dict[str, Schema]:
    plain = {name_of(kind.code): _problem(kind) for kind in REFUSALS}
    return {
        **plain,
        "StepUpRequired": _step_up_required(),
        "ContactRequired": _contact_required(),
        "ProofFailed": _proof_failed(),
        "ChallengeRequired": _challenge_required(),
        "LogInFirst": _log_in_first(),
    }


def _opaque(description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": True}


def _proofs() -> dict[str, Schema]:
    names = [*FACTORS, RECOVERY]
    return {
        "FactorName": {"type": "string", "enum": names, "description": "A way of proof."},
        "Proved": record(
            "The session is proved: repeat the request that needed it.",
            proved={
                "anyOf": [{"type": "string"}, {"const": True}],
                "description": "The route, as in `POST /pay`; true for the owner's page.",
            },
        ),
        "Proof": record(
            "At doors where the proof comes first. Repeat the request with this text as `Sekisho-Proof`.",
            proof=text("Valid once."),
            expires_in=number("Seconds.", const=PROOF_S),
        ),
        "Sent": record("If the secret was right, a code is on its way.", sent={"const": True}),
        "Elsewhere": record("The identity provider.", location=text("Its address for this log-in.")),
        "LogInElsewhere": record(
            "The members of what `/step-up` is sent.",
            optional=("form",),
            challenge=text("The ticket."),
            factor={"const": "oidc"},
            code=text("The provider's; valid once."),
            credential=text("State and issuer, as JSON."),
            form=text("The request that waits, sealed, where a page carries it."),
        ),
        "PasskeyRequest": record(
            "For `navigator.credentials.get()`.",
            publicKey=_opaque("`PublicKeyCredentialRequestOptionsJSON` (WebAuthn Level 3)."),
        ),
        "RecoveryBegun": record(
            "The account's factors are removed at `due`, unless one of them is shown before.",
            recovery={"const": "begun"},
            due=number("Unix time in seconds."),
        ),
    }


def _owners_page() -> dict[str, Schema]:
    return {
        "Factors": record(
            "What the account has enrolled.",
            factors={"type": "array", "items": ref("EnrolledFactor")},
            only_strong={"type": "boolean", "description": "Whether the owner refuses weaker ways."},
            passkeys={
                "anyOf": [_opaque("For the browser's Signal API (`signalAllAcceptedCredentials`)."), {"type": "null"}]
            },
            token=text("Show it with each change."),
        ),
        "EnrolledFactor": record(
            "One factor.",
            id=text("Names it in `/factors/remove`."),
            kind=ref("FactorName"),
            **{"class": text("Its class.", enum=sorted({one.text for one in CLASS_OF.values()}))},
            label=text("The owner's name for it; may be empty."),
            maker=text("Of a passkey, as it reports itself; else empty."),
            created=number("Unix time in seconds."),
            settles=number(f"Unix time from which it counts everywhere: {HELD_S // 3600} hours after `created`."),
        ),
        "TotpOffer": record(
            "A secret for an authenticator app.",
            id=text("Of the factor, once it is confirmed."),
            secret=text("Base32, for typing."),
            uri=text("`otpauth://…`."),
            qr=text("The same as an SVG picture."),
            state=text("Show it with the first code."),
        ),
        "PasskeyOffer": record(
            "For `navigator.credentials.create()`.",
            publicKey=_opaque("`PublicKeyCredentialCreationOptionsJSON` (WebAuthn Level 3)."),
            state=text("Show it with the credential."),
        ),
        "RecoveryCodes": record(
            "Shown once. Earlier codes are void.", codes={"type": "array", "items": {"type": "string"}, "minItems": 10}
        ),
        "Done": record("The change is made.", done={"const": True}),
        "NotPossible": record(
            "The account has twenty factors already, or the last strong one has to stay.",
            code={"enum": ["enrolments_full", "still_needed"]},
        ),
    }


def _log_ins() -> dict[str, Schema]:
    return {
        "LogIns": record(
            "Recent log-ins, newest first.",
            log_ins={"type": "array", "items": ref("LogIn")},
            previous={
                "anyOf": [ref("LogIn"), {"type": "null"}],
                "description": "The log-in before that of this session, if it is known.",
            },
            token=text("Show it with each change."),
        ),
        "LogIn": record(
            "One log-in.",
            id=text("Names it in `/activity/end` and `/activity/not-me`."),
            at=number("Unix time in seconds."),
            outcome=text("How it ended.", enum=[PROVED, KNOWN, NOT_COMPLETED]),
            browser=text("Its family and system; may be empty."),
            network=text("Its network; may be empty."),
            place=text("City and country, as `SEKISHO_CITY_FILE` had them then; may be empty."),
            device={"type": "boolean", "description": "Whether its device can be made a stranger's."},
        ),
    }


def _others() -> dict[str, Schema]:
    return {
        "NotFound": record("Nothing is served there.", code={"const": "not_found"}),
        "Answered": record("The answer to a notice is taken.", answered={"enum": ["yes", "no"]}),
        "NoticeOver": record("The link was answered, or is too old.", code={"const": "start_again"}),
        "Sites": record(
            "The origins that may use the passkeys of this domain.",
            origins={"type": "array", "items": {"type": "string", "format": "uri"}},
        ),
    }


def schemas() -> dict[str, Schema]:
    return {**_problems(), **_proofs(), **_owners_page(), **_log_ins(), **_others()}
