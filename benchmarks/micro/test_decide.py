"""Judging, refusing, and knowing a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.micro.sample import AGENT, scope
from sekisho.answer import Renderer, too_many_attempts
from sekisho.devices.token import DeviceTokens, browser_family
from sekisho.judge import decide
from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Device, Policy, Signals

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

NOW_S = 1_700_000_000
ACCOUNT = "user0000001@mail.example"


@pytest.mark.parametrize("wait_us", [0, 60_000_000], ids=["unhindered", "over two limits"])
def test_judge(benchmark: BenchmarkFixture, wait_us: int) -> None:
    """From signals to a decision."""
    seen = Signals(UNHINDERED._replace(ip_wait_us=wait_us, account_wait_us=wait_us))

    assert benchmark(decide, seen, Policy()).passes is (wait_us == 0)


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
