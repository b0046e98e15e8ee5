"""What a replay has found: on the screen, as JSON and picture, and as a page of the documentation."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from benchmarks import measure
from benchmarks.result import draw_result, machine_text, read_result, write_page, write_result
from benchmarks.tables import markdown_table, screen_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

Series: TypeAlias = "Sequence[Mapping[str, float]]"

POINTS_MAX = 120
NOTES = (
    "No bot does the proof of work that it is asked for; separate rows show the result if all bots did it. Attacks "
    "that reach the password check have their answer sealed until a second proof, which only an owner can give. "
    "Latencies are those of a worker whose callers are all busy, not of a service with spare capacity. With so many "
    "attempts in flight and time running faster, a worker learns of a refusal only about a second of the scenario's "
    "time after it: it asks Redis more often than in reality, and its shed takes over later. Redis's memory is an "
    "upper bound, because the lifetimes of records are divided by slightly less than time is."
)
GIB, MIB = 2**30, 2**20
REASONS_SHOWN = 14

SUMMARY = ("figure", "measured", "target")
VERDICTS = ("client", "decision", "reasons", "attempts")
CLAIMS = ("two counts that must be equal", "first", "second", "")


class Figure(NamedTuple):
    """A row of the table. `target`: what it should be; empty where nothing is asked of it."""

    name: str
    measured: str
    target: str = ""


def nothing_lost(found: Mapping[str, Any]) -> bool:
    return all(claim["kept"] for claim in found["proof"]["claims"])


def write_replay(found: dict[str, Any], *, quick: bool) -> None:
    """Write JSON, picture and page."""
    kept = write_result("replay", {"machine": measure.machine()} | shortened(found), quick=quick)
    draw_result("replay", kept, quick=quick)
    write_replay_page(quick=quick)


def write_replay_page(*, quick: bool) -> None:
    """Write the page anew, from the JSON."""
    kept = read_result("replay", quick=quick)
    if kept is None:
        raise SystemExit("nothing has been replayed yet")
    write_page("replay.md", page(kept), quick=quick)


def shortened(found: Mapping[str, Any]) -> dict[str, Any]:
    """With rates instead of running totals, and no more points than a picture can show."""
    series = rates(found["series"])
    step = -(-len(series) // POINTS_MAX) or 1
    return {**found, "series": [mean(series[at : at + step]) for at in range(0, len(series), step)]}


def rates(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Between each two samples of one run: attempts a second, shares of a core, and what was held at its end."""
    rows = []
    for before, after in pairwise(samples):
        seconds = after["seconds"] - before["seconds"]
        asked = after["asked"] - before["asked"]
        # A continued replay starts new processes, whose times begin anew.
        if after["run"] != before["run"] or seconds <= 0 or _workers(before) != _workers(after):
            continue
        row = {
            "seconds": after["seconds"],
            "scenario_hours": after["scenario_seconds"] / 3600,
            "pace_told": after["pace_told"],
            "pace": (after["scenario_seconds"] - before["scenario_seconds"]) / seconds,
            "attempts_per_second": (_sent(after) - _sent(before)) / seconds,
            "asked_per_second": asked / seconds,
            "script_us": (after["script_seconds"] - before["script_seconds"]) * 1e6 / max(1, asked),
            "redis_cores": (after["cpu_seconds"] - before["cpu_seconds"]) / seconds,
            "redis_used_mib": after["used_bytes"] / MIB,
            "redis_rss_mib": after["rss_bytes"] / MIB,
            "keys": after["keys"],
            "batch": asked / max(1, after["calls"] - before["calls"]),
        }
        workers = zip(before["workers_cpu_seconds"], after["workers_cpu_seconds"], strict=False)
        row["workers_cores"] = sum(then - now for now, then in workers) / seconds
        row["worker_rss_mib"] = max(after["workers_rss_bytes"], default=0) / MIB
        rows.append(row)
    return rows


def _workers(sample: Mapping[str, Any]) -> int:
    return len(sample["workers_rss_bytes"])


def _sent(sample: Mapping[str, Any]) -> int:
    return int(sample["attacks"] + sample["logins"])


def mean(rows: Series) -> dict[str, float]:
    return {name: round(sum(row[name] for row in rows) / len(rows), 3) for name in rows[0]}


# The figures that are asked for, and what they should be.


def summary(found: Mapping[str, Any]) -> Iterator[Figure]:
    """Return the figures in the order of the table."""
    counts, scenario = found["tally"]["counts"], found["scenario"]
    sent = counts["sent_attacks"] + counts["sent_logins"]
    planned = f"{scenario['attempts']:,} attacks, {scenario['logins']:,} log-ins and their typing errors"
    latency = " / ".join(f"{ms:.1f}" for ms in found["latency_ms"].values())
    yield Figure("attempts", f"{sent:,}", planned)
    yield Figure("time", f"{found['seconds'] / 60:.1f} min", "≤ 30 min at full size")
    yield Figure("attempts a second", f"{sent / found['seconds']:,.0f}")
    yield Figure("assess, p50 / p99 / p99.9", f"{latency} ms", "with all callers busy")
    if found["series"]:
        yield from _of_memory(found["series"])
        yield from _of_time(found["series"])
    yield from _of_attacks(Counter(counts), scenario["attempts"], found["expected"])
    yield from _of_owners(Counter(counts))


def _of_memory(series: Series) -> Iterator[Figure]:
    most = {name: max(row[name] for row in series) for name in series[0]}
    redis = f"{most['redis_used_mib']:,.0f} / {most['redis_rss_mib']:,.0f} MiB"
    second = [row["worker_rss_mib"] for row in series[len(series) // 2 :]]
    yield Figure("Redis memory, used / resident", redis, "≤ 4 GiB")
    yield Figure("keys, maximum", f"{most['keys']:,.0f}")
    yield Figure("worker's resident memory, maximum", f"{most['worker_rss_mib']:,.0f} MiB", "≤ 300 MiB")
    yield Figure("worker's resident memory, growth in the second half", f"{second[-1] - second[0]:+,.0f} MiB", "flat")


def _of_time(series: Series) -> Iterator[Figure]:
    cores = f"{_average(series, 'workers_cores'):.2f} / {_average(series, 'redis_cores'):.2f}"
    divided = f"lifetimes of records divided by {_average(series, 'pace_told'):.0f}"
    slow = sum(row["pace"] < row["pace_told"] for row in series)
    yield Figure("script time per charge", f"{_weighted(series, 'script_us'):.1f} µs")
    yield Figure("charges per call", f"{_weighted(series, 'batch'):.0f}")
    yield Figure("cores: workers / Redis", cores)
    yield Figure("scenario time to real time", f"{_average(series, 'pace'):.0f}", divided)
    yield Figure("points at which time ran slower than that", f"{slow} of {len(series)}", "few")


def _of_attacks(counts: Counter[str], attempts: int, expected: Mapping[str, int]) -> Iterator[Figure]:
    admitted = f"≤ {_share(expected['admitted'], attempts)} by the limits"
    looked_at = f"; ≤ {_share(expected['looked_at'], attempts)} by the limits" if expected["looked_at"] else ""
    in_no_corpus = f"{counts['right_unlisted_admitted']:,} of them in no corpus"
    by_work = f"{counts['without_factor_let_in_for_work']:,} more for bots that do the work"
    yield Figure("attacks refused by the shed", _share(counts["shed"], attempts))
    yield Figure("attacks within the limits", _share(counts["admitted"], attempts), admitted)
    yield Figure("attacks that reached the password check", _share(counts["looked_at"], attempts), f"≤ 1%{looked_at}")
    yield Figure("further ones, if every bot did the proof of work", _share(counts["work_asked"], attempts))
    yield Figure("right passwords within the limits", f"{counts['right_admitted']:,}", in_no_corpus)
    yield Figure("takeovers of accounts with a factor", f"{counts['taken']:,}", "0")
    yield Figure("takeovers if accounts had no factor", f"{counts['without_factor_let_in']:,}", by_work)


def _of_owners(counts: Counter[str]) -> Iterator[Figure]:
    right = counts["right_logins"]
    yield Figure("owners refused", _share(counts["owners_refused"], right), "≤ 0.01%")
    yield Figure("owners asked for a second proof", _share(counts["owners_proved"], right), "new devices")


def _share(part: float, whole: float) -> str:
    return f"{part:,.0f} ({part / max(1, whole):.3%})"


def _average(series: Series, name: str) -> float:
    return sum(row[name] for row in series) / len(series)


def _weighted(series: Series, name: str) -> float:
    asked = sum(row["asked_per_second"] for row in series)
    return sum(row[name] * row["asked_per_second"] for row in series) / max(1e-9, asked)


def replay_tables(found: Mapping[str, Any]) -> list[Table]:
    """For the screen."""
    found = shortened(found)
    return [
        screen_table("The replay", SUMMARY, summary(found)),
        screen_table("Verdicts", VERDICTS, _verdicts(found)),
        screen_table("Was anything lost?", CLAIMS, _claims(found)),
    ]


def _verdicts(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    rows = found["verdicts"]
    for who, asked, reasons, times in rows[:REASONS_SHOWN]:
        yield who, asked.replace("_", " "), ", ".join(reasons.split("+")) or "–", f"{times:,}"
    if rest := sum(row[-1] for row in rows[REASONS_SHOWN:]):
        yield f"{len(rows) - REASONS_SHOWN} other combinations", "", "", f"{rest:,}"


def _claims(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for claim in found["proof"]["claims"]:
        yield claim["text"], f"{claim['here']:,}", f"{claim['there']:,}", "kept" if claim["kept"] else "BROKEN"


def page(found: Mapping[str, Any]) -> Iterator[str]:
    """The lines of docs/replay.md."""
    yield "# Two days in minutes"
    yield ""
    yield (
        "`python -m benchmarks.replay figures` writes this page from `benchmarks/results/replay.json`; "
        "`benchmarks/README.md` describes the method."
    )
    yield ""
    yield "![Rate, memory, processor time, and decisions on the attempts](../benchmarks/results/replay.svg)"
    yield ""
    yield _scene(found["scenario"])
    yield ""
    yield from markdown_table(SUMMARY, summary(found))
    yield ""
    yield NOTES
    yield from ("", "## Decisions", "")
    yield from markdown_table(VERDICTS, _verdicts(found))
    yield from ("", "## Was anything lost?", "")
    yield from markdown_table(CLAIMS, _claims(found))
    yield ""
    yield _followed(found["proof"])
    yield ""
    yield _made(found)


def _scene(scenario: Mapping[str, Any]) -> str:
    shifts = scenario["shifts"]
    return (
        f"{scenario['title']}: {scenario['attempts']:,} attempts in {scenario['seconds'] / 3600:.1f} hours, "
        f"{scenario['per_second']:,.0f} a second, from {scenario['addresses']:,} addresses, of which "
        f"{scenario['rented_share']:.0%} are rented in blocks of {scenario['block']} in a /24, and the others are "
        f"alone in theirs. {scenario['crew']:,} addresses attack at a time, then the next {scenario['crew']:,}, in "
        f"{shifts} turn{'s' if shifts > 1 else ''}. {scenario['known_share']:.0%} of the attempts target one of "
        f"{scenario['owners']:,} accounts, {scenario['right_share']:.1%} have the right password, and a fifth of those "
        f"passwords is in no corpus. Meanwhile {scenario['logins']:,} owners log in, "
        f"{scenario['known_devices_share']:.0%} of them from a known device, each from a separate address."
    )


def _followed(proof: Mapping[str, Any]) -> str:
    followed, repeated = proof["followed"], proof["repeated"]
    return (
        f"{followed['accounts']:,} accounts were followed through all their charges and settlements, and "
        f"{followed['cleared']:,} more whose failures a second proof cleared meanwhile. "
        f"{repeated['charges']:,} charges were made twice, because a worker was killed before it recorded them."
    )


def _made(found: Mapping[str, Any]) -> str:
    plan, runs = found["plan"], found["runs"]
    compiled = "compiled" if plan["compiled"] else "not compiled"
    return (
        f"{plan['workers']} workers, {compiled}, with {plan['callers']} callers each, in {runs} "
        f"run{'s' if runs > 1 else ''}. "
        f"Measured {found['when']}: {machine_text(found['machine'])}."
    )
