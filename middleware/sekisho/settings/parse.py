"""One text, one value: the parsers that the table of settings is made of.

Each takes the text and the name to blame, and raises `SettingsError` with that name. None of them puts the text
into the error: the one time it was a password in the wrong variable would be the time the log is read aloud.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sekisho.crypto.signers import DEFAULT_NAMESPACE
from sekisho.model import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from enum import Enum

    Choice = TypeVar("Choice", bound=Enum)

SECRET_BYTES_MIN = 32
VERIFIES = b"verify:"
SECRETS_MAX = 8
# A generated secret of 32 characters shows ten different ones even if they are all digits; a typed one often fewer.
SECRET_SYMBOLS_MIN = 7
DEVICE_HEADERS_MAX = 8
ORIGINS_MAX = 64

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 section 5.6.2
_INTEGER = re.compile(r"[0-9]{1,12}")  # int() also takes "1_000" and full-width digits
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")  # float() also takes "nan", and no timer ends at that
_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAMESPACE_FROM = re.compile(r"(?P<name>[A-Za-z0-9_-]{1,32}) +(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?P<write> +write)?")
_MOUNT = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}){1,8}")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# Headers that change with every request or hold a secret: a fingerprint of them counts nobody, or is a leak.
_NO_FINGERPRINT = frozenset({"authorization", "cookie", "date", "content-length", "proxy-authorization"})


def items(text: str, setting: str, *, most: int) -> tuple[str, ...]:
    """Split at commas; white space around an item is nobody's intent, an empty item may be somebody's typing error."""
    found = tuple(item.strip() for item in text.split(","))
    if "" in found:
        raise SettingsError(setting, "has an empty item: is there a comma too many?")
    if len(found) > most:
        raise SettingsError(setting, f"lists more than {most} items")
    if len(set(found)) < len(found):
        raise SettingsError(setting, "lists the same item twice")
    return found


class Secret(NamedTuple):
    """Attributes:
    value: 32 bytes or more.
    signs: whether anything is signed with it yet, or it only verifies.
    """

    value: bytes
    signs: bool = True

    def __repr__(self) -> str:
        return f"Secret(signs={self.signs})"


def secrets(text: str, setting: str) -> tuple[Secret, ...]:
    """Comma-separated, newest first; `verify:` before those that sign nothing yet."""
    found = [item.encode("utf-8", "surrogateescape") for item in items(text, setting, most=SECRETS_MAX)]
    return secrets_of_bytes(found, setting)


def secrets_of_bytes(found: Sequence[bytes], setting: str) -> tuple[Secret, ...]:
    """The same, of bytes."""
    values = strong([one.removeprefix(VERIFIES) for one in found], setting)
    listed = tuple(Secret(value, not one.startswith(VERIFIES)) for one, value in zip(found, values, strict=True))
    if not any(secret.signs for secret in listed):
        raise SettingsError(setting, "only verifies; leave out `verify:` before the secret that signs")
    # Counters and names in the store use the oldest: one that some workers do not have yet would begin them anew.
    if not listed[-1].signs:
        raise SettingsError(setting, "ends with a secret that only verifies; list the newest first")
    return listed


class NamespaceFrom(NamedTuple):
    """Attributes:
    namespace: of the service whose tokens once held none.
    until_s: Unix time until which such tokens are read.
    writes: whether they are written until then as well.
    """

    namespace: str
    until_s: int
    writes: bool


def namespace_from(text: str, setting: str) -> NamespaceFrom:
    """A namespace, a date (its end in UTC), and `write` or nothing."""
    match = _NAMESPACE_FROM.fullmatch(text)
    day = _day(match["date"]) if match else None
    if match is None or day is None or match["name"] == DEFAULT_NAMESPACE:
        problem = "wants a namespace of its own and a date, as in shop 2027-06-30 or shop 2027-06-30 write"
        raise SettingsError(setting, problem)
    return NamespaceFrom(match["name"], int(day.timestamp()) + 86_400, bool(match["write"]))


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def strong(found: Sequence[bytes], setting: str) -> tuple[bytes, ...]:
    """Refuse secrets that a stranger could guess: every token and every counter's name hangs on them."""
    if not found or len(found) > SECRETS_MAX:
        raise SettingsError(setting, f"wants between one and {SECRETS_MAX} secrets")
    if len(set(found)) < len(found):
        raise SettingsError(setting, "lists the same secret twice")
    for position, secret in enumerate(found, 1):
        which = "" if len(found) == 1 else f"number {position} "
        if len(secret) < SECRET_BYTES_MIN:
            raise SettingsError(setting, f"{which}is shorter than {SECRET_BYTES_MIN} bytes. {HOW_TO_MAKE_A_SECRET}")
        if _is_weak(secret):
            raise SettingsError(setting, f"{which}repeats itself and could be guessed. {HOW_TO_MAKE_A_SECRET}")
    return tuple(found)


def key(text: str, setting: str) -> bytes:
    """One secret; a comma in it is part of it."""
    return strong([text.encode("utf-8", "surrogateescape")], setting)[0]


def key_of_bytes(found: Sequence[bytes], setting: str) -> bytes:
    if len(found) != 1:
        raise SettingsError(setting, "is one key, not several")
    return strong(found, setting)[0]


HOW_TO_MAKE_A_SECRET = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"  # noqa: S105 - says how, is none


def _is_weak(secret: bytes) -> bool:
    repeats = (secret + secret).find(secret, 1) < len(secret)  # a string is periodic iff it occurs early in its double
    return repeats or len(set(secret)) < SECRET_SYMBOLS_MIN


def choice(kind: type[Choice]) -> Callable[[str, str], Choice]:
    """One of an enumeration's values, in any case."""

    def parse(text: str, setting: str) -> Choice:
        for member in kind:
            if member.value == text.lower():
                return member
        raise SettingsError(setting, "is none of " + ", ".join(str(member.value) for member in kind))

    return parse


def boolean(text: str, setting: str) -> bool:
    if (word := text.lower()) in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    # A truthy "flase" has switched more than one protection the wrong way.
    raise SettingsError(setting, "is neither true, yes, on, 1 nor false, no, off, 0")


def integer(least: int, most: int, unit: str) -> Callable[[str, str], int]:
    """A whole number within bounds, both included."""

    def parse(text: str, setting: str) -> int:
        if _INTEGER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        raise SettingsError(setting, f"is no whole number of {unit} between {least} and {most}")

    return parse


def decimal(least: float, most: float, unit: str) -> Callable[[str, str], float]:
    """A number within bounds, both included; never `nan` or infinite."""

    def parse(text: str, setting: str) -> float:
        if _DECIMAL.fullmatch(text) and least <= float(text) <= most:
            return float(text)
        raise SettingsError(setting, f"is no number of {unit} between {least:g} and {most:g}")

    return parse


def namespace(text: str, setting: str) -> str:
    if _NAMESPACE.fullmatch(text):
        return text
    raise SettingsError(setting, "wants 1 to 32 letters, digits, - or _")


def mount(text: str, setting: str) -> str:
    """A path without its last slash; `/` itself would put every page of the service behind ours."""
    if _MOUNT.fullmatch(text):
        return text
    raise SettingsError(setting, "wants a path such as /sekisho: it begins with a slash and does not end with one")


def path(text: str, setting: str) -> str:
    """A file's path. Absolute, because nobody knows where a server will be started from."""
    if text.startswith("/") and "\0" not in text:
        return text
    raise SettingsError(setting, "wants an absolute path, such as /var/lib/sekisho/passwords")


def api(text: str, setting: str) -> str:
    """The address of a web API: https, or http on this very machine; no path, so that none is lost by joining."""
    match = _ORIGIN.fullmatch(text.lower().removesuffix("/"))
    if match is None or (match["scheme"] == "http" and match["host"] not in _LOOPBACK):
        raise SettingsError(setting, "wants an address such as https://api.example (http on 127.0.0.1 alone), no path")
    return match[0]


def cookie(text: str, setting: str) -> str:
    """A cookie's name (RFC 6265 section 4.1.1)."""
    if _TOKEN.fullmatch(text):
        return text
    raise SettingsError(setting, "is no name a cookie can have, such as __Host-sekisho")


def header(text: str, setting: str) -> str:
    """A header's name, lower case; ASCII."""
    if _TOKEN.fullmatch(text):
        return text.lower()
    raise SettingsError(setting, "is no name a header can have, such as x-forwarded-for")


def device_headers(text: str, setting: str) -> tuple[bytes, ...]:
    names = items(text.lower(), setting, most=DEVICE_HEADERS_MAX)
    if _NO_FINGERPRINT.intersection(names):
        raise SettingsError(setting, "lists a header that is secret or differs in every request: " + _listed())
    return tuple(header(name, setting).encode("ascii") for name in names)


def _listed() -> str:
    return "none of " + ", ".join(sorted(_NO_FINGERPRINT)) + " tells devices apart"


def origins(text: str, setting: str) -> frozenset[bytes]:
    """Origins as browsers send them: lower case, without the scheme's own port (RFC 6454 section 6.2)."""
    return frozenset(origin_list(text, setting, most=ORIGINS_MAX))


def origin_list(text: str, setting: str, *, most: int) -> tuple[bytes, ...]:
    """The same in the order given."""
    return tuple(_origin(item, setting) for item in items(text, setting, most=most))


def _origin(item: str, setting: str) -> bytes:
    match = _ORIGIN.fullmatch(item.lower())
    if match is None or int(match["port"] or 0) > 65535:
        # A wildcard here, with credentials, would let any site read what its visitors are told.
        problem = (
            "wants origins such as https://app.example or http://localhost:3000: no path, no slash at the end, no *"
        )
        raise SettingsError(setting, problem)
    scheme, host, port = match["scheme"], match["host"], match["port"]
    suffix = "" if port in {None, _DEFAULT_PORTS[scheme]} else f":{port}"
    return f"{scheme}://{host}{suffix}".encode("ascii")
