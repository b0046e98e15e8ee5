"""Recovery codes: ten on a sheet, each valid once, in any common spelling."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.stepup.factors.recovery import RecoveryCodes, Sheet
from tests.stepup.proving import KEYS, SEALER, in_redis, limits, memory, trial

if TYPE_CHECKING:
    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.store.vault import Vault

ENROLMENT = "e" * 32
LOOK_ALIKES = "0oO", "1iIlL"


class Drawer:
    """A store of factors that lets other tasks run between its steps, as a database does."""

    def __init__(self, sealed: bytes | None) -> None:
        self.sealed = sealed
        self.swaps = 0

    async def read(self) -> bytes | None:
        found = self.sealed
        await asyncio.sleep(0)
        return found

    async def swap(self, old: bytes, new: bytes) -> bool:
        await asyncio.sleep(0)
        if self.sealed != old:
            return False
        self.sealed = new
        self.swaps += 1
        return True


def recovery(vault: Vault | None = None, sealer: Sealer = SEALER) -> RecoveryCodes:
    """The recovery codes of one worker."""
    return RecoveryCodes(sealer, limits(memory() if vault is None else vault))


def fresh() -> tuple[Sheet, Drawer]:
    sheet = recovery().fresh(account="owner-1", enrolment=ENROLMENT)
    return sheet, Drawer(sheet.sealed)


async def left_after(
    drawer: Drawer, typed: str, who: CodeTrial | None = None, vault: Vault | None = None
) -> int | None:
    return await recovery(vault).accept(who or trial(), ENROLMENT, drawer, typed)


def left(drawer: Drawer) -> int:
    return recovery().left(drawer.sealed or b"", account="owner-1", enrolment=ENROLMENT)


def test_a_sheet_has_ten_codes_of_80_bits_in_groups() -> None:
    """A sheet has ten codes of 80 bits without I, L, O and U, and no code twice in a hundred sheets."""
    sheets = [fresh()[0] for _ in range(100)]
    made = [code for sheet in sheets for code in sheet.codes]
    assert {len(sheet.codes) for sheet in sheets} == {10}
    assert all(re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code) for code in made)
    assert len(set(made)) == 1_000
    places = zip(*[code.replace("-", "") for code in made], strict=True)
    assert [len(set(symbols)) for symbols in places] == [32] * 16


async def test_each_code_works_once_and_says_how_many_are_left() -> None:
    """Each code works once and tells how many are left: nine after the first, none after the last."""
    sheet, drawer = fresh()
    assert left(drawer) == 10
    assert [await left_after(drawer, code) for code in sheet.codes] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [await left_after(drawer, code) for code in sheet.codes] == [None] * 10
    assert left(drawer) == 0


async def test_one_code_in_parallel_is_accepted_once(redis_url: str) -> None:
    """Of five workers shown one code at once one accepts it, with tries in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            sheet, drawer = fresh()
            shown = await asyncio.gather(*[left_after(drawer, sheet.codes[3], vault=vault) for _ in range(5)])
            assert sorted(shown, key=str) == [9, None, None, None, None]
            assert left(drawer) == 9


async def test_ten_codes_in_parallel_all_work() -> None:
    """Ten codes in parallel all work: a worker that loses a compare-and-swap tries again."""
    sheet, drawer = fresh()
    shown = await asyncio.gather(*[left_after(drawer, code) for code in sheet.codes])
    assert sorted(number for number in shown if number is not None) == list(range(10))


async def test_a_new_sheet_ends_the_old_one() -> None:
    """A new sheet voids the old one, for a worker that has just read the old set too."""
    old, drawer = fresh()
    new = recovery().fresh(account="owner-1", enrolment=ENROLMENT)
    redeemed = asyncio.create_task(left_after(drawer, old.codes[0]))
    await asyncio.sleep(0)
    drawer.sealed = new.sealed
    assert await redeemed is None
    assert left(drawer) == 10
    assert await left_after(drawer, new.codes[0]) == 9


async def test_behind_a_wrong_secret_nothing_is_proved_and_no_code_is_used_up() -> None:
    """R7: behind a wrong secret no code proves anything or is used up."""
    sheet, drawer = fresh()
    for number, code in enumerate(sheet.codes):
        assert await left_after(drawer, code, trial(b"%d" % number, right=False)) is None
    assert (left(drawer), drawer.swaps) == (10, 0)


async def test_a_recovery_code_works_after_the_accounts_tries_are_used_up() -> None:
    """A recovery code still works after the account's tries are used up: it cannot be guessed, so it is not counted
    with them.
    """
    vault = memory()
    sheet, drawer = fresh()
    while await limits(vault).of_guessable(trial(KEYS.of(b"new", str(vault.entries)))):
        pass
    assert await left_after(drawer, sheet.codes[0], vault=vault) == 9


async def test_a_challenge_takes_five_tries() -> None:
    """After five wrong codes a challenge refuses the right one, which works in the next challenge."""
    vault = memory()
    (sheet, drawer), (other, _) = fresh(), fresh()
    for code in other.codes[:5]:
        assert await left_after(drawer, code, vault=vault) is None
    assert await left_after(drawer, sheet.codes[0], vault=vault) is None
    assert await left_after(drawer, sheet.codes[0], trial(b"next"), vault=vault) == 9


BETWEEN = ("", "-", " ", "\u3000", "\u2013", "ー", "－", "\u2212")


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(BETWEEN)), min_size=16, max_size=16))
def test_it_is_read_however_people_write_it(hands: list[tuple[int, str]]) -> None:
    """A code is read in any case and width, with O for 0, I or L for 1, blanks and dashes anywhere."""
    sheet, drawer = fresh()
    typed = ""
    for symbol, (hand, between) in zip(sheet.codes[0].replace("-", ""), hands, strict=True):
        alike = next((group for group in LOOK_ALIKES if symbol in group), symbol + symbol.lower())
        char = alike[hand % len(alike)]
        typed += (chr(ord(char) + 0xFEE0) if hand >= 5 else char) + between
    assert asyncio.run(left_after(drawer, typed)) == 9


REFUSED = ("", "0" * 15, "0" * 17, "U" * 16, "ß" * 8, "é" * 16, "①" * 16, "\ud800" * 16, "ſ" * 16, "0" * 15 + "\n")


@pytest.mark.parametrize("typed", [*REFUSED, "0" * 100_000, "-" * 65, "0000_0000_0000_0000", "٠" * 16])
async def test_what_cannot_be_a_code_is_no_try(typed: str) -> None:
    """Input that cannot be a code costs no try: neither counters nor factors are read."""
    vault = memory()
    _, drawer = fresh()
    assert await left_after(drawer, typed, vault=vault) is None
    assert (vault.steps, drawer.swaps) == ([], 0)


@given(order=st.lists(st.integers(0, 11), max_size=40))
def test_of_any_sequence_each_code_works_at_most_once(order: list[int]) -> None:
    """In any order of the sheet's codes and two foreign ones each code works once at most."""
    (sheet, drawer), (strange, _) = fresh(), fresh()
    known = [*sheet.codes, *strange.codes[:2]]

    async def shown() -> list[int]:
        return [number for number in order if await left_after(drawer, known[number]) is not None]

    worked = asyncio.run(shown())
    assert sorted(worked) == sorted({number for number in order if number < 10})
    assert left(drawer) == 10 - len(worked)


@pytest.mark.parametrize("case", ["none", "altered", "another account's", "under a lost secret", "junk"])
async def test_a_set_that_cannot_be_opened_proves_nothing(case: str, caplog: pytest.LogCaptureFixture) -> None:
    """A set that cannot be opened is refused like a wrong code: an error page would tell who exists. The log names no
    account.
    """
    sheet, _ = fresh()
    moved = recovery().fresh(account="owner-2", enrolment=ENROLMENT)
    foreign = recovery(sealer=Sealer([b"f" * 32], clock_s=time.time)).fresh(account="owner-1", enrolment=ENROLMENT)
    altered = sheet.sealed[:-1] + bytes([sheet.sealed[-1] ^ 1])
    sealed, code = {
        "none": (None, sheet.codes[0]),
        "altered": (altered, sheet.codes[0]),
        "another account's": (moved.sealed, moved.codes[0]),
        "under a lost secret": (foreign.sealed, foreign.codes[0]),
        "junk": (b"junk", sheet.codes[0]),
    }[case]
    drawer = Drawer(sealed)
    assert await left_after(drawer, code) is None
    assert drawer.swaps == 0
    assert len(caplog.records) == (case != "none")
    assert "owner" not in caplog.text


async def test_a_code_of_nobodys_sheet_proves_nothing() -> None:
    """Without a set a random one is checked, and knowing its codes proves nothing."""
    factor, drawer = recovery(), Drawer(None)
    sheet = factor.fresh(account="", enrolment="")
    factor._nobodys = sheet.sealed
    assert await factor.accept(trial(), ENROLMENT, drawer, sheet.codes[0]) is None
    assert drawer.swaps == 0


async def test_a_sheet_outlives_the_secret_it_was_sealed_under() -> None:
    """A sheet sealed anew in a rotation still works when the old secret is gone."""
    sheet, drawer = fresh()
    first = await left_after(drawer, sheet.codes[0])
    bound_to = enrolment_binding("owner-1", ENROLMENT)
    data = SEALER.open(b"recovery codes", drawer.sealed or b"", bound_to=bound_to)
    new = Sealer([b"n" * 32], clock_s=time.time)
    drawer.sealed = new.seal(b"recovery codes", data, bound_to=bound_to)
    second = await recovery(sealer=new).accept(trial(), ENROLMENT, drawer, sheet.codes[1])
    assert (first, second) == (9, 8)


async def test_codes_are_shown_once_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    """Codes are shown once: neither stored (even sealed), logged nor in a `repr`."""
    caplog.set_level(0)
    vault = memory()
    sheet, drawer = fresh()
    inside = recovery()._opened(sheet.sealed, enrolment_binding("owner-1", ENROLMENT))
    assert await left_after(drawer, sheet.codes[0], vault=vault) == 9
    seen = b"".join([sheet.sealed, inside.packed(), vault.contents(), f"{caplog.text}{sheet}{(inside,)!r}".encode()])
    for code in sheet.codes:
        assert code.encode() not in seen
        assert code.replace("-", "").encode() not in seen
    assert f"{sheet} {inside!r}" == "Sheet(...) _Set(...)"
