"""Read the account and the secret from a request at a door, or refuse the request.

Each of the door's encodings is read as strictly as by the strictest framework. Requests that two parsers could read
differently are refused: otherwise an application with a more lenient parser would check uncounted credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final
from unicodedata import normalize

from sekisho.model import Charset, Credentials, DoorKind, Encoding, Fields, Unreadable
from sekisho.model.value import Value
from sekisho.read.basic import is_basic, read_basic
from sekisho.read.content import Content, Form, content_of
from sekisho.read.jsonbody import JsonPaths, json_paths, read_json
from sekisho.read.multipart import read_multipart
from sekisho.read.names import (
    ACCOUNT,
    ACCOUNT_CHARS_MAX,
    ADDRESS,
    GRANT,
    METHOD,
    NEW_SECRET,
    OVERRIDE_FIELD,
    SECRET,
    Mention,
    Names,
    credentials,
    form_names,
    unquoted,
)
from sekisho.read.request.method import overrides
from sekisho.read.request.template import Template
from sekisho.read.urlencoded import read_urlencoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Door

_LOOKED_AT = frozenset({b"content-type", b"authorization", b"content-encoding"})
_DEFAULT_GRANT = Fields(Encoding.PASSWORD_GRANT, (("username",),), (("password",),))
MENTIONS_MAX = 8  # of the account in one query; more of them are an attack
_DOORS_MAX = 512  # more than the settings of all kinds can list


@final
class _InPath(Value):
    """The placeholders for account and secret in a door's path; "" if the path does not hold it."""

    __slots__ = ("account", "secret", "template")

    def __init__(self, template: Template, account: str, secret: str) -> None:
        self.template: Final = template
        self.account: Final = account
        self.secret: Final = secret


@final
class _Tenant(Value):
    """The tenant, which precedes the account's own name.

    `parts`: each the name of a placeholder in the path, or fixed text; and whether it is a placeholder.
    """

    __slots__ = ("parts", "template")

    def __init__(self, template: Template | None, parts: tuple[tuple[str, bool], ...]) -> None:
        self.template: Final = template
        self.parts: Final = parts


@final
class _Plan(Value):
    """A door's fields, prepared once. `None`: the door does not read that kind of body."""

    __slots__ = (
        "accounts_in_query",
        "basic",
        "charset",
        "door",
        "in_forms",
        "json",
        "multipart",
        "path",
        "reads_body",
        "secret_names",
        "secrets_in_query",
        "tenant",
        "urlencoded",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that is read at a door
        self,
        door: Door,
        urlencoded: Names | None,
        multipart: Names | None,
        json: JsonPaths | None,
        basic: bool,
        charset: Charset,
        path: _InPath | None,
        tenant: _Tenant | None,
        opened: tuple[Fields, ...],  # all fields that read a body
    ) -> None:
        self.door: Final = door
        self.urlencoded: Final = urlencoded
        self.multipart: Final = multipart
        self.json: Final = json
        self.basic: Final = basic
        self.charset: Final = charset
        self.path: Final = path
        self.tenant: Final = tenant
        self.reads_body: Final = bool(opened)
        # Finds every account or secret field that a form at this door reads.
        self.in_forms: Final = Mention(_interesting(urlencoded) | _interesting(multipart))
        # Not allowed in a query.
        self.secret_names: Final = frozenset(
            path[0] for one in opened for path in (*one.secret, *one.new_secret, *one.address)
        )
        self.secrets_in_query: Final = Mention(self.secret_names)
        # A query must not name another account than the body.
        self.accounts_in_query: Final = Mention(path[0] for one in opened for path in one.account if len(path) == 1)


def read_credentials(
    door: Door,
    scope: Mapping[str, Any],
    body: bytes,
    *,
    raw: bytes | None = None,
    by_name: dict[bytes, bytes] | None = None,
) -> Credentials | None:
    """Read the credentials of a request at this door. Raises `Unreadable`.

    Args:
        door: the door that `Doors.find` returned for this request.
        scope: the ASGI scope, type http; header names in lower case, as ASGI requires.
        body: the whole body, decompressed.
        raw: the body as received, if `body` was decompressed. Without it, a body with a content coding is refused.
        by_name: the headers by name, if they are collected already.

    Returns:
        `None` if the request is no attempt: an OAuth 2.0 grant without a password, or no Basic header at a door that
        reads nothing else. Account and secret are empty at a door that does not name them.
    """
    plan = _plans.get(id(door)) or _planned(door)
    found = _credentials(plan, scope, body, raw, by_name)
    return found if found is None or plan.tenant is None else _of_tenant(plan.tenant, scope, found)


def _credentials(
    plan: _Plan, scope: Mapping[str, Any], body: bytes, raw: bytes | None, by_name: dict[bytes, bytes] | None
) -> Credentials | None:
    """The credentials as they stand in the request, without what precedes the account's name."""
    headers = scope["headers"]
    if (
        by_name is not None and len(by_name) == len(headers) and b"content-encoding" not in by_name
    ):  # none repeated: usual
        content_type, authorization, coded = by_name.get(b"content-type"), _basic(plan, by_name), False
    else:
        content_type, authorization, coded = _headers(headers, plan)
    query = scope.get("query_string")
    if query and plan.secrets_in_query.search(query):
        # Query strings end up in logs and in `Referer`, and some frameworks merge them into the form.
        raise Unreadable(400, "credentials_in_query")
    if plan.door.shares_path:
        _refuse_override(plan.door, scope, body)

    if authorization is not None:
        if plan.reads_body and body:
            # It is unknown which of the two the application uses.
            raise Unreadable(400, "two_credentials")
        return credentials(read_basic(authorization, plan.charset), account=True, secret=True)
    if plan.path is not None:
        found = _from_body(plan, content_type, body, raw, coded=coded) if plan.reads_body else Credentials("", "")
        return None if found is None else _with_path(plan.path, scope, found)
    if not plan.reads_body:
        return None if plan.basic else Credentials("", "")
    found = _from_body(plan, content_type, body, raw, coded=coded)
    if query and found is not None:
        _refuse_other_account(plan, query, found.account)
    return found


def _with_path(where: _InPath, scope: Mapping[str, Any], found: Credentials) -> Credentials:
    """Complete the body's credentials with the path's: account and secret each come from one of the two."""
    values = where.template.values(scope)
    in_path = {ACCOUNT: values.get(where.account, ""), SECRET: values.get(where.secret, "")}
    read = credentials(in_path, account=bool(where.account), secret=bool(where.secret))
    return Credentials(read.account or found.account, read.secret or found.secret, found.new_secret, found.address)


def _of_tenant(tenant: _Tenant, scope: Mapping[str, Any], found: Credentials) -> Credentials:
    """The account with its tenant before it: `shop/hana`. Raises `Unreadable` for a path that is read in two ways.

    Only the name may hold a slash, so no two tenants and names give the same text: otherwise the owner of `b/c` in
    tenant `a` would have the devices of `c` in tenant `a/b`.
    """
    values = tenant.template.values(scope) if tenant.template is not None else {}
    if not (tenant.parts and found.account):
        return found
    before = [values[text] if named else text for text, named in tenant.parts]
    if any("/" in one or (not one.isascii() and "/" in normalize("NFKC", one)) for one in before):
        raise Unreadable(400, "path_doubtful")
    account = "/".join([*before, found.account])
    if len(account) > ACCOUNT_CHARS_MAX:
        raise Unreadable(400, "account_too_long")
    return Credentials(account, found.secret, found.new_secret, found.address)


def with_tenant(door: Door, scope: Mapping[str, Any], found: Credentials) -> Credentials:
    """Return the credentials, with the tenant of the request's path before the account if the door has a tenant.

    For credentials of a GraphQL operation. Raises `Unreadable` if the path is ambiguous or the account too long.
    """
    tenant = (_plans.get(id(door)) or _planned(door)).tenant
    return found if tenant is None else _of_tenant(tenant, scope, found)


def _refuse_override(door: Door, scope: Mapping[str, Any], body: bytes) -> None:
    """Refuse a request that may reach another door at the same path: that door's handler reads other credentials."""
    method = scope.get("method", "").upper()
    is_own = door.method in {method, "*"} or (method, door.method) == ("HEAD", "GET")
    if not is_own or overrides(scope):
        raise Unreadable(400, "method_override")
    # A door without fields has no plan for bodies.
    if not door.fields and (b"_method" in body or _OVERRIDE.search(body)):
        raise Unreadable(400, "method_override")


# Numbers; see `read.names`.
_AMPERSAND: Final = ord("&")
_SEMICOLON: Final = ord(";")
_OVERRIDE = Mention([OVERRIDE_FIELD])


def _refuse_other_account(plan: _Plan, query: bytes, account: str) -> None:
    """Refuse a query that names another account than the body: Quart's `values`, among others, prefer the query."""
    for number, mention in enumerate(plan.accounts_in_query.finditer(query)):
        value = mention["value"] or b""
        if number >= MENTIONS_MAX or len(value) > ACCOUNT_CHARS_MAX * 12:  # each character escaped, of four bytes
            raise Unreadable(400, "two_accounts")
        # Some parsers end a value at `;`, others continue.
        is_doubtful = query[mention.end() : mention.end() + 1] == b";"
        if is_doubtful or unquoted(value.replace(b"+", b" ")).decode("utf-8", "replace") != account:
            raise Unreadable(400, "two_accounts")


def _basic(plan: _Plan, by_name: dict[bytes, bytes]) -> bytes | None:
    authorization = by_name.get(b"authorization") if plan.basic else None
    return authorization if authorization is not None and is_basic(authorization) else None


def _headers(headers: Any, plan: _Plan) -> tuple[bytes | None, bytes | None, bool]:
    content_type = authorization = None
    coded = False
    for name, value in headers:
        if name not in _LOOKED_AT:
            continue
        if name == b"content-type":
            if content_type is not None:
                raise Unreadable(400, "content_type_repeated")
            content_type = value
        elif name == b"content-encoding":
            coded = coded or value.strip().lower() != b"identity"
        elif plan.basic:
            if authorization is not None:
                raise Unreadable(400, "authorization_repeated")
            authorization = value
    if authorization is not None and not is_basic(authorization):
        authorization = None
    return content_type, authorization, coded


def _from_body(
    plan: _Plan, content_type: bytes | None, body: bytes, raw: bytes | None, *, coded: bool
) -> Credentials | None:
    content = content_of(content_type)
    if coded:
        _refuse_double_meaning(plan, content, body, raw)
    form = content.form
    if form is Form.JSON and (paths := plan.json) is not None:
        _refuse_as_form(plan, body)
        found = read_json(body, paths)
        _refuse_method(found)
        return credentials(
            found,
            account=paths.account,
            secret=paths.secret,
            address=paths.address,
            ascii_only=content.ascii_only,
        )
    if form is Form.URLENCODED and (names := plan.urlencoded) is not None:
        # An application that calls `json()` without checking the type would read another account from
        # `{"username": "b", "": "&username=a&"}`, at a door of forms too. No form that a browser encodes begins like
        # this.
        if body.lstrip()[:1] in _JSON_STARTS:
            raise Unreadable(400, "two_meanings")
        return _from_form(read_urlencoded(body, names), names, content)
    if form is Form.MULTIPART and (names := plan.multipart) is not None:
        _refuse_as_form(plan, body)
        if content.loose_delimiter and content.loose_delimiter in body:
            raise Unreadable(400, "two_meanings")
        return _from_form(read_multipart(body, content.boundary, names), names, content)
    raise Unreadable(415, "content_type")


_JSON_STARTS = frozenset({b"{", b"[", b"\0"})  # NUL: `json.loads` detects UTF-16 by it


def _refuse_method(found: dict[str, str]) -> None:
    # Read only at doors that share a path.
    if METHOD in found:
        raise Unreadable(400, "method_override")


def _from_form(found: dict[str, str], names: Names, content: Content) -> Credentials | None:
    _refuse_method(found)
    # A grant with a refresh token or a code is no password guess. A password beside an unknown grant is one: some
    # applications ignore the grant type.
    if names.grant and found.get(GRANT, "") not in {"", "password"} and SECRET not in found:
        return None
    return credentials(
        found,
        account=names.account,
        secret=names.secret,
        address=names.address,
        ascii_only=content.ascii_only,
    )


def _refuse_as_form(plan: _Plan, body: bytes) -> None:
    # The reverse case: JSON or multipart by its type, `&username=…` for an application that parses any body as a form.
    if (_AMPERSAND in body or _SEMICOLON in body) and plan.in_forms.search(body):
        raise Unreadable(400, "two_meanings")


def _refuse_double_meaning(plan: _Plan, content: Content, body: bytes, raw: bytes | None) -> None:
    # Compressed bytes can be crafted to contain another form, for an application that does not decompress.
    if raw is None or raw is body:
        raise Unreadable(415, "content_encoding")
    delimiters = (content.boundary, content.loose_delimiter)
    if plan.in_forms.search(raw) or any(one and one in raw for one in delimiters):
        raise Unreadable(400, "two_meanings")


_plans: dict[int, _Plan] = {}


def _planned(door: Door) -> _Plan:
    # By identity, because hashing a door costs more than reading a request. The plan references the door, so that no
    # other object can get the same identity.
    if len(_plans) >= _DOORS_MAX:
        _plans.clear()
    plan = _plans[id(door)] = _plan(door)
    return plan


def _plan(door: Door) -> _Plan:
    by_encoding: dict[Encoding, list[Fields]] = {}
    for fields in door.fields:
        if _names_fields(fields) or fields.encoding in {Encoding.BASIC, Encoding.PASSWORD_GRANT}:
            by_encoding.setdefault(fields.encoding, []).append(fields)
    form = by_encoding.get(Encoding.FORM, [])
    grants = [
        fields if _names_fields(fields) else _DEFAULT_GRANT for fields in by_encoding.get(Encoding.PASSWORD_GRANT, [])
    ]
    multipart = form + by_encoding.get(Encoding.MULTIPART, [])
    json = by_encoding.get(Encoding.JSON, [])
    # Beside a plain form the grant type is irrelevant: such a door reads every form.
    only_grant = bool(grants) and not form
    opened = (*multipart, *grants, *json)
    shared = door.shares_path
    urlencoded_names = form_names(form + grants, grant=only_grant, override=shared) if form or grants else None
    multipart_names = form_names(multipart + grants, grant=only_grant, override=shared) if multipart or grants else None
    return _Plan(
        door=door,
        urlencoded=urlencoded_names,
        multipart=multipart_names,
        json=json_paths(json, override=shared) if json else None,
        basic=Encoding.BASIC in by_encoding,
        charset=next((fields.charset for fields in by_encoding.get(Encoding.BASIC, [])), Charset.UTF_8),
        path=_in_path(door, by_encoding[Encoding.PATH]) if Encoding.PATH in by_encoding else None,
        tenant=_tenant(door) if door.tenant or (door.kind is DoorKind.LOGIN and "{" in door.path) else None,
        opened=opened,
    )


def _in_path(door: Door, all_fields: list[Fields]) -> _InPath:
    # Settings allow one of each.
    account = next((path[0] for one in all_fields for path in one.account), "")
    secret = next((path[0] for one in all_fields for path in one.secret), "")
    return _InPath(Template(door.path), account, secret)


def _tenant(door: Door) -> _Tenant:
    parts = tuple((part.strip("{}"), part.startswith("{")) for part in door.tenant)
    return _Tenant(Template(door.path) if "{" in door.path else None, parts)


def _names_fields(fields: Fields) -> bool:
    return bool(fields.account or fields.secret or fields.new_secret)


def _interesting(names: Names | None) -> frozenset[str]:
    if names is None:
        return frozenset()
    return frozenset(name for name, kind in names.kinds.items() if kind in {ACCOUNT, SECRET, NEW_SECRET, ADDRESS})


def secret_names(door: Door) -> frozenset[str]:
    """Return the names of the door's secret and mail address fields: a query string must not contain them."""
    return _plan(door).secret_names
