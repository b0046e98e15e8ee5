"""A private Prometheus that reads one service: found or installed, never skipped; on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import urlopen

from tests.servers import free_port, on_path_or_from_apt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S_MAX = 60


@contextmanager
def prometheus(folder: Path, url: str, token: str) -> Iterator[Prometheus]:
    """Reads a service's metrics every second. `url`: without a path. `folder`: for its configuration and data."""
    (folder / "token").write_text(token)
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [
                    {
                        "job_name": "sekisho",
                        "metrics_path": "/sekisho/metrics",
                        "authorization": {"credentials_file": str(folder / "token")},
                        "static_configs": [{"targets": [url.removeprefix("http://")]}],
                    }
                ],
            }
        )
    )
    port = free_port()
    process = subprocess.Popen(
        [tool("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


class Prometheus:
    def __init__(self, url: str) -> None:
        self._url = url

    def samples(self, query: str) -> list[Any]:
        """The samples of a query now; empty while the server starts."""
        try:
            with urlopen(f"{self._url}/api/v1/query?query={quote(query)}", timeout=10) as answer:
                found: list[Any] = json.load(answer)["data"]["result"]
                return found
        except OSError:
            return []

    def wait_for(self, query: str) -> list[Any]:
        """The samples of a query, once there are any. Raises `AssertionError` where there are none in a minute."""
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if found := [one for one in self.samples(query) if one["value"][1] != "NaN"]:
                return found
            time.sleep(0.5)
        raise AssertionError(f"no sample of {query}")


def tool(name: str) -> str:
    """The path of `prometheus` or `promtool`: on PATH, or from Debian's package (as root)."""
    return on_path_or_from_apt(name, "prometheus", lambda: shutil.which(name))
