"""What stands under examples/deploy: a real Prometheus finds every sample that the dashboard and the alerts ask for."""

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from sekisho.metrics import ALL_FAMILIES
from tests.acceptance.processes import worker
from tests.metrics.prometheus import prometheus, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
TOKEN = "a-token-of-forty-characters-for-the-test"
BOARD = json.loads((DEPLOY / "grafana" / "sekisho.json").read_text())
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]


def test_the_dashboard_is_what_its_program_writes() -> None:
    """The committed file is the output of the program beside it."""
    made = runpy.run_path(str(DEPLOY / "grafana" / "dashboard.py"))
    assert json.loads(made["written"]()) == BOARD
    assert len(QUERIES) >= 15


def test_every_query_finds_samples(redis_url: str, tmp_path: Path) -> None:
    """After attempts of every sort each query of the dashboard has samples in a real Prometheus."""
    settings = {"store": redis_url, "metrics_token": TOKEN, "limit_ip": "20/hour", "namespace": "deploy"}
    with worker(**settings) as url, prometheus(tmp_path, url, TOKEN) as server:
        server.wait_for("sekisho_info")
        for password in ("right", *(f"wrong {number}" for number in range(12))):
            _post(url, urlencode({"username": "hana", "password": password}))
        _post(url, "username=hana&username=ren&password=x")
        server.wait_for("sekisho_outcomes_total > 0")
        # A second round: a rate wants a sample before and one after.
        for number in range(12):
            _post(url, urlencode({"username": f"ren-{number}", "password": "wrong"}))
        _post(url, "username=hana&username=ren&password=x")
        for query in QUERIES:
            assert server.wait_for(query), query


def _post(url: str, form: str) -> None:
    try:
        urlopen(f"{url}/login", data=form.encode(), timeout=10).close()
    except HTTPError as refused:
        refused.close()


@pytest.mark.parametrize(
    "command",
    ["check rules rules.yml", "test rules rules_test.yml", "check config --syntax-only prometheus.yml"],
)
def test_promtool_accepts(command: str) -> None:
    """The alerts are valid, and fire and keep silent as their tests say."""
    done = subprocess.run(
        [tool("promtool"), *command.split()], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_and_alerts_name_families_that_exist() -> None:
    """A renamed family would leave a panel empty, and an alert silent for good."""
    known = {f"sekisho_{family.name}_total" for family in ALL_FAMILIES} | {
        "sekisho_info", "sekisho_workers", "sekisho_store_up", "sekisho_corpus_age_seconds", "sekisho_strangers",
        "sekisho_strangers_max", "sekisho_decision_seconds_bucket", "sekisho_posture",
    }  # fmt: skip
    rules = (DEPLOY / "prometheus" / "rules.yml").read_text()
    assert set(_names(" ".join([*QUERIES, rules]))) <= known


def _names(text: str) -> Iterator[Any]:
    words = text.replace("(", " ").replace("{", " ").replace(")", " ").replace("[", " ").split()
    return (word for word in words if word.startswith("sekisho_"))
