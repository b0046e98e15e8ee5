"""An escrowed run is given the attempt, and nothing that identifies the client."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest
from bottle import BaseRequest  # type: ignore[import-untyped]
from django.http.cookie import parse_cookie  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import cookie_parser
from werkzeug.http import parse_cookie as werkzeug_cookies

from sekisho.model import DoorKind
from sekisho.settings.doors import parse_doors
from sekisho.stepup.flow.escrowed_scope import escrowed_scope
from tests.asgi.driving import FORM, http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Headers = Sequence[tuple[bytes, bytes]]


def copied(headers: Headers = (), door: str = "cookies=csrf", **outside: Any) -> dict[str, Any]:
    """The run's scope for a request with these headers at a door so configured."""
    lifespan_state = outside.pop("lifespan_state", {})
    [found] = parse_doors(DoorKind.LOGIN, f"POST /login form:username,password {door}", "X")
    return escrowed_scope(http(headers=headers, **outside), found, lifespan_state)


def cookies(*lines: bytes) -> list[bytes]:
    """The `Cookie` lines of the run."""
    return [value for name, value in copied([(b"cookie", line) for line in lines])["headers"] if name == b"cookie"]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (b"csrf=abc", [b"csrf=abc"]),
        (b"csrf=abc; session=S", [b"csrf=abc"]),
        (b"session=S;csrf=abc;other=1", [b"csrf=abc"]),
        (b'csrf="abc"; session=S', [b'csrf="abc"']),
        (b"csrf=", [b"csrf="]),
        (b"csrf=a=b&session=S", [b"csrf=a=b&session=S"]),
        # One cookie for us, two for a parser that ends it at a blank, comma or quote.
        (b"csrf=abc beaker.session.id=S", []),
        (b"csrf=abc,session=S", []),
        (b"csrf=abc\tsession=S", []),
        (b'csrf="abc" session=S', []),
        (b'csrf=abc"; session=S', []),
        (b'csrf="abc; session=S"', []),
        (b'csrf="a\\"; session=S', []),
        (b"csrf=a\\073 session=S", []),
        (b"csrf=abc\x0bsession=S", []),
        (b"csrf=abc\xa0session=S", []),
        (b"csrf=abc\xe2\x80\xa8session=S", []),
        # Invalid names, or names of other cookies.
        (b"csrf", []),
        (b"=csrf=abc", []),
        (b"csrf =abc", []),
        (b"CSRF=abc", []),
        (b"$Version=1; csrf=abc; $Path=/", [b"csrf=abc"]),
    ],
)
def test_a_named_cookie_is_written_anew_or_left_out(line: bytes, left: list[bytes]) -> None:
    """A named cookie is written anew if its value has cookie-octets alone (RFC 6265 section 4.1.1), bare or quoted."""
    assert cookies(line) == left


def test_all_cookie_lines_are_read() -> None:
    """All cookie lines are read: HTTP/2 splits them, and not every server joins them."""
    assert cookies(b"session=S", b"csrf=a", b"csrf=b; session=S") == [b"csrf=a; csrf=b"]


def bottle_cookies(line: str) -> Mapping[str, object]:
    found: Mapping[str, object] = BaseRequest({"HTTP_COOKIE": line}).cookies
    return found


PARSERS: dict[str, Callable[[str], Mapping[str, object]]] = {
    "http.cookies": SimpleCookie,
    "bottle": bottle_cookies,
    "werkzeug": werkzeug_cookies,
    "django": parse_cookie,
    "starlette": cookie_parser,
}
CRUMBS = [b"csrf", b"session", b"=", b";", b" ", b",", b'"', b"\\", b"\t", b"S", b"\\073", b"$Path", b"\x0b", b"\xa0"]


@pytest.mark.parametrize("parser", PARSERS)
@given(crumbs=st.lists(st.sampled_from(CRUMBS), max_size=16))
def test_no_parser_finds_a_cookie_that_the_door_does_not_name(parser: str, crumbs: list[bytes]) -> None:
    """No parser finds a cookie that the door does not name: a session in it would be the attacker's."""
    for line in cookies(b"csrf=" + b"".join(crumbs)):
        assert set(PARSERS[parser](line.decode("latin-1"))) <= {"csrf"}


IDENTITIES = [
    b"authorization",
    b"proxy-authorization",
    b"x-forwarded-user",
    b"x-forwarded-email",
    b"x-forwarded-preferred-username",
    b"x-forwarded-access-token",
    b"x-forwarded-client-cert",
    b"x-remote-user",
    b"remote-user",
    b"x-auth-request-user",
    b"x-authenticated-userid",
    b"x-goog-authenticated-user-email",
    b"x-ms-client-principal-id",
    b"x-amzn-oidc-data",
    b"cf-access-jwt-assertion",
    b"cf-access-authenticated-user-email",
    b"x-client-cert",
    b"x-ssl-client-cert",
    b"ssl-client-verify",
    b"client-cert",
    b"x-pomerium-jwt-assertion",
    b"x-api-key",
    b"x-session-id",
    b"x-access-token",
    b"baggage",
    b"sekisho-device",
    b"sekisho-tie",
    b"x-of-tomorrows-proxy",
]


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_header_that_may_name_somebody_stays_out(name: bytes) -> None:
    """Headers not known to be harmless stay out, in any case: no list names all that identify a client."""
    assert copied([FORM, (name, b"planted"), (name.title(), b"planted")])["headers"] == [FORM]


NEEDED = {
    b"content-type": b"application/json",
    b"content-length": b"2",
    b"accept": b"text/html",
    b"accept-language": b"ja",
    b"user-agent": b"Firefox",
    b"host": b"shop.test",
    b"origin": b"https://shop.test",
    b"referer": b"https://shop.test/login",
    b"sec-fetch-site": b"same-origin",
    b"x-requested-with": b"XMLHttpRequest",
    b"x-csrftoken": b"t",
    b"x-csrf-token": b"t",
    b"x-xsrf-token": b"t",
    b"hx-request": b"true",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"shop.test",
    b"x-forwarded-for": b"198.51.100.1",
    b"forwarded": b"for=198.51.100.1;proto=https;host=shop.test",
    b"x-real-ip": b"198.51.100.1",
    b"x-request-id": b"7",
}


def test_what_an_application_needs_to_answer_is_there() -> None:
    """What an application needs to answer is passed on: body headers, language, CSRF headers, entry address."""
    assert copied(list(NEEDED.items()))["headers"] == list(NEEDED.items())


def test_a_header_that_the_door_names_is_there() -> None:
    """A header that the door names is passed on in any case, and no other."""
    found = copied([(b"X-Tenant", b"a"), (b"x-other", b"b")], door="headers=x-TENANT,x-more")
    assert found["headers"] == [(b"x-tenant", b"a")]


def test_users_sessions_and_certificates_of_the_scope_stay_out() -> None:
    """Client data in the scope (servers' certificates, middleware's users and sessions) stays out, under any name."""
    outside: dict[str, Any] = {
        "user": "planted",
        "auth": "planted",
        "session": {"user": "planted"},
        "extensions": {"tls": {"client_cert_name": "planted"}},
        "x509": "planted",
        "aws.event": "planted",
        "state": {"user": "planted", "_ls_connection_state": "planted"},
    }
    found = copied([FORM], **outside)
    assert "planted" not in str(found)
    assert (found["state"], found["extensions"]) == ({}, {})
    assert (found["path"], found["client"], found["scheme"]) == ("/login", ("203.0.113.9", 50_000), "https")


def test_the_state_of_the_lifespan_is_there() -> None:
    """The lifespan state, such as a pool, is passed on; a request's own state is not."""
    pool, shared = object(), {"pool": object(), "theme": object()}
    shared["pool"] = pool
    found = copied([FORM], state={"pool": pool, "theme": "planted", "user": "planted"}, lifespan_state=shared)
    assert found["state"] == {"pool": pool}


def test_the_request_itself_is_left_as_it_was() -> None:
    """The copy leaves the request's own scope unchanged."""
    scope = http(headers=[FORM, (b"cookie", b"session=S")], state={"user": "hana"})
    [door] = parse_doors(DoorKind.LOGIN, "POST /login", "X")
    escrowed_scope(scope, door, {})["state"]["sekisho"] = "written"
    assert scope["headers"] == [FORM, (b"cookie", b"session=S")]
    assert scope["state"] == {"user": "hana"}
