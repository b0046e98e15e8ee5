"""The fetch itself: many requests in flight over few connections, each answer checked before it counts.

Whatever goes wrong with one range (a connection that dies, a 5xx, a damaged answer) costs that range a try and a
growing wait; what is wrong with the service (429, silence, one failure after the other) stops everybody.

All on one thread, the disk too: a second one for checks and files made nothing faster (the two hand the interpreter to
each other at every system call), and a disk that can't follow should slow the network down anyway.
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
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import httpx

from sekisho.breach.progress import Progress, Silent
from sekisho.corpus.fetch.answer import BODY_BYTES_MAX, RangeAnswer
from sekisho.corpus.fetch.failure import Damaged, Failure, FetchError, FetchReport, missing
from sekisho.corpus.fetch.folder import RANGES, Folder
from sekisho.corpus.fetch.gate import Gate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

SOURCE_URL = "https://api.pwnedpasswords.com/range/"

_PREFIX = re.compile(r"[0-9A-Fa-f]{5}")
_VALIDATOR_CHARS_MAX = 200
_REASON_CHARS_MAX = 120
_CONNECT_SECONDS_MAX = 10.0
_WAIT_SECONDS_MIN = 1.0  # "Retry-After: 0" is no licence to hammer
_WAIT_SECONDS_UNTOLD = 5.0  # for a 429 that names no time
_BACKOFF_SECONDS_MAX = 60.0
_PROGRESS_SECONDS = 0.2
_MAY_PASS = frozenset({408, 425})  # of the 4xx; the others say that we ask for the wrong thing, which stays wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchPace:
    """How hard to ask, and when to give up.

    Attributes:
        connections: to the service at once, where it speaks HTTP/2; else each request has its own.
        requests: in flight at once over all of them; fewer after a 429.
        tries: for one range, before it is reported as failed.
        try_seconds: for one answer from the first byte sent to the last one received.
        wait_seconds: longest pause (`Retry-After`) that is waited out; a longer one ends the fetch.
        silence_seconds: without a single range, pauses included, that end the fetch.
        failures_in_row: ranges given up one after the other that end the fetch: it is the service then, not the range.
    """

    connections: int = 4
    requests: int = 64
    tries: int = 6
    try_seconds: float = 60.0
    wait_seconds: float = 300.0
    silence_seconds: float = 900.0
    failures_in_row: int = 32


class Surroundings(NamedTuple):
    """Time and chance, as the process has them.

    Attributes:
        now: Unix seconds.
        clock: seconds, monotonic.
        sleep: by that clock.
        chance: in [0, 1).
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
    """Bring `folder` up to date with the ranges at `url`, all 16^5 or those of `prefixes`.

    Goes on where an interrupted fetch of the last 24 hours was; otherwise asks for changes only (`ETag`). Cancel it,
    interrupt it or kill it at any moment. `tls` replaces the usual trust in certificates, for a mirror of one's own.

    Raises:
        FetchError: it could not start, had to stop, or went to the end with ranges missing; its `report` tells which.
    """
    source = _source(url)
    numbers = range(RANGES) if prefixes is None else sorted({_number(prefix) for prefix in prefixes})
    try:
        with closing(Folder.open(folder, source, surroundings.now)) as held:
            return await _Run(held, source, pace, progress, surroundings).run(numbers, tls)
    except (OSError, sqlite3.Error) as error:
        raise FetchError(f"{folder}: {error}. Run it again then: what is there is not fetched twice.") from error


def _source(url: str) -> str:
    """The address that five digits are put behind. Refuses what would leak or load something else."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise FetchError("the source is no URL") from None
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise FetchError("the source's URL holds a user name, a query or a fragment: give one that ends with its path")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _is_loopback(parsed.host)):
        # Anyone on the way could take single passwords out of the list.
        raise FetchError("the source's URL must begin with https://; http:// is for this machine only")
    return str(parsed).rstrip("/") + "/"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _number(prefix: str) -> int:
    if not _PREFIX.fullmatch(prefix):
        raise FetchError("a prefix is five hex digits")
    return int(prefix, 16)


class _Refused(Exception):  # noqa: N818 - an answer, which all workers act on
    """The service asked for a pause of so many seconds."""

    def __init__(self, status: int, seconds: float) -> None:
        self.status = status
        self.seconds = seconds


class _Failed(Exception):  # noqa: N818 - one try of several
    """A try that brought nothing. `final`: another one would bring the same."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        self.reason = reason
        self.final = final


class _Run:
    """One fetch: the figures, and the rules for going on."""

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
            # One is enough: they are all about the same disk, or the same service.
            raise errors.exceptions[0] from None
        finally:
            for client in clients:
                with suppress(Exception):  # that a server hung up first is no news now
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
        """Try until the range is here, the tries are used up (`_Failed`), or nothing is worth a try (`FetchError`)."""
        validator = self._folder.validator(number)
        failures = 0
        while True:
            try:
                return await self._try(number, validator, client)
            except _Refused as refused:
                self._pause(refused)  # costs this range no try: it is about all of them
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
        raise FetchError(f"{problem}. Run it again later: what is there is not fetched twice.", self._report())

    def _backoff_seconds(self, failures: int) -> float:
        # Anywhere in a doubling span: workers that failed together must not come back together. The first wait is
        # short, since servers close busy connections as a matter of routine.
        return self._around.chance() * min(_BACKOFF_SECONDS_MAX, 2.0 ** (failures - 1))


class _Steps:
    """Progress, told some times a second at most."""

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
    """One a connection: a pool of httpx puts all requests into one HTTP/2 connection as long as that has room."""
    connections = min(pace.connections, pace.requests)
    trusted = tls or httpx.create_ssl_context()
    local = _is_loopback(httpx.URL(source).host)
    return [
        httpx.AsyncClient(
            base_url=source,
            http2=True,
            verify=trusted,
            trust_env=not local,  # a proxy knows another 127.0.0.1
            headers={
                # Not Brotli: httpx speaks it with another package only, and a gzip body is kept as it came.
                "accept-encoding": "gzip",
                "user-agent": f"sekisho/{version('sekisho')} (corpus fetch)",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is needed, and they would add up
            # A connection that is silent for half a try is dead: found by a read that times out, it is not used again,
            # whereas a try that times out says nothing about its connection.
            timeout=httpx.Timeout(pace.try_seconds / 2, connect=_CONNECT_SECONDS_MAX, pool=None),
            limits=httpx.Limits(max_connections=-(-pace.requests // connections)),
            follow_redirects=False,  # another host is not the one that was trusted
        )
        for _ in range(connections)
    ]


async def _ask(
    client: httpx.AsyncClient, prefix: str, validator: str, seconds: float, now: Callable[[], float]
) -> RangeAnswer | None:
    """One request; `None` where nothing has changed."""
    try:
        # Over all of it: a byte a second is within any limit on reading.
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
        # When a connection dies under many streams, exceptions of h2 and anyio and plain KeyErrors come through
        # httpx. None of them is worth more than a try.
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
    """RFC 9110, 10.2.3: seconds or a date."""
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
    # Content-Length, chunks and HTTP/2's streams are held to by the client. But HTTP/1 may also end a body by hanging
    # up, which is what a fault looks like.
    if http_version.startswith("HTTP/1") and not {"content-length", "transfer-encoding"} & headers.keys():
        raise _Failed("nothing says where it ends")


def _validator(headers: httpx.Headers) -> str:
    told = headers.get("etag") or headers.get("last-modified", "")
    return told if len(told) <= _VALIDATOR_CHARS_MAX and told.isascii() and told.isprintable() else ""


def _reason(error: Exception) -> str:
    """An error's name and text; of what a server may have put into it, nothing that moves a terminal's cursor."""
    text = ascii(str(error))[1:-1][:_REASON_CHARS_MAX]
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name
