"""What the application's answer proves, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Door, DoorKind, Outcome, SuccessBy, SuccessRule
from sekisho.read import RuleSuggester, from_body, from_start
from tests.read.making import door

YES, NO, PERHAPS, BODY = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN, None
DOOR = door()
SESSION = (b"set-cookie", b"session=abc; Path=/; HttpOnly")
JSON = (b"content-type", b"application/json")


def to(location: str) -> tuple[bytes, bytes]:
    return b"location", location.encode()


@pytest.mark.parametrize(
    ("expected", "status", "headers"),
    [
        (NO, 400, [SESSION]),
        (NO, 401, [SESSION, JSON]),
        (NO, 429, []),
        (NO, 500, [SESSION]),
        (NO, 503, []),
        (PERHAPS, 200, []),
        (PERHAPS, 200, [SESSION]),  # a form shown again sets cookies, too
        (PERHAPS, 204, [SESSION]),
        (BODY, 200, [JSON]),
        (BODY, 201, [(b"content-type", b"application/vnd.x+json; charset=utf-8"), SESSION]),
        (PERHAPS, 200, [JSON, (b"content-encoding", b"gzip"), SESSION]),
        (YES, 302, [to("/home"), SESSION]),
        (YES, 303, [to("/"), SESSION]),
        (YES, 302, [to("https://shop.example/account?tab=1"), SESSION]),
        (YES, 301, [to("home"), SESSION]),
        (PERHAPS, 302, [to("/home")]),
        (PERHAPS, 302, [SESSION]),
        (PERHAPS, 302, [to(""), SESSION]),
        (PERHAPS, 302, [to("/login"), SESSION]),  # row 65: 302 both ways
        (PERHAPS, 302, [to("/Login/?next=/"), SESSION]),
        (PERHAPS, 302, [to("?e=1"), SESSION]),
        (PERHAPS, 302, [to("//shop.example/login"), SESSION]),
        (PERHAPS, 302, [to("./login/two"), SESSION]),
        (PERHAPS, 302, [to("/error"), SESSION]),  # R5
        (PERHAPS, 302, [to("/home?error=1"), SESSION]),
        (PERHAPS, 302, [to("/account/verify-otp"), SESSION]),
        (PERHAPS, 302, [to("/2fa"), SESSION]),
        (PERHAPS, 302, [to("/signin"), SESSION]),
        (PERHAPS, 302, [to("http://[x/home"), SESSION]),
        (PERHAPS, 307, [to("/home"), SESSION]),
        (PERHAPS, 308, [to("/home"), SESSION]),
        (PERHAPS, 304, [to("/home"), SESSION]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session=abc; Path=/")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session=; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b'session=""; HttpOnly')]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session=x; HttpOnly; Max-Age=0")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session=x; HttpOnly; max-age=-1")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"s=x; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:00 GMT")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session=deleted; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"csrf_token=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"messages=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), (b"set-cookie", b"session; HttpOnly")]),
        (YES, 302, [to("/home"), (b"set-cookie", b"a=b"), (b"Set-Cookie", b"s=x;httponly;Max-Age=3600")]),
        (YES, 302, [to("/home"), (b"set-cookie", b"s=x; HttpOnly; Expires=Thu, 01 Jan 2099 00:00:00 GMT")]),
        (PERHAPS, 101, [SESSION]),
    ],
)
def test_the_cautious_default(expected: Outcome | None, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """Rows 64, 65, R5: doubt is never resolved in favour of the attempt."""
    assert from_start(DOOR, status, headers, "/login") is expected


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (YES, {"access_token": "x", "token_type": "bearer", "expires_in": 3600}),
        (YES, {"accessToken": "x"}),
        (YES, {"ok": True, "token": "x", "error": None, "mfa_required": False}),
        (YES, {"data": {"jwt": "x", "user": {"name": "a"}}}),
        (YES, {"session": "x", "message": "Login successful"}),
        (PERHAPS, {"ok": False}),  # R5
        (PERHAPS, {"ok": False, "token": "x"}),
        (PERHAPS, {"success": "false", "token": "x"}),
        (PERHAPS, {"mfa_required": True, "token": "x"}),
        (PERHAPS, {"token": "x", "user": {"requires2fa": True}}),
        (PERHAPS, {"token": "x", "next": "totp", "step": "mfa"}),
        (PERHAPS, {"mfa_token": "x"}),
        (PERHAPS, {"token": "x", "challenge": "y"}),
        (PERHAPS, {"error": "bad", "access_token": "x"}),
        (PERHAPS, {"errors": [{"m": 1}], "access_token": "x"}),
        (PERHAPS, {"status": "error", "token": "x"}),
        (PERHAPS, {"message": "Wrong password", "token": "x"}),
        (PERHAPS, {"token": ""}),
        (PERHAPS, {"token": None}),
        (PERHAPS, {"token": True}),
        (PERHAPS, {"csrf_token": "x"}),
        (PERHAPS, {"user": {"token": "x"}}),
        (PERHAPS, {}),
        (PERHAPS, ["token"]),
        (PERHAPS, "token"),
    ],
)
def test_bodies_without_a_rule(expected: Outcome, body: Any) -> None:
    """A token, and no word of a second step or an error anywhere."""
    assert from_body(DOOR, 200, json.dumps(body).encode()) is expected
    assert from_body(DOOR, 401, json.dumps(body).encode()) is PERHAPS


def test_a_session_cookie_beside_json() -> None:
    """With the headers handed on, a cookie counts as a token does, and no more than it."""
    assert from_body(DOOR, 200, b'{"user":"a"}', [JSON, SESSION]) is YES
    assert from_body(DOOR, 200, b'{"user":"a"}') is PERHAPS
    assert from_body(DOOR, 200, b'{"ok":false}', [JSON, SESSION]) is PERHAPS


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"token":"x"', b"9" * 5_000])
def test_bodies_that_are_cut_or_broken_prove_nothing(body: bytes) -> None:
    """Row 64: half an answer is no success, with a rule or without."""
    assert from_body(DOOR, 200, body) is PERHAPS
    assert from_body(ruled(JSON_RULE), 200, body) is PERHAPS


def ruled(*rules: SuccessRule) -> Door:
    return Door(DoorKind.LOGIN, "POST", "/login", DOOR.fields, rules)


JSON_RULE = SuccessRule(SuccessBy.JSON, path=("data", "token"))
COOKIE_RULE = SuccessRule(SuccessBy.COOKIE, name="sid")
HOME_RULE = SuccessRule(SuccessBy.STATUS, statuses=range(302, 303), location="/home")


@pytest.mark.parametrize(
    ("expected", "rule", "status", "headers"),
    [
        (YES, HOME_RULE, 302, [to("/home")]),
        (YES, HOME_RULE, 302, [to("/home/?a=b")]),
        (YES, HOME_RULE, 302, [to("https://shop.example/home/x")]),
        (NO, HOME_RULE, 302, [to("/homeless")]),
        (NO, HOME_RULE, 302, [to("/login?next=/home")]),
        (NO, HOME_RULE, 302, [to("https://home/")]),
        (NO, HOME_RULE, 302, []),
        (NO, HOME_RULE, 303, [to("/home")]),
        (NO, HOME_RULE, 200, [SESSION]),
        (YES, SuccessRule(SuccessBy.STATUS, range(200, 300)), 204, []),
        (NO, SuccessRule(SuccessBy.STATUS, range(200, 300)), 302, [to("/home"), SESSION]),
        (YES, SuccessRule(SuccessBy.STATUS, range(302, 303), "/"), 302, [to("/")]),
        (NO, SuccessRule(SuccessBy.STATUS, range(302, 303), "/"), 302, [to("/login?error")]),
        (YES, SuccessRule(SuccessBy.STATUS, range(302, 303), "/?in="), 302, [to("/?in=1")]),
        (NO, SuccessRule(SuccessBy.STATUS, range(302, 303), "/?in="), 302, [to("/?error=1")]),
        (YES, COOKIE_RULE, 200, [(b"set-cookie", b"sid=1")]),
        (NO, COOKIE_RULE, 200, [(b"set-cookie", b"sid=; Max-Age=0")]),
        (NO, COOKIE_RULE, 200, [(b"set-cookie", b"Sid=1; HttpOnly")]),
        (NO, COOKIE_RULE, 401, [(b"set-cookie", b"sid=1")]),
        (BODY, JSON_RULE, 200, [JSON]),
        (NO, JSON_RULE, 200, [(b"content-type", b"text/html"), SESSION]),
        (NO, JSON_RULE, 401, [JSON]),
        (PERHAPS, JSON_RULE, 200, [JSON, (b"content-encoding", b"br")]),
    ],
)
def test_a_rule_decides_alone(
    expected: Outcome | None, rule: SuccessRule, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    """What matches is a success, and a whole answer that does not is a failure."""
    assert from_start(ruled(rule), status, headers, "/login") is expected


def test_any_of_several_rules_suffices() -> None:
    """`302:/home|cookie:sid|json:data.token`."""
    several = ruled(HOME_RULE, COOKIE_RULE, JSON_RULE)
    assert from_start(several, 302, [to("/home")], "/login") is YES
    assert from_start(several, 200, [JSON, (b"set-cookie", b"sid=1")], "/login") is YES
    assert from_start(several, 200, [JSON], "/login") is BODY


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (YES, b'{"data":{"token":"x"}}'),
        (YES, b'{"data":{"token":{"a":1}}}'),
        (NO, b'{"data":{"token":""}}'),
        (NO, b'{"data":{"token":null}}'),
        (NO, b'{"data":"token"}'),
        (NO, b'{"token":"x"}'),
    ],
)
def test_json_rules(expected: Outcome, body: bytes) -> None:
    """Something that is not empty, at that path."""
    assert from_body(ruled(JSON_RULE), 200, body) is expected


@given(
    st.integers(100, 599),
    st.lists(
        st.tuples(st.sampled_from([b"set-cookie", b"location", b"content-type"]), st.binary(max_size=30)), max_size=4
    ),
    st.binary(max_size=60),
    st.text(max_size=10),
)
def test_any_answer_is_judged(status: int, headers: list[tuple[bytes, bytes]], body: bytes, path: str) -> None:
    """No answer of an application breaks the reading, and no 4xx or 5xx is a success."""
    for each in (DOOR, ruled(HOME_RULE, COOKIE_RULE, JSON_RULE)):
        outcome = from_start(each, status, headers, path) or from_body(each, status, body, headers)
        assert status < 400 or outcome is NO


# --- the suggestion


def watched(*answers: tuple[int, list[tuple[bytes, bytes]]], times: int = 25) -> str | None:
    suggester = RuleSuggester(DOOR)
    for _ in range(times):
        for status, headers in answers:
            suggester.saw(status, headers)
    return suggester.suggestion()


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        ("cookie:session", [(302, [to("/home"), SESSION]), (302, [to("/login")])]),
        ("302:/home", [(302, [to("/home/alice"), SESSION]), (401, [SESSION])]),
        ("cookie:session", [(200, [JSON, SESSION]), (401, [])]),
        ("302:/home", [(302, [to("/home"), SESSION]), (200, [SESSION])]),
        (None, [(200, [SESSION]), (401, [])]),
        (None, [(200, [JSON, SESSION]), (200, [JSON, SESSION])]),
        (None, [(200, []), (401, [])]),
        (None, [(401, []), (401, [])]),
        (None, [(302, [to("/home;x"), (b"set-cookie", b"a|b=1; HttpOnly")]), (401, [])]),
    ],
)
def test_the_rule_that_tells_successes_apart_is_suggested(
    expected: str | None, answers: list[tuple[int, list[tuple[bytes, bytes]]]]
) -> None:
    """What only successes show, in the notation of the settings."""
    assert watched(*answers) == expected


def test_nothing_is_suggested_early() -> None:
    """48 attempts are not enough, 50 are."""
    answers = [(302, [to("/home"), SESSION]), (401, [])]
    assert watched(*answers, times=24) is None
    assert watched(*answers, times=25) is not None


def test_suggestions_take_no_memory() -> None:
    """An application that makes up a cookie name for each answer is remembered for 64 of them."""
    suggester = RuleSuggester(DOOR)
    for number in range(1_000):
        suggester.saw(200, [JSON, (b"set-cookie", f"s{number}=x; HttpOnly".encode())])
        suggester.saw(401, [(b"set-cookie", f"t{number}=x; HttpOnly".encode())])
    assert len(suggester._succeeding) + len(suggester._failing) == RuleSuggester.RULES_MAX
