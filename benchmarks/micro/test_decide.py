"""Judging, refusing, and knowing a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.micro.sample import AGENT, scope
from sekisho.answer import Renderer, too_many_attempts
from sekisho.devices.token import DeviceTokens, browser_family
from sekisho.judge import decide
from sekisho.judge.familiarity import is_familiar
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import UNKNOWN, Device, Exposure, History, Marked, Pair, Policy, Signals, Spread

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from sekisho.model import Decision, Verdict

MINUTE_US = 60_000_000
NOW_S = 1_700_000_000
ACCOUNT = "user0000001@mail.example"


@pytest.mark.parametrize("wait_us", [0, 60_000_000], ids=["unhindered", "over two limits"])
def test_judge(benchmark: BenchmarkFixture, wait_us: int) -> None:
    """From signals to a decision."""
    seen = Signals(UNHINDERED._replace(ip_wait_us=wait_us, account_wait_us=wait_us))

    assert benchmark(decide, seen, Policy()).passes is (wait_us == 0)


def _whole(verdict: Verdict, exposure: Exposure, policy: Policy) -> Decision:
    """The judge as the pipeline runs it where familiar strangers are spared: their score, then the decision."""
    familiar = is_familiar(verdict.history)
    return decide(Signals(verdict, exposure=exposure, familiar=familiar), policy)


@pytest.mark.parametrize("amiss", [False, True], ids=["familiar", "everything amiss"])
def test_judge_with_all_signals(benchmark: BenchmarkFixture, *, amiss: bool) -> None:
    """Familiarity, a leaked pair, the marks of a shared address, and every spread and limit exceeded."""
    history = 40 | 9 << 7 | 3 << 14 | 1 << 17 | 1 << 18
    assert History.unpacked(history) == (40, 9, 3, True, True)
    verdict, exposure = UNHINDERED._replace(history=history, charged=0), UNKNOWN
    if amiss:
        verdict = verdict._replace(
            ip_wait_us=MINUTE_US, network_wait_us=MINUTE_US, device_wait_us=MINUTE_US, account_wait_us=MINUTE_US,
            failures=1_000, spread=Spread(16, 16, 16, 8, 16), marks=Marked.SHARED | Marked.SPARED,
        )  # fmt: skip
        exposure = Exposure(1_000, Pair.EXACT)
    policy = Policy(factors=True, work=True, asks_strangers=True, spares_familiar=True)

    assert not benchmark(_whole, verdict, exposure, policy).passes


def test_render_a_refusal(benchmark: BenchmarkFixture) -> None:
    """What each shed request costs beside finding it: headers looked at, body and headers put together."""
    renderer, headers = Renderer(frozenset()), scope(b"")["headers"]

    assert benchmark(renderer.render, too_many_attempts(31), headers).status == 429


def _token(tokens: DeviceTokens, family: int) -> str:
    return tokens.renewed("", ACCOUNT, None, device_class=Device.SEEN, family=family, now_s=NOW_S, fresh=bytes(8))


def test_verify_a_device_token(benchmark: BenchmarkFixture) -> None:
    """A known device's cookie."""
    tokens, family = DeviceTokens([bytes(32)], days=90), browser_family(AGENT)

    assert benchmark(tokens.find, _token(tokens, family), ACCOUNT, family, NOW_S + 1)


def test_issue_a_device_token(benchmark: BenchmarkFixture) -> None:
    """After a success."""
    tokens, family = DeviceTokens([bytes(32)], days=90), browser_family(AGENT)

    assert tokens.find(benchmark(_token, tokens, family), ACCOUNT, family, NOW_S + 1)
