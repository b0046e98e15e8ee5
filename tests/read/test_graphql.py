"""Operations of a GraphQL API as attempts: each is charged on its own, or its request is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from sekisho.model import Credentials, DoorKind, Unreadable
from sekisho.read import Doors, read_operation
from sekisho.settings.doors import parse_doors
from tests.read.making import JSON, scope

LOGIN = "POST /graphql graphql:login(email|input.email,password|input.password) success=json:data.login.token"
DOORS = Doors(
    (
        *parse_doors(DoorKind.LOGIN, LOGIN, "SEKISHO_LOGIN"),
        *parse_doors(DoorKind.SIGNUP, "POST /graphql graphql:register(email,password)", "SEKISHO_SIGNUP"),
        *parse_doors(DoorKind.RESET, "POST /graphql graphql:requestReset(email)", "SEKISHO_RESET"),
    )
)
HANA = Credentials("hana", "right")


def read(body: Any, content_type: bytes = JSON, method: str = "POST", query: bytes = b"", **more: Any) -> Any:
    """The kind of the door and the credentials, `None` for no attempt, or the reason of a refusal."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [(b"content-type", content_type)] if sent else []
    request = scope("/graphql", method, headers=[*headers, *more.pop("headers", [])], query_string=query, **more)
    door = DOORS.find(request, has_body=bool(sent))
    if door is None:
        return "no door"
    try:
        call = read_operation(DOORS.operations(door), request, sent)
    except Unreadable as error:
        return error.reason
    return None if call is None else (call.door.kind, call.credentials)


def text(query: str, **variables: Any) -> Any:
    return read({"query": query, "variables": variables} if variables else {"query": query})


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ('mutation { login(email: "hana", password: "right") { token } }', {}),
        ('{ login(email: """hana""", password: "ri\\u0067ht") }', {}),
        (
            "mutation L($e: String!, $p: String!) { login(email: $e, password: $p) { token } }",
            {"e": "hana", "p": "right"},
        ),
        ('mutation L($e: String = "hana", $p: String!) { login(email: $e, password: $p) { token } }', {"p": "right"}),
        ('mutation { login(input: {email: "hana", password: "right", x: [1]}) { token } }', {}),
        ("mutation L($i: In!) { login(input: $i) { token } }", {"i": {"email": "hana", "password": "right"}}),
        ('mutation L($p: S) { login(input: {email: "hana", password: $p}) { token } }', {"p": "right"}),
        (
            'mutation { auth { login(email: "hana", password: "right") { ...U } } __typename } fragment U on U { id }',
            {},
        ),
        ('mutation{login ,#login(\n\ufeff(email:"hana" password:"right")}', {}),
    ],
)
def test_literals_and_variables_are_read(query: str, variables: dict[str, Any]) -> None:
    """Account and secret may be literals, variables, their defaults, or members of an input object."""
    assert text(query, **variables) == (DoorKind.LOGIN, HANA)


def test_each_operation_has_a_door_of_its_own() -> None:
    """Doors of all kinds share a path; the body says which one a request is at. Each has a name of its own."""
    assert text('mutation { register(email: "hana", password: "right") { id } }') == (DoorKind.SIGNUP, HANA)
    assert text('mutation { requestReset(email: "hana") }') == (DoorKind.RESET, Credentials("hana", ""))
    assert [door.name for door in DOORS.all] == [
        "POST /graphql login",
        "POST /graphql register",
        "POST /graphql requestReset",
    ]
    assert not any(door.shares_path for door in DOORS.all)


@pytest.mark.parametrize(
    "query",
    [
        "{ products(first: 10) { id } }",
        "{ user { login lastLogin loginCount } }",
        '{ loginPage(email: "a") relogin(email: "a") { id } }',
        '{ search(text: "login(email: a)") { id } }',
        "{ products { id } } # login(",
        "{ login: products(first: 1) { id } }",
    ],
)
def test_other_operations_pass(query: str) -> None:
    """A field of that name without arguments, an alias, a comment and a text are no attempt."""
    assert text(query) is None
    assert read([{"query": query}, {"query": query}]) is None


A, B = (f'login(email: "hana", password: "{word}") {{ token }}' for word in "ab")


@pytest.mark.parametrize(
    ("reason", "query"),
    [
        ("graphql_batch", f"mutation {{ a: {A} b: {B} }}"),
        ("graphql_batch", f"mutation {{ {A} ...F }} fragment F on M {{ {B} }}"),
        ("graphql_batch", f"mutation {{ {A} }} mutation B {{ {B} }}"),
        ("graphql_batch", f"mutation {{ {A} }} query B {{ me }}"),
        ("graphql_batch", f'mutation {{ {A} register(email: "x", password: "y") }}'),
        ("graphql_batch", f"mutation {{ {A} guestSession }}"),
        ("graphql_batch", f"mutation {{ auth {{ {A} guestSession }} }}"),
        ("graphql_batch", f"mutation {{ ...F }} fragment F on M {{ {A} }}"),
        ("graphql_batch", f"mutation {{ ... on M {{ {A} }} }}"),
        ("graphql_batch", "mutation { " + "a { " * 20 + A + " }" * 20 + " }"),
        ("graphql_alias", f"mutation {{ a: {A} }}"),
        ("graphql_alias", 'mutation { login(email: "hana", password: "a") { token: __typename } }'),
        (
            "graphql_alias",
            'mutation { login(email: "a", password: "a") { ...F } } fragment F on P { token: __typename }',
        ),
        ("graphql_unreadable", 'mutation { login(email: "hana", password: "a" }'),
        ("graphql_unreadable", 'mutation { login(email: "hana", email: "b", password: "a") }'),
        ("graphql_unreadable", "mutation { login(" + "i: {" * 30 + "}" * 30 + ") }"),
        ("graphql_unreadable", "mutation { login(email: " + "[" * 3_000),
        ("graphql_unreadable", "{ login(email: 1) { " + "a " * 4_000 + "} }"),
        ("graphql_too_long", 'mutation { login(email: "' + "a" * 8_200 + '", password: "a") }'),
        ("account_repeated", 'mutation { login(email: "a", password: "x", input: {email: "b"}) }'),
        ("account_missing", 'mutation { login(password: "x") }'),
        ("secret_missing", 'mutation { login(email: "x") }'),
        ("secret_missing", 'mutation L($p: String) { login(email: "x", password: $p) }'),
        ("secret_not_text", 'mutation { login(email: "x", password: 1234) }'),
        ("account_not_text", 'mutation { login(email: ["a", "b"], password: "x") }'),
        ("account_not_text", 'mutation { login(email: null, password: "x") }'),
        ("account_empty", 'mutation { login(email: "", password: "x") }'),
    ],
)
def test_more_than_one_attempt_is_refused(reason: str, query: str) -> None:
    """Two guesses, company that may set a session, an alias that may look like a success, and what cannot be read."""
    assert text(query) == reason


def test_an_array_holds_no_attempt_beside_others() -> None:
    """An array of one request is one attempt; a log-in among several requests is refused."""
    one = {"query": f"mutation {{ {A} }}"}
    assert read([one]) == (DoorKind.LOGIN, Credentials("hana", "a"))
    assert read([one, one]) == "graphql_batch"
    assert read([one, {"query": "{ me }"}]) == "graphql_batch"
    assert read([{"query": "{ me }"}] * 65) == "graphql_batch"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"query": None},
        {"query": " "},
        {"query": ["{ me }"]},
        {"query": "", "extensions": {"persistedQuery": {"sha256Hash": "a"}}, "variables": {"p": "x"}},
        {"query": "{ me }", "extensions": {"persistedQuery": {"sha256Hash": "a"}}},
        {"query": "{ me }", "doc_id": "1", "variables": {"p": "x"}},
        {"query": f"mutation {{ {A} }}", "variables": '{"p": "x"}'},
        "text",
        7,
    ],
)
def test_what_a_stored_operation_does_is_not_known(body: Any) -> None:
    """A request without the text of its operation may call any; so may one with the number of another."""
    assert read(body) == (None if body == [] else "graphql_unreadable")


def test_other_bodies_are_refused() -> None:
    """Servers read forms, uploads and bare texts as well, which are not read here."""
    assert read(b"query=" + quote(A).encode(), b"application/x-www-form-urlencoded") == "content_type"
    assert read(A.encode(), b"application/graphql") == "content_type"
    assert read(b'{"query": "{me}", "query": "{me}"}') == "json_key_repeated"
    assert read({"query": "{me}"}, headers=[(b"content-encoding", b"gzip")]) == "content_encoding"
    assert read({"query": "{me}"}, headers=[(b"content-type", JSON)]) == "content_type_repeated"
    latin = {"query": 'mutation { login(email: "h\xe1na", password: "x") }'}
    assert read(latin, JSON + b"; charset=us-ascii") == "charset"


def in_query(query: str, **more: str) -> bytes:
    return urlencode({"query": query, **more}).encode()


def test_a_query_string_holds_no_attempt() -> None:
    """GET asks questions, and never logs in; beside a body, some servers prefer the address."""
    assert read(b"", method="GET", query=in_query("{ me }", variables="{}", operationName="")) is None
    assert read(b"", method="GET", query=in_query(f"{{ {A} }}")) == "credentials_in_query"
    assert read(b"", method="GET", query=b"variables={}&documentId=1") == "graphql_unreadable"
    assert read(b"", method="GET", query=b"query={me}&query={a}") == "graphql_unreadable"
    assert read(b"", method="GET", query=b"a=1;query={me}") == "graphql_unreadable"
    assert read(b"", method="GET", query=in_query("{ me }", extensions='{"persistedQuery":{}}')) == "graphql_unreadable"
    assert read({"query": "{ me }"}, query=in_query(f"{{ {A} }}")) == "credentials_in_query"
    assert read(b"", query=in_query("{ me }")) == "credentials_in_query"
    assert read(b"", method="GET", query=b"page=1") == "no door"
    assert read(b"", method="GET") == "no door"
    assert read(b"") is None
