"""Session credentials: in the answer that creates them, and in a request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from blacksheep.messages import Request as BlackSheep
from sanic.cookies.request import CookieRequestParameters, parse_cookie

from sekisho.model import SuccessBy, SuccessRule
from sekisho.read import SessionCredentials, credentials_set, credentials_shown
from sekisho.read.session import other_session
from tests.read.making import door

DOOR = door()
BY_COOKIE = replace(DOOR, success=(SuccessRule(SuccessBy.COOKIE, name="sid"),))
BY_JSON = replace(DOOR, success=(SuccessRule(SuccessBy.JSON, path=("data", "key")),))


def setting(*lines: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"set-cookie", line) for line in lines]


def shown(*lines: bytes) -> dict[str, str]:
    """The cookie `sid` as a request sends it."""
    return credentials_shown([(b"cookie", line) for line in lines], {"sid"}).cookies


def test_new_cookies_that_scripts_cannot_read_are_credentials() -> None:
    """All new `HttpOnly` cookies are credentials, as the session's own is unknown."""
    headers = setting(b"sid=1; HttpOnly", b"user=2; httponly; Path=/", b"theme_x=3", b"plain=4")
    assert credentials_set(DOOR, headers, b"") == SessionCredentials((("sid", "1"), ("user", "2")))


@pytest.mark.parametrize(
    "line",
    [
        b"sid=; HttpOnly",
        b"sid=x; HttpOnly; Max-Age=0",
        b"sid=x; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        b"__Host-sekisho-device=x; HttpOnly",
        b"__host-SEKISHO-tie=x; HttpOnly",
        b"csrftoken=x; HttpOnly",
        b"refresh_token=x; HttpOnly",
        b"sid=x",
        b"=x; HttpOnly",
    ],
)
def test_what_says_nothing_about_who_is_logged_in_is_none(line: bytes) -> None:
    """Deletions, our own cookies and cookies equal for several accounts are no credentials."""
    assert credentials_set(DOOR, setting(line), b"").is_empty


def test_the_last_line_of_a_name_is_what_counts() -> None:
    """The last `Set-Cookie` line of a name counts, as in browsers."""
    assert credentials_set(DOOR, setting(b"sid=1; HttpOnly", b"sid=; HttpOnly"), b"").is_empty
    assert credentials_set(DOOR, setting(b"sid=; HttpOnly", b"sid=2; HttpOnly"), b"").cookies == (("sid", "2"),)


def test_a_rule_names_the_one_cookie() -> None:
    """A rule names the one cookie, `HttpOnly` or not."""
    headers = setting(b"other=1; HttpOnly", b"sid=2")
    assert credentials_set(BY_COOKIE, headers, b'{"token": "t"}') == SessionCredentials((("sid", "2"),))


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"access_token": "t"}', "t"),
        (b'{"data": {"accessToken": "t"}}', "t"),
        (b'{"token": 5}', ""),
        (b"[]", ""),
        (b"{", ""),
        (b"", ""),
    ],
)
def test_usual_tokens_are_credentials(body: bytes, token: str) -> None:
    """A token in the places where the outcome finds one is a credential."""
    assert credentials_set(DOOR, [], body) == SessionCredentials((), token)


def test_a_rule_names_the_one_token() -> None:
    """A rule for a token uses the value at its place alone, and no cookie."""
    body = b'{"token": "no", "data": {"key": "yes"}}'
    assert credentials_set(BY_JSON, setting(b"sid=1; HttpOnly"), body) == SessionCredentials((), "yes")
    assert credentials_set(BY_JSON, [], b'{"data": {"key": true}}').is_empty


def test_beyond_the_bounds_is_nothing() -> None:
    """Beyond the bounds there are no credentials: the kept part could be one that all accounts share."""
    nine = setting(*(b"sid%d=x; HttpOnly" % number for number in range(9)))
    assert len(credentials_set(DOOR, nine[:8], b"").cookies) == 8
    assert credentials_set(DOOR, nine, b"").is_empty
    assert credentials_set(DOOR, setting(b"sid=" + b"x" * 4_096 + b"; HttpOnly"), b"")
    assert credentials_set(DOOR, setting(b"a=1; HttpOnly", b"sid=" + b"x" * 4_097 + b"; HttpOnly"), b"").is_empty


@pytest.mark.parametrize(
    "lines",
    [
        (b"sid=1",),
        (b"a=2; sid=1",),
        (b"a=2", b"sid=1"),
        (b"xsid=3; sid=1; sidx=4",),
        (b"sid=1; a%69=2; __Host-sidx=3; x__Host-sid=4",),
    ],
)
def test_a_cookie_is_read_by_its_name(lines: tuple[bytes, ...]) -> None:
    """A cookie is read by its name, from one header or from several (HTTP/2)."""
    assert shown(*lines) == {"sid": "1"}


@pytest.mark.parametrize(
    "lines",
    [
        (b"sid=1; sid=2",),
        (b"sid=1", b"sid=1"),
        (b"sid=1; a=b,sid=2",),
        (b"sid=1; a=b sid=2",),
        (b"sid=1; a=b sid = 2",),
        (b'sid=1; a="; sid=2"',),
        (b"sid=1; sid =2",),
        (b"sid=1; s%69d=2",),  # BlackSheep decodes names
        (b"s%69d=2; sid=1",),
        (b"sid=1; __Host-sid=2",),  # Sanic prefers names with a prefix
        (b"__Secure-sid=2; sid=1",),
        (b"sid=1; __Secure-__Host-sid=2",),
        (b"sid=1; " + b"__Host-a=2; " * 65,),
        (b"sid=1; " + b"x" * 70_000,),
        (b"",),
    ],
)
def test_a_name_that_some_parser_sees_twice_is_not_shown(lines: tuple[bytes, ...]) -> None:
    """A cookie name that some parser sees twice is not used: the application could take the other session (R4)."""
    assert shown(*lines) == {}


@pytest.mark.parametrize("other", [b"__Host-sid=2", b"__Secure-sid=2", b"s%69d=2"])
def test_what_a_framework_takes_for_the_session_hides_the_one_beside_it(other: bytes) -> None:
    """R4: Sanic or BlackSheep would open the other session, a stolen one, by the proof of the one that is shown."""
    header = b"sid=1; " + other
    sanic = CookieRequestParameters(parse_cookie(header.decode())).get("sid")
    blacksheep = BlackSheep("GET", b"/", [(b"Cookie", header)]).get_cookie("sid")
    assert "2" in {sanic, blacksheep}
    assert shown(header) == {}


def test_a_session_with_a_prefix_may_stand_beside_one_without() -> None:
    """A site that has renamed its cookie: the older one is still sent, and no framework prefers it."""
    header = [(b"cookie", b"sid=old; __Host-sid=1")]
    assert credentials_shown(header, {"__Host-sid"}).cookies == {"__Host-sid": "1"}


@pytest.mark.parametrize(
    ("values", "bearer", "other"),
    [
        ([], "", False),
        ([b"Bearer t"], "t", False),
        ([b"bearer  t "], "t", False),
        ([b"Basic t"], "", True),
        ([b"Bearer t", b"Bearer t"], "", True),
        ([b"Bearer " + b"t" * 4_097], "", True),
        ([b"Bearer"], "", True),
    ],
)
def test_a_bearer_token_is_read_where_there_is_one(values: list[bytes], bearer: str, other: bool) -> None:
    """One bearer token is read; several or another scheme are not."""
    found = credentials_shown([(b"authorization", value) for value in values], ())
    assert (found.bearer, found.other_authorization) == (bearer, other)


def test_no_value_is_in_what_is_printed() -> None:
    """A `repr` shows no value: tracebacks print it."""
    headers = [(b"cookie", b"sid=canary"), (b"authorization", b"Bearer canary")]
    assert "canary" not in repr(credentials_set(DOOR, setting(b"sid=canary; HttpOnly"), b""))
    assert "canary" not in repr(credentials_shown(headers, {"sid"}))


@pytest.mark.parametrize("text", [b";", b"=", b"a=b; ", b",", b'"'])
def test_more_parts_than_browsers_send_are_not_read(text: bytes) -> None:
    """Row 128: 60,000 parts once took ten milliseconds: such a header shows no session, and may hold another."""
    header = [(b"cookie", b"session=s; " + (text * 60_000)[:60_000])]
    assert credentials_shown(header, {"session"}).cookies == {}
    assert other_session(header, {"session"})
    usual = [(b"cookie", b"session=s; " + b"; ".join(b"name-%d=%d" % (n, n) for n in range(1_000)))]
    assert credentials_shown(usual, {"session"}).cookies == {"session": "s"}
    assert not other_session(usual, {"session"})
