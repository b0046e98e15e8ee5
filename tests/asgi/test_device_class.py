"""The device class of an attempt: where the application finds it, and how long it exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.model import DEVICE_CLASS, Device
from tests.asgi.driving import HERE, Shop, guarded, known_device, log_in
from tests.stepup.flow.driving import Client, Site, challenge, stop
from tests.stepup.flow.driving import Shop as OtherShop

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send

Said = list[tuple[Device, Device]]


class Told(Shop):
    """Keeps the device class of each attempt, from the request and from functions that it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.said: Said = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.said.append((scope["state"]["sekisho"].device, DEVICE_CLASS.get()))
        await super().__call__(scope, receive, send)


async def test_the_application_is_told_before_it_has_looked_at_the_secret() -> None:
    """The application is told before it checks the secret: the class depends on the token and not on the secret."""
    shop = Told()
    app = guarded(shop)
    token = await known_device(app)
    for password in ("wrong", "right"):
        await log_in(app, password=password, token=token)
        await log_in(app, password=password)

    assert shop.said[1:] == 2 * [(Device.SEEN, Device.SEEN), (Device.STRANGER, Device.STRANGER)]


async def test_it_ends_with_the_attempt() -> None:
    """The class ends with the attempt: the task's later work is no log-in."""
    app = guarded(Told())
    token = await known_device(app)

    await log_in(app, token=token)

    assert DEVICE_CLASS.get() is Device.STRANGER


async def test_it_ends_with_an_attempt_that_fails() -> None:
    """The class ends with an attempt whose handler raises, too."""

    class Broken(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            if DEVICE_CLASS.get() is not Device.STRANGER:
                raise RuntimeError("out of order")

    app = guarded(Broken())
    token = await known_device(app)

    with pytest.raises(RuntimeError, match="out of order"):
        await log_in(app, token=token)
    assert DEVICE_CLASS.get() is Device.STRANGER


async def test_a_stranger_is_one_wherever_the_guard_is_called_from() -> None:
    """A class in the caller's context does not leak into the attempt."""
    shop = Told()
    app = guarded(shop)
    DEVICE_CLASS.set(Device.PROVED)

    await log_in(app)

    assert shop.said == [(Device.STRANGER, Device.STRANGER)]


# Behind a step-up.


class ToldBehindIt(OtherShop):
    def __init__(self) -> None:
        super().__init__()
        self.said: Said = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            self.said.append((scope["state"]["sekisho"].device, DEVICE_CLASS.get()))
        await super().__call__(scope, receive, send)


async def asked_twice(site: Site, client: Client) -> None:
    for password in ("wrong", "right"):
        assert (await client.log_in(password=password)).code == "step_up_required"


async def test_an_escrowed_run_has_the_class_of_its_attempt() -> None:
    """An escrowed run has the class of its attempt, the same behind a right secret and a wrong one."""
    shop = ToldBehindIt()
    site = Site(shop=shop)
    await site.enrol()
    owner = site.client()
    await owner.show(challenge(await owner.log_in()), site.code())
    shop.said.clear()

    await asked_twice(site, site.client("198.51.100.5"))
    owner_again = await owner.log_in()
    await stop(site.guard)

    assert owner_again.status == 303
    assert sorted(shop.said) == [
        (Device.STRANGER, Device.STRANGER), (Device.STRANGER, Device.STRANGER), (Device.PROVED, Device.PROVED),
    ]  # fmt: skip


async def test_a_device_that_was_seen_before_there_were_factors_is_known_behind_the_seal() -> None:
    """A device seen before factors existed is asked for a proof once; its run is queued before strangers' runs."""
    shop = ToldBehindIt()
    client = Client(guarded(shop, login="POST /login success=303"), HERE, [])
    assert (await client.log_in()).status == 303
    site = Site(shop=shop)
    await site.enrol()
    client.guard = site.guard
    shop.said.clear()

    await asked_twice(site, client)
    await stop(site.guard)

    assert shop.said == 2 * [(Device.SEEN, Device.SEEN)]
