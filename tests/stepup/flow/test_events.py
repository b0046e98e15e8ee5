"""A step-up in the file of events: asked for, failed, proved, and what it changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sekisho.record import Event, replay
from tests.stepup.flow.driving import FORM, Site, challenge, stop

if TYPE_CHECKING:
    from pathlib import Path


async def lived(site: Site, path: Path) -> list[Event]:
    """The events of a site, once it has stopped."""
    await stop(site.guard)
    with path.open("rb") as file:
        return list(replay(file))


def told(events: list[Event]) -> list[tuple[str, ...]]:
    return [
        (one.kind, one.door, one.action or one.result or one.purpose, one.factor)
        for one in events
        if one.kind != "recovered"
    ]


async def test_a_step_up_is_told_in_order(tmp_path: Path) -> None:
    """Each step of a log-in behind a proof is an event; all name the same account and client."""
    path = tmp_path / "events.jsonl"
    site = Site(settings={"events_file": str(path)})
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in())
    await client.show(ticket, "000000")
    await client.show(ticket, site.code(), "telepathy")
    await client.show(ticket, site.code())

    events = await lived(site, path)
    assert sorted(told(events)) == sorted(
        [
            ("decided", "POST /login", "step_up", ""),
            ("step_up_issued", "POST /login", "login", ""),
            ("settled", "POST /login", "succeeded", ""),
            ("step_up_failed", "POST /login", "login", "totp"),
            ("step_up_failed", "POST /login", "login", ""),
            ("step_up_proved", "POST /login", "login", "totp"),
            ("new_device", "", "", ""),
        ]
    )
    assert len({event.subject.account for event in events}) == 1
    assert {event.subject.network for event in events} == {"198.51.100.0/24", ""}
    assert "hana" not in path.read_text()


async def test_an_account_that_does_not_exist_is_told_alike(tmp_path: Path) -> None:
    """The file tells a pretended step-up as a real one: its readers do not learn which accounts exist."""
    path = tmp_path / "events.jsonl"
    site = Site(settings={"events_file": str(path)})
    client = site.client()
    await client.show(challenge(await client.log_in("nobody", "guess")), "000000")

    assert {kind for kind, *_ in told(await lived(site, path))} == {
        "decided",
        "step_up_issued",
        "settled",
        "step_up_failed",
    }


async def test_a_change_of_factors_is_told(tmp_path: Path) -> None:
    """A factor that its owner adds is an event, with the account's digest."""
    path = tmp_path / "events.jsonl"
    site = Site(settings={"events_file": str(path)})
    await site.enrol()
    client = site.client()
    await client.show(challenge(await client.log_in()), site.code())
    page = await client.send("/sekisho/factors", method="GET", headers=())
    token = json.loads(page.body)["token"]
    changed = await client.send("/sekisho/factors/recovery", f"token={token}".encode(), headers=(FORM,))
    assert changed.status == 200

    events = await lived(site, path)
    assert ("factor_enrolled", "", "", "recovery") in told(events)
    assert len({event.subject.account for event in events}) == 1
