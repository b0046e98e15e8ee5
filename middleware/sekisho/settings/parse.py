"""The parsers in the table of settings: each turns one text into one value.

Each takes the text and the variable's name, and raises `SettingsError` with that name. No error contains the text: it
may be a password in the wrong variable, and logs are widely read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sekisho.crypto.signers import DEFAULT_NAMESPACE
from sekisho.model import SettingsError
from sekisho.settings.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from enum import Enum

    Choice = TypeVar("Choice", bound=Enum)

SECRET_BYTES_MIN = 32
VERIFIES = b"verify:"
SECRETS_MAX = 8
# A generated secret of 32 digits contains nearly all ten; a typed secret often has fewer distinct characters.
SECRET_SYMBOLS_MIN = 7
DEVICE_HEADERS_MAX = 8
ORIGINS_MAX = 64

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 section 5.6.2
_INTEGER = re.compile(r"[0-9]{1,12}")  # int() also accepts "1_000" and full-width digits
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")  # float() also accepts "nan", and no timer ends at that
_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAMESPACE_FROM = re.compile(r"(?P<name>[A-Za-z0-9_-]{1,32}) +(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?P<write> +write)?")
_MOUNT = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}){1,8}")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}

# Headers that change with every request, or hold a secret: a fingerprint of them would be useless, or a leak.
_NO_FINGERPRINT = frozenset({"authorization", "cookie", "date", "content-length", "proxy-authorization"})


def items(text: str, setting: str, *, most: int) -> tuple[str, ...]:
    """Split a text at commas and strip white space from each item.

    Raises `SettingsError` for more than `most` items, for an item that comes twice, and for an empty one, because that
    may be a typing error.
    """
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
    signs: whether it signs, or only verifies.
    """

    value: bytes
    signs: bool = True

    def __repr__(self) -> str:
        return f"Secret(signs={self.signs})"


def secrets(text: str, setting: str) -> tuple[Secret, ...]:
    """Read comma-separated secrets, newest first; `verify:` marks those that only verify. Raises `SettingsError`."""
    found = [item.encode("utf-8", "surrogateescape") for item in items(text, setting, most=SECRETS_MAX)]
    return secrets_of_bytes(found, setting)


def secrets_of_bytes(found: Sequence[bytes], setting: str) -> tuple[Secret, ...]:
    """Check secrets that are given as bytes, as `secrets` does those in a text. Raises `SettingsError`."""
    values = strong([one.removeprefix(VERIFIES) for one in found], setting)
    listed = tuple(Secret(value, not one.startswith(VERIFIES)) for one, value in zip(found, values, strict=True))
    if not any(secret.signs for secret in listed):
        raise SettingsError(setting, "only verifies; leave out `verify:` before the secret that signs")
    # Counters and names in the store use the oldest secret: if some workers did not have it yet, counts would be split.
    if not listed[-1].signs:
        raise SettingsError(setting, "ends with a secret that only verifies; list the newest first")
    return listed


class NamespaceFrom(NamedTuple):
    """Attributes:
    namespace: of the service whose old tokens contain no namespace.
    until_s: Unix time until which such tokens are accepted.
    writes: whether such tokens are also issued until then.
    """

    namespace: str
    until_s: int
    writes: bool


def namespace_from(text: str, setting: str) -> NamespaceFrom:
    """Read a namespace, the last day (UTC) on which tokens without a namespace are accepted, and optionally `write`.

    Raises `SettingsError`.
    """
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
    """Check secrets, and return them: all tokens and counters' names depend on them.

    Raises `SettingsError` if one is short, could be guessed, or is listed twice, and for none or too many.
    """
    if not found or len(found) > SECRETS_MAX:
        raise SettingsError(setting, f"wants between one and {SECRETS_MAX} secrets")
    if len(set(found)) < len(found):
        raise SettingsError(setting, "lists the same secret twice")
    for position, secret in enumerate(found, 1):
        which = "" if len(found) == 1 else f"number {position} of {len(found)} secrets (a comma separates them) "
        if len(secret) < SECRET_BYTES_MIN:
            raise SettingsError(setting, f"{which}is shorter than {SECRET_BYTES_MIN} bytes. {HOW_TO_MAKE_A_SECRET}")
        if _is_weak(secret):
            raise SettingsError(setting, f"{which}repeats itself and could be guessed. {HOW_TO_MAKE_A_SECRET}")
    return tuple(found)


def key(text: str, setting: str) -> bytes:
    """Read one secret; it may contain commas. Raises `SettingsError` if it is short or could be guessed."""
    return strong([text.encode("utf-8", "surrogateescape")], setting)[0]


def key_of_bytes(found: Sequence[bytes], setting: str) -> bytes:
    if len(found) != 1:
        raise SettingsError(setting, "is one key, not several")
    return strong(found, setting)[0]


HOW_TO_MAKE_A_SECRET = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"  # noqa: S105 - says how, is none


def _is_weak(secret: bytes) -> bool:
    repeats = (secret + secret).find(secret, 1) < len(secret)  # periodic iff it occurs inside its double
    return repeats or len(set(secret)) < SECRET_SYMBOLS_MIN


def choice(kind: type[Choice], without: Sequence[Choice] = ()) -> Callable[[str, str], Choice]:
    """Return a parser for the values of an enumeration, in any case; it raises `SettingsError` for any other text.

    `without`: members that the setting cannot have.
    """
    members = [member for member in kind if member not in without]

    def parse(text: str, setting: str) -> Choice:
        for member in members:
            if member.value == text.lower():
                return member
        raise SettingsError(setting, "is none of " + ", ".join(str(member.value) for member in members))

    return parse


def boolean(text: str, setting: str) -> bool:
    if (word := text.lower()) in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    # If any other word were true, a misspelt "flase" would invert a protection.
    raise SettingsError(setting, "is neither true, yes, on, 1 nor false, no, off, 0")


def integer(least: int, most: int, unit: str) -> Callable[[str, str], int]:
    """Return a parser for a whole number from `least` to `most`; it raises `SettingsError` for any other text."""

    def parse(text: str, setting: str) -> int:
        if _INTEGER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        raise SettingsError(setting, f"is no whole number of {unit} between {least} and {most}")

    return parse


def decimal(least: float, most: float, unit: str) -> Callable[[str, str], float]:
    """Return a parser for a number from `least` to `most`; it raises `SettingsError` for any other text."""

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
    """Read the path below which the guard's own pages are. Raises `SettingsError` for a path that ends with a slash.

    So `/` is refused: sekisho's pages would hide all pages of the service.
    """
    if _MOUNT.fullmatch(text):
        return text
    raise SettingsError(setting, "wants a path such as /sekisho: it begins with a slash and does not end with one")


def path(text: str, setting: str) -> str:
    """Read a file's path. Raises `SettingsError` if it is not absolute: a server's working directory varies."""
    if text.startswith("/") and "\0" not in text:
        return text
    raise SettingsError(setting, "wants an absolute path, such as /var/lib/sekisho/passwords")


def api(text: str, setting: str) -> str:
    """Read the address of a web API: https, or http on this machine; no path, because joining would drop it.

    Raises `SettingsError`.
    """
    match = _ORIGIN.fullmatch(text.lower().removesuffix("/"))
    if match is None or (match["scheme"] == "http" and not is_loopback(match["host"].strip("[]"))):
        raise SettingsError(setting, "wants an address such as https://api.example (http on 127.0.0.1 alone), no path")
    return match[0]


def cookie(text: str, setting: str) -> str:
    """Read a cookie's name (RFC 6265 section 4.1.1). Raises `SettingsError`."""
    if _TOKEN.fullmatch(text):
        return text
    raise SettingsError(setting, "is no name a cookie can have, such as __Host-sekisho")


def header(text: str, setting: str) -> str:
    """Read a header's name; returned in lower case. Raises `SettingsError` if no header can have this name."""
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
    """Read origins as browsers send them: lower case, without the scheme's default port (RFC 6454 section 6.2).

    Raises `SettingsError`.
    """
    return frozenset(origin_list(text, setting, most=ORIGINS_MAX))


def origin_list(text: str, setting: str, *, most: int) -> tuple[bytes, ...]:
    """Read origins as `origins` does; returned in the order given.

    Raises `SettingsError`, also for more than `most`.
    """
    return tuple(_origin(item, setting) for item in items(text, setting, most=most))


def _origin(item: str, setting: str) -> bytes:
    match = _ORIGIN.fullmatch(item.lower())
    if match is None or int(match["port"] or 0) > 65535:
        # A wildcard, with credentials, would let any site read the answers to its visitors.
        problem = (
            "wants origins such as https://app.example or http://localhost:3000: no path, no slash at the end, no *"
        )
        raise SettingsError(setting, problem)
    scheme, host, port = match["scheme"], match["host"], match["port"]
    suffix = "" if port in {None, _DEFAULT_PORTS[scheme]} else f":{port}"
    return f"{scheme}://{host}{suffix}".encode("ascii")
