"""Row 16: a /48 for each guess is one budget, where the site limits providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.receipt import pack_receipt
from sekisho.model import Charged
from sekisho.testing import guarded
from tests.detect.test_asn_file import written
from tests.ledger.charges import charge
from tests.ledger.test_receipt import VERDICT
from tests.stepup.flow.driving import Site, stop

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "POST /login form:username,password success=cookie:session"


async def statuses(site: Site, addresses: list[str]) -> list[int]:
    return [(await site.client(address).log_in(f"user{at}", "guess")).status for at, address in enumerate(addresses)]


async def test_a_site_for_each_guess_is_one_budget_where_providers_are_limited() -> None:
    site = Site()
    rotating = [f"2001:db8:{n:x}::1" for n in range(8)]
    site.guard = guarded(site.shop, login=LOGIN)
    assert await statuses(site, rotating) == [401] * 8
    await stop(site.guard)

    site.guard = guarded(site.shop, login=LOGIN, limit_provider="5/hour")
    assert await statuses(site, rotating) == [401] * 5 + [429] * 3
    assert await statuses(site, ["2001:db9::1", "203.0.113.7"]) == [401] * 2
    await stop(site.guard)


async def test_an_autonomous_system_is_one_budget_where_a_file_names_it(tmp_path: Path) -> None:
    """IPv4 too: another house for each guess, all at one host of servers. Unknown systems are counted as before."""
    systems = written(tmp_path / "asn.mmdb", {"192.0.0.0/16": 64500, "2001:db8::/32": 64500, "203.0.113.0/24": 64501})
    site = Site()
    site.guard = guarded(site.shop, login=LOGIN, limit_provider="5/hour", asn_file=systems)
    rotating = [f"192.0.{n}.1" for n in range(5)]
    assert await statuses(site, [*rotating, "192.0.9.1", "2001:db8::1"]) == [401] * 5 + [429] * 2
    assert await statuses(site, ["203.0.113.7", "198.51.100.1"]) == [401] * 2
    await stop(site.guard)


async def test_a_receipt_of_a_worker_that_limits_providers_can_be_settled() -> None:
    """While workers with other settings are being replaced."""
    site = Site()
    site.guard = guarded(site.shop, login=LOGIN)
    await site.client().log_in("user", "guess")
    assert site.guard._loops is not None
    settler = site.guard._loops._latest._settler  # type: ignore[union-attr]
    settler.refund_proved(
        pack_receipt(charge(v6=True, provider=True), VERDICT._replace(charged=Charged.NETWORK | Charged.ACCOUNT)), b""
    )
    await stop(site.guard)
