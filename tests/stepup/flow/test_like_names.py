"""Accounts that some database takes for one share a limit, but share nothing of a proof or a password change."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest

from sekisho.owners import Contact
from tests.stepup.flow.driving import Site, challenge, stop
from tests.stepup.flow.test_escrow import settled


async def site_of_two(**settings: str) -> Site:
    """`hána` is a stranger's account, with an app of its own."""
    made = Site(settings={"limit_account": "9999/minute", **settings})
    made.shop.owners["hána"] = "mine"
    made.contacts["hána"] = Contact("9", None, None)
    await made.enrol("1")
    await made.enrol("9")
    return made


@pytest.mark.parametrize(("changed", "dies"), [("hána", False), ("HANA", True), ("hana", True)])
async def test_a_change_ends_the_step_ups_of_its_own_account(changed: str, dies: bool) -> None:
    """Row 83: a change of password ends no step-up of a like name, or registering one would lock the owner out."""
    site = await site_of_two(mode="enforce")
    site.shop.owners |= {changed: "mine"}
    site.contacts["HANA"] = Contact("1", None, None)
    waiting = site.client()
    ticket = challenge(await waiting.log_in("hana", site.shop.owners["hana"]))
    other = await site.logged_in(changed, "mine")
    body = urlencode({"username": changed, "old_password": "mine", "new_password": "never seen 17"}).encode()
    assert (await other.send("/password", body)).status == 303
    await settled(site)

    shown = await waiting.show(ticket, site.code(1))
    assert (shown.status == 410) is dies
    assert (shown.status == 303) is not dies


async def test_a_proof_forgives_the_failures_of_its_own_account(redis_url: str) -> None:
    """Row 76: a proof for a like name does not clear the failures of the victim's account."""
    site = await site_of_two(store=redis_url, account_failures_max="3")
    plain = site.guarded(factors="none", protect=None, challenges="pow", no_factor="challenge")

    async def suspects() -> bool:
        found = await site.client("192.0.2.8", guard=plain).log_in()
        return found.status == 401 and found.code == "challenge_required"

    for _ in range(6):
        await site.client().log_in("hana", "wrong")
    assert await suspects()
    await site.logged_in("hána", "mine")
    await asyncio.sleep(0.1)
    assert await suspects()
    await site.logged_in("hana", "right")
    await asyncio.sleep(0.1)
    assert not await suspects()
    await stop(plain)
    await stop(site.guard)
