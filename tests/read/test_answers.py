"""Real libraries' answers, judged with the door's rule, without one, and with the suggested rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sekisho.model import Door, DoorKind, Outcome
from sekisho.read import RuleSuggester, from_body, from_start, json_tree
from sekisho.settings.doors import parse_doors

FILES = sorted((Path(__file__).parent / "answers").glob("*.json"))
RECORDINGS: list[dict[str, Any]] = [json.loads(path.read_text("utf-8")) for path in FILES]
NAMES = [path.stem for path in FILES]
EACH = pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)


def door_of(recording: dict[str, Any], rule: str) -> Door:
    """The door with this rule in place of its own."""
    words = [word for word in recording["door"].split() if not word.startswith("success=")]
    text = " ".join([*words, f"success={rule}"] if rule else words)
    (door,) = parse_doors(DoorKind.LOGIN, text, "SEKISHO_LOGIN")
    return door


def own_rule(recording: dict[str, Any]) -> str:
    words: list[str] = recording["door"].split()
    return next(word.removeprefix("success=") for word in words if word.startswith("success="))


def pairs(headers: list[list[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


def scope_of(answer: dict[str, Any]) -> dict[str, Any]:
    request = answer["request"]
    return {"path": request["path"], "query_string": b"", "headers": pairs(request["headers"])}


def judged(answer: dict[str, Any], door: Door) -> Outcome:
    """The guard's verdict."""
    status, headers = answer["status"], pairs(answer["headers"])
    scope, sent, body = scope_of(answer), answer["request"]["body"].encode(), answer["body"].encode()
    found = from_start(door, status, headers, scope, sent)
    return found or from_body(door, status, body, headers, scope, sent)


@EACH
def test_the_rule_of_a_door_tells_who_is_logged_in(recording: dict[str, Any]) -> None:
    """Row 2.6: the rule recognises success, and no failure, inactive user, second step, missing token or lockout."""
    door = door_of(recording, own_rule(recording))
    told = {answer["situation"]: judged(answer, door) is Outcome.SUCCEEDED for answer in recording["answers"]}
    assert told == {situation: situation == "success" for situation in told}


@EACH
def test_without_a_rule_no_failure_is_taken_for_a_success(recording: dict[str, Any]) -> None:
    """Row 2.6: without a rule no failure counts as success, and a clear success is recognised."""
    door = door_of(recording, "")
    told = {answer["situation"]: judged(answer, door) is Outcome.SUCCEEDED for answer in recording["answers"]}
    assert told == {situation: situation == "success" and recording["guessed"] for situation in told}


@EACH
def test_the_suggested_rule_tells_who_is_logged_in(recording: dict[str, Any]) -> None:
    """Rows 2.6, 2.7: the rule suggested from such answers recognises success; `?` marks what the operator must
    decide.
    """
    suggester = RuleSuggester(door_of(recording, ""))
    for _ in range(20):
        for answer in recording["answers"]:
            for _ in range(5 if answer["situation"] in {"success", "failure"} else 1):
                show(suggester, answer)
    suggested, hinted = suggester.suggestion(), suggester.hint()
    assert (suggested or (f"{hinted}?" if hinted else "")) == recording["suggested"]
    door = door_of(recording, recording["suggested"].rstrip("?"))
    told = {answer["situation"]: judged(answer, door) is Outcome.SUCCEEDED for answer in recording["answers"]}
    assert told == {situation: situation == "success" for situation in told}


@EACH
def test_one_right_answer_among_wrong_ones_is_seen(recording: dict[str, Any]) -> None:
    """Row 2.7: fifty wrong secrets, and what else such a client is answered, show no success; one right secret does."""
    suggester = RuleSuggester(door_of(recording, ""))
    wrong = [each for each in recording["answers"] if each["situation"] in {"failure", "inactive", "csrf", "lockout"}]
    (right,) = [each for each in recording["answers"] if each["situation"] == "success"]
    for answer in wrong * 50:
        show(suggester, answer)
    assert not suggester.shows_success
    show(suggester, right)
    assert suggester.shows_success


def show(suggester: RuleSuggester, answer: dict[str, Any]) -> None:
    status, headers = answer["status"], pairs(answer["headers"])
    suggester.saw(status, headers, scope_of(answer), answer["request"]["body"].encode())
    if (tree := json_tree(answer["body"].encode())) is not None:
        suggester.read(status, headers, tree)


def test_the_table_covers_what_it_promises() -> None:
    """Row 2.6: the table has a success and a failure for each library, and each other situation once."""
    assert set(NAMES) >= {
        *("django_login", "django_admin", "django_allauth", "dj_rest_auth", "simplejwt", "authlib", "litestar"),
        *("fastapi_users_cookie", "fastapi_users_bearer", "quart_auth", "starlette_admin", "piccolo", "better_auth"),
    }
    situations = [{answer["situation"] for answer in recording["answers"]} for recording in RECORDINGS]
    assert all(found >= {"success", "failure"} for found in situations)
    assert set().union(*situations) >= {"inactive", "second_step", "csrf", "lockout", "unverified"}
