"""A passkey names its own account, by a row that opens nothing itself."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sekisho.cli.owners.rewrap import rewrap
from sekisho.cli.personal.database import OwnerRows
from sekisho.cli.progress import drawing
from sekisho.crypto.seal import Sealer
from sekisho.owners import Contact, MemoryOwners, OwnersUnavailable
from sekisho.owners.sql import SqlOwners
from sekisho.stepup.factors.passkey_index import KIND, NOT_KEPT, PasskeyIndex, place_of
from sekisho.wiring.step_up_extras import site_passkeys
from tests.owners.worlds import QUERY
from tests.stepup.factors.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from sekisho.settings import Settings
    from tests.stepup.authenticator import Authenticator

DAY_S = 86_400
HANDLE = b"h" * 32
NEW, OLD = b"the newest secret, and long enough", b"the secret before that, long enough"


async def shown(site: Site, key: Authenticator, browser: str = "b") -> str | None:
    """The account that a log-in by this passkey is for."""
    assert site.factors.log_in is not None
    credential = key.get(site.factors.log_in.options("b"))
    found = await site.factors.log_in.accept(credential, browser)
    return None if found is None else found.owner.account


async def test_an_enrolled_passkey_begins_a_log_in_after_three_days() -> None:
    """Its account is kept as its owner's session had it. Nothing of the name can be read in the database."""
    site = Site()
    key = await site.passkey()
    assert await shown(site, key) is None
    site.clock.now_s += 3 * DAY_S
    assert await shown(site, key) == "alice"
    (row,) = await site.owners.enrolments(place_of(key.user_handle))
    assert (row.kind, row.label, b"alice" in row.sealed) == (KIND, "", False)


async def test_a_removed_passkey_begins_none() -> None:
    site = Site()
    key = await site.passkey()
    site.clock.now_s += 3 * DAY_S
    owner = await site.owner()
    assert await site.enrolling.remove(owner, owner.of_kind("webauthn")[0].id)
    assert await shown(site, key) is None


async def test_a_challenge_of_a_clock_that_was_set_back_is_over() -> None:
    """Its use is remembered for ten minutes: a copied assertion would begin a log-in until the clock had caught up."""
    site = Site()
    key = await site.passkey()
    site.clock.now_s += 5 * DAY_S
    assert site.factors.log_in is not None
    credential = key.get(site.factors.log_in.options("b"))
    site.clock.now_s -= DAY_S
    assert await site.factors.log_in.accept(credential, "b") is None
    assert await shown(site, key) == "alice"


async def test_of_a_hundred_at_once_one_is_accepted() -> None:
    """An assertion that was copied on its way opens nothing beside the first, however close they arrive."""
    site = Site()
    key = await site.passkey()
    key.counts = False
    site.clock.now_s += 3 * DAY_S
    assert site.factors.log_in is not None
    credential = key.get(site.factors.log_in.options("b"))
    found = await asyncio.gather(*(site.factors.log_in.accept(credential, "b") for _ in range(100)))
    assert sum(one is not None for one in found) == 1


async def test_a_log_in_by_passkey_cancels_a_reset() -> None:
    """The owner has found the factor, or an attacker had asked for the reset."""
    site = Site()
    key = await site.passkey()
    site.clock.now_s += 3 * DAY_S
    await site.owners.ask_reset("1", now_s=int(site.clock.now_s))
    assert await shown(site, key) == "alice"
    assert await site.owners.pending_reset("1") is None


async def test_what_an_attacker_writes_to_the_database_names_no_account() -> None:
    """A row that was sealed for another handle does not open at this one."""
    owners, sealer = MemoryOwners({}), Sealer((NEW,), clock_s=time.time)
    index = PasskeyIndex(owners, sealer, clock_s=time.time)
    await index.note("mallory", "1", b"m" * 32)
    (row,) = await owners.enrolments(place_of(b"m" * 32))
    await index.note("alice", "1", HANDLE)
    (mine,) = await owners.enrolments(place_of(HANDLE))
    assert await owners.replace(mine.id, mine.sealed, row.sealed)
    assert await index.account(HANDLE) == ""


async def test_a_rotation_of_secrets_keeps_the_name() -> None:
    """The row is found without any secret, and opened by the older one while that is listed."""
    owners = MemoryOwners({})
    await PasskeyIndex(owners, Sealer((OLD,), clock_s=time.time), clock_s=time.time).note("alice", "1", HANDLE)
    rotated = PasskeyIndex(owners, Sealer((NEW, OLD), clock_s=time.time), clock_s=time.time)
    assert await rotated.account(HANDLE) == "alice"
    assert await PasskeyIndex(owners, Sealer((NEW,), clock_s=time.time), clock_s=time.time).account(HANDLE) == ""


async def test_a_failing_database_does_not_undo_an_enrolment(caplog: pytest.LogCaptureFixture) -> None:
    """The passkey is enrolled, and the log says without any name what it cannot do yet."""

    class Failing(MemoryOwners):
        async def enrolments(self, account_id: str) -> Any:
            raise OwnersUnavailable

    await PasskeyIndex(Failing({}), Sealer((NEW,), clock_s=time.time), clock_s=time.time).note("alice", "1", HANDLE)
    assert [one.getMessage() for one in caplog.records] == [NOT_KEPT]


async def test_forgetting_an_account_forgets_the_name_of_its_passkeys(tmp_path: Path) -> None:
    """Of passkeys that the account has, and of a first one that was removed before."""
    owners = SqlOwners(f"sqlite+aiosqlite:///{tmp_path / 'owners.db'}", QUERY, clock_s=time.monotonic)
    await owners.migrate()
    settings = SimpleNamespace(
        listed=(NEW,), secrets=(NEW,), namespace="n", factors=("webauthn",), rp_id="shop.example",
        service_name="Shop", passkey_origins=("https://shop.example",),
    )  # fmt: skip
    rows = OwnerRows(owners, cast("Settings", settings), "alice", Contact("1", None, None))
    index = PasskeyIndex(owners, Sealer((NEW,), clock_s=time.time), clock_s=time.time)
    web = site_passkeys(cast("Settings", settings))
    assert web is not None
    await index.note("alice", "1", web.user_handle("1"))
    await rows.forget()
    assert [one async for one in owners.all_sealed()] == []
    await owners.aclose()


async def test_a_later_spelling_does_not_replace_the_first() -> None:
    """The owners' query takes `ALICE` for `alice`; the application may not, and hers is another member's."""
    same, other = Contact("1", None, None), Contact("2", None, None)
    names = {"alice": same, "ALICE": same}
    owners = MemoryOwners(names)
    index = PasskeyIndex(owners, Sealer((NEW,), clock_s=time.time), clock_s=time.time)
    await index.note("alice", "1", HANDLE)
    await index.note("ALICE", "1", HANDLE)
    assert await index.account(HANDLE) == "alice"
    names["alice"] = other  # given to another member; she is called otherwise since
    await index.note("ALICE", "1", HANDLE)
    assert await index.account(HANDLE) == "ALICE"


async def test_rewrapping_seals_the_name_anew() -> None:
    """Then the older secret can go, and the passkey begins log-ins as before."""
    owners, rotated = MemoryOwners({}), Sealer((NEW, OLD), clock_s=time.time)
    await PasskeyIndex(owners, Sealer((OLD,), clock_s=time.time), clock_s=time.time).note("alice", "1", HANDLE)
    with drawing() as drawn:
        assert (await rewrap(owners, rotated, drawn)).done == 1
    assert await PasskeyIndex(owners, Sealer((NEW,), clock_s=time.time), clock_s=time.time).account(HANDLE) == "alice"
