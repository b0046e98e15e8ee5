"""A proved device of which a spent token is presented: two clients hold it, and neither goes on without a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stepup.flow.driving import STRANGE, Site, challenge

if TYPE_CHECKING:
    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Client

DAY_S = 86_400
LOGIN = "POST /login form:username,password success=cookie:session"


def copy_of(owner: Client, site: Site) -> Client:
    found = site.client(STRANGE)
    found.jar = {name: value for name, value in owner.jar.items() if name != "session"}
    found.extra = list(owner.extra)
    return found


async def proved(site: Site) -> Client:
    await site.enrol()
    return await site.logged_in()


async def log_in(client: Client) -> int:
    client.jar.pop("session", None)
    return (await client.log_in("hana", "right")).status


async def test_a_copy_that_comes_after_its_owner_opens_nothing_ever(later: Later) -> None:
    """Threat 84: also once the owner stays away for so long that the newest generation is forgotten."""
    site = Site(settings={"login": LOGIN})
    owner = await proved(site)
    copy = copy_of(owner, site)
    assert await log_in(owner) == 303
    later.seconds = 61
    assert [await log_in(copy) for _ in range(3)] == [401, 401, 401]
    for later.seconds in (130, 2 * DAY_S, 40 * DAY_S):
        assert await log_in(copy) == 401


@pytest.mark.parametrize("away_s", [300, 2 * DAY_S])
async def test_a_copy_that_comes_before_its_owner_ends_with_the_owners_proof(later: Later, away_s: int) -> None:
    """The owner is asked once, and has a new device; the copy is asked from then on."""
    site = Site(settings={"login": LOGIN})
    owner = await proved(site)
    copy = copy_of(owner, site)
    assert await log_in(copy) == 303
    later.seconds = 90
    owner.jar.pop("session")
    asked = await owner.log_in("hana", "right")
    assert (await owner.show(challenge(asked), site.code())).status == 303
    later.seconds += away_s
    assert await log_in(copy) == 401
    assert await log_in(owner) == 303
    assert await log_in(copy) == 401


async def test_two_log_ins_at_once_are_no_copy(later: Later) -> None:
    """Two windows begin with one token: for a minute the second newest is good."""
    site = Site(settings={"login": LOGIN})
    owner = await proved(site)
    window = copy_of(owner, site)
    assert await log_in(owner) == 303
    later.seconds = 30
    assert await log_in(window) == 303
    later.seconds = 150
    assert await log_in(owner) == 303
