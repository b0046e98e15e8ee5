"""JSON bodies (RFC 8259), refused if two parsers could read different accounts from them."""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, NamedTuple

from sekisho.model import Unreadable
from sekisho.read.names import ACCOUNT, ADDRESS, METHOD, NEW_SECRET, OVERRIDE_FIELD, SECRET
from sekisho.read.urlencoded import unicode_or_refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model import Fields, Path

MEMBERS_MAX = 8_192  # of lists and objects; each costs 100 ns, and a log-in has a dozen

_ABSENT = object()
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonPaths(NamedTuple):
    """The alternative paths of each kind of field; exactly one may be present. Kinds that a door lacks are left out."""

    by_kind: tuple[tuple[str, tuple[Path, ...]], ...]
    account: bool
    secret: bool
    address: bool = False
    numbers: bool = False  # whether whole numbers are read as their digits


def json_paths(all_fields: Iterable[Fields], *, override: bool = False) -> JsonPaths:
    """Merge the paths of several JSON encodings, by kind of field.

    `override`: whether a method override among the members is read as well.
    """
    listed = tuple(all_fields)
    places = {
        ACCOUNT: tuple(path for fields in listed for path in fields.account),
        SECRET: tuple(path for fields in listed for path in fields.secret),
        NEW_SECRET: tuple(path for fields in listed for path in fields.new_secret),
        ADDRESS: tuple(path for fields in listed for path in fields.address),
        METHOD: ((OVERRIDE_FIELD,),) if override else (),
    }
    by_kind = tuple((kind, paths) for kind, paths in places.items() if paths)
    numbers = any(fields.numbers for fields in listed)
    return JsonPaths(
        by_kind,
        account=bool(places[ACCOUNT]),
        secret=bool(places[SECRET]),
        address=bool(places[ADDRESS]),
        numbers=numbers,
    )


def read_json(body: bytes, paths: JsonPaths) -> dict[str, str]:
    """Return the values at `paths` in a JSON object, by kind (`account`, `secret` …).

    Raises `Unreadable` for other bodies, and for values that are repeated or no text.
    """
    tree = parsed_json(body)
    # A list of log-ins is a batch: many guesses for one charge.
    if type(tree) is not dict:
        raise Unreadable(400, "json_not_object")
    return values_at(tree, paths)


def parsed_json(body: bytes) -> Any:
    """Return the parsed body. Raises `Unreadable` if it is no JSON, repeats a key, or has too many members."""
    # An upper bound: characters inside strings count as well.
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MEMBERS_MAX:
        raise Unreadable(400, "json_malformed")
    return _parsed(unicode_or_refuse(body))


def values_at(tree: dict[str, Any], paths: JsonPaths) -> dict[str, str]:
    """Return the values at `paths` in a parsed object, by kind. Raises `Unreadable` if repeated or no text."""
    found: dict[str, str] = {}
    for kind, alternatives in paths.by_kind:
        for path in alternatives:
            value = _at(tree, path, kind)
            if value is _ABSENT:
                continue
            if kind in found:
                raise Unreadable(400, f"{kind}_repeated")
            found[kind] = str(value) if paths.numbers and type(value) is int else _text(value, kind)
    return found


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):  # not JSON; a number of 4,301 digits; nested too deep
        pass
    raise Unreadable(400, "json_malformed")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    # In a comparison of 49 parsers, some kept the first of two equal keys and some the last.
    if len(found) != len(pairs):
        raise Unreadable(400, "json_key_repeated")
    return found


_DECODER = JSONDecoder(object_pairs_hook=_distinct)


def _at(tree: Any, path: Path, kind: str) -> Any:
    for name in path:
        if type(tree) is not dict:
            raise Unreadable(400, f"{kind}_not_text")
        tree = tree.get(name, _ABSENT)
        if tree is _ABSENT:
            return _ABSENT
    return tree


def _text(value: Any, kind: str) -> str:
    # Some applications convert lists, numbers and null to text, in ways that are unknown here.
    if type(value) is not str:
        raise Unreadable(400, f"{kind}_not_text")
    if value.isascii():
        return value
    # `"\ud800"` is valid JSON but not encodable text.
    if _SURROGATE.search(value) is not None:
        raise Unreadable(400, "not_unicode")
    return value
