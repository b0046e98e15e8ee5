"""A JSON answer: its fields at all depths, and its token."""

from __future__ import annotations

import re
from json import loads
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.model import Path

VALUES_MAX = 256  # an answer with more is not judged: a failure could follow the last value that was read

# Names of tokens, without case, `_` and `-`.
_TOKENS = frozenset(
    {
        *("accesstoken", "authtoken", "bearertoken", "idtoken", "jwt", "jwttoken", "token"),
        *("session", "sessionid", "sessiontoken", "sid"),
    }
)
# Tokens only if the value looks like one: `key` is also the name of a message, and `access` may be *denied*.
_LONG_TOKENS = frozenset(["key", "access"])
_LONG_TOKEN = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9._~+/=-]{32,}")
_WRAPPERS = frozenset(["auth", "data", "payload", "response", "result", "session", "tokens"])


def plain(key: str) -> str:
    """A field's name without case and punctuation: `is_logged-in` is `isloggedin`."""
    return "".join(filter(str.isalnum, key)).lower()


def json_tree(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body; `None` if the body is no JSON or another value."""
    try:
        tree = loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def value_at(tree: Any, path: Path) -> Any:
    """Return the value at a path of names in a parsed answer; `None` if the path leads nowhere."""
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree


def usual_token(tree: dict[str, Any]) -> str:
    """The first token under a usual name, at the top or in a usual wrapper; "" if there is none."""
    return next((token for _, token in usual_tokens(tree)), "")


def usual_tokens(tree: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Path and text of each token under a usual name, at the top or in a usual wrapper."""
    for path, value in outer(tree):
        if isinstance(value, str) and value and _is_token(plain(path[-1]), value):
            yield path, value


def outer(tree: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Path and value of each field at the top or in a usual wrapper; the wrappers' own are left out."""
    wrapped = {key: value for key, value in tree.items() if isinstance(value, dict) and plain(key) in _WRAPPERS}
    yield from (((key,), value) for key, value in tree.items() if key not in wrapped)
    for wrapper, fields in wrapped.items():
        yield from (((wrapper, key), value) for key, value in fields.items())


def _is_token(name: str, value: str) -> bool:
    return name in _TOKENS or (name in _LONG_TOKENS and bool(_LONG_TOKEN.fullmatch(value)))


def entries(tree: Any) -> Iterator[tuple[str, Any]] | None:
    """Names and values in a JSON answer at all depths; None if there are more than `VALUES_MAX`."""
    found: list[tuple[str, Any]] = []
    waiting: list[Any] = [tree]
    while waiting:
        here = waiting.pop()
        pairs = list(here.items()) if isinstance(here, dict) else [("", value) for value in here]
        found += pairs
        if len(found) > VALUES_MAX:
            return None
        waiting += [value for _, value in pairs if isinstance(value, dict | list)]
    return iter(found)
