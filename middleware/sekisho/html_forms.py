"""The forms of an HTML page. Pure."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final, NamedTuple

FIELDS_MAX: Final = 64


class HtmlField(NamedTuple):
    """An `input` element: `kind` is its type in lower case, empty where it names none."""

    kind: str
    name: str
    value: str


class HtmlForm(NamedTuple):
    """A form as it is written: `method` in upper case; the first 64 fields, in order."""

    method: str
    action: str
    fields: list[HtmlField]


def html_forms(page: str) -> list[HtmlForm]:
    """Return all forms of a page."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    return parser.forms


TYPED: Final = frozenset({"", "text", "email", "tel"})
"""The types of fields into which an account's name is typed."""


def name_alone(form: HtmlForm) -> str:
    """The name of the only field that is typed into a form without a password; empty for every other form.

    Such is the first of two steps of a log-in.
    """
    typed = [field.name for field in form.fields if field.kind in TYPED]
    has_password = any(field.kind == "password" for field in form.fields)
    return typed[0] if len(typed) == 1 and not has_password else ""


def password_fields(form: HtmlForm) -> tuple[str, str] | None:
    """The names of the fields for an account and its password; None for a form without exactly one password.

    The account's is the last that is typed before the password; empty where there is none.
    """
    kinds = [field.kind for field in form.fields]
    if kinds.count("password") != 1:
        return None
    place = kinds.index("password")
    before = [field.name for field in form.fields[:place] if field.kind in TYPED and field.name]
    return before[-1] if before else "", form.fields[place].name


class _Parser(HTMLParser):
    """Collects forms and their fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_open = True
            self.forms.append(HtmlForm((named.get("method") or "get").upper(), named.get("action", "").strip(), []))
        elif tag == "input" and self._is_open and len(self.forms[-1].fields) < FIELDS_MAX:
            field = HtmlField(named.get("type", "").lower(), named.get("name", ""), named.get("value", ""))
            self.forms[-1].fields.append(field)

    def handle_endtag(self, tag: str) -> None:
        self._is_open = self._is_open and tag != "form"
