"""A notice links to a page that asks whether it was the owner. A button acts, once; holding the link grants nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.stepup.flow.driving import challenge
from tests.stepup.flow.letters import subject, writing

if TYPE_CHECKING:
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.driving import Client
    from tests.stepup.flow.letters import Post, Read

PAGES = {"pages_url": "https://shop.example/sekisho"}
HTML = b"text/html"


def token_of(letter: Read) -> str:
    found = re.search(r"https://shop\.example/sekisho/notice#([A-Za-z0-9_-]+)\s*\Z", letter.text)
    assert found
    return found[1]


async def new_device(post: Post) -> tuple[Client, str]:
    """A stranger's device that has shown a proof at Alice's account, and the token in the letter about it."""
    client = post.site.client()
    assert (await client.show(challenge(await client.log_in("Alice", "wonder")), post.site.code())).status == 303
    [letter] = await post.letters(1)
    return client, token_of(letter)


async def answer(client: Client, said: str, token: str, accept: bytes = HTML) -> Answer:
    body = urlencode({"token": token, "answer": said}).encode()
    return await client.send("/sekisho/notice", body, accept=accept)


async def test_no_ends_the_trust_of_the_device_and_calls_the_service(later: Later) -> None:
    """After *no*, the device is asked for a proof again, a minute later at most, and for good; the hook is called."""
    told: list[str] = []
    async with writing(**PAGES, on_not_me=told.append) as post:
        device, token = await new_device(post)
        assert (await device.log_in("Alice", "wonder")).status == 303
        said = await answer(post.site.client("203.0.113.9"), "no", token)
        assert said.status == 200
        assert b"no longer trusted" in said.body
        assert b"shop.example/account" in said.body
        assert told == ["Alice"]
        for seconds in (61, 2 * 86_400, 170 * 86_400):
            later.seconds = seconds
            assert (await device.log_in("Alice", "wonder")).status == 401


async def test_yes_changes_nothing_and_closes_the_question() -> None:
    """After *yes* the device stays known, and the link cannot be answered with *no* any more."""
    told: list[str] = []
    async with writing(**PAGES, on_not_me=told.append) as post:
        device, token = await new_device(post)
        assert b"Thank you" in (await answer(post.site.client(), "yes", token)).body
        again = await answer(post.site.client(), "no", token)
        assert (again.status, told) == (410, [])
        assert (await device.log_in("Alice", "wonder")).status == 303


async def test_opening_the_link_changes_nothing(later: Later) -> None:
    """A scanner that opens the page a hundred times uses nothing up, and the page is the same for every link."""
    async with writing(**PAGES) as post:
        _, token = await new_device(post)
        scanner = post.site.client("203.0.113.9")
        pages = [await scanner.send("/sekisho/notice", method="GET", headers=(), accept=HTML) for _ in range(100)]
        assert {page.status for page in pages} == {200}
        assert {page.header(b"referrer-policy") for page in pages} == {b"no-referrer"}
        assert token.encode() not in pages[0].body
        later.seconds = 7 * 86_400 - 60
        assert (await answer(scanner, "yes", token)).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"answer": "no"},
        {"token": "", "answer": "no"},
        {"token": "AAAA" * 600, "answer": "no"},
        {"token": "é", "answer": "no"},
    ],
)
async def test_a_text_that_is_no_token_is_no_link(fields: dict[str, str]) -> None:
    """Any other text, too long or in any script, is answered as an expired link."""
    async with writing(**PAGES) as post:
        found = await post.site.client().send("/sekisho/notice", urlencode(fields).encode(), accept=HTML)
        assert found.status == 410


async def test_another_answer_does_not_use_the_link_up() -> None:
    """A post without one of the two answers leaves the link open; a pasted link counts like its token."""
    async with writing(**PAGES) as post:
        _, token = await new_device(post)
        client = post.site.client()
        assert (await answer(client, "perhaps", token)).status == 410
        assert (await answer(client, "yes", f" https://shop.example/sekisho/notice#{token} ")).status == 200


async def test_a_link_expires(later: Later) -> None:
    """A link of more than seven days ago is void: old mail lies in many hands."""
    async with writing(**PAGES) as post:
        _, token = await new_device(post)
        later.seconds = 7 * 86_400 + 1
        assert (await answer(post.site.client(), "no", token)).status == 410


async def test_holding_the_link_authorises_nothing(later: Later) -> None:
    """R6: a reader of the mail gets neither a session, a binding nor a device by either answer."""
    async with writing(**PAGES) as post:
        _, token = await new_device(post)
        thief = post.site.client("203.0.113.9")
        said = await answer(thief, "no", token)
        assert said.all(b"set-cookie") == []
        assert (await thief.send("/sekisho/factors", method="GET", headers=())).status == 401


async def test_a_changed_password_is_told_before_the_answer_has_left() -> None:
    """The owner is told of a changed password, with a link; a change that failed is told to nobody."""
    change = "POST /password form:username,old_password,new_password success=303:/"
    async with writing(**PAGES, change=change) as post:
        client, _ = await new_device(post)
        for old, status in (("wrong", 401), ("wonder", 303)):
            fields = {"username": "Alice", "old_password": old, "new_password": "a new long password"}
            assert (await client.send("/password", urlencode(fields).encode())).status == status
        letters = await post.letters(2)
        assert letters[1].subject == subject("password_changed")
        assert len(token_of(letters[1])) > 100


@pytest.mark.parametrize("settings", [{}, {"pages_url": "https://shop.example/elsewhere"}], ids=["unset", "elsewhere"])
async def test_without_the_setting_letters_have_no_link(settings: dict[str, Any]) -> None:
    """Without PAGES_URL a letter has no link; one that does not lead to the mount stops the start."""
    if settings:
        with pytest.raises(Exception, match="does not end with SEKISHO_MOUNT"):
            async with writing(**settings):
                pass
        return
    async with writing() as post:
        client = post.site.client()
        assert (await client.show(challenge(await client.log_in("Alice", "wonder")), post.site.code())).status == 303
        [letter] = await post.letters(1)
        assert "https://" not in letter.text
