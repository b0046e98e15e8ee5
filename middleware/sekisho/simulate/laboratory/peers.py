"""Small models of other limiters, in the guard's place, with the thresholds that they publish or ship.

A model decides from what its original sees: address, account, and whether the answer was a success. It is no port of
the original: where that does more, the docstring says so.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from sekisho.simulate.laboratory.site import ASK, CONFIRM, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.asgi.types import App, Message, Receive, Scope, Send

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0


class Peer(Protocol):
    """A limiter by address and account. Times are in seconds."""

    def wait_s(self, address: str, account: str, now_s: float) -> float:
        """Return how many seconds the client is to wait; 0 lets the attempt through.

        Counts the attempt where the original limiter does.
        """

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:
        """Record whether the application let an attempt in that `wait_s` let through."""


class Window:
    """The times of events by key, within a span."""

    def __init__(self, number: int, span_s: float) -> None:
        self._number = number
        self._span_s = span_s
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def add(self, key: str, now_s: float) -> None:
        self._seen[key].append(now_s)

    def wait_s(self, key: str, now_s: float) -> float:
        seen = self._seen[key]
        while seen and seen[0] <= now_s - self._span_s:
            seen.popleft()
        return seen[0] + self._span_s - now_s if len(seen) >= self._number else 0.0


class ByAddress:
    """slowapi and fastapi-limiter: so many requests of an address in a span, successes and failures alike."""

    def __init__(self, number: int, span_s: float) -> None:
        self._window = Window(number, span_s)

    def wait_s(self, address: str, account: str, now_s: float) -> float:  # noqa: ARG002 - a port
        if wait_s := self._window.wait_s(address, now_s):
            return wait_s
        self._window.add(address, now_s)
        return 0.0

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None: ...


class Axes:
    """django-axes as it ships: three failures of an address lock it for good; a success resets nothing."""

    def __init__(self) -> None:
        self._failures: defaultdict[str, int] = defaultdict(int)

    def wait_s(self, address: str, account: str, now_s: float) -> float:  # noqa: ARG002 - a port
        return 1e9 if self._failures[address] >= 3 else 0.0

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:  # noqa: ARG002 - a port
        self._failures[address] += not success


class Keycloak:
    """Keycloak's brute-force detection, switched on: from thirty failures at an account a minute longer for each."""

    def __init__(self) -> None:
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._last_s: dict[str, float] = {}
        self._until_s: dict[str, float] = {}

    def wait_s(self, address: str, account: str, now_s: float) -> float:  # noqa: ARG002 - a port
        return max(0.0, self._until_s.get(account, 0.0) - now_s)

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:  # noqa: ARG002 - a port
        if success or now_s - self._last_s.get(account, now_s) > 12 * HOUR_S:
            self._failures[account] = 0
        if not success:
            self._failures[account] += 1
            self._last_s[account] = now_s
            beyond = self._failures[account] // 30
            self._until_s[account] = now_s + min(15, beyond) * MINUTE_S


class Auth0:
    """Auth0's published thresholds: ten failures of an address at an account, a hundred of an address in a day."""

    def __init__(self) -> None:
        self._pairs = Window(10, 30 * DAY_S)  # until the owner opens the link in a mail, at most 30 days
        self._addresses = Window(100, DAY_S)

    def wait_s(self, address: str, account: str, now_s: float) -> float:
        return max(self._pairs.wait_s(f"{address} {account}", now_s), self._addresses.wait_s(address, now_s))

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:
        if not success:
            self._pairs.add(f"{address} {account}", now_s)
            self._addresses.add(address, now_s)


class AwsAtp:
    """AWS WAF's account takeover prevention: an address with more than 20 attempts or 10 failures in ten minutes.

    Its lists of stolen credentials and its signals of the client's script are not modelled.
    """

    def __init__(self) -> None:
        self._attempts = Window(20, 10 * MINUTE_S)
        self._failures = Window(10, 10 * MINUTE_S)

    def wait_s(self, address: str, account: str, now_s: float) -> float:  # noqa: ARG002 - a port
        wait_s = max(self._attempts.wait_s(address, now_s), self._failures.wait_s(address, now_s))
        if not wait_s:
            self._attempts.add(address, now_s)
        return wait_s

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:  # noqa: ARG002 - a port
        if not success:
            self._failures.add(address, now_s)


class StopGuessing:
    """StopGuessing: a score of each address with a half-life of twelve hours; a success is refused above 50.

    A wrong password adds 1, an unknown account 2; a success takes 30. Popular passwords (times five), typos and cookies
    are not modelled.
    """

    def __init__(self, accounts: Callable[[str], bool]) -> None:
        self._exists = accounts
        self._scores: dict[str, tuple[float, float]] = {}

    def wait_s(self, address: str, account: str, now_s: float) -> float:  # noqa: ARG002 - a port
        return HOUR_S if self._score(address, now_s) > 50 else 0.0

    def ended(self, address: str, account: str, now_s: float, *, success: bool) -> None:
        added = -30 if success else 1 if self._exists(account) else 2
        self._scores[address] = max(0.0, self._score(address, now_s) + added), now_s

    def _score(self, address: str, now_s: float) -> float:
        score, at_s = self._scores.get(address, (0.0, now_s))
        return float(score * 0.5 ** ((now_s - at_s) / (12 * HOUR_S)))


PEERS: Mapping[str, Callable[[Callable[[str], bool]], Peer]] = {
    "slowapi": lambda _: ByAddress(5, MINUTE_S),  # the example of its README
    "fastapi-limiter": lambda _: ByAddress(2, 5.0),  # the example of its README
    "django-axes": lambda _: Axes(),
    "keycloak": lambda _: Keycloak(),
    "auth0": lambda _: Auth0(),
    "aws-atp": lambda _: AwsAtp(),
    "stopguessing": StopGuessing,
}


class PeerGuard:
    """A peer in front of an application. `clock_s`: seconds."""

    def __init__(self, app: App, peer: Peer, clock_s: Callable[[], float]) -> None:
        self._app = app
        self._peer = peer
        self._clock_s = clock_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        # All others judge log-ins; these can be put on any route.
        if scope["path"] in {ASK, CONFIRM} and not isinstance(self._peer, ByAddress):
            return await self._app(scope, receive, send)
        body = await read(receive)
        address, account = scope["client"][0], _account(body)
        if wait_s := self._peer.wait_s(address, account, self._clock_s()):
            return await _refuse(send, wait_s)

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._peer.ended(address, account, self._clock_s(), success=message["status"] == 303)
            await send(message)

        return await self._app(scope, replay, watch)


def _account(body: bytes) -> str:
    sent = dict(parse_qsl(body.decode()))
    return sent.get("username") or sent.get("number", "")


async def _refuse(send: Send, wait_s: float) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"%d" % (wait_s + 1))]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"code": "rate_limited"}'})
