"""The outcome of an attempt, derived from the application's answer.

Only a proven success refunds a charge. So doubt never counts in favour of the attempt: an unrecognised success costs
the account owner one charge, but a failure taken for a success would void the account's limit. Nothing that the client
sends may decide: not its `Referer`, not a cookie that it sent, not a value that the answer only repeats.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sekisho.model import DoorKind, Outcome, SuccessBy
from sekisho.read.cookie_names import is_never_session, is_ours
from sekisho.read.names import unquoted
from sekisho.read.paths import path_key
from sekisho.read.response.codings import unfolded
from sekisho.read.response.doubt import is_doubtful, is_promising, place_is_doubtful, says_no
from sekisho.read.response.echo import is_echo
from sekisho.read.response.head import bearer_token, header, is_json, is_page, media_type, redirect_of_htmx
from sekisho.read.response.redirect import RedirectTarget, came_from, is_named_by, leads_to, stays, target_of
from sekisho.read.response.tree import entries, json_tree, usual_token, value_at
from sekisho.read.set_cookies import SetCookie, kept_cookies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import Door, SuccessRule
    from sekisho.model.headers import Headers


ANSWER_BYTES_MAX: Final = 65_536  # of a body that is judged, both packed and unpacked
TARGET_CHARS_MAX: Final = 512  # of a `Location` and the request's path, in the cache of targets
TARGETS_MAX: Final = 256  # in that cache

NOT_MODIFIED: Final = 304
_LEADS_AWAY = frozenset({301, 302, 303})  # 307 and 308 repeat the request with its credentials: no decision yet
# The secret was not checked: a malformed or refused request, method or body, or too many requests.
BEFORE_THE_SECRET = frozenset({400, 405, 408, 411, 413, 414, 415, 417, 421, 426, 429, 431})
ANSWERED_FOR_ALL: Final = frozenset({"OPTIONS", "TRACE"})  # by CORS middleware and routers, to any secret
COOKIES_MAX: Final = 200  # of a request, whose names are looked at; browsers keep 180 for a site
NAME_BYTES_MAX: Final = 128  # of a cookie's name
_PERCENT: Final = ord("%")  # a number: `bytes.__contains__` first tries bytes as one
_BACKSLASH: Final = ord("\\")
ESCAPES_MAX: Final = 4_096  # of a request's cookies: more than 8 KiB can hold, which is what most servers accept
_ESCAPE: Final = re.compile(rb"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
# Signed sessions (Starlette, Flask, Django) are content, time and signature: only the content tells one from another.
_SIGNED: Final = re.compile(r"(.+[.:])[\w-]{6}[.:][\w-]{27,}")
_LOGS_IN: Final = (DoorKind.LOGIN, DoorKind.CODE)


def from_start(
    door: Door, status: int, headers: Headers, scope: Mapping[str, Any], body: bytes = b""
) -> Outcome | None:
    """Derive the outcome from status and headers; `None` if the body is needed too.

    Args:
        door: the door; if it has `success` rules, only they decide.
        status: of the answer.
        headers: of the answer.
        scope: of the request: a value that the client sent proves no success.
        body: of the request, for the same reason.
    """
    if 200 <= status < 300 and not is_json(headers) and (place := redirect_of_htmx(headers)):
        status, headers = _redirect_status(door, status), [(b"location", place), *headers]
    # Clients choose the method: OPTIONS, a log-out by DELETE, or the page by GET answer 2xx to any secret.
    if door.kind in _LOGS_IN and not is_own_method(door, scope):
        return Outcome.FAILED if status >= 400 else Outcome.UNKNOWN
    if door.success:
        return _by_rules(door, status, headers, scope, body)
    if status >= 400:
        return Outcome.FAILED
    # With HTTP Basic on any page, some pages may be public: an answer without an error proves nothing.
    if not door.reads_body:
        return Outcome.UNKNOWN
    if 200 <= status < 300 and status != 204 and is_json(headers):
        return None
    return Outcome.SUCCEEDED if _looks_proven(door, status, headers, scope, body) else Outcome.UNKNOWN


def is_own_method(door: Door, scope: Mapping[str, Any]) -> bool:
    """Whether the application's handler of the door's method may have answered: only that one checks the secret.

    A form can only be sent by POST; where the door has another method, a field or a header names that.
    """
    method: str = scope.get("method", door.method)
    if door.method == "*":
        return method not in ANSWERED_FOR_ALL
    return method == door.method or method == "POST"  # noqa: PLR1714 - no set for each attempt


def _redirect_status(door: Door, status: int) -> int:
    """The status that a redirect of HTMX stands for: the one of the door's rule for redirects, if it has rules."""
    if not door.success:
        return 303
    return next((min(rule.statuses) for rule in door.success if rule.location or rule.elsewhere), status)


def from_body(
    door: Door, status: int, body: bytes, headers: Headers, scope: Mapping[str, Any], sent: bytes = b""
) -> Outcome:
    """Derive the outcome from the answer's whole body, unpacked; `sent` is the request's body.

    Do not pass a truncated or oversized body: its outcome is `UNKNOWN`.
    """
    tree = json_tree(body)
    if tree is None or not 200 <= status < 300:
        return Outcome.UNKNOWN
    if door.success:
        return Outcome.SUCCEEDED if any(_says(rule, tree) for rule in door.success) else Outcome.FAILED
    found = entries(tree)
    if found is None or any(is_doubtful(key, value) for key, value in found):
        return Outcome.UNKNOWN
    if token := usual_token(tree) or bearer_token(headers):
        return Outcome.UNKNOWN if is_echo(token, scope, sent) else Outcome.SUCCEEDED
    promising = any(is_promising(key, value) for key, value in entries(tree) or ())
    return Outcome.SUCCEEDED if promising and _sets_new_session(headers, scope) else Outcome.UNKNOWN


def why_unknown(door: Door, status: int, headers: Headers) -> str:
    """A code for why an answer was not judged, if a success rule or a setting could change that.

    `""` if the answer is simply no success.
    """
    if status >= 400:
        return ""
    if door.success and all(rule.by is SuccessBy.COOKIE for rule in door.success):
        return "cookie"
    if status >= 300:
        return "redirect" if door.success and header(headers, b"location") else ""
    if door.success:
        return "cookie" if any(rule.by is SuccessBy.COOKIE for rule in door.success) else "media"
    return "media" if header(headers, b"content-type") and door.reads_body and not is_page(headers) else ""


def unpacked(headers: Headers, body: bytes) -> bytes | None:
    """Return the body of a whole answer without its `Content-Encoding`; None if damaged, unsupported or too long."""
    return unfolded(headers, body, ANSWER_BYTES_MAX)


def _looks_proven(door: Door, status: int, headers: Headers, scope: Mapping[str, Any], body: bytes) -> bool:
    """Whether there is a new session, and no page: a 200 may be the form again, and also sets cookies."""
    if status in _LEADS_AWAY:
        return _sets_new_session(headers, scope) and _leads_away(door, headers, scope, body)
    return status == 204 and _sets_new_session(headers, scope)


def _by_rules(door: Door, status: int, headers: Headers, scope: Mapping[str, Any], body: bytes) -> Outcome | None:
    rules = door.success
    if status >= 400 and len(rules) == 1 and rules[0].by is not SuccessBy.OTHER_STATUS:
        return Outcome.FAILED  # as for a wrong password at most doors
    doubt = wants_body = False
    for rule in rules:
        if rule.by is SuccessBy.JSON:
            wants_body = wants_body or 200 <= status < 300
            continue
        outcome = _by_rule(rule, status, headers, scope, body)
        # At other doors (a change, a link) the client has a session, and the answer sets none.
        if outcome is Outcome.SUCCEEDED and not (rule.statuses and _may_greet(door, headers, scope)):
            return outcome
        doubt = doubt or outcome is not Outcome.FAILED
    if wants_body and is_json(headers):
        return None
    # A JSON rule cannot match an answer in another media type, which may still report a success.
    unread = wants_body and bool(media_type(headers)) and not is_page(headers)
    return Outcome.UNKNOWN if doubt or unread else Outcome.FAILED


def _by_rule(rule: SuccessRule, status: int, headers: Headers, scope: Mapping[str, Any], body: bytes) -> Outcome:
    if rule.by is SuccessBy.COOKIE:
        return _by_cookie(rule, status, headers, scope)
    if rule.by is SuccessBy.OTHER_STATUS:
        return _by_other_status(rule, status)
    if status not in rule.statuses:
        return Outcome.FAILED
    return _by_location(rule, headers, scope, body) if rule.location or rule.elsewhere else Outcome.SUCCEEDED


def _may_greet(door: Door, headers: Headers, scope: Mapping[str, Any]) -> bool:
    """Whether a redirect may have been for the session that the client brought, with the secret never looked at.

    Many log-ins redirect a client that is logged in already: with an account of one's own, any password for another
    account would be taken for right. A right log-in sets a session; some keep its name and value. At other doors (a
    change, a link) clients have a session, and answers set none.
    """
    brought = _brought(scope)
    if not brought or door.kind not in _LOGS_IN or not header(headers, b"location"):
        return False
    pairs = brought.split(b";", COOKIES_MAX)
    # Beyond the bounds a session may be hidden behind others.
    if _is_unread(brought):
        return True
    if len(pairs) <= COOKIES_MAX and not any(_may_log_in(_name(pair)) for pair in pairs):
        return False
    return not any(_may_log_in(each.name) and not _is_signed_anew(each, brought) for each in kept_cookies(headers))


def _name(pair: bytes) -> str:
    return pair.partition(b"=")[0][:NAME_BYTES_MAX].decode("latin-1")


def _may_log_in(cookie: str) -> bool:
    return bool(cookie) and not is_never_session(cookie) and not is_ours(cookie)


def cookies_brought(scope: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of the client's cookies, without quotes and blanks."""
    pairs = [pair.partition(b"=") for pair in _brought(scope).split(b";")]
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, _, value in pairs]


def _by_other_status(rule: SuccessRule, status: int) -> Outcome:
    if status in rule.refusals:
        return Outcome.FAILED
    # Routers answer 404 for a path that they lack, and redirect to one with a slash, before any secret is checked: with
    # a success for each, an attacker would make his address one from which his victims log in.
    return Outcome.SUCCEEDED if 200 <= status < 300 or status == NOT_MODIFIED else Outcome.UNKNOWN


def _by_cookie(rule: SuccessRule, status: int, headers: Headers, scope: Mapping[str, Any]) -> Outcome:
    # An application that sets its session cookie with a 401 has logged no client in.
    set_to = [cookie for cookie in kept_cookies(headers) if cookie.name == rule.name] if status < 400 else []
    if not set_to:
        return Outcome.FAILED
    # The same value again is a session that the client had before: it proves nothing about this attempt.
    return Outcome.SUCCEEDED if any(is_new(cookie, scope) for cookie in set_to) else Outcome.UNKNOWN


def _by_location(rule: SuccessRule, headers: Headers, scope: Mapping[str, Any], body: bytes) -> Outcome:
    target = _target(headers, scope)
    if target is None:
        return Outcome.FAILED
    if rule.location:
        wanted = _place_of(rule.location)
        if wanted is None or not leads_to(target, wanted, headers=scope.get("headers", ())):
            # The right path, but with a different query or on another host.
            near = wanted is not None and target.path == wanted.path
            return Outcome.UNKNOWN if near else Outcome.FAILED
        beyond = target.path[len(wanted.path) :]
        proven = not (beyond and place_is_doubtful(beyond)) and not is_named_by(scope, body, target)
        return Outcome.SUCCEEDED if proven else Outcome.UNKNOWN
    return _by_elsewhere(rule, target, headers, scope, body)


@lru_cache(maxsize=256)
def _place_of(location: str) -> RedirectTarget | None:
    """The target of a rule's `location`; settings have few."""
    return target_of(location, "/")


def _by_elsewhere(
    rule: SuccessRule, target: RedirectTarget, headers: Headers, scope: Mapping[str, Any], body: bytes
) -> Outcome:
    here = path_key(scope["path"])
    places = [path_key(place) for place in rule.elsewhere]
    there = path_key(target.path)
    if there == here or any(there == place or there.startswith(place + "/") for place in places):
        return Outcome.FAILED
    if not stays(target, scope.get("headers", ())) or came_from(scope, target):
        return Outcome.UNKNOWN
    # Such services redirect to the page that the client asked for; then only a new session proves a success.
    if is_named_by(scope, body, target) and not any(
        cookie.may_be_session and is_new(cookie, scope) for cookie in kept_cookies(headers)
    ):
        return Outcome.UNKNOWN
    return Outcome.SUCCEEDED


def _says(rule: SuccessRule, tree: dict[str, Any]) -> bool:
    if rule.by is not SuccessBy.JSON:
        return False
    value = value_at(tree, rule.path)
    if not rule.value:
        return not says_no(value)
    if isinstance(value, bool):
        value = "true" if value else "false"
    return isinstance(value, str | int) and str(value).casefold() == rule.value.casefold()


def _leads_away(door: Door, headers: Headers, scope: Mapping[str, Any], body: bytes) -> bool:
    """Whether a redirect leads to a page of this host that only the application can have chosen."""
    target = _target(headers, scope)
    # Failures also redirect to the front page (with a flash message), or to a page with a query.
    if target is None or target.rest or target.path == "/" or not stays(target, scope.get("headers", ())):
        return False
    there = path_key(target.path)
    if any(there == here or there.startswith(here + "/") for here in (path_key(scope["path"]), path_key(door.path))):
        return False
    return not place_is_doubtful(target.path) and not is_named_by(scope, body, target)


def _target(headers: Headers, scope: Mapping[str, Any]) -> RedirectTarget | None:
    location, path = header(headers, b"location"), scope["path"]
    if not location:
        return None
    key: object = (location, path)  # a typed tuple would be made anew for each look-up
    known = _TARGETS.get(key)
    if known is not None:
        return known
    target = target_of(location.decode(errors="replace"), path)
    if target is not None and len(location) + len(path) <= TARGET_CHARS_MAX:
        if len(_TARGETS) >= TARGETS_MAX:  # bounded: a target that clients choose can only undo the saving
            _TARGETS.clear()
        _TARGETS[key] = target
    return target


# A plain dictionary: compiled, it answers in a third of the time of `lru_cache`.
_TARGETS: Final[dict[object, RedirectTarget]] = {}


def _sets_new_session(headers: Headers, scope: Mapping[str, Any]) -> bool:
    """Whether the answer sets a cookie with a session's name, and the client sent none of that name.

    Many applications renew a session with every answer; so a session that the client sent proves nothing.
    """
    brought = _brought(scope)
    return any(
        cookie.is_called_session and f"{cookie.name}=".encode("latin-1") not in brought and not cookie.carries_message
        for cookie in kept_cookies(headers)
    )


def is_new(cookie: SetCookie, scope: Mapping[str, Any]) -> bool:
    """Whether a cookie of the answer has another value than the client brought."""
    brought = _brought(scope)
    if not brought:
        return True
    if _is_unread(brought):
        return False
    pair = f"{cookie.name}={cookie.value}".replace('"', "").replace(" ", "").encode("latin-1")
    if pair in brought or _is_signed_anew(cookie, brought):
        return False
    return not _has_escapes(pair) or _unescaped(pair) not in brought


def is_signed(value: str) -> bool:
    """Whether a cookie's value is a signed session, which holds its content itself."""
    return _SIGNED.fullmatch(value) is not None


def _is_signed_anew(cookie: SetCookie, brought: bytes) -> bool:
    """Whether a signed session is one of those `brought`, with another time.

    Applications renew it with every answer: that to a wrong secret, too.
    """
    signed = _SIGNED.fullmatch(cookie.value.replace('"', ""))
    return signed is not None and f"{cookie.name}={signed[1]}".encode("latin-1") in brought


def _brought(scope: Mapping[str, Any]) -> bytes:
    """All cookies of a request as one text, as sent and decoded. It is searched, not parsed, because parsers differ."""
    lines = [pair[1] for pair in scope.get("headers", ()) if pair[0] == b"cookie"]  # unpacked, each would cost more
    if not lines:
        return b""
    text: bytes = b";".join(lines).translate(None, b' "\t')
    # A session that the client spells otherwise (`"\\141bc"`, `ab%63`) and the application sets again is no new one.
    return text + b";" + _unescaped(text) if _has_escapes(text) and not _is_unread(text) else text


def _is_unread(brought: bytes) -> bool:
    """Whether cookies have more escapes than are decoded: each takes hundreds of instructions."""
    return brought.count(b"%") + 2 * brought.count(b"\\") > ESCAPES_MAX


def _has_escapes(text: bytes) -> bool:
    return _PERCENT in text or _BACKSLASH in text


def _unescaped(text: bytes) -> bytes:
    """Decode a cookie as `http.cookies` does, and then as a URL: frameworks do one of these, or both."""
    return unquoted(_ESCAPE.sub(_character, text) if _BACKSLASH in text else text)


def _character(escape: re.Match[bytes]) -> bytes:
    octal, other = escape.groups()
    return bytes([int(octal, 8)]) if octal else bytes(other)
