"""Suggest a success rule for a door that has none."""

from __future__ import annotations

from collections import Counter
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any, Final

from sekisho.read.cookie_names import is_never_session, is_session
from sekisho.read.response.doubt import is_doubtful, is_promising, names_second_step, place_is_doubtful, says_no
from sekisho.read.response.head import bearer_token, header, is_json, redirect_of_htmx
from sekisho.read.response.redirect import is_named_by, stays, target_of
from sekisho.read.response.tree import entries, outer, plain, usual_token, usual_tokens
from sekisho.read.set_cookies import kept_cookies, set_cookies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.model import Door
    from sekisho.model.headers import Headers


_REDIRECTS = frozenset({301, 302, 303})
_REFUSALS = frozenset({400, 403, 404, 409, 423})
_UNCLEAR = "unclear"
_FAILED = "failed"
_PAGE = "page"
_FLAGS = frozenset(["ok", "success", "succeeded", "successful", "authenticated", "loggedin"])
_TOLD = frozenset(["status", "result", "code"])


class RuleSuggester:
    """Observe the answers of a door without rules, strangers' included, and suggest a rule that identifies successes.

    Some answers to strangers that look like a success may be failures. So a rule is suggested only if the door has
    answered wrong secrets, if none of those answers matches the rule, and if all matching answers look alike.
    """

    __slots__ = ("_door", "_failed", "_failing", "_fitting", "_front", "_is_hopeful", "_is_proven", "_looks", "_seen")

    ATTEMPTS_MIN: Final = 50
    FAILURES_MIN: Final = 5
    FITTING_MIN: Final = 3
    GUESSED_MIN: Final = 5
    FRONT_MIN: Final = 10
    ATTEMPTS_LOST: Final = 200
    RULES_MAX: Final = 64  # bounds the memory if an application generates cookie names
    LOOKS_MAX: Final = 8

    def __init__(self, door: Door) -> None:
        self._door = door
        self._seen = 0
        self._failed = 0
        self._failing: set[str] = set()
        self._fitting: dict[str, Counter[str]] = {}
        self._front: Counter[str] = Counter()  # cookies that came as a new session with a redirect to the front page
        self._looks: set[str] = set()
        self._is_hopeful = False
        self._is_proven = False

    def saw(self, status: int, headers: Headers, scope: Mapping[str, Any], sent: bytes = b"") -> None:
        """Record status and headers of one answer. For a JSON answer, call `read` or `unread` as well.

        `scope`: of the request; `sent`: its body.
        """
        self._seen += 1
        if 200 <= status < 300 and (place := redirect_of_htmx(headers)):
            status, headers = 303, [(b"location", place), *headers]
        if not self._door.reads_body:
            self._note_status(status)
        elif status >= 400:
            # A page with 400 or 403 may be about the form's token alone.
            self._fails(status in {401, 422} or (status in _REFUSALS and is_json(headers)), status, headers)
        elif status in _REDIRECTS:
            self._note_redirect(status, headers, scope, sent)
        elif status == 204:
            self._note("204", headers, "204")
        elif not is_json(headers):
            # The form, shown again.
            self._fails(200 <= status < 300, status, headers, self._note_page(status, headers, scope))

    def read(self, status: int, headers: Headers, tree: dict[str, Any]) -> None:
        """Record the body of a JSON answer."""
        found = entries(tree)
        if found is None:
            return
        if any(is_doubtful(key, value) for key, value in found):
            self._fails(True, status, headers)
            self._failing.update(rule for rule in of_json(tree) if self._has_room_for(rule))
            return
        rules = list(of_json(tree))
        self._is_proven = self._is_proven or bool(usual_token(tree) or bearer_token(headers))
        if rules or any(is_promising(key, value) for key, value in entries(tree) or ()):
            rules.append(f"{status // 100}xx")
        self._note("json", headers, *rules)

    def unread(self, status: int, headers: Headers) -> None:
        """Record a JSON answer whose body is not read, by its cookies alone: failures may have the same status."""
        if status == 200 and is_json(headers):
            self._looks_like("" if of_cookies(headers) else "json without a session")
            self._note("json", headers)

    @property
    def is_due(self) -> bool:
        """Whether to ask for a suggestion: at every tenth attempt after the first 50."""
        return self._seen >= self.ATTEMPTS_MIN and self._seen % 10 == 0

    def suggestion(self) -> str | None:
        """Return a rule that identifies successes, as settings write it; None before 50 attempts or if no rule does."""
        # Without observed failures, the rule might match failures too.
        if self._seen < self.ATTEMPTS_MIN or self._failed < self.FAILURES_MIN:
            return None
        telling = [rule for rule, looks in self._fitting.items() if self._tells(rule, looks)]
        return min(telling, key=preference) if telling else None

    def guess(self) -> str | None:
        """Return a rule that several answers fit and no failure, for a door whose own rule fits no answer; else None.

        It proves less than a suggestion: perhaps the door has answered no right secret yet.
        """
        if not self.shows_success:
            return None
        telling = [
            rule
            for rule, looks in self._fitting.items()
            if self._tells(rule, looks) and looks.total() >= self.GUESSED_MIN
        ] or self._of_front_page()
        return min(telling, key=preference) if telling else None

    def _of_front_page(self) -> list[str]:
        """Sessions that only redirects to the front page begin: failures may lead there, but not where one was seen."""
        return [
            rule
            for rule, count in self._front.items()
            if self._failed and count >= self.FRONT_MIN and rule not in self._failing
        ]

    def hint(self) -> str | None:
        """Return a cookie or the front page as a rule, after 100 attempts without a suggestion; None if there is none.

        The operator must decide: the rule fits redirects to the front page, or to the page that the client asked for.
        Some applications redirect failures there as well, with a session that holds the message.
        """
        if self._seen < 2 * self.ATTEMPTS_MIN or self._failed < self.FAILURES_MIN:
            return None
        unclear = [
            rule for rule, looks in self._fitting.items() if set(looks) == {_UNCLEAR} and rule not in self._failing
        ]
        return min(unclear, key=preference) if unclear else None

    @property
    def has_failures(self) -> bool:
        """Whether an answer to a wrong secret was seen."""
        return self._failed > 0

    @property
    def shows_success(self) -> bool:
        """Whether some answer looks like one to a right secret.

        It has the signs by which success is guessed: a token, or a new session and a redirect away. Or it may be one by
        its kind, and another answer differs from it. Answers that all look alike may be those to a list of wrong
        secrets.
        """
        return self._is_proven or (self._is_hopeful and len(self._looks) > 1)

    @property
    def is_at_a_loss(self) -> bool:
        """Whether 200 attempts were seen: a suggestion or a hint that is still missing is not to be expected."""
        return self._seen >= self.ATTEMPTS_LOST

    def _tells(self, rule: str, looks: Counter[str]) -> bool:
        # A session that is renewed with every answer has several looks, and some are failures.
        clear = len(looks) == 1 and _UNCLEAR not in looks and looks.total() >= self.FITTING_MIN
        return clear and rule not in self._failing

    def _note_status(self, status: int) -> None:
        """With HTTP Basic on any page, only a refusal is informative."""
        if status in {401, 403}:
            self._failed += 1
            self._looks_like(_FAILED)
        elif status < 400 or status == 404:
            self._note("other", [], "!401,403")

    def _note_redirect(self, status: int, headers: Headers, scope: Mapping[str, Any], sent: bytes) -> None:
        target = target_of(header(headers, b"location").decode(errors="replace"), scope["path"])
        if target is None:
            return None
        if target.path.casefold() == scope["path"].rstrip("/").casefold():
            return self._fails(True, status, headers)
        segment = target.path.split("/")[1]
        if place_is_doubtful(target.path):
            # `/inactive`, `/2fa`: its cookies are no rule, and it is no success.
            return self._fit_each(_UNCLEAR, of_cookies(headers))
        away = stays(target, scope.get("headers", ())) and not target.rest
        if not away or is_named_by(scope, sent, target):
            # A page that the client named proves nothing.
            return self._note(_UNCLEAR, headers)
        if not segment:
            # Failures also redirect to the front page.
            if _begins_session(headers):
                self._front.update(rule for rule in of_cookies(headers) if self._has_room_for(rule))
            return self._note(_UNCLEAR, headers, f"{status}:/")
        self._is_proven = self._is_proven or _begins_session(headers)
        # Deeper segments may be a user's name.
        return self._note(f"{status} {segment}", headers, f"{status}:/{segment}" if _is_plain(segment) else "")

    def _note_page(self, status: int, headers: Headers, scope: Mapping[str, Any]) -> str:
        """The look of a page. One that sets no session looks like one that does if the client may have brought it."""
        if not of_cookies(headers):
            return _PAGE if header(scope.get("headers", ()), b"cookie") else _FAILED
        self._is_hopeful = self._is_hopeful or status < 300
        return _PAGE

    def _note(self, look: str, headers: Headers, *rules: str) -> None:
        shown = [rule for rule in (*of_cookies(headers), *rules) if rule]
        self._fit_each(look, shown)
        if shown:
            self._is_hopeful = True
            self._looks_like(look)

    def _fit_each(self, look: str, rules: list[str]) -> None:
        for rule in rules:
            self._fits(rule, look)

    def _fits(self, rule: str, look: str) -> None:
        if self._has_room_for(rule):
            self._fitting.setdefault(rule, Counter())[look] += 1

    def _looks_like(self, look: str) -> None:
        if look and len(self._looks) < self.LOOKS_MAX:
            self._looks.add(look)

    def _fails(self, tells: bool, status: int, headers: Headers, look: str = _FAILED) -> None:
        """`tells`: the answer is one to a wrong secret, not to a server error or a bad form token."""
        self._failed += tells
        if tells:
            self._looks_like(look)
        rules = of_cookies(headers)
        if status < 300:
            rules += [f"{status // 100}xx", str(status)]
        if rules:
            self._failing.update(rule for rule in rules if self._has_room_for(rule))

    def _has_room_for(self, rule: str) -> bool:
        known = len(self._fitting) + len(self._failing)
        return known < self.RULES_MAX or rule in self._fitting or rule in self._failing


def _begins_session(headers: Headers) -> bool:
    return any(cookie.is_called_session and not cookie.carries_message for cookie in kept_cookies(headers))


def of_cookies(headers: Headers) -> list[str]:
    cookies = [cookie for cookie in set_cookies(headers) if cookie.may_be_session and _is_plain(cookie.name)]
    return [f"cookie:{cookie.name}" for cookie in cookies]


def of_readable_cookies(headers: Headers) -> list[str]:
    """The rules by cookies that are named like sessions and that scripts can read. A name alone may mislead."""
    cookies = [cookie for cookie in kept_cookies(headers) if not cookie.http_only and _is_plain(cookie.name)]
    return [
        f"cookie:{cookie.name}" for cookie in cookies if is_session(cookie.name) and not is_never_session(cookie.name)
    ]


def of_json(tree: dict[str, Any]) -> Iterator[str]:
    """The rules that fit an answer's JSON: by a token, by a second step that is not asked for, by a flag or a word."""
    for path, _ in usual_tokens(tree):
        if all(map(_is_field, path)):
            yield f"json:{'.'.join(path)}"
    for path, value in outer(tree):
        if value is False and names_second_step(path[-1]) and all(map(_is_field, path)):
            yield f"json:{'.'.join(path)}=false"
    for key, value in tree.items():
        if not _is_field(key):
            continue
        if plain(key) in _FLAGS and isinstance(value, bool | int) and not says_no(value):
            yield f"json:{key}"
        if plain(key) in _TOLD and _is_word(value) and _may_say_yes(key, value):
            yield f"json:{key}={value}"


def _may_say_yes(key: str, value: Any) -> bool:
    """Whether a result is a number or a word of success; `E101` may be what each wrong secret is answered with."""
    return str(value).isdigit() or is_promising(key, value)


def _is_word(value: Any) -> bool:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return 0 < len(text) <= 16 and _is_plain(text)


_ORDER = ("json:", "cookie:", "30", "204", "!", "2")


def preference(rule: str) -> tuple[int, int, str]:
    """The sort key of rules, strongest proof first: a token, a session, a place, a status.

    That no second step is asked for precedes a flag: the answer that asks for one has the same flag, and a session.
    """
    rank = next(n for n, start in enumerate(_ORDER) if rule.startswith(start))
    name, told, value = rule.partition("=")
    if told:
        return rank, 1 if value == "false" else 3, rule
    return rank, 2 if plain(name.rpartition(".")[2].removeprefix("json:")) in _FLAGS else 0, rule


def _is_field(name: str) -> bool:
    return _is_plain(name) and "." not in name


def _is_plain(text: str) -> bool:
    return len(text) <= 64 and frozenset(text) <= frozenset(ascii_letters + digits + "-_.")
