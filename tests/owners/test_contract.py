"""One contract for every store of owners."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.owners import (
    ENROLMENTS_MAX,
    RESET_DELAY_S,
    SEALED_BYTES_MAX,
    Contact,
    Enrolment,
    EnrolmentsFull,
    Held,
    MemoryOwners,
    Reset,
)
from tests.owners.worlds import T0, USERS, enrolment

if TYPE_CHECKING:
    from sekisho.owners import Owners
    from tests.owners.worlds import World


@pytest.fixture
def owners(world: World) -> Owners:
    return world.owners()


@pytest.mark.parametrize("name", USERS)
async def test_contact_is_that_of_the_account_exactly_as_typed(owners: Owners, name: str) -> None:
    """Spellings that the service distinguishes have separate contacts, quotes included."""
    assert await owners.contact(name) == Contact(name, *USERS[name])


@pytest.mark.parametrize(
    "name",
    ["", "ALICE", "alice ", "carol", "alice\0", "\0", "\ud800", "a" * 100_000, "' or '1'='1", "alice' --", "%", "花"],
)
async def test_no_contact_for_what_is_no_account(owners: Owners, name: str) -> None:
    """Input that is no account has no contact, raises nothing and finds no other account."""
    assert await owners.contact(name) is None


async def test_enrolments_come_back_oldest_first(owners: Owners) -> None:
    """Enrolments come back oldest first, byte for byte, for their account alone."""
    later, sooner = enrolment(2, label="花子's 📱", sealed=bytes(range(256))), enrolment(1, kind="webauthn", label="")
    for made in (later, sooner):
        await owners.enrol("alice", made)
    await owners.enrol("Alice", enrolment(3))
    assert await owners.enrolments("alice") == (sooner, later)
    assert await owners.enrolments("Alice") == (enrolment(3),)
    assert await owners.enrolments("bob") == ()


async def test_an_id_is_taken_once(owners: Owners) -> None:
    """A second enrolment under an id is refused, for any account, and changes nothing."""
    await owners.enrol("alice", enrolment(1))
    with pytest.raises(ValueError, match=r"^the enrolment's id is taken$"):
        await owners.enrol("bob", enrolment(1, sealed=b"other"))
    assert await owners.enrolments("alice") == (enrolment(1),)


async def test_one_account_cannot_remove_anothers(owners: Owners) -> None:
    """An account removes its own enrolments alone, although ids are known (R4)."""
    await owners.enrol("alice", enrolment(1))
    assert not await owners.remove("bob", enrolment(1).id)
    assert await owners.remove("alice", enrolment(1).id)
    assert not await owners.remove("alice", enrolment(1).id)
    assert await owners.enrolments("alice") == ()


@pytest.mark.parametrize("enrolment_id", ["", "\0", "%", "\ud800", "0" * 31, "0" * 100_000, "' or ''='"])
async def test_no_enrolment_has_an_odd_id(owners: Owners, enrolment_id: str) -> None:
    """An odd id, as a page may send, finds nothing and raises nothing."""
    await owners.enrol("alice", enrolment(0))
    assert not await owners.remove("alice", enrolment_id)
    assert not await owners.replace(enrolment_id, b"sealed", b"other")
    assert await owners.enrolments("alice") == (enrolment(0),)


async def test_an_account_has_a_bound(world: World) -> None:
    """Parallel enrolments in two workers fill exactly the allowed number."""
    workers = world.owners(), world.owners()
    tries = [workers[n % 2].enrol("alice", enrolment(n)) for n in range(ENROLMENTS_MAX + 6)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [EnrolmentsFull] * 6
    assert len(await workers[0].enrolments("alice")) == ENROLMENTS_MAX
    await workers[0].enrol("bob", enrolment(1_000))


async def test_workers_that_have_just_started_keep_the_bound(world: World) -> None:
    """Workers that check their tables first still count the current enrolments."""
    for number in range(ENROLMENTS_MAX - 1):
        await world.owners().enrol("alice", enrolment(number))
    tries = [world.owners().enrol("alice", enrolment(100 + number)) for number in range(6)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [EnrolmentsFull] * 5


async def test_of_many_replacements_one_wins(world: World) -> None:
    """Of twenty callers in two workers that use one recovery code at once one succeeds."""
    workers = world.owners(), world.owners()
    await workers[0].enrol("alice", enrolment(1, sealed=b"ten codes"))
    tries = [workers[n % 2].replace(enrolment(1).id, b"ten codes", b"nine codes %d" % n) for n in range(20)]
    won = await asyncio.gather(*tries)
    assert sum(won) == 1
    (left,) = await workers[0].enrolments("alice")
    assert left.sealed == b"nine codes %d" % won.index(True)


async def test_nothing_is_replaced_but_what_was_read(owners: Owners) -> None:
    """A replacement with an outdated old value, or of a missing enrolment, changes nothing."""
    await owners.enrol("alice", enrolment(1, sealed=b"now"))
    assert not await owners.replace(enrolment(1).id, b"before", b"after")
    assert not await owners.replace(enrolment(2).id, b"now", b"after")
    assert await owners.replace(enrolment(1).id, b"now", b"now")
    assert await owners.enrolments("alice") == (enrolment(1, sealed=b"now"),)
    await owners.remove("alice", enrolment(1).id)
    assert not await owners.replace(enrolment(1).id, b"now", b"after")
    assert await owners.enrolments("alice") == ()


async def test_a_forgotten_account_leaves_nothing(owners: Owners) -> None:
    """A forgotten account leaves neither factors nor a reset to the name's next owner."""
    await owners.enrol("alice", enrolment(1))
    await owners.enrol("bob", enrolment(2))
    await owners.ask_reset("alice", now_s=T0)
    await owners.forget("alice")
    assert await owners.enrolments("alice") == ()
    assert await owners.pending_reset("alice") is None
    assert await owners.enrolments("bob") == (enrolment(2),)


async def test_a_reset_is_due_a_day_later(owners: Owners) -> None:
    """A due reset is carried out once, no second too early, and removes that account's enrolments alone."""
    asked = await owners.ask_reset("alice", now_s=T0)
    due = T0 + RESET_DELAY_S
    assert asked == Reset("alice", T0, due) == await owners.pending_reset("alice")
    for number, name in enumerate(("alice", "alice", "bob")):
        await owners.enrol(name, enrolment(number))
    assert not await owners.carry_out(asked, now_s=due - 1)
    assert len(await owners.enrolments("alice")) == 2
    assert await owners.carry_out(asked, now_s=due)
    assert not await owners.carry_out(asked, now_s=due)
    assert await owners.enrolments("alice") == ()
    assert await owners.enrolments("bob") == (enrolment(2),)
    assert await owners.pending_reset("alice") is None


async def test_asking_again_neither_hastens_nor_delays(owners: Owners) -> None:
    """Asking again does not move a reset, or a thief could delay the owner's for ever."""
    first = await owners.ask_reset("alice", now_s=T0)
    assert await owners.ask_reset("alice", now_s=T0 + 3_600) == first
    assert await owners.ask_reset("alice", now_s=T0 - 3_600) == first


async def test_a_cancelled_reset_is_not_carried_out(owners: Owners) -> None:
    """A cancelled reset is not carried out, by a worker that read it before, or after another request."""
    first = await owners.ask_reset("alice", now_s=T0)
    await owners.enrol("alice", enrolment(1))
    assert await owners.cancel_reset("alice")
    assert not await owners.cancel_reset("alice")
    assert not await owners.carry_out(first, now_s=first.due_s)
    second = await owners.ask_reset("alice", now_s=T0 + 60)
    assert not await owners.carry_out(first, now_s=second.due_s)
    assert await owners.enrolments("alice") == (enrolment(1),)


async def test_of_many_who_carry_out_one_does(world: World) -> None:
    """Of several workers one removes the factors and sends the notice."""
    workers = world.owners(), world.owners()
    reset = await workers[0].ask_reset("alice", now_s=T0)
    done = await asyncio.gather(*(workers[n % 2].carry_out(reset, now_s=reset.due_s) for n in range(8)))
    assert sum(done) == 1


async def test_resets_asked_for_at_once_are_one(world: World) -> None:
    """Resets requested at once by two operators are one, with one notice."""
    workers = world.owners(), world.owners()
    asked = await asyncio.gather(*(workers[n % 2].ask_reset("alice", now_s=T0 + n) for n in range(8)))
    assert len(set(asked)) == 1


async def test_all_that_is_sealed_is_found_once(owners: Owners, monkeypatch: pytest.MonkeyPatch) -> None:
    """Across batches each sealed enrolment is found once, while all are sealed anew."""
    monkeypatch.setattr("sekisho.owners.sql.BATCH", 20)
    expected = {Held(f"user {n // 10}", enrolment(n * 7_919 % 60, sealed=b"old %d" % n)) for n in range(60)}
    for held in expected:
        await owners.enrol(*held)
    found = []
    async for held in owners.all_sealed():
        found.append(held)
        assert await owners.replace(held.enrolment.id, held.enrolment.sealed, b"new")
    assert len(found) == len(expected)
    assert set(found) == expected
    assert {held.enrolment.sealed async for held in owners.all_sealed()} == {b"new"}


@pytest.mark.parametrize("account_id", ["", "a\0b", "\udcff", "a" * 513])
async def test_an_id_that_cannot_be_kept_is_refused(owners: Owners, account_id: str) -> None:
    """An id that cannot be stored is refused: cut or changed, it could become another account's."""
    message = "^an account id has 1 to 512 characters that a database can hold$"
    with pytest.raises(ValueError, match=message):
        await owners.enrol(account_id, enrolment())
    with pytest.raises(ValueError, match=message):
        await owners.enrolments(account_id)
    with pytest.raises(ValueError, match=message):
        await owners.ask_reset(account_id, now_s=T0)


async def test_what_is_sealed_has_a_bound(owners: Owners) -> None:
    """Sealed data has a bound, when enrolled and when replaced."""
    whole = enrolment(1, sealed=b"x" * SEALED_BYTES_MAX)
    await owners.enrol("alice", whole)
    for wrong in (b"", whole.sealed + b"x"):
        with pytest.raises(ValueError, match=r"^a sealed secret has 1 to 8192 bytes$"):
            await owners.replace(whole.id, whole.sealed, wrong)
        with pytest.raises(ValueError, match=r"^a sealed secret has 1 to 8192 bytes$"):
            enrolment(2, sealed=wrong)
    assert await owners.enrolments("alice") == (whole,)


@pytest.mark.parametrize(
    ("id_", "kind", "label"),
    [
        ("0" * 31, "totp", ""),
        ("G" * 32, "totp", ""),
        ("0" * 32 + "\n", "totp", ""),
        ("0" * 32, "", ""),
        ("0" * 32, "Totp", ""),
        ("0" * 32, "totp", "x" * 65),
        ("0" * 32, "totp", "two\nlines"),
        ("0" * 32, "totp", "\0"),
        ("0" * 32, "totp", "\u202egnp.exe"),
    ],
)
def test_an_enrolment_holds_nothing_odd(id_: str, kind: str, label: str) -> None:
    """Labels, typed by strangers and shown on pages, have no controls, no reversed text and a bound."""
    with pytest.raises(ValueError, match=r"^an enrolment's (id|label) has "):
        Enrolment(id_, kind, label, T0, b"sealed")


def test_no_repr_tells_whose_it_is() -> None:
    """No `repr` names an account, address, label or secret: tracebacks and logs have it."""
    shown = repr(
        (
            Contact("alice", "alice@mail.example", "ja"),
            Held("alice", enrolment(label="alice's", sealed=b"alice")),
            Reset("alice", T0, T0),
        )
    )
    assert "alice" not in shown
    assert "ja" not in shown


async def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded against endless sign-ups."""
    monkeypatch.setattr("sekisho.owners.memory.HELD_MAX", 3)
    owners = MemoryOwners({})
    for number in range(3):
        await owners.enrol(f"user {number}", enrolment(number))
    with pytest.raises(EnrolmentsFull):
        await owners.enrol("user 3", enrolment(3))
    assert await owners.remove("user 0", enrolment(0).id)
    await owners.enrol("user 3", enrolment(3))
