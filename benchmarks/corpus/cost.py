"""What corpus and pairs add to an attempt: `python -m benchmarks.corpus cost [--quick] [--entries N] [--work DIR]`.

In process: the one call that the guard makes for each attempt (`BreachLookup.look`), in turns with the same call where
nothing is configured, and the steps inside it one by one. Over HTTP: the guard with both files in pairs with the guard
without them, by the machinery of `benchmarks.pairs`.

Both files are as large as at a real site, so that look-ups find the processor's caches as they would there.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks import measure
from benchmarks.corpus import common, synthetic
from benchmarks.corpus.synthetic import Synthetic
from benchmarks.measure import LOAD_CORE, SERVER_CORE, Service, median_interval
from benchmarks.pairs import GUARDED, Bench, Pairs, Plan, Variant
from benchmarks.result import interval_text
from benchmarks.tables import screen_table, wide_console
from sekisho.breach import pairs
from sekisho.breach.corpus_file import Corpus
from sekisho.breach.lookup import BreachLookup
from sekisho.breach.pairs import PairDigests
from sekisho.breach.reloadable_file import FileWatcher, ReloadableCorpus
from sekisho.cli.progress import Drawing, drawing
from sekisho.corpus import records
from sekisho.corpus.writer import write_sorted
from sekisho.model import Pair
from tests.servers import RedisServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.table import Table

KEY = "for-benchmarks-on-loopback-and-nothing-else-either"
LEAKED = 100_000  # passwords and pairs in the files that somebody can type; all others are made up as digests
WITH_CORPUS = Service("guarded_with_corpus")
VARIANTS = (
    Variant("wrong passwords", WITH_CORPUS, ours=True, against=GUARDED),
    Variant("right passwords", WITH_CORPUS, load="success", ours=True, against=GUARDED),
)


class Files(NamedTuple):
    corpus: Path
    pairs: Path


class Attempts(NamedTuple):
    """Accounts and passwords, and what the files know of them."""

    name: str
    typed: list[tuple[str, str]]


def measure_corpus_cost(options: argparse.Namespace) -> None:
    rounds = 6 if options.quick else 40
    # New processes every two rounds: where memory lies differs by more than what is to be seen here.
    plan = Plan(rounds=6, rounds_per_start=3, seconds=1) if options.quick else Plan(rounds, rounds_per_start=2)
    record = common.Record.begin("corpus-cost", {"rounds": rounds, "http_seconds": plan.seconds}, options)
    measure.require_tools()
    with common.work_folder(options) as folder:
        os.sched_setaffinity(0, {LOAD_CORE})
        with drawing() as drawn:
            files = make(Synthetic(options.entries), folder, drawn)
            os.sched_setaffinity(0, {SERVER_CORE})
            inside = in_process(files, rounds, 5_000 if options.quick else 50_000, drawn)
        os.sched_setaffinity(0, {LOAD_CORE})  # and with it Redis and wrk, which inherit it
        with drawing() as drawn:
            outside = over_http(files, plan, drawn)
    result = {"in_process": inside, "over_http": outside}
    wide_console().print(inside_table(inside), outside_table(outside))
    record.write(result)


def leaked(number: int) -> tuple[str, str]:
    """An account and a password that both files know."""
    return f"leaked{number:07d}@mail.example", f"Sunshine{number:07d}Blues!"


def fresh(number: int) -> tuple[str, str]:
    """An account and a password that neither knows."""
    return f"user{number:07d}@mail.example", f"wrong{number:07d}"


def make(source: Synthetic, folder: Path, drawn: Drawing) -> Files:
    """Both files, with `LEAKED` passwords and pairs of `leaked` among the made-up ones."""
    files = Files(folder / "passwords.corpus", folder / "pairs.corpus")
    digests = PairDigests(KEY.encode())
    some = [leaked(number) for number in range(LEAKED)]
    passwords = records.of_digests([_sha1(password) for _, password in some], count=40)
    kin = records.of_digests([make_one(*one) for one in some for make_one in (digests.exact, digests.stem)])
    drawn.begin("making both files", 2 * source.entries, "entries")
    write_sorted(files.corpus, _among(source, np.sort(passwords), drawn), kind="passwords")
    write_sorted(files.pairs, _among(source, np.sort(kin), drawn), kind="pairs", key_id=digests.key_id)
    drawn.end()
    return files


def _among(source: Synthetic, real: records.Records, drawn: Drawing) -> Iterator[records.Records]:
    """Made-up records with real ones among them, a partition at a time."""
    ends = np.arange(1, source.partitions, dtype=np.uint64) << np.uint64(64 - source.partition_bits)
    shares = np.split(real, np.searchsorted(real, ends))
    for heads, share in zip(source.ordered(), shares, strict=True):
        yield np.sort(np.concatenate((records.make(heads, synthetic.counts(heads)), share)))
        drawn.advance(len(heads))


def in_process(files: Files, rounds: int, count: int, drawn: Drawing) -> dict[str, Any]:
    """Microseconds that a look adds, by what the files know, and those of its steps."""
    digests = PairDigests(KEY.encode())
    corpus, listed = _live(files.corpus, "passwords"), _live(files.pairs, "pairs", digests.key_id)
    pairs_file = pairs.Pairs(listed, digests)
    lookout = FileWatcher([corpus, listed], time.monotonic)
    both = BreachLookup(corpus, pairs_file, lookout=lookout, clock_s=time.time).look
    neither = BreachLookup(lookout=FileWatcher([], time.monotonic)).look
    kinds = list(_kinds(count))
    _warm(both, kinds)
    added: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    steps = _steps(Corpus.open(files.corpus), corpus, pairs_file, kinds[0])
    spent: dict[str, list[float]] = {name: [] for name, _, _ in steps}
    drawn.begin("in process", rounds, "rounds")
    for number in range(rounds):
        for kind in kinds:
            looks = (neither, both) if number % 2 else (both, neither)  # the second one finds warmer caches
            took = {look: _us_each(look, kind.typed) for look in looks}
            added[kind.name].append(took[both] - took[neither])
        for name, step, arguments in steps:
            spent[name].append(_us_each(step, arguments) - _us_each(_nothing, arguments))
        drawn.advance(1)
    drawn.end()
    return {
        "added_us": {name: median_interval(values)._asdict() for name, values in added.items()},
        "steps_us": {name: median_interval(values)._asdict() for name, values in spent.items()},
    }


def _kinds(count: int) -> Iterator[Attempts]:
    count = min(count, LEAKED)
    yield Attempts("neither known", [fresh(number) for number in range(count)])
    yield Attempts("password known", [(fresh(number)[0], leaked(number)[1]) for number in range(count)])
    yield Attempts("password and pair known", [leaked(number) for number in range(count)])


def _warm(look: Callable[..., Any], kinds: Sequence[Attempts]) -> None:
    """Bring the pages in. Raises `SystemExit` where the files do not know what they must."""
    neither, password, both = ([look(*one) for one in kind.typed] for kind in kinds)
    sound = (
        all(one.password and one.pair is Pair.EXACT for one in both)
        and all(one.password and one.pair is Pair.ABSENT for one in password)
        and sum(1 for one in neither if one.password or one.pair) <= 1  # a false positive may be among them
    )
    if not sound:
        raise SystemExit("the files do not hold what is measured")


def _steps(
    corpus: Corpus, live: ReloadableCorpus, pairs_file: pairs.Pairs, kind: Attempts
) -> list[tuple[str, Any, Any]]:
    """Each step of a look at what neither file knows, with its arguments."""
    digests = [(_sha1(password),) for _, password in kind.typed]
    return [
        ("SHA-1 of the password", _sha1, [(password,) for _, password in kind.typed]),
        ("Corpus.find", corpus.find, digests),
        ("LiveCorpus.find, that in it", live.find, digests),
        ("Pairs.find", pairs_file.find, kind.typed),
    ]


def _us_each(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> float:
    begun = time.perf_counter_ns()
    for each in arguments:
        call(*each)
    return (time.perf_counter_ns() - begun) / 1000 / len(arguments)


def _nothing(*_arguments: Any) -> None:
    """What calling costs."""


def _sha1(password: str) -> bytes:
    return hashlib.sha1(password.encode(), usedforsecurity=False).digest()


def _live(path: Path, kind: str, key_id: str = "") -> ReloadableCorpus:
    return ReloadableCorpus(path, kind=kind, key_id=key_id, on_change=lambda _usable: None)


def over_http(files: Files, plan: Plan, drawn: Drawing) -> dict[str, Any]:
    """Server time per request of the guard with both files, by pairs with the guard without."""
    environment = {"BENCH_CORPUS": str(files.corpus), "BENCH_PAIRS": str(files.pairs), "BENCH_PAIRS_KEY": KEY}
    with RedisServer() as redis:
        bench = Bench(VARIANTS, plan, redis, environment)
        drawn.begin("over HTTP", bench.slices, "slices")
        for _ in bench.measure_slices():
            drawn.advance(1)
        drawn.end()
        version = redis.cli("INFO", "server")["redis_version"]
    return {"redis": version, "loads": [_report(measured) for measured in bench.measured]}


def _report(measured: Pairs) -> dict[str, Any]:
    couples = [(one.cpu_us, other.cpu_us) for one, other in zip(measured.bare, measured.guarded, strict=True)]
    return {
        "name": measured.variant.name,
        "without_us": median_interval([without for without, _ in couples])._asdict(),
        "with_us": median_interval([with_both for _, with_both in couples])._asdict(),
        "added_us": median_interval([with_both - without for without, with_both in couples])._asdict(),
        "ratio": median_interval([with_both / without for without, with_both in couples])._asdict(),
        "pairs_us": couples,
    }


def inside_table(inside: dict[str, Any]) -> Table:
    added = [(f"a look adds, {name}", interval_text(us)) for name, us in inside["added_us"].items()]
    steps = [(f"  {name}", interval_text(us)) for name, us in inside["steps_us"].items()]
    return screen_table("In process, microseconds: median (95%)", ("what", "µs"), [*added, *steps])


def outside_table(outside: dict[str, Any]) -> Table:
    title = "Over HTTP, server time per request with both files, by pairs with the guard without: median (95%)"
    return screen_table(title, LOAD_HEADINGS, map(load_cells, outside["loads"]))


LOAD_HEADINGS = ("load", "without, µs", "with, µs", "added, µs", "ratio")


def load_cells(row: dict[str, Any]) -> list[str]:
    """The row of a load, for the screen and the page."""
    figures = [interval_text(row[name], ".1f") for name in ("without_us", "with_us", "added_us")]
    return [row["name"], *figures, interval_text(row["ratio"], ".3f")]
