"""Pairs of slices and their servers: real processes and made-up figures."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from benchmarks import figures, latency, measure, over_http, setups
from benchmarks.growth import CURVES, FIGURES, growth_table
from benchmarks.measure import Server, Service, Slice, family, median_interval
from benchmarks.pairs import GUARDED, Pairs, Plan, Variant
from tests.servers import free_port

if TYPE_CHECKING:
    from tests.servers import RedisServer

MACHINE = {
    "processor": "p",
    "cores": 2,
    "kernel": "k",
    "python": "3",
    "redis": "7",
    "commit": "c",
    "load_average_before": 0.1,
}


def one(cpu_us: float, *, requests: int = 1_000, reached: int = 1_000) -> Slice:
    return Slice(cpu_us, 10.0, 1e6 / cpu_us, 1.0, 2.0, requests, reached)


def pairs(name: str, cpu_us: float, *, ours: bool = False) -> Pairs:
    """Six pairs, in which bare takes 30 µs."""
    variant = Variant(name, GUARDED, ours=ours)
    return Pairs(variant, [one(30)] * 6, [one(cpu_us)] * 6)


def test_ours_is_held_against_every_peer_and_the_fastest_first() -> None:
    """Our server time is compared with every peer's, round by round, the fastest first; ours is no peer."""
    found = [pairs("ours", 60, ours=True), pairs("slow", 240), pairs("fast", 120)]

    assert {name: times["median"] for name, times in over_http.over_peers(found).items()} == {"fast": 2.0, "slow": 4.0}
    assert (over_http.over_fastest_peer(found) or {})["peer"] == "fast"


def test_without_ours_there_is_no_ratio() -> None:
    """`--only` of a peer measures that one alone."""
    assert over_http.over_fastest_peer([pairs("fast", 120)]) is None


@pytest.mark.parametrize(
    ("load", "script", "reached", "fits"),
    [
        ("fail", "attack.lua", 1_000, True),
        ("fail", "attack.lua", 999, False),
        ("shed", "attack.lua", 20, True),
        ("shed", "attack.lua", 80, False),
        ("0.25", "share.lua", 760, True),
        ("0.25", "share.lua", 1_000, False),
    ],
)
def test_a_variant_must_do_what_it_is_measured_for(load: str, script: str, reached: int, *, fits: bool) -> None:
    """A variant must do its job: refusing is fast on the allowed path, passing on the other."""
    assert Variant("any", GUARDED, load=load, script=script).fits(one(50, reached=reached)) is fits


def test_every_variant_has_a_name_of_its_own() -> None:
    """The comparison with a kept result knows them by nothing else."""
    for variants in (over_http.VARIANTS, setups.VARIANTS, [variant for curve in CURVES for _, variant in curve.points]):
        names = [variant.name for variant in variants]
        assert len(set(names)) == len(names)


def test_children_are_of_the_family() -> None:
    """A server's workers are its children, and their time is the server's."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        try:
            assert family(shell.pid) == [shell.pid, child]
        finally:
            subprocess.run(["kill", str(child)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_are_counted_together(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """Every passed attempt is counted, at any worker."""
    monkeypatch.setattr(measure, "pinned", lambda *_cores: [])  # nothing is timed here
    with Server("benchmarks.apps.bare:app", free_port(), {}, workers=workers) as server:
        server.wait_until_up()
        for _ in range(20):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"{server.url}/login", data=b"username=u&password=wrong", timeout=10)

        assert server.reached() == 20
        assert server.cpu_seconds() > 0


@pytest.mark.parametrize(("unix", "start"), [(False, "redis://127.0.0.1:"), (True, "redis+unix:///")])
def test_a_service_finds_its_redis(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer, start: str, *, unix: bool
) -> None:
    """A service finds its Redis over TCP or unix socket, with its own variables over the common ones."""
    started: list[dict[str, str]] = []
    monkeypatch.setattr(measure, "Server", lambda _app, _port, environment, **_how: started.append(environment))
    Service("guarded", unix=unix, settings=(("BENCH_LIMITS", "2"),)).start(
        redis_server, {"BENCH_LIMITS": "1", "A": "b"}
    )

    assert started[0]["BENCH_STORE"].startswith(start)
    assert (started[0]["BENCH_LIMITS"], started[0]["A"]) == ("2", "b")


RESULT = {"when": "2026-01-01", "machine": MACHINE}


def test_the_page_shows_what_was_measured_and_nothing_else() -> None:
    """The page has each measured part from the reports, and no heading for others."""
    found = [pairs("ours", 60, ours=True), pairs("fast", 120)]
    http = RESULT | {
        "plan": Plan().report(),
        "variants": [each.report() for each in found],
        "over_peers": over_http.over_peers(found),
    }
    text = "\n".join(figures.page({"http": http, "growth": None}))

    ours = "| ours | 50.0% (50.0% - 50.0%) | 60.0 (60.0 - 60.0) | 30.0 (30.0 - 30.0) | 10.0 | 16,667 | 1.0 / 2.0 |"
    assert ours in text
    assert "| fast | 2.00 (2.00 - 2.00) |" in text
    assert "As something grows" not in text


def test_a_rate_at_which_every_run_was_refused_is_said_to_be() -> None:
    """A rate at which every run was refused is reported so, without a figure."""
    point = {
        "service": "bare",
        "share": 0.5,
        "of": "bare",
        "rate": 20_000.0,
        "runs": 0,
        "refused": ["late"] * 3,
        "late_p99_us": None,
        "latency_us": {},
    }
    found = RESULT | {
        "plan": latency.QUICK._asdict(),
        "saturation": {"bare": 40_000.0, "guarded": 8_000.0},
        "points": [point],
        "p99_at_half": latency.at_half({}),
    }
    text = "\n".join(figures.page({"latency": found}))

    assert "| bare at 50% of bare | 20,000 | refused | refused | refused | refused |  | 0 / 3 |" in text
    assert "p99 at half of saturation, over bare at the same rate: every run was refused" in text


def test_a_curve_is_a_row_for_each_point() -> None:
    """Of the table on the screen and of the page alike."""
    point = {name: median_interval([60.0])._asdict() for name in FIGURES}
    curve = {"name": "limits", "scale": "linear", "points": [{"at": 1, **point}, {"at": 2, **point}]}
    text = "\n".join(figures.page({"growth": RESULT | {"curves": [curve]}}))

    assert growth_table([curve]).row_count == text.count("60.0 (60.0 - 60.0) | 60.0 (60.0 - 60.0) |") == 2
