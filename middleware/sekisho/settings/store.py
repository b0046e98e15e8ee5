"""The store's URL, checked before anybody connects: what fails at start is mended at noon, not at midnight."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sekisho.model import SettingsError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

MEMORY = "memory://"
_TCP = frozenset({"redis", "rediss"})
_UNIX = frozenset({"unix", "redis+unix"})
_LATER = frozenset({"redis+sentinel", "redis+cluster"})
_POSSIBLE = "possible are memory://, redis://host:6379/0, rediss://host:6380/0 and redis+unix:///path/to/socket"

_VISIBLE = re.compile(r"[!-~]{1,2048}")
_DATABASE = re.compile(r"/?|/[0-9]{1,4}")
# What redis-py would take as keywords: whatever else stands in a query would fail in the middle of the first log-in.
_OPTIONS = frozenset(
    {"db", "username", "password", "client_name", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}
)


def store(text: str, setting: str) -> str:
    """Check a store's URL and return it unchanged. Raises `SettingsError`, which never holds any of it."""
    problem = _problem(text.partition("://")[0], text)
    if problem:
        raise SettingsError(setting, problem)
    return text


def _problem(scheme: str, text: str) -> str:
    if scheme in _LATER:
        return f"names a kind of store that is not in this version; {_POSSIBLE}"
    if scheme not in _TCP | _UNIX:
        return "" if text == MEMORY else f"names no kind of store that sekisho knows; {_POSSIBLE}"
    url = _split(text)
    if url is None:
        return f"is no URL. In a password, write @ : / # ? and % as %40 %3A %2F %23 %3F and %25; {_POSSIBLE}"
    return _place_problem(url) or _option_problem(url)


def _place_problem(url: SplitResult) -> str:
    if url.scheme in _TCP and not (url.hostname and _DATABASE.fullmatch(url.path)):
        return f"wants a host, and after it at most a database number; {_POSSIBLE}"
    if url.scheme in _UNIX and (url.path in {"", "/"} or url.hostname):
        return f"wants the absolute path of a socket; {_POSSIBLE}"
    return ""


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        usable = bool(_VISIBLE.fullmatch(text)) and "://" in text and not url.fragment and url.port != 0
    except ValueError:  # its text may repeat a part of the URL, so it must not travel further
        return None
    return url if usable else None


def _option_problem(url: SplitResult) -> str:
    options = parse_qsl(url.query, keep_blank_values=True)
    if not _OPTIONS.issuperset(name for name, _ in options):
        return "has an option that sekisho does not pass on; possible are " + ", ".join(sorted(_OPTIONS))
    if len({name for name, _ in options}) < len(options):
        return "has the same option twice"
    if not all(value.isascii() and value.isdigit() for name, value in options if name == "db"):
        return "has a database that is no number"
    return ""


def is_unverified(url: str) -> bool:
    """Whether TLS is asked for but the server's certificate is not checked."""
    return any(name == "ssl_cert_reqs" and value != "required" for name, value in parse_qsl(urlsplit(url).query))
