"""What an application's answer proves, and what it does not."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Door, DoorKind, Encoding, Outcome
from sekisho.read import from_body, from_start, why_unknown
from sekisho.settings.doors import parse_doors
from tests.read.making import door

YES, NO, PERHAPS, BODY = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN, None
DOOR = door()
SESSION = (b"set-cookie", b"session=abc; Path=/; HttpOnly")
JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html; charset=utf-8")


def asked(*headers: tuple[bytes, bytes], query: bytes = b"", path: str = "/login") -> dict[str, Any]:
    """The request whose answer is judged."""
    return {"path": path, "query_string": query, "headers": [(b"host", b"shop.example"), *headers]}


def to(location: str) -> tuple[bytes, bytes]:
    return b"location", location.encode()


def ruled(text: str) -> Door:
    """A log-in door with these rules, in the settings' notation."""
    (found,) = parse_doors(DoorKind.LOGIN, f"POST /login {text}", "SEKISHO_LOGIN")
    return found


def sets(cookie: str) -> tuple[bytes, bytes]:
    return b"set-cookie", cookie.encode()


@pytest.mark.parametrize(
    ("expected", "value", "scope"),
    [
        (Outcome.SUCCEEDED, b"Bearer eyJ0.eyJz.c2ln", asked()),
        (Outcome.UNKNOWN, b"Bearer ", asked()),
        (Outcome.UNKNOWN, b"Basic eyJ0", asked()),
        # An application that sends back what the client sent confirms nothing.
        (Outcome.UNKNOWN, b"Bearer eyJ0", asked((b"authorization", b"Bearer eyJ0"))),
    ],
)
def test_a_token_in_a_header_is_one(expected: Outcome, value: bytes, scope: dict[str, Any]) -> None:
    """Litestar's `JWTAuth` answers with its token in `Authorization`, and with JSON about the user."""
    headers = [(b"content-type", b"application/json"), (b"authorization", value)]

    assert from_body(DOOR, 201, b'{"name": "hana"}', headers, scope) is expected


@pytest.mark.parametrize(
    ("expected", "status", "headers"),
    [
        (NO, 400, [SESSION]),
        (NO, 401, [SESSION, JSON]),
        (NO, 429, []),
        (NO, 500, [SESSION]),
        (NO, 503, []),
        (PERHAPS, 200, []),
        (PERHAPS, 200, [SESSION]),  # a form shown again sets cookies, too
        (PERHAPS, 200, [HTML, SESSION]),
        (YES, 204, [SESSION]),  # no page that could be the form again: fastapi-users with cookies
        (YES, 204, [sets("fastapiusersauth=x; HttpOnly")]),
        (PERHAPS, 204, []),
        (PERHAPS, 204, [sets("session=abc")]),
        (PERHAPS, 204, [sets("csrftoken=abc; HttpOnly")]),
        (BODY, 200, [JSON]),
        (BODY, 201, [(b"content-type", b"application/vnd.x+json; charset=utf-8"), SESSION]),
        (BODY, 200, [JSON, (b"content-encoding", b"gzip"), SESSION]),
        (YES, 302, [to("/home"), SESSION]),
        (YES, 303, [to("/account/"), SESSION]),
        (YES, 302, [to("https://shop.example/account"), SESSION]),
        (YES, 302, [to("https://SHOP.example:443/account"), SESSION]),
        (YES, 301, [to("home"), SESSION]),
        (YES, 302, [to("/admin/auth/user/"), SESSION]),  # row 4.21: a word within another, or within a path
        (YES, 302, [to("/barcodes"), SESSION]),
        (YES, 302, [to("/authors"), SESSION]),
        (YES, 302, [to("/blocks/clock"), SESSION]),
        (PERHAPS, 302, [to("/home")]),
        (PERHAPS, 302, [SESSION]),
        (PERHAPS, 302, [to(""), SESSION]),
        (PERHAPS, 302, [to("/"), SESSION]),  # where a message is shown, such as *welcome* or *wrong password*
        (PERHAPS, 302, [to("https://shop.example"), SESSION]),
        (PERHAPS, 302, [to("/home/.."), SESSION]),
        (PERHAPS, 302, [to("/login"), SESSION]),  # row 65: 302 both ways
        (PERHAPS, 302, [to("/Login/?next=/"), SESSION]),
        (PERHAPS, 302, [to("?e=1"), SESSION]),
        (PERHAPS, 302, [to("//shop.example/login"), SESSION]),
        (PERHAPS, 302, [to("./login/two"), SESSION]),
        (PERHAPS, 302, [to("/home/../login"), SESSION]),
        (PERHAPS, 302, [to("/home/%2e%2e/login"), SESSION]),
        (PERHAPS, 302, [to("/error"), SESSION]),  # R5
        (PERHAPS, 302, [to("/home?error=1"), SESSION]),
        (PERHAPS, 302, [to("/home?x=y"), SESSION]),  # a query may hold any text, in any language
        (PERHAPS, 302, [to("/home#failed"), SESSION]),
        (PERHAPS, 302, [to("/account/verify-otp"), SESSION]),
        (PERHAPS, 302, [to("/account/verifyOtp"), SESSION]),
        (PERHAPS, 302, [to("/accounts/2fa/authenticate/"), SESSION]),
        (PERHAPS, 302, [to("/accounts/inactive/"), SESSION]),
        (PERHAPS, 302, [to("/accounts/confirm-email/"), SESSION]),
        (PERHAPS, 302, [to("/password/change"), SESSION]),
        (PERHAPS, 302, [to("/ログイン失敗"), SESSION]),
        (PERHAPS, 302, [to("/%E3%82%A8%E3%83%A9%E3%83%BC"), SESSION]),
        (PERHAPS, 302, [to("/2fa"), SESSION]),
        (PERHAPS, 302, [to("/signin"), SESSION]),
        (PERHAPS, 302, [to("/auth"), SESSION]),
        (PERHAPS, 302, [to("/sign-in/next"), SESSION]),
        (PERHAPS, 302, [to("http://[x/home"), SESSION]),
        (PERHAPS, 302, [to("https://elsewhere.example/home"), SESSION]),
        (PERHAPS, 302, [to("//elsewhere.example/home"), SESSION]),
        (PERHAPS, 302, [to("/\\elsewhere.example/home"), SESSION]),
        (PERHAPS, 302, [to("javascript:alert(1)"), SESSION]),
        (PERHAPS, 307, [to("/home"), SESSION]),
        (PERHAPS, 308, [to("/home"), SESSION]),
        (PERHAPS, 304, [to("/home"), SESSION]),
        (PERHAPS, 302, [to("/home"), sets("session=abc; Path=/")]),
        (PERHAPS, 302, [to("/home"), sets("session=; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets('session=""; HttpOnly')]),
        (PERHAPS, 302, [to("/home"), sets("session=x; HttpOnly; Max-Age=0")]),
        (PERHAPS, 302, [to("/home"), sets('session=x; HttpOnly; Max-Age="0"')]),
        (PERHAPS, 302, [to("/home"), sets("session=x; HttpOnly; max-age=-1")]),
        (PERHAPS, 302, [to("/home"), sets("session=x; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:00 GMT")]),
        (PERHAPS, 302, [to("/home"), sets("session=x; HttpOnly; Expires=Thursday, 01-Jan-70 00:00:00 GMT")]),
        (PERHAPS, 302, [to("/home"), sets("session=deleted; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("session=0; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("csrf_token=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("messages=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("flash=wrong; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("notice=wrong; HttpOnly")]),  # not a session's name
        (PERHAPS, 302, [to("/home"), sets("pending_session=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("guest_session=x; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("session; HttpOnly")]),
        (PERHAPS, 302, [to("/home"), sets("s=x; HttpOnly")]),
        (YES, 302, [to("/home"), sets("a=b"), (b"Set-Cookie", b"sid=x;httponly;Max-Age=3600")]),
        (YES, 302, [to("/home"), sets("sid=x; HttpOnly; Expires=Thu, 01 Jan 2099 00:00:00 GMT")]),
        (YES, 302, [to("/home"), sets("__Secure-next-auth.session-token=x; HttpOnly")]),
        (PERHAPS, 101, [SESSION]),
    ],
)
def test_the_cautious_default(expected: Outcome | None, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """Rows 64, 65, 4.21, R5: an ambiguous answer counts as no success."""
    assert from_start(DOOR, status, headers, asked()) is expected


def flask(data: dict[str, Any]) -> str:
    """A session as Flask and Starlette sign it, readable by anyone."""
    return urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=") + ".Zx.sig"


@pytest.mark.parametrize(
    ("expected", "location", "request_", "sent"),
    [
        (YES, "/home", asked(), b"username=hana&password=x"),
        (YES, "/home", asked((b"referer", b"https://shop.example/login")), b"username=home&password=x"),
        (YES, "/home", asked((b"origin", b"https://shop.example"), (b"cookie", b"theme=dark")), b""),
        (PERHAPS, "/home", asked((b"referer", b"https://shop.example/home")), b""),
        (PERHAPS, "/home", asked((b"referer", b"https://shop.example/home/?tab=2")), b""),
        (PERHAPS, "/a/b", asked((b"referer", b"https://elsewhere.example/a/x/../b")), b""),
        (PERHAPS, "/home", asked((b"hx-current-url", b"https://shop.example/home")), b""),
        (PERHAPS, "/home", asked(query=b"next=/home"), b""),
        (PERHAPS, "/home", asked(query=b"next=%2Fhome"), b""),
        (PERHAPS, "/home", asked(query=b"next=%252Fhome"), b""),
        (PERHAPS, "/home", asked(query=b"next=%2F%68ome"), b""),
        (PERHAPS, "/home", asked(query=b"next=https%3A%2F%2Fshop.example%2Fhome"), b""),
        (PERHAPS, "/home", asked(query=b"next=home"), b""),
        (PERHAPS, "/home", asked(query=b"a=1&u=/HOME/"), b""),
        (PERHAPS, "/home", asked(), b"username=hana&password=x&next=%2Fhome"),
        (PERHAPS, "/home", asked(), b"username=hana&password=x&next=%252fhome"),
        (PERHAPS, "/home", asked(), b"username=hana&password=x&next=\\home"),  # browsers read it as a slash
        (PERHAPS, "/home", asked(), b"username=hana&password=x&next=%5Chome"),
        (PERHAPS, "/tea", asked(query=b"next=.", path="/tea/login"), b""),
        (PERHAPS, "/tea", asked(query=b"next=..%2f", path="/tea/x/login"), b""),
        (PERHAPS, "/", asked(query=b"next=..", path="/tea/login"), b""),
        (PERHAPS, "/a", asked(query=b"next=.", path="/x/../a/login"), b""),
        (YES, "/tea", asked(query=b"next=login", path="/tea/login"), b"username=tea%40mail.example&password=.."),
        (PERHAPS, "/home", asked((b"content-type", b"application/json")), b'{"next": "/home"}'),
        (PERHAPS, "/home", asked((b"content-type", b"application/json")), b'{"next": "\\/home"}'),
        (PERHAPS, "/home", asked((b"content-type", b"application/json")), b'{"next": "\\u002f\\u0068ome"}'),
        (PERHAPS, "/home", asked(), b'--x\r\nContent-Disposition: form-data; name="next"\r\n\r\n/home\r\n--x--'),
        (PERHAPS, "/home", asked((b"cookie", b"theme=dark; return_to=/home")), b""),
        (PERHAPS, "/home", asked((b"cookie", b"theme=dark"), (b"cookie", b'return_to="%2Fhome"')), b""),
        (PERHAPS, "/home", asked((b"content-encoding", b"gzip")), b"\x1f\x8b"),  # its target cannot be seen
    ],
)
def test_a_place_that_the_client_names_proves_nothing(
    expected: Outcome, location: str, request_: dict[str, Any], sent: bytes
) -> None:
    """Row 2.3: a redirect to where the client came from proves nothing: the client chose it."""
    assert from_start(DOOR, 302, [to(location), SESSION], request_, sent) is expected


def asks_for(text: bytes) -> dict[str, Any]:
    """A request with this text at each place that may name where a redirect leads."""
    return {**asked((b"referer", text), (b"cookie", b"c=" + text)), "query_string": b"next=" + text}


@pytest.mark.parametrize(
    "named",
    [b"/home", b"%2Fhome", b"%252fHome", b"\\/home", b"\\u002fhome", b"/x/../home", b"https://x/home", b"//x/home?a=b"],
)
def test_a_place_is_found_among_many(named: bytes) -> None:
    """Row 2.3: a place that the client names is found among thirty others, in any spelling."""
    many = b",".join([b"/other/%d" % number for number in range(30)] + [named])
    for request, sent in ((asks_for(many), b""), (asked(), b"next=" + many)):
        assert from_start(DOOR, 302, [to("/home"), SESSION], request, sent) is PERHAPS


@pytest.mark.parametrize("text", [b"/%,", b"/home%,", b"%2f%25,", b"//[home,", b"\\u002f", b"a,%"])
def test_a_request_that_takes_long_to_search_proves_nothing(text: bytes) -> None:
    """Row 128: resolving each of 20,000 parts once took a quarter of a second; such a text counts as naming a place."""
    many = (text * 40_000)[:60_000]
    for request, sent in ((asks_for(many), b""), (asked(), b"next=" + many)):
        assert from_start(DOOR, 302, [to("/home"), SESSION], request, sent) is PERHAPS


@pytest.mark.parametrize(
    ("expected", "cookie"),
    [
        (YES, b"theme=dark"),
        (PERHAPS, b"session=xyz"),
        (PERHAPS, b"theme=dark; session=xyz"),
        (PERHAPS, b'theme="a session=xyz"'),  # some parsers split cookies at blanks
        (PERHAPS, b"session = xyz"),
    ],
)
def test_a_session_that_is_renewed_proves_nothing(expected: Outcome, cookie: bytes) -> None:
    """Row 2.3: a renewed session that the client sent proves nothing: many applications renew with every answer."""
    request = asked((b"cookie", cookie))
    assert from_start(DOOR, 302, [to("/home"), SESSION], request) is expected
    assert from_start(DOOR, 204, [SESSION], request) is expected
    assert from_body(DOOR, 200, b'{"user":"hana"}', [JSON, SESSION], request) is expected


def test_a_session_with_a_message_for_the_next_page_proves_nothing() -> None:
    """Row 2.3: a session with a message for the next page proves nothing: it may say *wrong password*."""
    welcome, flash = flask({"user": 7}), flask({"_flashes": [["error", "wrong password"]]})
    assert from_start(DOOR, 302, [to("/home"), sets(f"session={welcome}; HttpOnly")], asked()) is YES
    assert from_start(DOOR, 302, [to("/home"), sets(f"session={flash}; HttpOnly")], asked()) is PERHAPS


def test_a_token_that_the_client_sent_proves_nothing() -> None:
    """Row 2.3: an answer that repeats a token of the request proves nothing."""
    sent = b'{"username": "hana", "token": "mine"}'
    assert from_body(DOOR, 200, b'{"token": "mine"}', [JSON], asked(), sent) is PERHAPS
    assert from_body(DOOR, 200, b'{"token": "ours"}', [JSON], asked(), sent) is YES
    brought = asked((b"authorization", b"Bearer mine"))
    assert from_body(DOOR, 200, b'{"token": "mine"}', [JSON], brought) is PERHAPS


@pytest.mark.parametrize(
    ("sent", "request_", "token"),
    [
        (b'{"token": "\\u006dine"}', asked(), "mine"),
        (b'{"inner": "{\\"token\\": \\"\\\\u006dine\\"}"}', asked(), "mine"),
        (b'{"token": "\\ud83d\\ude00"}', asked(), "😀"),
        (b'{"token": "a\\"b\\/c"}', asked(), 'a"b/c'),
        (b'{"token": " MINE "}', asked(), "mine"),
        (b"token=%6dine", asked(), "mine"),
        (b"token=my+own", asked(), "my own"),
        (b"token=%256dine", asked(), "mine"),
        (b"all=%7b%22token%22:%22%5cu006dine%22%7d", asked(), "mine"),
        (b"token=%ff" + b"%41" * 3_000, asked(), "never sent"),
        (b"", asked(query=b"token=%6dine"), "mine"),
        (b"", asked(path="/login/mine"), "mine"),
        (b"", asked((b"x-token", b"%6dine")), "mine"),
        (b"", asked((b"x-token", "né".encode("latin-1"))), "né"),
        (b"packed", asked((b"content-encoding", b"gzip")), "never seen"),
        ("ﷺ".encode() * 1_000, asked(), "never sent"),  # each folds into eighteen characters
    ],
)
def test_a_token_that_the_client_spelled_otherwise_proves_nothing(
    sent: bytes, request_: dict[str, Any], token: str
) -> None:
    """Row 2.3: an application that echoes what it decoded confirms what the client wrote."""
    said = json.dumps({"token": token}).encode()
    assert from_body(DOOR, 200, said, [JSON], request_, sent) is PERHAPS
    assert from_body(DOOR, 200, said, [JSON], asked(), b"token=%6dineral&other=%5cu006d") is YES


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (YES, {"access_token": "x", "token_type": "bearer", "expires_in": 3600}),
        (YES, {"accessToken": "x"}),
        (YES, {"ok": True, "token": "x", "error": None, "mfa_required": False}),
        (YES, {"data": {"jwt": "x", "user": {"name": "a"}}}),
        (YES, {"session": "x", "message": "Login successful"}),
        (YES, {"code": 0, "data": {"token": "x"}, "errors": []}),
        (YES, {"code": 200, "token": "x", "errorCode": 0, "error": ""}),
        (YES, {"token": "x", "user": {"name": "Kim Ng", "bio": "Not bad, no barcodes", "author": True}}),
        (YES, {"access": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.abc123", "refresh": "y"}),
        (YES, {"status": "成功", "token": "x"}),
        (PERHAPS, {"ok": False}),  # R5
        (PERHAPS, {"ok": False, "token": "x"}),
        (PERHAPS, {"ok": 0, "token": "x"}),
        (PERHAPS, {"ok": "no", "token": "x"}),
        (PERHAPS, {"success": "false", "token": "x"}),
        (PERHAPS, {"success": None, "token": "x"}),
        (PERHAPS, {"status": "ng", "token": "x"}),
        (PERHAPS, {"result": "NG", "token": "x"}),
        (PERHAPS, {"result": {"status": "NG"}, "token": "x"}),
        (PERHAPS, {"status": False, "token": "x"}),
        (PERHAPS, {"status": 401, "token": "x"}),
        (PERHAPS, {"statusCode": 403, "token": "x"}),
        (PERHAPS, {"code": 401, "token": "x"}),
        (PERHAPS, {"code": "401", "token": "x"}),
        (PERHAPS, {"code": 1001, "token": "x"}),
        (PERHAPS, {"code": "E_BAD_CREDENTIALS", "token": "x"}),
        (PERHAPS, {"login": False, "token": "x"}),
        (PERHAPS, {"loggedIn": False, "token": "x"}),
        (PERHAPS, {"isLoggedIn": 0, "token": "x"}),
        (PERHAPS, {"user": None, "token": "x"}),
        (PERHAPS, {"user": {}, "token": "x"}),
        (PERHAPS, {"user": {"is_active": False}, "token": "x"}),
        (PERHAPS, {"mfa_required": True, "token": "x"}),
        (PERHAPS, {"token": "x", "user": {"requires2fa": True}}),
        (PERHAPS, {"token": "x", "user": {"requires2FA": True}}),
        (PERHAPS, {"token": "x", "twoFactorEnabled": True}),
        (PERHAPS, {"token": "x", "next": "totp", "step": "mfa"}),
        (PERHAPS, {"token": "x", "scope": "login:2fa"}),
        (PERHAPS, {"token": "x", "token_type": "mfa"}),
        (PERHAPS, {"mfa_token": "x"}),
        (PERHAPS, {"token": "x", "challenge": "y"}),
        (PERHAPS, {"error": "bad", "access_token": "x"}),
        (PERHAPS, {"errormessage": "bad", "access_token": "x"}),
        (PERHAPS, {"loginfailed": True, "access_token": "x"}),
        (PERHAPS, {"errors": [{"m": 1}], "access_token": "x"}),
        (PERHAPS, {"data": {"nested": [{"errors": ["x"]}]}, "access_token": "x"}),
        (PERHAPS, {"status": "error", "token": "x"}),
        (PERHAPS, {"message": "Wrong password", "token": "x"}),
        (PERHAPS, {"message": "Account not found", "token": "x"}),
        (PERHAPS, {"note": "Your password could not be matched, try again", "token": "x"}),
        (PERHAPS, {"message": "パスワードが間違っています", "token": "x"}),
        (PERHAPS, {"message": "ログインに失敗しました", "token": "x"}),
        (PERHAPS, {"お知らせ": "IDまたはパスワードが正しくありません", "token": "x"}),
        (PERHAPS, {"message": "確認コードを送信しました", "token": "x"}),
        (PERHAPS, {"result": "エラー", "token": "x"}),
        (PERHAPS, {"status": "アカウントがロックされています", "token": "x"}),
        (PERHAPS, {"token": "expired"}),
        (PERHAPS, {"session": "none"}),
        (PERHAPS, {"access": "denied"}),
        (PERHAPS, {"key": "auth.bad_credentials"}),
        (PERHAPS, {"token": ""}),
        (PERHAPS, {"token": None}),
        (PERHAPS, {"token": True}),
        (PERHAPS, {"csrf_token": "x"}),
        (PERHAPS, {"user": {"token": "x"}}),
        (PERHAPS, {"token": "x", "many": list(range(300)), "ok": False}),  # beyond the depth that is read
        (PERHAPS, {}),
        (PERHAPS, ["token"]),
        (PERHAPS, "token"),
    ],
)
def test_bodies_without_a_rule(expected: Outcome, body: Any) -> None:
    """Row 2.5: a token without any sign of a second step or failure, in English or Japanese, is a success."""
    assert from_body(DOOR, 200, json.dumps(body).encode(), [JSON], asked()) is expected
    assert from_body(DOOR, 401, json.dumps(body).encode(), [JSON], asked()) is PERHAPS


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (YES, {"user": "a"}),
        (YES, {"name": "Hana"}),
        (YES, {"ok": True}),
        (YES, {"status": "ok"}),
        (YES, {"message": "ログインしました"}),
        (YES, {"id": 7, "email": "hana@example.org"}),
        (PERHAPS, {}),
        (PERHAPS, {"ok": False}),
        (PERHAPS, {"status": "ng"}),
        (PERHAPS, {"result": "NG"}),
        (PERHAPS, {"login": False}),
        (PERHAPS, {"user": None}),
        (PERHAPS, {"something": "else"}),  # no evidence for it
        (PERHAPS, {"csrf": "x"}),
    ],
)
def test_a_session_cookie_beside_json(expected: Outcome, body: Any) -> None:
    """A new session cookie counts like a token, if the answer also says that a user is logged in."""
    text = json.dumps(body).encode()
    assert from_body(DOOR, 200, text, [JSON, SESSION], asked()) is expected
    assert from_body(DOOR, 200, text, [JSON], asked()) is PERHAPS


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"token":"x"', b"9" * 5_000])
def test_bodies_that_are_cut_or_broken_prove_nothing(body: bytes) -> None:
    """Row 64: a cut or broken body proves nothing, with a rule or without."""
    assert from_body(DOOR, 200, body, [JSON], asked()) is PERHAPS
    assert from_body(ruled("success=json:data.token"), 200, body, [JSON], asked()) is PERHAPS


JSON_RULE, COOKIE_RULE, HOME_RULE = "success=json:data.token", "success=cookie:sid", "success=302:/home"


@pytest.mark.parametrize(
    ("expected", "rule", "status", "headers"),
    [
        (YES, HOME_RULE, 302, [to("/home")]),
        (YES, HOME_RULE, 302, [to("/home/")]),
        (YES, HOME_RULE, 302, [to("/home/x")]),
        (YES, HOME_RULE, 302, [to("https://shop.example/home/x")]),
        (NO, HOME_RULE, 302, [to("/homeless")]),
        (NO, HOME_RULE, 302, [to("/Home")]),
        (NO, HOME_RULE, 302, [to("/login?next=/home")]),
        (NO, HOME_RULE, 302, [to("https://home/")]),
        (NO, HOME_RULE, 302, [to("/home/../login")]),
        (NO, HOME_RULE, 302, [to("https://shop.example/home/../login")]),
        (NO, HOME_RULE, 302, [to("/home/%2e%2e/login")]),
        (PERHAPS, HOME_RULE, 302, [to("/home?login=failed")]),  # row 2.4
        (PERHAPS, HOME_RULE, 302, [to("/home/?a=b")]),
        (PERHAPS, HOME_RULE, 302, [to("/home#failed")]),
        (PERHAPS, HOME_RULE, 302, [to("/home/login-failed")]),
        (PERHAPS, HOME_RULE, 302, [to("https://elsewhere.example/home")]),
        (PERHAPS, HOME_RULE, 302, [to("//elsewhere.example/home")]),
        (PERHAPS, HOME_RULE, 302, [to("/\\elsewhere.example/home")]),
        (PERHAPS, HOME_RULE, 302, [to("https://shop.example@elsewhere.example/home")]),
        (PERHAPS, HOME_RULE, 302, [to("https://shop.example.elsewhere.example/home")]),
        (NO, HOME_RULE, 302, []),
        (NO, HOME_RULE, 303, [to("/home")]),
        (NO, HOME_RULE, 200, [SESSION]),
        (YES, "success=302:https://app.example/home", 302, [to("https://app.example/home")]),
        (PERHAPS, "success=302:https://app.example/home", 302, [to("/home")]),
        (PERHAPS, "success=302:https://app.example/home", 302, [to("https://elsewhere.example/home")]),
        (YES, "success=2xx", 204, []),
        (NO, "success=2xx", 302, [to("/home"), SESSION]),
        (YES, "success=302:/", 302, [to("/")]),
        (YES, "success=302:/", 302, [to("https://shop.example")]),
        (NO, "success=302:/", 302, [to("/login?error")]),
        (PERHAPS, "success=302:/", 302, [to("/?error=1")]),
        (YES, "success=302:/?in=", 302, [to("/?in=1")]),
        (YES, "success=302:/?in=1&a=", 302, [to("/?a=b&in=1")]),
        (PERHAPS, "success=302:/?in=", 302, [to("/?error=1")]),
        (PERHAPS, "success=302:/?in=", 302, [to("/?in=1&error=1")]),
        (PERHAPS, "success=302:/?in=1", 302, [to("/?in=10")]),
        (PERHAPS, "success=302:/?in=", 302, [to("/")]),
        (YES, COOKIE_RULE, 200, [sets("sid=1")]),
        (NO, COOKIE_RULE, 200, [sets("sid=; Max-Age=0")]),
        (NO, COOKIE_RULE, 200, [sets("Sid=1; HttpOnly")]),
        (NO, COOKIE_RULE, 401, [sets("sid=1")]),
        (BODY, JSON_RULE, 200, [JSON]),
        (BODY, JSON_RULE, 200, [JSON, (b"content-encoding", b"br")]),
        (NO, JSON_RULE, 200, [HTML, SESSION]),
        (NO, JSON_RULE, 200, []),
        (PERHAPS, JSON_RULE, 200, [(b"content-type", b"application/msgpack")]),
        (NO, JSON_RULE, 401, [JSON]),
        # Row 4.20: to any place but this door, and not back.
        (YES, "success=302!/accounts/2fa,/accounts/inactive", 302, [to("/accounts/profile/")]),
        (YES, "success=302!/accounts/2fa", 302, [to("/?x=y")]),
        (YES, "success=302!/accounts/2fa", 302, [to("/accounts/2fast")]),
        (NO, "success=302!/accounts/2fa", 302, [to("/accounts/2fa/authenticate/")]),
        (NO, "success=302!/accounts/2fa,/accounts/inactive", 302, [to("/accounts/inactive/")]),
        (NO, "success=302!/accounts/2fa", 302, [to("/x/../accounts/2FA/")]),
        (NO, "success=302!/accounts/2fa", 302, [to("/login?failed=1")]),
        (NO, "success=302!/accounts/2fa", 302, []),
        (NO, "success=302!/accounts/2fa", 200, [HTML]),
        (PERHAPS, "success=302!/accounts/2fa", 302, [to("https://elsewhere.example/")]),
        # Row 2.7: Basic doors.
        (NO, "basic success=!401,403", 401, []),
        (NO, "basic success=!401,403", 403, []),
        (YES, "basic success=!401,403", 200, []),
        (YES, "basic success=!401,403", 207, []),
        (YES, "basic success=!401,403", 304, []),
        (PERHAPS, "basic success=!401,403", 301, [to("/dav/")]),  # a router adds the slash
        (PERHAPS, "basic success=!401,403", 307, [to("/dav/")]),
        (PERHAPS, "basic success=!401,403", 404, []),  # a path that the router lacks
        (PERHAPS, "basic success=!401,403", 409, []),
        (PERHAPS, "basic success=!401,403", 412, []),
        (PERHAPS, "basic success=!401,403", 400, []),  # before the secret was checked, as far as is known
        (PERHAPS, "basic success=!401,403", 405, []),
        (PERHAPS, "basic success=!401,403", 429, []),
        (PERHAPS, "basic success=!401,403", 500, []),
        (PERHAPS, "basic success=!401,403", 503, []),
        (PERHAPS, "basic success=!401,403", 101, []),
    ],
)
def test_a_rule_decides_alone(
    expected: Outcome | None, rule: str, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    """Rows 2.4, 2.7, 4.20: a match is a success, and any other whole answer a failure."""
    assert from_start(ruled(rule), status, headers, asked()) is expected


@pytest.mark.parametrize(
    ("expected", "rule", "location", "request_"),
    [
        (YES, HOME_RULE, "/home", asked((b"referer", b"https://shop.example/login"))),
        (PERHAPS, HOME_RULE, "/home", asked((b"referer", b"https://shop.example/home"))),
        (PERHAPS, HOME_RULE, "/home/mine", asked((b"referer", b"https://shop.example/home/mine"))),
        (PERHAPS, HOME_RULE, "/home", asked(query=b"next=/home")),
        (PERHAPS, HOME_RULE, "/home", asked((b"cookie", b"back=/home"))),
        (PERHAPS, "success=302!/2fa", "/home", asked((b"referer", b"https://shop.example/home"))),
        (PERHAPS, "success=302!/2fa", "/home", asked((b"cookie", b"session=abc"), query=b"next=/home")),
        (YES, "success=302!/2fa", "/home", asked((b"cookie", b"session=before"), query=b"next=/home")),
    ],
)
def test_no_rule_believes_a_place_that_the_client_names(
    expected: Outcome, rule: str, location: str, request_: dict[str, Any]
) -> None:
    """Row 2.3: rules do not believe a client's redirect target, unless the rule tells failures and the session is
    new.
    """
    assert from_start(ruled(rule), 302, [to(location), SESSION], request_) is expected


def test_a_rule_for_a_cookie_does_not_believe_the_clients_own() -> None:
    """Row 2.3: a cookie rule does not accept the value that the client already had."""
    answer = [sets("sid=new; HttpOnly")]
    assert from_start(ruled(COOKIE_RULE), 200, answer, asked((b"cookie", b"sid=old"))) is YES
    assert from_start(ruled(COOKIE_RULE), 200, answer, asked((b"cookie", b"a=b; sid=new"))) is PERHAPS


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (NO, ["sid=new; HttpOnly", "sid=; Max-Age=0"]),
        (
            NO,
            [
                "sid=new; Path=/; Domain=.shop.example",
                "sid=x; Domain=SHOP.example; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ],
        ),
        (YES, ["sid=; Max-Age=0", "sid=new; HttpOnly"]),
        (YES, ["sid=new; Path=/", "sid=; Path=/old; Max-Age=0"]),
        (YES, ["sid=new", "sid=; Domain=shop.example; Max-Age=0"]),
    ],
)
def test_a_session_that_the_same_answer_deletes_is_none(expected: Outcome, lines: list[str]) -> None:
    """Row A13: a browser keeps the last line of a name, domain and path."""
    assert from_start(ruled(COOKIE_RULE), 200, [sets(line) for line in lines], asked()) is expected
    guessed = [to("/home"), *[sets(f"{line.replace('sid', 'session', 1)}; HttpOnly") for line in lines]]
    assert (from_start(DOOR, 302, guessed, asked()) is YES) is (expected is YES)


@pytest.mark.parametrize(
    "more",
    [
        {"message": "ユーザーIDまたはパスワードが違います"},
        {"message": "ログイン情報が異なります"},
        {"mensaje": "Contraseña incorrecta"},
        {"message": "Mot de passe invalide"},
        {"nachricht": "Falsches Passwort"},
        {"msg": "用户名或密码错误"},
        {"error_text": "비밀번호가 틀렸습니다"},
        {"info": "Неверный пароль"},
        {"info": "Sai mật khẩu"},
        {"errno": 1},
        {"errcode": 40_001},
        {"ret": -1},
        {"user": {"isAnonymous": True}},
        {"role": "guest"},
        {"scope": "anonymous"},
        {"attemptsLeft": 3},
        {"redirect": "/login?next=/"},
        {"url": "/session/new"},
    ],
)
def test_a_token_beside_a_failure_proves_nothing(more: dict[str, Any]) -> None:
    """Row 2.5: failures in other languages, by number, for guests, or with the way back to the log-in."""
    tree = {"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnopqrstuvwxyz012345"}
    request = asked()
    assert from_body(DOOR, 200, json.dumps(tree).encode(), [JSON], request) is YES
    assert from_body(DOOR, 200, json.dumps(tree | more).encode(), [JSON], request) is PERHAPS


@pytest.mark.parametrize(
    "more",
    [{"errno": 0}, {"ret": 0}, {"role": "member"}, {"isGuest": False}, {"attempts": 0}, {"redirect": "/home"},
     {"name": "José Falcão"}, {"message": "Bienvenue"}, {"greeting": "欢迎"}],
)  # fmt: skip
def test_a_token_beside_plain_facts_is_one(more: dict[str, Any]) -> None:
    """Zeros, members and greetings leave a log-in what it is."""
    tree = {"token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnopqrstuvwxyz012345"}
    assert from_body(DOOR, 200, json.dumps(tree | more).encode(), [JSON], asked()) is YES


@pytest.mark.parametrize(
    "place",
    ["/ログイン", "/%E3%83%AD%E3%82%B0%E3%82%A4%E3%83%B3", "/session/new", "/anmelden", "/iniciar-sesion", "/try-again",
     "/error/403", "/entrar", "/oops"],
)  # fmt: skip
def test_a_redirect_to_a_log_in_in_other_words_proves_nothing(place: str) -> None:
    """Row 2.5: log-in pages and failures in other languages, Rails' `/session/new`, pages of a status."""
    request = asked(path="/do/auth")
    assert from_start(DOOR, 302, [to(place), SESSION], request) is PERHAPS
    assert from_start(DOOR, 302, [to("/session/list"), SESSION], request) is YES


@pytest.mark.parametrize("name", [b"hx-redirect", b"HX-Location"])
@pytest.mark.parametrize("status", [200, 204])
def test_a_redirect_of_htmx_is_one(name: bytes, status: int) -> None:
    """HTMX cannot see a redirect's status, so applications send its target in a header of its own."""
    home, again = (name, b"/home"), (name, b"/login?failed")
    for at in (DOOR, ruled("success=302:/home"), ruled("success=302!/error")):
        assert from_start(at, status, [home, HTML, SESSION], asked()) is YES
        assert from_start(at, status, [again, HTML, SESSION], asked()) is not YES
    assert from_start(DOOR, status, [home, HTML, SESSION], asked(query=b"next=/home")) is PERHAPS
    assert from_start(DOOR, status, [(name, b'{"path": "/home"}'), HTML], asked()) is PERHAPS
    assert from_start(ruled("success=2xx"), status, [home], asked()) is YES
    assert from_start(ruled(COOKIE_RULE), status, [home, sets("sid=1")], asked()) is YES


def test_any_of_several_rules_suffices() -> None:
    """`302:/home|cookie:sid|json:data.token`."""
    several = ruled(f"{HOME_RULE}|cookie:sid|json:data.token")
    assert from_start(several, 302, [to("/home")], asked()) is YES
    assert from_start(several, 200, [JSON, sets("sid=1")], asked()) is YES
    assert from_start(several, 200, [JSON], asked()) is BODY


@pytest.mark.parametrize(
    ("expected", "rule", "body"),
    [
        (YES, "data.token", b'{"data":{"token":"x"}}'),
        (YES, "data.token", b'{"data":{"token":{"a":1}}}'),
        (NO, "data.token", b'{"data":{"token":""}}'),
        (NO, "data.token", b'{"data":{"token":null}}'),
        (NO, "data.token", b'{"data":"token"}'),
        (NO, "data.token", b'{"token":"x"}'),
        (YES, "ok", b'{"ok":true}'),
        (NO, "ok", b'{"ok":"false"}'),
        (NO, "ok", b'{"ok":"NG"}'),
        (NO, "ok", b'{"ok":0}'),
        (YES, "status=ok", b'{"status":"OK"}'),
        (NO, "status=ok", b'{"status":"NG"}'),
        (NO, "status=ok", b'{"status":"ok then"}'),
        (NO, "status=ok", b'{"status":["ok"]}'),
        (YES, "code=0", b'{"code":0}'),
        (NO, "code=0", b'{"code":401}'),
        (NO, "code=0", b'{"code":false}'),
        (YES, "login=true", b'{"login":true}'),
        (NO, "login=1", b'{"login":true}'),
    ],
)
def test_json_rules(expected: Outcome, rule: str, body: bytes) -> None:
    """Row 2.5: a JSON rule wants a value at its path that does not say no, or the given one."""
    assert from_body(ruled(f"success=json:{rule}"), 200, body, [JSON], asked()) is expected


@pytest.mark.parametrize("status", [200, 204, 207, 302, 304])
def test_a_door_that_reads_a_header_is_not_guessed(status: int) -> None:
    """Row 2.7: a Basic door's success is not guessed: pages below it may be public."""
    basic = Door(DoorKind.LOGIN, "*", "/files/*", door(Encoding.BASIC).fields)
    headers = [JSON, SESSION, to("/home")]
    assert from_start(basic, status, headers, asked(path="/files/x")) is PERHAPS
    assert from_start(basic, 401, headers, asked(path="/files/x")) is NO


HEADERS = st.lists(
    st.tuples(st.sampled_from([b"set-cookie", b"location", b"content-type"]), st.binary(max_size=30)), max_size=4
)
REQUESTS = st.builds(
    lambda headers, query, path: {"path": path, "headers": headers, "query_string": query},
    st.lists(st.tuples(st.sampled_from([b"referer", b"cookie", b"host"]), st.binary(max_size=30)), max_size=3),
    st.binary(max_size=20),
    st.text(max_size=10),
)


@given(st.integers(100, 599), HEADERS, st.binary(max_size=60), REQUESTS, st.binary(max_size=30))
def test_any_answer_is_judged(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, request_: dict[str, Any], sent: bytes
) -> None:
    """Any answer is judged without an error, and no 4xx or 5xx is a success."""
    for each in (DOOR, ruled(f"{HOME_RULE}|302!/a|{COOKIE_RULE[8:]}|{JSON_RULE[8:]}")):
        outcome = from_start(each, status, headers, request_, sent) or from_body(
            each, status, body, headers, request_, sent
        )
        assert status < 400 or outcome is NO


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_json_is_judged(tree: Any) -> None:
    """Any JSON is judged, and without a token or session none is a success."""
    assert from_body(DOOR, 200, json.dumps({"x": tree}).encode(), [JSON], asked()) is not NO


@pytest.mark.parametrize("rule", ["", "success=2xx", "success=!401", "success=302:/home", "success=cookie:session"])
@pytest.mark.parametrize(
    ("status", "headers"), [(204, [SESSION]), (200, [SESSION]), (302, [to("/home"), SESSION]), (200, [JSON, SESSION])]
)
def test_only_the_doors_own_method_tells_a_success(rule: str, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """Row A15: OPTIONS, GET and a log-out by DELETE answer alike to every secret."""
    for method in ("OPTIONS", "GET", "HEAD", "DELETE", "PATCH", "post"):
        assert from_start(ruled(rule), status, headers, {**asked(), "method": method}) is PERHAPS
        assert from_start(ruled(rule), 401, headers, {**asked(), "method": method}) is NO


def test_a_form_may_name_another_method_than_its_own() -> None:
    """A browser sends forms by POST; `_method` makes it the PUT of the door."""
    (put,) = parse_doors(DoorKind.LOGIN, "PUT /login success=2xx", "SEKISHO_LOGIN")
    (any_,) = parse_doors(DoorKind.LOGIN, "* /dav/* basic success=!401,403", "SEKISHO_LOGIN")
    for method in ("PUT", "POST"):
        assert from_start(put, 204, [], {**asked(), "method": method}) is YES
    assert from_start(put, 204, [], {**asked(), "method": "GET"}) is PERHAPS
    assert from_start(any_, 207, [], {**asked(), "method": "PROPFIND"}) is YES
    assert from_start(any_, 200, [], {**asked(), "method": "OPTIONS"}) is PERHAPS


STARLETTE = "eyJ1c2VyIjogImhhbmEifQ=="
FLASK = "eyJfdXNlcl9pZCI6IjEifQ"
MARK = "D" * 27


@pytest.mark.parametrize("rule", [HOME_RULE, "success=302", "success=302!/2fa", "success=3xx|2xx"])
@pytest.mark.parametrize(
    ("expected", "brought", "set_to"),
    [
        (YES, "", []),
        (YES, "csrftoken=a; __Host-sekisho=b; lang=ja", []),
        (PERHAPS, "sessionid=mine", []),  # Django, allauth: this client is logged in already
        (PERHAPS, "csrftoken=a; shop=mine", ["csrftoken=b"]),
        (YES, "sessionid=before", ["sessionid=after; HttpOnly"]),
        (YES, "sid=one", ["sid=one; HttpOnly"]),  # a session that keeps its name: Litestar
        (PERHAPS, f"session={STARLETTE}.aSxQ0A.{MARK}", [f"session={STARLETTE}.aSxQ0B.{MARK}; HttpOnly"]),
        (YES, f"session={FLASK}.aSxQ0A.{MARK}", [f"session={STARLETTE}.aSxQ0B.{MARK}; HttpOnly"]),
    ],
)
def test_a_client_that_is_logged_in_proves_nothing_by_a_redirect(
    expected: Outcome, rule: str, brought: str, set_to: list[str]
) -> None:
    """Row A16: log-ins redirect whom they know without a look at the secret."""
    request = asked((b"cookie", brought.encode())) if brought else asked()
    answer = [to("/home"), *[sets(line) for line in set_to]]
    assert from_start(ruled(rule), 302, answer, request) is expected


@pytest.mark.parametrize(
    "brought", ["session=abc", 'session="abc"', r'session="\141bc"', "session=ab%63", "sess%69on=abc"]
)
@pytest.mark.parametrize("set_to", ["session=abc; HttpOnly", r'session="ab\143"; HttpOnly', "session=a%62c; HttpOnly"])
def test_a_session_that_was_spelled_otherwise_is_no_new_one(brought: str, set_to: str) -> None:
    """An application that keeps a client's own session sets it again, as it is, after a wrong password too."""
    request = asked((b"cookie", brought.encode()))
    assert from_start(ruled("success=cookie:session"), 302, [to("/login"), sets(set_to)], request) is PERHAPS
    other = asked((b"cookie", b"session=a%62d; theme=100%"))
    assert from_start(ruled("success=cookie:session"), 302, [to("/"), sets(set_to)], other) is YES


@pytest.mark.parametrize(
    ("junk", "expected"),
    [("%41" * 4_000, YES), ("%41" * 5_000, PERHAPS), (r"\101" * 2_000, YES), (r"\101" * 3_000, PERHAPS)],
)
def test_a_session_cannot_be_hidden_behind_many_escapes(junk: str, expected: Outcome) -> None:
    """Beyond four thousand escapes, or two thousand backslashes, none is decoded, and no session counts as new."""
    request = asked((b"cookie", f"lang={junk}; sid=x".encode()))
    answer = [to("/home"), sets("session=abc; HttpOnly")]
    assert from_start(ruled("success=cookie:session"), 302, answer, request) is expected


@pytest.mark.parametrize(("junk", "expected"), [(150, YES), (250, PERHAPS)])
def test_a_session_cannot_be_hidden_behind_many_cookies(junk: int, expected: Outcome) -> None:
    """Row A16: beyond two hundred names none is looked at, and the client may be logged in."""
    request = asked((b"cookie", b"csrftoken=a; " * junk))
    assert from_start(ruled(HOME_RULE), 302, [to("/home")], request) is expected


@pytest.mark.parametrize("kind", [DoorKind.CHANGE, DoorKind.LINK, DoorKind.RESET, DoorKind.SIGNUP])
def test_where_clients_have_a_session_a_redirect_needs_no_new_one(kind: DoorKind) -> None:
    """An owner changes the password, or links an account, in the session that is open."""
    (door,) = parse_doors(kind, "POST /account form:username,password success=302:/home", "SEKISHO_X")
    assert from_start(door, 302, [to("/home")], asked((b"cookie", b"sessionid=mine"))) is YES


@pytest.mark.parametrize("content", [STARLETTE, FLASK, ".eJyrVg"])
def test_a_session_with_a_new_time_is_no_new_session(content: str) -> None:
    """Row A17: Flask renews permanent sessions with every answer, that to a wrong password too."""
    request = asked((b"cookie", f"a=b; session={content}.aSxQ0A.{MARK}".encode()))
    rule = ruled("success=cookie:session")
    assert from_start(rule, 200, [sets(f"session={content}.aSxQ0B.{MARK}; HttpOnly")], request) is PERHAPS
    assert from_start(rule, 200, [sets(f"session={content}x.aSxQ0B.{MARK}; HttpOnly")], request) is YES
    jwt = "eyJhbGciOiJIUzI1NiJ9"  # content in the second part
    request = asked((b"cookie", f"session={jwt}.eyJzdWIiOiJrZW4ifQ.{MARK}".encode()))
    assert from_start(rule, 200, [sets(f"session={jwt}.eyJzdWIiOiJoYW5hIn0.{MARK}; HttpOnly")], request) is YES


def test_the_reason_is_that_of_the_rule() -> None:
    """A door whose rules are cookies says nothing about redirects."""
    assert why_unknown(ruled(COOKIE_RULE), 303, [to("/home")]) == "cookie"
    assert why_unknown(ruled(HOME_RULE), 302, [to("/home")]) == "redirect"
    assert why_unknown(ruled(COOKIE_RULE), 401, []) == ""
