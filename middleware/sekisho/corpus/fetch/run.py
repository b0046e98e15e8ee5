"""The download: many requests in flight over few connections, each answer checked before it counts.

A fault of one range (a lost connection, a 5xx, a damaged answer) costs that range a try and a growing wait. A fault of
the service (429, silence, consecutive failures) stops all requests.

All work runs in one thread, including the disk. A second thread for checks and files made nothing faster (the two pass
the interpreter lock at every system call), and a slow disk should slow the network down anyway.
"""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import httpx

from sekisho.breach.progress import Progress, Silent
from sekisho.corpus.fetch.answer import BODY_BYTES_MAX, RangeAnswer
from sekisho.corpus.fetch.failure import Damaged, Failure, FetchError, FetchReport, missing
from sekisho.corpus.fetch.folder import RANGES, Folder
from sekisho.corpus.fetch.gate import Gate
from sekisho.settings.urls import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

SOURCE_URL = "https://api.pwnedpasswords.com/range/"

_PREFIX = re.compile(r"[0-9A-Fa-f]{5}")
_VALIDATOR_CHARS_MAX = 200
_REASON_CHARS_MAX = 120
_CONNECT_SECONDS_MAX = 10.0
_WAIT_SECONDS_MIN = 1.0  # even for "Retry-After: 0", to spare the service
_WAIT_SECONDS_UNTOLD = 5.0  # for a 429 without a time
_BACKOFF_SECONDS_MAX = 60.0
_PROGRESS_SECONDS = 0.2
_MAY_PASS = frozenset({408, 425})  # temporary 4xx; the others mean a wrong request, which stays wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchPace:
    """The pace of requests, and the bounds for giving up. Times are in seconds.

    Attributes:
        connections: connections to the service at once, if it speaks HTTP/2; otherwise each request has its own.
        requests: requests in flight at once over all connections; fewer after a 429.
        tries: tries for one range before it is reported as failed.
        try_seconds: limit for one answer, from the first byte sent to the last one received.
        wait_seconds: longest pause (`Retry-After`) that is waited for; a longer one ends the download.
        silence_seconds: so long without a single range, pauses included, ends the download.
        failures_in_row: so many consecutive failed ranges end the download: the service is at fault, not the range.
    """

    connections: int = 4
    requests: int = 64
    tries: int = 6
    try_seconds: float = 60.0
    wait_seconds: float = 300.0
    silence_seconds: float = 900.0
    failures_in_row: int = 32


class Surroundings(NamedTuple):
    """The process's time and randomness.

    Attributes:
        now: Unix time in seconds.
        clock: monotonic seconds.
        sleep: by that clock.
        chance: random numbers in [0, 1).
    """

    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


_PACE = FetchPace()
_SURROUNDINGS = Surroundings()
_SILENT = Silent()


async def fetch(
    folder: Path,
    *,
    url: str = SOURCE_URL,
    prefixes: Iterable[str] | None = None,
    pace: FetchPace = _PACE,
    progress: Progress = _SILENT,
    tls: ssl.SSLContext | None = None,
    surroundings: Surroundings = _SURROUNDINGS,
) -> FetchReport:
    """Bring `folder` up to date with the ranges at `url`: all 16^5, or those of `prefixes`.

    It resumes a download that was interrupted within the last 24 hours; otherwise it requests only changes (`ETag`). It
    may be cancelled, interrupted or killed at any moment. `tls` replaces the usual trust in certificates, for a private
    mirror.

    Raises:
        FetchError: the download could not start, had to stop, or ended with ranges missing; its `report` has the
            figures.
    """
    source = _source(url)
    numbers = range(RANGES) if prefixes is None else sorted({_number(prefix) for prefix in prefixes})
    try:
        with closing(Folder.open(folder, source, surroundings.now)) as held:
            return await _Run(held, source, pace, progress, surroundings).run(numbers, tls)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FetchError(f"{folder}: {why}. Mend that, and run it again: no stored range is fetched twice") from error


def _source(url: str) -> str:
    """Return the base URL for the five digits. Refuses URLs that would leak data or could be tampered with."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise FetchError("the source is no URL") from None
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise FetchError("the source's URL holds a user name, a query or a fragment: give one that ends with its path")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(parsed.host)):
        # An attacker on the network path could remove single passwords from the list.
        raise FetchError("the source's URL must begin with https://; http:// is for this machine only")
    return str(parsed).rstrip("/") + "/"


def _number(prefix: str) -> int:
    if not _PREFIX.fullmatch(prefix):
        raise FetchError("a prefix is five hex digits")
    return int(prefix, 16)


class _Refused(Exception):  # noqa: N818 - an answer that all workers obey
    """The service asked for a pause of so many seconds."""

    def __init__(self, status: int, seconds: float) -> None:
        self.status = status
        self.seconds = seconds


class _Failed(Exception):  # noqa: N818 - one try of several
    """A try failed. `final`: a further try would fail the same way."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        self.reason = reason
        self.final = final


class _Run:
    """One download: its figures, and the rules for continuing."""

    def __init__(
        self,
        folder: Folder,
        source: str,
        pace: FetchPace,
        progress: Progress,
        surroundings: Surroundings,
    ) -> None:
        self._folder = folder
        self._source = source
        self._pace = pace
        self._around = surroundings
        self._gate = Gate(pace.requests, surroundings.clock, surroundings.sleep)
        self._steps = _Steps(progress, surroundings.clock)
        self._fetched = self._unchanged = self._kept = self._bytes = 0
        self._failed: list[Failure] = []
        self._failed_in_row = 0
        self._heard = surroundings.clock()

    async def run(self, wanted: Sequence[int], tls: ssl.SSLContext | None) -> FetchReport:
        left = self._folder.begin(wanted)
        self._kept = len(wanted) - len(left)
        self._steps.begin(len(wanted), done=self._kept)
        try:
            await self._work(iter(left), min(len(left), self._pace.requests), tls)
        finally:
            self._steps.flush()
        report = self._report()
        if report.failed:
            raise missing(report)
        self._folder.finish()
        return report

    async def _work(self, left: Iterator[int], workers: int, tls: ssl.SSLContext | None) -> None:
        clients = _clients(self._source, self._pace, tls)
        try:
            async with asyncio.TaskGroup() as group:
                for worker in range(workers):
                    group.create_task(self._fetch_all(left, clients[worker % len(clients)]))
        except BaseExceptionGroup as errors:
            # One error is enough: all of them concern the same disk or the same service.
            raise errors.exceptions[0] from None
        finally:
            for client in clients:
                with suppress(Exception):  # the server may have closed the connection first
                    await client.aclose()

    def _report(self) -> FetchReport:
        failed = tuple(sorted(self._failed))
        return FetchReport(self._fetched, self._unchanged, self._kept, failed, self._bytes)

    async def _fetch_all(self, left: Iterator[int], client: httpx.AsyncClient) -> None:
        for number in left:
            try:
                await self._fetch(number, client)
            except _Failed as failure:
                self._give_up(Failure(f"{number:05X}", failure.reason))
            self._steps.advance()

    async def _fetch(self, number: int, client: httpx.AsyncClient) -> None:
        """Try until the range is stored, no try is left (`_Failed`), or no try makes sense (`FetchError`)."""
        validator = self._folder.validator(number)
        failures = 0
        while True:
            try:
                return await self._try(number, validator, client)
            except _Refused as refused:
                self._pause(refused)  # costs this range no try, because it concerns all ranges
            except _Failed as failure:
                failures += 1
                if failure.final or failures == self._pace.tries:
                    raise
                self._check_silence(failure.reason)
                await self._around.sleep(self._backoff_seconds(failures))

    async def _try(self, number: int, validator: str, client: httpx.AsyncClient) -> None:
        async with self._gate:
            answer = await _ask(client, f"{number:05X}", validator, self._pace.try_seconds, self._around.now)
        if answer is None:
            self._folder.confirm(number, validator)
            self._unchanged += 1
        else:
            try:
                self._folder.keep(number, answer)
            except Damaged as damage:
                raise _Failed(str(damage)) from None
            self._fetched += 1
            self._bytes += len(answer.body)
        self._failed_in_row = 0
        self._heard = self._around.clock()
        self._gate.passed()

    def _pause(self, refused: _Refused) -> None:
        if refused.seconds > self._pace.wait_seconds:
            self._stop(f"the service asks to wait {refused.seconds:.0f} seconds (HTTP {refused.status})")
        self._check_silence(f"HTTP {refused.status}")
        self._gate.pause(refused.seconds)

    def _give_up(self, failure: Failure) -> None:
        self._failed.append(failure)
        self._failed_in_row += 1
        if self._failed_in_row >= self._pace.failures_in_row:
            self._stop(f"{self._failed_in_row} ranges failed one after the other, the last with: {failure.reason}")

    def _check_silence(self, reason: str) -> None:
        if self._around.clock() - self._heard > self._pace.silence_seconds:
            self._stop(f"no range came for {self._pace.silence_seconds:.0f} seconds: {reason}")

    def _stop(self, problem: str) -> None:
        raise FetchError(f"{problem}. Run it again later: stored ranges are not fetched twice.", self._report())

    def _backoff_seconds(self, failures: int) -> float:
        # Random within a doubling span, so that workers which failed together do not retry together. The first wait is
        # short, since servers routinely close busy connections.
        return self._around.chance() * min(_BACKOFF_SECONDS_MAX, 2.0 ** (failures - 1))


class _Steps:
    """Reports progress some times a second at most."""

    def __init__(self, progress: Progress, clock: Callable[[], float]) -> None:
        self._progress = progress
        self._clock = clock
        self._told = clock()
        self._untold = 0

    def begin(self, total: int, done: int) -> None:
        self._progress.begin("fetching", total, "ranges")
        self._untold = done
        self.flush()

    def advance(self) -> None:
        self._untold += 1
        if self._clock() - self._told >= _PROGRESS_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._untold:
            self._progress.advance(self._untold)
        self._untold = 0
        self._told = self._clock()


def _clients(source: str, pace: FetchPace, tls: ssl.SSLContext | None) -> list[httpx.AsyncClient]:
    """Make a client for each connection: a pool of httpx sends all requests over one HTTP/2 connection while it has
    room.
    """
    connections = min(pace.connections, pace.requests)
    trusted = tls or httpx.create_ssl_context()
    local = is_loopback(httpx.URL(source).host)
    return [
        httpx.AsyncClient(
            base_url=source,
            http2=True,
            verify=trusted,
            trust_env=not local,  # for a proxy, 127.0.0.1 is another machine
            headers={
                # Not Brotli: httpx needs another package for it. A gzip body can be stored as received.
                "accept-encoding": "gzip",
                "user-agent": f"sekisho/{version('sekisho')} (corpus fetch)",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none are needed, and they would accumulate
            # A connection that is silent for half a try is dead. A read timeout discards the connection, while the
            # timeout of a whole try says nothing about it.
            timeout=httpx.Timeout(pace.try_seconds / 2, connect=_CONNECT_SECONDS_MAX, pool=None),
            limits=httpx.Limits(max_connections=-(-pace.requests // connections)),
            follow_redirects=False,  # another host is not the one that the operator trusts
        )
        for _ in range(connections)
    ]


async def _ask(
    client: httpx.AsyncClient, prefix: str, validator: str, seconds: float, now: Callable[[], float]
) -> RangeAnswer | None:
    """Send one request; return `None` if nothing has changed. Raises `_Failed` and `_Refused`."""
    try:
        # A limit for the whole answer: one byte a second would satisfy any limit for a read.
        async with asyncio.timeout(seconds), client.stream("GET", prefix, headers=_condition(validator)) as response:
            if response.status_code == 304 and validator:
                return None
            _check_status(response, now)
            return await _read(response)
    except (_Failed, _Refused):
        raise
    except TimeoutError:
        raise _Failed(f"no whole answer within {seconds:g} seconds") from None
    except Exception as error:  # noqa: BLE001 - see below
        # When a connection with many streams is lost, httpx passes on exceptions of h2 and anyio, and plain KeyErrors.
        # Each of them costs one try.
        raise _Failed(_reason(error)) from None


def _condition(validator: str) -> dict[str, str]:
    if not validator:
        return {}
    return {"if-none-match" if validator.endswith('"') else "if-modified-since": validator}


def _check_status(response: httpx.Response, now: Callable[[], float]) -> None:
    status = response.status_code
    if status == 429 or (status == 503 and "retry-after" in response.headers):
        raise _Refused(status, _retry_after_seconds(response.headers.get("retry-after", ""), now))
    if status != 200:
        raise _Failed(f"HTTP {status}", final=status < 500 and status not in _MAY_PASS)


def _retry_after_seconds(told: str, now: Callable[[], float]) -> float:
    """Read `Retry-After` (RFC 9110, 10.2.3), seconds or a date, as seconds."""
    if told.isascii() and told.isdigit() and len(told) <= 9:
        return max(_WAIT_SECONDS_MIN, float(told))
    try:
        return max(_WAIT_SECONDS_MIN, parsedate_to_datetime(told).timestamp() - now())
    except (ValueError, OverflowError):
        return _WAIT_SECONDS_UNTOLD


async def _read(response: httpx.Response) -> RangeAnswer:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise _Failed(f"more than {BODY_BYTES_MAX} bytes")
    headers = response.headers
    _check_end(headers, response.http_version)
    return RangeAnswer(
        body=bytes(body),
        encoding=headers.get("content-encoding", "").lower(),
        digest=headers.get("content-md5", ""),
        validator=_validator(headers),
    )


def _check_end(headers: httpx.Headers, http_version: str) -> None:
    # The client enforces Content-Length, chunks and HTTP/2 streams. But HTTP/1 may also end a body by closing the
    # connection, which looks like a fault.
    if http_version.startswith("HTTP/1") and not {"content-length", "transfer-encoding"} & headers.keys():
        raise _Failed("the end of the answer is not marked")


def _validator(headers: httpx.Headers) -> str:
    told = headers.get("etag") or headers.get("last-modified", "")
    return told if len(told) <= _VALIDATOR_CHARS_MAX and told.isascii() and told.isprintable() else ""


def _reason(error: Exception) -> str:
    """Return an error's name and text, without control characters that a server may have put into it."""
    text = ascii(str(error))[1:-1][:_REASON_CHARS_MAX]
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name
