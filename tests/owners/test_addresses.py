"""The table of owners' addresses in every database: one row for each account, changed by one of two workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.owners import OwnersUnfit
from sekisho.owners.addresses import SqlAddresses

if TYPE_CHECKING:
    from tests.owners.worlds import SqlWorld


async def test_the_row_changes_only_as_it_was_read(sql: SqlWorld) -> None:
    """Of two workers that read the same row, the second changes nothing."""
    one, other = SqlAddresses(sql.owners()), SqlAddresses(sql.owners())
    await one.replace("alice", None, b"first")
    await other.replace("alice", None, b"also first")
    assert await other.read("alice") == b"first"
    await one.replace("alice", b"first", b"second")
    await other.replace("alice", b"first", b"late")
    assert await other.read("alice") == b"second"
    assert await other.read("Alice") is None


async def test_a_deleted_account_leaves_no_addresses(sql: SqlWorld) -> None:
    """`forget` removes the row: a new account of that name has other addresses."""
    owners = sql.owners()
    rows = SqlAddresses(owners)
    await rows.replace("alice", None, b"first")
    await owners.forget("alice")
    assert await rows.read("alice") is None


async def test_without_the_table_there_is_no_history(sql: SqlWorld) -> None:
    """In a database that was not migrated yet, nothing is kept, and factors work as before."""
    await sql.execute("drop table sekisho_addresses", "delete from sekisho_meta where name = 'addresses'")
    owners = sql.owners()
    rows = SqlAddresses(owners)
    await rows.replace("alice", None, b"first")
    assert await rows.read("alice") is None
    await owners.check()


async def test_an_owner_may_have_several_addresses(sql: SqlWorld) -> None:
    """`email_2` to `email_4` are further addresses; one that is no mailbox is left out."""
    query = (
        "select username as account_id, email, 'b@mail.example' as email_2, 'no mailbox' as email_3 from users "
        "where username = :account"
    )
    contact = await sql.owners(query=query).contact("alice")
    assert contact is not None
    assert contact.addresses == ("alice@mail.example", "b@mail.example")
    with pytest.raises(OwnersUnfit, match="email_2"):
        await sql.owners(query=query.replace("email_3", "email_5")).contact("alice")
