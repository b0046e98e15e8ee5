"""An escrowed answer is bound to challenge, door, account and browser by its own seal, independent of the tickets.

A ticket opens in one browser alone, so nobody without one reaches an escrowed answer. These tests leave the ticket out
and check the seal: an attacker who writes to the store, or a bug that mixes up tickets, must find nothing that opens.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.stepup.escrow import (
    ANSWER_BYTES_MAX,
    CALLS_MAX,
    HEADERS_BYTES_MAX,
    PROOF_S,
    SKEW_MS,
    TICKET_S,
    Escrow,
    Kept,
    Purpose,
    Sealed,
    Ticket,
    headers_bytes,
)
from tests.stepup.proving import KEYS, NOW, SECRETS, Clock, in_redis, memory

if TYPE_CHECKING:
    from sekisho.store.vault import Vault

BROWSER_KEY = "a" * 22
ANSWER = Sealed(303, ((b"set-cookie", b"session=s; HttpOnly"), (b"location", b"/account")), b"in \xff\x00")
OTHERS = {
    "another browser": ({}, "b" * 22),
    "no browser": ({}, ""),
    "another challenge": ({"challenge": b"o" * 16}, BROWSER_KEY),
    "another door": ({"door": "POST /token"}, BROWSER_KEY),
    "another account": ({"account": "Hana"}, BROWSER_KEY),
}


class Time:
    """Unix time that a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOW * 1000

    def __call__(self) -> int:
        return self.now_ms


def escrow(vault: Vault | None = None, time: Time | None = None, secrets: list[bytes] = SECRETS) -> Escrow:
    return Escrow(secrets, vault or memory(), clock_ms=time or Time())


def ticket(**more: Any) -> Ticket:
    return Ticket(b"c" * 16, Purpose.LOGIN, "POST /login", "hana", b"counted", issued_ms=NOW * 1000)._replace(**more)


def name_of(one: Ticket) -> bytes:
    """The key of an answer in the store."""
    return KEYS.of(b"escrow", one.challenge)


async def test_what_was_kept_is_found_and_then_taken_once(redis_url: str) -> None:
    """An answer comes back unchanged, once: of eight parallel takes one gets it, in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            kept = escrow(vault)
            await kept.keep(ticket(), BROWSER_KEY, Kept(ANSWER))
            assert await kept.find(ticket(), BROWSER_KEY) == Kept(ANSWER)
            taken = await asyncio.gather(*(escrow(vault).take(ticket(), BROWSER_KEY) for _ in range(8)))
            assert [one for one in taken if one is not None] == [ANSWER]
            assert await kept.find(ticket(), BROWSER_KEY) is None


@pytest.mark.parametrize(("other", "browser_key"), OTHERS.values(), ids=OTHERS)
async def test_it_opens_for_nobody_else(other: dict[str, object], browser_key: str) -> None:
    """Row 82: moved to another challenge's key, an answer reads as a wrong secret."""
    vault = memory()
    await escrow(vault).keep(ticket(), BROWSER_KEY, Kept(ANSWER))
    moved = await vault.get(name_of(ticket()))
    assert moved
    await vault.put(name_of(ticket(**other)), moved, seconds=60)
    assert await escrow(vault).find(ticket(**other), browser_key) == Kept(None)
    assert await escrow(vault).take(ticket(**other), browser_key) is None


async def test_it_opens_under_no_foreign_key() -> None:
    """An answer does not open under another service's key or a removed secret."""
    vault = memory()
    old = [*SECRETS]
    await escrow(vault, secrets=[b"n" * 32, *old]).keep(ticket(), BROWSER_KEY, Kept(ANSWER))
    assert await escrow(vault, secrets=[b"n" * 32, *old]).find(ticket(), BROWSER_KEY) == Kept(ANSWER)
    assert await escrow(vault, secrets=old).find(ticket(), BROWSER_KEY) == Kept(None)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_that_was_turned_makes_it_a_secret_that_was_wrong(at: int, bit: int) -> None:
    """An answer with a flipped bit reads as a wrong secret, so writing to the store changes and forges nothing."""

    async def found() -> Kept | None:
        vault = memory()
        await escrow(vault).keep(ticket(), BROWSER_KEY, Kept(ANSWER))
        sealed = bytearray(await vault.get(name_of(ticket())) or b"")
        sealed[at % len(sealed)] ^= 1 << bit
        await vault.put(name_of(ticket()), bytes(sealed), seconds=60)
        return await escrow(vault).find(ticket(), BROWSER_KEY)

    assert asyncio.run(found()) == Kept(None)


async def test_a_wrong_secret_leaves_a_mark_and_no_body() -> None:
    """A wrong secret leaves a mark without a body: found, so that nothing waits for it, and empty."""
    vault = memory()
    await escrow(vault).keep(ticket(), BROWSER_KEY, Kept(None))
    assert await escrow(vault).find(ticket(), BROWSER_KEY) == Kept(None)
    assert len(await vault.get(name_of(ticket())) or b"") < 100
    assert await escrow(vault).take(ticket(), BROWSER_KEY) is None


async def test_a_reader_of_the_store_sees_neither_session_nor_account() -> None:
    """A reader of the store sees neither the session nor its account."""
    vault = memory()
    await escrow(vault).keep(ticket(), BROWSER_KEY, Kept(ANSWER))
    for secret in (b"session", b"hana", b"/account", BROWSER_KEY.encode(), b"c" * 16):
        assert secret not in vault.contents()


@pytest.mark.parametrize("line", [(b"x", b"\xff" * 8_187), (b"x", b'\x00"' * 4_000), (b"", b"")])
async def test_the_longest_answer_fits_the_store(line: tuple[bytes, bytes]) -> None:
    """The longest answer (64 KiB body, 16 KiB headers of any number and bytes) fits the store."""
    headers = (line,) * (HEADERS_BYTES_MAX // headers_bytes([line]))
    longest = Sealed(200, headers, bytes(ANSWER_BYTES_MAX))
    kept = escrow()
    await kept.keep(ticket(), BROWSER_KEY, Kept(longest))
    assert await kept.find(ticket(), BROWSER_KEY) == Kept(longest)
    assert ANSWER_BYTES_MAX == 64 * 1024
    assert HEADERS_BYTES_MAX == 16 * 1024


# Tickets.


@pytest.mark.parametrize(("late_ms", "good"), [(0, True), (TICKET_S * 1000 - 1, True), (TICKET_S * 1000, False)])
async def test_a_ticket_lives_for_ten_minutes(late_ms: int, good: bool) -> None:
    """A ticket lives ten minutes, like a sent code."""
    time = Time()
    _, text = escrow(time=time).issue(ticket(), BROWSER_KEY)
    time.now_ms += late_ms
    assert (escrow(time=time).read(text, BROWSER_KEY) is not None) is good


@pytest.mark.parametrize(("behind_ms", "opens"), [(3_000, True), (60_000, True), (60_001, False)])
def test_a_ticket_opens_at_a_worker_whose_clock_is_behind(behind_ms: int, opens: bool) -> None:
    """A ticket of the next minute opens, as machines' clocks differ; a later one does not."""
    time = Time()
    _, text = escrow(time=time).issue(ticket(), BROWSER_KEY)
    time.now_ms -= behind_ms
    assert (escrow(time=time).read(text, BROWSER_KEY) is not None) is opens


async def test_a_ticket_is_one_of_a_kind_and_as_long_for_every_name() -> None:
    """No two tickets are alike, and their length reveals nothing of the account."""
    made = [escrow().issue(ticket(account=name), BROWSER_KEY) for name in ("a", "hana", "nobody", "x" * 40) * 5]
    assert len({one.challenge for one, _ in made}) == len({text for _, text in made}) == 20
    assert len({len(text) for _, text in made}) == 1


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.DOOR])
async def test_only_a_proof_at_a_door_opens_one(purpose: Purpose) -> None:
    """Only a proof at a door opens a door, not one for a log-in, a route or the owner's page."""
    made = escrow()
    for one, opens in ((ticket(purpose=purpose), False), (ticket(purpose=Purpose.DOOR), True)):
        text = made.receipt_of_proof(one, BROWSER_KEY)
        assert await made.accept_proof(text, BROWSER_KEY, door="POST /login", account="hana") is opens


async def test_a_proof_opens_its_door_once_and_for_two_minutes() -> None:
    """A proof opens its door once, within two minutes from when it was shown."""
    time = Time()
    made = escrow(time=time)
    text = made.receipt_of_proof(ticket(purpose=Purpose.DOOR), BROWSER_KEY)
    shown = [await made.accept_proof(text, BROWSER_KEY, door="POST /login", account="hana") for _ in range(3)]
    assert shown == [True, False, False]
    late = made.receipt_of_proof(ticket(purpose=Purpose.DOOR, challenge=b"l" * 16), BROWSER_KEY)
    time.now_ms += PROOF_S * 1000
    assert not await made.accept_proof(late, BROWSER_KEY, door="POST /login", account="hana")


async def test_a_ticket_may_ask_forty_times() -> None:
    """A ticket allows forty calls, as each reads the owners' database."""
    made = escrow()
    assert [await made.may_call(ticket()) for _ in range(CALLS_MAX + 3)] == [True] * CALLS_MAX + [False] * 3
    assert await made.may_call(ticket(challenge=b"o" * 16))


async def test_what_was_begun_before_the_end_is_over_and_what_comes_after_it_is_not() -> None:
    """Row 83: ending an account's challenges ends earlier ones, not later ones, with room for clock skew."""
    clock, time = Clock(), Time()
    made = escrow(memory(clock), time)
    await made.end_all(b"counted")
    for issued_ms, over in ((time.now_ms, True), (time.now_ms + SKEW_MS, True), (time.now_ms + SKEW_MS + 1, False)):
        assert await made.is_over(ticket(issued_ms=issued_ms), "") is over
    assert not await made.is_over(ticket(account_digest=b"another's"), "")


@pytest.mark.parametrize("back_ms", [3_600_000, 86_400_000])
async def test_a_clock_that_was_set_back_ends_what_was_begun_before_it_was_noticed_and_no_more(back_ms: int) -> None:
    """A change of password ended all tickets and proofs until the clock had caught up: no owner could show a proof."""
    clock, time = Clock(), Time()
    made = escrow(memory(clock), time)
    await made.end_all(b"counted")
    await made.end_browser("browser", b"session")
    time.now_ms -= back_ms

    async def over(digest: bytes = b"counted", browser: str = "") -> tuple[bool, bool]:
        of = ticket(issued_ms=time.now_ms, account_digest=digest)
        return await made.was_ended(of, browser), await made.ended_since(digest, time.now_ms // 1000)

    first = await over(), await over(b"another's", "browser")
    time.now_ms += SKEW_MS + 1_000
    assert first == ((True, True), (True, False))
    assert (await over(), await over(b"another's", "browser")) == ((False, False), (False, False))
    assert await made.was_ended(ticket(issued_ms=time.now_ms - 60_000), "")
    await made.end_all(b"counted")
    assert await over() == (True, True)


async def test_a_worker_whose_clock_alone_is_behind_revives_nothing_at_the_others() -> None:
    time, behind = Time(), Time()
    behind.now_ms -= 3_600_000
    vault = memory()
    await escrow(vault, time).end_all(b"counted")
    await escrow(vault, behind).was_ended(ticket(issued_ms=behind.now_ms), "")
    assert await escrow(vault, time).was_ended(ticket(issued_ms=time.now_ms - 60_000), "")


async def test_of_many_claims_at_once_one_is_granted(redis_url: str) -> None:
    """Of many claims at once one is granted, in memory and in Redis; a second would refund another attempt's charge."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            assert not await escrow(vault).is_over(ticket(), "")
            claimed = await asyncio.gather(*(escrow(vault).claim(ticket()) for _ in range(8)))
            assert sum(claimed) == 1
            assert await escrow(vault).is_over(ticket(), "")
