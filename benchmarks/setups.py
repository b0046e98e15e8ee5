"""The same guard set up otherwise: `python -m benchmarks.setups [--quick]`.

uvicorn against granian, TCP to Redis against its unix socket, one worker against two. Pairs as everywhere; the second
half of each is what the name says it is held against. Two workers share both cores with the load generator and Redis,
so their requests per second say little on two cores: what counts is the processor time of a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import arguments, pairs
from benchmarks.pairs import BARE, GUARDED, Plan, Variant
from benchmarks.result import write_result
from benchmarks.tables import screen_table, wide_console

if TYPE_CHECKING:
    from benchmarks.measure import Service

BARE_GRANIAN, GRANIAN = BARE._replace(server="granian"), GUARDED._replace(server="granian")
UNIX = GUARDED._replace(unix=True)
BARE_TWO, TWO = BARE._replace(workers=2), GUARDED._replace(workers=2)


def _both(name: str, service: Service, against: Service) -> tuple[Variant, ...]:
    """On the allowed path, and where one address is refused."""
    return (
        Variant(f"{name}, allowed", service, ours=True, against=against),
        Variant(f"{name}, shed", service, load="shed", lead_in_seconds=3, ours=True, against=against),
    )


VARIANTS = (
    Variant("granian / uvicorn, bare endpoint", BARE_GRANIAN, against=BARE),
    *_both("granian / uvicorn", GRANIAN, GUARDED),
    Variant("unix socket / TCP, allowed", UNIX, ours=True, against=GUARDED),
    Variant("granian and unix socket / uvicorn and TCP, allowed", GRANIAN._replace(unix=True), against=GUARDED),
    Variant("granian, allowed / granian, bare endpoint", GRANIAN, ours=True, against=BARE_GRANIAN),
    Variant("two workers / one, bare endpoint", BARE_TWO, against=BARE),
    Variant("two workers / one, allowed", TWO, ours=True, against=GUARDED),
    Variant("two workers, allowed / two, bare endpoint", TWO, ours=True, against=BARE_TWO),
)
PLAN = Plan(rounds=12, rounds_per_start=4)


def main() -> None:
    quick = arguments.parser(__doc__).parse_args().quick
    plan = pairs.QUICK if quick else PLAN
    console = wide_console()
    found, about = pairs.measured(VARIANTS, plan, console)
    title = "Speed by server time, first set-up over second: median (95%)"
    reports = [one.report() for one in found]
    console.print(screen_table(title, pairs.pair_headings("speed"), pairs.pair_rows(reports)))
    kept = {"machine": about, "plan": plan.report(), "variants": reports}
    write_result("setups", kept, quick=quick)


if __name__ == "__main__":
    main()
