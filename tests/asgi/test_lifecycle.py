"""Start, stop and modes: servers with and without lifespan, wrong settings, several loops in a row."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from sekisho import LoginGuard
from sekisho.model import Mode, Outcome, SettingsError
from sekisho.testing import SECRET
from tests.asgi.driving import (
    HERE,
    JSON,
    OPEN,
    SESSION,
    Clock,
    Line,
    Shop,
    address,
    answer,
    ask,
    form,
    guarded,
    http,
    log_in,
    pieces,
    read,
)
from tests.control.commanding import tell

if TYPE_CHECKING:
    from sekisho.asgi.types import App, Message, Receive, Scope, Send

L = 3
TIGHT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
VALUE = "hunter2-is-what-was-set"


class Lively(Shop):
    """A shop with a lifespan that records its events."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.told: list[str] = []
        self._fails = fails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await super().__call__(scope, receive, send)
        scope["state"]["db"] = "open"
        while True:
            self.told.append((await receive())["type"])
            await send({"type": self.told[-1] + (".failed" if self._fails else ".complete")})
            if self._fails or self.told[-1] == "lifespan.shutdown":
                return None


async def live(app: App, *events: str, state: dict[str, Any] | None = None) -> list[Message]:
    """What a server receives from a lifespan with these events."""
    line = Line([{"type": f"lifespan.{event}"} for event in events])
    await app({"type": "lifespan", "state": {} if state is None else state}, line.receive, line.send)
    return line.sent


# Lifespan.


async def test_a_lifespan_is_the_applications_own(redis_url: str) -> None:
    """The application gets both events, keeps its state and answers itself; our connection ends with it."""
    shop, state = Lively(), dict[str, Any]()
    before = asyncio.all_tasks()

    sent = await live(guarded(shop, store=redis_url), "startup", "shutdown", state=state)

    assert shop.told == ["lifespan.startup", "lifespan.shutdown"]
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert state == {"db": "open"}
    assert asyncio.all_tasks() == before


async def test_an_application_that_fails_to_start_leaves_nothing_behind(redis_url: str) -> None:
    """If the application fails to start, its reason reaches the server and our connection is closed."""
    before = asyncio.all_tasks()

    sent = await live(guarded(Lively(fails=True), store=redis_url), "startup")

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert asyncio.all_tasks() == before


async def test_an_application_without_a_lifespan_says_so_itself() -> None:
    """An application without a lifespan raises its own exception; the server serves on, and the first request starts
    the guard.
    """
    app = guarded(Shop())

    with pytest.raises(NotImplementedError):
        await live(app, "startup")

    assert (await log_in(app)).status == 303


async def test_without_a_lifespan_the_first_request_starts_everything(redis_url: str) -> None:
    """Without a lifespan (mounted, Django) the first request starts everything."""
    app = guarded(Shop(), store=redis_url, **TIGHT)

    assert (await log_in(app)).status == 303
    assert [(await log_in(app, "kenji", f"{n}", client=address(n))).status for n in range(L)] == [401] * L
    await app._loops.stop()  # type: ignore[union-attr] # its settings are right


def test_one_guard_serves_one_event_loop_after_another(redis_url: str) -> None:
    """One guard serves one loop after another, as test suites do, with a new connection for each."""
    app = guarded(Shop(), store=redis_url, store_deadline_ms="5000", limit_ip=f"{L}/hour")

    statuses = [asyncio.run(log_in(app, "kenji", f"guess {n}")).status for n in range(L + 1)]
    gc.collect()

    assert statuses == [401] * L + [429]
    assert app._loops is not None
    assert len(app._loops._running) == 1


def test_counters_in_memory_outlive_an_event_loop(clock: Clock) -> None:
    """Counters in memory belong to the process and outlive an event loop."""
    app = guarded(Shop(), limit_ip="1/hour")

    first = asyncio.run(log_in(app, "kenji", "a"))
    clock.advance(3)

    assert (first.status, asyncio.run(log_in(app, "kenji", "b")).status) == (401, 429)


async def test_what_should_be_known_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings about settings are logged by name at the first start, and not at later ones."""
    app = guarded(Shop())
    for _ in range(3):
        await log_in(app)

    said = [record.getMessage() for record in caplog.records if "SEKISHO_STORE" in record.getMessage()]
    assert said == ["SEKISHO_STORE: counts live in this process alone; a restart forgets them [SEK004]"]


# Wrong settings.


def broken(app: App, **settings: Any) -> LoginGuard:
    return LoginGuard(app, secret=SECRET, **settings)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mode": VALUE}, "SEKISHO_MODE"),
    ({"limit_ip": VALUE}, "SEKISHO_LIMIT_IP"),
    ({"store": f"redis://:{VALUE}@h:x/"}, "SEKISHO_STORE"),
    ({"limit_accuont": VALUE}, "limit_account"),
    ({"trusted_proxies": "0.0.0.0/0"}, "SEKISHO_TRUSTED_PROXIES"),
    ({"secret_file": VALUE}, "SEKISHO_SECRET"),
]


@pytest.mark.parametrize(("settings", "name"), WRONG, ids=[name for _, name in WRONG])
async def test_wrong_settings_fail_the_start_and_every_request_by_name(
    settings: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong settings fail the start and every request, as servers serve on when construction raises; nothing passes."""
    shop = Lively()
    caplog.set_level(logging.DEBUG)
    app = broken(shop, **settings)

    (failed,) = await live(app, "startup")
    refused = await log_in(app)
    elsewhere = await ask(app, http("/", method="GET", headers=[(b"accept", b"text/html")]))
    socket = Line([{"type": "websocket.connect"}])
    await app({**http(), "type": "websocket"}, socket.receive, socket.send)

    assert failed["type"] == "lifespan.startup.failed"
    assert (refused.status, refused.code, elsewhere.status) == (503, "misconfigured", 503)
    for text in (failed["message"], refused.body.decode(), elsewhere.body.decode(), caplog.text):
        assert name in text
        assert VALUE not in text
    assert [message["type"] for message in socket.sent] == ["websocket.close"]
    assert not shop.told + shop.reached


async def test_all_mistakes_are_named_at_once() -> None:
    """All wrong settings are named at once."""
    (failed,) = await live(broken(Shop(), mode="x", limit_ip="y", wrokers=2), "startup")

    assert all(name in failed["message"] for name in ("SEKISHO_MODE", "SEKISHO_LIMIT_IP", "did you mean workers?"))


def test_a_suite_is_told_at_once() -> None:
    """A test suite sees the error itself: a 503 to every request would hide the cause."""
    with pytest.raises(SettingsError, match="did you mean limit_ip"):
        guarded(Shop(), limit_pi="5/hour")


# Modes.


async def test_monitor_refuses_nobody_and_counts_everybody(clock: Clock) -> None:
    """`monitor` refuses nothing, but its events show refusals, and its counters hold after a switch to `enforce`."""
    shop = Shop()
    app = guarded(shop, mode="monitor", deny="192.0.2.0/24", limit_ip="4/hour", limit_account=f"{L}/hour")
    assert app._loops is not None

    statuses = []
    for n in range(6):
        statuses.append((await log_in(app, "hana", f"guess {n}")).status)
        clock.advance(3)
    denied = await log_in(app, client="192.0.2.1")

    counts = app.counts
    assert (statuses, denied.status, len(shop.reached)) == ([401] * 6, 303, 7)
    assert counts["POST /login", "throttle", "account_rate"] == 3
    assert counts["POST /login", "deny", "deny_list"] == 1
    tell(app, Mode.ENFORCE)
    assert (await log_in(app)).status == 429


async def test_in_monitor_every_attempt_is_decided_once(clock: Clock) -> None:
    """In `monitor` every attempt is decided once, or the report would count refusals twice."""
    app = guarded(Shop(), mode="monitor", limit_ip="1/hour")
    assert app._loops is not None
    for n in range(5):
        await log_in(app, f"owner {n}", "guess")
        clock.advance(3)

    decided = {key: n for key, n in app.counts.items() if key[1] in {"allow", "throttle"}}
    assert decided == {
        ("POST /login", "allow", ""): 1,
        ("POST /login", "throttle", "ip_rate"): 1,
        ("POST /login", "throttle", "shed"): 3,
    }


async def test_monitor_counts_what_it_cannot_read(clock: Clock) -> None:
    """`monitor` charges unreadable requests as `enforce` does."""
    app = guarded(Shop(), mode="monitor", limit_ip=f"{L}/hour")
    for _ in range(L):
        await ask(app, http(), b"no form at all")
        clock.advance(3)
    assert app._loops is not None

    tell(app, Mode.ENFORCE)

    assert (await log_in(app)).status == 429


async def test_monitor_hands_out_tokens() -> None:
    """`monitor` issues tokens, so a switch to `enforce` meets known devices."""
    assert (await log_in(guarded(Shop(), mode="monitor"))).device


async def test_off_is_as_if_we_were_not_there(clock: Clock) -> None:
    """With `off` the application gets the server's own scope, receive and send, at doors too."""
    given: list[Any] = []

    async def app(*ends: Any) -> None:
        given.extend(ends)

    line, scope = Line(pieces(form("hana", "right"))), http()
    guard = guarded(app, mode="off", deny="203.0.113.0/24")
    await guard(scope, line.receive, line.send)

    assert given[0] is scope
    assert given[1:] == [line.receive, line.send]
    assert "state" not in scope
    assert guard._loops is not None
    tell(guard, Mode.ENFORCE)
    assert (await log_in(guard, client=HERE)).status == 403


# The store.


@pytest.mark.parametrize(("policy", "status"), [("local", 303), ("closed", 503), ("open", 303)])
async def test_without_a_store_the_settings_decide(policy: str, status: int) -> None:
    """Row 96: without a store every answer comes at once and follows the settings."""
    shop = Shop()
    app = guarded(shop, store="redis://127.0.0.1:1/0", on_store_failure=policy, workers=1, **TIGHT)

    answered = [await log_in(app) for _ in range(2)]
    unreadable = await ask(app, http(), b"username=a")

    assert [each.status for each in answered] == [status] * 2
    assert unreadable.status == (503 if policy == "closed" else 400)
    if policy == "closed":
        assert answered[0].code == "unavailable"
        assert int(answered[0].header(b"retry-after") or 0) >= 2
        assert not shop.reached
    assert app._loops is not None
    await app._loops.stop()


async def test_without_a_store_monitor_lets_everybody_in() -> None:
    """Without a store `monitor` refuses nothing and passes bodies on whole."""
    shop = Shop()
    app = guarded(shop, store="redis://127.0.0.1:1/0", on_store_failure="closed", mode="monitor")

    assert (await log_in(app)).status == 303
    assert (await ask(app, http(), b"username=hana")).status == 401
    assert shop.reached == [("hana", "right"), ("hana", "")]
    assert app._loops is not None
    await app._loops.stop()


# Log lines and events.


async def test_a_door_without_a_rule_is_suggested_one(caplog: pytest.LogCaptureFixture) -> None:
    """After fifty attempts at a door without a rule the log suggests the rule once."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        right = scope["headers"][-1][1] == b"yes"
        headers = [(b"location", b"/home"), SESSION] if right else []
        await answer(send, 303 if right else 401, headers)

    guard = guarded(app, login="POST /login", **OPEN, limit_account="999/hour")
    for n in range(60):
        await log_in(guard, headers=[(b"x", b"yes" if n % 2 else b"no")])

    said = [record.getMessage() for record in caplog.records if "success is guessed from its answers" in record.msg]
    assert len(said) == 1
    assert "add success=cookie:session" in said[0]


def answering(headers: list[tuple[bytes, bytes]], body: bytes) -> App:
    """A shop whose right log-ins are answered 200 with these; wrong ones 401."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        right = b"right" in await read(receive)
        await answer(send, 200 if right else 401, headers if right else [], body if right else b"")

    return app


async def front_page(scope: Scope, receive: Receive, send: Send) -> None:
    """A shop that leads right log-ins to its front page, with a new session; wrong ones get 401."""
    right = b"right" in await read(receive)
    await answer(send, 303 if right else 401, [(b"location", b"/"), SESSION] if right else [])


async def message_at_front_page(scope: Scope, receive: Receive, send: Send) -> None:
    """A shop that tells half of the wrong log-ins so on its front page, by a message in the session (Starlette)."""
    told = b"right" in await read(receive)
    flashed = (b"set-cookie", b"session=eyJfbWVzc2FnZXMiOiBbIldyb25nIl19.aSg; path=/; HttpOnly")
    await answer(send, 303 if told else 401, [(b"location", b"/"), flashed] if told else [])


@pytest.mark.parametrize(
    ("rule", "answered", "fitting"),
    [
        ("success=302:/home", front_page, "success=cookie:session"),
        ("success=303:/", front_page, ""),
        ("success=302:/home", message_at_front_page, ""),
        ("success=303:/home", answering([SESSION, JSON], b'{"user": "hana"}'), "success=cookie:session"),
        ("success=json:token", answering([JSON], b'{"access_token": "t"}'), "success=json:access_token"),
        ("success=cookie:session", answering([SESSION, JSON], b'{"user": "hana"}'), ""),
        ("success=json:access_token", answering([JSON], b'{"access_token": "t"}'), ""),
    ],
)
async def test_a_rule_that_fits_no_answer_is_said(
    rule: str, answered: App, fitting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule that no right log-in matches would have owners refused as attackers: the log says it once, with a rule
    that fits.
    """
    guard = guarded(answered, login=f"POST /login {rule}", **OPEN, limit_account="999/hour")
    for n in range(20):
        await log_in(guard, f"owner {n}", "right" if n % 2 else "wrong")

    said = [record.getMessage() for record in caplog.records if "no answer has matched" in record.msg]
    assert len(said) == bool(fitting)
    assert all(f" {fitting} would match them" in line and line.endswith("[SEK080]") for line in said)


async def test_outcomes_are_counted(clock: Clock) -> None:
    """Outcomes are counted by door and result, with no label that a client sent."""
    app = guarded(Shop(), **OPEN)
    await log_in(app)
    await log_in(app, "kenji", "x")

    counts = app.counts
    assert [counts["POST /login", "outcome", each.value] for each in Outcome] == [1, 1, 0]
    assert json.dumps([list(key) for key in counts]).find("kenji") == -1


@pytest.mark.parametrize("store", ["memory://", "redis://127.0.0.1:1/0"], ids=["memory", "while Redis is gone"])
async def test_an_unblocking_reaches_this_workers_own_counters_once(store: str) -> None:
    """Row 7.4: an unblocked account has room again; a record that repeats an act is obeyed once."""
    app = guarded(Shop(), store=store, workers=1, **TIGHT)
    assert app._loops is not None
    freed = (app._loops.process.digests.account("hana"),)

    async def admitted(name: str) -> int:
        tries = [await log_in(app, "hana", f"{name} {n}", client=address(n)) for n in range(L + 2)]
        return sum(answer.status != 429 for answer in tries)

    found = [await admitted("first")]
    for number in range(3):
        tell(app, unblocked=freed if number == 0 else ())
        found.append(await admitted(f"after {number}"))

    assert found == [3, 3, 0, 0]
    await app._loops.stop()
