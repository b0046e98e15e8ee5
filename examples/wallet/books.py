"""The wallet's books in SQLite or PostgreSQL: members, sessions, bank accounts, and each move of money.

Amounts are yen. Each move is one transaction whose updates name their conditions, so that no parallel requests can
spend a yen twice.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

SESSION_SECONDS = 12 * 3600
RESET_SECONDS = 3600

metadata = sa.MetaData()
members = sa.Table(
    "members", metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("email", sa.String(254), nullable=False, unique=True),
    sa.Column("birthday", sa.String(10), nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("balance", sa.BigInteger, sa.CheckConstraint("balance >= 0"), nullable=False),
)  # fmt: skip
tokens = sa.Table(
    "tokens", metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("member", sa.String(32), nullable=False, index=True),
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Column("note", sa.String(200), nullable=False),
)  # fmt: skip
bank_accounts = sa.Table(
    "bank_accounts", metadata,
    sa.Column("number", sa.String(7), primary_key=True),
    sa.Column("pin", sa.String(4), nullable=False),
    sa.Column("balance", sa.BigInteger, sa.CheckConstraint("balance >= 0"), nullable=False),
)  # fmt: skip
links = sa.Table(
    "links", metadata,
    sa.Column("member", sa.String(32), primary_key=True),
    sa.Column("number", sa.String(7), primary_key=True),
)  # fmt: skip
moves = sa.Table(
    "moves", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("member", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("number", sa.String(7), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)  # fmt: skip


class NotPossible(Exception):  # noqa: N818 - a verdict about a request
    """The address is taken, the PIN is wrong, the money is not there: nothing has changed."""


class Member(NamedTuple):
    id: str
    email: str
    birthday: str
    password_hash: str
    balance: int

    def __repr__(self) -> str:
        return "Member(...)"


class Books:
    """Args:
    url: `sqlite+aiosqlite:///wallet.sqlite3` or `postgresql+asyncpg://wallet@localhost/wallet`.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, hide_parameters=True, pool_size=8, max_overflow=0)
        self._reading = self._engine
        if url.startswith("sqlite"):
            # SQLite lets many read while one writes, and lets no two write.
            self._reading = create_async_engine(url, hide_parameters=True, pool_size=8, max_overflow=0)
            sa.event.listen(self._engine.sync_engine, "connect", _ready)
            sa.event.listen(self._engine.sync_engine, "begin", _write_first)
            sa.event.listen(self._reading.sync_engine, "connect", _ready)

    async def create(self) -> None:
        """Create the tables that do not exist."""
        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

    async def aclose(self) -> None:
        await self._engine.dispose()
        await self._reading.dispose()

    async def fill(self, table: sa.Table, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows, for a wallet that begins with members."""
        async with self._engine.begin() as connection:
            await connection.execute(table.insert(), [dict(row) for row in rows])

    # Members and sessions.

    async def add(self, email: str, password_hash: str, birthday: str = "") -> Member:
        """Raises `NotPossible` if the address has an account."""
        member = Member(secrets.token_hex(16), email, birthday, password_hash, 0)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(members.insert().values(member._asdict()))
        except IntegrityError:
            raise NotPossible from None
        return member

    async def by_email(self, email: str) -> Member | None:
        return await self._member(members.c.email == email)

    async def by_session(self, token: str) -> Member | None:
        if (owner := await self._holder("session", token)) is None:
            return None
        return await self._member(members.c.id == owner)

    async def _member(self, condition: sa.ColumnElement[bool]) -> Member | None:
        async with self._reading.connect() as connection:
            row = (await connection.execute(members.select().where(condition))).first()
        return None if row is None else Member(*row)

    async def issue(self, kind: str, member: str, note: str = "") -> str:
        """A token for a session or a reset. Only its digest is stored. `note`: kept beside it."""
        token = secrets.token_urlsafe(32)
        until = int(time.time()) + (SESSION_SECONDS if kind == "session" else RESET_SECONDS)
        async with self._engine.begin() as connection:
            row = {"digest": _digest(token), "kind": kind, "member": member, "until": until, "note": note[:200]}
            await connection.execute(tokens.insert().values(row))
        return token

    async def note(self, token: str) -> str:
        """The note beside a session; empty if there is none."""
        asked = sa.select(tokens.c.note).where((tokens.c.digest == _digest(token)) & (tokens.c.kind == "session"))
        async with self._reading.connect() as connection:
            return await connection.scalar(asked) or ""

    async def end(self, token: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(tokens.delete().where(tokens.c.digest == _digest(token)))

    async def set_password(self, member: str, password_hash: str) -> None:
        """Set a new password; all sessions and resets of the member end."""
        async with self._engine.begin() as connection:
            change = members.update().where(members.c.id == member).values(password_hash=password_hash)
            await connection.execute(change)
            await connection.execute(tokens.delete().where(tokens.c.member == member))

    async def redeem_reset(self, token: str) -> Member | None:
        """The member whose reset this is; None for any other token."""
        owner = await self._holder("reset", token)
        return None if owner is None else await self._member(members.c.id == owner)

    async def _holder(self, kind: str, token: str) -> str | None:
        is_it = (tokens.c.digest == _digest(token)) & (tokens.c.kind == kind) & (tokens.c.until > int(time.time()))
        async with self._reading.connect() as connection:
            found: str | None = await connection.scalar(sa.select(tokens.c.member).where(is_it))
        return found

    # Money.

    async def link(self, member: str, number: str, pin: str) -> None:
        """Link a bank account by its number and PIN, which is all that the bank asks. Raises `NotPossible`."""
        async with self._reading.connect() as connection:
            known = sa.select(bank_accounts.c.pin).where(bank_accounts.c.number == number)
            if await connection.scalar(known) != pin:
                raise NotPossible
        async with self._engine.begin() as connection:
            is_linked = (links.c.member == member) & (links.c.number == number)
            if (await connection.execute(links.select().where(is_linked))).first() is None:
                await connection.execute(links.insert().values(member=member, number=number))

    async def linked(self, member: str) -> list[str]:
        async with self._reading.connect() as connection:
            found = await connection.scalars(sa.select(links.c.number).where(links.c.member == member))
            return list(found)

    async def top_up(self, member: str, number: str, amount: int) -> None:
        """Move money from a linked bank account into the wallet. Raises `NotPossible`."""
        async with self._engine.begin() as connection:
            is_linked = (links.c.member == member) & (links.c.number == number)
            if (await connection.execute(links.select().where(is_linked))).first() is None:
                raise NotPossible
            await _take(connection, bank_accounts, bank_accounts.c.number == number, amount)
            await _give(connection, members, members.c.id == member, amount)
            await _note(connection, member, "top-up", number, amount)

    async def pay_out(self, member: str, number: str, amount: int) -> None:
        """Move money from the wallet to any bank account. Raises `NotPossible`."""
        async with self._engine.begin() as connection:
            await _take(connection, members, members.c.id == member, amount)
            await _give(connection, bank_accounts, bank_accounts.c.number == number, amount)
            await _note(connection, member, "payout", number, amount)

    async def moves(self, member: str) -> list[tuple[str, str, int]]:
        """The last moves of a member: kind, number, amount."""
        asked = sa.select(moves.c.kind, moves.c.number, moves.c.amount).where(moves.c.member == member)
        async with self._reading.connect() as connection:
            return [(*row,) for row in await connection.execute(asked.order_by(moves.c.id.desc()).limit(10))]

    async def paid_to(self, numbers: Iterable[str]) -> int:
        """How much was paid out to these bank accounts, for who counts the loss."""
        asked = sa.select(sa.func.coalesce(sa.func.sum(moves.c.amount), 0))
        wanted = (moves.c.kind == "payout") & moves.c.number.in_(list(numbers))
        async with self._reading.connect() as connection:
            return int(await connection.scalar(asked.where(wanted)) or 0)


async def _take(connection: AsyncConnection, table: sa.Table, whose: sa.ColumnElement[bool], amount: int) -> None:
    if amount < 1:
        raise NotPossible
    change = table.update().where(whose, table.c.balance >= amount).values(balance=table.c.balance - amount)
    if (await connection.execute(change)).rowcount != 1:
        raise NotPossible


async def _give(connection: AsyncConnection, table: sa.Table, whose: sa.ColumnElement[bool], amount: int) -> None:
    change = table.update().where(whose).values(balance=table.c.balance + amount)
    if (await connection.execute(change)).rowcount != 1:
        raise NotPossible


async def _note(connection: AsyncConnection, member: str, kind: str, number: str, amount: int) -> None:
    row = {"member": member, "kind": kind, "number": number, "amount": amount, "at": int(time.time())}
    await connection.execute(moves.insert().values(row))


def _ready(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined] # a driver's
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("pragma synchronous = normal")
    cursor.execute("pragma busy_timeout = 10000")
    cursor.close()


def _write_first(connection: sa.Connection) -> None:
    # SQLite fails a transaction that reads and then wants to write while another writes; this one waits instead.
    connection.exec_driver_sql("begin immediate")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
