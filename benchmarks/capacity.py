"""How many machines for how many attempts: `python -m benchmarks.capacity` writes the tables of `docs/capacity.md`.

All from what other benchmarks have left in `results/`. The arithmetic is here, and in words beside the tables.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.result import DOCS, read_result
from benchmarks.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = DOCS / "capacity.md"
BEGIN, END = "<!-- tables: python -m benchmarks.capacity -->\n", "<!-- end of tables -->"

RATES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
BUSY = 0.6  # of a core, at most: beyond it answers wait for each other
PRIMARIES_MAX = 64  # on a Cluster records live in as many slots
ACCOUNTS = 16_500_000  # those of 7pay: each may have been tried within 90 days
ADDRESSES = 200_000  # of its attackers
ADDRESS_RECORDS = 3  # address, device, and a network that is hardly ever shared
SECRETS_KEPT_S = 3_600  # the set of a secret's accounts is kept for an hour at most


class Costs(NamedTuple):
    """What an attempt costs: microseconds of a core, and bytes."""

    redis_us: float
    cluster_us: float
    worker_us: float
    cluster_worker_us: float
    redis_bytes: float
    cluster_bytes: float
    account_bytes: float

    @classmethod
    def read(cls) -> Costs:
        """From the results. Raises `SystemExit` where one is missing."""
        stores = _result("cluster")["stores"]
        few = min(row["at_once"] for row in stores)
        rows: dict[int, dict[str, Any]] = {}
        for row in stores:
            if row["at_once"] == few:
                rows[0 if row["store"] == "one Redis" else row["nodes"]] = row
        one, cluster = rows[0], rows[max(rows)]
        guarded = next(each for each in _result("http")["variants"] if each["ours"] and each["load"] == "fail")
        http = guarded["server_cpu_us"]["median"]
        return cls(
            one["redis_us"]["median"],
            # The busiest node's share, as though all were as busy: that one sets the limit.
            cluster["busiest_us"]["median"] * cluster["nodes"],
            http,
            http + cluster["worker_us"]["median"] - one["worker_us"]["median"],
            one["bytes_an_identity"]["median"],
            cluster["bytes_an_identity"]["median"],
            # Of the most that were measured: the more there are, the less each of them takes.
            _result("lua")["memory"][-1]["account_bytes"],
        )


def _result(stem: str) -> dict[str, Any]:
    found = read_result(stem, quick=False)
    if found is None:
        raise SystemExit(f"nothing has been measured yet: python -m benchmarks.{stem}")
    return found


class Plan(NamedTuple):
    """What carries a rate.

    Attributes:
        clusters: 0 is one Redis with a replica behind Sentinels.
        primaries: of each Cluster.
        busy: share of its core that each is busy for.
        gibibytes: that each primary holds.
        workers: processes of the service.
    """

    clusters: int
    primaries: int
    busy: float
    gibibytes: float
    workers: int


def plan(rate: int, costs: Costs) -> Plan:
    """The smallest that carries `rate` attempts a second."""
    single = rate * costs.redis_us / 1e6
    if single <= BUSY:
        return Plan(
            0, 1, single, _bytes(rate, costs.redis_bytes, costs.account_bytes) / 2**30, _workers(rate, costs.worker_us)
        )
    cores = rate * costs.cluster_us / 1e6
    clusters = ceil(cores / BUSY / PRIMARIES_MAX)
    primaries = max(3, ceil(cores / BUSY / clusters))
    held = _bytes(rate, costs.cluster_bytes, costs.account_bytes) / primaries / clusters / 2**30
    return Plan(clusters, primaries, cores / primaries / clusters, held, _workers(rate, costs.cluster_worker_us))


def _bytes(rate: int, identity: float, account: float) -> float:
    return account * ACCOUNTS + identity * (ADDRESSES * ADDRESS_RECORDS + rate * SECRETS_KEPT_S)


def _workers(rate: int, us: float) -> int:
    return ceil(rate * us / 1e6 / BUSY)


def capacity_tables(costs: Costs) -> Iterator[str]:
    rows = [
        ("Redis, all nodes", f"{costs.redis_us:.0f} µs of a core", f"{costs.cluster_us:.0f} µs"),
        ("a worker, with HTTP and a bare endpoint", f"{costs.worker_us:.0f} µs", f"{costs.cluster_worker_us:.0f} µs"),
        ("Redis's memory, for each identity", f"{costs.redis_bytes:.0f} bytes", f"{costs.cluster_bytes:.0f} bytes"),
        ("the same, for each account of many", *[f"{costs.account_bytes:.0f} bytes"] * 2),
    ]
    yield from markdown_table(("of an attempt", "one Redis", "a Cluster"), rows, column="---")
    yield ""
    headings = ("attempts a second", "Redis", "each is busy for", "each holds", "workers")
    yield from markdown_table(headings, (_plan_row(rate, plan(rate, costs)) for rate in RATES), column="---")


def _plan_row(rate: int, found: Plan) -> Sequence[str]:
    return f"{rate:,}", _servers(found), f"{found.busy:.0%}", f"{found.gibibytes:.1f} GiB", f"{found.workers:,}"


def _servers(found: Plan) -> str:
    if not found.clusters:
        return "one, and a replica"
    each = f"{found.primaries} primaries, {found.primaries} replicas"
    return each if found.clusters == 1 else f"{found.clusters} Clusters, each of {each}"


def main() -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    written = "\n".join(capacity_tables(Costs.read()))
    PAGE.write_text(f"{before}{BEGIN}\n{written}\n\n{END}{after}")
    print(written)


if __name__ == "__main__":
    main()
