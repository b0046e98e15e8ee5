"""What the dearest request of 64 KiB costs to read: `python -m benchmarks.hostile`.

Requests are made of one text, or of two in turn, repeated to 64 KiB, at every place where something is read: query,
form, JSON, multipart, headers, path. Milliseconds are of the processor and depend on the machine; `--counted` runs some
of the dearest under callgrind, whose instructions do not, and which a test holds against the promise of two.
"""

from __future__ import annotations

import argparse
import gzip
import pickle
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import arguments
from benchmarks.callgrind import between_marks, mark
from sekisho.asgi.request_context import presented
from sekisho.model import Unreadable
from sekisho.read import Accounts, Addresses, Callers, Digests, Doors, decoded, read_credentials
from sekisho.read.outcome import from_start
from sekisho.read.request import read_headers
from sekisho.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES = 65_536
SEED = 20_261_128
DOORS = (
    "POST /login form:username,password json:user.email,password success=303!/error; * /files/* basic; "
    "PUT /login json:a,b"
)
TEXTS = (
    b"%&", b"&", b"%", b"+", b"%41", b"%25", b"a&", b"[&", b"&username", b"&username=", b"&%75", b";", b"&;",
    b"&%75%73%65%72%6e%61%6d%65=", b"username[&", b"&_method=PUT", b"=", b"\\u0041", b"\\ud800", b"\\", b'"', b"{",
    b"[", b'{"a":', b"1,", b'"a":1,', b"0", b"-", b"\xef\xb7\xba", b"\xcc\x81\xcc\x96", b"\xc3\xa9", b"%EF%B7%BA",
    b"%CC%81", b",", b" ", b"\t", b"\r\n", b"--b\r\n", b"--b\r\n\r\n\r\n", b"/..", b"/", b"//", b"%2e%2e/", b'for="\\',
    b'"\\\\', b"for=1,", b"1.2.3.4,", b"::,", b"a=b; ", b"; __Host-sekisho=", b"\0", b"\x80", b"AAAA.",
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n',
    b"/%,", b"/home%,", b"/a?,", b"//[,", b"\\u002f", b"%2f%25,", b"/x/..",
)  # fmt: skip

FORM, JSON = b"application/x-www-form-urlencoded", b"application/json"
PART = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n'
BODIES = (
    (FORM, b"", b""),
    (FORM, b"username=", b"&password=x"),
    (FORM, b"username=a&password=", b""),
    (FORM, b"username=a&password=b&", b""),
    (JSON, b"", b""),
    (JSON, b'{"user":{"email":"', b'"},"password":"x"}'),
    (JSON, b'{"user":{"email":"a"},"password":"', b'"}'),
    (JSON, b'{"user":{"email":"a"},"password":"b","c":', b"}"),
    (JSON, b'{"user":{"email":"a"},"password":"b","c":[', b"1]}"),
    (JSON, b'{"user":{"email":"a"},"password":"b","c":"', b'"}'),
    (b"multipart/form-data; boundary=b", b"", b""),
    (b"multipart/form-data; boundary=b", PART, b"\r\n--b--"),
    (b"multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="', b'"\r\n\r\nx\r\n--b--'),
)
HEADERS = (
    b"cookie", b"x-forwarded-for", b"forwarded", b"content-type", b"user-agent", b"sekisho-device",
    b"x-http-method-override", b"content-length", b"content-encoding", b"referer",
)  # fmt: skip

LOGGED_IN = [(b"location", b"/home"), (b"set-cookie", b"session=s; HttpOnly; Secure; Path=/")]


class Case(NamedTuple):
    """A request; `name` says what it is made of."""

    name: str
    scope: dict[str, Any]
    body: bytes


class Reader:
    """All that reads a request at a door, and its answer, as the middleware has it."""

    def __init__(self) -> None:
        settings = load({}, {"secret": bytes(range(40)), "login": DOORS, "trusted_proxies": "10.0.0.0/8"})
        digests = Digests(settings.secrets)
        self._doors = Doors(settings.doors)
        self._callers = [
            Callers(Addresses(settings.trusted_proxies, header, settings.device_headers), digests)
            for header in ("forwarded", "x-forwarded-for")
        ]
        self._accounts = Accounts()

    def read(self, case: Case) -> str:
        """What it came to: `read`, or the reason of the refusal."""
        try:
            return self._read(dict(case.scope), case.body)
        except Unreadable as error:
            return error.reason

    def _read(self, scope: dict[str, Any], raw: bytes) -> str:
        request, by_name = read_headers(scope)
        door = self._doors.find(request)
        for callers in self._callers:
            callers.read(request, by_name)
        presented(by_name, b"__Host-sekisho=")
        if door is None:
            return "no door"
        body = decoded(request["headers"], raw, BYTES) if b"content-encoding" in by_name else raw
        found = read_credentials(door, request, body, raw=raw, by_name=by_name)
        if found is not None and found.account:
            self._accounts.limit_key(self._accounts.canonical(found.account))
        # With an account of its own an attacker is logged in, and the request is searched for the page that follows.
        from_start(door, 303, LOGGED_IN, request, raw)
        return "read"


def cases(texts: tuple[bytes, ...] = TEXTS) -> Iterator[Case]:
    """Each text at each place."""
    for text in texts:
        filled = _filled(text, BYTES)
        for method in ("POST", "GET", "PUT"):
            yield _case(f"{method} query", text, b"username=a&password=b", method=method, query_string=filled)
        for kind, before, after in BODIES:
            body = before + _filled(text, BYTES - len(before) - len(after)) + after
            yield _case(f"{kind.decode()[:20]} {before.decode()[-20:]}", text, body, kind)
        yield _case("gzip", text, gzip.compress(filled), JSON, headers=[(b"content-encoding", b"gzip")])
        for name in HEADERS:
            yield _case(name.decode(), text, b"username=a&password=b", headers=[(name, filled)])
        yield _case("basic", text, b"", headers=[(b"authorization", b"Basic " + filled)], path="/files/x")
        yield _case("path", text, b"", path="/" + filled.decode("latin-1"), raw_path=b"/" + filled)
        many = [(b"x-%d" % n, text) for n in range(500)] + [(b"forwarded", text), (b"cookie", text)] * 250
        yield _case("many headers", text, b"", headers=many)


def mixtures(amount: int, seed: int = SEED) -> tuple[bytes, ...]:
    """Two texts in turn, so many times each."""
    chance = random.Random(seed)
    return tuple(
        chance.choice(TEXTS) * chance.randrange(1, 4) + chance.choice(TEXTS) * chance.randrange(1, 4)
        for _ in range(amount)
    )


def _filled(text: bytes, size: int) -> bytes:
    return (text * (size // len(text) + 1))[:size]


def _case(place: str, text: bytes, body: bytes, kind: bytes = FORM, **more: Any) -> Case:
    headers = [(b"host", b"x"), *more.pop("headers", [])]
    if all(name != b"content-type" for name, _ in headers):
        headers.append((b"content-type", kind))
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "raw_path": None,
        "query_string": b"",
        "root_path": "",
    }
    scope |= {"headers": headers, "client": ("10.0.0.1", 1), **more}
    return Case(f"{place}: {text[:24]!r}", scope, body)


def timed(reader: Reader, case: Case) -> float:
    """Milliseconds, the better of three."""
    found = []
    for _ in range(3):
        began = time.process_time()
        reader.read(case)
        found.append(time.process_time() - began)
    return min(found) * 1e3


def chosen() -> list[Case]:
    """The counted texts: one that once cost 130 ms in each place, other costly ones, and some random ones."""
    chance, dear = random.Random(SEED), (b"+", b"%", b"&_method=PUT", b"1,", b'"', b"\xcc\x81\xcc\x96", b"\xef\xb7\xba")
    first, *others = cases((b"%&",))
    by_chance = [*cases(mixtures(20))]
    return [first, *chance.sample(others, 9), *chance.sample([*cases(dear)], 14), *chance.sample(by_chance, 6)]


def counted() -> dict[str, int]:
    """Instructions of each of the chosen cases, by name."""
    every = chosen()
    with tempfile.NamedTemporaryFile() as file:
        # Made here: to put them together under callgrind would take minutes.
        Path(file.name).write_bytes(pickle.dumps([tuple(case) for case in every]))
        totals, _ = between_marks("benchmarks.hostile", "--inside", file.name)
    # The first is what came before, then one each.
    return {case.name: spent for case, spent in zip(every, totals[1 : len(every) + 1], strict=True)}


def _inside(path: str) -> None:
    reader, every = Reader(), [Case(*each) for each in pickle.loads(Path(path).read_bytes())]
    reader.read(every[0])  # patterns and tables are made once
    mark()
    for case in every:
        reader.read(case)
        mark()


def main() -> None:
    parser = arguments.parser(__doc__, quick="")
    parser.add_argument("--counted", action="store_true", help="instructions under callgrind, of the dearest kinds")
    parser.add_argument("--mixtures", type=int, default=50, help="how many texts are put together by chance")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return _inside(options.inside)
    if options.counted:
        dearest = sorted(counted().items(), key=lambda item: -item[1])
        print(*(f"{total:>12,} {name}" for name, total in dearest[:20]), sep="\n")
        return None
    reader = Reader()
    found = sorted(((timed(reader, case), case.name) for case in _all(options.mixtures)), reverse=True)
    print(*(f"{spent:8.2f} ms  {name}" for spent, name in found[:20]), sep="\n")
    return None


def _all(amount: int) -> Iterator[Case]:
    yield from cases()
    yield from cases(mixtures(amount))


if __name__ == "__main__":
    main()
