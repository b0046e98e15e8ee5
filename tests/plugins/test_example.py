"""The example's package is installed, named in SEKISHO_PLUGINS, and does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho import testing
from tests.asgi.driving import FORM as OF_FORMS
from tests.asgi.driving import RULED, Shop, ask, form, http, log_in

if TYPE_CHECKING:
    from sekisho import LoginGuard

PACKAGE = Path(__file__).parents[2] / "examples" / "plugins"
EXIT, ELSEWHERE = "198.51.100.9", "203.0.113.9"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder into which pip has put the package."""
    folder = tmp_path_factory.mktemp("plugins")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(PACKAGE)], check=True)
    return str(folder)


@pytest.fixture
def shop(installed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoginGuard:
    """A guarded shop with all three plug-ins."""
    (tmp_path / "exits").write_text(f"{EXIT}\n")
    monkeypatch.setenv("SHOP_TOR_EXITS", str(tmp_path / "exits"))
    monkeypatch.setenv("SHOP_QUIZ_ANSWER", "oolong")
    monkeypatch.syspath_prepend(installed)
    return testing.guarded(
        Shop(),
        login=RULED,
        challenges="pow",
        plugins="signals:tor,challenges:tea,sinks:syslog",
        limit_account="9/minute",
        limit_ip="9/minute",
    )


async def test_strangers_at_an_exit_solve_the_quiz(shop: LoginGuard) -> None:
    """A stranger there is asked for the quiz or work; an answer counts once; a known device is asked for nothing."""
    here = await log_in(shop, client=ELSEWHERE)
    asked = await log_in(shop, client=EXIT, headers=[(b"accept", b"application/json")])
    wrong = await log_in(shop, client=EXIT, headers=[(b"sekisho-captcha", b"sencha")])
    solved = await log_in(shop, client=EXIT, headers=[(b"sekisho-captcha", b"oolong")])
    again = await log_in(shop, client=EXIT, headers=[(b"sekisho-captcha", b"oolong")])
    known = await log_in(shop, client=EXIT, token=solved.device)

    assert (here.status, asked.status, wrong.status) == (303, 401, 401)
    assert (solved.status, again.status, known.status) == (303, 401, 303)
    assert b'"provider":"challenges:tea"' in asked.body.replace(b" ", b"")
    assert shop.counts["POST /login", "challenge", "tor_exit"] >= 2


async def test_a_person_sees_the_quiz(shop: LoginGuard) -> None:
    """The page loads the quiz's script, and its policy allows that host alone."""
    page = await ask(shop, http(client=EXIT, headers=[OF_FORMS, (b"accept", b"text/html")]), form("hana", "right"))

    assert b'class="tea-quiz" data-sitekey="shop"' in page.body
    assert b"https://quiz.shop.example" in (page.header(b"content-security-policy") or b"")


async def test_refusals_are_logged(shop: LoginGuard, caplog: pytest.LogCaptureFixture) -> None:
    """A thread of the sink's own writes them, so that it may block."""
    for _ in range(10):
        await log_in(shop, "nobody", "guess")
    assert shop._loops is not None
    for writer in shop._loops.process.writers:
        writer.flush()

    assert "decided throttle at POST /login, 1 times" in caplog.text
