"""Anyone may ask for passkey options; in any spelling they tell nothing about an account."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from sekisho.crypto.seal import Sealer
from sekisho.owners import Contact, Enrolment
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.webauthn.credential import Credential
from sekisho.testing import SECRET
from tests.stepup.flow.driving import STEP, Site, challenge

if TYPE_CHECKING:
    from collections.abc import Iterable

REAL = b"r" * 32
SPELLINGS = ("hana", "HANA", "Hana", "ｈａｎａ")
NOBODYS = ("kimiko", "KIMIKO", "Kimiko", "ｋｉｍｉｋｏ")


def site(names: Iterable[str] = ("hana",)) -> Site:
    """A site where `hana` is an account, under these spellings."""
    made = Site(settings={"factors": "webauthn", "passkey_domain": "shop.test"})
    made.contacts.clear()
    made.contacts |= {name: Contact("1", "hana@example.test", "ja") for name in names}
    return made


async def enrol(made: Site, account_id: str = "1", credential_id: bytes = REAL) -> None:
    credential = Credential(credential_id, b"k" * 77, 0, b"h" * 32)
    number = credential_id.hex()[:32]
    sealed = PasskeySealer(Sealer((SECRET,), clock_s=time.time)).seal(credential, account=account_id, enrolment=number)
    await made.people.enrol(account_id, Enrolment(number, "webauthn", "key", 1, sealed))


async def listed(made: Site, account: str) -> list[str]:
    """The credentials listed for a stranger who types this name, with any password."""
    client = made.client()
    ticket = challenge(await client.log_in(account, "whatever"))
    found = await client.send(f"{STEP}/options", urlencode({"challenge": ticket}).encode())
    return [one["id"] for one in json.loads(found.body)["publicKey"]["allowCredentials"]]


@pytest.mark.parametrize("names", [("hana",), SPELLINGS])
@pytest.mark.parametrize("passkeys", [0, 1])
async def test_all_spellings_have_the_same_eight(names: tuple[str, ...], passkeys: int) -> None:
    """The list is as long for known and unknown accounts, with and without passkeys, whether or not the owners' query
    folds case.
    """
    made = site(names)
    if passkeys:
        await enrol(made)
    for spellings in (SPELLINGS, NOBODYS):
        lists = [await listed(made, spelling) for spelling in spellings]
        assert all(one == lists[0] for one in lists)
        assert len(set(lists[0])) == 8


async def test_an_account_that_shares_its_plain_spelling_keeps_its_own_passkeys() -> None:
    """Where `Hana` and `hana` are two accounts, each finds its own passkey among up to eight of the other's."""
    made = site(("hana",))
    made.contacts["Hana"] = Contact("2", None, None)
    for number in range(8):
        await enrol(made, "1", bytes([number]) * 32)
    await enrol(made, "2", b"z" * 32)
    assert "enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6eno" in await listed(made, "Hana")
    assert len(await listed(made, "Hana")) == 8
