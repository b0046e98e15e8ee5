"""The notation of doors: the routes that check a secret, the fields that hold it, and the success rules.

    POST /login form:username,password json:user.email,password success=302:/home|cookie:session; * /files/* basic

A door that never matches a request protects nothing, without a visible sign. So notation that cannot match a request
as the framework sees it (a query, an escape, a pattern) is refused here, at start.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sekisho.model import Charset, Door, DoorKind, Encoding, Fields, Path, SettingsError, SuccessBy, SuccessRule

if TYPE_CHECKING:
    from collections.abc import Iterable

DOORS_MAX = 64
RULES_MAX = 8
ALTERNATIVES_MAX = 4
DEPTH_MAX = 8
LET_THROUGH_MAX = 8
TENANTS_MAX = 3

TWO_CHARSETS = "has basic in two charsets at one path; write the same at all its methods"
TWO_TENANCIES = (
    "has a door that composes accounts of another number of parts than the others; write account= at all doors that "
    "name an account, with fixed text where there is no tenant: account=main/{username}"
)
SAME_ROUTE = "repeats a method and path that already is a door; put all its encodings into one door"

METHOD = re.compile(r"[A-Z]{1,16}|\*")
_PATH = re.compile(r"/[^\s?#%*{}<>\\\x00-\x1f\x7f]{0,255}")
_FIELD = re.compile(r"[^\s,|;:=\x00-\x1f\x7f]{1,64}")
PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_OPERATION = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})\(([^()]*)\)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`~0-9A-Za-z-]{1,64}")
_CREDENTIALS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "sekisho-device", "sekisho-tie", "sekisho-challenge"}
)
_STATUS = re.compile(r"[23][0-9][0-9]|[23]xx")
_ELSEWHERE = re.compile(r"(3[0-9][0-9]|3xx)!(/[^\s?#,]{1,255}(?:,/[^\s?#,]{1,255}){0,7})")
_REFUSALS = re.compile(r"!4[0-9][0-9](?:,4[0-9][0-9]){0,7}")
_VALUE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOCATION = re.compile(r"(?:https?://[^\s/?#]{1,253})?/[^\s]{0,255}")

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
# Encodings that would both read a body of the same content type, so that the fields would be ambiguous.
_RIVALS = (
    frozenset({Encoding.FORM, Encoding.MULTIPART}),
    frozenset({Encoding.FORM, Encoding.PASSWORD_GRANT}),
)

_STANDARD = frozenset({Encoding.BASIC, Encoding.PASSWORD_GRANT})

_FORMS = frozenset({Encoding.FORM, Encoding.MULTIPART})
_FORM_WORDS = frozenset(encoding.value for encoding in _FORMS)
_ENCODINGS = frozenset(encoding.value for encoding in Encoding)
_PARTS = (
    *(encoding.value for encoding in Encoding),
    *("success=", "cookies=", "headers=", "account=", "on_file=", "contact=", "first=", "notice="),
)
_STEPS = frozenset({Encoding.FORM, Encoding.MULTIPART, Encoding.JSON})
_NESTED = frozenset({Encoding.JSON, Encoding.GRAPHQL})

_NAMES: tuple[Path, ...] = (("username",), ("email",))
_PASSWORD: tuple[Path, ...] = (("password",),)
_USUAL_SECRETS: dict[DoorKind, tuple[Path, ...]] = {DoorKind.RESET: (), DoorKind.CODE: (("code",),)}
_USUAL_NEW_SECRETS: dict[DoorKind, tuple[Path, ...]] = {
    DoorKind.RESET: _PASSWORD,
    DoorKind.CHANGE: (("new_password",),),
}
PASSKEY_FIELD: tuple[Path, ...] = (("credential",),)
NO_DOORS = "none"
CHANGES = frozenset({"address", "payout"})
_SET_HERE = frozenset({DoorKind.SIGNUP, *_USUAL_NEW_SECRETS})  # where a password is chosen


def parse_doors(kind: DoorKind, text: str, setting: str) -> tuple[Door, ...]:
    """Read the doors of one setting, separated by `;`.

    Grammar of one door: `METHOD PATH [ENCODING[:account[,secret[,new]]]]… [success=RULE|RULE…] [cookies=NAME,NAME…]
    [headers=NAME,NAME…] [account={NAME}/{FIELD}] [on_file=FIELD] [contact=FIELD] [notice=address|payout] [first=name]`.
    PATH may have placeholders (`/reset/{key}`). ENCODING is `form`, `multipart`, `json`, `path`, `basic` (or
    `basic:CHARSET`), `oauth2` or `graphql:OPERATION(account,secret)`. Alternatives of a field are written `a|b`. RULE
    is `302:/home`, `302!/2fa,/inactive`, `302`, `2xx`, `!401,403`, `cookie:NAME`, `json:dotted.path` or
    `json:dotted.path=value`.
    A log-out is `METHOD PATH [forget=device]`, a log-in that begins with a passkey `METHOD PATH [success=RULE|RULE…]`.

    Raises `SettingsError` for `setting`, with the number of the door (from 1) and never its text.
    """
    texts = [part.strip() for part in text.split(";")]
    if len(texts) > DOORS_MAX:
        raise SettingsError(setting, f"lists more than {DOORS_MAX} doors")
    readers = [_Reader(kind, setting, number) for number in range(1, len(texts) + 1)]
    doors = tuple(one.read(text) for one, text in zip(readers, texts, strict=True))
    if two_doors_for_one_request(doors):
        raise SettingsError(setting, SAME_ROUTE)
    return doors


def parse_log_ins(text: str, setting: str) -> tuple[Door, ...]:
    """Read the doors for log-ins as `parse_doors` does; `none` for a service whose log-in checks no password."""
    return () if text == NO_DOORS else parse_doors(DoorKind.LOGIN, text, setting)


def two_doors_for_one_request(doors: Iterable[Door]) -> Door | None:
    """The first door that repeats an earlier one's method and path: one of the two would have no effect.

    None if there is none.

    Compared without case and last slash, as lenient routers do, because requests are looked up that way.
    """
    seen: dict[tuple[str, str], set[str]] = {}
    for door in doors:
        route = (door.method, PLACEHOLDER.sub("{}", door.path).rstrip("/").casefold())
        operations = seen.setdefault(route, set())
        # Several GraphQL operations share a path; which one is called, the body says.
        if operations and ("" in operations or not door.operation or door.operation in operations):
            return door
        operations.add(door.operation)
    return None


def two_charsets_at_one_path(doors: Iterable[Door]) -> Door | None:
    """The first door whose charset for Basic differs from an earlier one's at its path; None if there is none.

    A path has only one charset.
    """
    seen: dict[str, Charset] = {}
    for door in doors:
        for fields in door.fields if door.by_header else ():
            if seen.setdefault(door.path.rstrip("/").casefold(), fields.charset) is not fields.charset:
                return door
    return None


def status_rules(text: str, setting: str, number: int) -> tuple[SuccessRule, ...]:
    """Read the rules of success of a protected route, of which each is a status of the answer.

    Raises `SettingsError` for `setting`, with the number of the route.
    """
    return _Reader(DoorKind.CHANGE, setting, number, "route").status_rules(text)


def _meant(word: str) -> str:
    """A hint at the part that a misspelt one resembles: a name of the notation, and nothing of what was written."""
    name = re.split("[:=]", word, maxsplit=1)[0]
    known = {part.rstrip("="): part for part in _PARTS}
    near = get_close_matches(name.lower(), known, n=1)
    if not near:
        return ""
    part = known[near[0]]
    colon = ":" if part == near[0] and word[len(name) :].startswith("=") else ""
    return f"; did you mean {part}{colon}?"


def change_of(word: str) -> str:
    """The kind of change that the word behind `notice=` stands for; empty if the word is unknown."""
    name = word.removeprefix("notice=")
    return name if name in CHANGES else ""


class _Reader:
    """Read one door; errors name its setting and number."""

    def __init__(self, kind: DoorKind, setting: str, number: int, noun: str = "door") -> None:
        self._kind = kind
        self._setting = setting
        self._number = number
        self._noun = noun

    def read(self, text: str) -> Door:
        read = {DoorKind.LOGOUT: self.log_out, DoorKind.PASSKEY: self.passkey}.get(self._kind, self.door)
        return read(text)

    def door(self, text: str) -> Door:
        method, path, *rest = text.split() if len(text.split()) > 1 else ("", "")
        rules = [word for word in rest if word.startswith("success=")]
        cookies = [word for word in rest if word.startswith("cookies=")]
        headers = [word for word in rest if word.startswith("headers=")]
        accounts = [word for word in rest if word.startswith("account=")]
        filed = [word for word in rest if word.startswith("on_file=")]
        if len(rules) > 1:
            raise self._wrong("has two success= parts; join the rules with |")
        told = [word for word in rest if word.startswith("notice=")]
        steps = [word for word in rest if word.startswith("first=")]
        contacts = [word for word in rest if word.startswith("contact=")]
        others = rules + cookies + headers + accounts + filed + told + contacts + steps
        fields = self._all_fields([word for word in rest if word not in others])
        fields = self._contact(self._on_file(fields, filed), path, contacts)
        tenant = self._tenant(path, fields, accounts)
        self._check_route(method.upper(), path, fields)
        success = self._rules(rules[0].removeprefix("success=")) if rules else ()
        if any(fields[0].operation and rule.by in {SuccessBy.STATUS, SuccessBy.OTHER_STATUS} for rule in success):
            raise self._wrong("has a rule of success by status: GraphQL answers 200 to a wrong password as well")
        let_through = self._let_through("cookies", cookies, "csrftoken,lang"), self._headers(headers)
        written, notice = " ".join(text.split()), self._notice(told)
        name_first = self._name_first(steps, fields, success)
        words = self._kind, method.upper(), path, fields, success, *let_through, tenant, bool(filed)
        return Door(*words, contact=bool(contacts), name_first=name_first, notice=notice, text=written)

    def _name_first(self, words: list[str], fields: tuple[Fields, ...], success: tuple[SuccessRule, ...]) -> bool:
        """Whether a request without a secret is the first step of a log-in."""
        if not words:
            return False
        if self._kind is not DoorKind.LOGIN or words != ["first=name"]:
            raise self._wrong("has a first= that is not, once, first=name, at a LOGIN door")
        if not any(one.encoding in _STEPS for one in fields):
            raise self._wrong("has first=name and reads no form, multipart or JSON, in which a name could come alone")
        if not success:
            # A guess could take the page for the password for a log-in, or a log-in for that page.
            raise self._wrong("has first=name and no success=, by which a first step that logs in is told apart")
        return True

    def _notice(self, words: list[str]) -> str:
        """The change that the owner is told of."""
        if not words:
            return ""
        if self._kind not in {DoorKind.CHANGE, DoorKind.LINK} or len(words) > 1 or not change_of(words[0]):
            raise self._wrong("has a notice= that is not, once, address or payout, at a CHANGE or LINK door")
        return change_of(words[0])

    def log_out(self, text: str) -> Door:
        method, path, *rest = text.split() if len(text.split()) > 1 else ("", "")
        if rest not in ([], ["forget=device"]):
            raise self._wrong("has more than METHOD PATH forget=device: a log-out checks no secret, and has no fields")
        if "*" in method + path:
            raise self._wrong("has a *; a log-out has one method and one path")
        self._check_route(method.upper(), path, ())
        return Door(self._kind, method.upper(), path, (), forgets_device=bool(rest), text=" ".join(text.split()))

    def passkey(self, text: str) -> Door:
        method, path, *rest = text.split() if len(text.split()) > 1 else ("", "")
        if len(rest) > 1 or not all(word.startswith("success=") for word in rest):
            raise self._wrong("has more than METHOD PATH success=RULE: the passkey is in the field credential")
        if "{" in path:
            raise self._wrong("has a placeholder in its path, where a passkey begins a log-in; name its one path")
        fields = tuple(Fields(encoding, (), PASSKEY_FIELD) for encoding in (Encoding.FORM, Encoding.JSON))
        self._check_route(method.upper(), path, fields)
        success = self._rules(rest[0].removeprefix("success=")) if rest else ()
        return Door(self._kind, method.upper(), path, fields, success, text=" ".join(text.split()))

    def _on_file(self, fields: tuple[Fields, ...], words: list[str]) -> tuple[Fields, ...]:
        """The fields, with the place of the address that must be on file."""
        if not words:
            return fields
        if self._kind is not DoorKind.RESET or len(words) > 1:
            raise self._wrong("has on_file=, which RESET doors alone may have, and once")
        if any(one.secret for one in fields) or not all(one.account for one in fields):
            raise self._wrong("has on_file= where no reset is asked for: the door names an account and no token")
        name = words[0].removeprefix("on_file=")
        return tuple(replace(self._addressed(one, name, "on_file"), new_secret=()) for one in fields)

    def _contact(self, fields: tuple[Fields, ...], path: str, words: list[str]) -> tuple[Fields, ...]:
        """The fields with the place of the address to which `contact=` mails a code before the sign-up goes on."""
        if not words:
            return fields
        if self._kind is not DoorKind.SIGNUP or len(words) > 1:
            raise self._wrong("has contact=, which SIGNUP doors alone may have, and once")
        if "{" in path:
            raise self._wrong("has contact= and a placeholder in its path, to which no page sends the request again")
        name = words[0].removeprefix("contact=")
        return tuple(self._addressed(one, name, "contact") for one in fields)

    def _addressed(self, fields: Fields, name: str, option: str) -> Fields:
        place = self._place(fields.encoding, name)
        if place in fields.account:
            return fields  # the account is the address
        is_read = fields.encoding in {Encoding.FORM, Encoding.MULTIPART, Encoding.JSON}
        if not is_read or place in (*fields.secret, *fields.new_secret):
            raise self._wrong(f"names in {option}= what is neither its account nor another field of a form or JSON")
        return replace(fields, address=(place,))

    def _tenant(self, path: str, fields: tuple[Fields, ...], words: list[str]) -> tuple[str, ...]:
        """What stands before the account's own name, which is the last part."""
        if not words:
            return ()
        *tenant, name = words[0].removeprefix("account=").split("/")
        held = PLACEHOLDER.findall(path)
        are_parts = all(
            found[1] in held if (found := PLACEHOLDER.fullmatch(one)) else _VALUE.fullmatch(one) for one in tenant
        )
        if len(words) > 1 or not are_parts or not 1 <= len(tenant) <= TENANTS_MAX:
            raise self._wrong(
                "has an account= that is not written account={realm}/{username}: placeholders of its path or fixed "
                f"text, {TENANTS_MAX} at most, then the field of the account"
            )
        if name not in {f"{{{'.'.join(place)}}}" for one in fields for place in _account_of(one)}:
            raise self._wrong("ends account= in something else than the field of its account, in braces: {username}")
        return tuple(tenant)

    def _headers(self, words: list[str]) -> frozenset[str]:
        names = self._let_through("headers", [word.lower() for word in words], "x-tenant,x-client")
        if not names.isdisjoint(_CREDENTIALS):
            raise self._wrong("names a header in headers= that carries a session, which no run behind the seal may see")
        return names

    def _let_through(self, what: str, words: list[str], example: str) -> frozenset[str]:
        """The client's cookies or headers that the application may see in an escrowed run."""
        if not words:
            return frozenset()
        if self._kind is not DoorKind.LOGIN:
            raise self._wrong(f"has a {what}= part, which LOGIN doors alone may have: no other answer is kept back")
        if len(words) > 1:
            raise self._wrong(f"has two {what}= parts; join the names with commas")
        names = words[0].removeprefix(f"{what}=").split(",")
        if len(names) > LET_THROUGH_MAX or len(set(names)) < len(names):
            raise self._wrong(f"names more than {LET_THROUGH_MAX} {what}, or one of them twice")
        if not all(_TOKEN.fullmatch(name) for name in names):
            raise self._wrong(f"has a {what}= part that is not written {example}")
        return frozenset(names)

    def _wrong(self, problem: str) -> SettingsError:
        return SettingsError(self._setting, f"{self._noun} {self._number} {problem}")

    def _check_route(self, method: str, path: str, fields: tuple[Fields, ...]) -> None:
        basic_only = all(one.encoding is Encoding.BASIC for one in fields)
        path_only = all(one.encoding is Encoding.PATH for one in fields)
        if not METHOD.fullmatch(method) or not path:
            raise self._wrong("wants a method and a path first, as in POST /login")
        if not basic_only and (method == "*" or "*" in path):
            raise self._wrong("has a *; only doors whose one encoding is basic may have any method or a path prefix")
        if not (basic_only or path_only) and method in _BODILESS:
            raise self._wrong(f"reads a body, and {method} requests have none")
        if path != "*" and not is_path(PLACEHOLDER.sub("x", path)):
            problem = "wants the path as the application sees it, beginning with a slash: no query, no % escapes, no //"
            raise self._wrong(f"{problem}, no . or .. steps and no patterns in {{}} or <>; a prefix ends in /*")
        self._check_placeholders(path, fields)

    def _check_placeholders(self, path: str, fields: tuple[Fields, ...]) -> None:
        held: list[str] = PLACEHOLDER.findall(path)
        named = [name for one in fields if one.encoding is Encoding.PATH for (name,) in (*one.account, *one.secret)]
        if not set(named) <= set(held) or len(set(held)) < len(held):
            raise self._wrong(
                "names in path: what is not, once, a placeholder in its path, as in /reset/{key} path:,key"
            )
        if any("{" in step and not PLACEHOLDER.fullmatch(step) for step in path.split("/")):
            raise self._wrong("has a placeholder that is not a whole step of its path; name all of the step")

    def _all_fields(self, words: list[str]) -> tuple[Fields, ...]:
        if any(word.startswith("/") for word in words):
            raise self._wrong("has a second path; doors are separated by ;")
        found = tuple(self._fields(word) for word in words) or (self._usual(Encoding.FORM), self._usual(Encoding.JSON))
        encodings = {one.encoding for one in found}
        if Encoding.GRAPHQL in encodings and len(found) > 1:
            raise self._wrong(
                "has graphql beside another encoding; write a door for each operation, and no other there"
            )
        if len(encodings) < len(found):
            raise self._wrong("names one encoding twice; alternatives of a field are written username|email")
        if any(rivals <= encodings for rivals in _RIVALS):
            raise self._wrong("has form beside multipart or oauth2, which would read the same body; keep one of them")
        self._check_path_fields(found)
        return found

    def _check_path_fields(self, fields: tuple[Fields, ...]) -> None:
        in_path = next((one for one in fields if one.encoding is Encoding.PATH), None)
        if in_path is None:
            return
        if self._kind is DoorKind.LOGIN:
            raise self._wrong("has path:, which LOGIN doors read nothing from: account and secret come in one pair")
        if in_path.new_secret or max(len(in_path.account), len(in_path.secret)) > 1:
            raise self._wrong("has path: with more than one account and one secret, as in path:email or path:,key")
        for one in fields:
            if one is not in_path and ((in_path.account and one.account) or (in_path.secret and one.secret)):
                raise self._wrong(
                    "reads account or secret from its path and from a body; leave it out of one: form:,code"
                )

    def _usual(self, encoding: Encoding) -> Fields:
        if encoding is Encoding.PATH:
            raise self._wrong("has path without placeholders, as in path:email or path:,key")
        if encoding is Encoding.GRAPHQL:
            raise self._wrong("has graphql without an operation, as in graphql:login(email,password)")
        if encoding is Encoding.BASIC:
            return Fields(encoding)
        if encoding is Encoding.PASSWORD_GRANT:  # the names are the standard's: RFC 6749 section 4.3.2
            return Fields(encoding, (("username",),), _PASSWORD)
        secret = _USUAL_SECRETS.get(self._kind, _PASSWORD)
        return Fields(encoding, _NAMES, secret, _USUAL_NEW_SECRETS.get(self._kind, ()))

    def _fields(self, word: str) -> Fields:
        name, colon, places = word.partition(":")
        encoding = next((one for one in Encoding if one.value == name), None)
        if encoding is None:
            raise self._wrong(f"has a part that begins with none of {', '.join(_PARTS)}{_meant(word)}")
        if not colon:
            return self._usual(encoding)
        if places.endswith(","):
            raise self._wrong("has a blank after a comma; write no blanks, as in form:username,password")
        if encoding is Encoding.BASIC:
            return Fields(encoding, charset=self._charset(places))
        operation = ""
        if encoding is Encoding.GRAPHQL:
            if not (called := _OPERATION.fullmatch(places)):
                raise self._wrong("has graphql without an operation, as in graphql:login(email,password)")
            operation, places = called[1], called[2]
        parts = places.split(",")
        if len(parts) > 3:
            raise self._wrong("has a field list of more than three parts: account, secret and the secret's successor")
        fields = Fields(encoding, *(self._places(encoding, part) for part in parts), operation=operation)
        return self._complete(fields)

    def _charset(self, text: str) -> Charset:
        charset = next((one for one in Charset if one.value == text), None)
        if charset is None:
            raise self._wrong(
                "names fields for basic, which has none: both stand in the Authorization header; "
                "what follows the colon is their charset, one of utf-8, latin-1 and utf-8|latin-1"
            )
        return charset

    def _complete(self, fields: Fields) -> Fields:
        if not (fields.account or fields.secret or fields.new_secret):
            raise self._wrong("names no field after an encoding's colon; write no blanks, as in form:username,password")
        if fields.new_secret and self._kind not in _SET_HERE:
            raise self._wrong("names a field for a new password, which is set at SIGNUP, RESET and CHANGE doors alone")
        if self._kind is DoorKind.LOGIN and not (fields.account and fields.secret):
            # Without both, guesses at this door cannot be distinguished.
            raise self._wrong(
                "needs an account and a secret, as in form:username,password; if the session keeps the account, write "
                "it in SEKISHO_CODE, as in form:,password"
            )
        every = (*fields.account, *fields.secret, *fields.new_secret)
        if len(set(every)) < len(every):
            raise self._wrong("reads two of account, secret and new secret from the same field")
        return fields

    def _places(self, encoding: Encoding, text: str) -> tuple[Path, ...]:
        if not text:
            return ()
        found = tuple(self._place(encoding, name) for name in text.split("|"))
        if len(found) > ALTERNATIVES_MAX or len(set(found)) < len(found):
            raise self._wrong(f"has a field with more than {ALTERNATIVES_MAX} alternatives, or one of them twice")
        return found

    def _place(self, encoding: Encoding, name: str) -> Path:
        path = tuple(name.split(".")) if encoding in _NESTED else (name,)
        if len(path) > DEPTH_MAX or not all(_FIELD.fullmatch(step) for step in path):
            raise self._wrong(
                "has a field that is not written name, or in JSON outer.inner; account and secret come in one pair"
            )
        return path

    def _rules(self, text: str) -> tuple[SuccessRule, ...]:
        found = tuple(self._rule(rule) for rule in text.split("|"))
        if len(found) > RULES_MAX:
            raise self._wrong(f"has more than {RULES_MAX} rules of success")
        return found

    def status_rules(self, text: str) -> tuple[SuccessRule, ...]:
        rules = self._rules(text)
        if any(rule.by not in {SuccessBy.STATUS, SuccessBy.OTHER_STATUS} for rule in rules):
            raise self._wrong("wants a success= by status, as in success=303:/home")
        return rules

    def _rule(self, text: str) -> SuccessRule:
        head, colon, rest = text.partition(":")
        if head == "cookie" and _TOKEN.fullmatch(rest):
            return SuccessRule(SuccessBy.COOKIE, name=rest)
        if head == "json" and rest:
            place, equals, value = rest.partition("=")
            if not equals or _VALUE.fullmatch(value):
                return SuccessRule(SuccessBy.JSON, path=self._place(Encoding.JSON, place), value=value)
        if _REFUSALS.fullmatch(text):
            return SuccessRule(SuccessBy.OTHER_STATUS, refusals=frozenset(map(int, text[1:].split(","))))
        if found := _ELSEWHERE.fullmatch(text):
            return SuccessRule(SuccessBy.STATUS, statuses=_statuses(found[1]), elsewhere=tuple(found[2].split(",")))
        if _STATUS.fullmatch(head) and (not colon or (head.startswith("3") and _LOCATION.fullmatch(rest))):
            return SuccessRule(SuccessBy.STATUS, statuses=_statuses(head), location=rest)
        # 4xx and 5xx do not match on purpose: as success rules they would refund every failed guess.
        raise self._wrong(
            "has a rule of success that is none of 302:/home, 302!/2fa, 302, 2xx, !401,403, cookie:NAME, "
            "json:access_token, json:status=ok"
        )


def _account_of(fields: Fields) -> tuple[Path, ...]:
    # Basic and the password grant have no field of another name.
    return fields.account or ((("username",),) if fields.encoding in _STANDARD else ())


def names_account(door: Door) -> bool:
    """Whether requests at a door name an account."""
    return any(map(_account_of, door.fields))


def other_tenancy(doors: Iterable[Door]) -> Door | None:
    """The first door whose accounts have another number of parts than those of the doors before it; None if all agree.

    Otherwise the owner of an account called `shop/hana` would have the devices of `hana` in the tenant `shop`.
    """
    listed = [door for door in doors if names_account(door)]
    return next((door for door in listed if len(door.tenant) != len(listed[0].tenant)), None)


def is_path(path: str) -> bool:
    """Whether `path` is a path that a request can have. It may end in `/*`, for all paths below it."""
    path = path.removesuffix("*") if path.endswith("/*") else path
    steps = path.split("/")
    return bool(_PATH.fullmatch(path)) and "//" not in path and not {".", ".."}.intersection(steps)


def _statuses(text: str) -> range:
    first = int(text[0]) * 100 if text.endswith("xx") else int(text)
    return range(first, first + (100 if text.endswith("xx") else 1))


def names_of(doors: Iterable[Door]) -> str:
    """The names of doors, joined by commas for a sentence."""
    return ", ".join(door.name for door in doors)


def ruled_line(door: Door, rule: str) -> str:
    """The line `SEKISHO_…=…` for an environment that sets a door with this rule of success."""
    return f"SEKISHO_{door.kind.name}={door_text(door, success=rule)}"


def door_text(door: Door, *, success: str = "", cookie: str = "") -> str:
    """A door as text in the notation of the settings.

    `success`: a rule of success to write in place of the door's own. `cookie`: a cookie to add to those that it names.
    """
    words = (door.text or door.name).split()
    if success:
        words = [*[word for word in words if not word.startswith("success=")], f"success={success}"]
    if cookie:
        named = ",".join(sorted({*door.cookies, cookie}))
        words = [*[word for word in words if not word.startswith("cookies=")], f"cookies={named}"]
    return " ".join(words)


def asks_for_name_first(door: Door, name: str) -> bool:
    """Whether a form that sends a field of this name alone is refused at a door, which `first=name` would change."""
    accounts = {path for fields in door.fields if fields.encoding in _STEPS for path in fields.account}
    return door.kind is DoorKind.LOGIN and not door.name_first and (name,) in accounts


def reads_other_fields(door: Door, account: str, secret: str) -> bool:
    """Whether a form that sends an account and a secret in fields of these names is refused at a `LOGIN` door."""
    forms = [fields for fields in door.fields if fields.encoding in _FORMS]
    reads = [_names(account, fields.account) and _names(secret, fields.secret) for fields in forms]
    return door.kind is DoorKind.LOGIN and bool(forms) and not any(reads)


def _names(name: str, places: tuple[Path, ...]) -> bool:
    return name in {".".join(path) for path in places}


def respelt_text(door: Door, account: str, secret: str) -> str:
    """A `LOGIN` door as text, with these fields of a form in place of its own; empty if they cannot be written."""
    method, path, *words = door_text(door).split()
    own = next((word for word in words if word.partition(":")[0] in _FORM_WORDS), "")
    form = f"{own.partition(':')[0] or 'form'}:{account},{secret}"
    is_usual = not any(word.partition(":")[0] in _ENCODINGS for word in words)
    words = [form if word == own else _renamed(word, account) for word in words]
    text = " ".join([method, path, *([] if own else [form]), *(["json"] if is_usual else []), *words])
    try:
        (written,) = parse_doors(door.kind, text, "")
    except (SettingsError, ValueError):
        return ""
    return "" if reads_other_fields(written, account, secret) else text


def _renamed(word: str, account: str) -> str:
    """An option `account=`, with another name of the account's field; each other word as it is."""
    return f"{word[: word.rindex('{')]}{{{account}}}" if word.startswith("account=") else word


def stepped_text(door: Door) -> str:
    """A door as text, to which the name may come first; `RULE` stands for the rule of success that it lacks."""
    return f"{door_text(door, success='' if door.success else 'RULE')} first=name"
