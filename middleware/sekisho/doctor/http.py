"""One request to a running service over http or https: no redirects, no cookies, bounded in time and size."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from sekisho.model import SettingsError
from sekisho.settings.urls import is_loopback

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

ANSWER_S: Final = 10.0
BODY_BYTES_MAX: Final = 65_536


class Reply(NamedTuple):
    """A whole answer.

    Attributes:
        headers: with lower-case names.
        is_near: whether the connection led to this machine.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_near: bool = False

    def values(self, name: str) -> list[str]:
        """The values of a header, one for each of its lines."""
        return [value for key, value in self.headers if key == name]


class ServiceAddress(NamedTuple):
    """The address of a service. `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


if TYPE_CHECKING:
    Fetch = Callable[[ServiceAddress, str, str, Mapping[str, str]], Reply]
    """Site, method, path and headers to a reply; raises `OSError` or `http.client.HTTPException`."""


def site_of(url: str) -> ServiceAddress:
    """Read an address such as `https://shop.example`. Raises `SettingsError`, which does not repeat it."""
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("--url", "wants the service's address, such as https://shop.example")
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError("--url", "wants an address without a user, a query and a fragment")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return ServiceAddress(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:  # its text repeats a part of the address
        return None
    return parts if usable else None


def fetch(
    site: ServiceAddress, method: str, path: str, headers: Mapping[str, str], *, answer_s: float = ANSWER_S
) -> Reply:
    """Send one request, and return the answer: at most 64 KiB of its body, and no redirect followed.

    `answer_s`: the longest wait for the connection, and for each part of the answer, in seconds.

    Raises `OSError` or `http.client.HTTPException`.
    """
    connection = _connection(site, answer_s)
    try:
        connection.connect()
        is_near = _is_near(connection.sock)
        connection.request(method, site.path + path, headers={"Accept": "*/*", **headers})
        answer = connection.getresponse()
        named = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Reply(answer.status, named, answer.read(BODY_BYTES_MAX), is_near)
    finally:
        connection.close()


def _is_near(connected: socket.socket) -> bool:
    """Whether a connection leads to this machine: to a loopback address, or both of its ends have the same one."""
    own, other = connected.getsockname()[0], connected.getpeername()[0]
    return own == other or is_loopback(other)


def _connection(site: ServiceAddress, answer_s: float) -> http.client.HTTPConnection:
    if site.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(site.host, site.port, timeout=answer_s, context=context)
    return http.client.HTTPConnection(site.host, site.port, timeout=answer_s)
