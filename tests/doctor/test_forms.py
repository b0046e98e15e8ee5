"""Forms of a page are read, and compared with the doors."""

from __future__ import annotations

import pytest

from sekisho.doctor.forms import (
    LogInForm,
    checks_of_fields,
    checks_of_forms,
    checks_of_steps,
    log_in_forms,
    name_forms,
)
from sekisho.model import DoorKind
from sekisho.read import Doors
from sekisho.settings import parse_doors

PASSWORD = '<input type="password" name="pass">'
FIELDS = f'<input name="email" type="EMAIL">{PASSWORD}'


@pytest.mark.parametrize(
    ("page", "forms"),
    [
        (f'<form method="post">{FIELDS}</form>', [LogInForm("POST", "/account/in", "email", "pass")]),
        (f'<form method="post" action="?next=/x">{FIELDS}</form>', [LogInForm("POST", "/account/in", "email", "pass")]),
        (f'<form method="POST" action="/session">{FIELDS}</form>', [LogInForm("POST", "/session", "email", "pass")]),
        (f'<form action="check">{FIELDS}</form>', [LogInForm("GET", "/account/check", "email", "pass")]),
        (f'<form method="post">{PASSWORD}</form>', [LogInForm("POST", "/account/in", "", "pass")]),
        (
            f'<form method=post><input name="q"><input type="hidden" name="csrf">{FIELDS}<input name="code"></form>',
            [LogInForm("POST", "/account/in", "email", "pass", "csrf")],
        ),
        (f'<form action="https://other.example/in">{FIELDS}</form>', []),
        (f'<form action="javascript:void(0)">{FIELDS}</form>', []),
        (f'<form action="//[x">{FIELDS}</form>', []),
        (f"<form>{FIELDS}{PASSWORD}</form>", []),  # a sign-up
        ('<form><input name="q"></form>', []),
        (f"{FIELDS}<form></form>{FIELDS}", []),
        ('<form method="post"><input name="a&#10;b"><input type="password" name="\x1b[2J"></form>', []),
        ("<form <<< <input type=password", []),
        ("", []),
    ],
)
def test_a_log_in_form_is_read(page: str, forms: list[LogInForm]) -> None:
    """Method, path and fields, as a browser would post them; forms for anything else are left out."""
    assert log_in_forms(page, "/account/in") == forms


def test_an_action_may_name_the_host_of_its_page() -> None:
    """A form whose action is a whole URL of the page's own host is read; one of another host or a lookalike is not."""
    actions = ("https://Shop.example/in", "//shop.example:8443", "https://shop.example.evil/in", "https://evil/in")
    page = "".join(f'<form method="post" action="{action}">{FIELDS}</form>' for action in actions)

    assert [form.path for form in log_in_forms(page, "/account/in", "shop.example")] == ["/in", "/"]


def test_forms_are_bounded() -> None:
    """A page with thousands of forms costs no more than one with sixteen."""
    assert len(log_in_forms(f"<form>{FIELDS}</form>" * 500, "/")) == 16


def test_a_form_at_a_door_is_guarded() -> None:
    """A form whose request is a door's is guarded, also with a slash at the end; each other is told once."""
    doors = Doors(parse_doors(DoorKind.LOGIN, "POST /login form:email,pass", "LOGIN"))
    forms = [LogInForm("POST", path, "email", "pass") for path in ("/login", "/login/", "/account", "/account")]

    assert [each.write for each in checks_of_forms(forms, doors)] == ["SEKISHO_LOGIN=POST /account form:email,pass"]


@pytest.mark.parametrize(
    ("door", "lines"),
    [
        (
            "POST /login form:email,pass success=302:/home",
            ["SEKISHO_LOGIN=POST /login form:email,pass success=302:/home first=name"],
        ),
        ("POST /login form:email,pass", ["SEKISHO_LOGIN=POST /login form:email,pass success=RULE first=name"]),
        ("POST /login form:email,pass success=302:/home first=name", []),
        ("POST /login form:user,pass", []),
        ("POST /login json:email,pass", ["SEKISHO_LOGIN=POST /login json:email,pass success=RULE first=name"]),
        ("POST /session form:email,pass", []),
    ],
)
def test_a_form_that_sends_the_name_alone_needs_the_option(door: str, lines: list[str]) -> None:
    """A form with the door's account and no password is refused there; searches and other doors are left alone."""
    page = '<form method=post action="/login"><input type=hidden name=csrf><input name=email></form>'
    page += '<form method=post action="/login"><input name=q></form>'
    doors = Doors(parse_doors(DoorKind.LOGIN, door, "LOGIN"))

    assert [each.write for each in checks_of_steps(name_forms(page, "/"), doors)] == lines


@pytest.mark.parametrize(
    ("door", "line"),
    [
        ("POST /login form:mail,pass success=302:/home", "POST /login form:email,pass success=302:/home"),
        ("POST /login json form:email,password cookies=a", "POST /login json form:email,pass cookies=a"),
        ("POST /login multipart:user,pass", "POST /login multipart:email,pass"),
        ("POST /login success=303", "POST /login form:email,pass json success=303"),  # email alone is usual
        ("POST /login form:user,pass account=main/{user}", "POST /login form:email,pass account=main/{email}"),
        ("POST /login form:user|email,pass", ""),
        ("POST /login json:user,password", ""),  # a script sends what is typed
        ("POST /session form:user,pass", ""),
    ],
)
def test_a_form_whose_fields_the_door_does_not_read_is_found(door: str, line: str) -> None:
    """The line keeps the rest of the door. Doors that read no form, and forms elsewhere, are left alone."""
    doors = Doors(parse_doors(DoorKind.LOGIN, door, "LOGIN"))
    forms = log_in_forms(f'<form method=post action="/login">{FIELDS}</form>' * 2, "/")
    told = list(checks_of_fields(forms, doors))

    assert [(each.hazard.number, each.write) for each in told] == [("SEK084", f"SEKISHO_LOGIN={line}")] * bool(line)
    assert all("has the fields email and pass, and the door reads others" in each.what for each in told)


def test_a_field_that_cannot_be_written_gets_the_line_of_the_number() -> None:
    """A name with a comma has no place in the notation; it is named all the same."""
    doors = Doors(parse_doors(DoorKind.LOGIN, "POST /login form:user,pass", "LOGIN"))
    (told,) = checks_of_fields([LogInForm("POST", "/login", "a,b", "pass")], doors)

    assert told.write == "SEKISHO_LOGIN=POST /login json:ACCOUNT,PASSWORD"
