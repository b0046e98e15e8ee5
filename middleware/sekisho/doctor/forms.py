"""The log-in forms of a page, and where each of them posts its password. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from sekisho.html_forms import html_forms
from sekisho.model import Unreadable, hazards

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.html_forms import HtmlForm
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.read import Doors

FORMS_MAX: Final = 16
_TYPED: Final = frozenset({"", "text", "email", "tel"})


class LogInForm(NamedTuple):
    """A form with one field for a password. `path` has no query; `account` is empty where no text is typed before."""

    method: str
    path: str
    account: str
    secret: str

    @property
    def line(self) -> str:
        """The form as a door in the notation of the settings, such as `POST /login form:user,password`."""
        return f"{self.method} {self.path} form:{self.account},{self.secret}"


def log_in_forms(page: str, at: str, host: str = "") -> list[LogInForm]:
    """Return the forms of a page, GET or POST, that send exactly one password to the page's own host.

    A form with two passwords sets one, at a sign-up or a change. The first 16 forms are read; one whose field names
    hold a space is left out.

    Args:
        page: HTML.
        at: the page's path, from which relative actions start.
        host: the page's host, for actions that name it; empty if it is unknown.
    """
    return [form for found in html_forms(page)[:FORMS_MAX] if (form := _form(found, at, host)) is not None]


def checks_of_forms(forms: Iterable[LogInForm], doors: Doors) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each form that posts its password to a path which is no door."""
    for form in dict.fromkeys(forms):
        if not _is_guarded(form, doors):
            yield hazards.UNGUARDED_FORM.found(
                f"SEKISHO_LOGIN: a form posts a password to {form.method} {form.path}, which is no door",
                f"SEKISHO_LOGIN={form.line}",
            )


def _form(found: HtmlForm, at: str, host: str) -> LogInForm | None:
    kinds = [field.kind for field in found.fields]
    target = _target(found.action, at, host)
    if kinds.count("password") != 1 or target is None:
        return None
    place = kinds.index("password")
    before = [field.name for field in found.fields[:place] if field.kind in _TYPED and field.name]
    form = LogInForm(found.method, target, before[-1] if before else "", found.fields[place].name)
    return form if all(each.isprintable() and " " not in each for each in form) else None


def _target(action: str, at: str, host: str) -> str | None:
    """The path that a form posts to: without an action, that of its page. None for another host."""
    try:
        parts = urlsplit(urljoin(at, action))
    except ValueError:
        return None
    if not parts.netloc:
        return None if parts.scheme else parts.path
    return (parts.path or "/") if host and parts.hostname == host.lower() else None


def _is_guarded(form: LogInForm, doors: Doors) -> bool:
    request = {"type": "http", "method": form.method, "path": form.path, "headers": [], "query_string": b""}
    try:
        return doors.find(request, has_body=True) is not None
    except Unreadable:  # refused at every route
        return True
