"""`sekisho corpus fetch` against a test server. Politeness and checks are tested in `tests/breach`."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import FAILED, INTERRUPTED, MISUSED, main
from tests.acceptance.processes import ended
from tests.breach.ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANGES = Ranges(rows=50)


class Handler(BaseHTTPRequestHandler):
    """The range API over HTTP/1.1, without range 00013, and with an endless answer for 00020."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        prefix = self.path.removeprefix("/range/")
        if prefix == "00020":
            stalled.set()
            self.connection.recv(1)  # until the client has disconnected
            return
        body = RANGES.body(prefix)
        self.send_response(404 if prefix == "00013" else 200)
        self.send_header("ETag", f'"{prefix}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


stalled = threading.Event()


@pytest.fixture
def url() -> Iterator[str]:
    with served() as found:
        yield found


@contextmanager
def served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/range/"
        server.shutdown()
        thread.join()


def test_what_is_fetched_is_said_and_so_is_what_comes_next(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary shows the next command to copy, also for a folder with a blank in its name."""
    folder = tmp_path / "my ranges"
    assert main(["corpus", "fetch", str(folder), "--only", "0000", "--url", url, "--connections", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{folder}: all 16 ranges. 16 were fetched (")
    assert said.out.endswith(f"\nNext: sekisho corpus build --partial passwords.corpus '{folder}'\n")
    assert said.err.startswith("fetching: 16 ranges\n")
    assert gzip.decompress((folder / "0000F.gz").read_bytes()) == RANGES.body("0000F")


def test_machines_get_figures(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the figures; the second time, that all was there."""
    line = ["corpus", "fetch", str(tmp_path / "ranges"), "--only", "0000", "--url", url, "--json"]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["complete"], told["problem"], told["fetched"], told["failed"]) == (True, "", 16, {})


def test_a_missing_range_is_a_failure(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing range is named, with exit code 1: a corpus with a gap reports leaked passwords as unknown."""
    line = ["corpus", "fetch", str(tmp_path / "ranges"), "--only", "0001", "--url", url]
    assert main([*line, "--json"]) == FAILED
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["complete"], told["fetched"], told["failed"]) == (False, 15, {"00013": "HTTP 404"})
    assert "sekisho corpus fetch: 1 range is missing: 00013 (HTTP 404)" in said.err
    assert main(line) == FAILED
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "given", [("--connections", "0"), ("--connections", "99"), ("--requests", "1000"), ("--only", "xyz")]
)
def test_numbers_have_bounds(given: tuple[str, str], tmp_path: Path) -> None:
    """Numbers have bounds: a thousand connections to a free service are abuse."""
    with pytest.raises(SystemExit, match=str(MISUSED)):
        main(["corpus", "fetch", str(tmp_path / "ranges"), *given])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupted_it_says_how_to_go_on(by: signal.Signals, code: int, url: str, tmp_path: Path) -> None:
    """Interrupted (Ctrl-C, service manager, closed terminal), it says how to continue and leaves no partial file."""
    stalled.clear()
    folder = tmp_path / "ranges"
    fetching = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.shown", "corpus", "fetch", str(folder), "--only", "0002", "--url", url],
        stderr=subprocess.PIPE,
        text=True,
    )
    with ended(fetching) as process:
        assert stalled.wait(60)
        process.send_signal(by)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.splitlines()[-1] == "Interrupted. Run it again to resume."
    assert not list(folder.glob("*.part"))
