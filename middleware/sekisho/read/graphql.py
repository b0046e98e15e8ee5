"""GraphQL over HTTP: a named operation (`login(email, password)`) is an attempt, or its request is refused.

One request can hold many operations: aliases, fragments, an array of requests. Each would be a guess for one charge,
so a request with an attempt holds nothing else. Aliases and further fields are refused with it for another reason: a
client that names the fields of the answer could make a failure look like a success.

All other operations pass unread: a parser sees only texts in which an operation of a door is called.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import parse_qsl

from sekisho.model import Encoding, Unreadable
from sekisho.model.value import Value
from sekisho.read.basic import has_basic
from sekisho.read.content import Form, content_of
from sekisho.read.fields import with_tenant
from sekisho.read.jsonbody import json_paths, parsed_json, values_at
from sekisho.read.names import Mention, credentials
from sekisho.read.request.method import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Credentials, Door
    from sekisho.read.content import Content
    from sekisho.read.jsonbody import JsonPaths

QUERY_CHARS_MAX: Final = 8_192  # of a text that calls a door's operation; clients send a few hundred
TOKENS_MAX: Final = 256  # the parser takes some ten microseconds for each; a log-in has thirty
BATCH_MAX: Final = 64  # requests in one array
DEPTH_MAX: Final = 8  # of an input object, and of fields around an operation
PARAMETERS_MAX: Final = 16  # in a query string

PARAMETERS: Final = frozenset({"query", "variables"})
"""The names that a query string at such a door must not hold beside a body: some servers read them there first."""

_MEMBERS: Final = frozenset({"query", "operationName", "variables", "extensions"})  # of GraphQL over HTTP
_STORED: Final = "persistedQuery"
_IN_QUERY: Final = Mention(PARAMETERS)
_ABSENT: Final = object()
# What GraphQL ignores between a field's name and its arguments.
_BETWEEN: Final = r"(?:[\s,\ufeff]++|#[^\n\r]*+)*+"


@final
class GraphqlCall(Value):
    """An operation that a request calls: the door that names it, and the credentials among its arguments."""

    __slots__ = ("credentials", "door")

    def __init__(self, door: Door, credentials: Credentials) -> None:
        self.door: Final = door
        self.credentials: Final = credentials


def read_operation(doors: tuple[Door, ...], scope: Mapping[str, Any], body: bytes) -> GraphqlCall | None:
    """Return the operation of one of these doors that a request calls; `None` if it calls none.

    Raises `Unreadable` for a call in a batch or a query string, and for a body that parsers could read differently.

    Args:
        doors: all that share the request's method and path.
        scope: the ASGI scope, type http; header names in lower case.
        body: the whole body.
    """
    headers, query = scope["headers"], scope.get("query_string", b"")
    if has_basic(headers) and any(fields.encoding is Encoding.BASIC for fields in doors[0].fields):
        raise Unreadable(400, "two_credentials")
    if query and _IN_QUERY.search(query):
        _refuse_in_query(doors, scope, query, body)
        return None
    if not body:
        return None
    content = content_of(_content_type(headers))
    if content.form is not Form.JSON:
        raise Unreadable(415, "content_type")
    tree = parsed_json(body)
    requests = tree if type(tree) is list else [tree]
    if len(requests) > BATCH_MAX:
        raise Unreadable(413, "graphql_batch")
    calls = [call for request in requests if (call := _of_request(doors, scope, request, content)) is not None]
    if calls and len(requests) > 1:
        raise Unreadable(400, "graphql_batch")
    return calls[0] if calls else None


def _content_type(headers: Any) -> bytes | None:
    found = None
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Unreadable(415, "content_encoding")
        if name == b"content-type":
            if found is not None:
                raise Unreadable(400, "content_type_repeated")
            found = value
    return found


def _refuse_in_query(doors: tuple[Door, ...], scope: Mapping[str, Any], query: bytes, body: bytes) -> None:
    """Refuse an attempt in a query string, and a query string beside a body."""
    if body or scope.get("method", "").upper() not in HARMLESS:
        raise Unreadable(400, "credentials_in_query")
    parameters = _parameters(query)
    named = dict(parameters)
    if len(named) < len(parameters) or _STORED in named.get("extensions", ""):
        raise Unreadable(400, "graphql_unreadable")
    if _calls(doors, _text_in(named)) is not None:
        raise Unreadable(400, "credentials_in_query")


def _parameters(query: bytes) -> list[tuple[str, str]]:
    try:
        if b";" not in query:  # some parsers end a value there
            return parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX)
    except ValueError:  # too many, or no ASCII
        pass
    raise Unreadable(400, "graphql_unreadable")


def _text_in(request: Mapping[str, Any]) -> str:
    """The GraphQL document that a request carries.

    Raises:
        Unreadable: it names a document that the server has stored instead; any of those may be a log-in.
    """
    text = request.get("query")
    if type(text) is not str or not text.strip() or not _MEMBERS.issuperset(request):
        raise Unreadable(400, "graphql_unreadable")
    return text


def _of_request(
    doors: tuple[Door, ...], scope: Mapping[str, Any], request: Any, content: Content
) -> GraphqlCall | None:
    if type(request) is not dict or _STORED in (request.get("extensions") or ()):
        raise Unreadable(400, "graphql_unreadable")
    document = _calls(doors, _text_in(request))
    if document is None:
        return None
    variables = request.get("variables")
    if variables is not None and type(variables) is not dict:
        raise Unreadable(400, "graphql_unreadable")
    door, paths, found = _read(doors, document, variables or {})
    read = credentials(found, account=paths.account, secret=paths.secret, ascii_only=content.ascii_only)
    return GraphqlCall(door, with_tenant(door, scope, read))


def _calls(doors: tuple[Door, ...], text: str) -> Any:
    """The text as a syntax tree if it calls an operation of a door; else `None`."""
    names = "|".join(door.operation for door in doors)
    if re.search(rf"(?<![0-9A-Za-z_])(?:{names}){_BETWEEN}\(", text) is None:
        return None
    if len(text) > QUERY_CHARS_MAX:
        raise Unreadable(413, "graphql_too_long")
    document = _parsed(text)
    return document if any(_is_call(doors, field) for field in _fields(document)) else None


def _parsed(text: str) -> Any:
    from graphql import GraphQLError, parse  # noqa: PLC0415 - only sites with such doors need it

    try:
        return parse(text, no_location=True, max_tokens=TOKENS_MAX)
    except (GraphQLError, RecursionError):
        pass
    raise Unreadable(400, "graphql_unreadable")


def _fields(document: Any) -> list[Any]:
    """All fields of a document, those in fragments included."""
    found, waiting = [], [each.selection_set for each in document.definitions if hasattr(each, "selection_set")]
    while waiting:
        for each in waiting.pop().selections:
            if each.kind == "field":
                found.append(each)
            if each.kind != "fragment_spread" and each.selection_set is not None:
                waiting.append(each.selection_set)
    return found


def _is_call(doors: tuple[Door, ...], field: Any) -> bool:
    return bool(field.arguments) and any(door.operation == field.name.value for door in doors)


def _read(doors: tuple[Door, ...], document: Any, variables: dict[str, Any]) -> tuple[Door, JsonPaths, dict[str, str]]:
    """The door whose operation is called, its places, and the values there."""
    fields = _fields(document)
    calls = [field for field in fields if _is_call(doors, field)]
    if len(calls) > 1:
        raise Unreadable(400, "graphql_batch")
    # `{"login": {"token": …}}` is a success: an alias makes it of any other field.
    if any(field.alias is not None for field in fields):
        raise Unreadable(400, "graphql_alias")
    operations = [each for each in document.definitions if each.kind == "operation_definition"]
    if len(operations) != 1:
        raise Unreadable(400, "graphql_batch")
    _refuse_company(operations[0], calls[0])
    known = {**_defaults(operations[0]), **variables}
    door = next(door for door in doors if door.operation == calls[0].name.value)
    paths = json_paths(door.fields)
    return door, paths, values_at(_tree(calls[0].arguments, known), paths)


def _refuse_company(operation: Any, call: Any) -> None:
    """Refuse other fields beside the operation: one of them could set the session that a success is known by."""
    selections = operation.selection_set.selections
    for _ in range(DEPTH_MAX):
        only = [each for each in selections if each.kind != "field" or each.name.value != "__typename"]
        if len(only) != 1 or only[0].kind != "field":
            break
        if only[0] is call:
            return
        if only[0].selection_set is None:
            break
        selections = only[0].selection_set.selections
    raise Unreadable(400, "graphql_batch")


def _defaults(operation: Any) -> dict[str, Any]:
    listed = operation.variable_definitions or ()
    return {
        each.variable.name.value: _value(each.default_value, {}, 0) for each in listed if each.default_value is not None
    }


def _tree(nodes: Any, variables: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Arguments or members of an input object as JSON would have them."""
    found = {}
    for node in nodes:
        if node.name.value in found:
            raise Unreadable(400, "graphql_unreadable")
        value = _value(node.value, variables, depth)
        if value is not _ABSENT:
            found[node.name.value] = value
    return found


def _value(node: Any, variables: dict[str, Any], depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise Unreadable(400, "graphql_unreadable")
    match node.kind:
        case "string_value":
            return node.value
        case "variable":
            return variables.get(node.name.value, _ABSENT)
        case "object_value":
            return _tree(node.fields, variables, depth + 1)
        case _:
            return None  # no text
