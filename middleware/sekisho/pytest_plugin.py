"""The pytest plugin: no guard limits a service's own test suite by accident, and tests can assert its policy.

Guards count in memory and only monitor: every log-in of the suite passes. A marked test has guards that enforce, count
from zero and obey the settings of the mark:

    @pytest.mark.sekisho(limit_account="5/10minute")
    def test_the_sixth_guess_waits(client, sekisho_clock): ...

Guards that a test makes with `sekisho.testing.guarded` obey the arguments of that call alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.settings.overrides import Overrides
    from sekisho.testing import FakeClock

MODES = ("monitor", "enforce", "off")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "sekisho_mode", f"mode of sekisho's guards in tests without the mark: {', '.join(MODES)}", default=MODES[0]
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "sekisho(**settings): guards enforce, count from zero in memory, and obey these settings of sekisho in lower "
        "case and without the prefix",
    )
    if config.getini("sekisho_mode") not in MODES:
        raise pytest.UsageError(f"sekisho_mode is one of {', '.join(MODES)}")


def pytest_report_header(config: pytest.Config) -> str:
    return f"sekisho: guards count in memory, mode {config.getini('sekisho_mode')} in tests that are not marked"


@pytest.fixture
def sekisho_clock() -> FakeClock:
    """The time of all guards in this test, which stands still until the test moves it."""
    from sekisho.testing import FakeClock  # noqa: PLC0415 - suites without guards load nothing of them

    return FakeClock()


@pytest.fixture(autouse=True)
def _sekisho_guards(request: pytest.FixtureRequest) -> Iterator[None]:
    from sekisho.wiring import MACHINE, prescribe  # noqa: PLC0415 - the same

    mark = request.node.get_closest_marker("sekisho")
    clock: FakeClock | None = (
        request.getfixturevalue("sekisho_clock") if "sekisho_clock" in request.fixturenames else None
    )
    if mark is None and clock is None:
        prescribe(_usual(request.config))
        yield
        return
    settings = _usual(request.config).copy()
    if mark is not None:
        settings["mode"] = "enforce"
        settings.update(cast("Overrides", mark.kwargs))
    if mistakes := [
        guard.problem for guard in prescribe(settings, clock.clocks if clock else MACHINE) if guard.problem
    ]:
        pytest.fail(f"sekisho did not start: {mistakes[0]}", pytrace=False)
    yield


def _usual(config: pytest.Config) -> Overrides:
    """The settings of tests without a mark: one dictionary, so that guards are not started again for each of them."""
    return config.stash.setdefault(_USUAL, _memory(config.getini("sekisho_mode")))


def _memory(mode: str) -> Overrides:
    from sekisho.testing import SECRET  # noqa: PLC0415 - the same

    return {"mode": mode, "store": "memory://", "secret": SECRET, "canary": "off"}


_USUAL: pytest.StashKey[Overrides] = pytest.StashKey()
