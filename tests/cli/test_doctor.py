"""`sekisho doctor` prints the findings with their lines to write, and its exit code says whether there are any."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import MISUSED, main
from sekisho.cli.diagnoses import as_text, is_coloured
from sekisho.doctor import DoctorReport, Unseen
from sekisho.model.diagnosis import Hazard, Severity
from tests.cli.corpora import Terminal
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8"
REPORT = DoctorReport(
    (("store", "Redis 8.2.2"),),
    (
        Hazard("SEK901", Severity.ADVICE, "a small thing", "It is untidy.", "A=1").found("A: it is off"),
        Hazard("SEK902", Severity.DANGER, "a bad thing", "Attackers get in.", "B=2").found("B: it is on", "B=3"),
    ),
    (Unseen("the moon"),),
)


@pytest.fixture(scope="module")
def sound() -> Iterator[RedisServer]:
    with RedisServer("--maxmemory", "100mb", "--appendonly", "yes") as server:
        yield server


@pytest.fixture
def environ(sound: RedisServer, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A service that is set up rightly."""
    settings = {
        "SECRET": SECRET,
        "STORE": sound.url,
        "STORE_DEADLINE_MS": "5000",
        "NO_FACTOR": "refuse",
        "LOGIN": "POST /login success=302:/home",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"SEKISHO_{name}", value)
    return monkeypatch


@pytest.mark.usefixtures("environ")
def test_nothing_found_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """A sound deployment has no finding. The Redis of these tests may be an old one, so its version is left out."""
    assert main(["doctor", "--ignore", "SEK030"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "nothing was found. docs/warnings.md has a section for each number"
    assert "50 round trips: median" in said


def test_a_finding_is_one(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is printed whole, also as JSON, without secret and address."""
    environ.setenv("SEKISHO_MODE", "monitor")

    assert main(["doctor", "--json", "--ignore", "SEK030"]) == 1
    said = capsys.readouterr().out
    assert json.loads(said)["findings"] == [
        {
            "number": "SEK003",
            "severity": "warning",
            "title": "nothing is refused",
            "what": "SEKISHO_MODE: monitor refuses nobody",
            "why": "Attempts are counted and logged, and an attacker's guesses all reach the application.",
            "write": "SEKISHO_MODE=enforce",
        }
    ]
    assert not [part for part in (SECRET, "127.0.0.1", "redis://") if part in said]


def test_a_store_that_is_gone_is_two(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An incomplete examination is told apart from a sound deployment."""
    environ.setenv("SEKISHO_STORE", "redis://127.0.0.1:1/0")

    assert main(["doctor"]) == 2
    assert "1 finding; the examination is incomplete" in capsys.readouterr().out


@pytest.mark.usefixtures("environ")
def test_a_service_that_is_gone_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    """A service that does not answer makes the examination incomplete."""
    assert main(["doctor", "--url", "http://127.0.0.1:1", "--json", "--ignore", "SEK030"]) == 2
    missed = [each["what"] for each in json.loads(capsys.readouterr().out)["not_examined"] if each["is_failure"]]
    assert missed == ["the service at --url does not answer: ConnectionRefusedError"]


def test_settings_that_stop_the_start_are_two(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every mistake in the settings is named, without its value."""
    environ.setenv("SEKISHO_MODE", "hunter2")
    environ.setenv("SEKISHO_LOGN", "POST /login")

    assert main(["doctor"]) == 2
    said = capsys.readouterr().err
    assert "SEKISHO_MODE: is none of" in said
    assert "SEKISHO_LOGN: is no setting of sekisho; did you mean SEKISHO_LOGIN?" in said
    assert "hunter2" not in said


def test_an_administrator_is_read_from_standard_input(
    environ: pytest.MonkeyPatch, sound: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The administrator's password need not be an argument, which every process of the machine can read."""
    sound.cli("ACL", "SETUSER", "admin", "reset", "on", ">hunter2", "+@all")
    url = sound.url.replace("//", "//admin:hunter2@")
    environ.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(url.encode())))

    assert main(["doctor", "--admin-url", "-", "--ignore", "SEK030"]) == 0
    said = capsys.readouterr()
    assert "hunter2" not in said.out + said.err


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--ignore", "SEK998"], "--ignore names a number that no finding has"),
        (["--admin-url", "hunter2"], "--admin-url: names no kind of store that sekisho knows"),
        (["--admin-url", "redis+cluster://hunter2"], "--admin-url is another kind of store than SEKISHO_STORE"),
        (["--url", "hunter2"], "--url: wants the service's address, such as https://shop.example"),
        (["--url", "https://shop.example", "--origin", "hunter2"], "--origin: wants origins such as"),
        (["--origin", "https://app.example"], "--origin and --page need --url"),
        (["--url", "https://shop.example", "--page", "hunter2"], "--page is no path, such as /account"),
    ],
)
def test_what_was_typed_is_not_repeated(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument is one line that does not repeat it: it may hold a password."""
    assert main(["doctor", *arguments]) == MISUSED
    said = capsys.readouterr().err
    assert said.startswith(f"sekisho doctor: {text}")
    assert "hunter2" not in said


def test_the_worst_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is sorted by severity, and its lines to write are whole."""
    monkeypatch.setenv("COLUMNS", "60")

    assert as_text(REPORT, coloured=False) == (
        "          store  Redis 8.2.2\n\n"
        "danger  SEK902   a bad thing\n"
        "                 B: it is on.\n"
        "            why  Attackers get in.\n"
        "          write  B=3\n\n"
        "advice  SEK901   a small thing\n"
        "                 A: it is off.\n"
        "            why  It is untidy.\n"
        "          write  A=1\n\n"
        "   not examined  the moon\n\n"
        "2 findings. docs/warnings.md has a section for each number"
    )


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours reach no file, no dumb terminal and no terminal of somebody who wants none."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert is_coloured(Terminal())
    assert "\x1b[1;31mdanger  SEK902\x1b[0m" in as_text(REPORT, coloured=True)
    assert "\x1b" not in as_text(REPORT, coloured=False)
    assert not is_coloured(io.StringIO())

    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_coloured(Terminal())


def test_reports_join_without_repeating() -> None:
    """What several servers have in common stands once."""
    joined = REPORT + REPORT

    assert joined.diagnoses == REPORT.diagnoses
    assert joined.unseen == REPORT.unseen
    assert len(joined.facts) == 2
