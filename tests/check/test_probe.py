"""What an invented and a right log-in show about a door and its success rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.check import Result
from sekisho.owners import MemoryOwners
from tests.asgi.driving import JSON, OPEN, SESSION, address, answer, guarded, log_in, read
from tests.check.apps import Site

if TYPE_CHECKING:
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.check import DoorReport
    from sekisho.wiring import LoginGuard

FORM_DOOR = "POST /login form:username,password"
KNOWN = ("hana", "right")


async def probed(guard: LoginGuard, known: tuple[str, str] | None = KNOWN) -> DoorReport:
    (report,) = await guard.probe(known=known)
    return report


@pytest.mark.parametrize(
    ("rule", "result", "advice"),
    [
        (" success=303:/home", Result.GOOD, ""),
        (" success=cookie:session", Result.WRONG, "Write the door in SEKISHO_LOGIN as: {} success=303:/home"),
        (" success=303:/welcome", Result.BLIND, "Write the door in SEKISHO_LOGIN as: {} success=303:/home"),
        ("", Result.GOOD, "Write the door in SEKISHO_LOGIN as: {} success=303:/home"),
    ],
    ids=["a good rule", "a rule that every answer fulfils", "a rule that none fulfils", "no rule"],
)
async def test_two_log_ins_show_what_a_rule_is_worth(rule: str, result: Result, advice: str) -> None:
    """Two log-ins show whether a rule works, and which one would, in the settings' notation."""
    report = await probed(guarded(Site(), login=FORM_DOOR + rule, **OPEN))

    assert (report.result, report.advice) == (result, advice.format(FORM_DOOR))


async def test_without_a_right_log_in_a_wrong_rule_shows_all_the_same() -> None:
    """Without a right log-in a wrong rule shows too: an invented one succeeds."""
    report = await probed(guarded(Site(), login=FORM_DOOR + " success=cookie:session", **OPEN), known=None)

    assert report.result is Result.WRONG
    assert "success=RULE" in report.advice


@pytest.mark.parametrize("door", ["POST /logn", "PUT /nothing"])
async def test_a_door_that_is_not_there_is_said(door: str) -> None:
    """A door with a misspelt path is reported, as it guards nothing."""
    report = await probed(guarded(Site(), login=f"{door} form:username,password", **OPEN))

    assert report.result is Result.MISSING
    assert report.advice.startswith("Correct the method or the path in SEKISHO_LOGIN")


def reading(media: bytes, account: bytes) -> App:
    """A log-in that takes one content type and one name of the account's field, as FastAPI's models do."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive)
        if scope["method"] != "POST":
            return await answer(send, 405)
        if not dict(scope["headers"])[b"content-type"].startswith(media) or account not in body:
            return await answer(send, 422)
        right = b"hana" in body and b"right" in body
        return await answer(send, 200 if right else 401, [JSON], b'{"access_token": "t"}' if right else b"{}")

    return app


@pytest.mark.parametrize("media", [b"application/json", b"application/x-www-form-urlencoded"])
@pytest.mark.parametrize("account", [b"username", b"email"])
async def test_every_form_that_a_door_reads_is_tried(media: bytes, account: bytes) -> None:
    """A door without fields reads forms and JSON, by user name or mail: the check finds what the handler takes."""
    report = await probed(guarded(reading(media, account), login="POST /login", **OPEN))

    assert (report.result, report.invented.status) == (Result.GOOD, 401)
    assert report.advice.endswith("success=json:access_token")


@pytest.mark.parametrize(("to_forms", "to_wrong"), [(400, 401), (400, 400), (500, 401)])
async def test_where_a_form_is_malformed_json_is_tried(to_forms: int, to_wrong: int) -> None:
    """Litestar and Django Ninja answer 400 to a form where they read JSON, and allauth to a wrong password too."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive)
        if scope["method"] != "POST" or dict(scope["headers"])[b"content-type"] != b"application/json":
            return await answer(send, to_forms)
        return await answer(send, 201 if b"hana" in body and b"right" in body else to_wrong, [SESSION])

    report = await probed(guarded(app, login="POST /login", **OPEN))

    assert (report.invented.status, report.known and report.known.status) == (to_wrong, 201)
    assert report.advice.endswith("success=cookie:session")


NO_PAGE = (
    "Nothing is at /api/, so the rule was not tested. To test it, write the door of one page for now: "
    "GET /api/PAGE basic success=!401,403"
)


@pytest.mark.parametrize(("status", "advice"), [(404, NO_PAGE), (502, "The application failed: its own log says why")])
async def test_what_nobody_has_answered_says_nothing_of_a_rule(status: int, advice: str) -> None:
    """The path of a door with `*` stands for all below it, and may have no page; an application may be down."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await answer(send, status)

    report = await probed(guarded(app, login="* /api/* basic success=!401,403", **OPEN))

    assert (report.result, report.advice) == (Result.UNTOLD, advice)


async def test_a_log_out_is_no_door_to_try() -> None:
    """A log-out checks no secret: naming it tries nothing there."""
    guard = guarded(Site(), login=f"{FORM_DOOR} success=303:/home", logout="POST /logout", **OPEN)

    assert [report.door.name for report in await guard.probe(doors=["POST /logout"])] == ["POST /login"]


async def test_an_answer_that_does_not_look_at_the_secret_tells_nothing() -> None:
    """An answer that does not depend on the secret, such as a CSRF refusal, shows nothing."""
    report = await probed(guarded(Site(token="t"), login=FORM_DOOR + " success=303:/home", **OPEN))

    assert report.result is Result.UNTOLD


async def test_the_token_of_a_log_ins_page_is_shown() -> None:
    """The CSRF token of the log-in's page is sent as a browser would: as a cookie and in a header."""
    token = "b" * 64
    site = Site(token=token)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            return await answer(send, 200, [(b"set-cookie", f"csrftoken={token}; Path=/".encode())])
        return await site(scope, receive, send)

    report = await probed(guarded(app, login=FORM_DOOR + " success=303:/home", **OPEN))

    assert report.result is Result.GOOD


async def test_a_probe_counts_nowhere() -> None:
    """A probe is charged at neither account nor address: it runs behind the guard."""
    guard = guarded(Site(), login=FORM_DOOR + " success=303:/home", limit_account="1/hour")

    for _ in range(5):
        await probed(guard)

    assert (await log_in(guard)).status == 303


async def test_a_guess_that_proved_itself_is_trusted() -> None:
    """A guess confirmed by a failed invented and a successful right log-in earns tokens from then on."""
    guard = guarded(Site(), login=FORM_DOOR, **OPEN)
    assert not (await log_in(guard)).device

    await probed(guard)

    assert (await log_in(guard)).device


async def test_a_right_log_in_alone_proves_no_guess() -> None:
    """A right log-in alone, which any client could make, confirms no guess, and an invented one alone neither."""
    guard = guarded(Site(), login=FORM_DOOR, **OPEN)

    await probed(guard, known=None)
    for number in range(3):
        assert not (await log_in(guard, client=address(number))).device


async def test_what_a_probe_finds_wrong_gives_nothing_from_then_on() -> None:
    """A rule that a probe finds wrong earns nothing from then on, as after a suspicion."""
    guard = guarded(Site(), login=FORM_DOOR + " success=cookie:session", **OPEN)
    token = (await log_in(guard)).device
    assert token

    await probed(guard, known=None)

    assert not (await log_in(guard, token=token)).device


async def test_only_log_in_doors_are_tried_unless_named() -> None:
    """Unnamed, log-in doors alone are tried, as requests elsewhere may have effects; the right log-in is for log-ins
    alone.
    """
    site = Site()
    doors = {"login": FORM_DOOR, "reset": "POST /login2 form:username,password"}
    guard = guarded(site, **doors, **OPEN)

    first = await guard.probe(known=KNOWN)
    both = await guard.probe(known=KNOWN, doors=["POST /login2"])

    assert [report.door.name for report in first] == ["POST /login"]
    assert [(report.door.name, report.known is not None) for report in both] == [
        ("POST /login", True),
        ("POST /login2", False),
    ]


async def test_json_doors_are_probed_as_well() -> None:
    """JSON doors are probed by their rules."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        right = b'"right"' in await read(receive)
        await answer(send, 200, [JSON], b'{"token": "t"}' if right else b'{"token": null}')

    report = await probed(guarded(app, login="POST /api/login json:user,password success=json:token", **OPEN))

    assert report.result is Result.GOOD


@pytest.mark.parametrize(
    ("status", "result", "advice"),
    [
        (401, Result.HELD, ""),
        (303, Result.WRONG, "Have the application log in the account of"),
        (404, Result.MISSING, "Correct"),
    ],
)
async def test_where_a_passkey_begins_a_log_in_the_application_lets_nobody_in_without_one(
    status: int, result: Result, advice: str
) -> None:
    """The check has no passkey to show: an application that logs in all the same does not read the guard's word."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        lines = [(b"location", b"/home"), (b"set-cookie", b"session=a1b2c3d4e5f6; HttpOnly; Path=/")]
        await answer(send, status, lines if status == 303 else [])

    owners = MemoryOwners({})
    door = {"passkey": "POST /login/passkey", "factors": "webauthn", "passkey_domain": "shop.test"}
    guard = guarded(app, owners=owners, login="POST /login/{shop} form:username,password", **door, **OPEN)
    report = await probed(guard)
    assert (report.door.name, report.result) == ("POST /login/passkey", result)
    assert report.advice.startswith(advice) if advice else report.advice == ""


STEPS_DOOR = f"{FORM_DOOR} success=302:/home"


class TwoSteps:
    """Asks for the name, then for name and password, at one path; `believes`: lets a name in by itself."""

    def __init__(self, *, believes: bool = False) -> None:
        self._believes = believes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = await read(receive)
        if scope["method"] == "GET":
            page = b"<form method=post><input name=username></form>"
            return await answer(send, 200, [(b"content-type", b"text/html")], page)
        if b"password=right" in sent or (self._believes and b"password" not in sent):
            return await answer(send, 302, [(b"location", b"/home"), SESSION])
        return await answer(send, 401 if b"password" in sent else 200)


async def test_a_page_that_asks_for_the_name_first_is_named() -> None:
    """A form that the door refuses is said, with the line that lets it pass; with that line nothing is said."""
    asked = await probed(guarded(TwoSteps(), login=STEPS_DOOR, **OPEN))
    told = await probed(guarded(TwoSteps(), login=f"{STEPS_DOOR} first=name", **OPEN))

    assert asked.hazard is not None
    assert (asked.result, asked.hazard.number) == (Result.GOOD, "SEK084")
    assert asked.advice == f"Its form sends the name alone: write the door as {STEPS_DOOR} first=name"
    assert (told.result, told.hazard, told.advice) == (Result.GOOD, None, "")


async def test_a_name_that_is_let_in_by_itself_is_found() -> None:
    """Where a name alone is answered as a log-in is, `sekisho check` says so before it is withheld."""
    report = await probed(guarded(TwoSteps(believes=True), login=f"{STEPS_DOOR} first=name", **OPEN))

    assert report.hazard is not None
    assert (report.result, report.hazard.number) == (Result.EARLY, "SEK075")
    assert "leave first=name out" in report.advice


class Typed:
    """A page whose form has the fields `email` and `pass`. `status`: to a log-in that lacks one of them."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = await read(receive)
        if scope["method"] == "GET":
            page = b"<form method=post><input name=email><input type=password name=pass></form>"
            return await answer(send, 200, [(b"content-type", b"text/html")], page)
        if b"email=" not in sent or b"pass=" not in sent:
            return await answer(send, self._status)
        return await answer(send, 302 if b"pass=right" in sent else 401, [(b"location", b"/home")])


@pytest.mark.parametrize("status", [401, 422])
async def test_the_fields_that_the_form_has_are_named(status: int) -> None:
    """A misspelt field gets the line with the form's own, regardless of how the application refuses what it lacks."""
    asked = await probed(guarded(Typed(status), login="POST /login form:mail,pass success=302:/home", **OPEN))
    told = await probed(guarded(Typed(status), login="POST /login form:email,pass success=302:/home", **OPEN))

    assert asked.hazard is not None
    assert (asked.hazard.number, asked.sent) == ("SEK084", ("email", "pass"))
    assert asked.advice == (
        "Its form has the fields email and pass, and the door reads others: write the door in SEKISHO_LOGIN as: POST "
        "/login form:email,pass success=302:/home"
    )
    assert (told.result, told.hazard, told.advice) == (Result.GOOD, None, "")


class Odd:
    """A log-in whose right answer is as given, and whose wrong one is unusual."""

    def __init__(self, wrong: int, right: tuple[int, list[tuple[bytes, bytes]]], body: bytes = b"") -> None:
        self._wrong, self._right, self._body = wrong, right, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if b"right" not in await read(receive):
            return await answer(send, self._wrong, [(b"content-type", b"text/html")], b"<p>Wrong</p>")
        return await answer(send, *self._right, self._body)


HTMX = (200, [(b"content-type", b"text/html"), (b"hx-redirect", b"/"), SESSION])


@pytest.mark.parametrize("wrong", [403, 404, 422])
async def test_a_wrong_log_in_may_be_refused_as_a_wrong_request_is(wrong: int) -> None:
    """HTMX and Turbo want 422 with the form's page, and some services know no such name: the right one shows it."""
    report = await probed(guarded(Odd(wrong, HTMX), login=FORM_DOOR, **OPEN))
    ruled = await probed(guarded(Odd(wrong, HTMX), login=f"{FORM_DOOR} success=cookie:session", **OPEN))

    assert (report.result, report.advice) == (
        Result.BLIND,
        f"Write the door in SEKISHO_LOGIN as: {FORM_DOOR} success=cookie:session",
    )
    assert (ruled.result, ruled.advice) == (Result.GOOD, "")


@pytest.mark.parametrize(("wrong", "result"), [(403, Result.UNTOLD), (404, Result.MISSING), (422, Result.UNTOLD)])
async def test_a_refused_request_shows_nothing_by_itself(wrong: int, result: Result) -> None:
    """Without a right log-in, or with one that is refused as well, such an answer is not one to a wrong secret."""
    alone = await probed(guarded(Odd(wrong, HTMX), login=FORM_DOOR, **OPEN), known=None)
    both = await probed(guarded(Odd(wrong, (wrong, [])), login=FORM_DOOR, **OPEN))

    assert (alone.result, both.result) == (result, result)


async def test_too_many_attempts_show_nothing() -> None:
    """An application that counts attempts itself has not looked at the log-in that it answers with 429."""
    report = await probed(guarded(Odd(429, HTMX), login=FORM_DOOR, **OPEN))

    assert report.result is Result.UNTOLD


async def test_a_session_that_scripts_can_read_may_tell() -> None:
    """Some single-page applications keep a token in a readable cookie, and lead to an address with a query."""
    to = [(b"location", b"https://shop.example/ui/?login=success"), (b"set-cookie", b"token=eyJ; Path=/")]
    report = await probed(guarded(Odd(401, (303, to)), login=FORM_DOOR, **OPEN))

    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {FORM_DOOR} success=cookie:token"


async def test_a_readable_cookie_that_is_no_session_is_no_rule() -> None:
    """The token of a form and the language are set by right log-ins, too."""
    to = [
        (b"location", b"https://shop.example/ui/?login=success"),
        (b"set-cookie", b"csrf_token=a; Path=/"),
        (b"set-cookie", b"lang=en; Path=/"),
    ]
    report = await probed(guarded(Odd(401, (303, to)), login=FORM_DOOR, **OPEN))

    assert report.advice.startswith("No rule tells the right log-in, which was answered 303")


async def test_a_password_grant_that_wants_a_client_gets_the_standard_s_rule() -> None:
    """`sekisho check` knows no client of the OAuth server; what a success has, RFC 6749 says."""
    app = Odd(401, (401, [JSON]), b'{"error": "invalid_client"}')
    guessed = await probed(guarded(app, login="POST /o/token/ oauth2", **OPEN))
    ruled = await probed(guarded(app, login="POST /o/token/ oauth2 success=json:access_token", **OPEN))

    wants = (
        "The application refused the right log-in, perhaps as it wants the credentials of an OAuth client as well, "
        "which this command has not"
    )
    door = "POST /o/token/ oauth2 success=json:access_token"
    assert guessed.advice == f"{wants}. Write the door in SEKISHO_LOGIN as: {door}"
    assert ruled.advice == f"{wants}: the rule was not tested"


class Flagged:
    """A log-in that tells in JSON whether it wants a code, with a session and perhaps a flag in either case."""

    def __init__(self, flag: bytes = b"") -> None:
        self._flag = flag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = await read(receive)
        wants = {b"hana": b"false", b"ken": b"true"}
        asked = next((wants[name] for name in wants if name in sent and b"right" in sent), b"")
        if not asked:
            return await answer(send, 400, [JSON], b'{"response": {"errors": ["Invalid password"]}}')
        body = b'{%b"response": {"tf_required": %b, "tf_state": ""}}' % (self._flag, asked)
        return await answer(send, 200, [JSON, SESSION], body)


@pytest.mark.parametrize("flag", [b"", b'"success": true, '])
async def test_a_second_step_that_is_not_asked_for_is_the_rule(flag: bytes) -> None:
    """Neither a session nor a flag is one where the answer that asks for a code has both, as Flask-Security's does."""
    door = "POST /login json:email,password"
    guessed = await probed(guarded(Flagged(flag), login=door, **OPEN))
    ruled = await probed(guarded(Flagged(), login=f"{door} success=json:response.tf_required=false", **OPEN))

    assert guessed.advice == (f"Write the door in SEKISHO_LOGIN as: {door} success=json:response.tf_required=false")
    assert (ruled.result, ruled.advice) == (Result.GOOD, "")


async def test_a_second_step_in_a_wrapper_is_seen() -> None:
    """A rule that believes such a log-in of an account with a second step is reported."""
    door = "POST /login json:email,password"
    report = await probed(guarded(Flagged(), login=f"{door} success=cookie:session", **OPEN), ("ken", "right"))
    ruled = await probed(
        guarded(Flagged(), login=f"{door} success=json:response.tf_required=false", **OPEN), ("ken", "right")
    )

    assert (report.result, ruled.result) == (Result.HALF, Result.STEPPED)
