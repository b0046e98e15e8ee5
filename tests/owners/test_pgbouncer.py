"""Behind a pooler that changes the connection with each transaction owners are found as without it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.owners import Contact
from tests.owners.pgbouncer import pgbouncer
from tests.owners.worlds import enrolment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.owners.sql import SqlOwners
    from tests.owners.worlds import InPostgres

WORKERS, ROUNDS = 6, 10


@pytest.fixture
def pooled_url(postgres: InPostgres) -> Iterator[str]:
    """The same database through the pooler."""
    server = postgres.server
    with pgbouncer(server) as port:
        yield postgres.url.replace(f":{server.port}/", f":{port}/")


async def test_transactions_of_many_workers_share_few_connections(postgres: InPostgres, pooled_url: str) -> None:
    """Sixty step-ups at once (look-up, list, write) share few connections, without named statements."""
    workers = [postgres.owners(url=pooled_url) for _ in range(WORKERS)]

    async def step_up(owners: SqlOwners, number: int) -> tuple[Contact | None, int, bool]:
        found = await owners.contact("alice")
        made = enrolment(number)
        await owners.enrol(f"account {number}", made)
        listed = await owners.enrolments(f"account {number}")
        return found, len(listed), await owners.replace(made.id, made.sealed, b"anew")

    steps = [step_up(owners, 100 * at + one) for at, owners in enumerate(workers) for one in range(ROUNDS)]
    found = await asyncio.gather(*steps)

    assert found == [(Contact("alice", "alice@mail.example", "ja"), 1, True)] * (WORKERS * ROUNDS)


async def test_tables_are_made_and_checked_through_it(postgres: InPostgres, pooled_url: str) -> None:
    """`sekisho owners migrate` and `check` work through it, as their locks end with their transactions."""
    await postgres.execute("drop table sekisho_enrolments, sekisho_resets, sekisho_meta")
    owners = postgres.owners(url=pooled_url)
    assert await asyncio.gather(*(owners.migrate() for _ in range(4))) == [1] * 4
    await owners.check()


async def test_without_a_pooler_the_cache_may_be_kept(postgres: InPostgres) -> None:
    """Without a pooler the URL can enable SQLAlchemy's statement cache."""
    owners = postgres.owners(url=f"{postgres.url}?prepared_statement_cache_size=50")
    for _ in range(3):
        assert await owners.contact("bob") == Contact("bob", None, None)
