"""The rule suggested to a door without one separates successes from failures, or none is suggested."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sekisho.model import Door, DoorKind, Encoding
from sekisho.read import RuleSuggester
from sekisho.settings.doors import parse_doors
from tests.read.making import door

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers] | tuple[int, Headers, dict[str, Any]]

DOOR = door()
BASIC = Door(DoorKind.LOGIN, "*", "/files/*", door(Encoding.BASIC).fields)
SESSION = (b"set-cookie", b"session=abc; Path=/; HttpOnly")
JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html")
ASKED = {"path": "/login", "query_string": b"", "headers": [(b"host", b"shop.example")]}
FORM_AGAIN: Answer = (200, [HTML])
TOKEN: Answer = (200, [JSON], {"access_token": "x", "token_type": "bearer"})
ZERO: Answer = (200, [JSON], {"code": 0})
E101: Answer = (200, [JSON], {"code": "E101"})


def to(location: str) -> tuple[bytes, bytes]:
    return b"location", location.encode()


def watched(*answers: Answer, times: int = 25, at: Door = DOOR, asked: dict[str, Any] = ASKED) -> str | None:
    suggester = RuleSuggester(at)
    for _ in range(times):
        for status, headers, *tree in answers:
            suggester.saw(status, headers, asked)
            if tree:
                suggester.read(status, headers, tree[0])
    return suggester.suggestion()


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        ("cookie:session", [(302, [to("/home"), SESSION]), (302, [to("/login")])]),
        ("cookie:session", [(302, [to("/home"), SESSION]), (302, [to("/login?failed=1")])]),
        ("302:/home", [(302, [to("/home/alice"), SESSION]), (401, [SESSION])]),
        ("cookie:session", [(200, [HTML, (b"hx-redirect", b"/home"), SESSION]), FORM_AGAIN]),
        ("303:/home", [(200, [HTML, (b"hx-redirect", b"/home"), SESSION]), (200, [HTML, SESSION])]),
        ("302:/home", [(302, [to("/home"), SESSION]), (200, [HTML, SESSION])]),
        ("cookie:session", [(200, [JSON, SESSION], {"user": "a"}), (401, [])]),
        ("2xx", [(200, [JSON], {"user": "a"}), (401, [])]),
        ("2xx", [(200, [JSON, SESSION], {"user": "a"}), (401, [SESSION])]),
        ("json:access_token", [TOKEN, (401, [JSON])]),
        ("json:access_token", [TOKEN, (200, [JSON], {"error": "wrong"})]),
        ("json:data.token", [(200, [JSON], {"data": {"token": "x"}}), (400, [JSON])]),
        ("json:key", [(200, [JSON], {"key": "4c1a5e9c9d0f4a6c8f7e6d5c4b3a29181716f5e4"}), (400, [JSON])]),
        ("json:ok", [(200, [JSON], {"ok": True}), (200, [JSON], {"ok": False})]),
        ("json:status=ok", [(200, [JSON], {"status": "ok"}), (200, [JSON], {"status": "ng"})]),
        ("json:code=0", [(200, [JSON], {"code": 0}), (200, [JSON], {"code": 1001})]),
        ("cookie:session", [(204, [SESSION]), (400, [JSON])]),
        ("204", [(204, []), (401, [])]),
        # Nothing separates.
        (None, [(200, [HTML, SESSION]), (401, [])]),
        (None, [TOKEN, TOKEN]),
        (None, [(200, []), (401, [])]),
        (None, [(401, []), (401, [])]),
        (None, [E101, (404, [JSON])]),
        (None, [(302, [to("/home;x"), (b"set-cookie", b"a|b=1; HttpOnly")]), (401, [])]),
        # A session renewed by every answer: wrong passwords go to the front page, with a message in it.
        ("302:/home", [(302, [to("/"), SESSION]), (302, [to("/home"), SESSION]), (401, [])]),
        (None, [(302, [to("/"), SESSION]), (403, [HTML])]),
        (None, [(302, [to("/"), SESSION]), (401, [])]),
        (None, [(302, [to("/home"), SESSION]), (302, [to("/start"), SESSION]), (403, [HTML])]),
        # A page with 403 or 400 may be about the form's token: no wrong password was seen here.
        (None, [(302, [to("/home"), SESSION]), (403, [HTML]), (400, [HTML]), (503, [])]),
        (None, [(302, [to("/2fa"), SESSION]), (200, [HTML])]),
        (None, [(302, [to("https://elsewhere.example/home"), SESSION]), (200, [HTML])]),
        (None, [(302, [to("/home?x=1"), SESSION]), (200, [HTML])]),
    ],
)
def test_what_only_successes_show_is_suggested(expected: str | None, answers: list[Answer]) -> None:
    """Row 2.7: a feature of successes alone is suggested, in the settings' notation."""
    assert watched(*answers) == expected
    assert expected is None or parse_doors(DoorKind.LOGIN, f"POST /login success={expected}", "SEKISHO_LOGIN")


@pytest.mark.parametrize(
    "asked",
    [
        {**ASKED, "query_string": b"next=/home"},
        {**ASKED, "headers": [(b"referer", b"https://shop.example/home")]},
    ],
)
def test_a_place_that_the_client_named_is_no_rule(asked: dict[str, Any]) -> None:
    """Row 2.7: a client-chosen redirect target makes no rule, or strangers could write a door's rule."""
    assert watched((302, [to("/home"), SESSION]), FORM_AGAIN, asked=asked) is None


def test_what_opens_by_basic_is_told_by_its_refusals() -> None:
    """Row 2.7: a Basic door is suggested its refusals: a WebDAV client gets 207, 304 and 404 with a right password."""
    assert watched((401, []), (404, []), (207, []), at=BASIC) == "!401,403"
    assert watched((404, []), (207, []), at=BASIC) is None
    assert watched((401, []), (401, []), at=BASIC) is None


def test_what_may_be_a_rule_is_left_to_the_operator() -> None:
    """Row 2.7: a cookie with redirects to the front page, where failures may go too, is left to the operator."""
    suggester = RuleSuggester(DOOR)
    for n in range(1, 100):
        status, headers, *_ = FORM_AGAIN if n % 2 else (302, [to("/"), SESSION])
        suggester.saw(status, headers, ASKED)
        assert (suggester.suggestion(), suggester.hint()) == (None, None)
    suggester.saw(302, [to("/"), SESSION], ASKED)
    assert (suggester.suggestion(), suggester.hint()) == (None, "cookie:session")
    suggester.saw(200, [HTML, SESSION], ASKED)
    assert suggester.hint() == "302:/"


def test_a_page_that_the_client_names_is_no_hint() -> None:
    """Row 2.7: with a cookie on failures too, a redirect to where the request asked to go leaves nothing to write."""
    suggester, asked = RuleSuggester(DOOR), {**ASKED, "query_string": b"next=/"}
    for n in range(1, 201):
        assert (suggester.hint(), suggester.is_at_a_loss) == (None, False)
        status, headers = (200, [HTML, SESSION]) if n % 2 else (302, [to("/"), SESSION])
        suggester.saw(status, headers, asked)
    assert (suggester.hint(), suggester.is_at_a_loss) == (None, True)


@pytest.mark.parametrize(
    ("shows", "answers"),
    [
        # By themselves: their kind is guessed to be a success.
        (True, [TOKEN]),
        (True, [(303, [to("/home"), SESSION])]),
        # By contrast, of which one answer is enough.
        (True, [(200, [HTML, SESSION]), (401, [])]),
        (True, [(200, [HTML, SESSION]), FORM_AGAIN]),
        (True, [(302, [to("/"), SESSION]), FORM_AGAIN]),
        (True, [(204, []), (401, [])]),
        (True, [(200, [JSON], {"user": "hana"}), (200, [JSON], {"error": "wrong"})]),
        # Alike: a list of wrong secrets looks so.
        (False, [(401, [])]),
        (False, [FORM_AGAIN]),
        (False, [(200, [HTML, SESSION])]),
        (False, [(302, [to("/"), SESSION])]),
        (False, [(303, [to("/login"), SESSION])]),
        (False, [(303, [to("/start"), (b"set-cookie", b"seen=1; HttpOnly")])]),
        (False, [E101, (200, [JSON], {"code": "E102"})]),
        (False, [ZERO]),
        (False, [E101, (401, [])]),
        (False, [(200, [JSON], {"error": "wrong"}), (423, [JSON]), (401, [])]),
        (False, [(302, [to("/inactive"), SESSION]), (302, [to("/2fa"), SESSION]), (401, [])]),
        # Said of no secret.
        (False, [(302, [to("/"), SESSION]), (503, []), (429, [JSON]), (403, [HTML])]),
    ],
)
def test_only_answers_that_differ_or_prove_show_a_success(shows: bool, answers: list[Answer]) -> None:
    """Row 2.7: an alarm about a success that is not recognised needs an answer that looks like one."""
    suggester = RuleSuggester(DOOR)
    for status, headers, *tree in (*answers, *answers[-1:] * 49):
        suggester.saw(status, headers, ASKED)
        if tree:
            suggester.read(status, headers, tree[0])
    assert suggester.shows_success is shows


def test_a_page_without_a_cookie_differs_only_where_none_was_brought() -> None:
    """Row 2.7: an application that begins a session with its form sets no cookie where the client brought one."""
    suggester = RuleSuggester(DOOR)
    suggester.saw(200, [HTML, SESSION], ASKED)
    suggester.saw(200, [HTML], {**ASKED, "headers": [(b"cookie", b"session=abc")]})
    assert not suggester.shows_success


@pytest.mark.parametrize(
    ("most", "also", "rule"),
    [(ZERO, [], None), (ZERO, [(401, [])], "json:code=0"), (E101, [], None), (E101, [(401, [])], None)],
)
def test_a_rule_is_guessed_only_where_answers_differ(most: Answer, also: list[Answer], rule: str | None) -> None:
    """Row 2.7: a code that each wrong password is answered with is no rule: failures would be given back."""
    suggester = RuleSuggester(DOOR)
    for status, headers, *tree in [most] * 20 + also:
        suggester.saw(status, headers, ASKED)
        if tree:
            suggester.read(status, headers, tree[0])
    assert suggester.guess() == rule


def test_nothing_is_suggested_early() -> None:
    """Row 2.7: a suggestion needs 50 attempts, five failures and three successes."""
    answers: list[Answer] = [(302, [to("/home"), SESSION]), (401, [])]
    assert watched(*answers, times=24) is None
    assert watched(*answers, times=25) is not None
    for many, few, count, expected in [
        (answers[0], answers[1], 4, None),
        (answers[0], answers[1], 5, "cookie:session"),
        (answers[1], answers[0], 2, None),
        (answers[1], answers[0], 3, "cookie:session"),
    ]:
        suggester = RuleSuggester(DOOR)
        for status, headers, *_ in [many] * 50 + [few] * count:
            suggester.saw(status, headers, ASKED)
        assert suggester.suggestion() == expected


def test_suggestions_take_no_memory() -> None:
    """An application that invents cookie names has 64 of them remembered."""
    suggester = RuleSuggester(DOOR)
    for number in range(1_000):
        headers = [JSON, (b"set-cookie", f"s{number}=x; HttpOnly".encode())]
        suggester.saw(200, headers, ASKED)
        suggester.read(200, headers, json.loads(f'{{"token": "x", "t{number}": {{"token": "x"}}}}'))
        suggester.saw(401, [(b"set-cookie", f"t{number}=x; HttpOnly".encode())], ASKED)
    assert len(suggester._fitting) + len(suggester._failing) == RuleSuggester.RULES_MAX
