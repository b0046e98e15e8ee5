"""Renders templates to pages: bodies, and the headers that say what a browser may do with them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sekisho.model.text import browser_in
from sekisho.stepup.pages.cut import Cut, escaped, mark
from sekisho.stepup.pages.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.plugins import Widget

TEMPLATES: Final = Path(__file__).parent / "templates"

# Chromium (measured with 156) also applies form-action to redirects that answer a form. The application answers these
# forms, and may redirect to another origin; under 'self' alone the log-in would stop at a page that does nothing. All
# forms here post to our own mount, so `https:` permits nothing that escaping does not already prevent.
ANSWERED_BY_APPLICATION: Final = "'self' https:"
ANSWERED_BY_US: Final = "'self'"


_Headers = tuple[tuple[bytes, bytes], ...]


class Page(NamedTuple):
    """A body and its headers in ASGI's form. The caller sets the status."""

    body: bytes
    headers: _Headers


class CutPage(NamedTuple):
    """A page that a flood gets, rendered once and cut where requests differ."""

    body: Cut
    policy: Cut
    headers: _Headers

    def filled(self, nonce: str, values: dict[str, bytes]) -> Page:
        values["nonce"] = escaped(nonce)
        policy = self.policy.filled(values)
        return Page(self.body.filled(values), (*self.headers, (b"content-security-policy", policy)))


class PageTemplates:
    """The templates of one service.

    Args:
        values: those that all templates share.
        shows_images: whether pages show a logo.
    """

    def __init__(self, values: Mapping[str, str], *, shows_images: bool) -> None:
        self._shows_images = shows_images
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["browser_in"] = browser_in
        self._environment.filters["day"] = _day
        self._environment.filters["moment"] = _moment
        self._environment.globals |= values

    def cut_page(self, name: str, language: str, widget: Widget | None, **kept: Any) -> CutPage:
        """Return a page with gaps, for many requests: for the nonce, and for the values that are marked in `kept`."""
        body, policy, headers = self._parts(
            name, language, mark("nonce"), form_action=ANSWERED_BY_APPLICATION, scripted=True, widget=widget, **kept
        )
        return CutPage(Cut.of(body), Cut.of(policy), headers)

    def page(
        self,
        name: str,
        language: str,
        nonce: str,
        *,
        scripted: bool = True,
        form_action: str = ANSWERED_BY_US,
        **values: Any,
    ) -> Page:
        """A page for one client.

        Args:
            name: of the template.
            language: as in `WORDS`; English replaces any other.
            nonce: base64 of 16 or more random bytes, new for every page.
            scripted: whether it loads the script.
            form_action: where its forms may lead.
            values: of the template.
        """
        body, policy, headers = self._parts(
            name, language, nonce, form_action=form_action, scripted=scripted, widget=None, **values
        )
        return Page(body.encode("utf-8", "replace"), (*headers, (b"content-security-policy", policy.encode())))

    def _parts(
        self,
        name: str,
        language: str,
        nonce: str,
        *,
        form_action: str,
        scripted: bool,
        widget: Widget | None,
        **values: Any,
    ) -> tuple[str, str, _Headers]:
        """Return body, policy and the other headers."""
        language = language if language in WORDS else "en"
        body = self._environment.get_template(f"{name}.html").render(
            language=language, words=WORDS[language], nonce=nonce, scripted=scripted, widget=widget, **values
        )
        # Only passkeys ask the server for something. Servers check each byte of the policy, for each page of a flood.
        connects = widget is not None or " data-options=" in body
        policy = _policy(
            nonce,
            form_action=form_action,
            scripted=scripted,
            connects=connects,
            widget=widget,
            images=self._shows_images,
        )
        # Under no-referrer, browsers send `Origin: null` with a form, which applications treat as a forgery. Captcha
        # providers check the embedding page.
        referrer = b"strict-origin-when-cross-origin" if widget else b"same-origin"
        headers = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-language", language.encode()),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", referrer),
            (b"x-content-type-options", b"nosniff"),
        )
        return body, policy, headers


def referring(page: Page, policy: bytes) -> Page:
    """The page with another policy for referrers."""
    headers = tuple((name, policy if name == b"referrer-policy" else value) for name, value in page.headers)
    return page._replace(headers=headers)


def _policy(
    nonce: str, *, form_action: str, scripted: bool, connects: bool, widget: Widget | None, images: bool
) -> str:
    hosts = f" {widget.hosts}" if widget else ""
    directives = ["default-src 'none'", f"style-src 'nonce-{nonce}'{hosts}"]
    if scripted:
        directives.append(f"script-src 'nonce-{nonce}'{hosts}")
    if connects:
        directives.append(f"connect-src 'self'{hosts}")
    if images:
        directives.append("img-src 'self'")
    if widget:
        directives.append(f"frame-src{hosts}")
    directives += [f"form-action {form_action}", "base-uri 'none'", "frame-ancestors 'none'"]
    return "; ".join(directives)


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M")
