"""A log-in that begins with a passkey: the application runs only behind a right one, for the account that it names."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sekisho.crypto.seal import Sealer
from sekisho.owners import Contact, Enrolment
from sekisho.record import replay
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.webauthn import Credential
from sekisho.testing import SECRET, work_headers
from tests.asgi.driving import OPEN, answer
from tests.stepup.authenticator import NONE, Authenticator, Mistakes, cose
from tests.stepup.flow.driving import FORM, JSON, STEP, Client, Site, challenge, stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later

REAL, FAKE = "https://shop.test", "https://shop-test.example"
DOOR = "/login/passkey"
HANDLE = b"h" * 32
SETTINGS = {
    **OPEN,
    "factors": "webauthn,totp",
    "passkey_domain": "shop.test",
    "passkey": f"POST {DOOR} success=cookie:session",
}


def key(**more: Any) -> Authenticator:
    made = Authenticator(REAL, Ed25519PrivateKey.generate(), **more)
    made.user_handle = HANDLE
    return made


def site(**more: Any) -> Site:
    return Site(settings={**SETTINGS, **more})


async def enrol(made: Site, held: Authenticator, account_id: str = "1", *, at_s: int = 1, name: str = "hana") -> None:
    """The passkey was enrolled at this Unix time; with a name, its account can be found by it."""
    sealer = Sealer((SECRET,), clock_s=time.time)
    number = held.credential_id.hex()[:32]
    credential = Credential(held.credential_id, cbor2.dumps(cose(held.key)), 0, held.user_handle)
    sealed = PasskeySealer(sealer).seal(credential, account=account_id, enrolment=number)
    await made.people.enrol(account_id, Enrolment(number, "webauthn", "phone", at_s, sealed))
    if name:
        await PasskeyIndex(made.people, sealer, clock_s=time.time).note(name, account_id, held.user_handle)


async def options(client: Client) -> dict[str, Any]:
    found = await client.send("/sekisho/passkey/options", b"", headers=[])
    assert found.status == 200
    asked: dict[str, Any] = json.loads(found.body)["publicKey"]
    return asked


async def show(client: Client, credential: bytes, **more: Any) -> Answer:
    return await client.send(DOOR, urlencode({"credential": credential}).encode(), **more)


async def log_in(client: Client, held: Authenticator, mistakes: Mistakes = NONE) -> Answer:
    return await show(client, held.get(await options(client), mistakes))


@pytest.mark.parametrize("counts", [True, False], ids=["counting", "synchronised"])
async def test_a_passkey_alone_logs_its_account_in(counts: bool) -> None:
    """The application gets the exact account; the device is proved, and the session opens a protected route."""
    made, held = site(), key(counts=counts)
    await enrol(made, held)
    client = made.client()
    asked = await options(client)
    assert (asked["rpId"], asked["userVerification"]) == ("shop.test", "required")
    assert not asked.get("allowCredentials")
    found = await show(client, held.get(asked))
    assert (found.status, found.headers[0]) == (303, (b"location", b"/account"))
    assert made.shop.reached == [("hana", "")]
    assert await client.who() == "hana"
    assert (await client.send("/pay")).body == b"paid"
    # Its owner's password is not asked for more on this device.
    assert (await client.log_in()).status == 303


async def test_programs_send_it_as_text_in_json() -> None:
    made, held = site(), key()
    await enrol(made, held)
    client = made.client(headers=[(b"sekisho-challenge", b"new")])
    asked = await client.send("/sekisho/passkey/options", b"{}", headers=[JSON])
    client.extra = [(b"sekisho-challenge", dict(asked.headers)[b"sekisho-challenge"])]
    shown = held.get(json.loads(asked.body)["publicKey"]).decode()
    found = await client.send(DOOR, json.dumps({"credential": shown}).encode(), headers=[JSON])
    assert found.status == 303
    assert b"sekisho-device" in dict(found.headers)


WRONG = {
    "another origin": Mistakes(origin=FAKE),
    "a frame": Mistakes(client_data={"crossOrigin": True}),
    "another site": Mistakes(rp_id="shop-test.example"),
    "no user verification": Mistakes(user_verified=False),
    "nobody present": Mistakes(user_present=False),
    "a ceremony of enrolment": Mistakes(ceremony="webauthn.create"),
    "a challenge of one's own": Mistakes(challenge=b"c" * 57),
    "a short challenge": Mistakes(challenge=b"c"),
    "another key": Mistakes(signed_by=Ed25519PrivateKey.generate()),
    "a broken signature": Mistakes(tampered_signature=True),
    "an unknown passkey": Mistakes(credential_id=b"j" * 32),
    "an unknown owner": Mistakes(user_handle=b"k" * 32),
    "a count that stands": Mistakes(sign_count=0, user_handle=HANDLE),
}


async def test_all_wrong_ones_are_answered_alike_and_reach_no_application() -> None:
    """One answer for all mistakes, byte for byte; an unknown passkey is no exception."""
    made, held = site(), key()
    await enrol(made, held)
    assert (await log_in(made.client(), held)).status == 303  # now it counts from 1
    del made.shop.reached[:]
    seen = {}
    for name, mistakes in WRONG.items():
        found = await log_in(made.client(), held, mistakes)
        seen[name] = (found.status, tuple(found.headers), found.body)
    held.user_handle = b""
    found = await log_in(made.client(), held)
    seen["no owner named"] = (found.status, tuple(found.headers), found.body)
    for text in (b"{}", b"nothing", b'{"type": "public-key"}'):
        found = await show(made.client(), text)
        seen[text.decode()] = (found.status, tuple(found.headers), found.body)
    assert len(set(seen.values())) == 1, seen
    assert next(iter(seen.values()))[0] == 401
    assert made.shop.reached == []


async def test_a_challenge_is_good_for_one_browser_and_one_use(later: Later) -> None:
    """Neither a copy of the assertion, nor another browser, nor a challenge of eleven minutes ago opens anything."""
    made, held = site(), key(counts=False)
    await enrol(made, held)
    client, thief = made.client(), made.client("198.51.100.9")
    asked = await options(client)
    await options(thief)
    assert (await show(thief, held.get(asked))).status == 401  # another browser
    shown = held.get(asked)
    assert (await show(client, shown)).status == 303
    assert (await show(client, shown)).status == 401  # the same bytes
    assert (await show(client, held.get(asked))).status == 401  # another signature for the same challenge
    asked = await options(client)
    later.seconds += 601
    assert (await show(client, held.get(asked))).status == 401
    assert len(made.shop.reached) == 1


async def test_a_wrong_one_uses_its_challenge_up() -> None:
    """Otherwise one challenge would pay for any number of look-ups."""
    made, held = site(), key()
    await enrol(made, held)
    client = made.client()
    asked = await options(client)
    assert (await show(client, held.get(asked, Mistakes(tampered_signature=True)))).status == 401
    assert (await show(client, held.get(asked))).status == 401


async def test_a_new_passkey_opens_nothing_alone_for_72_hours(later: Later) -> None:
    """A thief with one relayed code can enrol a passkey. Alone it opens nothing until the owner has had time to act."""
    made, held = site(), key()
    await enrol(made, held, at_s=int(time.time()))
    assert (await log_in(made.client(), held)).status == 401
    later.seconds += 72 * 3_600
    assert (await log_in(made.client(), held)).status == 303


async def test_a_passkey_from_before_is_known_after_a_log_in_with_its_password() -> None:
    """Passkeys that were enrolled before the door existed begin a log-in once they were shown behind a password."""
    made, held = site(), key()
    await enrol(made, held, name="")
    assert (await log_in(made.client(), held)).status == 401
    await _by_password(made, held)
    assert (await log_in(made.client(), held)).status == 303
    assert made.shop.reached[-1] == ("hana", "")


async def test_a_new_name_of_the_account_is_kept_and_the_old_one_opens_nothing() -> None:
    """An account that gets the old name later is not entered by the passkey of the account that had it."""
    made, held = site(), key()
    await enrol(made, held)
    made.contacts["hanako"] = made.contacts["hana"]
    made.contacts["hana"] = Contact("9", None, None)
    made.shop.owners["hanako"] = "right"
    assert (await log_in(made.client(), held)).status == 401
    await _by_password(made, held, "hanako")
    assert (await log_in(made.client(), held)).status == 303
    assert made.shop.reached[-1] == ("hanako", "")


async def _by_password(made: Site, held: Authenticator, account: str = "hana") -> None:
    client = made.client()
    ticket = challenge(await client.log_in(account))
    asked = await client.send(f"{STEP}/options", urlencode({"challenge": ticket}).encode())
    shown = {"challenge": ticket, "factor": "webauthn", "credential": held.get(json.loads(asked.body)["publicKey"])}
    assert (await client.send(STEP, urlencode(shown).encode())).status == 303


async def test_another_spelling_before_the_password_names_no_account() -> None:
    """Where the proof comes first, the client chose the spelling: it must not become the account that is logged in."""
    made, held = site(change="POST /password form:username,old_password,new_password"), key()
    await enrol(made, held)
    made.contacts["HANA"] = made.contacts["hana"]  # the owners' query folds case, and the application does not
    made.shop.owners["HANA"] = "another member's"
    client = made.client()
    fields = {"username": "HANA", "old_password": "guess", "new_password": "chosen 17 here"}
    asked = await client.send("/password", urlencode(fields).encode(), headers=[FORM])
    ticket = challenge(asked)
    found = await client.send(f"{STEP}/options", urlencode({"challenge": ticket}).encode())
    shown = {"challenge": ticket, "factor": "webauthn", "credential": held.get(json.loads(found.body)["publicKey"])}
    assert (await client.send(STEP, urlencode(shown).encode())).status == 200
    assert (await log_in(made.client(), held)).status == 303
    assert made.shop.reached[-1] == ("hana", "")


async def test_wrong_ones_are_counted_and_right_ones_are_not() -> None:
    """Five wrong ones use an address up, also where they are one text; five right ones do not."""
    made, held = site(limit_ip="5/hour"), key()
    await enrol(made, held)
    client = made.client()
    for _ in range(6):
        assert (await log_in(client, held)).status == 303
    shown = held.get(await options(client), Mistakes(tampered_signature=True))
    assert [(await show(client, shown)).status for _ in range(6)] == [401] * 5 + [429]
    assert (await log_in(client, held)).status == 429
    assert (await log_in(made.client("198.51.100.9"), held)).status == 303  # no account is locked


async def test_work_that_is_asked_for_before_uses_no_challenge_up() -> None:
    """From an address that tried many accounts the same passkey is accepted once its work is done."""
    made, held = site(challenges="pow"), key()
    await enrol(made, held)
    client = made.client()
    for number in range(40):
        await client.send("/login", urlencode({"username": f"n{number}", "password": "guess"}).encode())
    shown = held.get(await options(client))
    asked = await show(client, shown)
    assert (asked.status, json.loads(asked.body)["code"]) == (401, "challenge_required")
    work = [(name.encode(), text.encode()) for name, text in work_headers(json.loads(asked.body)).items()]
    assert (await show(client, shown, headers=[FORM, *((name.lower(), text) for name, text in work)])).status == 303


async def test_an_unknown_passkey_takes_the_steps_of_a_known_one() -> None:
    """The same queries, of an unknown owner, of an unknown passkey and of one whose signature is wrong."""
    made, held = site(), key()
    await enrol(made, held)
    asked: list[str] = []
    for name in ("contact", "enrolments", "pending_reset"):
        setattr(made.people, name, _noting(getattr(made.people, name), name, asked))
    seen = set()
    for mistakes in (
        Mistakes(user_handle=b"k" * 32),
        Mistakes(credential_id=b"j" * 32),
        Mistakes(tampered_signature=True),
    ):
        assert (await log_in(made.client(), held, mistakes)).status == 401
        seen.add(tuple(asked))
        del asked[:]
    assert seen == {("enrolments", "contact", "enrolments", "pending_reset")}


def _noting(call: Callable[[str], Awaitable[Any]], name: str, asked: list[str]) -> Callable[[str], Awaitable[Any]]:
    async def noting(account: str) -> Any:
        asked.append(name)
        return await call(account)

    return noting


async def test_while_the_store_is_away_nobody_is_let_in() -> None:
    """A challenge that cannot be marked as used could be used again: with any setting, the answer is 503."""
    made, held = site(store="redis://127.0.0.1:1/0", on_store_failure="open"), key()
    await enrol(made, held)
    assert (await log_in(made.client(), held)).status == 503
    assert made.shop.reached == []
    await stop(made.guard)


async def test_an_address_has_sixteen_looked_at_at_once() -> None:
    """Each holds queries and a signature's check: the seventeenth is answered at once, and other addresses go on."""
    made, held = site(), key()
    await enrol(made, held)
    free, waiting = asyncio.Event(), made.people.contact

    async def contact(account: str) -> Any:
        await free.wait()
        return await waiting(account)

    shown = [(client := made.client(), held.get(await options(client))) for _ in range(17)]
    other = made.client("198.51.100.9")
    others = held.get(await options(other))
    setattr(made.people, "contact", contact)  # noqa: B010 - a method, for mypy
    tasks = [asyncio.create_task(show(client, credential)) for client, credential in shown]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().status for task in done] == [503]
    last = asyncio.create_task(show(other, others))
    free.set()
    assert (await last).status == 303
    await asyncio.gather(*tasks)


async def test_another_site_can_neither_ask_nor_show() -> None:
    made, held = site(), key()
    await enrol(made, held)
    client = made.client()
    cross = [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors")]
    assert (await client.send("/sekisho/passkey/options", b"", headers=cross)).status == 403
    shown = held.get(await options(client))
    assert (await show(client, shown, headers=[FORM, *cross])).status == 403
    assert made.shop.reached == []


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
async def test_without_a_passkey_no_mode_names_an_account(mode: str) -> None:
    """In monitor mode as well, a wrong passkey logs nobody in, and a right one its owner."""
    made, held = site(mode=mode), key()
    await enrol(made, held)
    assert (await log_in(made.client(), held, Mistakes(tampered_signature=True))).status == 401
    assert (await log_in(made.client(), held)).status == 303
    assert made.shop.reached == [("hana", "")]


async def test_a_passkey_names_no_account_at_other_doors() -> None:
    """A handler that reads the account at another door finds none there."""
    made = site()
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["sekisho"].passkey_account)
        await answer(send, 401)

    guard = made.guarded(app, factors="none", passkey=None, passkey_domain=None, protect=None, change=None)
    await made.client(guard=guard).log_in()
    assert seen == [None]


async def test_the_file_of_events_tells_both(tmp_path: Path) -> None:
    """The right one with its account, the wrong one without any; the owner hears of the new device."""
    path = tmp_path / "events.jsonl"
    made, held = site(events_file=str(path)), key()
    await enrol(made, held)
    await log_in(made.client(), held, Mistakes(tampered_signature=True))
    await log_in(made.client(), held)
    await stop(made.guard)
    with path.open("rb") as file:
        events = [one for one in replay(file) if one.kind != "recovered"]
    assert [(one.kind, one.factor) for one in events] == [
        ("decided", ""),
        ("step_up_failed", "webauthn"),
        ("decided", ""),
        ("step_up_proved", "webauthn"),
        ("new_device", ""),
        ("settled", ""),
    ]
    assert {one.door for one in events} == {f"POST {DOOR}", ""}
    assert [bool(one.subject.account) for one in events] == [False, False, False, True, True, True]
    assert "hana" not in path.read_text()
