"""Whether the time of an answer at the other doors tells an account from none.

Requests for resets, sign-ups, codes and links name known and unknown accounts in random order. Each comes from an
address of its own. They go to two services. The guard of the one with factors answers most of them itself: it mails a
code before a sign-up, and demands a proof before a link. At the one without factors they reach an application that
answers all of them alike and at once, so that the guard's share of the time is nearly all of it.
"""

from __future__ import annotations

import itertools
import statistics
import time
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.known import SECRET
from benchmarks.login_post import address
from benchmarks.measure import Server
from benchmarks.result import write_result
from benchmarks.step_up.client import Client
from benchmarks.step_up.sealed import HIGH, LOW
from benchmarks.step_up.separate import auc
from benchmarks.step_up.site import KNOWN, furnished, members, nobodies
from sekisho.model.factor_class import FactorClass
from sekisho.read import SessionCredentials
from sekisho.stepup.session_binding import SessionBinding, SessionBindings
from tests.servers import free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

SEED = 7
COUNT, QUICK = 5_000, 1_000
WARM = 200
BUSY, ROOM_S = 503, 1.0


class Knock(NamedTuple):
    """Attributes:
    name: of the request, for the table.
    path: the door's.
    fields: besides the account.
    is_proved: whether the client is logged in to an account of its own and has just shown a proof.
    """

    name: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    is_proved: bool = False


KNOCKS = (
    Knock("a request for a reset", "/forgot"),
    Knock("a reset with a token", "/reset", (("token", "abcdef"), ("password", "never seen in a leak 17"))),
    Knock("a sign-up", "/signup", (("password", "never seen in a leak 17"),)),
    Knock("a request for a code", "/send"),
    Knock("a guess at a code", "/code", (("code", "123456"),)),
    Knock("a link", "/link", (("pin", "{:04}"),)),  # one PIN at many accounts would be refused
)
LINKING = Knock("a link after a proof", "/link", (("pin", "{:04}"),), is_proved=True)


def measure_doors(options: argparse.Namespace) -> None:
    count = QUICK if options.quick else COUNT
    found = []
    with furnished() as site:
        for factors, environment in ((False, site.bare), (True, site.asking)):
            site.forget()
            for one in measured({**environment, "BENCH_DOORS": "1", "BENCH_NO_LIMITS": "1"}, count, factors=factors):
                print(said(one), flush=True)
                found.append(one)
    plan = {"count": count, "accounts": KNOWN}
    write_result("step-up-doors", {"plan": plan, "machine": site.machine, "doors": found}, quick=options.quick)


def measured(environment: Mapping[str, str], count: int, *, factors: bool) -> Iterator[dict[str, Any]]:
    port = free_port()
    with Server("benchmarks.step_up.app:app", port, environment) as server:
        server.wait_until_up()
        with Client(port) as client:
            numbers = itertools.count()
            for knock in (*KNOCKS, LINKING) if factors else KNOCKS:
                for number in range(WARM):
                    _timed(client, knock, f"warmed{number:05d}@mail.example", next(numbers))
                times: dict[bool, list[float]] = {True: [], False: []}
                for known, account in attempts(count):
                    times[known].append(_timed(client, knock, account, next(numbers)))
                yield compared(knock, times, factors=factors)


def attempts(count: int, seed: int = SEED) -> Iterator[tuple[bool, str]]:
    """As many requests for known accounts as for unknown ones, in random order; each account is tried equally often."""
    order = Random(seed)
    names = {
        known: itertools.cycle(order.sample(listed, len(listed)))
        for known, listed in ((True, list(members(KNOWN))), (False, list(nobodies(KNOWN))))
    }
    kinds = [True, False] * count
    order.shuffle(kinds)
    return ((known, next(names[known])) for known in kinds)


def _timed(client: Client, knock: Knock, account: str, number: int) -> float:
    sent = {"username": account, **{name: text.format(number % 10_000) for name, text in knock.fields}}
    cookies = proved_session() if knock.is_proved else ""
    # Asked once more after a refusal for want of room, which comes before the account is looked at.
    while (answer := client.knock(knock.path, sent, address=address(number), cookies=cookies)).status == BUSY:
        time.sleep(ROOM_S)
    if answer.status in ({400, 401, 404, 429} if knock.is_proved else {400, 404, 429}):
        raise RuntimeError(f"{knock.name}: was answered {answer.status}: {answer.body[:200]!r}")
    return answer.us


@cache
def proved_session() -> str:
    """The cookies of a session whose account, the last member's, showed a proof a moment ago."""
    now_s = int(time.time())
    held = SessionCredentials((("session", "abc"),), "")
    binding = SessionBinding(list(members(KNOWN))[-1], str(KNOWN - 1), now_s, FactorClass.APP)
    found = SessionBindings([SECRET.encode()], clock_s=time.time).headers(binding, held, now_s, by_header=False)
    ((_, line),) = found
    return f"session=abc; {line.decode().partition(';')[0]}"


def compared(knock: Knock, times: Mapping[bool, Sequence[float]], *, factors: bool) -> dict[str, Any]:
    """The medians, and whether the times distinguish known accounts from unknown ones."""
    found = auc(times[True], times[False])
    medians = {name: statistics.median(times[known]) for name, known in (("members", True), ("nobody", False))}
    return {"door": knock.name, "factors": factors, "auc": found, "median_us": medians, "holds": LOW <= found <= HIGH}


def said(one: Mapping[str, Any]) -> str:
    """For the screen."""
    times = " and ".join(f"{us:,.0f}" for us in one["median_us"].values())
    verdict = "tells nothing" if one["holds"] else "TELLS"
    return f"{one['door']}, {'with' if one['factors'] else 'no'} factors: {times} µs, AUC {one['auc']:.3f}: {verdict}"
