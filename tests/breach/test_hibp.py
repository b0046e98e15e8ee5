"""Have I Been Pwned over real sockets: a right answer or *unknown*, in time; five hex digits leave the process."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import sys
import threading
import time
import tracemalloc
import urllib.request
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest
from pwnedpasswords import pwnedpasswords as library  # type: ignore[import-untyped] # it has no types

from sekisho.breach.hibp import Hibp, HibpLimits
from sekisho.breach.hibp_protocol import _Bounds
from tests.breach import hibp_server as manner
from tests.breach.hibp_server import RangeApi, range_api
from tests.breach.ranges import Ranges, digest
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any

pytestmark = pytest.mark.usefixtures("direct")

PASSWORD = "password"  # its SHA-1 begins with 5BAA6, which no address of an object does
PREFIX = "5BAA6"
COUNT = 52_372_427  # as the service had it once: beyond a row's bound
PATIENCE_S = 20  # where a right answer is awaited on a shared machine
SHORT_S = 0.3


class Asked:
    """A client, its clock, and its messages about the service."""

    def __init__(self, url: str, limits: HibpLimits) -> None:
        self.now = 1_000.0
        self.turns: list[bool] = []
        self._before = set(_threads())
        self.hibp = Hibp(url=url, limits=limits, clock_s=lambda: self.now, on_change=self.turns.append)

    async def seen(self, password: str, *, wait_s: float = PATIENCE_S) -> int | None:
        return await self.hibp.seen(digest(password), wait_s=wait_s)

    @property
    def threads(self) -> list[threading.Thread]:
        return [thread for thread in _threads() if thread not in self._before]

    async def ended(self) -> None:
        """Wait until no call is under way."""
        for thread in self.threads:
            await asyncio.to_thread(thread.join, PATIENCE_S)
            assert not thread.is_alive()


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sekisho hibp"]


@asynccontextmanager
async def asking(api: RangeApi | str, **limits: Any) -> AsyncIterator[Asked]:
    """A patient client by default, with a breaker that does not interfere."""
    url = api if isinstance(api, str) else api.url
    asked = Asked(url, HibpLimits(**{"call_s": PATIENCE_S, "failures_max": 1_000, **limits}))
    try:
        yield asked
    finally:
        await asked.hibp.aclose()


def leaked(**passwords: int) -> Ranges:
    ranges = Ranges()
    for password, count in {PASSWORD: COUNT, **passwords}.items():
        ranges.plant(password, count)
    return ranges


def absent_beside(password: str) -> bytes:
    """The digest of an unleaked password in the same range."""
    return digest(password)[:3] + bytes(17)


def in_five_digits(password: str) -> str:
    return digest(password).hex().upper()[:5]


# Right answers.

RIGHT = [manner.whole, manner.whole_in_chunks, manner.small_letters, manner.from_a_file, manner.with_a_mark]


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.__name__)
async def test_a_leaked_password_has_its_count_and_another_none(answer: manner.Answer) -> None:
    """A leaked password has its count and another none, in any framing, case and line end."""
    async with range_api(leaked(hunter2=17), answer) as api, asking(api) as asked:
        assert await asked.seen("hunter2") == 17
        assert await asked.seen(PASSWORD) == 2**24 - 1
        assert await asked.seen("never seen anywhere") == 0


async def test_padding_is_asked_for_and_is_not_a_leak() -> None:
    """Padding is asked for, and a row with a count of 0 is no leak."""
    ranges = leaked(hunter2=17)
    prefix = in_five_digits("hunter2")
    padding = [row.suffix for row in ranges.rows(prefix, padding=500) if row.seen == 0]
    assert len(padding) == 500
    async with range_api(ranges, padding=500) as api, asking(api) as asked:
        assert await asked.seen("hunter2") == 17
        for suffix in padding[:20]:
            assert await asked.hibp.seen(bytes.fromhex(prefix + suffix)) == 0
        assert b"\r\nAdd-Padding: true\r\n" in api.requests[0]


async def test_a_mirror_may_live_under_a_path() -> None:
    """A mirror may be under a path, such as a folder of files on a web server."""
    async with range_api(leaked()) as api, asking(f"{api.url}/hibp/mirror/") as asked:
        assert await asked.seen(PASSWORD)
        assert api.requests[0].startswith(b"GET /hibp/mirror/range/5BAA6 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://mirror.example",
        "https://",
        "https://me:hunter2@mirror.example",
        "https://mirror.example:hunter2",
        "https://mirror.example?key=hunter2",
        "https://[hunter2]",
    ],
)
async def test_an_address_that_makes_no_sense_is_refused_and_not_repeated(url: str) -> None:
    """A wrong address is refused without repeating it: a password in it would be logged at each start."""
    with pytest.raises(ValueError, match=r"^the range API's URL must be http\(s\)://host\[:port\]\[/path\]$"):
        Hibp(url=url, clock_s=time.monotonic)


# Sent bytes.


def _request(api: RangeApi, prefix: str) -> bytes:
    """Every byte that a question may send."""
    return (
        f"GET /range/{prefix} HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: {api.url.removeprefix('http://')}\r\n"
        "User-Agent: pwnedpasswords (Python)\r\nAdd-Padding: true\r\nConnection: close\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8",
        "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8 and more, which the library would have sent unhashed",
        "関所",
        "",
    ],
)
@pytest.mark.parametrize("answer", [manner.whole, manner.reset], ids=["answered", "reset"])
async def test_exactly_five_hex_digits_leave_the_process(password: str, answer: manner.Answer) -> None:
    """All sent bytes are known beforehand except five hex digits, even for a password that looks like a digest."""
    async with range_api(leaked(), answer) as api, asking(api) as asked:
        await asked.seen(password)
        await asked.ended()
    assert [_request(api, in_five_digits(password))] == [bytes(request) for request in api.requests]


async def test_a_redirect_is_not_followed() -> None:
    """A redirect is not followed: a man in the middle must not choose whom we ask."""
    async with range_api(leaked()) as elsewhere, range_api(leaked()) as api, asking(api) as asked:
        for line in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"):
            api.answer = manner.status(line, f"Location: {elsewhere.url}/range/{PREFIX}\r\n")
            assert await asked.seen(PASSWORD) is None
        assert api.prefixes == [PREFIX] * 5
        assert elsewhere.requests == []


async def test_a_proxy_of_the_environment_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is used, as by the library, and learns five digits where there is no TLS."""
    async with range_api(leaked()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with asking("http://mirror.example") as asked:
            assert await asked.seen(PASSWORD)
        first = _request(proxy, PREFIX).replace(b"GET ", b"GET http://mirror.example")
        assert [first.replace(proxy.url[7:].encode(), b"mirror.example")] == [bytes(one) for one in proxy.requests]


async def test_nothing_of_a_question_reaches_a_log_a_stream_or_a_repr(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part of a question reaches a log, stream or `repr`, with all loggers verbose and through all failures."""
    secret = "Tr0ub4dor&4"
    full = digest(secret).hex()
    caplog.set_level(1)
    caplog.set_level(1, library.logger.name)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    async with range_api(Ranges()) as api, asking(api, call_s=SHORT_S, failures_max=2, pause_s_min=0) as asked:
        for answer in (manner.garbage, manner.reset, manner.silence, manner.status("500 Oh"), manner.whole):
            api.answer = answer
            asked.now += 100_000
            await asked.seen(secret)
            await asked.ended()
        shown = repr(asked.hibp)
    loop.set_debug(False)
    assert asked.turns == [False, True]
    assert sum(record.name == "sekisho.breach" for record in caplog.records) == 2
    words = [secret, rf"\b{full[:5]}\b", full[:10], full[5:15], rf"\b{int(full[:5], 16)}\b"]
    assert not re.search("|".join(words), "\n".join([caplog.text, *capfd.readouterr(), shown]), re.IGNORECASE)


async def test_the_library_stays_as_it_is_for_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's address, opener and logger level stay unchanged for the application."""
    monkeypatch.setattr("urllib.request._opener", None)  # other tests may have opened one
    url, level = library.PwnedPasswordsAPI.url, library.logger.level
    library.logger.setLevel(7)
    try:
        async with range_api(leaked()) as api, asking(api) as asked:
            assert await asked.seen(PASSWORD)
        assert library.logger.level == 7
        assert library.PwnedPasswordsAPI.url is url
        assert library.urllib.request is urllib.request
        assert urllib.request._opener is None  # where `install_opener` would put one
    finally:
        library.logger.setLevel(level)


# Failures.

BROKEN = [
    manner.without_an_end,
    manner.cut_short,
    manner.cut_short_in_chunks,
    manner.cut_short_in_a_chunk,
    manner.cut_short_after_a_row,
    manner.a_part,
    manner.few_rows,
    manner.nothing,
    manner.padding_alone,
    manner.a_page,
    manner.garbage,
    manner.one_bad_row,
    manner.odd_numbers,
    manner.no_http,
    manner.hang_up,
    manner.reset,
]
ENDLESS = [
    manner.without_end_in_sight,
    manner.a_promise_too_large,
    manner.a_chunk_too_large,
    manner.headers_without_end,
]
REFUSED = ["204 No Content", "400 Bad Request", "403 Forbidden", "404 Not Found", "429 Slow Down", "500 Oh", "503 Busy"]
SLOW = [manner.silence, manner.silence_after_headers, manner.drip, manner.drip_of_body]


async def _unknown(asked: Asked) -> bool:
    """Whether a leaked and an unleaked password of one range are both unknown."""
    digests = digest(PASSWORD), absent_beside(PASSWORD)
    return await asyncio.gather(*(asked.hibp.seen(each, wait_s=PATIENCE_S) for each in digests)) == [None, None]


@pytest.mark.parametrize("answer", [*BROKEN, *ENDLESS], ids=lambda answer: answer.__name__)
async def test_what_cannot_be_believed_is_unknown_and_never_clean(answer: manner.Answer) -> None:
    """A broken answer means *unknown* for every password, and is not cached."""
    async with range_api(leaked(), answer) as api, asking(api) as asked:
        assert await _unknown(asked)
        api.answer = manner.whole
        assert await asked.seen(PASSWORD)
        assert await asked.hibp.seen(absent_beside(PASSWORD)) == 0


@pytest.mark.parametrize("answer", ENDLESS, ids=lambda answer: answer.__name__)
async def test_an_answer_without_end_takes_no_more_room_than_the_bound(answer: manner.Answer) -> None:
    """An endless answer is given up at the size bound, before the deadline."""
    async with range_api(leaked(), answer) as api, asking(api, answer_bytes_max=200_000) as asked:
        start = asyncio.get_running_loop().time()
        tracemalloc.start()
        try:
            assert await _unknown(asked)
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()
        assert asyncio.get_running_loop().time() - start < PATIENCE_S / 2


@pytest.mark.parametrize("line", REFUSED)
async def test_any_status_but_200_is_unknown(line: str) -> None:
    """Any status except 200 means *unknown*, with any body: the service has no 404, and a mirror with one is
    incomplete.
    """
    async with range_api(leaked(), manner.status(line)) as api, asking(api) as asked:
        assert await _unknown(asked)


@pytest.mark.parametrize("answer", SLOW, ids=lambda answer: answer.__name__)
async def test_a_slow_service_holds_neither_caller_nor_thread(answer: manner.Answer) -> None:
    """The deadline covers all reads: a byte every 5 ms ends as silence does."""
    async with range_api(leaked(), answer) as api, asking(api, call_s=SHORT_S) as asked:
        start = asyncio.get_running_loop().time()
        assert await _unknown(asked)
        await asked.ended()
        # A drip takes minutes, silence lasts for ever; the limit leaves room for a busy machine.
        assert asyncio.get_running_loop().time() - start < SHORT_S + PATIENCE_S


@pytest.mark.parametrize("answer", SLOW, ids=lambda answer: answer.__name__)
async def test_a_caller_waits_for_no_longer_than_he_said(answer: manner.Answer) -> None:
    """A caller waits no longer than it asked, however long the call takes."""
    async with range_api(leaked(), answer) as api, asking(api, call_s=PATIENCE_S) as asked:
        start = asyncio.get_running_loop().time()
        assert await asked.seen(PASSWORD, wait_s=0.05) is None
        assert asyncio.get_running_loop().time() - start < PATIENCE_S


async def test_a_service_that_is_down_is_unknown() -> None:
    """A service that is down means *unknown*."""
    async with range_api(leaked()) as api:
        pass
    async with asking(api) as asked:
        assert await _unknown(asked)


@contextmanager
def deaf(host: str, port: int = 0) -> Iterator[int]:
    """A port that accepts no connection: its queue is full, and packets are dropped."""
    with ExitStack() as stack:
        listener, *callers = [stack.enter_context(socket.socket()) for _ in range(5)]
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_black_hole_is_unknown_within_the_limit() -> None:
    """A black hole means *unknown* within the deadline; the kernel would try for two minutes."""
    with deaf("127.0.0.1") as port:
        async with asking(f"http://127.0.0.1:{port}", call_s=SHORT_S) as asked:
            start = asyncio.get_running_loop().time()
            assert await _unknown(asked)
            await asked.ended()
            assert asyncio.get_running_loop().time() - start < SHORT_S + PATIENCE_S


async def test_one_dead_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """One dead address leaves time for the next: a broken IPv6 route must not hide a service on IPv4."""
    async with range_api(leaked()) as api:
        port = int(api.url.rpartition(":")[2])
        _resolve(monkeypatch, "mirror.example", ["127.0.0.2", "127.0.0.1"])
        with deaf("127.0.0.2", port):
            async with asking(f"http://mirror.example:{port}", call_s=2) as asked:
                assert await asked.seen(PASSWORD)


async def test_the_handshake_has_all_the_time_that_connecting_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address's share of the deadline is for connecting alone; the handshake has all the rest."""
    async with range_api(leaked()) as api:
        _resolve(monkeypatch, "mirror.example", ["127.0.0.1"] * 4)
        with _Bounds(40, 1).dial(("mirror.example", int(api.url.rpartition(":")[2]))) as connected:
            assert 20 < (connected.gettimeout() or 0) <= 40


async def test_many_dead_addresses_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many dead addresses share one deadline; the library would give each its own."""
    with deaf("127.0.0.2") as port:
        _resolve(monkeypatch, "mirror.example", ["127.0.0.2"] * 40)
        async with asking(f"http://mirror.example:{port}", call_s=SHORT_S) as asked:
            start = asyncio.get_running_loop().time()
            assert await asked.seen(PASSWORD) is None
            await asked.ended()
            assert asyncio.get_running_loop().time() - start < SHORT_S * 20


def _resolve(monkeypatch: pytest.MonkeyPatch, name: str, addresses: list[str]) -> None:
    asked = socket.getaddrinfo

    def answer(host: str, port: int, *rest: Any, **more: Any) -> Any:
        hosts = addresses if host == name else [host]
        return [found for each in hosts for found in asked(each, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


async def test_a_resolver_that_hangs_is_unknown_and_its_threads_never_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging resolver is given up in time; its thread cannot be ended and keeps its place, which bounds such
    threads.
    """
    free = threading.Event()
    resolve = socket.getaddrinfo

    def hang(host: str, *rest: Any, **more: Any) -> Any:
        if host == "mirror.example":
            free.wait(PATIENCE_S)
            raise socket.gaierror
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        async with asking("http://mirror.example", call_s=SHORT_S, threads=2) as asked:
            assert await asyncio.gather(*(asked.seen(f"one {at}") for at in range(12))) == [None] * 12
            assert await asyncio.gather(*(asked.seen(f"two {at}") for at in range(12))) == [None] * 12
            assert len(asked.threads) == 2
            free.set()
            await asked.ended()
    finally:
        free.set()


# Over TLS, as the service is.


async def test_tls_changes_nothing_of_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, as the real service requires, the check works the same."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with range_api(leaked(), secure=True) as api, asking(api) as asked:
        assert await asked.seen(PASSWORD)
        assert api.prefixes == [PREFIX]


@pytest.mark.parametrize("answer", SLOW, ids=lambda answer: answer.__name__)
async def test_over_tls_the_limit_holds_too(monkeypatch: pytest.MonkeyPatch, answer: manner.Answer) -> None:
    """The deadline holds over TLS, too, where one read is decrypted from several."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with range_api(leaked(), answer, secure=True) as api, asking(api, call_s=0.5) as asked:
        start = asyncio.get_running_loop().time()
        assert await _unknown(asked)
        await asked.ended()
        assert asyncio.get_running_loop().time() - start < PATIENCE_S


async def test_a_handshake_that_never_ends_does() -> None:
    """A handshake that never ends is given up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        async with asking(f"https://127.0.0.1:{listener.getsockname()[1]}", call_s=SHORT_S) as asked:
            start = asyncio.get_running_loop().time()
            assert await _unknown(asked)
            await asked.ended()
            assert asyncio.get_running_loop().time() - start < SHORT_S + PATIENCE_S


async def test_a_stranger_with_a_certificate_of_his_own_is_unknown() -> None:
    """A server with an untrusted certificate means *unknown*, and is sent no digit."""
    async with range_api(leaked(), secure=True) as api, asking(api) as asked:
        assert await asked.seen(PASSWORD) is None
        assert api.requests == []


# Sharing, caching, cancelling.


async def test_fifty_who_ask_for_one_range_at_once_make_one_request() -> None:
    """Fifty callers of one range at once cause one request, as in a spray."""
    async with range_api(leaked()) as api, asking(api) as asked:
        answers = await asyncio.gather(
            *(asked.hibp.seen(absent_beside(PASSWORD), wait_s=20) for _ in range(49)), asked.seen(PASSWORD)
        )
        assert answers[:49] == [0] * 49
        assert answers[49]
        assert api.prefixes == [PREFIX]


async def test_a_cancelled_caller_does_not_cancel_the_shared_call() -> None:
    """A caller that is cancelled does not cancel the call that others share."""
    gate = asyncio.Event()
    async with range_api(leaked(), manner.after(gate)) as api, asking(api) as asked:
        tasks = [asyncio.create_task(asked.seen(PASSWORD)) for _ in range(3)]
        await api.asked.wait()
        tasks[0].cancel()
        gate.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert all(others)
        assert len(api.requests) == 1


async def test_an_answer_that_comes_late_is_kept_for_the_next() -> None:
    """A late answer is cached for the next caller."""
    gate = asyncio.Event()
    async with range_api(leaked(), manner.after(gate)) as api, asking(api) as asked:
        assert await asked.seen(PASSWORD, wait_s=0.01) is None
        gate.set()
        await asked.ended()
        assert await asked.seen(PASSWORD, wait_s=0)
        assert len(api.requests) == 1


async def test_a_range_is_believed_for_a_day() -> None:
    """A range is cached for a day, as the list grows."""
    async with range_api(leaked()) as api, asking(api) as asked:
        assert await asked.seen("not yet") == 0
        api.ranges.plant("not yet", 3)
        asked.now += 86_399
        assert await asked.seen("not yet") == 0
        assert len(api.requests) == 1
        asked.now += 1
        assert await asked.seen("not yet") == 3
        assert len(api.requests) == 2


async def test_ranges_are_kept_within_a_bound_and_those_in_use_longest() -> None:
    """The cache is bounded; recently used ranges stay, and an attacker's random ones replace each other."""
    async with range_api(leaked()) as api, asking(api, cache_bytes_max=10 * (2_001 * 8 + 512)) as asked:
        await asked.seen(PASSWORD)
        for at in range(40):
            await asked.seen(f"random {at}")
            await asked.seen(PASSWORD)
        assert len(api.requests) == 41
        assert len(asked.hibp._cache._held) == 10
        assert asked.hibp._cache._bytes == sum(held.size_bytes for _, held in asked.hibp._cache._held.values())
        assert asked.hibp._cache._bytes <= 10 * (2_001 * 8 + 512)


async def test_threads_and_those_who_wait_for_one_are_bounded() -> None:
    """Threads and waiting callers are bounded; further ones get *unknown* at once."""
    gate = asyncio.Event()
    async with range_api(leaked(), manner.after(gate)) as api, asking(api, threads=2, waiting_max=3) as asked:
        tasks = [asyncio.create_task(asked.seen(f"password {at}")) for at in range(10)]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [None] * 5
        assert len(asked.threads) == 2
        gate.set()
        assert await asyncio.gather(*waiting) == [0] * 5
        assert len(api.requests) == 5


async def test_a_process_without_a_thread_to_spare_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that can start no thread answers *unknown*, and asks again when it can."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with range_api(leaked()) as api, asking(api, threads=1, failures_max=1) as asked:
        with monkeypatch.context() as starved:
            starved.setattr(threading.Thread, "start", refuse)
            assert await asked.seen(PASSWORD) is None
        assert asked.turns == [False]
        asked.now += 1
        assert await asked.seen(PASSWORD)


async def test_waiting_for_a_thread_counts_against_the_deadline() -> None:
    """Waiting for a thread counts against the deadline, and is no failure of the service."""
    limits = {"call_s": SHORT_S, "threads": 1, "failures_max": 2}
    async with range_api(leaked(), manner.silence) as api, asking(api, **limits) as asked:
        assert await asyncio.gather(*(asked.seen(f"password {at}") for at in range(3))) == [None] * 3
        assert asked.hibp.answers


# The breaker from outside.


async def test_a_service_that_fails_is_left_alone_and_tried_again() -> None:
    """After three failures nothing is sent during a pause; a failed trial lengthens it, a successful one ends it."""
    async with range_api(leaked(), manner.status("500 Oh")) as api, asking(api, failures_max=3) as asked:
        for at in range(3):
            assert asked.hibp.answers
            assert await asked.seen(f"password {at}") is None
        assert (asked.turns, asked.hibp.answers) == ([False], False)

        for passed, requests in ((0.9, 3), (0.1, 4), (1.9, 4)):
            asked.now += passed
            assert await asked.seen(PASSWORD) is None
            assert requests == len(api.requests)

        api.answer = manner.whole
        asked.now += 0.1
        assert await asked.seen(PASSWORD)
        assert (asked.turns, asked.hibp.answers) == ([False, True], True)
        assert await asked.seen("another") == 0


async def test_what_is_kept_is_answered_while_the_service_is_left_alone() -> None:
    """Cached ranges are answered during a pause."""
    async with range_api(leaked()) as api, asking(api, failures_max=1) as asked:
        assert await asked.seen(PASSWORD)
        api.answer = manner.reset
        assert await asked.seen("another") is None
        assert not asked.hibp.answers
        assert await asked.seen(PASSWORD)


async def test_one_tries_for_all() -> None:
    """During a trial no other call starts; callers of its range share it."""
    gate = asyncio.Event()
    async with range_api(leaked(), manner.reset) as api, asking(api, failures_max=1) as asked:
        await asked.seen("the first")
        asked.now += 1
        api.answer = manner.after(gate)
        api.asked.clear()
        tasks = [asyncio.create_task(asked.seen(PASSWORD)) for _ in range(2)]
        await api.asked.wait()
        assert [await asked.seen(f"password {at}") for at in range(5)] == [None] * 5
        gate.set()
        assert all(await asyncio.gather(*tasks))
        assert len(api.requests) == 2


async def test_when_it_is_left_alone_whoever_waits_is_told_at_once() -> None:
    """When the breaker opens, waiting callers are answered at once."""
    async with range_api(leaked(), manner.reset) as api, asking(api, threads=1, failures_max=1) as asked:
        assert await asyncio.gather(*(asked.seen(f"password {at}") for at in range(6))) == [None] * 6
        assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("told", "pause_s"), [("7", 7), ("999999999", 300), ("0", 1), ("Fri, 31 Dec 2049 23:59:59 GMT", None)]
)
@pytest.mark.parametrize("line", ["429 Slow Down", "503 Busy"])
async def test_the_service_may_ask_for_a_pause(line: str, told: str, pause_s: float | None) -> None:
    """A pause that the service asks for starts at once and is bounded; one given as a date starts at the third
    failure.
    """
    answer = manner.status(line, f"Retry-After: {told}\r\n")
    async with range_api(leaked(), answer) as api, asking(api, failures_max=3) as asked:
        await asked.seen(PASSWORD)
        assert asked.hibp.answers is (pause_s is None)
        if pause_s is not None:
            asked.now += pause_s - 0.001
            await asked.seen(PASSWORD)
            assert len(api.requests) == 1
            asked.now += 0.001
            await asked.seen(PASSWORD)
            assert len(api.requests) == 2


# Closing.


async def test_closing_answers_whoever_waits_and_asks_nothing_more() -> None:
    """Closing answers waiting callers with *unknown* at once, raises nothing, and sends nothing more."""
    async with range_api(leaked(), manner.silence) as api, asking(api, threads=2) as asked:
        tasks = [asyncio.create_task(asked.seen(f"password {at}")) for at in range(5)]
        await api.asked.wait()
        async with asyncio.timeout(PATIENCE_S / 2):
            await asked.hibp.aclose()
            assert await asyncio.gather(*tasks) == [None] * 5
            assert await asked.seen("one more") is None
            await asked.hibp.aclose()
        assert asked.turns == []


async def test_after_closing_a_free_thread_stays_free() -> None:
    """After closing a free thread starts no call."""
    async with range_api(leaked()) as api, asking(api) as asked:
        await asked.hibp.aclose()
        assert await asked.seen(PASSWORD) is None
        assert asked.threads == []
        assert api.requests == []


HANGING = """
import asyncio, socket, threading, time
from sekisho.breach.hibp import Hibp, HibpLimits
from sekisho.breach.hibp_protocol import _Bounds

def hang(*_, **__):
    threading.Event().wait()

async def main():
    hibp = Hibp(url="http://mirror.example", limits=HibpLimits(call_s=0.2), clock_s=time.monotonic)
    socket.getaddrinfo = hang
    print(await hibp.seen(bytes(20), wait_s=0.1), await hibp.seen(b"x" * 20, wait_s=5))

asyncio.run(main())
"""


async def test_nothing_keeps_the_interpreter_from_stopping() -> None:
    """Nothing delays the interpreter's exit, not even a hanging resolver without a close."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", HANGING, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, told = await process.communicate()
    assert (out, told, process.returncode) == (b"None None\n", b"", 0)
