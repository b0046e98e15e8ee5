"""Doors that nobody named: passwords that come to a path that is no door, and sessions that are set there.

Such a route is open beside the guarded one. A sample of the requests with a body is looked at as it streams past, up to
a few kilobytes, and so are requests with a password in the query, or with HTTP Basic. A log line names the path once,
and nothing of the content.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, final

from sekisho.model import hazards
from sekisho.read import is_basic
from sekisho.read.outcome import ANSWERED_FOR_ALL
from sekisho.read.response.head import header, readable
from sekisho.read.set_cookies import set_cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sekisho.asgi.types import Message, Receive, Scope, Send
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.model.headers import Header

log = logging.getLogger("sekisho")

SAMPLES: Final = 8  # of each path, until it is forgotten
METHOD_CHARS_MAX: Final = 16
BYTES_MAX: Final = 4_096  # of a body; forms are shorter
FOUND_MAX: Final = 32  # paths; strangers can invent more
BASIC_MAX: Final = 8  # of them by HTTP Basic: where a proxy checks that, each path may look like one
STEPS_MAX: Final = 8  # of a path that is shown
TEMPLATE_CHARS_MAX: Final = 256

_FOUND: Final = {
    True: "%s: a password field came to a path that is no door, so guesses there are not counted. If it "
    "checks or sets a password, add it to SEKISHO_LOGIN, SIGNUP, RESET, CHANGE or LINK, with its fields: form:… "
    "or json:ACCOUNT,PASSWORD [SEK081]",
    False: "%s: an answer set a session cookie at a path that is no door; if it is a log-in, guesses are open: add it "
    "to SEKISHO_LOGIN [SEK082]",
}
_BASIC: Final = (
    "%s: a request with HTTP Basic was answered %d at a path that is no door. If the application looks at that header, "
    "guesses by it are not counted: have it accept none, or add a door that covers the path to SEKISHO_LOGIN, as in "
    "* /api/* basic success=!401,403 [SEK090]"
)

_WORD: Final = rb"[\w.\[-]{0,24}?(?:password|passphrase|passwd|passwort|pwd|kennwort|senha|wachtwoord)[\w.\]-]{0,16}"
_SHORT: Final = (
    rb"(?:[\w.\[-]{0,24}[\[._-])?(?:pass|psw|pw|mdp|contrase\xc3\xb1a|mot_?de_?passe)\]?"  # whole, not `bypass`
)
_FIELD: Final = re.compile(rb"(?:^|[&\"' ;])(?:" + _WORD + rb"|" + _SHORT + rb")(?:=|\"[ \t]{0,8}[:\r])", re.IGNORECASE)
# An argument of a GraphQL operation, in a text in JSON: its value may stand in a variable of any name. A line's end is
# two bytes there: its `n` alone would begin a search at each letter of a body of them, 24 ms for every such request.
_ARGUMENT: Final = re.compile(rb"(?:[(,{ ]|\\n)" + _WORD + rb"[ \t]{0,8}:[ \t]{0,8}(?:\$|\\\")", re.IGNORECASE)
_GRAPHQL: Final = b'"query"'
# Whole names: `?reset_password=1` is the address of a page.
_IN_QUERY: Final = re.compile(rb"(?:^|&)(?:password|passwd|passphrase|passwort|pwd|pass)=[^&]")
_KINDS: Final = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"application/json")
# Anything else could be the name of an account. These words say what a route does.
_WORDS: Final = frozenset(
    {
        *("account", "accounts", "admin", "api", "app", "auth", "authenticate", "authn", "confirm"),
        *("console", "create", "graphql", "identity", "json", "login", "log-in", "logon", "me", "oauth", "password"),
        *("passwords", "register", "registration", "reset", "rest", "rpc", "session", "sessions"),
        *("signin", "sign-in", "signup", "sign-up", "sso", "token", "tokens", "user", "users", "v1", "v2"),
        *("v3", "verify", "web"),
    }
)


@final
class UnnamedDoors:
    """The findings of this process, shared by its event loops.

    Args:
        count: counts a finding by the word for its kind.
    """

    def __init__(self, count: Callable[[str], object]) -> None:
        self._count = count
        self._found: dict[str, bool] = {}  # the route as shown → whether a password came there
        self._by_basic: dict[str, int] = {}  # the route as shown → the status that Basic was answered with

    def diagnoses(self) -> Iterator[Diagnosis]:
        """Yield a finding for `sekisho doctor` for each route that is no door but takes passwords or sets sessions."""
        for place, is_password in list(self._found.items()):
            if is_password:
                yield hazards.UNNAMED_DOOR.found(f"SEKISHO_LOGIN: passwords come to {place}, which is no door")
            else:
                yield hazards.UNNAMED_SESSION.found(f"SEKISHO_LOGIN: sessions are set at {place}, which is no door")
        for place in list(self._by_basic):
            yield hazards.UNNAMED_BASIC.found(f"SEKISHO_LOGIN: HTTP Basic is answered at {place}, which is no door")

    def wants(self, scope: Scope, by_name: dict[bytes, bytes]) -> bool:
        """Whether to look at a request, by its content type, its query or HTTP Basic; and there is room."""
        kind = by_name.get(b"content-type", b"").lower()
        if (kind.startswith(_KINDS) or _has_password(scope)) and len(self._found) < FOUND_MAX:
            return True
        return b"authorization" in by_name and is_basic(by_name[b"authorization"]) and len(self._by_basic) < BASIC_MAX

    def watch(self, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Wrap `receive` and `send`, so that passwords in the request and session cookies in the answer are seen."""
        look = _Look(self, scope, by_name, receive, send)
        return look.receive, look.send

    def saw(self, scope: Scope, path: str, *, is_password: bool) -> None:
        """Log and count a route that is no door, once, and again if a password comes where only a session was seen."""
        place = _place(scope, path)
        known = self._found.get(place)
        if len(self._found) >= FOUND_MAX or known or known is is_password:
            return
        self._found[place] = is_password
        self._count("password" if is_password else "session")
        log.warning(_FOUND[is_password], place)

    def saw_basic(self, scope: Scope, path: str, status: int) -> None:
        """Log and count, once, a route that is no door and that answers HTTP Basic."""
        place = _place(scope, path)
        if place in self._by_basic or len(self._by_basic) >= BASIC_MAX:
            return
        self._by_basic[place] = status
        self._count("basic")
        log.warning(_BASIC, place, status)


def _place(scope: Scope, path: str) -> str:
    method: str = scope["method"]
    # Over HTTP/2 a client writes there what it likes, sequences that steer a terminal too.
    shown = method if len(method) <= METHOD_CHARS_MAX and method.isascii() and method.isalpha() else "?"
    return f"{shown} {shown_path(scope, path)}"


@final
class _Look:
    """One request that is looked at."""

    __slots__ = ("_bytes", "_cookies", "_doors", "_ended", "_path", "_receive", "_scope", "_send", "_shows_basic")

    def __init__(
        self, doors: UnnamedDoors, scope: Scope, by_name: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        self._doors = doors
        self._scope = scope
        self._path = path_of(scope)  # mounts may change it
        self._cookies = by_name.get(b"cookie", b"")
        self._shows_basic = is_basic(by_name.get(b"authorization", b""))
        self._receive = receive
        self._send = send
        self._bytes = b""
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if len(self._bytes) < BYTES_MAX:
            self._bytes += message.get("body", b"")[: BYTES_MAX - len(self._bytes)]
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._ended:
            self._ended = True
            message = readable(message)
            self._judge(message)
        await self._send(message)

    def _judge(self, start: Message) -> None:
        # Where there is no route, anybody can send a password.
        if start["status"] in {404, 405}:
            return
        if self._shows_basic and self._answers_basic(start):
            self._doors.saw_basic(self._scope, self._path, start["status"])
        if _brings_password(self._bytes) or (_has_password(self._scope) and self._answers_query(start)):
            self._doors.saw(self._scope, self._path, is_password=True)
        elif start["status"] < 400 and self._sets_session(start.get("headers", ())):
            self._doors.saw(self._scope, self._path, is_password=False)

    def _answers_basic(self, start: Message) -> bool:
        """Whether the answer may depend on the credentials: it is a success, or asks for other ones."""
        if self._scope["method"] in ANSWERED_FOR_ALL:
            return False
        asked = header(start.get("headers", ()), b"www-authenticate") if start["status"] == 401 else b""
        return 200 <= start["status"] < 300 or asked[:5].lower() == b"basic"

    def _answers_query(self, start: Message) -> bool:
        """Whether the answer may depend on a password in the query: any page answers one that is not looked at."""
        return start["status"] in {401, 403} or (start["status"] < 400 and self._sets_session(start.get("headers", ())))

    def _sets_session(self, headers: Iterable[Header]) -> bool:
        """Whether the answer sets a cookie that is called a session, and that the client did not have."""
        return any(
            cookie.is_called_session and cookie.name.encode("latin-1") + b"=" not in self._cookies
            for cookie in set_cookies(headers)
        )


def _brings_password(body: bytes) -> bool:
    return _FIELD.search(body) is not None or (_GRAPHQL in body and _ARGUMENT.search(body) is not None)


def _has_password(scope: Scope) -> bool:
    """Whether the query has a password: guesses by GET, as in the README of AuthX, come without any body."""
    query: bytes = scope.get("query_string", b"").lower()
    # Most have neither, which a search for a text tells in a tenth of a pattern's time.
    return (b"pass" in query or b"pwd" in query) and _IN_QUERY.search(query) is not None


def path_of(scope: Scope) -> str:
    """The path of a request that no framework has routed yet."""
    return str(scope["path"])


def shown_path(scope: Scope, path: str) -> str:
    """A request's path as it may be logged: the framework's template of the route, where it has routed the request.

    Otherwise the path, with `*` for each part that may be an account or a key.

    Args:
        scope: of the request, as the framework left it.
        path: see `path_of`.
    """
    steps = _steps(path)
    route = scope.get("route")
    is_endpoint = bool(getattr(route, "methods", None))  # a mount has none
    template = getattr(route, "path", None) or ("" if is_endpoint else scope.get("path_template"))
    if isinstance(template, str):  # of FastAPI and Litestar, once they have routed the request
        return (_mounted_at(scope, template, steps, is_endpoint=is_endpoint) + template)[:TEMPLATE_CHARS_MAX]
    shown = "/".join(step if step.lower() in _WORDS or not step else "*" for step in steps[:STEPS_MAX])
    return f"/{shown}/…" if len(steps) > STEPS_MAX else f"/{shown}/" if shown and path.endswith("/") else f"/{shown}"


def _mounted_at(scope: Scope, template: str, steps: list[str], *, is_endpoint: bool) -> str:
    """What stands before a template, such as `/shop`: a template does not name its own mounts, nor its router's prefix.

    `*` stands for a part that a placeholder of a mount matched.
    """
    root, own = _steps(scope.get("root_path", "")), _steps(template)
    # An application that is mounted without a router leaves the template of its mount.
    places = [n for n in (len(root), len(root) - len(own)) if n > 0 and root[:n] == steps[:n]]
    # FastAPI leaves the prefix of a router out of the template, and names its own `root_path` where no path has it.
    # What a mount passes on may be an account's name.
    if is_endpoint and not template.endswith(":path}"):
        places.append(len(steps) - len(own))
    prefix = next((steps[:n] for n in places if n >= 0 and _fits(own, steps[n:])), [])[:STEPS_MAX]
    values = [str(value) for value in (scope.get("path_params") or {}).values() if str(value)]
    return "".join("/*" if any(value in step for value in values) else f"/{step}" for step in prefix)


def _steps(path: object) -> list[str]:
    return [step for step in str(path).split("/") if step]


def _fits(template: list[str], steps: list[str]) -> bool:
    pairs = list(zip(template, steps, strict=False))
    return len(pairs) == len(template) and all("{" in part or part == step for part, step in pairs)
