"""A phishing page that relays all it is given gets neither a session of a passkey's owner nor past a protected route.

The phisher has the password and sees every page. The owner types every code that the page asks for, and touches the
passkey there. Only two things stay with the owner: a signature for the real origin, and the reaction to a notice within
a day.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sekisho.crypto.seal import Sealer
from sekisho.owners import Enrolment
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.factors.passkey_index import PasskeyIndex
from sekisho.stepup.factors.passkeys import PasskeySealer
from sekisho.stepup.factors.recovery import RecoveryCodes
from sekisho.stepup.factors.webhook import CodeQueue
from sekisho.stepup.webauthn import Credential
from sekisho.testing import SECRET
from tests.asgi.driving import OPEN, answer, read
from tests.stepup.authenticator import Authenticator, cose
from tests.stepup.flow.driving import FORM, JSON, STEP, Client, Shop, Site, challenge
from tests.stepup.proving import KEYS, memory

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.stepup.factors.webhook import CodeMessage
    from tests.asgi.driving import Answer

SETTINGS = {
    **OPEN,
    "limit_account": "9999/minute",
    "factors": "webauthn,totp,webhook",
    "passkey_domain": "shop.test",
    "passkey": "POST /login/passkey success=cookie:session",
    "link": "POST /link form:username,pin",
    "reset": "POST /forgot form:username; POST /reset form:username,token,new_password success=303",
}
REAL, FAKE = "https://shop.test", "https://shop-test.example"
TIE = "__Host-sekisho-tie"
MAILED, CHOSEN = "the token of the mailed link", "chosen by the thief 17"
PASSKEY, SHEET = "d" * 32, "e" * 32
SAID = {"step_up_required", "proof_failed", "start_again"}
EXAMPLES = 40
DAY_S = 86_400


class MailingShop(Shop):
    """Mails the links of resets, and sets the password that comes back with one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/forgot":
            await read(receive)
            return await answer(send, 200, body=b"mailed")
        if scope.get("path") == "/reset":
            return await self._reset(receive, send)
        return await super().__call__(scope, receive, send)

    async def _reset(self, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        if sent.get("token") != MAILED or sent.get("username") not in self.owners:
            return await answer(send, 400, body=b"wrong")
        self.owners[sent["username"]] = sent["new_password"]
        return await answer(send, 303, [(b"location", b"/login")])


class Hana:
    """The owner: her passkey, her app, her sheet of recovery codes, and the codes that reach her."""

    def __init__(self, **settings: Any) -> None:
        self.site = Site(shop=MailingShop(), settings={**SETTINGS, **settings, "on_code": self.hook})
        self.key = Authenticator(REAL, Ed25519PrivateKey.generate())
        self.key.user_handle = b"h" * 32
        self.codes: list[str] = []
        self.sheet: tuple[str, ...] = ()

    async def enrol(self) -> None:
        """Everything was enrolled long ago."""
        sealer = Sealer((SECRET,), clock_s=time.time)
        made = RecoveryCodes(sealer, AttemptLimits(memory(), KEYS)).fresh(account="1", enrolment=SHEET)
        self.sheet = made.codes
        held = Credential(self.key.credential_id, cbor2.dumps(cose(self.key.key)), 0, self.key.user_handle)
        sealed = PasskeySealer(sealer).seal(held, account="1", enrolment=PASSKEY)
        await self.site.enrol("1")
        await self.site.people.enrol("1", Enrolment(SHEET, "recovery", "", 1, made.sealed))
        await self.site.people.enrol("1", Enrolment(PASSKEY, "webauthn", "phone", 1, sealed))
        await PasskeyIndex(self.site.people, sealer, clock_s=time.time).note("hana", "1", self.key.user_handle)

    async def hook(self, message: CodeMessage) -> None:
        self.codes.append(message.code)

    def signed_at(self, origin: str, options: dict[str, Any]) -> bytes:
        """What her passkey signs on a page of this origin."""
        self.key.origin = origin
        return self.key.get(options)

    async def log_in(self, client: Client) -> Answer:
        """Log in on the real page, with the password as it is now."""
        ticket = challenge(await client.log_in("hana", self.site.shop.owners["hana"]))
        found = json.loads((await ask(client, "/options", challenge=ticket)).body)
        assert "publicKey" in found, found
        options = found["publicKey"]
        credential = json.loads(self.signed_at(REAL, options))
        return await ask(client, "", challenge=ticket, factor="webauthn", credential=credential)

    async def log_in_by_passkey(self, client: Client, origin: str) -> Answer:
        """She chooses the passkey in the log-in form of a page of this origin, which shows the real one's challenge."""
        asked = json.loads((await client.send("/sekisho/passkey/options", b"", headers=[])).body)
        credential = self.signed_at(origin, asked["publicKey"])
        return await client.send("/login/passkey", urlencode({"credential": credential}).encode())


async def ask(client: Client, path: str, **fields: object) -> Answer:
    return await client.send(STEP + path, json.dumps(fields).encode(), headers=[JSON])


async def change(client: Client, path: str, **fields: object) -> Answer:
    return await client.send(f"/sekisho/factors{path}", json.dumps(fields).encode(), headers=[JSON])


class Relay(RuleBasedStateMachine):
    """The phisher's moves, in any order, and the owner's."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now_s = time.time()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(time, "time", lambda: self.now_s)
        self.patches.setattr(time, "time_ns", lambda: int(self.now_s * 1e9))
        at_once = partial(CodeQueue, chance=lambda: 0.0)
        self.patches.setattr("sekisho.wiring.senders.CodeQueue", at_once)
        self.tickets: list[str] = []

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def run_out(self, work: Awaitable[Any]) -> Any:
        """Run it, and the tasks that it leaves behind: letters, codes, and what a reset ends."""

        async def whole() -> Any:
            before = asyncio.all_tasks()
            found = await work
            while left := asyncio.all_tasks() - before:
                await asyncio.wait(left)
            return found

        return self.run(whole())

    def teardown(self) -> None:
        self.patches.undo()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def enrolled(self) -> list[str]:
        return [one.id for one in await self.site.people.enrolments("1")]

    def judged(self, found: Answer) -> Answer:
        """Every answer to the phisher is one that a wrong proof or an unknown session gets too."""
        said = json.loads(found.body)
        assert "publicKey" in said or "sent" in said or "recovery" in said or said["code"] in SAID, said
        return found

    # The phisher's moves.

    @initialize(step_up=st.sampled_from(["always", "attack"]))
    def begin(self, step_up: str) -> None:
        """At a site that asks all strangers, or all of those who have a factor unless there is an attack."""
        self.hana = Hana(step_up=step_up)
        self.site = self.hana.site
        self.run(self.hana.enrol())
        self.phisher = self.site.client("198.51.1.7")
        self.home = self.site.client("198.51.2.7")
        self.before = self.run(self.enrolled())
        self.log_in()

    @rule()
    def log_in(self) -> None:
        asked = self.run(self.phisher.log_in("hana", self.site.shop.owners["hana"]))
        self.tickets.append(challenge(self.judged(asked)))

    @rule()
    def reset_her_password(self) -> None:
        """She passes on the link that was mailed to her. The password is the phisher's then, and nothing else."""
        self.run_out(self.phisher.send("/forgot", b"username=hana"))
        fields = {"username": "hana", "token": MAILED, "new_password": CHOSEN}
        assert self.run_out(self.phisher.send("/reset", urlencode(fields).encode(), headers=[FORM])).status == 303
        self.now_s += 3  # it ends all step-ups of the two seconds after it, as workers' clocks differ

    @rule(path=st.sampled_from(["/pay", "/link", "/sekisho/factors"]))
    def knock(self, path: str) -> None:
        """Ask for a route, or a link, that needs a session of hers and a fresh proof."""
        body = {"/pay": b"yen=1", "/link": b"username=hana&pin=1234"}.get(path, b"")
        self.judged(self.run(self.phisher.send(path, body, method="POST" if body else "GET")))

    @rule()
    def change_at_a_door(self) -> None:
        """Change the password: there the proof comes first."""
        fields = {"username": "hana", "old_password": self.site.shop.owners["hana"], "new_password": "thief's"}
        found = self.judged(self.run(self.phisher.send("/password", urlencode(fields).encode(), headers=[FORM])))
        self.tickets.append(challenge(found))

    @rule(data=st.data(), factor=st.sampled_from(["totp", "webhook", "recovery"]))
    def show_what_she_typed(self, data: st.DataObject, factor: str) -> None:
        code = data.draw(self.typed())
        self.judged(self.run(ask(self.phisher, "", challenge=data.draw(self.ticket()), factor=factor, code=code)))

    @rule(data=st.data())
    def show_what_her_passkey_signed(self, data: st.DataObject) -> None:
        """She touches the passkey on the phisher's page, which passes the real page's challenge on."""
        ticket = data.draw(self.ticket())
        asked = self.judged(self.run(ask(self.phisher, "/options", challenge=ticket)))
        if asked.status != 200:
            return
        credential = json.loads(self.hana.signed_at(FAKE, json.loads(asked.body)["publicKey"]))
        self.judged(self.run(ask(self.phisher, "", challenge=ticket, factor="webauthn", credential=credential)))

    @rule()
    def begin_a_log_in_with_her_passkey(self) -> None:
        """She chooses it in the phisher's log-in form, which needs no password."""
        assert self.judged(self.run(self.hana.log_in_by_passkey(self.phisher, FAKE))).status == 401

    @rule(data=st.data(), factor=st.sampled_from(["webhook", "email", "lost"]))
    def have_a_code_sent(self, data: st.DataObject, factor: str) -> None:
        self.judged(self.run_out(ask(self.phisher, "/send", challenge=data.draw(self.ticket()), factor=factor)))

    @rule(data=st.data())
    def begin_a_recovery(self, data: st.DataObject) -> None:
        fields = {"challenge": data.draw(self.ticket()), "code": data.draw(self.typed())}
        self.judged(self.run_out(ask(self.phisher, "/recover", **fields)))

    @rule(data=st.data())
    def go_on_with_a_recovery(self, data: st.DataObject) -> None:
        fields = {"challenge": data.draw(self.ticket()), "code": data.draw(self.typed())}
        self.judged(self.run(ask(self.phisher, "/recover/confirm", **fields)))

    @rule(path=st.sampled_from(["/totp", "/webauthn/options", "/recovery", "/remove", "/only-strong"]), data=st.data())
    def change_her_factors(self, path: str, data: st.DataObject) -> None:
        self.judged(self.run(change(self.phisher, path, token=data.draw(self.ticket()), id=PASSKEY, on="yes")))

    @rule()
    def log_in_as_alice(self) -> None:
        """Log in to an account of the phisher's own, and use its session and binding beside hers."""
        self.phisher.jar.pop("__Host-sekisho", None)
        asked = self.run(self.phisher.log_in("alice", "hatter"))
        if asked.status == 401:  # she has no factor: in calm she may be let in at once
            ticket = challenge(asked)
            self.run_out(ask(self.phisher, "/send", challenge=ticket, factor="webhook"))
            if self.hana.codes:  # the hook has one list; the last one is alice's
                self.run(ask(self.phisher, "", challenge=ticket, factor="webhook", code=self.hana.codes.pop()))
        for name in ("session", TIE, "__Host-sekisho"):
            self.phisher.jar.pop(name, None)

    # The owner's.

    @rule()
    def she_logs_in_at_home(self) -> None:
        self.home.jar.clear()
        assert self.run(self.hana.log_in(self.home)).status == 303

    @rule()
    def she_begins_with_her_passkey_at_home(self) -> None:
        self.home.jar.clear()
        assert self.run(self.hana.log_in_by_passkey(self.home, REAL)).status == 303

    @rule(seconds=st.sampled_from([1, 31, 130, 601, DAY_S // 2, 4 * DAY_S]))
    def wait(self, seconds: int) -> None:
        """A day does not pass after the notice of a recovery without her logging in, which cancels it."""
        if seconds >= DAY_S // 2 and self.run(self.site.people.pending_reset("1")) is not None:
            self.she_logs_in_at_home()
            assert self.run(self.site.people.pending_reset("1")) is None
        self.now_s += seconds

    # What the phisher holds.

    def ticket(self) -> st.SearchStrategy[str]:
        return st.sampled_from(self.tickets[-3:])

    def typed(self) -> st.SearchStrategy[str]:
        """Every code that she has or gets: of the app, from the sheet, by the hook."""
        app = [self.site.code(steps) for steps in (-1, 0, 1)]
        every = [*app, *self.hana.sheet[:2], *self.hana.codes[-3:]]
        # On a busy machine a code comes later: Hypothesis wants the same number of choices each time.
        return st.integers(0, 7).map(lambda number: every[number % len(every)])

    # What never happens.

    @invariant()
    def no_session_of_hers(self) -> None:
        sessions = self.site.shop.sessions
        assert sessions.get(self.phisher.jar.get("session", "")) != "hana"

    @invariant()
    def no_money_and_no_password(self) -> None:
        """By the mailed link alone the phisher sets a password; never at the door where it is changed."""
        assert "hana" not in self.site.shop.paid
        assert self.site.shop.owners["hana"] in {"right", CHOSEN}

    @invariant()
    def no_known_device(self) -> None:
        """A reset lets the browser in that completed it, as *seen*: it is asked for the passkey all the same."""
        has_reset = self.site.shop.owners["hana"] == CHOSEN
        assert has_reset or "__Host-sekisho" not in self.phisher.jar

    @invariant()
    def her_factors_are_hers(self) -> None:
        assert self.run(self.enrolled()) == self.before


TestRelay = Relay.TestCase
TestRelay.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


# What accounts have enrolled is not told.


@pytest.mark.parametrize("accept", [b"application/json", b"text/html"])
@pytest.mark.parametrize("factor", ["totp", "webhook", "recovery"])
async def test_answers_do_not_tell_what_an_account_has(factor: str, accept: bytes) -> None:
    """A right code beside a passkey, a wrong one, nothing enrolled, no account: status, headers and bytes are one."""
    hana = Hana()
    await hana.enrol()
    site = hana.site
    right = {"totp": site.code(), "webhook": "12345678", "recovery": hana.sheet[0]}[factor]
    wrong = {"totp": "000000", "webhook": "00000000", "recovery": "0000-0000-0000-0000"}[factor]
    seen = set()
    for account, password, code in (
        ("hana", "right", right),
        ("hana", "right", wrong),
        ("hana", "wrong", right),
        ("alice", "hatter", wrong),
        ("nobody", "right", wrong),
    ):
        client = site.client()
        asked = await client.log_in(account, password, accept=accept)
        ticket = challenge(asked)
        shown = await client.show(ticket, code, factor, accept=accept)
        sent = await client.send(
            f"{STEP}/send", urlencode({"challenge": ticket, "factor": "webhook"}).encode(), accept=accept
        )
        seen.add(tuple(_without(one, ticket) for one in (asked, shown, sent)))
    assert len(seen) == 1


def _without(answer: Answer, ticket: str) -> tuple[int, tuple[bytes, ...], int]:
    """What an answer tells besides its ticket and its random values, which have one length."""
    names = tuple(name for name, _ in answer.headers)
    return answer.status, names, len(answer.body.replace(ticket.encode(), b""))
