"""One ordinary attempt and everything that reads it, made as the settings make them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks import login_post
from sekisho.model import Attempt
from sekisho.read import Accounts, Addresses, Digests, Doors, read_credentials
from sekisho.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.model import Charge

SETTINGS = load({"SEKISHO_TRUSTED_PROXIES": "127.0.0.0/8"}, ephemeral_secret=bytes(32))
DOORS = Doors(SETTINGS.doors)
ADDRESSES = Addresses(SETTINGS.trusted_proxies, SETTINGS.client_ip_header, SETTINGS.device_headers)
ACCOUNTS = Accounts()
DIGESTS = Digests(SETTINGS.secrets)
AGENT = login_post.AGENT.encode()
FORM = b"username=user0000001%40mail.example&password=wrong0000001"
JSON = b'{"username": "user0000001@mail.example", "password": "wrong0000001"}'


def scope(content_type: bytes, *, address: bytes = b"198.51.100.7") -> dict[str, Any]:
    """What a server hands on for a browser's log-in behind one proxy."""
    headers = [
        (b"host", b"shop.example"),
        (b"user-agent", AGENT),
        (b"accept", b"text/html,application/xhtml+xml"),
        (b"accept-language", b"ja,en;q=0.8"),
        (b"content-type", content_type),
        (b"x-forwarded-for", address),
        (b"content-length", b"58"),
    ]
    return {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 50000),
        "headers": headers,
    }


def attempt() -> Attempt:
    """The form attempt, read."""
    here = scope(b"application/x-www-form-urlencoded")
    door = DOORS.find(here)
    if door is None or not (credentials := read_credentials(door, here, FORM)):
        raise RuntimeError("the sample is no attempt at the default door")
    account = ACCOUNTS.canonical(credentials.account)
    return Attempt(door, ADDRESSES.read(here), credentials.account, account, credentials.secret)


def charges() -> Callable[[], Charge]:
    """A source of charges in which nothing repeats: address, network, account and secret are new each time."""
    first, numbers = attempt(), count()

    def fresh() -> Charge:
        number = next(numbers)
        network = number.to_bytes(3)
        origin = first.origin._replace(prefixes=(network + b"\1\x20", network + b"\0\x18"))
        one = first._replace(origin=origin, canonical=f"user{number}", secret=f"wrong{number}")
        return DIGESTS.charge(one)

    return fresh
