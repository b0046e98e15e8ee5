"""The pages that ask for a proof, and the script that programs use instead of them.

Codes work without scripts, as plain forms; passkeys and proof of work need a script. Style and script are files below
our own mount. Their names contain a digest of their content, so a browser loads them once and keeps them. The elements
that load them have the page's nonce, and the import of `sekisho.js` inherits it. Only a captcha, if one is configured,
is loaded from another host. If the mount cannot be reached, a page has no style and solves no work. Its forms and the
solver of work need the mount in any case, so a copy of both in the page would not help.

A page depends only on its language and the caller's arguments. Before a proof, no argument depends on the account, so
no property of the account shows in the page, not even a length.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

from markupsafe import Markup

from sekisho.model.brand import NO_BRAND
from sekisho.model.contrast import readable_on
from sekisho.plugins import Widget
from sekisho.stepup.pages.cut import escaped, json_in_attribute, mark
from sekisho.stepup.pages.rendering import (
    ANSWERED_BY_APPLICATION,
    ANSWERED_BY_US,
    CutPage,
    Page,
    PageTemplates,
    referring,
)
from sekisho.stepup.pages.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.model.brand import Brand
    from sekisho.stepup.log_ins import RecordedLogIn

__all__ = ["File", "Offer", "Page", "Pages"]

_HERE: Final = Path(__file__).parent
MODULE: Final = "sekisho.js"
PASSKEY_MODULE: Final = "passkey.js"
CUTS_MAX = 256  # languages, factors and last actions: about a hundred pages of ten kilobytes


class File(NamedTuple):
    """A file that the pages load.

    Attributes:
        path: below the mount; contains a digest of the content.
        content_type: the media type.
        body: the content.
    """

    path: str
    content_type: bytes
    body: bytes

    @classmethod
    def of(cls, name: str, content_type: bytes, more: str = "") -> Self:
        body = (_text(name) + more).encode()
        stem, _, suffix = name.partition(".")
        return cls(f"/{stem}-{blake2b(body, digest_size=8).hexdigest()}.{suffix}", content_type, body)


class ListedFactor(NamedTuple):
    """A factor on its owner's page.

    Attributes:
        id, kind, label, created_s: see `Enrolment`.
        settles_s: Unix time until which it is held back; 0 if it no longer is.
        maker: of a passkey, if it is known; otherwise empty.
    """

    id: str
    kind: str
    label: str
    created_s: int
    settles_s: int = 0
    maker: str = ""


class Offer(Protocol):
    """A secret for an authenticator app, for display. `qr_svg` is markup, and must be our own."""

    @property
    def secret_text(self) -> str: ...
    @property
    def qr_svg(self) -> str: ...
    @property
    def state(self) -> str: ...


_WIDGETS: Final = {
    "turnstile": Widget(
        "cf-turnstile", "https://challenges.cloudflare.com/turnstile/v0/api.js", "https://challenges.cloudflare.com", ""
    ),
    "hcaptcha": Widget(
        "h-captcha", "https://js.hcaptcha.com/1/api.js", "https://hcaptcha.com https://*.hcaptcha.com", ""
    ),
}


class Pages:
    """Renders the pages of one service.

    Args:
        mount: the path prefix of the guard's own routes, e.g. `/sekisho`.
        service: the service's name, as its users know it.
        provider: the name of the identity provider; empty if there is none.
        brand: its logo and colours.
        widget: name and widget of a plug-in's captcha; None if there is none.

    Attributes:
        style, script: the files that the pages load.
        logo: another, if the guard serves it.
    """

    def __init__(
        self,
        mount: str,
        service: str,
        provider: str = "",
        brand: Brand = NO_BRAND,
        widget: tuple[str, Widget] | None = None,
    ) -> None:
        self.style = File.of("page.css", b"text/css; charset=utf-8", _colors(brand))
        self.script = File.of("page.js", b"text/javascript; charset=utf-8")
        self.logo = File(*brand.logo) if brand.logo else None
        self._widgets = {**_WIDGETS, **dict([widget] if widget else [])}
        self._templates = PageTemplates(
            {
                "mount": mount,
                "service": service,
                "provider": provider,
                "style": f"{mount}{self.style.path}",
                "script": f"{mount}{self.script.path}",
                "logo": brand.logo_address,
            },
            shows_images=bool(brand.logo_address),
        )
        self._modules = {name: _text(name).encode() for name in (MODULE, PASSKEY_MODULE)}
        # Called with positional arguments: names would be hashed for every answer.
        self._step_up = lru_cache(maxsize=CUTS_MAX)(self._rendered_step_up)
        self._work = lru_cache(maxsize=CUTS_MAX)(self._rendered_work)
        self._contact = lru_cache(maxsize=CUTS_MAX)(self._rendered_contact)

    def step_up(
        self,
        language: str,
        *,
        challenge: str,
        factors: tuple[str, ...],
        nonce: str,
        form: str = "",
        failed: bool = False,
        sent: bool = False,
        chosen: str = "",
    ) -> Page:
        """Return the page on which a client chooses a factor. It lists the site's factors, never the account's.

        Args:
            language: as in `WORDS`; English replaces any other.
            challenge: the ticket.
            factors: in order of preference.
            nonce: base64 of 16 or more random bytes, new for every page.
            form: the sealed body of the request, if the page has to carry it.
            failed: whether the last proof was wrong.
            sent: whether the client asked for a code.
            chosen: the factor that the client used last, or `lost`; if it is empty or unknown, the first factor.
        """
        known = chosen if chosen in (*factors, "lost") else factors[0]
        values = {"challenge": escaped(challenge)}
        if form:
            values["form"] = escaped(form)
        return self._step_up(language, factors, bool(form), failed, sent, known).filled(nonce, values)

    def contact(
        self,
        language: str,
        *,
        challenge: str,
        nonce: str,
        form: str = "",
        failed: bool = False,
        sent: bool = False,
        by_mail: bool = True,
    ) -> Page:
        """Return the page that asks for the code sent to the address of a sign-up. See `step_up`.

        `by_mail`: whether it can only be a mail address.
        """
        values = {"challenge": escaped(challenge)}
        if form:
            values["form"] = escaped(form)
        return self._contact(language, bool(form), failed, sent, by_mail).filled(nonce, values)

    def work(
        self,
        language: str,
        *,
        form: str,
        nonce: str,
        work: str = "",
        captcha: Mapping[str, str] | None = None,
        here: bool = False,
    ) -> Page:
        """Return the page with the challenge that a client must solve before the guard looks at the secret.

        Args:
            language: as in `WORDS`.
            form: the sealed body of the request.
            nonce: as for `step_up`.
            work: the proof-of-work puzzle, as JSON; a page has it, a captcha, or both.
            captcha: its `provider` and `sitekey`.
            here: whether the form is sent to the page's own address, which is the door's.

        Raises:
            KeyError: an unknown provider of captchas.
        """
        provider, sitekey = (captcha["provider"], captcha["sitekey"]) if captcha else ("", "")
        values = {"form": escaped(form)}
        if work:
            values["work"] = json_in_attribute(work)
        return self._work(language, provider, sitekey, bool(work), here).filled(nonce, values)

    def manage(  # noqa: PLR0913 - all that the page shows
        self,
        language: str,
        *,
        enrolments: Sequence[ListedFactor],
        token: str,
        factors: tuple[str, ...],
        nonce: str,
        only_strong: bool = False,
        signal: str = "",
        notice: str = "",
        has_activity: bool = False,
    ) -> Page:
        """Return the page of an owner's factors. Only for a client that has just proved to be the owner.

        Args:
            language: as in `WORDS`.
            enrolments: the account's.
            token: the CSRF token, which shows that a request came from this page.
            factors: the factors that the site offers.
            nonce: as for `step_up`.
            only_strong: whether the owner refuses weaker factors.
            signal: JSON for `PublicKeyCredential.signalAllAcceptedCredentials`; empty without passkeys.
            notice: `added`, `removed`, `changed`, `failed`, `full`, `needed`, or empty.
            has_activity: whether there is a page of recent log-ins.
        """
        return self._templates.page(
            "manage",
            language,
            nonce,
            # One of its forms is answered by a redirect to the identity provider.
            form_action=ANSWERED_BY_APPLICATION if "oidc" in factors else ANSWERED_BY_US,
            enrolments=enrolments,
            only_strong=only_strong,
            signal=signal,
            token=token,
            factors=factors,
            notice=notice,
            has_activity=has_activity,
        )

    def totp(self, language: str, *, offer: Offer, token: str, nonce: str, failed: bool = False) -> Page:
        """Return the page with a new secret for an authenticator app, whose first code the owner enters there."""
        qr = Markup(offer.qr_svg)  # noqa: S704 - drawn by us from the secret
        return self._templates.page(
            "totp", language, nonce, scripted=False, offer=offer, qr=qr, token=token, failed=failed
        )

    def recovery(self, language: str, *, codes: Sequence[str], nonce: str) -> Page:
        """Return the page with an account's new recovery codes. No other page ever shows them."""
        return self._templates.page("recovery", language, nonce, scripted=False, codes=codes)

    def message(self, language: str, *, code: str, nonce: str) -> Page:
        """Return the page with the result of a step-up.

        `code`: `start_again`, `log_in`, `proof_failed`, `unavailable` or `recovery_begun`; `KeyError` for any other.
        """
        if f"title_{code}" not in WORDS["en"]:
            raise KeyError(code)
        return self._templates.page("message", language, nonce, scripted=False, code=code)

    def activity(
        self,
        language: str,
        *,
        log_ins: Sequence[RecordedLogIn],
        previous: RecordedLogIn | None,
        token: str,
        notice: str,
        nonce: str,
    ) -> Page:
        """Return the page of an owner's recent log-ins. Only for a client that has just proved to be the owner.

        Args:
            language: as in `WORDS`.
            log_ins: newest first.
            previous: the one before the last; None if it is not known.
            token: the CSRF token, which shows that a request came from this page.
            notice: `ended`, `denied`, or empty.
            nonce: as for `step_up`.
        """
        return self._templates.page(
            "activity", language, nonce, log_ins=log_ins, previous=previous, token=token, notice=notice
        )

    def notice(self, language: str, *, said: str, account_page: str, nonce: str) -> Page:
        """Return the page of a notice's link: it asks whether it was the owner, or says what their answer did.

        Args:
            language: as in `WORDS`.
            said: empty for the question; `yes`, `no`, or `over` for a link that cannot be answered.
            account_page: the page to type; empty if there is none.
            nonce: as for `step_up`.
        """
        page = self._templates.page("notice", language, nonce, scripted=not said, said=said, account_page=account_page)
        # Its address may have held a token. Browsers that say `Origin: null` for its form say `Sec-Fetch-Site` too.
        return referring(page, b"no-referrer")

    def returned(self, language: str, *, path: str, fields: Mapping[str, str], nonce: str) -> Page:
        """The page after a log-in at the identity provider. Its script sends the form at once.

        Args:
            language: as in `WORDS`.
            path: below the mount, for the form.
            fields: of the form.
            nonce: as for `step_up`.
        """
        page = self._templates.page(
            "returned", language, nonce, form_action=ANSWERED_BY_APPLICATION, path=path, fields=fields
        )
        # Its address has the code, which no referrer may carry. Under `no-referrer` the form would say `Origin: null`.
        return referring(page, b"strict-origin")

    def module(self, name: str = MODULE) -> bytes:
        """Return a module for pages of the application, to serve as `text/javascript`."""
        return self._modules[name]

    def _rendered_step_up(
        self,
        language: str,
        factors: tuple[str, ...],
        has_form: bool,
        failed: bool,
        sent: bool,
        chosen: str,
    ) -> CutPage:
        return self._templates.cut_page(
            "step_up",
            language,
            None,
            challenge=mark("challenge"),
            form=mark("form") if has_form else "",
            factors=factors,
            failed=failed,
            sent=sent,
            chosen=chosen,
        )

    def _rendered_contact(self, language: str, has_form: bool, failed: bool, sent: bool, by_mail: bool) -> CutPage:
        return self._templates.cut_page(
            "contact",
            language,
            None,
            challenge=mark("challenge"),
            form=mark("form") if has_form else "",
            failed=failed,
            sent=sent,
            where="" if by_mail else "_anywhere",
        )

    def _rendered_work(
        self,
        language: str,
        provider: str,
        sitekey: str,
        has_work: bool,
        here: bool,
    ) -> CutPage:
        return self._templates.cut_page(
            "work",
            language,
            self._widgets[provider] if provider else None,
            form=mark("form"),
            work=mark("work") if has_work else "",
            here=here,
            sitekey=sitekey,
        )


def _colors(brand: Brand) -> str:
    """The brand's colours as rules that end the style sheet."""
    schemes = (("light", brand.color), ("dark", brand.color_dark))
    return "".join(
        f"@media (prefers-color-scheme: {scheme}) {{ :root {{ --act: {color}; --on-act: {readable_on(color)}; }} }}\n"
        for scheme, color in schemes
        if color
    )


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
