"""A door: one route that checks a secret, and how to read the attempts there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sekisho.model.factor_class import FactorClass


class DoorKind(Enum):
    """The purpose of a door. A `LOGIN` only creates a session; the others change something else."""

    LOGIN = "login"
    SIGNUP = "signup"
    RESET = "reset"
    CHANGE = "change"
    CODE = "code"
    LINK = "link"
    LOGOUT = "logout"
    PASSKEY = "passkey"


class Encoding(Enum):
    """How a request carries an account and a secret."""

    FORM = "form"  # application/x-www-form-urlencoded or multipart/form-data: every framework's form() reads both
    MULTIPART = "multipart"  # multipart/form-data alone
    JSON = "json"  # application/json and application/*+json
    BASIC = "basic"  # RFC 7617, in the Authorization header
    PATH = "path"  # a placeholder in the door's path: one whole segment of the request's path
    PASSWORD_GRANT = "oauth2"  # noqa: S105 - RFC 6749 section 4.3: a form with grant_type=password
    GRAPHQL = "graphql"  # an operation with arguments, in a JSON body


class Charset(Enum):
    """How the application decodes account and secret in a Basic header."""

    UTF_8 = "utf-8"
    LATIN_1 = "latin-1"
    UTF_8_OR_LATIN_1 = "utf-8|latin-1"  # UTF-8 where it is valid, else Latin-1


Path = tuple[str, ...]
"""The place of a value: one name in a form, several in nested JSON (`user.email` is `("user", "email")`)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The places of the account, the secret and the new secret in one encoding.

    Each is a tuple of alternatives. Exactly one may be present in a request: otherwise an attacker could send both,
    and the application could check an account that was not counted. An empty tuple: this door has no such field.
    Only `new_secret` may be absent from a request; no secret is set then. Only `Encoding.BASIC` uses `charset`, only
    `Encoding.JSON` `numbers`. Only `Encoding.GRAPHQL` uses `operation`; the places are those of its arguments.
    """

    encoding: Encoding
    account: tuple[Path, ...] = ()
    secret: tuple[Path, ...] = ()
    new_secret: tuple[Path, ...] = ()
    charset: Charset = field(default=Charset.UTF_8, kw_only=True)
    numbers: bool = field(default=False, kw_only=True)
    """Whether JSON may hold whole numbers as well as text there."""
    operation: str = field(default="", kw_only=True)
    address: tuple[Path, ...] = field(default=(), kw_only=True)
    """The mail address to which a reset or a code is sent, where it has a field of its own."""


class SuccessBy(Enum):
    """The part of a response that proves that the secret was right."""

    STATUS = "status"
    OTHER_STATUS = "other status"
    COOKIE = "cookie"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """One sign of success in a response. One matching rule suffices.

    `STATUS`: the status is in `statuses`. If `location` is given, `Location` leads there or below (`302:/home`); if
    `elsewhere` is given, `Location` leads to none of its places, nor back to the door (`302!/accounts/2fa`).
    `OTHER_STATUS`: the status is 2xx or 304, and none of `refusals`, which are failures (`!401,403`).
    `COOKIE`: a cookie named `name` is set to a value that the client did not send (`cookie:session`).
    `JSON`: the 2xx body has a value at `path` that is not a negative one (`json:access_token`), or exactly `value`
    (`json:status=ok`).
    """

    by: SuccessBy
    statuses: range = range(0)
    location: str = ""
    name: str = ""
    path: Path = ()
    elsewhere: tuple[str, ...] = ()
    refusals: frozenset[int] = frozenset()
    value: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """One guarded route.

    `method` is upper case or `*`. `path` is exact, or a prefix if it ends in `*`, or has placeholders
    (`/password-recovery/{email}`) for one segment each.
    If `success` is empty, the cautious default derives the outcome from the response.
    `cookies` are the client's cookies that the application may see in an escrowed run; any other could hold a session
    that would be logged in behind the seal. `headers`, in lower case, are the headers that it may see beyond the
    usual ones, under the same rule. Only `LOGIN` doors have either.
    `tenant` is what stands before the account's own name, each either a placeholder of the path (`{realm}`) or fixed
    text: with it, `hana` in two realms is two accounts. All doors of a site have equally many.
    """

    kind: DoorKind
    method: str
    path: str
    fields: tuple[Fields, ...]
    success: tuple[SuccessRule, ...] = ()
    cookies: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    tenant: tuple[str, ...] = ()
    on_file: bool = False
    """Whether a request for a reset reaches the application only if its address is on file. Only `RESET` doors."""

    contact: bool = False
    """Whether a code that is mailed to the address in the request comes first. Only `SIGNUP` doors."""

    forgets_device: bool = False
    """Whether a log-out makes its browser a stranger's, for shared machines. Only `LOGOUT` doors."""

    name_first: bool = False
    """Whether a request with the account and no secret passes uncounted, as the first of two steps. Only `LOGIN` doors.
    """

    notice: str = ""
    """The change of which the owner is told instead of a changed password: `address` or `payout`. Only `CHANGE` and
    `LINK` doors."""

    shares_path: bool = field(default=False, compare=False)
    """Whether other doors have the same path: then only the request's own method may select one of them."""

    text: str = field(default="", compare=False, repr=False)
    """The door's text in the settings, for messages to the operator."""

    # Read several times per attempt, so computed once.
    name: str = field(init=False, compare=False, repr=False)
    """Its name in logs and metrics; comes from the settings, never from a request."""
    operation: str = field(init=False, compare=False, repr=False)
    """The GraphQL operation that this door guards; empty at others. Doors of several operations share one path."""
    reads_body: bool = field(init=False, compare=False, repr=False)
    by_header: bool = field(init=False, compare=False, repr=False)
    """Whether it reads HTTP Basic only, so that a request without that header is no attempt."""
    secret_is_new: bool = field(init=False, compare=False, repr=False)
    """Whether the secret is a password that this request sets, as at a sign-up."""
    secret_is_password: bool = field(init=False, compare=False, repr=False)
    """Whether the secret is an existing password: codes, PINs and tokens are in no list of leaks."""
    secret_is_small: bool = field(init=False, compare=False, repr=False)
    """Whether the secret may be a code or a PIN: an attacker finds it by guessing if work can buy guesses."""
    is_answered_first: bool = field(init=False, compare=False, repr=False)
    """Whether the guard answers requests here itself before the application has run."""
    shows_passkey: bool = field(init=False, compare=False, repr=False)
    """Whether a log-in begins with a passkey here: the application runs only behind a right one."""
    is_mixed: bool = field(init=False, compare=False, repr=False)
    """Whether most requests here are no attempts, which only their bodies show: none is refused unread."""
    changes_account: bool = field(init=False, compare=False, repr=False)
    """Whether a success changes the account's password, its data or its log-ins: its owner is told."""
    has_owner: bool = field(init=False, compare=False, repr=False)
    """Whether the owner of the account in the request can be asked for a factor.

    A reset is proved by mail already, a sign-up has no factor yet, an account that is linked is not the client's, and
    where a log-in begins with a passkey the request names none.
    """

    def __post_init__(self) -> None:
        operation = next((fields.operation for fields in self.fields if fields.operation), "")
        object.__setattr__(self, "operation", operation)
        object.__setattr__(self, "name", f"{self.method} {self.path} {operation}".rstrip())
        reads_body = any(fields.encoding not in {Encoding.BASIC, Encoding.PATH} for fields in self.fields)
        by_header = bool(self.fields) and all(fields.encoding is Encoding.BASIC for fields in self.fields)
        object.__setattr__(self, "by_header", by_header)
        # A log-out that shares its path: a method field in its body could turn the request into another door's.
        object.__setattr__(self, "reads_body", reads_body or (self.shares_path and not self.fields))
        object.__setattr__(self, "is_mixed", bool(operation) or self.kind is DoorKind.LOGOUT)
        object.__setattr__(self, "shows_passkey", self.kind is DoorKind.PASSKEY)
        object.__setattr__(self, "is_answered_first", self.on_file or self.contact or self.shows_passkey)
        named_apart = any(fields.new_secret for fields in self.fields)
        object.__setattr__(self, "secret_is_new", self.kind is DoorKind.SIGNUP and not named_apart)
        object.__setattr__(self, "secret_is_password", self.kind in {DoorKind.LOGIN, DoorKind.CHANGE})
        small = self.kind in {DoorKind.CODE, DoorKind.RESET, DoorKind.LINK}
        object.__setattr__(self, "secret_is_small", small)
        changes = self.kind in {DoorKind.CHANGE, DoorKind.RESET, DoorKind.LINK}
        object.__setattr__(self, "changes_account", changes)
        object.__setattr__(
            self, "has_owner", self.kind not in {DoorKind.SIGNUP, DoorKind.RESET, DoorKind.LINK, DoorKind.PASSKEY}
        )


@dataclass(frozen=True, slots=True)
class ProtectedRoute:
    """One route that requires a proof of identity no older than `max_age_s` seconds (1 to 86,400).

    `method` is upper case or `*`; `path` is exact, or a prefix if it ends in `/*`; `acr` is the weakest class of factor
    whose proof counts there. `is_page`: it only shows the form of another route, and asks before that is filled.
    `notice`: the change of which the owner is told after a success there: `address`, `payout`, or empty; `success` are
    the rules for that, by status.
    """

    method: str
    path: str
    max_age_s: int
    acr: FactorClass = FactorClass.NONE
    is_page: bool = False
    notice: str = ""
    success: tuple[SuccessRule, ...] = ()

    @property
    def name(self) -> str:
        """The route's name in logs and metrics, such as `POST /payout`; made from the settings, not from a request."""
        return f"{self.method} {self.path}"
