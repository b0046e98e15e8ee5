"""A change of password ends what others hold of the account: proofs, step-ups, receipts and known devices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyotp

from tests.asgi.driving import OPEN
from tests.stepup.flow.driving import Shop, Site
from tests.stepup.flow.over_http import PROXY, Visitor, visited
from tests.stepup.flow.test_activity import SqlSite, site_at

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.stepup.flow.conftest import Later

SETTINGS = {
    **OPEN,
    "trusted_proxies": PROXY,
    "login": "POST /login success=cookie:session",
    "protect": "POST /pay max_age=3600",
    "change": "POST /password form:username,old_password,new_password success=303",
    "code": "POST /code form:username,code",
}


class Living(Shop):
    """The shop, with a lifespan."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await super().__call__(scope, receive, send)
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})
        return None


def log_in(browser: Visitor, site: Site, steps: int, password: str = "right") -> None:
    asked = browser.post("/login", username="hana", password=password)
    assert browser.prove(asked, site.code(steps)).status_code == 303


def change(browser: Visitor) -> None:
    changed = browser.post("/password", username="hana", old_password="right", new_password="never seen in a leak 17")
    assert changed.status_code == 303, changed.text


async def test_a_change_ends_every_other_proof_challenge_and_device(tmp_path: Path, later: Later) -> None:
    """The other browser's proof, its step-up under way, its receipt and its trust end; the browser stays known that
    changed the password.
    """
    async with site_at(tmp_path / "owners", **SETTINGS) as site:
        site.guard = site.guarded(Living())  # whose end closes the connections of the server's event loop
        with visited(site.guard) as visitor:
            phone, laptop = visitor(), visitor("203.0.113.9")
            log_in(phone, site, -1)
            log_in(laptop, site, 0)
            assert phone.post("/pay").text == laptop.post("/pay").text == "paid"
            receipt, asked = begun(visitor("198.51.100.5"), site)
            change(laptop)
            ended = phone.post("/pay")
            assert (ended.status_code, "challenge" in ended.json()) == (401, True)
            thief = asked[0]
            assert thief.post("/sekisho/step-up", **asked[1]).status_code == 410
            assert thief.post("/code", username="hana", code="1").status_code == 401
            thief.headers = {"Sekisho-Proof": receipt}
            assert thief.post("/code", username="hana", code="1").status_code == 401
            later.seconds = 62
            new = {"username": "hana", "password": "never seen in a leak 17"}
            assert laptop.post("/login", **new).status_code == 303
            assert phone.post("/login", **new).status_code == 401


async def test_a_change_ends_the_proof_at_the_pages_of_its_owner(tmp_path: Path, later: Later) -> None:
    """A thief whose proof is a minute old enrols no app after the change, and neither sees log-ins nor ends devices;
    the form that was opened before is no way round.
    """
    async with site_at(tmp_path / "owners", **SETTINGS) as site:
        site.guard = site.guarded(Living())
        with visited(site.guard) as visitor:
            thief, owner = visitor(), visitor("203.0.113.9")
            log_in(thief, site, -1)
            log_in(owner, site, 0)
            page = thief.ask("GET", "/sekisho/factors")
            assert page.status_code == 200
            token = page.json()["token"]
            offer = thief.post("/sekisho/factors/totp", token=token)
            assert offer.status_code == 200
            change(owner)
            later.seconds = 60
            own = pyotp.TOTP(offer.json()["secret"].replace(" ", "")).at(int(time.time()) + 60)
            answers = [
                thief.ask("GET", "/sekisho/factors"),
                thief.post("/sekisho/factors/totp/confirm", token=token, state=offer.json()["state"], code=own),
                thief.post("/sekisho/factors/recovery", token=token),
                thief.ask("GET", "/sekisho/activity"),
                thief.post("/sekisho/activity/end", token=token, id="1"),
            ]
            assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, "step_up_required")] * 5
            laptop = visitor("192.0.2.1")
            log_in(laptop, site, 1, "never seen in a leak 17")
            assert [one["label"] for one in laptop.ask("GET", "/sekisho/factors").json()["factors"]] == ["phone"]


async def test_a_change_ends_devices_that_showed_no_proof(later: Later) -> None:
    """A thief who got in by the password alone, before its owner had a factor, is a stranger after the change: the
    account's limit for strangers binds the thief, and not the owner. No database lists their devices.
    """
    site = Site(settings={**SETTINGS, "step_up": "attack", "limit_account": "2/hour"})
    with visited(site.guarded(Living())) as visitor:
        thief, owner, stranger = visitor(), visitor("203.0.113.9"), visitor("192.0.2.1")
        assert thief.post("/login", username="hana", password="right").status_code == 303
        await site.enrol("1")
        log_in(owner, site, 0)
        change(owner)
        await site.people.forget("1")  # with a factor it is asked of a seen device anyhow
        later.seconds = 62
        for number in range(3):
            stranger.post("/login", username="hana", password=f"guess {number}")
        assert again(thief) == 401
        assert again(owner) == 303


def again(browser: Visitor) -> int:
    """Log in anew with the device's token alone, and the new password."""
    browser.jar.pop("session", None)
    return browser.post("/login", username="hana", password="never seen in a leak 17").status_code


def refused_after(seconds: int, browser: Visitor, later: Later) -> bool:
    later.seconds = seconds
    return browser.post("/pay").status_code == 401


def begun(thief: Visitor, site: SqlSite) -> tuple[str, tuple[Visitor, dict[str, str]]]:
    """A receipt of a proof that was not used yet, and a step-up with the code that would have completed it."""
    asked = thief.post("/code", username="hana", code="1")
    receipt = thief.prove(asked, site.code(1)).json()["proof"]
    pending = thief.post("/login", username="hana", password="right").json()["challenge"]
    return receipt, (thief, {"challenge": pending, "factor": "totp", "code": site.code(1)})


async def test_a_change_on_another_worker_ends_proofs_within_ten_seconds(redis_url: str, later: Later) -> None:
    """Each worker asks the store anew after ten seconds; before that it may believe what it has seen."""
    site = Site(settings={**SETTINGS, "store": redis_url})
    await site.enrol("1")
    with visited(site.guard) as here, visited(site.guarded()) as there:
        phone, laptop = here(), there("203.0.113.9")
        log_in(phone, site, -1)
        log_in(laptop, site, 0)
        assert phone.post("/pay").text == "paid"
        change(laptop)
        # It is noted beside the answer, and a worker asks for it every ten seconds.
        assert any(refused_after(seconds, phone, later) for seconds in (11, 22, 33))
        later.seconds = 60
        assert phone.prove(phone.post("/pay"), site.code()).status_code == 200
        assert phone.post("/pay").text == "paid"
