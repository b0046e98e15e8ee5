"""Accounts that a database takes for one share one account's limits, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.asgi.driving import OPEN, Clock, Shop, address, guarded, known_device, log_in

if TYPE_CHECKING:
    from sekisho.wiring import LoginGuard

TIGHT: dict[str, Any] = {**OPEN, "limit_account": "5/hour"}
SPELLINGS = [
    "isik",
    "ısık",
    "İSİK",
    "ìsik",
    "isi\u0301k",
    "ＩＳＩＫ",
    "i\u0323sik",
    "iſik",
    "ıſık",
    "ïßik",
    "issik",
    "is\u0327ik",
]


async def guesses(app: LoginGuard, shop: Shop, spellings: list[str], clock: Clock) -> int:
    """How many of five guesses at each spelling reached the application, from addresses that share no limit."""
    for n, account in enumerate(spellings):
        for guess in range(5):
            clock.advance(3)
            await log_in(app, account, f"{n} {guess}", client=address(5 * n + guess))
    return len(shop.reached)


async def test_spellings_share_the_limit_of_their_account(clock: Clock) -> None:
    """Of sixty guesses at one row by many spellings five reach the application."""
    shop = Shop()
    assert await guesses(guarded(shop, **TIGHT), shop, SPELLINGS, clock) == 5


@pytest.mark.parametrize(
    ("spellings", "reached"),
    [
        (["7", "07", "+7", "0_7", "7.0", "٧", " 7"], 5),
        (["hana@a.example", "hana@a\u3002example"], 5),
        ([f"{name} <hana@a.example>" for name in "abcd"], 0),
    ],
)
async def test_spellings_that_applications_parse_share_it_too(spellings: list[str], reached: int, clock: Clock) -> None:
    """Row 131: a number, and a mail address, has many spellings and one limit; a name in front of one is refused."""
    shop = Shop()
    assert await guesses(guarded(shop, **TIGHT), shop, spellings, clock) == reached


async def test_kana_share_the_limit_too(clock: Clock) -> None:
    """`ハハ` and `パパ` share a limit: they are one name to utf8mb4_0900_ai_ci."""
    shop = Shop()
    assert await guesses(guarded(shop, **TIGHT), shop, ["はは", "ハハ", "ぱぱ", "ﾊﾞﾊﾞ", "ババ"], clock) == 5


async def test_spellings_share_the_limit_of_an_id_that_a_resolver_gives(clock: Clock) -> None:
    """Spellings share the limit of an id by a resolver that knows the plain name alone."""
    shop = Shop()
    app = guarded(shop, resolver={"isik": "7"}.get, **TIGHT)
    assert await guesses(app, shop, ["isik", "ısık", "ìsik", "İSİK"], clock) == 5


@pytest.mark.parametrize("owner", ["hana", "jessica", "müller"])
async def test_a_like_name_cannot_crowd_out_a_known_device(owner: str, clock: Clock) -> None:
    """Sixteen devices of like names cannot crowd out this account's known device."""
    like = {"hana": "hána", "jessica": "jesica", "müller": "muller"}[owner]
    app = guarded(Shop({owner: "right", like: "mine"}), **TIGHT)
    token = await known_device(app, owner)
    for n in range(20):
        clock.advance(3)
        theirs = await known_device(app, like, "mine", client=address(n))
        for _ in range(3):  # an idle place would be given away
            clock.advance(3)
            await log_in(app, like, "wrong", token=theirs, client=address(n))
    for n in range(5):
        clock.advance(3)
        await log_in(app, like, f"burn {n}", client=address(100 + n))

    clock.advance(3)
    assert (await log_in(app, owner, "typo", token=token)).status == 401
    assert (await log_in(app, owner, "right", token=token)).status == 303
    assert (await log_in(app, owner, "right")).status == 429


async def test_beyond_its_bucket_a_device_is_a_stranger_at_the_limit_key(clock: Clock) -> None:
    """A stolen token has its bucket's attempts and no extra counter at the limit key."""
    shop = Shop({"müller": "right"})
    app = guarded(shop, **TIGHT, limit_lane="2/hour")
    token = await known_device(app, "müller")
    shop.reached.clear()
    for n in range(20):
        clock.advance(3)
        await log_in(app, "müller", f"guess {n}", token=token, client=address(n))
        clock.advance(3)
        await log_in(app, "muller", f"other {n}", client=address(100 + n))
    assert len(shop.reached) == 2 + 5
