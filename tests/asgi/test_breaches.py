"""Leaked passwords and pairs at the doors: notices, refusals, and what an attacker cannot learn."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sekisho.breach.pairs import PairDigests
from sekisho.model import Exposure, Outcome, Pair, SettingsError
from sekisho.wiring import MACHINE
from tests.asgi.driving import (
    FORM,
    HERE,
    JSON,
    OPEN,
    Answer,
    Clock,
    Shop,
    answer,
    ask,
    guarded,
    http,
    known_device,
    log_in,
)
from tests.breach.making import BUILT, corpus_file, digest

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.asgi.report import Report
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

LEAKED = "sunshine"  # seen 1,000 times: class 10
RARE = "correct horse battery staple"  # seen once
KEY = b"a key for pairs, which nobody can guess: 8c1f"
OWNERS = {"hana": LEAKED, "ken": "of nobody's list"}
DOORS: dict[str, Any] = {
    "signup": "POST /signup form:email,password json:email,password",
    "change": "POST /password form:username,old,new",
    "reset": "POST /reset form:email,token,password",
    "code": "POST /code form:username,code",
}


class Listening(Shop):
    """Keeps what the guard reported about each attempt, and lets every attempt at doors other than the log-in
    succeed.
    """

    def __init__(self, owners: dict[str, str] | None = None) -> None:
        super().__init__(OWNERS if owners is None else owners)
        self.reports: list[Report] = []
        self.reports_as: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reports.append(scope["state"]["sekisho"])
        if self.reports_as:
            self.reports[-1].report(success=True, account=self.reports_as)
        if scope["path"] != "/login":
            return await answer(send, 201)
        return await super().__call__(scope, receive, send)

    @property
    def findings(self) -> list[str]:
        return [finding.reason for finding in self.reports[-1].decision.findings]


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "passwords"
    corpus_file(path, {digest(LEAKED): 1_000, digest(RARE): 1, digest("123456"): 10**6, digest("a blank "): 9})
    return str(path)


@pytest.fixture
def pairs(tmp_path: Path) -> dict[str, Any]:
    """Settings for a pair file that lists hana's password, and the leaked `Tulips2019` for Ken."""
    digests = PairDigests(KEY)
    seen = {
        make(account, password): 1
        for account, password in (("hana", LEAKED), ("ken", "Tulips2019"))
        for make in (digests.exact, digests.stem)
    }
    corpus_file(tmp_path / "pairs", seen, kind="pairs", key_id=digests.key_id)
    return {"pairs": str(tmp_path / "pairs"), "pairs_key": KEY}


def counts(app: LoginGuard) -> dict[tuple[str, str, str], int]:
    return dict(app.counts)


async def post(app: LoginGuard, path: str, **fields: str) -> Answer:
    return await ask(app, http(path), urlencode(fields).encode())


# --- at the log-in


@pytest.mark.parametrize("password", [LEAKED, RARE, f" {LEAKED}", f"{LEAKED}\u3000 ", "a blank "])
async def test_a_strangers_leaked_password_calls_for_proof(corpus: str, password: str) -> None:
    """A stranger's leaked password calls for a proof; without factors it is a finding and no refusal.

    Row 132: so it does with blanks around, which serializers strip.
    """
    shop = Listening()
    await log_in(guarded(shop, corpus=corpus), password=password)

    assert shop.findings == ["breached_password"]
    assert not shop.reports[-1].decision.change_password


async def test_where_proof_cannot_be_asked_for_it_may_be_refused(corpus: str) -> None:
    """If it refuses, the answer is the same to the byte for known and unknown accounts, right and wrong passwords."""
    app = guarded(Listening(), corpus=corpus, no_factor="refuse", **OPEN)
    answers = [await log_in(app, account, password) for account, password in (
        ("hana", LEAKED), ("hana", RARE), ("ken", LEAKED), ("nobody", LEAKED))]  # fmt: skip

    assert {(one.status, one.body, tuple(one.headers)) for one in answers} == {
        (403, answers[0].body, tuple(answers[0].headers))
    }


async def test_a_password_of_no_list_is_nothing(corpus: str, pairs: dict[str, Any]) -> None:
    """A password in no list is reported as absent from both, which differs from *could not tell*."""
    shop = Listening()
    await log_in(guarded(shop, corpus=corpus, **pairs), "ken", OWNERS["ken"])

    assert shop.findings == []
    assert shop.reports[-1].exposure == Exposure(0, Pair.ABSENT)


async def test_nobody_asked_is_nobody_clean() -> None:
    """Without a corpus the report says *unknown*."""
    shop = Listening()
    await log_in(guarded(shop))

    assert shop.reports[-1].exposure == Exposure(None, None)


async def test_how_often_is_too_often_is_the_operators_choice(corpus: str) -> None:
    """The threshold is the operator's choice, rounded down to a power of two: 600 starts at 512."""
    shop = Listening()
    app = guarded(shop, corpus=corpus, breached_min=600)
    await log_in(app, password=RARE)
    assert shop.findings == []
    await log_in(app, password=LEAKED)
    assert shop.findings == ["breached_password"]


async def test_codes_are_not_passwords(corpus: str) -> None:
    """A six-digit code is not looked up: every list has all of them."""
    shop = Listening()
    await post(guarded(shop, corpus=corpus, **DOORS), "/code", username="hana", code="123456")

    assert shop.findings == []
    assert shop.reports[-1].exposure == Exposure(None, None)


# --- the owner's known device


async def test_a_known_device_is_let_in_and_its_owner_told(corpus: str, clock: Clock) -> None:
    """A known device with a leaked password is let in, and its owner is told not to use it any longer."""
    told: list[str] = []
    shop = Listening()
    app = guarded(shop, corpus=corpus, on_change_password=told.append)
    token = await known_device(app, password=LEAKED)
    assert told == []  # a stranger until now

    clock.advance(3)
    assert (await log_in(app, password=LEAKED, token=token)).status == 303
    assert shop.reports[-1].decision.change_password
    assert told == ["hana"]
    assert counts(app)["POST /login", "change_password", ""] == 1


async def test_only_a_right_password_is_worth_a_word(corpus: str, clock: Clock) -> None:
    """Only a right password is reported: a typing error that is a leaked password says nothing about the owner's."""
    told: list[str] = []
    app = guarded(Listening({"hana": "of no list"}), corpus=corpus, on_change_password=told.append)
    token = await known_device(app, password="of no list")

    clock.advance(3)
    assert (await log_in(app, password=LEAKED, token=token)).status == 401
    assert told == []


async def test_whoever_is_changing_it_needs_no_word(corpus: str, clock: Clock) -> None:
    """A password change does not report the old leaked password, which its owner is replacing."""
    told: list[str] = []
    shop = Listening()
    app = guarded(shop, corpus=corpus, on_change_password=told.append, **DOORS)
    token = await known_device(app, password=LEAKED)
    shop.reports_as = "hana"
    clock.advance(3)
    cookie = (b"cookie", f"__Host-sekisho={token}".encode())
    body = urlencode({"username": "hana", "old": LEAKED, "new": "better"}).encode()
    assert (await ask(app, http("/password", headers=[FORM, cookie]), body)).status == 201

    assert shop.reports[-1].decision.change_password
    assert told == []


async def test_the_hook_hears_the_applications_own_id(corpus: str, clock: Clock) -> None:
    """The hook gets the application's own id if it has reported one; the hook may be a coroutine function."""
    told: list[str] = []

    async def tell(account: str) -> None:
        told.append(account)

    shop = Listening()
    app = guarded(shop, corpus=corpus, on_change_password=tell)
    token = await known_device(app, password=LEAKED)
    shop.reports_as = "user-17"
    clock.advance(3)
    await log_in(app, password=LEAKED, token=token)
    await asyncio.sleep(0)

    assert told == ["user-17"]


@pytest.mark.parametrize("late", [False, True])
async def test_a_hook_that_fails_harms_nobody(
    corpus: str, clock: Clock, caplog: pytest.LogCaptureFixture, late: bool
) -> None:
    """A failing hook does not affect the log-in; the log names the kind of failure and not the account in it."""

    def fail(account: str) -> Any:
        raise LookupError(account)

    async def fail_late(account: str) -> None:
        fail(account)

    app = guarded(Listening(), corpus=corpus, on_change_password=fail_late if late else fail)
    token = await known_device(app, password=LEAKED)
    clock.advance(3)
    assert (await log_in(app, password=LEAKED, token=token)).status == 303
    await asyncio.sleep(0)

    assert "a hook failed: LookupError" in caplog.text
    assert "hana" not in caplog.text


async def test_hooks_that_never_return_are_bounded(corpus: str, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Hooks that never return are bounded, or a mail server that hangs would fill the memory of a log-in service."""
    never = asyncio.Event()
    called: list[str] = []

    async def hang(account: str) -> None:
        called.append(account)
        await never.wait()

    app = guarded(Listening(), corpus=corpus, on_change_password=hang, limit_lane="1000/hour")
    token = await known_device(app, password=LEAKED)
    for _ in range(66):
        clock.advance(3)
        token = (await log_in(app, password=LEAKED, token=token)).device
    await asyncio.sleep(0)

    assert len(called) == 64
    assert "64 calls that do not return" in caplog.text
    never.set()


# --- where a password is chosen


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/signup", {"email": "new@example.com", "password": LEAKED}),
        ("/password", {"username": "ken", "old": OWNERS["ken"], "new": LEAKED}),
        ("/reset", {"email": "hana@example.com", "token": "4711", "password": LEAKED}),
    ],
)
async def test_a_breached_password_cannot_be_chosen(corpus: str, path: str, fields: dict[str, str]) -> None:
    """A breached password is refused at sign-up, change and reset, with a reason and no handler edited (NIST SP
    800-63B-4, 3.1.1.2).
    """
    shop = Listening()
    app = guarded(shop, corpus=corpus, **DOORS)
    refused = await post(app, path, **fields)

    assert (refused.status, refused.code) == (422, "breached_password")
    assert "lists of stolen passwords" in json.loads(refused.body)["detail"]
    assert shop.reports == []

    fields["new" if "new" in fields else "password"] = "of nobody's list"
    assert (await post(app, path, **fields)).status == 201
    assert counts(app)[f"POST {path}", "new_password", "breached"] == 1
    assert counts(app)[f"POST {path}", "new_password", "not_known"] == 1


async def test_json_is_no_way_round(corpus: str) -> None:
    """A new password is checked in JSON too, in any encoding, and refused in Japanese for readers of it."""
    body = json.dumps({"email": "new@example.com", "password": LEAKED}).encode()
    japanese = (b"accept-language", b"ja")
    refused = await ask(guarded(Listening(), corpus=corpus, **DOORS), http("/signup", headers=[JSON, japanese]), body)

    assert refused.status == 422
    assert "流出" in json.loads(refused.body)["detail"]


async def test_whoever_searches_for_a_good_password_is_not_locked_out(corpus: str) -> None:
    """A refused choice of a password guesses nothing and is refunded."""
    app = guarded(Listening(), corpus=corpus, limit_account="3/hour", **DOORS)
    for _ in range(10):
        assert (await post(app, "/signup", email="new@example.com", password=LEAKED)).status == 422

    assert (await post(app, "/signup", email="new@example.com", password="better")).status == 201


async def test_a_password_listed_for_this_account_cannot_be_chosen_again(pairs: dict[str, Any]) -> None:
    """A password listed for this account is refused again, however rare; other accounts may use it."""
    app = guarded(Listening(), **pairs, **DOORS)

    assert (await post(app, "/password", username="Ken ", old="x", new="Tulips2019")).status == 422
    assert (await post(app, "/password", username="ken", old="x", new="Tulips2020")).status == 201
    assert (await post(app, "/password", username="mei", old="x", new="Tulips2019")).status == 201


async def test_an_old_password_may_have_leaked(corpus: str) -> None:
    """A leaked old password does not prevent its own change."""
    app = guarded(Listening(), corpus=corpus, **DOORS)

    assert (await post(app, "/password", username="hana", old=LEAKED, new="better")).status == 201


async def test_a_reset_that_sets_nothing_passes(corpus: str) -> None:
    """A reset request without a new password passes: one page may send the mail and take the password."""
    app = guarded(Listening(), corpus=corpus, **{**DOORS, "reset": "POST /reset form:email,,password"})

    assert (await post(app, "/reset", email="hana@example.com")).status == 201
    assert not [event for event in counts(app) if event[1] == "new_password"]


async def test_the_threshold_holds_where_passwords_are_chosen(corpus: str) -> None:
    """The threshold holds for choices: a password seen once may be the owner's own, from an old leak."""
    app = guarded(Listening(), corpus=corpus, breached_min=2, **DOORS)

    assert (await post(app, "/signup", email="a@example.com", password=RARE)).status == 201
    assert (await post(app, "/signup", email="a@example.com", password=LEAKED)).status == 422


async def test_monitor_refuses_no_choice(corpus: str) -> None:
    """In `monitor` a breached choice is counted and not refused."""
    app = guarded(Listening(), corpus=corpus, mode="monitor", **DOORS)

    assert (await post(app, "/signup", email="a@example.com", password=LEAKED)).status == 201
    assert counts(app)["POST /signup", "new_password", "breached"] == 1


# --- pairs


@pytest.mark.parametrize(
    ("expected", "account", "password"),
    [
        ("breached_pair", "hana", LEAKED),
        ("breached_pair", "ＨＡＮＡ", LEAKED),
        ("breached_pair", "Ken", "Tulips2019"),
        ("breached_pair_variant", "ken", "tulips2020!"),
        (None, "ken", LEAKED),
        (None, "ken", "Roses2019"),
    ],
)
async def test_pairs_are_found_as_accounts_are_counted(
    pairs: dict[str, Any], expected: str | None, account: str, password: str
) -> None:
    """A pair is found under every spelling of its account, exactly or slightly changed, and under no other account."""
    shop = Listening()
    await log_in(guarded(shop, **pairs), account, password)

    assert shop.findings == ([expected] if expected else [])


async def test_lists_know_no_resolver(pairs: dict[str, Any]) -> None:
    """Pairs are looked up by the account as typed, not by the resolver's id."""
    shop = Listening()
    await log_in(guarded(shop, resolver=lambda typed: {"hana": "17"}.get(typed, ""), **pairs), "Hana", LEAKED)

    assert shop.findings == ["breached_pair"]


async def test_a_leaked_pair_is_worth_a_word_as_well(pairs: dict[str, Any], clock: Clock) -> None:
    """A leaked pair is reported to the owner too, and needs a proof from a device that is known by a password alone."""
    told: list[str] = []
    shop = Listening()
    app = guarded(shop, on_change_password=told.append, **pairs)
    token = await known_device(app, password=LEAKED)
    clock.advance(3)
    await log_in(app, password=LEAKED, token=token)

    assert shop.findings == ["breached_pair"]
    assert told == ["hana"]


async def test_a_file_under_another_key_cannot_tell(pairs: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """With a pair file under another key the guard starts, warns, and reports *unknown* instead of *absent*."""
    shop = Listening()
    app = guarded(shop, **{**pairs, "pairs_key": b"another key that nobody can guess: 51d0"})
    await log_in(app, password=LEAKED)

    assert shop.reports[-1].exposure.pair is None
    assert counts(app)["", "pairs", "lost"] == 1
    assert "another key" in caplog.text


# --- the trusted proxy's header


@pytest.mark.parametrize(("value", "reason"), [(b"1", "breached_pair"), (b"3", "breached_pair_variant"),
                                               (b"4", "breached_password")])  # fmt: skip
async def test_a_trusted_proxy_may_know_more(value: bytes, reason: str) -> None:
    """A trusted proxy's finding is used (Cloudflare has lists of its own); the worse of two sources counts."""
    shop = Listening()
    app = guarded(shop, trusted_proxies=f"{HERE}/32", exposed_header="exposed-credential-check")
    forwarded = (b"x-forwarded-for", b"198.51.100.4")
    await log_in(app, headers=[(b"exposed-credential-check", value), forwarded])

    assert shop.findings == [reason]


async def test_nobody_else_is_believed() -> None:
    """The header from any other peer is ignored: a client could make trouble for an owner."""
    shop = Listening()
    app = guarded(shop, trusted_proxies="192.0.2.1/32", exposed_header="exposed-credential-check")
    await log_in(app, headers=[(b"exposed-credential-check", b"1")])

    assert shop.findings == []


# --- when files fail


async def looked(app: LoginGuard) -> None:
    """Make an attempt when a check of the file is due, and wait for the check, which runs in its own thread."""
    await log_in(app, "somebody else")
    for thread in threading.enumerate():
        if thread.name == "sekisho corpus":
            await asyncio.to_thread(thread.join)


async def test_a_file_that_vanishes_is_an_outage_and_its_return_the_end_of_it(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a file is missing its answer is *unknown*, nothing is refused for it, and no restart is needed."""
    now = 0.0
    monkeypatch.setattr("sekisho.wiring.LoginGuard._clocks", MACHINE._replace(monotonic_s=lambda: now))
    shop = Listening()
    app = guarded(shop, corpus=corpus, **OPEN)
    (tmp_path / "passwords").rename(tmp_path / "elsewhere")
    now += 2
    await looked(app)
    assert (await log_in(app, password=LEAKED)).status == 303
    assert (shop.reports[-1].exposure.password, shop.findings) == (None, [])

    (tmp_path / "elsewhere").rename(tmp_path / "passwords")
    now += 2
    await looked(app)
    await log_in(app, password=LEAKED)
    assert shop.findings == ["breached_password"]
    assert (counts(app)["", "corpus", "lost"], counts(app)["", "corpus", "answers"]) == (1, 1)


@pytest.mark.parametrize("damage", ["missing", "empty", "pairs", "fifo"])
def test_a_wrong_file_stops_the_start(tmp_path: Path, damage: str) -> None:
    """A wrong file stops the start; the error names the variable and the fault, and not the path."""
    path = tmp_path / "canary"
    if damage == "empty":
        path.write_bytes(b"")
    if damage == "fifo":
        os.mkfifo(path)
    if damage == "pairs":
        corpus_file(path, {digest("x"): 1}, kind="pairs")
    with pytest.raises(SettingsError) as raised:
        guarded(Listening(), corpus=str(path))
    assert str(raised.value).startswith("SEKISHO_CORPUS: names a file that cannot be used")
    assert "canary" not in str(raised.value)


async def test_an_old_corpus_is_said_to_be_old(corpus: str, caplog: pytest.LogCaptureFixture) -> None:
    """A corpus past its age is reported as old: later leaks are not in it."""
    assert BUILT < 1_800_000_000
    guarded(Listening(), corpus=corpus)
    assert "SEKISHO_CORPUS: was built more than" in caplog.text


# --- events


async def test_events_name_reasons_and_nobody(corpus: str, caplog: pytest.LogCaptureFixture) -> None:
    """Events show how much of an attack uses leaked passwords, and no password."""
    caplog.set_level(logging.DEBUG)
    app = guarded(Listening(), corpus=corpus)
    await log_in(app, password=LEAKED)

    assert counts(app)["POST /login", "allow", "breached_password"] == 1
    assert counts(app)["POST /login", "outcome", Outcome.SUCCEEDED.value] == 1
    assert not [word for word in (LEAKED, digest(LEAKED).hex()[:5], "hana") if word in caplog.text.lower()]
