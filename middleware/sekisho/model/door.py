"""A door: one route where a secret can be tried, and how to read what is tried there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class DoorKind(Enum):
    """What a door opens. `LOGIN` has a session as its only effect; the others change something."""

    LOGIN = "login"
    SIGNUP = "signup"
    RESET = "reset"
    CHANGE = "change"
    CODE = "code"
    LINK = "link"
    LOGOUT = "logout"


class Encoding(Enum):
    """How a request carries an account and a secret."""

    FORM = "form"  # application/x-www-form-urlencoded or multipart/form-data: every framework's form() reads both
    MULTIPART = "multipart"  # multipart/form-data alone
    JSON = "json"  # application/json and application/*+json
    BASIC = "basic"  # RFC 7617, in the Authorization header
    PATH = "path"  # a placeholder in the door's path: one whole segment of a request's
    PASSWORD_GRANT = "oauth2"  # noqa: S105 - RFC 6749 section 4.3: a form with grant_type=password


class Charset(Enum):
    """How the application decodes account and secret in a Basic header."""

    UTF_8 = "utf-8"
    LATIN_1 = "latin-1"
    UTF_8_OR_LATIN_1 = "utf-8|latin-1"  # UTF-8 where it is valid, else Latin-1


Path = tuple[str, ...]
"""Where a value stands: one name in a form, several in nested JSON (`user.email` is `("user", "email")`)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where one encoding keeps the account, the secret, and the secret that is to take its place.

    Each is a tuple of alternatives of which exactly one may be present: an application that prefers the other
    one would otherwise check an account that nobody counted. Empty: this door has no such field. `new_secret` alone
    may be absent from a request: nothing is set then. `charset` matters with `Encoding.BASIC` alone.
    """

    encoding: Encoding
    account: tuple[Path, ...] = ()
    secret: tuple[Path, ...] = ()
    new_secret: tuple[Path, ...] = ()
    charset: Charset = field(default=Charset.UTF_8, kw_only=True)


class SuccessBy(Enum):
    """What in a response proves that the secret was right."""

    STATUS = "status"
    OTHER_STATUS = "other status"
    COOKIE = "cookie"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """One way a response shows success: any rule that matches suffices.

    `STATUS`: `statuses` holds it, and `Location` leads to `location` or below where that is given (`302:/home`), or to
    none of the places in `elsewhere`, nor back to the door (`302!/accounts/2fa`).
    `OTHER_STATUS`: it is none of `refusals`, nor one that says that nobody looked at the secret (`!401,403`).
    `COOKIE`: a cookie named `name` is set to a value that the client did not bring (`cookie:session`).
    `JSON`: the 2xx body has a value at `path` that does not say no (`json:access_token`), or just `value`
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

    `method` is upper case or `*`; `path` is exact, or a prefix where it ends in `*`, or has placeholders
    (`/password-recovery/{email}`) that each stand for one segment.
    `success` empty means: learn the outcome from the response by the cautious default.
    `cookies` are the client's own that the application may see while its answer is still kept back for a factor; any
    other could hold a session that would be logged in behind the seal. `headers`, in lower case, are headers beyond
    the usual ones, for the same application and with the same care. `LOGIN` doors alone have some of either.
    """

    kind: DoorKind
    method: str
    path: str
    fields: tuple[Fields, ...]
    success: tuple[SuccessRule, ...] = ()
    cookies: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    shares_path: bool = field(default=False, compare=False)
    """Whether other doors stand at the same path: then nothing but the request's own method may tell which is meant."""

    text: str = field(default="", compare=False, repr=False)
    """As the settings have it, for an operator to change."""

    # Asked several times an attempt, so answered once.
    name: str = field(init=False, compare=False, repr=False)
    """How logs and metrics call it; comes from the settings, never from a request."""
    reads_body: bool = field(init=False, compare=False, repr=False)
    by_header: bool = field(init=False, compare=False, repr=False)
    """Whether HTTP Basic is all that it reads, so that no request without that header is an attempt."""
    secret_is_new: bool = field(init=False, compare=False, repr=False)
    """Whether what is typed as the secret is a password chosen here, as at a sign-up."""
    secret_is_password: bool = field(init=False, compare=False, repr=False)
    """Whether the secret is a password that was chosen before: codes, PINs and tokens are in no list of leaks."""
    secret_is_small: bool = field(init=False, compare=False, repr=False)
    """Whether the secret may be a code or a PIN, which is found by guessing where guesses can be bought with work."""
    has_owner: bool = field(init=False, compare=False, repr=False)
    """Whether a second proof can be asked for: who forgot the password is proved by mail, who signs up by nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.method} {self.path}")
        reads_body = any(fields.encoding not in {Encoding.BASIC, Encoding.PATH} for fields in self.fields)
        by_header = bool(self.fields) and all(fields.encoding is Encoding.BASIC for fields in self.fields)
        object.__setattr__(self, "by_header", by_header)
        # A log-out that is another door's neighbour: a field in its body could make it that one.
        object.__setattr__(self, "reads_body", reads_body or (self.shares_path and not self.fields))
        named_apart = any(fields.new_secret for fields in self.fields)
        object.__setattr__(self, "secret_is_new", self.kind is DoorKind.SIGNUP and not named_apart)
        object.__setattr__(self, "secret_is_password", self.kind in {DoorKind.LOGIN, DoorKind.CHANGE})
        small = self.kind in {DoorKind.CODE, DoorKind.RESET, DoorKind.LINK}
        object.__setattr__(self, "secret_is_small", small)
        object.__setattr__(self, "has_owner", self.kind not in {DoorKind.SIGNUP, DoorKind.RESET})


@dataclass(frozen=True, slots=True)
class ProtectedRoute:
    """One route that wants a proof of identity no older than `max_age_s` seconds (1 to 86,400).

    `method` is upper case or `*`; `path` is exact, or a prefix where it ends in `/*`.
    """

    method: str
    path: str
    max_age_s: int

    @property
    def name(self) -> str:
        """How logs and metrics call it; comes from the settings, never from a request."""
        return f"{self.method} {self.path}"
