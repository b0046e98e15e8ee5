"""What became of an attempt, learned from the application's answer.

Only a proven success gives a charge back. So doubt is never resolved in favour of the attempt: a log-in that is not
recognised costs its owner one charge, a failure that is taken for a success costs the account its limit.
"""

from __future__ import annotations

from collections import Counter
from json import loads
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from sekisho.model import Outcome, SuccessBy
from sekisho.read.paths import path_key
from sekisho.read.set_cookies import SetCookie, set_cookies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.model import Door, Path, SuccessRule

Headers = list[tuple[bytes, bytes]]

_LEADS_AWAY = frozenset({301, 302, 303})  # 307 and 308 send the credentials on: nothing was decided yet
_VALUES_LOOKED_AT = 256


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What answers call a token, less case, `_` and `-`.
_TOKENS = _words("accesstoken authtoken bearertoken idtoken jwt jwttoken session sessionid sessiontoken sid token")
_WRAPPERS = _words("auth data payload response result session tokens")
_YES_OR_NO = _words("ok success succeeded successful authenticated loggedin isauthenticated valid")
_TOLD_IN_WORDS = _words("status state result message msg detail reason code next step type title")

# What stands in an answer that is not, or not yet, a log-in. Parts of words: `mfa_required`, `errorCode`.
_DOUBTFUL_KEYS = _words(
    "mfa 2fa otp twofactor secondfactor multifactor challenge verify verification captcha nextstep error fail invalid "
    "denied lock"
)
_DOUBTFUL_WORDS = _words(
    "mfa 2fa otp factor two-step challenge verif captcha error fail invalid incorrect wrong denied deny lock unauthor "
    "forbid reject expire retry reset code"
)
_DOUBTFUL_PLACES = _DOUBTFUL_WORDS | _words("login log-in log_in signin sign-in sign_in auth")


def from_start(door: Door, status: int, headers: Headers, path: str) -> Outcome | None:
    """The outcome as status and headers tell it, or `None` where the body must be read as well.

    Args:
        door: its `success` rules decide alone where it has any.
        status: of the answer.
        headers: of the answer, names in lower case.
        path: `scope["path"]` of the request, to see where a redirect leads.
    """
    if door.success:
        return _by_rules(door.success, status, headers, path)
    if status >= 400:
        return Outcome.FAILED
    if status in _LEADS_AWAY:
        proven = _leads_away(door, path, headers) and _sets_session(headers)
        return Outcome.SUCCEEDED if proven else Outcome.UNKNOWN
    if 200 <= status < 300 and _is_readable_json(headers):
        return None
    # A form that is shown again with 200 sets cookies, too.
    return Outcome.UNKNOWN


def from_body(door: Door, status: int, body: bytes, headers: Headers | tuple[()] = ()) -> Outcome:
    """The outcome when the whole body is there. `headers`, where given, let a session cookie count.

    A body that was cut, or is too large to keep, must not be handed in: it is `UNKNOWN`.
    """
    tree = json_tree(body)
    if tree is None or not 200 <= status < 300:
        return Outcome.UNKNOWN
    if door.success:
        wanted = (rule.path for rule in door.success if rule.by is SuccessBy.JSON)
        return Outcome.SUCCEEDED if any(value_at(tree, path) for path in wanted) else Outcome.FAILED
    if any(_is_doubtful(key, value) for key, value in _entries(tree)):
        return Outcome.UNKNOWN
    return Outcome.SUCCEEDED if usual_token(tree) or _sets_session(headers) else Outcome.UNKNOWN


def _by_rules(rules: Sequence[SuccessRule], status: int, headers: Headers, path: str) -> Outcome | None:
    for rule in rules:
        if _matches(rule, status, headers, path):
            return Outcome.SUCCEEDED
    if 200 <= status < 300 and any(rule.by is SuccessBy.JSON for rule in rules):
        if _is_readable_json(headers):
            return None
        # Compressed by a middleware inside ours: it may hold what the rule asks for.
        return Outcome.UNKNOWN if _header(headers, b"content-encoding") else Outcome.FAILED
    return Outcome.FAILED


def _matches(rule: SuccessRule, status: int, headers: Headers, path: str) -> bool:
    if rule.by is SuccessBy.STATUS:
        return status in rule.statuses and (not rule.location or _leads_to(rule.location, path, headers))
    if rule.by is SuccessBy.COOKIE:
        # An application that sets its session cookie on a 401 has not let anybody in.
        return status < 400 and any(cookie.name == rule.name for cookie in _cookies(headers))
    return False


def _leads_to(wanted: str, path: str, headers: Headers) -> bool:
    target = _target(path, headers)
    if target is None:
        return False
    if "?" in wanted:
        return target.startswith(wanted)
    # By whole segments, and `/` for itself alone: else `302:/` would take `/login?error` for a success.
    there = target.partition("?")[0].rstrip("/")
    return there == wanted.rstrip("/") or (wanted != "/" and there.startswith(wanted.rstrip("/") + "/"))


def _leads_away(door: Door, path: str, headers: Headers) -> bool:
    target = _target(path, headers)
    if target is None:
        return False
    there = path_key(target.partition("?")[0])
    if any(there == here or there.startswith(here + "/") for here in (path_key(path), path_key(door.path)) if here):
        return False
    return there != path_key(path) and not _any_in(_DOUBTFUL_PLACES, target)


def _target(path: str, headers: Headers) -> str | None:
    """Path and query of `Location`, resolved against the request's path."""
    location = _header(headers, b"location")
    if not location:
        return None
    try:
        parts = urlsplit(urljoin(path, location.decode("latin-1")))
    except ValueError:  # an address in brackets that is none
        return None
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _header(headers: Headers | tuple[()], wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")


def _is_readable_json(headers: Headers) -> bool:
    media = _header(headers, b"content-type").partition(b";")[0].strip().lower()
    plain = _header(headers, b"content-encoding") in {b"", b"identity"}
    return plain and (media == b"application/json" or (media.startswith(b"application/") and media.endswith(b"+json")))


def _sets_session(headers: Headers | tuple[()]) -> bool:
    return any(cookie.may_be_session for cookie in set_cookies(headers))


def _cookies(headers: Headers | tuple[()]) -> Iterator[SetCookie]:
    """The cookies that are set to a value and are not deletions."""
    return (cookie for cookie in set_cookies(headers) if not cookie.deletes)


def json_tree(body: bytes) -> dict[str, Any] | None:
    """A JSON object, or `None` where the body is none."""
    try:
        tree = loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def value_at(tree: Any, path: Path) -> Any:
    """What stands at a path; `None` where nothing does."""
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree


def _entries(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values at all depths, as many as are worth looking at."""
    waiting: list[Any] = [tree]
    seen = 0
    while waiting and seen < _VALUES_LOOKED_AT:
        here = waiting.pop(0)
        pairs = list(here.items()) if isinstance(here, dict) else [("", value) for value in here]
        for key, value in pairs[: _VALUES_LOOKED_AT - seen]:
            seen += 1
            yield key, value
            if isinstance(value, dict | list):
                waiting.append(value)


def usual_token(tree: dict[str, Any]) -> str:
    """The first token under a usual name, on top or in a usual wrapper; "" where there is none."""
    wrapped = (value for key, value in tree.items() if _plain(key) in _WRAPPERS and isinstance(value, dict))
    tokens = (
        value
        for each in (tree, *wrapped)
        for key, value in each.items()
        if _plain(key) in _TOKENS and isinstance(value, str) and value
    )
    return next(tokens, "")


def _is_doubtful(key: str, value: Any) -> bool:
    plain = _plain(key)
    if plain in _YES_OR_NO:
        return not value or (isinstance(value, str) and value.lower() in {"false", "no", "0"})
    if plain in _TOLD_IN_WORDS:
        return isinstance(value, str) and _any_in(_DOUBTFUL_WORDS, value)
    return bool(value) and _any_in(_DOUBTFUL_KEYS, plain)


def _any_in(words: frozenset[str], text: str) -> bool:
    folded = text.lower()
    return any(word in folded for word in words)


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


class RuleSuggester:
    """Watches the answers of a door without rules, and says which rule would have told its successes."""

    __slots__ = ("_door", "_failed", "_failing", "_seen", "_succeeding")

    ATTEMPTS_MIN: Final = 50
    RULES_MAX: Final = 64  # an application that makes up cookie names must not make us remember them all

    def __init__(self, door: Door) -> None:
        self._door = door
        self._seen = 0
        self._failed = False
        self._succeeding: Counter[str] = Counter()
        self._failing: set[str] = set()

    def saw(self, status: int, headers: Headers) -> None:
        """Take note of one answer. What may be a form shown again counts among the failures."""
        self._seen += 1
        away = status in _LEADS_AWAY and _leads_away(self._door, self._door.path, headers)
        rules = tuple(_candidates(self._door, status, headers))
        if away or (200 <= status < 300 and _is_readable_json(headers)):
            self._succeeding.update(rule for rule in rules if rule in self._succeeding or self._has_room())
        else:
            self._failed = True
            self._failing.update(rule for rule in rules if rule in self._failing or self._has_room())

    def suggestion(self) -> str | None:
        """A rule in the notation of the settings, once 50 attempts were seen and one rule tells them apart."""
        # Without a failure seen, nothing shows that the rule would not fit failures as well.
        if self._seen < self.ATTEMPTS_MIN or not self._failed:
            return None
        telling = (rule for rule, _ in self._succeeding.most_common() if rule not in self._failing)
        return next(telling, None)

    def _has_room(self) -> bool:
        return len(self._succeeding) + len(self._failing) < self.RULES_MAX


def _candidates(door: Door, status: int, headers: Headers) -> Iterator[str]:
    for cookie in _cookies(headers):
        if cookie.may_be_session and _is_plain(cookie.name):
            yield f"cookie:{cookie.name}"
    if status in _LEADS_AWAY and (target := _target(door.path, headers)) is not None:
        segment = target.partition("?")[0].split("/")[1]
        # Deeper segments may be somebody's name.
        if _is_plain(segment):
            yield f"{status}:/{segment}"


def _is_plain(text: str) -> bool:
    return len(text) <= 64 and frozenset(text) <= frozenset(ascii_letters + digits + "-_.")
