"""Set-ups that lock owners out or let attackers in, each found by `probe` with the line to write.

`docs/warnings.md` lists all twelve. `tests/doctor` holds the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from sekisho.check import Result
from sekisho.check.answer import TrialAnswer
from tests.asgi.driving import OPEN, answer, guarded, read
from tests.read.test_answers import NAMES, RECORDINGS, pairs, scope_of

if TYPE_CHECKING:
    from sekisho.check import DoorReport

DOOR = "POST /login form:username,password"
KNOWN = ("hana", "right")
Headers = list[tuple[bytes, bytes]]
Shown = tuple[int, Headers, bytes]
JSON = (b"content-type", b"application/json")
SESSION = (b"set-cookie", b"session=abc; Secure; HttpOnly")


def site(right: Shown, wrong: Shown = (401, [], b""), *, cookie: bytes = b"") -> Any:
    """A log-in with these answers. `cookie`: one of its page, without which it answers 403."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            return await answer(send, 200, [(b"set-cookie", b"theme=dark"), (b"set-cookie", cookie or b"a=b")])
        form = dict(parse_qsl((await read(receive)).decode()))
        if cookie not in dict(scope["headers"]).get(b"cookie", b""):
            return await answer(send, 403)
        is_right = (form.get("username"), form.get("password")) == KNOWN
        status, headers, body = right if is_right else wrong
        return await answer(send, status, headers, body)

    return app


async def probed(app: Any, rule: str = "") -> DoorReport:
    (report,) = await guarded(app, login=DOOR + rule, **OPEN).probe(known=KNOWN)
    return report


def number(report: DoorReport) -> str:
    return report.hazard.number if report.hazard is not None else ""


def as_json(tree: object, *headers: tuple[bytes, bytes]) -> Shown:
    return 200, [JSON, *headers], json.dumps(tree).encode()


def to(place: bytes) -> Shown:
    return 303, [(b"location", place), SESSION], b""


WRONG_PAGE: Shown = (303, [(b"location", b"/login")], b"")


@pytest.mark.parametrize("rule", ["", " success=json:access_token"])
async def test_a_204_is_found(rule: str) -> None:
    """A success without a body is recognised by its status alone, which no guess takes for one."""
    report = await probed(site((204, [], b"")), rule)

    assert report.result is Result.BLIND
    assert number(report) == "SEK080"
    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=204"


@pytest.mark.parametrize("rule", ["", " success=json:access_token"])
async def test_a_compressed_answer_is_found(rule: str) -> None:
    """A coding that cannot be unpacked hides success and failure alike."""
    coded = (b"content-encoding", b"compress")
    app = site(as_json({"access_token": "x"}, coded), as_json({"error": "no"}, coded))

    report = await probed(app, rule)

    assert report.result is Result.BLIND
    assert number(report) == "SEK073"
    assert report.advice.startswith("Its answers are compressed in a way that is not read here")


@pytest.mark.parametrize("rule", ["", " success=json:access_token"])
async def test_a_status_that_tells_is_found(rule: str) -> None:
    """JSON about the user and neither token nor session: only the status tells the success."""
    user = 201, [JSON], b'{"name": "hana"}'
    report = await probed(site(user, (401, [JSON], b'{"detail": "Unauthorized"}')), rule)

    assert (report.result, number(report)) == (Result.BLIND, "SEK080")
    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=2xx"


async def test_a_redirect_of_htmx_is_found() -> None:
    """HTMX gets 200 and `HX-Redirect`; a rule for redirects matches that."""
    html = (b"content-type", b"text/html")
    report = await probed(site((200, [html, (b"hx-redirect", b"/home")], b""), (200, [html], b"<form>wrong</form>")))

    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=303:/home"


@pytest.mark.parametrize(
    ("rule", "result", "hazard"),
    [
        ("", Result.BLIND, "SEK080"),
        (" success=cookie:session", Result.HALF, "SEK079"),
        (" success=303!/accounts/2fa", Result.STEPPED, ""),
    ],
)
async def test_a_second_step_is_found(rule: str, result: Result, hazard: str) -> None:
    """A redirect to a second step is no success, though it sets the session; a rule that says so is right."""
    report = await probed(site(to(b"/accounts/2fa?next=/"), WRONG_PAGE), rule)

    assert (report.result, number(report)) == (result, hazard)
    line = f"Write the door in SEKISHO_LOGIN as: {DOOR} success=303!/accounts/2fa"
    assert report.advice == ("" if result is Result.STEPPED else line)


@pytest.mark.parametrize(
    ("rule", "result", "hazard"),
    [
        ("", Result.BLIND, "SEK080"),
        (" success=cookie:session", Result.HALF, "SEK079"),
        (" success=303:/home", Result.STEPPED, ""),
    ],
)
async def test_a_page_that_asks_for_a_code_is_a_second_step(rule: str, result: Result, hazard: str) -> None:
    """django-two-factor-auth shows the form for the code at the path of the password, with 200 as after a wrong one."""
    html, form = (b"content-type", b"text/html"), b"<form method=post><input type=number name=token-otp_token></form>"
    again = b"<form method=post><input name=otp_hint><input type=password name=password></form>"
    report = await probed(site((200, [html, SESSION], form), (200, [html], again)), rule)

    assert (report.result, number(report)) == (result, hazard)
    assert report.advice.startswith("The right log-in is answered by a page that asks for a code") is bool(hazard)


async def test_a_page_about_second_steps_may_be_the_first_of_a_session() -> None:
    """django-two-factor-auth leads a whole log-in to `/account/two_factor/`: the advice has the rule for that, too."""
    report = await probed(site(to(b"/account/two_factor/"), WRONG_PAGE))

    assert report.advice == (
        f"Write the door in SEKISHO_LOGIN as: {DOOR} success=303!/account/two_factor/; "
        f"or, if that page is for users who are logged in, as: {DOOR} success=303:/account/two_factor/"
    )
    chosen = await probed(site(to(b"/account/two_factor/"), WRONG_PAGE), " success=303:/account/two_factor/")
    assert chosen.result is Result.GOOD


@pytest.mark.parametrize(
    ("tree", "is_half"),
    [
        ({"mfa_required": True, "mfa_token": "t"}, True),
        ({"nextStep": "totp", "challenge": "x"}, True),
        ({"mfa_required": False, "id": 7}, False),
        ({"access_token": "eyJ0", "mfa_enabled": True}, False),
        ({"ok": True}, False),
        ([1], False),
    ],
)
async def test_a_second_step_in_json_is_found(tree: object, is_half: bool) -> None:
    """JSON that asks for a second step holds nothing of a whole log-in."""
    report = await probed(site(as_json(tree)), " success=200")

    assert report.result is (Result.HALF if is_half else Result.GOOD)
    assert ("FIELD being what only the answer of a whole log-in has" in report.advice) is is_half


async def test_a_withheld_cookie_is_found() -> None:
    """A cookie that the application's protection wants, and that it does not get behind a step-up."""
    app = site(to(b"/home"), WRONG_PAGE, cookie=b"shop_token=1")

    report = await probed(app, " success=303:/home")
    mended = await probed(app, " success=303:/home cookies=shop_token")

    assert (report.result, number(report)) == (Result.WITHHELD, "SEK071")
    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=303:/home cookies=shop_token"
    assert (mended.result, mended.advice) == (Result.GOOD, "")


def with_form_token(*, cookie: bytes = b"shop_session") -> Any:
    """A site whose form has a token that stands in the session as well; without it, it shows the form again (200)."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        page = (
            b'<form method=post><input type=hidden name=csrf value="t&amp;1"><input type=password name=password></form>'
        )
        if scope["method"] == "GET":
            html, opened = (b"content-type", b"text/html"), (b"set-cookie", cookie + b"=s1; HttpOnly")
            return await answer(send, 200, [html, opened], page)
        form = dict(parse_qsl((await read(receive)).decode()))
        shown = dict(scope["headers"]).get(b"cookie", b"")
        is_right = (form.get("username"), form.get("password")) == KNOWN and form.get("csrf") == "t&1"
        if is_right and cookie + b"=s1" in shown:
            return await answer(send, 200, [(b"set-cookie", b"member=m; HttpOnly")], b"welcome")
        await answer(send, 200, [(b"content-type", b"text/html")], page)
        return None

    return app


async def test_a_token_of_the_form_is_filled_in() -> None:
    """A protection that keeps its token in the session: the check sends what the form has, and names the cookie."""
    report = await probed(with_form_token())
    mended = await probed(with_form_token(), " success=cookie:member cookies=shop_session")

    assert (report.result, number(report)) == (Result.WITHHELD, "SEK071")
    told = f"Write the door in SEKISHO_LOGIN as: {DOOR} success=cookie:member cookies=shop_session"
    assert report.advice == told
    assert (mended.result, mended.known is not None and mended.known.is_believed) == (Result.GOOD, True)


def with_session_for_all(*, wants_session: bool = False, has_code: bool = False) -> Any:
    """A site that begins a session with every page, the form after a wrong password included, as wizards do.

    Its form has a CSRF token, which stands in the cookie `csrftoken`, and the name of its step.
    """
    page = (
        b"<form method=post><input type=hidden name=csrf value=t><input type=hidden name=step value=auth>"
        b"<input type=password name=password></form>"
    )
    html, token = (b"content-type", b"text/html"), (b"set-cookie", b"csrftoken=0123456789abcdef0123456789abcdef")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        shown = dict(scope["headers"]).get(b"cookie", b"")
        opened = [] if b"sessionid=page" in shown else [(b"set-cookie", b"sessionid=page; HttpOnly")]
        if scope["method"] == "GET":
            return await answer(send, 200, [html, token, *opened], page)
        form = dict(parse_qsl((await read(receive)).decode()))
        if b"csrftoken=" not in shown or form.get("csrf") != "t":
            return await answer(send, 403)
        if form.get("step") != "auth" or (wants_session and opened):
            return await answer(send, 400, [html])
        if (form.get("username"), form.get("password")) == KNOWN:
            renewed = (b"set-cookie", b"sessionid=hana; HttpOnly")
            if has_code:
                return await answer(send, 200, [html, renewed], b"<form method=post><input name=otp_token></form>")
            return await answer(send, 302, [(b"location", b"/home"), renewed])
        return await answer(send, 200, [html, *opened], page)

    return app


async def test_a_session_that_a_wrong_log_in_begins_as_well_is_no_rule() -> None:
    """Beside the page's session a wrong password sets none; but a bot brings none, and would be believed each time."""
    report = await probed(with_session_for_all())

    assert (report.result, number(report)) == (Result.GOOD, "SEK010")
    assert report.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=302:/home"


async def test_a_rule_by_such_a_session_is_wrong() -> None:
    """The same without a right log-in: the check sends the hidden fields of the form, which the application wants."""
    rule = " success=cookie:sessionid"
    (report,) = await guarded(with_session_for_all(), login=DOOR + rule, **OPEN).probe()
    known = await probed(with_session_for_all(), rule)

    assert (report.result, number(report)) == (Result.WRONG, "SEK075")
    assert known.result is Result.WRONG
    assert known.advice == f"Write the door in SEKISHO_LOGIN as: {DOOR} success=302:/home"


async def test_a_second_step_behind_the_hidden_fields_is_found() -> None:
    """The application looks at no log-in without its form's hidden fields: with them the page for the code comes."""
    report = await probed(with_session_for_all(has_code=True), " success=302:/home")

    assert (report.result, report.advice) == (Result.STEPPED, "")


async def test_a_form_that_wants_its_session_is_tried_with_it() -> None:
    """Where the log-in is looked at with the page's session alone, the check names that cookie, as before."""
    report = await probed(with_session_for_all(wants_session=True))

    assert (report.result, number(report)) == (Result.WITHHELD, "SEK071")


async def test_a_session_that_is_kept_is_found() -> None:
    """Row C13: the right log-in is by the session that the page began, which `cookies=` must not let through."""
    for login in (" success=303:/home", " success=303:/home cookies=shop_session"):
        report = await probed(keeping_session(), login)
        assert (report.result, number(report)) == (Result.KEPT, "SEK087")
        assert report.advice.startswith("The right log-in keeps the session that the client brought")


def keeping_session() -> Any:
    """A site whose form has a token; a log-in keeps the session that the page began."""
    opened = (b"set-cookie", b"shop_session=s1; HttpOnly")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        page = b"<form method=post><input type=hidden name=csrf value=t><input type=password name=password></form>"
        if scope["method"] == "GET":
            await answer(send, 200, [(b"content-type", b"text/html"), opened], page)
            return
        form = dict(parse_qsl((await read(receive)).decode()))
        is_ours = b"shop_session=s1" in dict(scope["headers"]).get(b"cookie", b"") and form.get("csrf") == "t"
        is_right = (form.get("username"), form.get("password")) == KNOWN
        place = b"/home" if is_ours and is_right else b"/login"
        await answer(send, 303, [(b"location", place), opened])

    return app


async def test_where_no_rule_tells_the_advice_is_no_other_check() -> None:
    """Both log-ins are answered alike: the fields may be wrong, or the application has to tell."""
    report = await probed(site((200, [], b"hello"), (200, [], b"hello")))

    assert (report.result, number(report)) == (Result.BLIND, "SEK080")
    assert report.advice.startswith("No rule tells the right log-in, which was answered 200, from the invented one.")
    assert "sekisho check" not in report.advice


@pytest.mark.parametrize("place", [b"/login/", b"https://localhost/login/"])
async def test_a_router_that_adds_a_slash_is_found(place: bytes) -> None:
    """Django, Starlette and werkzeug redirect a POST of `/login` to `/login/`, and check no secret before."""
    for status in (301, 307, 308):
        report = await probed(site((status, [(b"location", place)], b""), (status, [(b"location", place)], b"")))
        assert report.result is Result.UNTOLD
        assert report.advice == (
            "The application only redirects there: write the door in SEKISHO_LOGIN with the path /login/"
        )
    page = (303, [(b"location", place)], b"")  # what a wrong password may lead to
    assert (await probed(site(to(b"/home"), page))).result is Result.GOOD


async def test_a_403_without_such_a_cookie_tells_nothing() -> None:
    """Where no cookie of the page helps, the cause is another."""
    report = await probed(site((403, [], b""), (403, [], b"")), " success=303:/home")

    assert report.result is Result.UNTOLD


async def test_a_403_that_the_right_log_in_does_not_get_is_one_to_a_wrong_secret() -> None:
    """The two differ in name and secret alone, so the application looked at them: then the rule fits no answer."""
    report = await probed(site((303, [], b""), (403, [], b"")), " success=303:/home")

    assert report.result is Result.BLIND


@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_only_a_second_step_of_a_real_library_is_one(recording: dict[str, Any]) -> None:
    """Of real libraries' answers only those to a log-in with a second step are taken for one."""
    told = {
        each["situation"]: TrialAnswer(
            each["status"], pairs(each["headers"]), scope_of(each), b"", each["body"].encode()
        ).asks_for_more
        for each in recording["answers"]
    }

    assert told == {situation: situation == "second_step" for situation in told}


@pytest.mark.parametrize(
    ("flags", "expected"), [(b"; Secure", "SEK060"), (b"; HttpOnly", "SEK058"), (b"; Secure; HttpOnly", "")]
)
async def test_a_session_cookie_without_flags_is_found(flags: bytes, expected: str) -> None:
    """The doctor logs nobody in: only the right log-in shows the session's own cookie."""
    right = 303, [(b"location", b"/home"), (b"set-cookie", b"session=abc" + flags)], b""

    report = await probed(site(right, WRONG_PAGE), " success=303:/home")

    assert (report.result, number(report)) == (Result.GOOD, expected)
    assert ("Set-Cookie: session=…; Secure; HttpOnly; SameSite=Lax" in report.advice) is bool(expected)
