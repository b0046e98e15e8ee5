"""The log-in forms of a page, and where each of them posts its password. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from sekisho.html_forms import html_forms, name_alone, password_fields
from sekisho.model import DoorKind, Unreadable, hazards
from sekisho.read.csrf import is_form_token, token_cookie
from sekisho.settings import asks_for_name_first, door_text, reads_other_fields, respelt_text, stepped_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sekisho.html_forms import HtmlForm
    from sekisho.model import Door
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.read import Doors
    from sekisho.read.set_cookies import SetCookie

FORMS_MAX: Final = 16


class LogInForm(NamedTuple):
    """A form with one field for a password.

    Attributes:
        path: without a query.
        account: the name of its field; empty where no text is typed before the password.
        token: the name of a hidden field with a CSRF token; empty where there is none.
    """

    method: str
    path: str
    account: str
    secret: str
    token: str = ""

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


def name_forms(page: str, at: str, host: str = "") -> list[LogInForm]:
    """Return the forms of a page that send one typed field and no password: a log-in's first step, or a search.

    The arguments are those of `log_in_forms`; `secret` is empty.
    """
    found = [(form, name_alone(form), _target(form.action, at, host)) for form in html_forms(page)[:FORMS_MAX]]
    return [LogInForm(form.method, target, name, "") for form, name, target in found if name and target is not None]


def checks_of_steps(forms: Iterable[LogInForm], doors: Doors) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each `LOGIN` door whose form sends the name alone, which is refused there.

    `forms`: as `name_forms` returns them.
    """
    for form in dict.fromkeys(forms):
        door = _door(form, doors)
        if door is not None and asks_for_name_first(door, form.account):
            yield hazards.UNREAD_ATTEMPT.found(
                f"SEKISHO_LOGIN: a form sends {form.account} without a password to {door.name}, which refuses that",
                f"SEKISHO_LOGIN={stepped_text(door)}",
            )


def checks_of_forms(forms: Iterable[LogInForm], doors: Doors) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each form that posts its password to a path which is no door."""
    for form in dict.fromkeys(forms):
        if not _is_guarded(form, doors):
            yield hazards.UNGUARDED_FORM.found(
                f"SEKISHO_LOGIN: a form posts a password to {form.method} {form.path}, which is no door",
                f"SEKISHO_LOGIN={form.line}",
            )


def checks_of_fields(forms: Iterable[LogInForm], doors: Doors) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each `LOGIN` door whose form sends its account and password in fields of other names."""
    for form in dict.fromkeys(form._replace(token="") for form in forms if form.account and form.secret):
        door = _door(form, doors)
        if door is not None and reads_other_fields(door, form.account, form.secret):
            line = respelt_text(door, form.account, form.secret)
            yield hazards.UNREAD_ATTEMPT.found(
                f"SEKISHO_LOGIN: the form of {door.name} has the fields {form.account} and {form.secret}, and the door "
                "reads others, so it refuses every log-in by this form",
                f"SEKISHO_LOGIN={line}" if line else "",
            )


def checks_of_token(forms: Iterable[LogInForm], cookies: Sequence[SetCookie], doors: Doors) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each door whose form has a CSRF token that behind a step-up has no cookie beside it.

    Args:
        forms: of a page.
        cookies: that the page sets in a new browser.
        doors: of the service.
    """
    for form in forms:
        door = _door(form, doors) if form.token else None
        if door is None or door.kind is not DoorKind.LOGIN:
            continue
        cookie = token_cookie(door, cookies)
        if cookie and cookie.isprintable():
            yield hazards.WITHHELD_COOKIE.found(
                f"SEKISHO_LOGIN: the form of {door.name} has a CSRF token ({form.token}), and behind a step-up the "
                f"application does not see the cookie {cookie}, in which the token may be kept",
                f"SEKISHO_LOGIN={door_text(door, cookie=cookie)}",
            )


def _form(found: HtmlForm, at: str, host: str) -> LogInForm | None:
    names, target = password_fields(found), _target(found.action, at, host)
    if names is None or target is None:
        return None
    tokens = [field.name for field in found.fields if field.kind == "hidden" and is_form_token(field.name)]
    token = tokens[0] if tokens else ""
    form = LogInForm(found.method, target, *names, token)
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
    try:
        return _found(form, doors) is not None
    except Unreadable:  # refused at every route
        return True


def _door(form: LogInForm, doors: Doors) -> Door | None:
    try:
        return _found(form, doors)
    except Unreadable:
        return None


def _found(form: LogInForm, doors: Doors) -> Door | None:
    """The door that a form posts to. Raises `Unreadable` for a path that is refused at every route."""
    request = {"type": "http", "method": form.method, "path": form.path, "headers": [], "query_string": b""}
    return doors.find(request, has_body=True)
