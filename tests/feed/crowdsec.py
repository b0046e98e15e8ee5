"""A private CrowdSec LAPI on loopback, with a machine and a bouncer; without its agent and its central API."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import Request, urlopen

from tests.feed.tools import tool
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S_MAX = 60
PROFILES = "name: nothing\nfilters:\n - Alert.Remediation == false\non_success: break\n"


class Lapi(NamedTuple):
    """`credentials`: the file of a machine. `key`: of a bouncer."""

    url: str
    credentials: Path
    key: str

    def decisions(self) -> list[dict[str, Any]]:
        """The decisions in force, as a bouncer reads them."""
        asked = Request(f"{self.url}/v1/decisions", headers={"X-Api-Key": self.key})
        with urlopen(asked, timeout=10) as answer:
            return json.load(answer) or []


@contextmanager
def lapi(folder: Path) -> Iterator[Lapi]:
    """`folder`: for its configuration and database."""
    port = free_port()
    config, credentials = folder / "config.yaml", folder / "machine.yaml"
    (folder / "profiles.yaml").write_text(PROFILES)
    (folder / "simulation.yaml").write_text("simulation: false\n")
    (folder / "hub").mkdir()
    (folder / "hub" / ".index.json").write_text("{}")
    credentials.write_text(f"url: http://127.0.0.1:{port}/\nlogin: none\npassword: none\n")
    config.write_text(json.dumps({  # JSON is YAML
        "common": {"log_media": "stdout", "log_level": "warning", "daemonize": False},
        "config_paths": {
            "config_dir": str(folder), "data_dir": str(folder), "simulation_path": f"{folder}/simulation.yaml",
            "hub_dir": f"{folder}/hub", "index_path": f"{folder}/hub/.index.json",
        },
        "db_config": {"type": "sqlite", "db_path": f"{folder}/crowdsec.db", "log_level": "error"},
        "api": {
            "client": {"credentials_path": str(credentials)},
            "server": {"listen_uri": f"127.0.0.1:{port}", "profiles_path": f"{folder}/profiles.yaml"},
        },
        "prometheus": {"enabled": False},
    }))  # fmt: skip
    cscli = [tool("cscli"), "-c", str(config)]
    url = f"http://127.0.0.1:{port}"
    subprocess.run(
        [*cscli, "machines", "add", "sekisho", "--auto", "--url", url, "--file", str(credentials), "--force"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    key = subprocess.run(
        [*cscli, "bouncers", "add", "tests", "-o", "raw"], check=True, capture_output=True, text=True
    ).stdout.strip()
    process = subprocess.Popen([tool("crowdsec"), "-c", str(config), "-no-cs", "-no-capi"], stdout=subprocess.DEVNULL)
    try:
        _await(url)
        yield Lapi(url, credentials, key)
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/health", timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("crowdsec did not start")
