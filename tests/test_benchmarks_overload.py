"""The overload benchmark has the promised rows and right figures."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import result
from benchmarks.overload import cells
from benchmarks.overload.__main__ import QUICK, main, rows, with_cell
from benchmarks.overload.cells import Cell
from benchmarks.overload.flood import CONNECTIONS_MAX, KINDS
from benchmarks.overload.page import page
from benchmarks.overload.soak import Look, grew
from benchmarks.picture import draw_overload

if TYPE_CHECKING:
    from pathlib import Path


def test_every_flood_is_there_and_five_times_of_it() -> None:
    """Every flood is there, with five times of it, at the rates that once refused owners, each its own row."""
    found = list(rows())
    by_rate = {(row.flood, row.factors, row.app): set[float]() for row in found}
    for row in found:
        by_rate[row.flood, row.factors, row.app].add(row.rate)

    assert len({row.name for row in found}) == len(found)
    assert by_rate["one address", False, "passwords"] == {5_400, 27_000}
    assert by_rate["300 addresses", False, "passwords"] == {150, 750}
    assert by_rate["fresh addresses", False, "passwords"] == {60, 300, 150, 750, 1_059, 5_295}
    assert by_rate["fresh addresses", True, "passwords"] == {70, 350, 150, 750, 800, 4_000}
    assert by_rate["slow bodies", False, "passwords"] == by_rate["idle connections", False, "passwords"] == {1, 5}
    assert by_rate["fresh addresses", False, "pool"] == by_rate["fresh addresses", False, "blocking"] == {150, 750}
    assert by_rate["", False, "blocking"] == by_rate["", True, "passwords"] == {0}


def test_the_quick_rows_are_rows() -> None:
    """The quick rows exist: a renamed one would be left out silently."""
    assert set(QUICK) <= {row.name for row in rows()}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_line_of_a_list_comes_twice(kind: str) -> None:
    """No line of a list repeats a password, which would be a spray."""
    sent = [KINDS[kind](number) for number in range(1_000)]

    assert len(set(sent)) == 1_000
    assert len({one.partition(b"password=")[2] for one in sent}) == 1_000


def test_addresses_are_as_many_as_the_name_says() -> None:
    def addresses(kind: str) -> int:
        sent = [KINDS[kind](number) for number in range(1_000)]
        return len({one.partition(b"X-Forwarded-For: ")[2].partition(b"\r\n")[0] for one in sent})

    assert [addresses(kind) for kind in ("one address", "300 addresses", "fresh addresses")] == [1, 300, 1_000]


def test_the_flood_sends_by_the_clock_until_it_is_told_to_end() -> None:
    """The flood sends by the clock, without waiting for answers, until told to end."""
    taken: list[socket.socket] = []
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as server:
        port = server.getsockname()[1]
        threading.Thread(target=_take, args=(server, taken, asked), daemon=True).start()
        command = [sys.executable, "-m", "benchmarks.overload.flood", str(port), "fresh addresses", "400"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flood:
            assert asked.wait(60)
            output, _ = flood.communicate(timeout=60)
    for one in taken:
        one.close()
    found = json.loads(output)

    assert found["sent"] >= 40
    assert found["statuses"] == {}


def _take(server: socket.socket, taken: list[socket.socket], asked: threading.Event) -> None:
    """Accept all of its connections, and wait until forty of them have asked."""
    while len(taken) < CONNECTIONS_MAX:
        taken.append(server.accept()[0])
    while len(select.select(taken, [], [], 60)[0]) < 40:
        time.sleep(0.01)
    asked.set()


def cell(**more: Any) -> Cell:
    empty: dict[str, Any] = dict.fromkeys(Cell._fields, 0) | {"row": "none", "known": 500, "honest": 100}
    return Cell(**{**empty, "statuses": {}, "refusals": {}, **more})


def kept() -> dict[str, Any]:
    about = {"processor": "p", "cores": 2, "kernel": "k", "python": "3", "commit": "c", "load_average_before": 0.1}
    cells = [cell(known_in=499, p50_ms=40.4, p99_ms=1_234.5, honest_in=99)._asdict()]
    return {"when": "2026-11-29", "machine": about, "known": 500, "cells": cells}


def test_the_page_says_how_many_were_let_in_and_how_fast() -> None:
    """The page shows how many known devices and honest strangers were let in, how fast, and the machine."""
    lines = list(page(kept()))

    assert "| none | 0 | 499 of 500 | 40 / 1,234 | 99 of 100 | 0 | 0.0 | 0 | 0 | 0.0 | c |" in lines
    assert any(line.startswith("500 log-ins of known devices in each row.") for line in lines)
    assert any("commit c, load before 0.1" in line for line in lines)


def test_a_short_run_says_that_it_is_one() -> None:
    """A short run says so: ten log-ins make no claim about one in a hundred."""
    assert not any("A first look" in line for line in page(kept()))
    assert any("A first look" in line for line in page({**kept(), "known": 10}))


def test_a_row_that_is_measured_again_says_when_and_at_which_commit() -> None:
    """A row measured again replaces the kept one, and the page names its commit: the table is of several runs then."""
    later = {**kept()["machine"], "commit": "d"}
    found = with_cell(kept(), cell(known_in=500), later, "2026-11-30")
    lines = list(page(found))

    assert [one["known_in"] for one in found["cells"]] == [500]
    assert any(line.startswith("Measured 2026-11-29") and "commit c," in line for line in lines)
    assert any(line.startswith("Measured again") and "none. Measured 2026-11-30" in line for line in lines)
    assert any("commit d," in line for line in lines)
    assert [line.split(" | ")[-1] for line in lines if line.startswith("| none ")] == ["d |"]


def test_a_row_that_was_never_measured_is_taken_over_as_well() -> None:
    found = with_cell(kept(), cell(row="a new flood"), kept()["machine"], "2026-11-30")

    assert [one["row"] for one in found["cells"]] == ["none", "a new flood"]


def test_a_row_of_a_quick_run_leaves_the_whole_result_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--again --quick` writes into the results of the quick run, and prints its page."""
    monkeypatch.setattr(result, "RESULTS", tmp_path)
    monkeypatch.setattr(result, "DOCS", tmp_path)
    monkeypatch.setattr(cells, "measured", lambda row, known: cell(row=row.name, known=known, known_in=known))
    for quick in (False, True):
        result.write_result("overload", {**kept(), "known": 10 if quick else 500}, quick=quick)
    whole = (tmp_path / "overload.json").read_bytes()
    monkeypatch.setattr(sys, "argv", ["overload", "--again", "--quick", "--only", "own pool, none"])

    main()

    assert (tmp_path / "overload.json").read_bytes() == whole
    assert json.loads((tmp_path / "overload-quick.json").read_text())["again"].keys() == {"own pool, none"}
    assert not (tmp_path / "overload.md").exists()
    assert "| own pool, none | 0 | 10 of 10 |" in capsys.readouterr().out


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw_overload(kept(), tmp_path / "overload.svg")

    assert "known devices" in (tmp_path / "overload.svg").read_text()


def test_what_grows_is_told_and_what_only_wavers_is_not() -> None:
    """Growth is told from wavering by the maxima of the first and the last third."""
    steady = [Look(80 + n % 3, 40 + n % 7, 12) for n in range(30)]
    leaks = [Look(80 + n, 40, 12 + 4 * n) for n in range(30)]

    assert grew(steady) == ""
    assert grew(leaks) == "tasks by 80"
    assert grew([Look(80 + 2 * n, 40 + 5 * n, 12) for n in range(30)]) == "rss_mib by 40, files by 100"
