"""Which passwords are looked up, and whose word counts about them."""

from __future__ import annotations

from hashlib import sha1

from sekisho.breach.lookup import BreachLookup
from sekisho.breach.reloadable_file import FileWatcher
from sekisho.model import Attempt, Exposure, Pair
from tests.judge.attempts import CHANGE, CODE, LOGIN, ORIGIN, SIGNUP

LEAKED = {sha1(b"summer", usedforsecurity=False).digest(): 3}


class Corpus:
    built = 0

    def find(self, digest: bytes, /) -> int | None:
        return LEAKED.get(digest, 0)


class Pairs:
    """Knows the password of `Hana`, as the lists of leaks write the account."""

    def find(self, account: str, password: str, /) -> Pair | None:
        return Pair.EXACT if (account, password) == ("Hana", "winter") else Pair.ABSENT


class Service:
    """Knows a password that no file has."""

    async def seen(self, digest: bytes, /, *, wait_s: float) -> int | None:
        return 1_000 if digest == sha1(b"autumn", usedforsecurity=False).digest() else 0


def lookup() -> BreachLookup:
    return BreachLookup(
        Corpus(),
        Pairs(),
        Service(),
        lookout=FileWatcher([], lambda: 0.0),
        account_of=lambda attempt: attempt.account.title(),
        clock_s=lambda: 1.0,
    )


def test_the_files_are_asked_about_existing_passwords() -> None:
    """A leaked password and a leaked pair are found under the name that the lists use; codes are looked up nowhere."""
    sources = lookup()

    assert sources.exposure_of(Attempt(LOGIN, ORIGIN, "hana", "hana", "summer")) == Exposure(3, Pair.ABSENT)
    assert sources.exposure_of(Attempt(CHANGE, ORIGIN, "hana", "hana", "winter")) == Exposure(0, Pair.EXACT)
    assert sources.exposure_of(Attempt(CODE, ORIGIN, "hana", "hana", "summer")) == Exposure(None, None)
    assert sources.exposure_of(Attempt(SIGNUP, ORIGIN, "hana", "hana", "summer")) == Exposure(None, None)


def test_the_worse_of_two_findings_counts() -> None:
    """A proxy that knows of a leak is believed where the files know none, and the files where the proxy knows none."""
    sources, told = lookup(), Exposure(5, None)

    assert sources.exposure_of(Attempt(LOGIN, ORIGIN, "hana", "hana", "fresh", told=told)) == Exposure(5, Pair.ABSENT)
    assert sources.exposure_of(Attempt(LOGIN, ORIGIN, "hana", "hana", "summer", told=Exposure(0, None))).password == 3


async def test_a_choice_is_asked_of_all_sources() -> None:
    """The new password counts, never the old one; the service is asked what the files do not know."""
    sources = lookup()

    for chosen, found in (("summer", True), ("autumn", True), ("fresh", False)):
        exposure = await sources.of_choice(Attempt(CHANGE, ORIGIN, "hana", "hana", "winter", new_secret=chosen))
        assert exposure.is_breached(1) is found, chosen
