"""Mails and tries per hour are counted for the owner, in any spelling of the name."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sekisho.owners import Contact
from tests.stepup.flow.driving import STEP, challenge
from tests.stepup.flow.letters import subject, writing

if TYPE_CHECKING:
    from tests.stepup.flow.letters import Post

SPELLINGS = ["".join(letters) for letters in product("hH", "aA", "nN", "aA")]
NEVER = {"limit_account": "1000/minute", "limit_ip": "1000/minute", "limit_network": "1000/minute"}


def found_by_any_spelling(post: Post) -> None:
    """A service that ignores case in its query and its log-in, and names no id."""
    for spelling in SPELLINGS:
        post.site.contacts[spelling] = Contact(spelling, "Hana@example.test", "en", spelled=True)
        post.site.shop.owners[spelling] = "right"


async def test_a_mailbox_is_sent_five_codes_an_hour() -> None:
    """A mailbox gets five codes an hour in total: sixteen spellings of a four-letter name once meant eighty mails."""
    async with writing(**NEVER) as post:
        found_by_any_spelling(post)
        for number, spelling in enumerate(SPELLINGS):
            thief = post.site.client(f"198.51.{number}.7")
            ticket = challenge(await thief.log_in(spelling))
            await thief.send(f"{STEP}/send", urlencode({"challenge": ticket, "factor": "email"}).encode())
        letters = await post.letters(5)
        await asyncio.sleep(0.5)  # time for a sixth, which must not come

    assert [letter.subject for letter in letters] == [subject("code")] * 5
    assert len(post.server.received) == 5


async def test_tries_are_the_owners_whatever_the_spelling() -> None:
    """Tries are ten an hour per owner in any spelling; a right code after them is void."""
    async with writing(**NEVER) as post:
        found_by_any_spelling(post)
        for spelling in SPELLINGS[:2]:
            thief = post.site.client()
            ticket = challenge(await thief.log_in(spelling))
            for _ in range(5):
                assert (await thief.show(ticket, "00000000", "email")).code == "proof_failed"
        owner = post.site.client()
        ticket = challenge(await owner.log_in("hana"))
        await owner.send(f"{STEP}/send", urlencode({"challenge": ticket, "factor": "email"}).encode())
        [letter] = await post.letters(1)

        assert (await owner.show(ticket, letter.code, "email")).code == "proof_failed"


async def test_two_accounts_with_ids_of_their_own_count_apart() -> None:
    """Accounts with ids of their own are counted apart, even with a shared mailbox."""
    async with writing(**NEVER) as post:
        post.site.contacts["Alice"] = Contact("8", "shared@example.test", "en")
        post.site.contacts["hana"] = Contact("9", "shared@example.test", "en")
        for account, password in (("Alice", "wonder"), ("hana", "right")):
            for number in range(5):
                thief = post.site.client(f"198.51.{number}.7")
                ticket = challenge(await thief.log_in(account, password))
                await thief.send(f"{STEP}/send", urlencode({"challenge": ticket, "factor": "email"}).encode())

        assert len(await post.letters(10)) == 10
