"""A thief who can change the mail address gets no code there for 72 hours, and the owner hears of it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from email import message_from_bytes, policy
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sekisho.owners import Contact
from tests.mail.servers import real_server
from tests.stepup.flow.driving import STEP, challenge
from tests.stepup.flow.letters import SERVICE, Post, subject, writing
from tests.stepup.flow.test_activity import site_at
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Site


def change(path: Path, email: str, account: str = "kenji") -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("insert or replace into users values (?, ?, 'en')", (account, email))


@asynccontextmanager
async def mailed(path: Path) -> AsyncIterator[Post]:
    """A site with its owners in SQLite; `kenji` has a mail address and no other factor."""
    async with real_server() as server:
        mail = {
            "smtp": f"smtp://127.0.0.1:{server.port}",
            "mail_from": "no-reply@shop.example",
            "account_page": SERVICE.page,
            "service_name": SERVICE.name,
        }
        async with site_at(path, factors="totp,email", **mail) as site:
            site.shop.owners["kenji"] = "sword"
            change(path, "kenji@mail.example")
            yield Post(site, server)


async def ask_for_code(post: Post) -> str:
    """A stranger's log-in with the right password, which asks for a mailed code. Returns the ticket."""
    client = post.site.client()
    ticket = challenge(await client.log_in("kenji", "sword"))
    sent = await client.send(f"{STEP}/send", urlencode({"challenge": ticket, "factor": "email"}).encode())
    assert sent.status == 202
    return ticket


def filed(path: Path) -> bytes:
    """Kenji's row in the table of addresses; empty if there is none yet."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select sealed from sekisho_addresses where account_id = 'kenji'").fetchall()
    return rows[0][0] if rows else b""


def codes(post: Post) -> list[str]:
    """The mailboxes that got a code."""
    found = [message_from_bytes(one.content, policy=policy.default) for one in post.server.received]
    return [one["to"] for one in found if one["subject"] == subject("code")]


async def test_a_changed_address_gets_no_code_for_three_days(later: Later, tmp_path: Path) -> None:
    """Before the change the owner's mailbox gets a code; after it, the thief's gets none until 72 hours have passed."""
    path = tmp_path / "owners.db"
    async with mailed(path) as post:
        await ask_for_code(post)
        await until(lambda: codes(post) == ["kenji@mail.example"] and filed(path) != b"")
        before = filed(path)
        assert b"kenji" not in before
        change(path, "thief@mail.example")
        later.seconds = 700
        await ask_for_code(post)
        await until(lambda: filed(path) != before)
        later.seconds = 700 + 72 * 3_600 + 60
        await ask_for_code(post)
        await until(lambda: len(codes(post)) > 1)
    # All that was queued has been sent by now: the code of the second log-in was not.
    assert codes(post) == ["kenji@mail.example", "thief@mail.example"]


async def test_an_object_of_the_service_keeps_addresses_too(later: Later) -> None:
    """Owners in a Python object with a place for addresses: a changed one gets no code until three days later."""
    async with writing() as post:
        site, row = post.site, b""
        site.shop.owners["kenji"] = "sword"
        for hours, email in ((0, "kenji"), (1, "thief"), (74, "thief")):
            later.seconds = hours * 3_600
            site.contacts["kenji"] = Contact("kenji", f"{email}@mail.example", "en")
            await ask_for_code(post)
            if hours != 74:
                row = await changed_row(site, row)
            await until(lambda: "kenji@mail.example" in codes(post))
        await until(lambda: codes(post)[-1:] == ["thief@mail.example"])
    assert codes(post) == ["kenji@mail.example", "thief@mail.example"]


async def changed_row(site: Site, before: bytes) -> bytes:
    """Kenji's row, once it is another than before: it is written beside the answer."""
    async with asyncio.timeout(60):
        while (found := await site.people.addresses("kenji")) in {None, before}:  # noqa: ASYNC110 - a store
            await asyncio.sleep(0.02)
    assert found is not None
    return found
