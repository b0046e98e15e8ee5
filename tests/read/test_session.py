"""What a session is shown by: in the answer that begins it, and in a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sekisho.model import SuccessBy, SuccessRule
from sekisho.read import SessionCredentials, credentials_set, credentials_shown
from tests.read.making import door

DOOR = door()
BY_COOKIE = replace(DOOR, success=(SuccessRule(SuccessBy.COOKIE, name="sid"),))
BY_JSON = replace(DOOR, success=(SuccessRule(SuccessBy.JSON, path=("data", "key")),))


def setting(*lines: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"set-cookie", line) for line in lines]


def shown(*lines: bytes) -> dict[str, str]:
    """The cookie `sid` as a request shows it."""
    return credentials_shown([(b"cookie", line) for line in lines], {"sid"}).cookies


def test_new_cookies_that_scripts_cannot_read_are_credentials() -> None:
    """All of them: which one is the session is not known."""
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
    """Deletions, our own cookies, and those that are the same for several accounts tie nothing."""
    assert not credentials_set(DOOR, setting(line), b"")


def test_the_last_line_of_a_name_is_what_counts() -> None:
    """As in browsers: deleted after it was set, it is gone; set after it was deleted, it is there."""
    assert not credentials_set(DOOR, setting(b"sid=1; HttpOnly", b"sid=; HttpOnly"), b"")
    assert credentials_set(DOOR, setting(b"sid=; HttpOnly", b"sid=2; HttpOnly"), b"").cookies == (("sid", "2"),)


def test_a_rule_names_the_one_cookie() -> None:
    """The operator knows best, `HttpOnly` or not."""
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
    """A token is one where the outcome takes it for one."""
    assert credentials_set(DOOR, [], body) == SessionCredentials((), token)


def test_a_rule_names_the_one_token() -> None:
    """Only what stands at its place, and no cookie."""
    body = b'{"token": "no", "data": {"key": "yes"}}'
    assert credentials_set(BY_JSON, setting(b"sid=1; HttpOnly"), body) == SessionCredentials((), "yes")
    assert not credentials_set(BY_JSON, [], b'{"data": {"key": true}}')


def test_beyond_the_bounds_is_nothing() -> None:
    """A part of the credentials could be the part that is the same for everybody."""
    nine = setting(*(b"sid%d=x; HttpOnly" % number for number in range(9)))
    assert len(credentials_set(DOOR, nine[:8], b"").cookies) == 8
    assert not credentials_set(DOOR, nine, b"")
    assert credentials_set(DOOR, setting(b"sid=" + b"x" * 4_096 + b"; HttpOnly"), b"")
    assert not credentials_set(DOOR, setting(b"a=1; HttpOnly", b"sid=" + b"x" * 4_097 + b"; HttpOnly"), b"")


@pytest.mark.parametrize("lines", [(b"sid=1",), (b"a=2; sid=1",), (b"a=2", b"sid=1"), (b"xsid=3; sid=1; sidx=4",)])
def test_a_cookie_is_read_by_its_name(lines: tuple[bytes, ...]) -> None:
    """In one header or, as HTTP/2 splits them, in several."""
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
        (b"sid=1; " + b"x" * 70_000,),
        (b"",),
    ],
)
def test_a_name_that_some_parser_sees_twice_is_not_shown(lines: tuple[bytes, ...]) -> None:
    """The application could take the other one: the session of one account under the proof of another (R4)."""
    assert shown(*lines) == {}


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
    """Several, or another scheme, are something that we do not know."""
    found = credentials_shown([(b"authorization", value) for value in values], ())
    assert (found.bearer, found.other_authorization) == (bearer, other)


def test_no_value_is_in_what_is_printed() -> None:
    """Tracebacks show these."""
    headers = [(b"cookie", b"sid=canary"), (b"authorization", b"Bearer canary")]
    assert "canary" not in repr(credentials_set(DOOR, setting(b"sid=canary; HttpOnly"), b""))
    assert "canary" not in repr(credentials_shown(headers, {"sid"}))
