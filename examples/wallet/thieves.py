"""The attacks of the stories, and the owners who use the wallet meanwhile.

Thieves send what the real ones sent. Those who send thousands do no proof of work, which would cost them a tenth of a
second for each try; the others do it, as owners' browsers do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .world import THIEFS, Cast, common_password

if TYPE_CHECKING:
    from sekisho.simulate.client import HttpAnswer

    from .world import Browser, Owner, World

WIDTH = 24  # requests at a time
CAP = 100_000  # of guard.env, for a payout: a thief who meets it tries it

Advance = Callable[[int], None]


@dataclass
class Outcome:
    """What came of one run.

    Attributes:
        taken: accounts that thieves were in; at Docomo, bank accounts that they linked.
        due: owners whose password was shown without the proof, who are told half an hour later.
        honest, hindered, asked: owners who wanted to log in and pay; those who could not; the proofs that they showed.
        tried: the thieves' requests.
        seconds: of the run.
    """

    taken: set[str] = field(default_factory=set)
    due: set[str] = field(default_factory=set)
    lost: int = 0
    told: int = 0
    honest: int = 0
    hindered: int = 0
    asked: int = 0
    tried: int = 0
    seconds: float = 0.0


class Play(NamedTuple):
    """One run on its way."""

    world: World
    outcome: Outcome
    advance: Advance


async def each(play: Play, jobs: list[Awaitable[None]]) -> None:
    """Do all, `WIDTH` at a time."""
    room = asyncio.Semaphore(WIDTH)

    async def one(job: Awaitable[None]) -> None:
        async with room:
            await job
            play.outcome.tried += 1
            play.advance(1)

    await asyncio.gather(*map(one, jobs))


# Owners.


async def settle_in(play: Play, owners: list[Owner]) -> list[Browser]:
    """Owners log in at home, days before the attack: from then on the guard knows their devices."""
    browsers = [play.world.browser(owner.home, works=True) for owner in owners]
    for owner, browser in zip(owners, browsers, strict=True):
        answer = await browser.post("/login", email=owner.email, password=owner.password)
        if answer.code == "step_up_required":
            answer = await browser.prove(answer, owner, owner.email, play.world.post)
        browser.jar.pop("session", None)
    return browsers


async def live(play: Play, owner: Owner, browser: Browser) -> None:
    """Log in with the known device and pay out a little to one's own bank account."""
    outcome = play.outcome
    outcome.honest += 1
    answer = await browser.post("/login", email=owner.email, password=owner.password)
    if answer.code == "step_up_required":
        outcome.asked += 1
        answer = await browser.prove(answer, owner, owner.email, play.world.post)
    paid = await browser.post("/payout", number=owner.bank, amount="1000")
    if paid.code == "step_up_required":
        outcome.asked += 1
        await browser.prove(paid, owner, owner.email, play.world.post, steps=1)
        paid = await browser.post("/payout", number=owner.bank, amount="1000")
    outcome.hindered += paid.status != 303


# Thieves.


async def log_in(play: Play, browser: Browser, owner: Owner, password: str = "") -> bool:
    """Try a password; True with a session."""
    answer = await browser.post("/login", email=owner.email, password=password or owner.password)
    if answer.code == "step_up_required" and (password or owner.password) == owner.password:
        play.outcome.due.add(owner.email)
    return await looks_in(play, browser, owner.email)


async def looks_in(play: Play, browser: Browser, whose: str) -> bool:
    if "session" not in browser.jar or await browser.home() is None:
        return False
    play.outcome.taken.add(whose)
    return True


async def rob(browser: Browser, thief: int) -> None:
    """Top up from each linked bank account, then pay all of it out to a new one."""
    if (found := await browser.home()) is None:
        return
    for number in found[1]:
        if await refused(browser, "/top-up", number, 300_000):
            await refused(browser, "/top-up", number, CAP)
    if (found := await browser.home()) is None or not found[0]:
        return
    target = THIEFS[thief % len(THIEFS)]
    if await refused(browser, "/payout", target, found[0]):
        await refused(browser, "/payout", target, min(found[0], CAP))


async def refused(browser: Browser, action: str, number: str, amount: int) -> bool:
    answer: HttpAnswer = await browser.post(action, number=number, amount=str(amount))
    return answer.status != 303


def lair(number: int, of: int) -> str:
    """One of so many addresses, each in a network of its own."""
    number %= of
    return f"248.{number // 250}.{number % 250}.9"


async def seven_pay(play: Play) -> None:
    """A list of 600 leaked pairs from 60 addresses; 60 of them are right."""
    owners = play.world.owners

    async def one(number: int) -> None:
        owner, browser = owners[number % len(owners)], play.world.browser(lair(number, 60))
        if await log_in(play, browser, owner, "" if number % 10 == 3 else f"leaked elsewhere {number}"):
            await rob(browser, number)

    await each(play, [one(number) for number in range(600)])


async def reset(play: Play) -> None:
    """20 owners whose address and date of birth are known: the link is sent to the thief."""

    async def one(number: int) -> None:
        owner, browser = play.world.owners[number], play.world.browser(lair(number, 20), works=True)
        thief, password = f"thief{number}@evil.test", f"the thief's own {number}"
        await browser.post("/reset", email=owner.email, birthday=owner.birthday, send_to=thief)
        letters = play.world.post.letters.get(thief, [])
        if not letters:
            return
        await browser.post("/reset/confirm", token=letters[0].reset, password=password)
        answer = await browser.post("/login", email=owner.email, password=password)
        if answer.code == "step_up_required":
            play.outcome.due.add(owner.email)
        if await looks_in(play, browser, owner.email):
            await rob(browser, number)

    await each(play, [one(number) for number in range(20)])


NUMBERS = int(os.environ.get("STORIES_NUMBERS", "10000"))
"""Bank accounts at which the PIN is tried."""


async def docomo(play: Play) -> None:
    """Open 50 wallets with nothing but an e-mail address, then try the PIN 1234 at the bank accounts of strangers.

    One in a hundred has it.
    """
    thieves = [play.world.browser(lair(number, 50)) for number in range(50)]
    for number, browser in enumerate(thieves):
        email, password = f"thief{number}@evil.test", f"a password of thief {number}"
        await browser.sign_up(email, password, play.world.post)
        browser.jar.pop("session", None)
        answer = await browser.post("/login", email=email, password=password)
        if answer.code == "step_up_required":
            await browser.prove(answer, None, email, play.world.post)

    async def one(number: int) -> None:
        browser = thieves[number % 50]
        answer = await browser.post("/link", number=f"5{number:06}", pin="1234")
        if answer.status == 303:
            play.outcome.taken.add(f"5{number:06}")

    await each(play, [one(number) for number in range(NUMBERS)])
    for number, browser in enumerate(thieves):
        await rob(browser, number)


async def sbi(play: Play) -> None:
    """Six right passwords, and a payout account that was opened with a forged document."""

    async def one(number: int) -> None:
        browser = play.world.browser(lair(number, 6), works=True)
        if await log_in(play, browser, play.world.owners[number]):
            await rob(browser, number)

    await each(play, [one(number) for number in range(6)])


async def weak_beside_strong(play: Play) -> None:
    """25 common passwords at 40 owners, half of them at the weak service and half at the strong one."""

    async def one(number: int) -> None:
        owner, rank = play.world.owners[number % 40], number // 40
        browser = play.world.browser(lair(number, 100), at=rank % 2)
        if owner.email not in play.outcome.taken and await log_in(play, browser, owner, common_password(rank)):
            await rob(browser, number)

    await each(play, [one(number) for number in range(1_000)])


async def relay(play: Play) -> None:
    """2025: 20 owners type into the phisher's page what it asks for, and it passes that on at once."""

    async def one(number: int) -> None:
        owner = play.world.owners[number]
        browser = play.world.browser(lair(number, 20), works=True)
        answer = await browser.post("/login", email=owner.email, password=owner.password)
        if answer.code == "step_up_required":
            await browser.prove(answer, owner, owner.email, play.world.post)
        if await looks_in(play, browser, owner.email):
            await rob(browser, number)
        elif answer.code == "step_up_required":
            play.outcome.due.add(owner.email)

    await each(play, [one(number) for number in range(20)])


class Story(NamedTuple):
    """An attack.

    Attributes:
        name: in the table.
        year: of the attack that it is like.
        attack: plays it.
        tries: how many times thieves try.
        cast: the wallet's people.
        more: settings other than those of `guard.env`.
        weak: settings of a weak service beside the wallet; None: there is none.
        settled: how many owners use known devices meanwhile.
    """

    name: str
    year: str
    attack: Callable[[Play], Awaitable[None]]
    tries: int
    cast: Cast = Cast()
    more: dict[str, str] = {}  # noqa: RUF012 - never changed
    weak: dict[str, str | None] | None = None
    settled: int = 20


_OF_FACTORS = "FACTORS PASSKEY PASSKEY_DOMAIN OWNERS OWNERS_QUERY SMTP MAIL_FROM ACCOUNT_PAGE PROTECT CAPS"
WEAK: dict[str, str | None] = {
    **dict.fromkeys(f"SEKISHO_{name}" for name in _OF_FACTORS.split()),
    "SEKISHO_SIGNUP": "POST /signup form:email,password success=303:/home",  # it mails no code first
}

PASSKEYS = {"SEKISHO_FACTORS": "webauthn"}
MIXED = Cast(owners=60, common=25)

STORIES = (
    Story("7pay: a list, then top-up", "2019", seven_pay, 600),
    Story("7pay: the reset", "2019", reset, 20, settled=10),
    Story("Docomo: one PIN sideways", "2020", docomo, NUMBERS, Cast(owners=40, strangers=NUMBERS), settled=10),
    Story("SBI: six passwords, new account", "2020", sbi, 6, settled=10),
    Story("mijica, Line Pay: weak beside strong", "2020", weak_beside_strong, 1_000, MIXED, weak=WEAK),
    Story("the strong bank", "any", seven_pay, 600, Cast(apps=10), settled=40),
    Story("relay phisher, codes", "2025", relay, 20, Cast(apps=10), settled=10),
    Story("relay phisher, passkeys only", "2025", relay, 20, more=PASSKEYS, settled=0),
)
