"""In any order of begin, show, copy, mix up, change and wait, nobody gets in without a proof.

Invariant 8: each ticket and code succeeds at most once, only for its own account, browser and purpose. A browser that
has not shown an account's factor never holds a session of that account.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from sekisho.stepup.escrow import TICKET_S
from tests.asgi.driving import OPEN
from tests.stepup.flow.driving import FORM, Client, Site, challenge

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.asgi.driving import Answer

STEP_COOKIE = "__Host-sekisho-step"
DEVICE = "__Host-sekisho"
OF_ACCOUNT = {"hana": "1", "Alice": "2", "alice": "3"}
ACCOUNTS = st.sampled_from(["hana", "Alice", "alice", "Hana", "nobody"])
BROWSERS = st.integers(0, 2)
EXAMPLES = 60
SAID = {"step_up_required", "proof_failed", "start_again"}


class Begun(NamedTuple):
    """A ticket, with the facts about it that its bytes do not show."""

    text: str
    browser: int
    account: str
    right: bool
    door: bool
    at_s: float
    key: str


class StepUp(RuleBasedStateMachine):
    """Three browsers, three owners with an authenticator each, and a clock; every party can use everything."""

    tickets: Bundle[Begun] = Bundle("tickets")
    proofs: Bundle[tuple[str, Begun]] = Bundle("proofs")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now_s = time.time()
        self.clock = pytest.MonkeyPatch()
        self.clock.setattr(time, "time", lambda: self.now_s)
        self.clock.setattr(time, "time_ns", lambda: int(self.now_s * 1e9))
        limits = {**OPEN, "limit_account": "9999/minute"}
        self.sites = {name: Site(settings=limits) for name in OF_ACCOUNT}
        # One site; each of its owners has a phone.
        self.site = self.sites["hana"]
        for name, number in OF_ACCOUNT.items():
            self.sites[name].people = self.site.people
            self.run(self.sites[name].enrol(number))
        self.browsers = [self.site.client(f"198.51.{n}.7") for n in range(3)]
        self.shown: set[tuple[int, str]] = set()
        self.ended_s: dict[str, float] = {}
        self.redeemed: dict[str, tuple[Any, ...]] = {}
        self.spent: set[tuple[str, str]] = set()
        self.used: set[str] = set()
        self.links = 0

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def teardown(self) -> None:
        self.clock.undo()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def browser(self, number: int, key: str = "") -> Client:
        client = self.browsers[number]
        if key:
            client.jar[STEP_COOKIE] = key
        return client

    def code(self, owner: str, steps: int = 0) -> str:
        return self.sites[owner].code(steps)

    # Actions of owners and attackers.

    @initialize(target=tickets, number=BROWSERS)
    def begin_well(self, number: int) -> Begun:
        return self.begin(number, "hana", right=True)

    @rule(target=tickets, number=BROWSERS, account=ACCOUNTS, right=st.booleans())
    def start(self, number: int, account: str, right: bool) -> Begun:
        return self.begin(number, account, right=right)

    def begin(self, number: int, account: str, *, right: bool) -> Begun:
        client = self.browser(number)
        client.jar.pop(DEVICE, None)
        password = self.site.shop.owners.get(account, "x") if right else "wrong"
        asked = self.run(client.log_in(account, password))
        assert (asked.status, asked.code) == (401, "step_up_required")
        # Another ticket in the same browser does not end the first: people use tabs.
        is_right = right and account in self.site.shop.owners
        return Begun(challenge(asked), number, account, is_right, False, self.now_s, client.jar[STEP_COOKIE])

    @rule(target=tickets, number=BROWSERS, account=ACCOUNTS)
    def knock(self, number: int, account: str) -> Begun:
        """Send a request to a door that changes something: there the proof comes first."""
        client = self.browser(number)
        asked = self.run(self.change(client, account, self.site.shop.owners.get(account, "x")))
        assert (asked.status, asked.code) == (401, "step_up_required")
        return Begun(challenge(asked), number, account, True, True, self.now_s, client.jar[STEP_COOKIE])

    @rule(ticket=tickets, owner=st.sampled_from([*OF_ACCOUNT]), steps=st.integers(-3, 3))
    def show(self, ticket: Begun, owner: str, steps: int) -> None:
        """Show any phone's code, of now or another time, in the browser that holds the ticket."""
        self.judge(ticket, ticket.browser, owner, self.code(owner, steps), ticket.key)

    @rule(target=proofs, ticket=tickets, steps=st.integers(-1, 1))
    def show_right(self, ticket: Begun, steps: int) -> tuple[str, Begun]:
        owner = ticket.account if ticket.account in OF_ACCOUNT else "hana"
        found = self.judge(ticket, ticket.browser, owner, self.code(owner, steps), ticket.key)
        return self.proof_in(found), ticket

    @rule(ticket=tickets, number=BROWSERS, steps=st.integers(-1, 1), take_key=st.booleans())
    def show_elsewhere(self, ticket: Begun, number: int, steps: int, take_key: bool) -> None:
        """Show a ticket that was copied, with its holder cookie or without."""
        owner = ticket.account if ticket.account in OF_ACCOUNT else "hana"
        key = ticket.key if take_key else ""
        self.judge(ticket, number, owner, self.code(owner, steps), key)

    @rule(ticket=tickets, at=st.integers(0, 4_000), number=BROWSERS)
    def tamper(self, ticket: Begun, at: int, number: int) -> None:
        at %= len(ticket.text) - 4  # the last bits of base64 may mean nothing
        text = ticket.text[:at] + ("A" if ticket.text[at] != "A" else "B") + ticket.text[at + 1 :]
        owner = ticket.account if ticket.account in OF_ACCOUNT else "hana"
        found = self.run(self.browser(number, ticket.key).show(text, self.code(owner)))
        assert (found.status, found.code) == (410, "start_again")

    @rule(found=proofs, number=BROWSERS, account=ACCOUNTS, own=st.booleans())
    def use(self, found: tuple[str, Begun], number: int, account: str, own: bool) -> None:
        """Use a proof that a client was given at its door, for any account and from any browser."""
        proof, ticket = found
        if own:
            number, account = ticket.browser, ticket.account
        client = self.browser(number)
        password = self.site.shop.owners.get(account, "x")
        before = len(self.site.shop.owners)
        key = client.jar.get(STEP_COOKIE, "")
        answered = self.run(self.change(client, account, password, proof))
        assert len(self.site.shop.owners) == before
        if answered.status == 401 and answered.body.startswith(b"{"):
            return
        assert proof
        assert proof not in self.used
        assert (account, key) == (ticket.account, ticket.key)
        self.used.add(proof)
        if answered.status == 303:
            self.ended_s[account] = self.now_s

    @rule(ticket=tickets, number=BROWSERS)
    def mix_up(self, ticket: Begun, number: int) -> None:
        """Show a ticket as if it were a proof."""
        client = self.browser(number, ticket.key)
        owners = dict(self.site.shop.owners)
        answered = self.run(self.change(client, ticket.account, owners.get(ticket.account, "x"), ticket.text))
        assert (answered.status, answered.code) == (401, "step_up_required")
        assert self.site.shop.owners == owners

    @rule(seconds=st.sampled_from([1, 20, 31, 60, 130, TICKET_S]))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule(number=BROWSERS)
    def forget(self, number: int) -> None:
        """Clear a browser's cookies: it becomes a stranger."""
        self.browsers[number].jar.clear()

    # Invariants.

    def judge(self, ticket: Begun, number: int, owner: str, code: str, key: str) -> Answer:
        """Show a code, and compare the result with the known facts."""
        client = self.browser(number, key)
        held = client.jar.get(STEP_COOKIE, "")
        found: Answer = self.run(client.show(ticket.text, code))
        if found.status in {401, 410}:
            assert found.code in SAID
            return found
        assert found.status == (200 if ticket.door else 303)
        assert held == ticket.key, "another browser's ticket"
        assert owner == ticket.account, "another account's factor"
        assert ticket.right, "a wrong password"
        assert self.now_s - ticket.at_s < TICKET_S, "too late"
        assert ticket.at_s > self.ended_s.get(ticket.account, 0), "begun before the password changed"
        whole = (code, found.status, tuple(found.headers), found.body)
        if ticket.text in self.redeemed:
            assert not ticket.door, "an effect twice"
            assert self.redeemed[ticket.text] == whole, "something else than the first of two clicks was answered"
        else:
            assert (owner, code) not in self.spent, "a code that was shown before"
        self.redeemed[ticket.text] = whole
        self.spent.add((owner, code))
        if not ticket.door:
            self.shown.add((number, ticket.account))
        return found

    @staticmethod
    def proof_in(found: Answer) -> str:
        return str(json.loads(found.body)["proof"]) if found.status == 200 else ""

    async def change(self, client: Client, account: str, password: str, proof: str = "") -> Answer:
        client.jar.pop(DEVICE, None)  # a proved device needs no other proof
        self.links += 1
        fields = {"username": account, "old_password": password, "new_password": f"{password} and {self.links}"}
        shown = [(b"sekisho-proof", proof.encode())] if proof else []
        return await client.send("/password", urlencode(fields).encode(), headers=[FORM, *shown])

    @invariant()
    def no_session_without_a_factor(self) -> None:
        sessions = self.site.shop.sessions
        for number, client in enumerate(self.browsers):
            if (account := sessions.get(client.jar.get("session", ""))) is not None:
                assert (number, account) in self.shown

    @invariant()
    def no_device_without_a_factor(self) -> None:
        for number, client in enumerate(self.browsers):
            if DEVICE in client.jar:
                assert any(browser == number for browser, _ in self.shown)


TestStepUp = StepUp.TestCase
TestStepUp.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.generate],  # a failing run is short enough to read, and shrinking it takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
