"""Check the store's URL at start, before connecting: a mistake must not first appear at a log-in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from sekisho.model import SettingsError
from sekisho.settings.urls import VISIBLE, split_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import SplitResult

MEMORY = "memory://"
CLUSTER = frozenset({"redis+cluster", "rediss+cluster"})
SENTINEL = frozenset({"redis+sentinel", "rediss+sentinel"})
_TCP = frozenset({"redis", "rediss"})
_UNIX = frozenset({"unix", "redis+unix"})
_POSSIBLE = (
    "possible are memory://, redis://host:6379/0, rediss://host:6380/0, redis+unix:///path/to/socket, "
    "redis+sentinel://host:26379,host:26379/service and redis+cluster://host:6379,host:6379"
)

_DATABASE = re.compile(r"/?|/[0-9]{1,4}")
_SERVICE = re.compile(r"/[A-Za-z0-9._-]{1,128}")
_SEVERAL = re.compile(
    r"(?P<scheme>[a-z+]+)://((?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(:(?P<port>[0-9]{1,5}))?")
_PORTS = {**dict.fromkeys(SENTINEL, 26_379), **dict.fromkeys(CLUSTER, 6_379)}
_HOSTS_MAX = 64

# The keywords that redis-py accepts: any other option in a query would fail during the first log-in.
_OPTIONS = frozenset(
    {"db", "username", "password", "client_name", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"}
)
_SENTINELS_OWN = frozenset({"sentinel_username", "sentinel_password"})


class Several(NamedTuple):
    """A store of several servers, parsed from its URL.

    Attributes:
        scheme: one of `CLUSTER` or `SENTINEL`.
        user: `name:password` as in the URL, encoded, or empty.
        hosts: host and port of each Sentinel, or of some nodes of the Cluster.
        service: the service's name at the Sentinels; empty for a Cluster.
        options: from the query, decoded.
    """

    scheme: str
    user: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    options: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, url: str) -> Several:
        """Parse a URL that `store` has accepted. Raises `ValueError` for other text."""
        found = _several(url)
        if found is None:
            raise ValueError("no store of several servers")
        return found

    def server_url(self, host: str, port: int) -> str:
        """The URL of one data server, for redis-py."""
        return self._url(host, port, self.user, [each for each in self.options if each[0] not in _SENTINELS_OWN])

    def sentinel_url(self, host: str, port: int) -> str:
        """The URL of one Sentinel, for redis-py. Sentinels have their own users, and no databases."""
        own = dict(self.options)
        user = ":".join(quote(own.get(name, ""), safe="") for name in ("sentinel_username", "sentinel_password"))
        return self._url(host, port, user.strip(":") and user, [each for each in self.options if each[0][:4] == "ssl_"])

    def _url(self, host: str, port: int, user: str, options: list[tuple[str, str]]) -> str:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        query = f"?{urlencode(options)}" if options else ""
        return f"{self.scheme.partition('+')[0]}://{user}{'@' if user else ''}{place}/{query}"


def store(text: str, setting: str) -> str:
    """Check a store's URL and return it unchanged. Raises `SettingsError`, which contains no part of it."""
    problem = _problem(text.partition("://")[0], text)
    if problem:
        raise SettingsError(setting, problem)
    return text


def _problem(scheme: str, text: str) -> str:
    if scheme in CLUSTER | SENTINEL:
        return _several_problem(scheme, text)
    if scheme not in _TCP | _UNIX:
        return "" if text == MEMORY else f"names no kind of store that sekisho knows; {_POSSIBLE}"
    url = split_url(text)
    if url is None:
        return f"is no URL. In a password, write @ : / # ? and % as %40 %3A %2F %23 %3F and %25; {_POSSIBLE}"
    return _place_problem(url) or _option_problem(parse_qsl(url.query, keep_blank_values=True), _OPTIONS)


def _place_problem(url: SplitResult) -> str:
    if url.scheme in _TCP and not (url.hostname and _DATABASE.fullmatch(url.path)):
        return f"wants a host, and after it at most a database number; {_POSSIBLE}"
    if url.scheme in _UNIX and (url.path in {"", "/"} or url.hostname):
        return f"wants the absolute path of a socket; {_POSSIBLE}"
    return ""


def _several_problem(scheme: str, text: str) -> str:
    found = _several(text)
    if found is None and scheme in CLUSTER:
        return f"wants hosts with commas between them, and no database: a Cluster has one; {_POSSIBLE}"
    if found is None:
        return f"wants hosts with commas between them, then / and the service's name at Sentinel; {_POSSIBLE}"
    # A Cluster has no numbered databases; a URL with one means another server.
    known = _OPTIONS - {"db"} if scheme in CLUSTER else _OPTIONS | _SENTINELS_OWN
    return _option_problem(found.options, known)


def _several(text: str) -> Several | None:
    # `urlsplit` would read the commas as a part of one host's name.
    url = _SEVERAL.fullmatch(text) if VISIBLE.fullmatch(text) else None
    if url is None or (scheme := url["scheme"]) not in _PORTS:
        return None
    hosts = [_host(each, _PORTS[scheme]) for each in url["hosts"].split(",")]
    path = url["path"] or ""
    if not all(hosts) or len(hosts) > _HOSTS_MAX:
        return None
    if not (_SERVICE.fullmatch(path) if scheme in SENTINEL else path in {"", "/"}):
        return None
    options = parse_qsl(url["query"] or "", keep_blank_values=True)
    return Several(scheme, url["user"] or "", tuple(filter(None, hosts)), path[1:], tuple(options))


def _host(text: str, port: int) -> tuple[str, int] | None:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found["port"] or port) < 2**16:
        return None
    return found["six"] or found["name"], int(found["port"] or port)


def _option_problem(options: Iterable[tuple[str, str]], known: frozenset[str]) -> str:
    given = list(options)
    if not known.issuperset(name for name, _ in given):
        return "has an option that sekisho does not pass on; possible are " + ", ".join(sorted(known))
    if len({name for name, _ in given}) < len(given):
        return "has the same option twice"
    if not all(value.isascii() and value.isdigit() for name, value in given if name == "db"):
        return "has a database that is no number"
    return ""


def is_unverified(url: str) -> bool:
    """Whether the URL disables the check of the server's TLS certificate."""
    options = parse_qsl(url.partition("?")[2])
    return any(name == "ssl_cert_reqs" and value != "required" for name, value in options)
