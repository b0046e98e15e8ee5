"""Protected routes: what the check costs there, and what it costs elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.micro.sample import AGENT
from sekisho.asgi.fast_path import FastPath
from sekisho.asgi.ports import Fresh
from sekisho.asgi.session_account import SessionAccounts
from sekisho.model import ProtectedRoute
from sekisho.read import SessionCredentials
from sekisho.read.paths import path_keys
from sekisho.stepup.flow.protected_routes import Protection, as_doors
from sekisho.stepup.session_binding import SessionBinding, SessionBindings

if TYPE_CHECKING:
    from typing import Any

    from pytest_benchmark.fixture import BenchmarkFixture

NOW_S = 1_700_000_000
PAYOUT = ProtectedRoute("POST", "/payout", 300)


def _request(path: str, cookie: bytes = b"session=abc") -> dict[str, Any]:
    headers = [
        (b"host", b"shop.example"), (b"user-agent", AGENT), (b"accept", b"*/*"), (b"cookie", cookie),
        (b"content-type", b"application/json"), (b"content-length", b"15"),
    ]  # fmt: skip
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": b"", "headers": headers, "http_version": "1.1",
    }  # fmt: skip


def test_a_fresh_proof_at_a_protected_route(benchmark: BenchmarkFixture) -> None:
    """The route, the session's binding, and the age of its proof. The bound is 5 µs."""
    bindings = SessionBindings([bytes(32)], clock_s=time.time)
    credentials = SessionCredentials((("session", "abc"),), "")
    ((_, line),) = bindings.headers(SessionBinding("hana", "1", NOW_S), credentials, NOW_S, by_header=False)
    request = _request("/payout", b"session=abc; " + line.partition(b";")[0])
    protection = Protection((PAYOUT,), bindings, SessionAccounts(None, print))

    def judged() -> object:
        route = protection.route(request)
        assert route is not None
        try:
            protection.verdict(route, request, NOW_S + 1).send(None)
        except StopIteration as done:
            return done.value  # no database is asked, so it ends at once
        return None

    assert isinstance(benchmark(judged), Fresh)


def test_a_route_that_is_not_protected(benchmark: BenchmarkFixture) -> None:
    """All that a request elsewhere pays. The bound is 1 µs."""
    doors = as_doors((PAYOUT,))
    fast = FastPath(lambda scope: doors.stand_at(path_keys(scope)))
    request = _request("/shop/list")
    fast.passes(request)

    assert benchmark(fast.passes, request)
