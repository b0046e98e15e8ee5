"""Devices that were seen for weeks before there were factors: spared in calm, once their owner was told; no proof."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sekisho.control.asked import AskedAccounts
from sekisho.model import Posture
from sekisho.owners import Contact
from sekisho.testing import guarded
from tests.stepup.flow.letters import subject, writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Client
    from tests.stepup.flow.letters import Post

DAY_S = 86_400
LOGIN = "POST /login form:username,password success=303"


class Town(NamedTuple):
    """A shop that asked for no factors for 15 days, and does now. Its owners log in from their own devices."""

    post: Post
    devices: dict[str, Client]

    @property
    def loop(self) -> Any:
        loops = self.post.site.guard._loops
        assert loops is not None
        return loops

    def force(self, posture: Posture | None) -> None:
        watch = self.loop.process.watch
        assert watch is not None
        watch.force(posture)


@asynccontextmanager
async def town(later: Later, *, log_ins: int = 4, days: float = 15, **settings: Any) -> AsyncIterator[Town]:
    async with writing(login=LOGIN, aged_device_days="14", **settings) as post:
        site = post.site
        site.contacts["kenji"] = Contact("4", "kenji@mail.example", "en")
        site.contacts["nobody"] = Contact("5", None, "en")
        site.shop.owners |= {"kenji": "right", "nobody": "right", "HANA": "right"}
        before = guarded(site.shop, login=LOGIN, challenges="none", aged_device_days="14")
        devices = {name: site.client(guard=before) for name in ("kenji", "hana", "nobody", "HANA")}
        for _ in range(log_ins):
            for name, device in devices.items():
                assert (await device.log_in(name)).status == 303
        later.seconds = days * DAY_S
        for device in devices.values():
            device.guard = site.guard
        yield Town(post, devices)


async def test_an_aged_device_is_spared_once_its_owner_was_told(later: Later) -> None:
    """It passes, and is told of its typing errors. Its owner is told, once. It proves nothing at a protected route."""
    async with town(later) as there:
        device = there.devices["kenji"]
        assert (await device.log_in("kenji")).status == 303
        [letter] = await there.post.letters(1)
        assert (letter.to, letter.subject) == (("kenji@mail.example",), subject("aged_device"))
        assert (await device.log_in("kenji", "typo")).body == b"wrong"
        assert (await device.log_in("kenji")).status == 303
        assert (await device.send("/pay")).status == 401
        assert len(await there.post.letters(1)) == 1


@pytest.mark.parametrize(("log_ins", "days"), [(3, 15), (4, 13)])
async def test_a_device_seen_too_seldom_or_too_recently_is_asked(later: Later, log_ins: int, days: float) -> None:
    """Four log-ins, and fourteen days, make a device aged."""
    async with town(later, log_ins=log_ins, days=days) as there:
        assert (await there.devices["kenji"].log_in("kenji")).status == 401


async def test_a_device_that_was_asked_does_not_become_aged_by_waiting(later: Later) -> None:
    """A thief's device that was seen before there were factors is asked once, and in vain: it is asked for ever."""
    async with town(later, days=13) as there:
        device = there.devices["kenji"]
        assert (await device.log_in("kenji")).status == 401
        later.seconds = 15 * DAY_S
        assert (await device.log_in("kenji")).status == 401


async def test_an_enrolled_account_is_asked_and_one_without_means_is_not(later: Later) -> None:
    """`hana` has an app, in every spelling (E46). The owner of `nobody` could be asked for nothing, and would be shut
    out.
    """
    async with town(later) as there:
        assert (await there.devices["hana"].log_in("hana")).status == 401
        assert (await there.devices["HANA"].log_in("HANA")).status == 401
        assert (await there.devices["nobody"].log_in("nobody")).status == 303


async def test_without_a_delivered_notice_it_is_asked(later: Later) -> None:
    """The relay takes no letter: an owner who was not told is asked."""
    async with town(later, smtp="smtp://127.0.0.1:1") as there:
        assert (await there.devices["kenji"].log_in("kenji")).status == 401


@pytest.mark.parametrize("posture", [Posture.ELEVATED, Posture.ATTACK])
async def test_an_alarm_asks_it_and_ends_its_age(later: Later, posture: Posture) -> None:
    """In an alarm it is asked, right or wrong; in the calm after it as well."""
    async with town(later) as there:
        device = there.devices["kenji"]
        assert (await device.log_in("kenji")).status == 303
        there.force(posture)
        assert (await device.log_in("kenji", "typo")).status == 401
        there.force(None)
        assert (await device.log_in("kenji")).status == 401


async def test_a_campaign_at_its_account_ends_its_age(later: Later) -> None:
    """After an operator has put the account under proof and released it, the device is asked."""
    async with town(later) as there:
        device = there.devices["kenji"]
        assert (await device.log_in("kenji")).status == 303
        guard = there.loop._latest._guard
        guard.devices.asked = AskedAccounts(frozenset({b"kenji"}), str.encode)
        assert (await device.log_in("kenji")).status == 401
        guard.devices.asked = None
        assert (await device.log_in("kenji")).status == 401


async def test_a_device_first_seen_after_factors_never_ages(later: Later) -> None:
    """A stamp begins only where nothing can be asked: a device that was seen in calm for weeks is asked."""
    async with writing(login=LOGIN, aged_device_days="14", step_up="attack") as post:
        site = post.site
        site.shop.owners["kenji"] = "right"
        site.contacts["kenji"] = Contact("4", "kenji@mail.example", "en")
        device = site.client()
        for _ in range(5):
            assert (await device.log_in("kenji")).status == 303
        later.seconds = 15 * DAY_S
        device.guard = site.guarded(step_up="always")
        assert (await device.log_in("kenji")).status == 401
