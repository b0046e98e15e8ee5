"""Sends a request that a page carried to its door, through the guard like any other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urljoin

from sekisho.crypto.seal import Unsealable
from sekisho.read.paths import path_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sekisho.asgi.types import Message, Receive, Scope, Send
    from sekisho.challenge.challenges import SealedForm
    from sekisho.model.headers import Header, Headers
    from sekisho.read import Doors

_OF_THE_BODY = frozenset({b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"})
_PATH_SAFE = "/!$&'()*+,;=:@-._~"
# Two slashes at the start would be another host; so would a backslash, to browsers.
_ADDRESS = re.compile(r"(?:/(?![/.])[^/\\?#\s\x7f-\xff]+)+/?(?:\?[!-~]*)?")
ADDRESS_CHARS_MAX = 960  # a sealed form holds names of up to 1 KiB
_PREFIX = re.compile(r"(?:/[\w.~-]+)+")
_PATH = re.compile(rb";\s*path\s*=\s*/", re.IGNORECASE)


def under(scope: Scope, mount: str) -> str | None:
    """Return the part of a request's path after the mount, in lower case; None for a path that is not below it.

    Paths are matched as those of doors are.
    """
    start = mount.casefold()
    found = (key[len(start) :] for key in path_keys(scope) if f"{key}/".startswith(start + "/"))
    return next(found, None)


def before(scope: Scope, mount: str) -> str:
    """The part of a request's path before the mount: where the application itself is mounted, if anywhere."""
    prefix, found, _ = scope["path"].partition(mount)
    # No part of an odd path goes into an answer's addresses: `//elsewhere` would be another host.
    return prefix if found and _PREFIX.fullmatch(prefix) else ""


def resumable(scope: Scope) -> str:
    """The address of a page view, as its browser sent it; empty for other requests, and for odd or long addresses."""
    if scope["method"] != "GET":
        return ""
    root, path, query = scope.get("root_path", ""), scope["path"], scope.get("query_string", b"")
    whole = path if path.startswith(root) else root + path
    address = quote(whole, safe=_PATH_SAFE) + (f"?{query.decode('latin-1')}" if query else "")
    return address if len(address) <= ADDRESS_CHARS_MAX and _ADDRESS.fullmatch(address) else ""


class Resubmission(NamedTuple):
    """Attributes:
    here: the scope of the request that carries it.
    mount: the path below which that request was sent.
    form: the request as it was.
    extra: headers that show the work or proof that was asked for.
    """

    here: Scope
    mount: str
    form: SealedForm
    extra: Headers

    def scope(self, doors: Doors) -> Scope:
        """Return the scope of the carried request as it goes to its door, from the client that sends it now.

        Raises `Unsealable` if there is no such door any more.
        """
        door = next((door for door in doors.all if door.name == self.form.door), None)
        if door is None:
            # The form was sealed by a version of the service that had this door.
            raise Unsealable
        path = before(self.here, self.mount) + door.path
        headers = [(name, value) for name, value in self.here["headers"] if name not in _OF_THE_BODY]
        length = (b"content-length", b"%d" % len(self.form.body))
        return {
            **self.here,
            "method": door.method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": self.form.query,
            "headers": [*headers, (b"content-type", self.form.content_type), length, *self.extra],
        }

    def __repr__(self) -> str:
        return "Resubmission(...)"


def anew(scope: Scope, form: SealedForm, extra: Headers) -> Scope:
    """Return the scope of the request that was sealed in a form, which was sent to the door's own address."""
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_THE_BODY]
    length = (b"content-length", b"%d" % len(form.body))
    headers += [(b"content-type", form.content_type), length, *extra]
    return {**scope, "query_string": form.query, "headers": headers}


def replay(body: bytes, rest: Receive) -> Receive:
    """A `receive` of this body, then of the server's further messages."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        return await rest()

    return receive


def answering(path: str, send: Send) -> Send:
    """A `send` whose answers work as if they came from `path`."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*as_from(path, message.get("headers", ()))]}
        await send(message)

    return sending


def as_from(path: str, headers: Iterable[Header]) -> Iterator[Header]:
    """Yield headers of an answer for a door's path, changed so that they mean the same when sent from the mount."""
    for name, value in headers:
        if name == b"location":
            yield name, _absolute(path, value)
        elif name == b"set-cookie" and not _PATH.search(value):
            # Without a path, browsers use the folder of the requested page (RFC 6265 section 5.1.4), here the mount's.
            yield name, value + b"; Path=" + (path.rpartition("/")[0] or "/").encode()
        else:
            yield name, value


def _absolute(path: str, location: bytes) -> bytes:
    try:
        return urljoin(path, location.decode("latin-1")).encode("latin-1", "replace")
    except ValueError:
        return location  # not a URL; the client will find out
