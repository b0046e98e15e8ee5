"""The pytest plugin, in a suite of its own as services have them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SERVICE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from sekisho import LoginGuard

async def log_in(request):
    reported = hasattr(request.state, "sekisho")
    return PlainTextResponse("wrong", 401, headers={"x-report": str(reported)})

app = Starlette(routes=[Route("/login", log_in, methods=["POST"])])
app.add_middleware(LoginGuard)
"""
HEAD = """
import pytest
from starlette.testclient import TestClient
from shop import app

def codes(times):
    client = TestClient(app, base_url="https://testserver")
    return [client.post("/login", data={"username": "a", "password": str(n)}).status_code for n in range(times)]
"""

INI = "[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SERVICE)
    return tmp_path


def run(suite: Path, tests: str, ini: str = "") -> str:
    """Run a suite with the plugin; returns what pytest printed."""
    (suite / "test_it.py").write_text(HEAD + tests)
    (suite / "pytest.ini").write_text(INI + ini)
    # All other plug-ins of this environment would only take time to load.
    command = [sys.executable, "-m", "pytest", "-p", "sekisho.pytest_plugin", str(suite)]
    without = {name: value for name, value in os.environ.items() if not name.startswith(("SEKISHO_", "PYTEST"))}
    without["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=suite, env=without)
    return done.stdout + done.stderr


def test_no_guard_limits_the_suite_unless_a_test_is_marked(suite: Path) -> None:
    """The service's guard exists before the tests, and has neither a secret nor a store."""
    said = run(
        suite,
        """
def test_of_logins():
    assert codes(50) == [401] * 50

def test_that_reports_are_taken():
    answer = TestClient(app).post("/login", data={"username": "a", "password": "b"})
    assert answer.headers["x-report"] == "True"

@pytest.mark.sekisho(limit_account="5/10minute", challenges="none")
def test_the_policy():
    assert codes(6) == [401] * 5 + [429]

@pytest.mark.sekisho(limit_account="5/10minute", challenges="none")
def test_that_each_test_counts_from_zero(sekisho_clock):
    assert codes(6) == [401] * 5 + [429]
    sekisho_clock.advance(hours=1)
    assert codes(6) == [401] * 5 + [429]

def test_of_logins_once_more():
    assert codes(50) == [401] * 50
""",
    )
    assert "5 passed" in said, said
    assert "guards count in memory, mode monitor" in said


def test_a_mark_with_a_misspelt_setting_fails_its_test(suite: Path) -> None:
    """Otherwise every request is answered 503, and the test is about something else."""
    said = run(
        suite,
        """
def test_first():
    assert codes(1) == [401]

@pytest.mark.sekisho(limit_acount="5/10minute")
def test_misspelt():
    codes(1)
""",
    )
    assert "ERROR test_it.py::test_misspelt" in said, said
    assert "1 passed" in said
    assert "limit_acount: is no setting of sekisho; did you mean limit_account?" in said


def test_the_suite_chooses_the_usual_mode(suite: Path) -> None:
    """A suite that wants its limits everywhere says so once."""
    tests = """
def test_limits():
    assert set(codes(50)) == {401, 429}
"""
    assert "1 passed" in run(suite, tests, "sekisho_mode = enforce\n")
    assert "sekisho_mode is one of monitor, enforce, off" in run(
        suite, tests.replace("_limits", "_other"), "sekisho_mode = of\n"
    )


def test_the_test_in_the_documentation_passes(suite: Path) -> None:
    """Readers copy it."""
    page = Path(__file__).parents[2].joinpath("docs", "testing.md").read_text()
    example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert "1 passed" in run(suite, example)


@pytest.mark.filterwarnings("ignore:Using .httpx. with .starlette.testclient. is deprecated")
def test_the_walk_in_the_documentation_goes_as_it_says() -> None:
    """The second example of the page, before the README's application without its guard."""
    root = Path(__file__).parents[2]
    walk = re.findall(r"```python\n(.*?)```", (root / "docs" / "testing.md").read_text("utf-8"), re.DOTALL)[1]
    service = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)[0]
    exec(compile(service.partition("app.add_middleware(")[0] + walk, "testing.md", "exec", dont_inherit=True), {})
