"""Unusual requests (targets, methods, headers, bodies), generated from a seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from tests.matrix.apps import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

METHODS = ("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "post", "put", "TRACE", "LOGIN")
FORM = "application/x-www-form-urlencoded"
BASIC = "Basic aGFuYTpndWVzcw=="  # hana:guess
AUTHORIZATIONS = (*[BASIC] * 5, f"  {BASIC}", f"\xa0{BASIC}", f"x {BASIC}", f"\t\x85{BASIC}", f"Bearer x, {BASIC}")
PLACES = (
    *("login", "login/acme", "recovery/hana", "recovery/h%C3%A1na", "both", "files/a", "files/../login"),
    *("pay", "payout/list", "payout/7/confirm", "payout/../pay", ""),
)
QUERIES = ("", "", "", "next=/", "username=hana", "username=decoy", "_method=POST", "password=x", "username=hana;a=1")
BODIES = (
    b"username=hana&password=guess",
    b"username=hana&password=guess",
    b"",
    b"password=guess&username=decoy;username=hana",
    b"username=hana&password=guess&_method=PUT",
    b"user%6eame=hana&password=gu%65ss",
    b"username=decoy&password=guess&user=hana&token=7",
    b"user=hana&token=7&_method=put",
    b"username=hana&password=guess&%5fmethod=POST",
)


class Sent(NamedTuple):
    """A request as a client would send it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    chunked: bool
    socket: bool = False


def requests(seed: int, number: int, root: str, *, mounted: bool) -> list[Sent]:
    """So many requests, the same for a seed. The first are plain ones."""
    chance = random.Random(seed)
    prefix = root + (PREFIX if mounted else "")
    return [_request(chance, prefix, root) for _ in range(number)]


def _request(chance: random.Random, prefix: str, root: str) -> Sent:
    path = _path(chance, chance.choice([prefix, prefix, prefix, root, "", prefix + root]), chance.choice(PLACES))
    query = chance.choice(QUERIES)
    target = _target(chance, path) + (f"?{query}" if query else "")
    headers = [("Content-Type", FORM)]
    if "files" in target or chance.random() < 0.1:
        headers.append(("Authorization", chance.choice(AUTHORIZATIONS)))
    if chance.random() < 0.15:
        name = chance.choice(["X-HTTP-Method-Override", "x_http_method_override", "X-Method-Override", "X-HTTP-Method"])
        headers.append((name, chance.choice(METHODS)))
    headers = [(name.lower() if chance.random() < 0.5 else name, value) for name, value in headers]
    if chance.random() < 0.1:
        return handshake(target, headers)
    return Sent(
        chance.choice(METHODS + ("POST", "GET") * 4),
        target,
        tuple(headers),
        chance.choice(BODIES),
        chance.random() < 0.2,
    )


def handshake(target: str, headers: Iterable[tuple[str, str]] = ()) -> Sent:
    """A request for a WebSocket."""
    return Sent("GET", target, tuple(headers), b"", chunked=False, socket=True)


def _path(chance: random.Random, prefix: str, place: str) -> str:
    """A path, altered in up to three ways."""
    slash = chance.choice(["/"] * 12 + ["", "//", "/./", "/x/../", "/%2e%2e/", "%2f", "/%2e/", "/x%2f..%2f"])
    path = prefix + slash + place
    for _ in range(chance.choice([0, 0, 0, 1, 1, 1, 2, 3])):
        path = chance.choice(_BENDS)(chance, path)
    return path


def _escaped(chance: random.Random, path: str) -> str:
    at = chance.randrange(len(path)) if path else 0
    return path[:at] + "".join(f"%{ord(one):02x}" for one in path[at : at + 1]) + path[at + 1 :]


def _upper(chance: random.Random, path: str) -> str:
    at = chance.randrange(len(path) + 1)
    return path[:at] + path[at:].upper().replace("%2E", "%2e")


def _ended(chance: random.Random, path: str) -> str:
    ends = [
        "/",
        "//",
        "%0a",
        "%20",
        "#",
        "#a",
        "%23a",
        ";a",
        "%3Ba",
        "%3Fa",
        "/.",
        "/x/..",
        "%00",
        ".",
        "\\",
        "%5c",
        "%09",
    ]
    return path + chance.choice(ends)


def _doubled(chance: random.Random, path: str) -> str:
    slashes = [at for at, one in enumerate(path) if one == "/"]
    at = chance.choice(slashes) if slashes else 0
    return path[:at] + chance.choice(["/", "/.", "/x/..", "%2f", "/../"]) + path[at:]


def _inserted(chance: random.Random, path: str) -> str:
    at = chance.randrange(len(path) + 1)
    return path[:at] + chance.choice(["%09", "%0d", "%2509", "%20", "%c4%b1", "%e2%84%aa", "%ff"]) + path[at:]


def _twice(_: random.Random, path: str) -> str:
    return path.replace("%", "%25")


_BENDS = (_escaped, _escaped, _upper, _ended, _ended, _doubled, _inserted, _twice)


def _target(chance: random.Random, path: str) -> str:
    starts = [*[""] * 10, "http://x", "HTTP://x:80", "https://u:p@x", "x:", "http:", "http:/", "//x", ".", "..",
              "/http://x", "http://x/..", "%68ttp://x"]  # fmt: skip
    target = chance.choice(starts) + path
    if chance.random() < 0.15:
        target = target.lstrip("/")
    return target or "/"
