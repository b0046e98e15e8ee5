"""Tries doors with an invented log-in and, if one is given, with a right one, to test their success rules."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from sekisho.check.advice import (
    cookie_line,
    grant_line,
    no_page_line,
    no_rule_line,
    path_line,
    rule_line,
    second_step_line,
    telling_rule,
)
from sekisho.check.answer import TrialAnswer
from sekisho.check.log_in import FORM, LogIn, invented, log_in_at, plain_scope, spellings
from sekisho.check.trial import Trial, tried
from sekisho.html_forms import html_forms, name_alone, password_fields
from sekisho.model import Basis, Credentials, Door, DoorKind, Encoding, hazards
from sekisho.read import keeps_session, unpacked
from sekisho.read.cookie_flags import checks_of_cookies
from sekisho.read.csrf import CSRF_COOKIES
from sekisho.read.response.doubt import names_second_step
from sekisho.read.set_cookies import set_cookies
from sekisho.settings import asks_for_name_first, reads_other_fields, respelt_text, stepped_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sekisho.asgi.types import App
    from sekisho.html_forms import HtmlForm
    from sekisho.model.diagnosis import Diagnosis, Hazard
    from sekisho.model.headers import Headers
    from sekisho.read.set_cookies import SetCookie


FORBIDDEN = 403
MALFORMED = 400  # to a form where the application reads JSON; and, at some log-ins, to a wrong secret
TOO_MANY = 429
FAILED = 500
_NOT_HERE = frozenset({404, 405})
COOKIES_MAX = 8
_FORMS = frozenset({Encoding.FORM, Encoding.PASSWORD_GRANT})
NAME_CHARS_MAX = 64  # as of a field in the notation of doors
SPELLINGS_MAX = 8  # of a log-in at one door, until the application looks at one


class Result(Enum):
    """The finding of a door's trials."""

    GOOD = "good"  # the invented log-in failed, the right one succeeded
    HELD = "held"  # the invented log-in failed; no right one was tried
    WRONG = "wrong"  # the invented log-in was believed
    EARLY = "early"  # a name without any secret was believed, at a door to which the name comes first
    BLIND = "blind"  # the right log-in was not believed
    HALF = "half"  # the right log-in was believed, and leads to a second step
    STEPPED = "stepped"  # the right log-in was not believed, and leads to a second step
    KEPT = "kept"  # the right log-in was by the session that the client brought, which behind a step-up needs no proof
    WITHHELD = "withheld"  # the application wants a cookie that it does not get behind a step-up
    MISSING = "missing"  # the path does not exist, or not for this method
    UNTOLD = "untold"  # the application did not check the secret


_UNREAD = frozenset({Result.UNTOLD, Result.HELD, Result.GOOD, Result.BLIND})
_HAZARDS = {
    Result.WRONG: hazards.WRONG_RULE,
    Result.EARLY: hazards.WRONG_RULE,
    Result.HALF: hazards.HALF_LOG_IN,
    Result.KEPT: hazards.KEPT_SESSION,
    Result.WITHHELD: hazards.WITHHELD_COOKIE,
    Result.MISSING: hazards.MISSING_DOOR,
}
UNPROVED = (
    "Have the application log in the account of scope['state']['sekisho'].passkey_account alone, and none where that "
    "is None or missing: it was logged in without any passkey"
)
KEPT = (
    "The right log-in keeps the session that the client brought, so cookies= must not name that cookie. Exempt the "
    "log-in from the protection that keeps its token in the session, or have the application begin a new session at "
    "log-in"
)
EARLY = (
    "A name without a password is answered as a log-in is, and that answer is withheld: write a success= rule that "
    "only a log-in meets, or leave first=name out"
)
SEALED = (
    "Its answers are compressed in a way that is not read here: compress outside of the guard, or install the package "
    "of that coding (pip install brotli zstandard)"
)


class DoorReport(NamedTuple):
    """The result for one door.

    Attributes:
        door: the door.
        invented: the trial with an invented log-in.
        known: the trial with the right log-in, where there was one.
        withheld: the name of a cookie of the log-in's page without which the application answers 403; else empty.
        first: the trial with an invented name alone, where the door lets that pass.
        asks_name: whether the log-in's page sends the name alone, and the door refuses that.
        sent: the names of the page's fields for account and password, if the door reads others; else empty.
    beside: answers to other invented log-ins, of clients with other cookies; no rule may match one of them.
    """

    door: Door
    invented: Trial
    known: Trial | None = None
    withheld: str = ""
    first: Trial | None = None
    asks_name: bool = False
    sent: tuple[str, ...] = ()
    beside: tuple[TrialAnswer, ...] = ()

    @property
    def result(self) -> Result:
        if self.invented.status in _NOT_HERE and not self._lets_in_the_right_one:
            return Result.UNTOLD if "*" in self.door.path else Result.MISSING
        if self.invented.is_believed:
            return Result.WRONG
        if wrong := self._wrong_beside:
            return wrong
        tells = self.invented.tells or self._lets_in_the_right_one
        if self._moved or not (tells and (self.known is None or self.known.tells)):
            return Result.UNTOLD
        return Result.HELD if self.known is None else _of_right(self.door, self.known)

    @property
    def _lets_in_the_right_one(self) -> bool:
        """Whether the invented log-in was refused, and the right one, alike but for its name and secret, was not.

        Then they were looked at, even if the refusal is one that says nothing by itself: HTMX and Turbo want 422 with
        the page, and some services answer 404 to a name that they do not have.
        """
        return (
            self.known is not None
            and 0 < self.known.status < MALFORMED <= self.invented.status < FAILED
            and self.invented.status != TOO_MANY
        )

    @property
    def _wrong_beside(self) -> Result | None:
        """The first mistake beside the success rule itself; None where there is none."""
        if self.first is not None and self.first.is_believed:
            return Result.EARLY
        if self._keeps_session:
            return Result.KEPT
        return Result.WITHHELD if self.withheld else None

    @property
    def advice(self) -> str:
        """What to write, or to try, in one sentence; "" where nothing is wrong."""
        result, door = self.result, self.door
        told = {
            Result.MISSING: f"Correct the method or the path in SEKISHO_{door.kind.name}: the real one is open",
            Result.KEPT: KEPT,
            Result.EARLY: EARLY,
            Result.WITHHELD: cookie_line(door, self.withheld, self._telling),
            Result.UNTOLD: self._why_untold(),
            Result.STEPPED: "",
        }
        if result in told and not self._reads_others:
            return told[result]
        if self._reads_others:
            return self._respelt(*self.sent)
        if door.shows_passkey:
            return UNPROVED if result is Result.WRONG else ""
        is_sound = result in {Result.GOOD, Result.HELD} and self.invented.basis is not Basis.GUESS
        if not is_sound:
            return self._rule()
        steps = [f"Its form sends the name alone: write the door as {stepped_text(door)}"] if self.asks_name else []
        return "; ".join(dict.fromkeys([*steps, *(f"{each.what}: {each.write}" for each in self.cookies)]))

    @property
    def hazard(self) -> Hazard | None:
        """The hazard that was found; None where nothing is wrong, or where the application refused the request."""
        if self._reads_others:
            return hazards.UNREAD_ATTEMPT
        if self.result is Result.BLIND:
            return self._unseen()
        is_guessed = self.invented.basis is Basis.GUESS and not self.door.shows_passkey
        if self.result in {Result.GOOD, Result.HELD} and is_guessed:
            return hazards.GUESSED_SUCCESS
        if self.result in {Result.GOOD, Result.HELD} and self.asks_name:
            return hazards.UNREAD_ATTEMPT
        if self.result is Result.GOOD and self.cookies:
            return self.cookies[0].hazard
        return _HAZARDS.get(self.result)

    @property
    def cookies(self) -> list[Diagnosis]:
        """Diagnoses of the flags of the cookies in the answer to the right log-in; empty where none was tried."""
        headers = self.known.answer.headers if self.known is not None else []
        return checks_of_cookies([value.decode("latin-1") for name, value in headers if name.lower() == b"set-cookie"])

    @property
    def _keeps_session(self) -> bool:
        if self.known is None or self.door.kind is not DoorKind.LOGIN:
            return False
        door = replace(self.door, cookies=self.door.cookies | ({self.withheld} if self.withheld else set()))
        if not (self.known.is_believed or self._telling):
            return False
        answer = self.known.answer
        return keeps_session(door, answer.headers, answer.scope, unpacked(answer.headers, answer.body) or b"")

    @property
    def _moved(self) -> str:
        # POST to `/login` is redirected to `/login/` by many routers, and only there is a secret looked at.
        return self.invented.answer.moved_from(self.door.path)

    @property
    def _telling(self) -> str:
        """The rule to add to a door that has none."""
        if self.known is None or self.door.success:
            return ""
        return telling_rule(self.door, self.known.answer, *self._wrong)

    @property
    def _wrong(self) -> tuple[TrialAnswer, ...]:
        return self.invented.answer, *self.beside

    @property
    def _reads_others(self) -> bool:
        """Whether nothing worse is known than that the door reads other fields than its form sends."""
        is_here = self.invented.status not in _NOT_HERE and not self._moved
        return bool(self.sent) and is_here and self.result in _UNREAD

    def _respelt(self, account: str, secret: str) -> str:
        told = f"Its form has the fields {account} and {secret}, and the door reads others"
        line = respelt_text(self.door, account, secret)
        return f"{told}: write the door in SEKISHO_{self.door.kind.name} as: {line}" if line else told

    def _why_untold(self) -> str:
        if self._moved:
            return path_line(self.door, self._moved)
        statuses = [self.invented.status, *([] if self.known is None else [self.known.status])]
        if "*" in self.door.path and self.invented.status in _NOT_HERE:
            return no_page_line(self.door)
        if any(status == 0 or status >= 500 for status in statuses):
            return f"The application failed: {self._raised or 'its own log says why'}"
        return "The application refused the request itself, for any secret (a CSRF check, a field it lacks)"

    @property
    def _raised(self) -> str:
        return self.invented.error or (self.known.error if self.known is not None else "")

    def _unseen(self) -> Hazard:
        is_sealed = self.known is not None and self.known.answer.is_sealed
        return hazards.UNREAD_CODING if is_sealed else hazards.UNSEEN_SUCCESS

    def _rule(self) -> str:
        right = self.known.answer if self.known is not None else None
        if right is not None and right.asks_for_more:
            return second_step_line(self.door, right, *self._wrong)
        if self.result is Result.BLIND and right is not None and right.is_sealed:
            return SEALED
        if self.result is Result.BLIND and right is not None and not telling_rule(self.door, right, *self._wrong):
            is_grant = any(fields.encoding is Encoding.PASSWORD_GRANT for fields in self.door.fields)
            return grant_line(self.door) if is_grant and right.status >= MALFORMED else no_rule_line(self.door, right)
        return rule_line(self.door, right, *self._wrong)


def _of_right(door: Door, known: Trial) -> Result:
    """The result where the invented log-in failed, by the trial with the right one."""
    # A page of such a name that the rule itself names was chosen, as the advice offers it.
    is_meant = any(names_second_step(rule.location) for rule in door.success if rule.location)
    if known.is_believed:
        return Result.HALF if known.answer.asks_for_more and not is_meant else Result.GOOD
    # By a rule, a log-in without its second step is no success: as it should be.
    return Result.STEPPED if known.answer.asks_for_more and known.basis is Basis.RULE else Result.BLIND


class _Way(NamedTuple):
    """What a log-in is modelled on.

    Attributes:
        like: the scope of a request, with the content type.
        body: a body with the name of the account's field.
    """

    like: dict[str, Any]
    body: bytes


class _FilledForm(NamedTuple):
    """The log-in form of a page, as a browser would send it back.

    Attributes:
        hidden: its hidden fields.
        cookies: all that the page sets.
        tokens: those of them that the application sees behind a step-up: of CSRF protections, and named by the door.
    """

    hidden: dict[str, str]
    cookies: list[SetCookie]
    tokens: list[SetCookie]

    @staticmethod
    def of(door: Door, page: TrialAnswer) -> _FilledForm | None:
        """The form; None where it has no hidden fields, or the door reads no form."""
        hidden, cookies = _hidden(page), [cookie for cookie in set_cookies(page.headers) if not cookie.deletes]
        if not hidden or not any(fields.encoding in _FORMS for fields in door.fields):
            return None
        return _FilledForm(hidden, cookies, [each for each in cookies if each.name in {*CSRF_COOKIES, *door.cookies}])


def _not_shown(door: Door, form: _FilledForm) -> str:
    """The cookie of a page that the application misses behind a step-up: a session's name before another."""
    others = [cookie for cookie in form.cookies if cookie.name not in {*CSRF_COOKIES, *door.cookies}]
    withheld = next((cookie.name for cookie in others if cookie.is_called_session), "")
    return withheld or (others[0].name if others else "")


class Probe:
    """Args:
    app: the application behind the guard.
    doors: all of the guard's.
    around: keys that the framework puts into all its scopes.
    chance: `n -> n` random bytes.
    """

    def __init__(
        self, app: App, doors: Iterable[Door], around: Mapping[str, Any], chance: Callable[[int], bytes]
    ) -> None:
        self._app = app
        self._doors = tuple(doors)
        self._around = around
        self._chance = chance

    async def __call__(self, known: Credentials | None = None, names: Collection[str] = ()) -> list[DoorReport]:
        """Try the doors, one after the other.

        Args:
            known: a right log-in. It is tried only at `LOGIN` doors.
            names: doors to try besides the `LOGIN` and `PASSKEY` doors; their requests may do more than open a session.
        """
        wanted = [door for door in self._doors if door.fields and (_can_be_tried(door) or door.name in names)]
        return [await self._try(door, known if door.kind is DoorKind.LOGIN else None) for door in wanted]

    async def _try(self, door: Door, known: Credentials | None) -> DoorReport:
        page = await self._page(door)
        report = await self._tried(door, known, page)
        if door.name_first:
            return report._replace(first=await self._first_step(door, report.invented))
        return report._replace(asks_name=_asks_name(door, page), sent=_sent(door, page))

    async def _first_step(self, door: Door, like: Trial) -> Trial:
        """The trial with a name alone, in the spelling of the log-in that the application looked at."""
        nameless = replace(door, fields=tuple(replace(fields, secret=()) for fields in door.fields))
        step = log_in_at(nameless, invented(self._chance), {**like.answer.scope})
        return await tried(self._app, door, step)

    async def _tried(self, door: Door, known: Credentials | None, page: TrialAnswer) -> DoorReport:
        ways = await self._ways_in(door, _csrf(door, page.headers))
        way, made_up = ways[0]
        withheld = await self._withheld(door, page.headers, way) if made_up.status == FORBIDDEN else ""
        form = _FilledForm.of(door, page)
        if form is not None and (wrong := await self._believed(door, form, known)) is not None:
            return wrong
        if known is None:
            return DoorReport(door, made_up, None, withheld)
        reports = []
        for way, made_up in ways:
            right = await self._right(door, way, known)
            reports.append(DoorReport(door, made_up, right, withheld))
            if right.is_believed or withheld or telling_rule(door, right.answer, made_up.answer):
                return reports[-1]
        return (await self._by_form(reports[0], form, known) if form is not None else None) or reports[0]

    async def _believed(self, door: Door, form: _FilledForm, known: Credentials | None) -> DoorReport | None:
        """The report of a door that believes an invented log-in by its form, from a client without a session."""
        way = self._filled(door, form, form.tokens)
        made_up = await self._invented(door, way)
        if not made_up.is_believed:
            return None
        return DoorReport(door, made_up, await self._right(door, way, known) if known is not None else None)

    async def _by_form(self, report: DoorReport, form: _FilledForm, known: Credentials) -> DoorReport | None:
        """The report of log-ins with the hidden fields of the page's form; None if they show no more.

        The first has no cookie but the usual ones of CSRF protections. Many protections keep a token in the session and
        in a field (WTForms), so the second has all cookies. An application may begin a session for a wrong log-in as
        well if the client has none: so no rule may match the first one's invented log-in either.
        """
        door, beside = report.door, [report.invented.answer]
        for cookies in (form.tokens, form.cookies):
            way = self._filled(door, form, cookies)
            made_up = await self._invented(door, way)
            right = await self._right(door, way, known)
            found = DoorReport(door, made_up, right, beside=tuple(beside))
            is_shown = right.is_believed or right.answer.asks_for_more
            if is_shown or telling_rule(door, right.answer, made_up.answer, *beside):
                return found if cookies == form.tokens else found._replace(withheld=_not_shown(door, form))
            beside.append(made_up.answer)
        return None

    async def _invented(self, door: Door, way: _Way) -> Trial:
        return await tried(self._app, door, log_in_at(door, invented(self._chance), way.like, way.body))

    async def _right(self, door: Door, way: _Way, known: Credentials) -> Trial:
        return await tried(self._app, door, log_in_at(door, known, way.like, way.body))

    def _filled(self, door: Door, form: _FilledForm, cookies: list[SetCookie]) -> _Way:
        pairs = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies[:COOKIES_MAX]).encode("latin-1")
        shown = [(b"cookie", pairs)] if pairs else []
        headers = [*shown, *_origin(door), (b"content-type", FORM)]
        return _Way(plain_scope(door, self._around, headers=headers), urlencode(form.hidden).encode())

    async def _ways_in(self, door: Door, headers: Headers) -> list[tuple[_Way, Trial]]:
        """The spelling of a log-in that the application looks at, of all that the door reads; else the first.

        Several where each is answered 400: some applications say so to a wrong secret, others to what they cannot read.
        """
        others: list[tuple[_Way, Trial]] = []
        for media, body in islice(spellings(door), SPELLINGS_MAX):
            way = _Way(plain_scope(door, self._around, headers=[*headers, *media]), body)
            trial = await tried(self._app, door, log_in_at(door, invented(self._chance), way.like, body))
            if trial.status != MALFORMED and (trial.tells or trial.status == FORBIDDEN):
                return [(way, trial)]
            others.append((way, trial))
        if not others:
            raise AssertionError  # a door that checks a secret reads something
        return [each for each in others if each[1].status == MALFORMED] or others[:1]

    async def _page(self, door: Door) -> TrialAnswer:
        """The log-in page, where there is one."""
        if not door.reads_body:
            return TrialAnswer(0, [], {}, b"")
        page = plain_scope(door, self._around, method="GET", headers=[(b"accept", b"text/html")])
        return (await tried(self._app, door, LogIn(page, b"", Credentials("", "")))).answer

    async def _withheld(self, door: Door, page: Headers, way: _Way) -> str:
        """The cookie of the page that turns the application's 403 into a look at the secret; "" if none does."""
        for cookie in islice(set_cookies(page), COOKIES_MAX):
            shown = (b"cookie", f"{cookie.name}={cookie.value}".encode("latin-1"))
            media = [(name, value) for name, value in way.like["headers"] if name == b"content-type"]
            like = plain_scope(door, self._around, headers=[shown, *_origin(door), *media])
            if (await tried(self._app, door, log_in_at(door, invented(self._chance), like, way.body))).tells:
                return cookie.name
        return ""


def _hidden(page: TrialAnswer) -> dict[str, str]:
    """The hidden fields of the page's form for a password."""
    body = unpacked(page.headers, page.body) or b""
    forms = [form.fields for form in html_forms(body.decode(errors="replace")) if form.method == "POST"]
    found = next((fields for fields in forms if any(field.kind == "password" for field in fields)), [])
    return {field.name: field.value for field in found if field.kind == "hidden" and field.name}


def _forms_of(door: Door, page: TrialAnswer) -> list[HtmlForm]:
    """The forms of the page that are sent to the door."""
    body = unpacked(page.headers, page.body) or b""
    forms = [form for form in html_forms(body.decode(errors="replace")) if form.method == door.method]
    return [form for form in forms if urlsplit(urljoin(door.path, form.action)).path == door.path]


def _asks_name(door: Door, page: TrialAnswer) -> bool:
    """Whether the page has a form that sends the name alone to the door, which refuses that."""
    return any(asks_for_name_first(door, name_alone(form)) for form in _forms_of(door, page))


def _sent(door: Door, page: TrialAnswer) -> tuple[str, ...]:
    """The names of the fields of the page's log-in forms, if the door reads none of them so; else empty."""
    pairs = [pair for form in _forms_of(door, page) if (pair := password_fields(form)) is not None and all(pair)]
    is_unread = all(reads_other_fields(door, *pair) for pair in pairs)
    return pairs[0] if pairs and is_unread and all(map(_is_told, pairs[0])) else ()


def _is_told(name: str) -> bool:
    """Whether a field's name may be printed: a page's text could move the cursor of a terminal."""
    return len(name) <= NAME_CHARS_MAX and name.isprintable() and " " not in name


def _can_be_tried(door: Door) -> bool:
    # The values of placeholders are not known, nor the types of a GraphQL operation. Where a passkey begins a log-in,
    # the invented one shows whether the application logs somebody in without the guard's word.
    logs_in = door.kind is DoorKind.LOGIN or door.shows_passkey
    return logs_in and "{" not in door.path and not door.operation


def _csrf(door: Door, headers: Headers) -> Headers:
    """The CSRF cookies of a page and those that the door names, and the headers that its scripts would add."""
    shown = CSRF_COOKIES.keys() | door.cookies
    tokens = [cookie for cookie in set_cookies(headers) if cookie.name in shown and not cookie.deletes]
    found = [
        (CSRF_COOKIES[cookie.name][1].encode(), cookie.value.encode("latin-1"))
        for cookie in tokens
        if cookie.name in CSRF_COOKIES
    ]
    pairs = [f"{cookie.name}={cookie.value}".encode("latin-1") for cookie in tokens]
    return [*found, *_origin(door), (b"cookie", b"; ".join(pairs))] if tokens else []


def _origin(door: Door) -> Headers:
    return [(b"origin", b"https://localhost"), (b"referer", f"https://localhost{door.path}".encode())]
