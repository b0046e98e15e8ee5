"""Whether the time of an answer tells a right password from a wrong one, or an account from none.

Four classes, in random order: right or wrong password, of a member or of nobody. Each attempt is timed up to the
question for a second proof. In the first series the client waits before each request until the application, which runs
behind its back, has long ended; in the second it does not, so a run of the former attempt takes the processor from the
next. Each timing counts for the class of its own attempt: what the next request tells of the run before it is the
application's own time, and is not measured. Then come the series of `sealed`, with wrong codes.
"""

from __future__ import annotations

import itertools
import statistics
import time
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.login_post import address
from benchmarks.measure import Server, median_interval
from benchmarks.result import interval_text, write_result
from benchmarks.step_up import sealed
from benchmarks.step_up.client import Client, Timed, new_browser_key
from benchmarks.step_up.separate import ALPHA, separation
from benchmarks.step_up.site import KNOWN, PASSWORD, PROFILE, WRONG, furnished, members, nobodies
from tests.servers import free_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

SEED = 7
PAUSE_S = 0.025
COUNT, QUICK = 2_000, 200
BUSY, ROOM_S = 503, 1.0

Series = dict[str, list[float]]


class Kind(NamedTuple):
    """One of the four classes."""

    name: str
    known: bool
    password: str


KINDS = (
    Kind("right password of a member", known=True, password=PASSWORD),
    Kind("wrong password of a member", known=True, password=WRONG),
    Kind("right password, no account", known=False, password=PASSWORD),
    Kind("wrong password, no account", known=False, password=WRONG),
)


def measure_timings(options: argparse.Namespace) -> None:
    count = QUICK if options.quick else COUNT
    with furnished() as site:
        series = []
        for pause_s in (PAUSE_S, 0.0):
            site.forget()
            series += measured(site.asking, count, pause_s=pause_s)
        behind = sealed.QUICK if options.quick else sealed.COUNT
        tells = list(sealed.series(site, behind))
    plan = {
        "count": count,
        "pause_ms": PAUSE_S * 1000,
        "sealed": {"count": behind, "clients": sealed.CLIENTS},
        "alpha": ALPHA,
        "accounts": KNOWN,
        "profile": profile(),
    }
    found = {"plan": plan, "machine": site.machine, "series": series, "sealed": tells}
    write_result("step-up-timings", found, quick=options.quick)
    for one in series:
        print(*said(one), sep="\n")


def profile() -> dict[str, int]:
    """How the log-in hashes, for the page."""
    return {"passes": PROFILE.passes, "memory_kib": PROFILE.memory_kib, "lanes": PROFILE.lanes}


def measured(environment: Mapping[str, str], count: int, *, pause_s: float) -> list[dict[str, Any]]:
    """One series of log-ins."""
    port = free_port()
    with Server("benchmarks.step_up.app:app", port, environment) as server:
        server.wait_until_up()
        with Client(port) as client:
            _warm(client)
            asked = _timed(client, attempts(count), pause_s=pause_s)
    pause = f"{pause_s * 1000:.0f} ms of pause" if pause_s else "without a pause"
    return [compared(f"POST /login, {pause}", asked)]


def attempts(count: int, seed: int = SEED) -> Iterator[tuple[Kind, str]]:
    """So many of each class, in random order, with an account each; every account is tried as often as any other."""
    order = Random(seed)
    typed = {
        known: itertools.cycle(order.sample(names, len(names)))
        for known, names in ((True, list(members(KNOWN))), (False, list(nobodies(KNOWN))))
    }
    kinds = [kind for kind in KINDS for _ in range(count)]
    order.shuffle(kinds)
    return ((kind, next(typed[kind.known])) for kind in kinds)


def _warm(client: Client) -> None:
    for number in range(100):
        browser_key = new_browser_key()
        client.log_in(f"warm{number}", WRONG, address=address(5_000_000 + number), browser_key=browser_key)
        time.sleep(PAUSE_S)


def _timed(client: Client, tries: Iterator[tuple[Kind, str]], *, pause_s: float) -> Series:
    asked: Series = {kind.name: [] for kind in KINDS}
    for number, (kind, account) in enumerate(tries):
        asked[kind.name].append(_asked_for_a_proof(client, kind, account, number).us)
        time.sleep(pause_s)
    return asked


def _asked_for_a_proof(client: Client, kind: Kind, account: str, number: int) -> Timed:
    """Ask once more after a refusal for want of room, which comes before the secret is checked."""
    while True:
        where, browser_key = address(number), new_browser_key()
        answer = client.log_in(account, kind.password, address=where, browser_key=browser_key)
        if answer.status != BUSY:
            return answer.said(401, "step_up_required")
        time.sleep(ROOM_S)


def compared(name: str, series: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Medians, and for each pair whether it can be told apart."""
    return {
        "name": name,
        "classes": [
            {
                "name": kind,
                "count": len(values),
                "median_us": median_interval(values)._asdict(),
                "deciles_us": statistics.quantiles(values, n=10),
            }
            for kind, values in series.items()
        ],
        "pairs": [
            {"one": one, "other": other, **found._asdict(), "separated": found.separated}
            for one, other in itertools.combinations(series, 2)
            for found in (separation(series[one], series[other]),)
        ],
    }


def said(series: Mapping[str, Any]) -> Iterator[str]:
    """For the screen."""
    yield f"\n{series['name']}"
    for one in series["classes"]:
        yield f"  {one['name']}, µs: {interval_text(one['median_us'], ',.0f')}"
    for pair in series["pairs"]:
        verdict = "SEPARATED" if pair["separated"] else "not separated"
        yield f"  {pair['one']} / {pair['other']}: {verdict} (p {pair['p_slower']:.3g}, {pair['p_shape']:.3g})"
