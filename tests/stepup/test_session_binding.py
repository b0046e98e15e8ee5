"""Session bindings: valid beside their own session, void beside any other."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from sekisho.crypto.seal import Sealer
from sekisho.model import FactorClass
from sekisho.read import SessionCredentials
from sekisho.stepup.session_binding import CHARS_MAX, SECONDS_MAX, SessionBinding, SessionBindings

NOW = 1_700_000_000
OLD, NEW = b"o" * 32, b"n" * 32
BINDINGS = SessionBindings([OLD], clock_s=time.time)
ALICE = SessionBinding("Alice", "42", NOW)
COOKIE = SessionCredentials((("sid", "a-session"),))
BEARER = SessionCredentials((), "a-token")
BOTH = SessionCredentials(COOKIE.cookies, BEARER.bearer)
SHOWN = (b"cookie", b"sid=a-session")
TOKEN = (b"authorization", b"Bearer a-token")

Headers = list[tuple[bytes, bytes]]


def find(credentials: SessionCredentials, *headers: tuple[bytes, bytes], now_s: int = NOW) -> SessionBinding | None:
    return BINDINGS.find(BINDINGS.sealed(ALICE, credentials, NOW), list(headers), now_s)


@pytest.mark.parametrize(
    ("credentials", "headers"),
    [(COOKIE, [SHOWN]), (BEARER, [TOKEN]), (BOTH, [SHOWN]), (BOTH, [SHOWN, TOKEN])],
)
def test_a_tie_beside_its_session_says_whose_it_is(credentials: SessionCredentials, headers: Headers) -> None:
    """Beside its session a binding tells account, id and the time of the last proof."""
    assert find(credentials, *headers) == ALICE


@pytest.mark.parametrize(
    ("credentials", "headers"),
    [
        (COOKIE, []),
        (COOKIE, [(b"cookie", b"sid=stolen")]),
        (COOKIE, [SHOWN, (b"cookie", b"sid=stolen")]),
        (COOKIE, [SHOWN, SHOWN]),
        (COOKIE, [(b"cookie", b"SID=a-session")]),
        (COOKIE, [SHOWN, (b"authorization", b"Bearer stolen")]),
        (COOKIE, [SHOWN, (b"authorization", b"Basic eDp5")]),
        (BEARER, []),
        (BEARER, [(b"authorization", b"Bearer stolen")]),
        (BEARER, [(b"authorization", b"Bearer a-toke")]),
        (BEARER, [TOKEN, (b"authorization", b"Bearer stolen")]),
        (BOTH, [TOKEN]),
        (BOTH, [SHOWN, (b"authorization", b"Bearer stolen")]),
        (SessionCredentials((("sid", "a-session"), ("user", "a"))), [SHOWN]),
    ],
)
def test_beside_any_other_session_it_is_nothing(credentials: SessionCredentials, headers: Headers) -> None:
    """R4: beside another session a binding is void: one's own proof must not open a stolen session."""
    assert find(credentials, *headers) is None


def test_of_two_accounts_neither_tie_fits_the_others_session() -> None:
    """R4: of two accounts neither binding fits the other's session."""
    bob = BINDINGS.sealed(SessionBinding("Bob", "43", NOW), SessionCredentials((("sid", "bobs"),)), NOW)
    assert BINDINGS.find(bob, [SHOWN], NOW) is None
    assert BINDINGS.find(bob, [(b"cookie", b"sid=bobs")], NOW) == SessionBinding("Bob", "43", NOW)


def test_to_nothing_nothing_is_tied() -> None:
    """Without a session credential no binding is issued: every request could show it."""
    assert BINDINGS.sealed(ALICE, SessionCredentials(), NOW) == ""
    assert BINDINGS.headers(ALICE, SessionCredentials(), NOW, by_header=False) == []


@pytest.mark.parametrize(
    ("later_s", "good"), [(-301, False), (-300, True), (SECONDS_MAX - 1, True), (SECONDS_MAX, False)]
)
def test_it_ends_after_thirty_days(later_s: int, good: bool) -> None:
    """A binding ends after thirty days."""
    assert (find(COOKIE, SHOWN, now_s=NOW + later_s) is not None) is good


@pytest.mark.parametrize("text", ["", "x", "é", "=", "A" * 200, "A" * 5_000, "\udcff", "a b"])
def test_input_that_was_not_sealed_here_is_void(text: str) -> None:
    """Input that was not sealed here is void."""
    assert BINDINGS.find(text, [SHOWN], NOW) is None


def test_it_is_for_one_cookie_and_one_service() -> None:
    """A binding sealed under another cookie name or another secret is void."""
    text = BINDINGS.sealed(ALICE, COOKIE, NOW)
    assert SessionBindings([OLD], b"__Host-other", clock_s=time.time).find(text, [SHOWN], NOW) is None
    assert SessionBindings([NEW], clock_s=time.time).find(text, [SHOWN], NOW) is None


def test_it_survives_a_rotation_of_secrets() -> None:
    """A binding survives a rotation of secrets."""
    rotated = SessionBindings([NEW, OLD], clock_s=time.time)
    assert rotated.find(BINDINGS.sealed(ALICE, COOKIE, NOW), [SHOWN], NOW) == ALICE


def test_what_browsers_would_not_keep_is_not_handed_out() -> None:
    """A binding too long for a cookie is not issued; any other account gets one."""
    assert BINDINGS.sealed(SessionBinding("x" * 4_096), COOKIE, NOW) == ""
    assert 0 < len(BINDINGS.sealed(SessionBinding("名\udcff" * 100), COOKIE, NOW)) <= CHARS_MAX


def test_browsers_get_a_cookie_and_apps_a_header() -> None:
    """Browsers get a cookie, out of reach of scripts and other sites; apps get a header."""
    [(name, line)] = BINDINGS.headers(ALICE, COOKIE, NOW, by_header=False)
    text, _, attributes = line.removeprefix(b"__Host-sekisho-tie=").partition(b"; ")
    assert name == b"set-cookie"
    assert attributes == b"Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert BINDINGS.of([(b"cookie", b"__Host-sekisho-tie=" + text), SHOWN], NOW) == ALICE

    [(name, app)] = BINDINGS.headers(ALICE, BEARER, NOW, by_header=True)
    assert name == b"sekisho-tie"
    assert BINDINGS.of([(name, app), TOKEN], NOW) == ALICE
    assert BINDINGS.of([(name, app), (name, app), TOKEN], NOW) is None


@pytest.mark.parametrize(("account", "proved"), [("Alice", True), ("alice", False), ("Bob", False)])
def test_a_proof_renews_the_tie_of_its_own_account_alone(account: str, proved: bool) -> None:
    """R4: a proof renews the binding of its own account alone."""
    handed = BINDINGS.headers(SessionBinding("Alice", "42"), BEARER, NOW, by_header=True)
    renewed = BINDINGS.proved_now([*handed, TOKEN], account, FactorClass.APP, NOW + 9)

    assert (renewed is not None) is proved
    if renewed is not None:
        assert BINDINGS.of([*renewed, TOKEN], NOW + 9) == SessionBinding("Alice", "42", NOW + 9, FactorClass.APP)
    stolen = [*handed, (b"authorization", b"Bearer stolen")]
    assert BINDINGS.proved_now(stolen, account, FactorClass.APP, NOW + 9) is None


@pytest.mark.parametrize("by", FactorClass)
def test_it_tells_the_class_of_the_last_proof(by: FactorClass) -> None:
    """The class of the last proof comes back beside its time."""
    proved = SessionBinding("Alice", "42", NOW, by)
    assert BINDINGS.find(BINDINGS.sealed(proved, COOKIE, NOW), [SHOWN], NOW) == proved


def test_notes_of_earlier_versions_are_read_and_theirs_read_ours() -> None:
    """A note has the six members of earlier versions, with a number for the time: neither version ends a session."""
    sealer = Sealer([OLD], clock_s=time.time)
    sealed = urlsafe_b64decode(BINDINGS.sealed(SessionBinding("Alice", "42", NOW, FactorClass.PHR), COOKIE, NOW) + "==")
    ours = json.loads(sealer.open(b"tie", sealed, bound_to=b"__Host-sekisho-tie"))
    assert (len(ours), ours[2]) == (6, NOW + 0.4)
    ours[2] = NOW
    theirs = sealer.seal(b"tie", json.dumps(ours).encode(), bound_to=b"__Host-sekisho-tie")
    text = urlsafe_b64encode(theirs).decode().rstrip("=")
    assert BINDINGS.find(text, [SHOWN], NOW) == SessionBinding("Alice", "42", NOW, FactorClass.NONE)


def test_it_prints_no_account() -> None:
    """A `repr` shows no account: tracebacks print it."""
    assert "Alice" not in repr(ALICE)
    assert "Alice" not in BINDINGS.sealed(ALICE, COOKIE, NOW)


GUESSED = SessionBindings([OLD], guesses=True, clock_s=time.time)
DEVICE = SessionCredentials((("device_id", "mine"),))


@pytest.mark.parametrize("name", ["session", "sessionid", "connect.sid", "PHPSESSID", "auth_token", "remember-me"])
def test_two_sessions_in_one_request_are_bound_to_no_account(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Row 5.22: a binding to one's own `device_id` opens no stolen session beside it."""
    bindings = SessionBindings([OLD], guesses=True, clock_s=time.time)
    text = bindings.sealed(ALICE, DEVICE, NOW)
    shown = [(b"cookie", f"device_id=mine; {name}=stolen".encode())]

    assert [bindings.find(text, shown, NOW) for _ in range(2)] == [None, None]
    (said,) = [record.message for record in caplog.records]
    assert said == (
        "SEKISHO_LOGIN: a request shows two cookies that may be its session, so protected routes treat it as "
        "logged out; name the right one, as in success=cookie:NAME, or give LoginGuard session_account= [SEK018]"
    )


@pytest.mark.parametrize("name", ["csrftoken", "csrf_token", "XSRF-TOKEN", "__Host-sekisho-step", "theme", "residence"])
def test_other_cookies_are_no_session(name: str) -> None:
    """Other cookies are no session: browsers send many."""
    text = GUESSED.sealed(ALICE, DEVICE, NOW)

    assert GUESSED.find(text, [(b"cookie", f"device_id=mine; {name}=x".encode())], NOW) == ALICE


def test_where_a_rule_or_the_application_names_the_session_others_may_stand_beside_it() -> None:
    """Row 5.22: if a rule or the application names the session, other credentials may stand beside it."""
    shown = [(b"cookie", b"device_id=mine; session=other")]

    assert BINDINGS.find(BINDINGS.sealed(ALICE, DEVICE, NOW), shown, NOW) == ALICE
    assert GUESSED.find(GUESSED.sealed(ALICE, DEVICE, NOW), shown, NOW, ALICE.account) == ALICE


def test_a_remembered_binding_is_that_of_the_same_headers_alone() -> None:
    """A binding that was just verified opens nothing for another cookie, another account, or long after its end."""
    bindings = SessionBindings([OLD], clock_s=time.time)
    ((name, note),) = bindings.headers(ALICE, COOKIE, NOW, by_header=True)
    shown = [SHOWN, (name, note)]
    assert bindings.of(shown, NOW) == bindings.of(shown, NOW + 1) == ALICE
    assert bindings.of([(b"cookie", b"sid=stolen"), (name, note)], NOW + 1) is None
    assert bindings.of([*shown, (b"authorization", b"Bearer stolen")], NOW + 1) is None
    assert bindings.of([(b"cookie", b"sid=a-sessio"), (b"cookie", b"n"), (name, note)], NOW + 1) is None
    assert bindings.of(shown, NOW + 1, "Bob") is None
    assert bindings.of(shown, NOW + 1, "Alice") == ALICE
    assert bindings.of(shown, NOW + SECONDS_MAX) is None


def test_remembered_bindings_are_bounded() -> None:
    """However many sessions come, some thousand are remembered."""
    bindings = SessionBindings([OLD], clock_s=time.time)
    for number in range(1_100):
        token = f"token{number}"
        ((name, note),) = bindings.headers(ALICE, SessionCredentials((), token), NOW, by_header=True)
        assert bindings.of([(b"authorization", b"Bearer " + token.encode()), (name, note)], NOW) == ALICE
    assert len(bindings._found) <= 1_024


def test_every_spelling_of_a_tie_names_one_session() -> None:
    """Base64 has many spellings of one note, and all of them name one session; another note names another."""
    first, second = (BINDINGS.sealed(ALICE, COOKIE, NOW) for _ in range(2))
    spellings = [first, f"{first[:5]}!!!!{first[5:]}", f"....{first}"]
    names = {BINDINGS.session([(b"cookie", f"__Host-sekisho-tie={one}".encode())]) for one in spellings}
    assert len(names) == 1
    assert names.isdisjoint({BINDINGS.session([(b"cookie", f"__Host-sekisho-tie={second}".encode())]), b""})
