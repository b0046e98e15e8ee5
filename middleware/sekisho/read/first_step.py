"""The steps of a log-in at a door with `first=name`: requests with the account alone, or the secret alone. Pure.

An application that finds a password where the reader of the door finds none would check guesses that nothing counts. So
a request is a first step only if no name in it resembles that of the door's secret, or is usual for one; and a second
step, of which the session tells the account, only if none resembles the name of an account.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from sekisho.model import Unreadable
from sekisho.read.content import Form, content_of
from sekisho.read.names import FIELDS_MAX
from sekisho.read.response.tree import entries, json_tree, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model import Door

_PARTS = re.compile(r"[&;]")
_IN_MULTIPART = re.compile(rb"name\*?[0-9]?\*?[ \t]*=[ \t]*(?:\"([^\"\r\n]*)|([^;\s\"]*))", re.IGNORECASE)
# Without case and punctuation; see `plain`.
_USUAL: Final = frozenset(
    {
        *("password", "passphrase", "passcode", "passwd", "passwort", "pwd", "kennwort", "senha", "wachtwoord"),
        *("contrasena", "contraseña", "motdepasse"),
    }
)
_USUAL_ALONE: Final = frozenset({"pass", "psw", "pw", "mdp", "pin", "secret"})  # `passkey` is none
_NOT_SHOWN = frozenset({b"authorization", b"content-encoding"})


def is_name_alone(door: Door, scope: Mapping[str, Any], by_name: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a request, in which the door's reader found the account and no secret, holds no other credential either.

    Args:
        door: a `LOGIN` door.
        scope: of the request.
        by_name: its headers.
        body: the whole body, as it was sent.
    """
    return _names_none(_secrets(door) | _USUAL, _accounts(door), scope, by_name, body, _USUAL_ALONE)


def is_secret_alone(door: Door, scope: Mapping[str, Any], by_name: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a request without the door's account names no account otherwise. The arguments: see `is_name_alone`."""
    return _names_none(_accounts(door), _secrets(door), scope, by_name, body)


def _accounts(door: Door) -> set[str]:
    return {path[-1] for fields in door.fields for path in fields.account}


def _secrets(door: Door) -> set[str]:
    return {path[-1] for fields in door.fields for path in (*fields.secret, *fields.new_secret)}


def _names_none(
    absent: set[str],
    others: set[str],
    scope: Mapping[str, Any],
    by_name: Mapping[bytes, bytes],
    body: bytes,
    alone: frozenset[str] = frozenset(),
) -> bool:
    """Whether no name in the request resembles one of `absent` or is one of `alone`, but for the fields `others`."""
    if not by_name.keys().isdisjoint(_NOT_SHOWN):
        return False
    names = _names(by_name.get(b"content-type"), body)
    if names is None:
        return False
    in_query = _in_form(scope.get("query_string", b""))
    looked_for = {plain(name) for name in absent}
    found = {plain(name) for name in (*names, *in_query) if name not in others}
    return found.isdisjoint(alone) and not any(_resembles(name, looked_for) for name in found)


def _resembles(name: str, others: Iterable[str]) -> bool:
    # `user[password]`, `Password`, `password_1` and `password.text`; a field `shipping` is no `pin`.
    return any(name.startswith(other) or name.endswith(other) for other in others)


def _names(content_type: bytes | None, body: bytes) -> list[str] | None:
    """The names of all fields in a body; None if it cannot be read."""
    try:
        form = content_of(content_type).form
    except Unreadable:
        return None
    if form is Form.URLENCODED:
        return _in_form(body)
    if form is Form.MULTIPART:
        return [name for one in _IN_MULTIPART.finditer(body) for name in _readings(one[1] or one[2] or b"")]
    tree = json_tree(body)
    found = entries(tree) if tree is not None else None
    return None if found is None else [name for name, _ in found]


def _in_form(text: bytes) -> list[str]:
    parts = [part for reading in _readings(text) for part in _PARTS.split(reading, FIELDS_MAX)]
    names = [part.partition("=")[0] for part in parts]
    return [unquote_plus(name, encoding) for name in names for encoding in ("utf-8", "latin-1")]


def _readings(text: bytes) -> list[str]:
    """A text as UTF-8 and as Latin-1, which some parsers take names for."""
    return [text.decode(errors="replace"), text.decode("latin-1")]
