"""Promised: a wrong setting stops the start with an error that names it and does not show its value."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.acceptance.processes import START_SECONDS_MAX, ended, environment

if TYPE_CHECKING:
    from pathlib import Path

VALUE = "hunter2-is-what-was-set"

WRONG = [
    pytest.param({"mode": VALUE}, "SEKISHO_MODE", id="a value that is none"),
    pytest.param({"limit_acount": "5/minute"}, "did you mean SEKISHO_LIMIT_ACCOUNT?", id="a name misspelt"),
    pytest.param({"secret": VALUE[:20]}, "SEKISHO_SECRET", id="a secret too short"),
    pytest.param({"store": f"redis://:{VALUE}@host:port/0"}, "SEKISHO_STORE", id="a store that is no URL"),
    pytest.param({"logout": f"POST /logout form:{VALUE}"}, "SEKISHO_LOGOUT", id="a log-out with fields"),
]


def uvicorn(*options: str, **settings: str) -> subprocess.Popen[str]:
    """Uvicorn as an operator starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "tests.acceptance.service:app", "--no-proxy-headers", *options],
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("settings", "told"), WRONG)
def test_the_server_exits_and_says_which(settings: dict[str, str], told: str) -> None:
    """Uvicorn exits with an error that names the setting, before it has served a request."""
    with ended(uvicorn("--port", "0", **settings)) as process:
        output, _ = process.communicate(timeout=START_SECONDS_MAX)

    assert process.returncode != 0
    assert told in output
    assert VALUE[:20] not in output
    assert "running on" not in output


def test_a_server_that_serves_on_answers_503_to_everything(tmp_path: Path) -> None:
    """A server without a lifespan serves on; every request gets a 503 that names the setting."""
    path = tmp_path / "s"
    with ended(uvicorn("--lifespan", "off", "--uds", str(path), mode=VALUE)) as process:
        _wait_until_it_listens(process)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://shop.test") as client:
            answers = [client.get("/"), client.post("/login", data={"username": "hana", "password": "right"})]

    for answered in answers:
        assert answered.status_code == 503
        assert "SEKISHO_MODE" in answered.text
        assert VALUE not in answered.text


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert any("running on" in line for line in process.stdout), "it has ended"


def test_the_right_settings_start() -> None:
    """With right settings the same command starts."""
    with ended(uvicorn("--port", "0")) as process:
        _wait_until_it_listens(process)
