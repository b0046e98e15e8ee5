"""An invented log-in: an account that does not exist and a random secret, in the encoding that the door reads.

Nothing marks it as the guard's. An application that could tell it from a guess might answer it differently.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from sekisho.model import Credentials, Encoding, Fields
from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sekisho.asgi.types import Message, Receive, Scope
    from sekisho.model import Door, Path
    from sekisho.model.headers import Header


FORM = b"application/x-www-form-urlencoded"
_MEDIA_OF = {
    Encoding.FORM: FORM,
    Encoding.PASSWORD_GRANT: FORM,
    Encoding.MULTIPART: b"multipart/form-data",
    Encoding.JSON: b"application/json",
}
_BOUNDARY = "formboundary7MA4YWxkTrZu0gW"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

# Headers of the replaced body, and the credentials of a door that reads a header.
_REPLACED = frozenset({b"authorization", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"})
_PLAIN = ((b"host", b"localhost"), (b"user-agent", b"Mozilla/5.0"), (b"accept", b"*/*"))


class LogIn(NamedTuple):
    """One request."""

    scope: dict[str, Any]
    body: bytes
    credentials: Credentials

    def __repr__(self) -> str:
        return f"LogIn({self.scope['method']} {self.scope['path']}, ...)"

    @property
    def receive(self) -> Receive:
        """The request as an ASGI `receive`: gives the body, then waits for ever, as a client that stays connected."""
        return _receive_once(self.body)


def invented(chance: Callable[[int], bytes]) -> Credentials:
    """An account that cannot exist (RFC 2606 reserves `.invalid`), and a secret with 160 random bits.

    Args:
        chance: `n -> n` random bytes.
    """
    account = "".join([_ALPHABET[byte % 32] for byte in chance(12)])
    secret = "".join([_ALPHABET[byte % 32] for byte in chance(32)])
    return Credentials(f"{account}@{account[:6]}.invalid", f"{secret}A1!")


def log_in_at(door: Door, credentials: Credentials, like: Scope, body: bytes = b"") -> LogIn:
    """A request with these credentials.

    Args:
        door: the door that it is sent to.
        credentials: the account and secret to try.
        like: the scope of another request, without any identity, or `plain_scope`.
        body: that request's body; all its other fields are kept.
    """
    headers = [(name, value) for name, value in like["headers"] if name not in _REPLACED]
    media = _media(like["headers"])
    fields = _fields_like(door, media)
    scope = {**like, "query_string": b"", "headers": headers}
    if fields.encoding is Encoding.BASIC:
        pair = f"{credentials.account}:{credentials.secret}".encode()
        headers.append((b"authorization", b"Basic " + b64encode(pair)))
        return LogIn(scope, b"", credentials)
    content_type, text = _body(fields, credentials, body, media)
    headers += [(b"content-type", content_type), (b"content-length", b"%d" % len(text))]
    return LogIn(scope, text, credentials)


def spellings(door: Door) -> Iterator[tuple[Sequence[Header], bytes]]:
    """Headers and a body for each encoding and each field of the account that the door reads, to model a log-in on."""
    for fields in door.fields:
        media = _MEDIA_OF.get(fields.encoding)
        if media is None:
            yield (), b""
            continue
        for place in fields.account or ((),):
            yield ((b"content-type", media),), _body_with(fields.encoding, place)


def _body_with(encoding: Encoding, place: Path) -> bytes:
    """A body with one empty field, under whose name `log_in_at` puts the account."""
    if not place:
        return b""
    return json.dumps({place[0]: ""}).encode() if encoding is Encoding.JSON else urlencode({place[0]: ""}).encode()


def plain_scope(
    door: Door, around: Mapping[str, Any], *, method: str = "", headers: Sequence[Header] = ()
) -> dict[str, Any]:
    """Make the ASGI scope of a request at a door, without another request as a model.

    Args:
        door: the door. For `/files/*` the request goes to `/files/`, which stands for all paths below it.
        around: keys that the framework puts into all its scopes, such as `app`.
        method: another method than the door's; empty: the door's.
        headers: in addition to the usual ones.
    """
    path = door.path.removesuffix("*") or "/"
    return {
        **around,
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method or ("GET" if door.method == "*" else door.method),
        "scheme": "https",
        "path": path,
        "raw_path": utf8(path),
        "query_string": b"",
        "root_path": "",
        "headers": [*_PLAIN, *headers],
        "client": ("127.0.0.1", 49_152),
        "server": ("localhost", 443),
        "state": dict(around.get("state", {})),
    }


def _media(headers: Sequence[Header]) -> bytes:
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    return content_type.partition(b";")[0].strip().lower()


def _fields_like(door: Door, media: bytes) -> Fields:
    """The door's fields for this media type; without a match, its first."""
    wanted = {
        FORM: (Encoding.FORM, Encoding.PASSWORD_GRANT),
        b"multipart/form-data": (Encoding.FORM, Encoding.MULTIPART),
        b"application/json": (Encoding.JSON,),
    }.get(media, ())
    return next((fields for fields in door.fields if fields.encoding in wanted), door.fields[0])


def _body(fields: Fields, credentials: Credentials, like: bytes, media: bytes) -> tuple[bytes, bytes]:
    """Content type and body."""
    if fields.encoding is Encoding.GRAPHQL:
        return b"application/json", b'{"query":"{__typename}"}'  # which types a log-in has is not known
    if fields.encoding is Encoding.JSON:
        return b"application/json", _json(fields, credentials, like)
    others = _form_fields(like) if media == FORM else {}
    pairs = {**others, **_named(fields.account, credentials.account, others)}
    pairs.update(_named(fields.secret, credentials.secret, others))
    if fields.encoding is Encoding.PASSWORD_GRANT:
        pairs["grant_type"] = "password"
    if fields.encoding is Encoding.MULTIPART:
        return f"multipart/form-data; boundary={_BOUNDARY}".encode(), _multipart(pairs)
    return FORM, urlencode(pairs).encode()


def _named(paths: tuple[Path, ...], value: str, others: dict[str, str]) -> dict[str, str]:
    """A field under the name that the other request used, out of a door's alternatives."""
    names = [".".join(path) for path in paths]
    name = next((name for name in names if name in others), names[0] if names else "")
    return {name: value} if name else {}


def _form_fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000))
    except ValueError:
        return {}


def _multipart(pairs: dict[str, str]) -> bytes:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in pairs.items()
    ]
    return "".join([*parts, f"--{_BOUNDARY}--\r\n"]).encode()


def _json(fields: Fields, credentials: Credentials, like: bytes) -> bytes:
    try:
        tree = json.loads(like or b"{}")
    except (ValueError, RecursionError):
        tree = {}
    tree = tree if isinstance(tree, dict) else {}
    for paths, value in ((fields.account, credentials.account), (fields.secret, credentials.secret)):
        if paths:
            _put(tree, next((path for path in paths if path[0] in tree), paths[0]), value)
    return json.dumps(tree).encode()


def _put(tree: dict[str, Any], path: Path, value: str) -> None:
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[path[-1]] = value


def _receive_once(body: bytes) -> Receive:
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if left:
            return left.pop()
        await asyncio.Event().wait()
        raise AssertionError  # nobody sets it

    return receive
