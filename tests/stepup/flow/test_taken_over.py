"""An account that is reported as taken over: no device is trusted there until it shows a proof again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.operating import command, serve_with
from tests.stepup.flow.test_activity import proved, site_at
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Client


@pytest.mark.parametrize("where", ["redis", "memory"])
async def test_every_device_of_an_account_that_was_taken_over_is_asked(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, later: Later
) -> None:
    """A thief to whom a code was passed on has a device that showed a proof: the report ends it on every worker, unless
    it keeps such devices. A device that shows a proof from then on is spared, and another account's too.
    """
    url = request.getfixturevalue("redis_url") if where == "redis" else "memory://"
    control = {"control_socket": str(tmp_path / "control")} if where == "memory" else {}
    serve_with(monkeypatch, store=url, **control)
    later.seconds = time.clock_gettime(time.CLOCK_REALTIME) - time.time()  # the store's time
    async with site_at(tmp_path / "owners", store=url, store_deadline_ms="5000", **control) as site:
        thief, other = await proved(site), await proved(site, 0, "Alice", "wonder")
        kept = await command("takeover", "hana", "--keep-devices")
        await until(lambda: bool(site.guard._loops.control.applied.asked))  # type: ignore[union-attr]
        spared = await again(thief)
        done = await command("takeover", "hana")
        await until(lambda: site.guard.counts["", "command", "takeover"] == 2)
        asked = [await again(thief), await again(thief)]
        untouched = await again(other, "Alice", "wonder")
        later.seconds += 3  # step-ups of the two seconds after it end as well: clocks differ
        owner = await proved(site, 1)
        back = [await again(owner), await again(thief)]

    assert (kept.code, done.code) == (0, 0)
    assert spared == 303
    assert asked == [401, 401]
    assert untouched == 303
    assert back == [303, 401]


async def again(client: Client, account: str = "hana", password: str = "right") -> int:
    client.jar.pop("session", None)
    return (await client.log_in(account, password)).status
