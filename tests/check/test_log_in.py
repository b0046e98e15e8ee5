"""An invented log-in is a request that its door reads as intended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.check.log_in import invented, log_in_at, plain_scope
from sekisho.model import Credentials, DoorKind
from sekisho.read import read_credentials
from sekisho.settings import parse_doors

if TYPE_CHECKING:
    from sekisho.model import Door

TRIED = Credentials("hana@hana.invalid", "s3cret A1!")
NOTATIONS = [
    "POST /login",
    "POST /login form:user|mail,pw",
    "POST /login multipart:user,pw",
    "POST /login json:user.name,user.password",
    "POST /login json:user.email|account,password",
    "POST /token oauth2",
    "POST /login form:a,b json:c,d basic",
    "* /files/* basic",
    "* /files/* basic:latin-1",
]


def door(text: str) -> Door:
    (found,) = parse_doors(DoorKind.LOGIN, text, "X")
    return found


@pytest.mark.parametrize("text", NOTATIONS)
def test_a_door_reads_what_was_invented_for_it(text: str) -> None:
    """A door reads its invented log-in in each encoding, by its first field names."""
    log_in = log_in_at(door(text), TRIED, plain_scope(door(text), {}))

    assert read_credentials(door(text), log_in.scope, log_in.body) == TRIED


@pytest.mark.parametrize(
    ("text", "content_type", "body"),
    [
        ("POST /login form:user|mail,pw", b"application/x-www-form-urlencoded", b"csrf=t&mail=hana&pw=right&next=%2F"),
        ("POST /login form:user|mail,pw", b"multipart/form-data; boundary=b", b"--b\r\n\r\n--b--"),
        ("POST /login form:a,b json:c,d", b"application/json", b'{"c": "hana", "d": "right", "csrf": "t"}'),
        ("POST /login json:user.name,user.pw", b"application/json", b'{"user": {"name": "hana", "x": 1}, "csrf": "t"}'),
        ("POST /login json:a,b", b"application/json; charset=utf-8", b"[1, 2]"),
        ("POST /login json:a,b", b"application/json", b"\xff"),
    ],
)
def test_it_takes_the_place_of_another_requests_credentials(text: str, content_type: bytes, body: bytes) -> None:
    """It replaces the credentials of another request, in its encoding and under its names."""
    like = plain_scope(door(text), {}, headers=[(b"content-type", content_type)])

    log_in = log_in_at(door(text), TRIED, like, body)

    assert read_credentials(door(text), log_in.scope, log_in.body) == TRIED
    assert b"right" not in log_in.body
    assert (b"content-length", b"%d" % len(log_in.body)) in log_in.scope["headers"]


def test_it_keeps_a_forms_other_fields() -> None:
    """It keeps a form's other fields, such as a CSRF token."""
    at = door("POST /login form:user|mail,pw")
    like = plain_scope(at, {}, headers=[(b"content-type", b"application/x-www-form-urlencoded")])

    log_in = log_in_at(at, TRIED, like, b"csrf=t&mail=hana&pw=right&empty=")

    assert parse_qsl(log_in.body.decode(), keep_blank_values=True) == [
        ("csrf", "t"), ("mail", "hana@hana.invalid"), ("pw", "s3cret A1!"), ("empty", ""),
    ]  # fmt: skip


def test_it_keeps_other_members_of_a_json_object() -> None:
    """It keeps other members of a JSON object at any depth."""
    at = door("POST /login json:user.name,user.pw")
    like = plain_scope(at, {}, headers=[(b"content-type", b"application/json")])

    log_in = log_in_at(at, TRIED, like, b'{"user": {"name": "hana", "kind": 1}, "remember": true}')

    assert json.loads(log_in.body) == {
        "user": {"name": "hana@hana.invalid", "kind": 1, "pw": "s3cret A1!"},
        "remember": True,
    }


@given(st.binary(min_size=64, max_size=64))
def test_an_invented_account_is_under_invalid(noise: bytes) -> None:
    """An invented account is under `.invalid`, which no service has (RFC 2606), with a password of 160 random bits."""
    made_up = invented(lambda count: noise[:count])

    name, _, domain = made_up.account.partition("@")
    assert domain.endswith(".invalid")
    assert len(name) == 12
    assert len(made_up.secret) == 35


async def test_its_body_arrives_once_and_then_nothing() -> None:
    """Its body arrives once and no disconnect follows, as there is no client."""
    log_in = log_in_at(door("POST /login"), TRIED, plain_scope(door("POST /login"), {}))
    receive = log_in.receive

    message: Any = await receive()

    assert message == {"type": "http.request", "body": log_in.body, "more_body": False}
    waiting = receive()
    waiting.send(None)  # type: ignore[attr-defined] # a coroutine, which waits now
    waiting.close()  # type: ignore[attr-defined]


def test_its_repr_tells_no_secret() -> None:
    """Its `repr` shows no secret: error reporters print it."""
    log_in = log_in_at(door("POST /login"), TRIED, plain_scope(door("POST /login"), {}))

    assert "s3cret" not in repr(log_in)
    assert "hana" not in repr(log_in)
