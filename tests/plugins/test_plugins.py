"""Plug-ins are loaded by name alone; a broken one stops the start, and a failing one changes no attempt."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.challenge.captcha import Solved
from sekisho.model import SettingsError
from sekisho.plugins import Action, Device, Hint, Seen, Widget
from sekisho.plugins import running as running_module
from sekisho.plugins.failures import Failures
from sekisho.plugins.loading import load
from sekisho.plugins.running import PluginCaptcha, PluginOutput
from sekisho.record import Event, Kind
from sekisho.settings import load as load_settings
from sekisho.store.vault import MemoryVault
from sekisho.testing import SECRET
from tests.asgi.driving import Shop, guarded, log_in

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard

MODULE = """
from sekisho.plugins import Widget

class Signal:
    reasons = frozenset({"odd"})
    def look(self, seen):
        return None

class Sink:
    kinds = frozenset({"decided"})
    def take(self, event):
        pass

class Captcha:
    widget = Widget("quiz", "https://quiz.example/q.js", "https://quiz.example", "key")
    async def check(self, token, address):
        return None

class Raising:
    def __init__(self):
        raise RuntimeError("hunter2")

class Nothing:
    pass

class Loud(Signal):
    reasons = frozenset({"Odd reason"})

class Many(Signal):
    reasons = frozenset(f"odd{n}" for n in range(17))

class Unsafe(Captcha):
    widget = Widget("quiz", "https://quiz.example/q.js", "https://quiz.example; script-src *", "key")

print("loaded")
"""
ENTRIES = """
[sekisho.signals]
good = sekisho_test_plugins:Signal
raising = sekisho_test_plugins:Raising
nothing = sekisho_test_plugins:Nothing
loud = sekisho_test_plugins:Loud
many = sekisho_test_plugins:Many
absent = sekisho_test_plugins:Absent
missing = sekisho_test_missing:Signal
twice = sekisho_test_plugins:Signal

[sekisho.challenges]
good = sekisho_test_plugins:Captcha
unsafe = sekisho_test_plugins:Unsafe

[sekisho.sinks]
good = sekisho_test_plugins:Sink
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages that announce plug-ins, as pip would install them."""
    for name, entries in {
        "first": ENTRIES,
        "second": "[sekisho.signals]\ntwice = sekisho_test_plugins:Signal\n",
    }.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(entries)
    (tmp_path / "sekisho_test_plugins.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sekisho_test_plugins", raising=False)


@pytest.mark.usefixtures("_installed")
def test_only_named_plugins_are_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    """An installed package runs no code until a setting names it."""
    load(())
    before = capsys.readouterr().out
    loaded = load(("sinks:good", "signals:good", "challenges:good"))

    assert (before, capsys.readouterr().out) == ("", "loaded\n")
    assert [*loaded.signals, *loaded.challenges, *loaded.sinks] == ["signals:good", "challenges:good", "sinks:good"]


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("signals:unknown", "no installed package announces it as an entry point of sekisho.signals"),
        ("sinks:raising", "no installed package announces it as an entry point of sekisho.sinks"),
        ("signals:twice", "several installed packages announce it as an entry point of sekisho.signals"),
        ("signals:missing", "it does not start: ModuleNotFoundError"),
        ("signals:absent", "it does not start: AttributeError"),
        ("signals:raising", "it does not start: RuntimeError"),
        ("signals:nothing", "it is no SignalPlugin (see docs/plugins.md)"),
        ("signals:loud", "its reasons are no set of at most 16 codes"),
        ("signals:many", "its reasons are no set of at most 16 codes"),
        ("challenges:unsafe", "its widget names something else than https sources"),
    ],
)
def test_a_broken_plugin_stops_the_start(name: str, problem: str) -> None:
    """The start fails with the plug-in's name and the kind of its error; its text may hold a secret."""
    with pytest.raises(SettingsError) as raised:
        guarded(Shop(), plugins=name, challenges="pow")
    assert str(raised.value) == f"SEKISHO_PLUGINS: {name}: {problem}"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"plugins": "asn"}, "item 1 is no signals:NAME, challenges:NAME or sinks:NAME"),
        ({"plugins": "sinks:a,factors:b"}, "item 2 is no signals:NAME"),
        ({"plugins": "challenges:a,challenges:b"}, "names two challenges"),
        ({"plugins": "challenges:a", "challenges": "none"}, "needs SEKISHO_CHALLENGES=pow beside it"),
    ],
)
def test_a_wrong_name_is_a_mistake(settings: dict[str, Any], problem: str) -> None:
    """The notation is checked before anything is looked for."""
    with pytest.raises(SettingsError, match=f"SEKISHO_PLUGINS.*: .*{problem}"):
        load_settings({}, {"secret": SECRET, "store": "memory://", **settings})


class Signal:
    """Finds what the test says."""

    reasons = frozenset({"odd", "noted"})

    def __init__(self, hint: Hint | Exception | None = None) -> None:
        self.hint = hint
        self.seen: list[Seen] = []

    def look(self, seen: Seen) -> Hint | None:
        self.seen.append(seen)
        if isinstance(self.hint, Exception):
            raise self.hint
        return self.hint


def shop(signal: Signal, **settings: Any) -> LoginGuard:
    """A guarded shop whose plug-in is this one."""
    guard = guarded(Shop(), **settings)
    assert guard._loops is not None
    guard._loops.process.plugins.loaded.signals["signals:test"] = signal
    return guard


@pytest.mark.parametrize(
    ("hint", "status", "counted"),
    [
        (None, 303, ("allow", "")),
        (Hint(Action.ALLOW, "noted"), 303, ("allow", "noted")),
        (Hint(Action.CHALLENGE, "odd"), 401, ("challenge", "odd")),
        (Hint(Action.THROTTLE, "odd", 90), 429, ("throttle", "odd")),
        (Hint(Action.DENY, "odd"), 403, ("deny", "odd")),
    ],
)
async def test_a_hint_joins_the_findings(hint: Hint | None, status: int, counted: tuple[str, str]) -> None:
    """The sternest decides, and its reason is counted."""
    guard = shop(Signal(hint), challenges="pow")
    answer = await log_in(guard)

    assert answer.status == status
    assert guard.counts[("POST /login", *counted)] == 1
    if status == 429:
        assert int(answer.header(b"retry-after") or 0) >= 90


async def test_a_hint_never_weakens() -> None:
    """An address over its limit is refused, regardless of a plug-in that finds nothing."""
    guard = shop(Signal(Hint(Action.ALLOW, "noted")), limit_ip="1/hour")
    statuses = [(await log_in(guard, password="guess")).status for _ in range(2)]

    assert statuses == [401, 429]


async def test_a_plugin_sees_no_secret() -> None:
    """It sees door, account, address and the class of the device; printed, it shows none of them but the door."""
    signal = Signal()
    guard = shop(signal)
    await log_in(guard)

    assert signal.seen[0] == ("POST /login", "hana", "203.0.113.9", Device.STRANGER)
    assert repr(signal.seen[0]) == "Seen(door='POST /login', ...)"


@pytest.mark.parametrize("hint", [ValueError("hunter2"), Hint(Action.DENY, "undeclared"), Hint(9, "odd")])  # type: ignore[arg-type]
async def test_a_failing_signal_changes_no_attempt(hint: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted each time, and said once, without its text."""
    guard = shop(Signal(hint))
    statuses = [(await log_in(guard)).status for _ in range(3)]

    assert statuses == [303, 303, 303]
    assert guard.counts["", "plugin_failed", "signals:test"] >= 3
    assert caplog.text.count("the plug-in signals:test failed: ValueError") == 1
    assert "hunter2" not in caplog.text


def test_a_sink_takes_the_kinds_that_it_wants(caplog: pytest.LogCaptureFixture) -> None:
    """One event that it cannot take does not keep it from the others."""

    class Sink:
        kinds = frozenset({Kind.DECIDED})
        taken: list[Event] = []  # noqa: RUF012 - of this test

        def take(self, event: Event) -> None:
            if event.door == "bad":
                raise RuntimeError("hunter2")
            self.taken.append(event)

    counted: list[tuple[str, str, str]] = []
    output = PluginOutput("sinks:test", Sink(), Failures(lambda *key: counted.append(key)))
    events = [Event(Kind.DECIDED, 1, "bad"), Event(Kind.SETTLED, 2, "door"), Event(Kind.DECIDED, 3, "door", times=4)]

    assert list(output.write(events)) == [1, 1, 4]
    assert [event.at_us for event in Sink.taken] == [3]
    assert counted == [("", "plugin_failed", "sinks:test")]
    assert "hunter2" not in caplog.text


class Quiz:
    """Answers what the test says."""

    widget = Widget("quiz", "https://quiz.example/q.js", "https://quiz.example", "key")

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def check(self, token: str, address: str) -> bool | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer == "never":
            await asyncio.Event().wait()
        answer: bool | None = self.answer
        return answer


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (True, [Solved("challenges:test"), False]), (False, [False, False]), (None, [None, None]),
        (ValueError("hunter2"), [None, None]), ("yes", [None, None]), ("never", [None, None]),
    ],
)  # fmt: skip
async def test_a_captcha_is_solved_once_or_cannot_tell(
    answer: Any, found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token counts once. Errors, silence and anything that is no answer mean *could not tell*, never *solved*."""
    monkeypatch.setattr(running_module, "CHECK_S_MAX", 0.01)
    vault = MemoryVault(entries_max=10, bytes_max=10_000, clock_s=lambda: 0.0)
    captcha = PluginCaptcha("challenges:test", Quiz(answer), Failures(lambda *_: None), vault)

    assert [await captcha.check("token") for _ in range(2)] == found
    assert await captcha.check("") is False
    assert await captcha.check("x" * 8_193) is False
