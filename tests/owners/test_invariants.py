"""For any input and any order of calls the SQL stores behave like plain Python."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sekisho.owners import RESET_DELAY_S, Contact, MemoryOwners, OwnersError, Reset
from tests.owners.worlds import T0, USERS, enrolment, in_sqlite

if TYPE_CHECKING:
    from sekisho.owners import Owners
    from tests.owners.worlds import SqlWorld

ACCOUNTS = st.sampled_from(["alice", "Alice", "bob"])
IDS = st.integers(0, 4).map(lambda number: enrolment(number).id)
SEALED = st.sampled_from([b"a", b"b"])
TIMES = st.integers(0, 3).map(lambda days: T0 + days * 86_400)

STEPS = st.one_of(
    st.tuples(st.just("enrol"), ACCOUNTS, st.builds(enrolment, st.integers(0, 4), sealed=SEALED)),
    st.tuples(st.just("remove"), ACCOUNTS, IDS),
    st.tuples(st.just("replace"), IDS, SEALED, SEALED),
    st.tuples(st.just("forget"), ACCOUNTS),
    st.tuples(st.just("ask_reset"), ACCOUNTS, TIMES),
    st.tuples(st.just("cancel_reset"), ACCOUNTS),
    st.tuples(st.just("carry_out"), ACCOUNTS, TIMES, TIMES),
)


@given(typed=st.lists(st.text(max_size=20) | st.sampled_from(list(USERS)), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
async def test_any_text_is_an_account_or_none(sql: SqlWorld, typed: list[str]) -> None:
    """No text causes an error, SQL, a pattern match or another account."""
    owners = sql.owners()
    found = await asyncio.gather(*map(owners.contact, typed))
    await owners.aclose()
    assert found == [Contact(name, *USERS[name]) if name in USERS else None for name in typed]


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_sql_does_what_python_does(steps: list[Any]) -> None:
    """The same history gives the same answers, refusals and final state."""
    asyncio.run(_compare(steps))


async def _compare(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with in_sqlite(Path(folder) / "owners.db") as world:
            plain, real = MemoryOwners({}), world.owners()
            for step in steps:
                assert await _do(real, *step) == await _do(plain, *step)
            assert {held async for held in real.all_sealed()} == {held async for held in plain.all_sealed()}
            for account in ("alice", "Alice", "bob"):
                assert await real.enrolments(account) == await plain.enrolments(account)
                assert await real.pending_reset(account) == await plain.pending_reset(account)


async def _do(owners: Owners, name: str, *args: Any) -> object:
    """The answer or the refusal."""
    try:
        match name:
            case "ask_reset":
                return await owners.ask_reset(args[0], now_s=args[1])
            case "carry_out":
                # As a worker read it earlier: it may have been cancelled since, or requested anew.
                return await owners.carry_out(Reset(args[0], args[1], args[1] + RESET_DELAY_S), now_s=args[2])
            case _:
                return await getattr(owners, name)(*args)
    except (OwnersError, ValueError) as error:
        return repr(error)
