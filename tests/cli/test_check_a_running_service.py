"""`sekisho check --url` has a running service try its own doors."""

from __future__ import annotations

import io
import json
import sys
import textwrap
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sekisho.check.question import QuestionSealer
from sekisho.cli import main
from sekisho.crypto.examiner import examiner_token
from sekisho.crypto.signers import Signer
from sekisho.doctor.http import ServiceAddress, fetch
from tests.acceptance.processes import serving
from tests.cli.test_check import SHOP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret of a test that nobody uses!"
NOT_ASKED = 2


@contextmanager
def running(folder: Path, app: str) -> Iterator[int]:
    """One of the shops, run by uvicorn, and its port."""
    (folder / "shop.py").write_text(SHOP)
    with serving(lambda fd: [sys.executable, "-m", "uvicorn", f"shop:{app}", "--fd", str(fd)], {}, folder) as port:
        yield port


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running(tmp_path_factory.mktemp("good"), "good") as port:
        yield port


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator with the service's secret, and a right log-in to type."""
    monkeypatch.setenv("SEKISHO_SECRET", SECRET)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hana\ncorrect horse\n")))


def test_a_running_service_tries_its_doors(good: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The same is told as of an imported application, more often than the limits of any log-in would allow."""
    for _ in range(8):
        assert main(["check", "--url", f"http://127.0.0.1:{good}"]) == 0
    capsys.readouterr()

    assert main(["check", "--url", f"http://127.0.0.1:{good}", "--known"]) == 0
    said = capsys.readouterr().out
    assert said == textwrap.dedent("""\
        POST /login: the invented log-in failed, the right one succeeded
          invented: answered 303, failed by rule
          known: answered 303, succeeded by rule
        """)


def test_a_wrong_rule_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line to write comes with the number; another door is tried where it is named."""
    with running(tmp_path, "wrong") as port:
        assert main(["check", "--url", f"http://127.0.0.1:{port}", "--known", "--json"]) == 1

    (report,) = json.loads(capsys.readouterr().out)
    assert (report["result"], report["number"]) == ("wrong", "SEK075")
    assert report["advice"].endswith("POST /login form:username,password success=303:/home")


@pytest.mark.parametrize("question", [None, "", "AAAA", "x" * 9_000, "ü", "of another token"])
def test_a_question_that_does_not_open_is_refused(good: int, question: str | None) -> None:
    """Only for the token that it was sealed for does a question open: a proxy's log holds no lasting one."""
    signers = [Signer(SECRET.encode())]
    token = examiner_token(signers, 1_900_000_000.0)
    sealer = QuestionSealer(signers, lambda: 1_900_000_000.0)
    assert sealer.opened((question or "").encode(), token) is None

    now = examiner_token(signers, time.time())
    shown = {} if question is None else {"sekisho-question": question.encode().decode("latin-1")}
    reply = fetch(
        ServiceAddress("http", "127.0.0.1", good, ""),
        "GET",
        "/sekisho/doctor/check",
        {"sekisho-examiner": now.decode(), **shown},
    )
    assert (reply.status, reply.body) == (400, b"[]")


def test_a_stranger_cannot_ask(good: int) -> None:
    """Without the token the path answers as any other."""
    site = ServiceAddress("http", "127.0.0.1", good, "")
    there = fetch(site, "GET", "/sekisho/doctor/check", {"sekisho-examiner": "1.x", "sekisho-question": "AAAA"})
    elsewhere = fetch(site, "GET", "/sekisho/nothing", {})

    assert (there.status, there.body) == (elsewhere.status, elsewhere.body)
    assert there.status == 404


@pytest.mark.parametrize("secret", ["another secret of a test that is as long", SECRET])
def test_a_service_that_does_not_answer_is_told(
    good: int, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another secret nobody answers, nor where no service is; neither is taken for a sound door."""
    monkeypatch.setenv("SEKISHO_SECRET", secret)
    port = good if secret != SECRET else 1

    assert main(["check", "--url", f"http://127.0.0.1:{port}", "--known"]) == NOT_ASKED
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("the service at --url")
    assert "hana" not in said.err


def test_a_factory_is_no_running_service(capsys: pytest.CaptureFixture[str]) -> None:
    """Options that do not go together are named."""
    assert main(["check", "--url", "https://shop.example", "--factory"]) == NOT_ASKED
    assert "--factory needs --app" in capsys.readouterr().err
