"""The table of settings: `load` reads by it and `docs/settings.md` is generated from it, so both stay current."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sekisho.model import Door, DoorKind, Mode, ProtectedRoute, SettingsError
from sekisho.settings import factors, parse, places
from sekisho.settings.doors import parse_doors
from sekisho.settings.networks import allowed, networks, proxies
from sekisho.settings.protect import parse_routes
from sekisho.settings.rates import network_rates, rates
from sekisho.settings.store import MEMORY, store
from sekisho.settings.values import NoFactor, StoreFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.settings.values import Network

T = TypeVar("T")
PREFIX = "SEKISHO_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """One setting.

    Attributes:
        name: without the prefix.
        example: a usable example, if `parse` accepts one; it never holds a secret.
        meaning: one line for the operator.
        parse: maps the text and the variable's name to the value; raises `SettingsError`.
        default: the text that is parsed if nothing is set; `None` means `absent`.
        absent: the value if nothing is set and there is no default.
        parse_bytes: for values given as bytes in a keyword argument.
        separator: joins a list given in a keyword argument.
        secret: may also be given as `…_FILE`.
        reserved: a known name without effect in this version.
    """

    name: str
    example: str
    meaning: str
    parse: Callable[[str, str], T]
    default: str | None = None
    absent: T | None = None
    parse_bytes: Callable[[Sequence[bytes], str], T] | None = None
    separator: str = ""
    secret: bool = False
    reserved: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name

    def fallback(self) -> T:
        """The value when nothing is set."""
        if self.default is None:
            return cast("T", self.absent)  # T includes None exactly where a setting may be absent
        return self.parse(self.default, self.variable)


def _reserved(name: str, example: str, meaning: str, *, secret: bool = False) -> Setting[None]:
    def refuse(_: str, setting: str) -> None:
        # An operator would rely on a security setting that is accepted without effect.
        raise SettingsError(setting, "this version does not act on it; unset it")

    return Setting(name=name, example=example, meaning=meaning, parse=refuse, secret=secret, reserved=True)


def _doors(kind: DoorKind, example: str, meaning: str, default: str | None = None) -> Setting[tuple[Door, ...]]:
    return Setting(
        name=kind.name,
        example=example,
        meaning=meaning,
        parse=partial(parse_doors, kind),
        default=default,
        absent=(),
        separator=";",
    )


SECRET: Setting[tuple[parse.Secret, ...]] = Setting(
    name="SECRET",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="32 bytes or more that nobody can guess; several, newest first, while one replaces the other, and "
    "`verify:` before one that signs nothing yet. Required.",
    parse=parse.secrets,
    parse_bytes=parse.secrets_of_bytes,
    absent=(),
    separator=",",
    secret=True,
)
STORE = Setting(
    name="STORE",
    example="redis://redis.internal:6379/0",
    meaning="Where counts are kept: `memory://` (one process only), `redis://`, `rediss://`, `redis+unix://`, "
    "`unix://`, `redis+sentinel://host,host/service`, `redis+cluster://host,host`; the last two with TLS: `rediss+…`.",
    parse=store,
    default=MEMORY,
    secret=True,
)
MODE = Setting(
    name="MODE",
    example="monitor",
    meaning="`enforce` refuses; `monitor` counts and judges but refuses nobody; `off` does not even read.",
    parse=parse.choice(Mode),
    default="enforce",
)
LOGIN = _doors(
    DoorKind.LOGIN,
    "POST /login form:username,password; POST /api/token json:user.email,password success=json:access_token",
    "The doors where one logs in, written as below.",
    default="POST /login",
)
SIGNUP = _doors(DoorKind.SIGNUP, "POST /signup form:email,password", "Doors where an account is opened.")
RESET = _doors(
    DoorKind.RESET,
    "POST /reset form:email; POST /reset/confirm form:,token,password",
    "Doors where a forgotten password is reset.",
)
CHANGE = _doors(
    DoorKind.CHANGE, "POST /password form:username,old_password,new_password", "Doors where a password is changed."
)
CODE = _doors(DoorKind.CODE, "POST /code form:username,code", "Doors where a one-time code is tried or asked for.")
LINK = _doors(DoorKind.LINK, "POST /link json:account_number,pin", "Doors where another account is linked.")
LIMIT_IP = Setting(
    name="LIMIT_IP",
    example="20/10minute;100/day",
    meaning="Attempts from one address; IPv6 by its /64.",
    parse=rates,
    default="20/10minute;100/day",
    separator=";",
)
LIMIT_NETWORK = Setting(
    name="LIMIT_NETWORK",
    example="100/10minute",
    meaning="Attempts from one network: IPv4 /24 and IPv6 /56; an IPv6 /48 gets four times as many.",
    parse=network_rates,
    default="100/10minute",
    separator=";",
)
LIMIT_DEVICE = Setting(
    name="LIMIT_DEVICE",
    example="30/10minute",
    meaning="Attempts with one set of `DEVICE_HEADERS` within its network.",
    parse=rates,
    default="30/10minute",
    separator=";",
)
LIMIT_ACCOUNT = Setting(
    name="LIMIT_ACCOUNT",
    example="5/5minute;10/hour",
    meaning="Attempts of strangers at one account, over all doors. Known devices are not touched by it.",
    parse=rates,
    default="5/5minute;10/hour",
    separator=";",
)
LIMIT_LANE = Setting(
    name="LIMIT_LANE",
    example="10/hour",
    meaning="Attempts of one known device at its account; beyond it, it is treated as a stranger.",
    parse=rates,
    default="10/hour",
    separator=";",
)
ACCOUNT_FAILURES_MAX = Setting(
    name="ACCOUNT_FAILURES_MAX",
    example="50",
    meaning="Failures at one account, however slow, after which a password alone no longer suffices "
    "(NIST SP 800-63B: 100 at most).",
    parse=parse.integer(1, 100, "failures"),
    default="100",
)
CODE_GUESSES_MAX = Setting(
    name="CODE_GUESSES_MAX",
    example="20",
    meaning="Guesses in a day at all codes of one account (`CODE`, `RESET` and `LINK` doors) by browsers that asked "
    "for one; all other browsers together have a fifth of it.",
    parse=parse.integer(1, 1000, "guesses"),
    default="50",
)
TRUSTED_PROXIES: Setting[tuple[tuple[Network, ...], bool]] = Setting(
    name="TRUSTED_PROXIES",
    example="10.0.0.0/8,fd00::/8",
    meaning="Who may name the client's address for others; the word `unix` trusts the peer of a unix socket. "
    "Trusting everybody is an error.",
    parse=proxies,
    absent=((), False),
    separator=",",
)
CLIENT_IP_HEADER = Setting(
    name="CLIENT_IP_HEADER",
    example="forwarded",
    meaning="Where a trusted proxy writes the client's address: `x-forwarded-for`, `forwarded`, or what a CDN sets. "
    "Read from the right.",
    parse=parse.header,
    default="x-forwarded-for",
)
DEVICE_HEADERS = Setting(
    name="DEVICE_HEADERS",
    example="cloudfront-viewer-ja4-fingerprint,user-agent,accept-language",
    meaning="Headers that tell devices of one network apart.",
    parse=parse.device_headers,
    default="user-agent,accept-language,sec-ch-ua",
    separator=",",
)
ALLOW: Setting[tuple[Network, ...]] = Setting(
    name="ALLOW",
    example="192.0.2.0/28",
    meaning="Networks free of the ip, network and device limits; the account's limits still hold.",
    parse=allowed,
    absent=(),
    separator=",",
)
DENY: Setting[tuple[Network, ...]] = Setting(
    name="DENY",
    example="198.51.100.0/24,2001:db8::/32",
    meaning="Networks that are refused at every door.",
    parse=networks,
    absent=(),
    separator=",",
)
ORIGINS: Setting[frozenset[bytes]] = Setting(
    name="ORIGINS",
    example="https://app.example",
    meaning="Where single-page apps live: they may read a refusal (CORS).",
    parse=parse.origins,
    absent=frozenset(),
    separator=",",
)
NAMESPACE = Setting(
    name="NAMESPACE",
    example="shop-jp",
    meaning="Keeps several services on one Redis, or with one `SECRET`, apart.",
    parse=parse.namespace,
    default="sekisho",
)
NAMESPACE_FROM: Setting[parse.NamespaceFrom | None] = Setting(
    name="NAMESPACE_FROM",
    example="shop-jp 2027-06-30",
    meaning="While a service with a `NAMESPACE` of its own is upgraded: that, and the last day on which tokens without "
    "one are read there; with `write` they are still written, for as long as older workers run.",
    parse=parse.namespace_from,
)
MOUNT = Setting(
    name="MOUNT",
    example="/checkpoint",
    meaning="The path that is kept for sekisho's own pages.",
    parse=parse.mount,
    default="/sekisho",
)
ON_STORE_FAILURE = Setting(
    name="ON_STORE_FAILURE",
    example="closed",
    meaning="While the store is gone: `local` (each worker counts for itself), `closed` (503), `open` (nobody counts).",
    parse=parse.choice(StoreFailure),
    default="local",
)
WORKERS: Setting[int | None] = Setting(
    name="WORKERS",
    example="4",
    meaning="Processes that share the service: while the store is gone, each admits its share. "
    "Unset: as many as are seen.",
    parse=parse.integer(1, 4096, "processes"),
)
STRANGERS_MAX: Setting[int | None] = Setting(
    name="STRANGERS_MAX",
    example="16",
    meaning="Attempts of strangers that one process passes to the application at once; known devices are not counted. "
    "Unset: as many as do not double the time that the application takes for one.",
    parse=parse.integer(1, 10_000, "attempts"),
)
NO_FACTOR = Setting(
    name="NO_FACTOR",
    example="refuse",
    meaning="What a call for a second factor becomes where there is none: `challenge` or `refuse`.",
    parse=parse.choice(NoFactor),
    default="challenge",
)
DEVICE_COOKIE = Setting(
    name="DEVICE_COOKIE",
    example="__Host-shop-device",
    meaning="The cookie that makes a device known after a log-in.",
    parse=parse.cookie,
    default="__Host-sekisho",
)
DEVICE_DAYS = Setting(
    name="DEVICE_DAYS",
    example="90",
    meaning="Days after which an unused device is a stranger again (browsers keep no cookie beyond 400).",
    parse=parse.integer(1, 400, "days"),
    default="180",
)
BODY_BYTES_MAX = Setting(
    name="BODY_BYTES_MAX",
    example="16384",
    meaning="The longest body that a door reads; longer ones get 413.",
    parse=parse.integer(1024, 1_048_576, "bytes"),
    default="65536",
)
BODY_SECONDS_MAX = Setting(
    name="BODY_SECONDS_MAX",
    example="5",
    meaning="Seconds that a body may take to arrive.",
    parse=parse.decimal(0.1, 120, "seconds"),
    default="10",
)
STORE_DEADLINE_MS = Setting(
    name="STORE_DEADLINE_MS",
    example="100",
    meaning="Milliseconds after which the store counts as gone for this attempt.",
    parse=parse.integer(1, 10_000, "milliseconds"),
    default="150",
)
STORE_BYTES_MAX: Setting[int | None] = Setting(
    name="STORE_BYTES_MAX",
    example="2000000000",
    meaning="Bytes that a Redis may hold until names and secrets that it has not seen share counters. "
    "Unset: four fifths of its `maxmemory`.",
    parse=parse.integer(1_000_000, 10**15, "bytes"),
)
MEMORY_ENTRIES_MAX = Setting(
    name="MEMORY_ENTRIES_MAX",
    example="50000",
    meaning="Identities that one process counts in its own memory; newcomers beyond it share counters.",
    parse=parse.integer(1000, 10_000_000, "entries"),
    default="200000",
)

CORPUS: Setting[str | None] = Setting(
    name="CORPUS",
    example="/var/lib/sekisho/passwords",
    meaning="The file of leaked passwords that `sekisho corpus build` made.",
    parse=parse.path,
)
PAIRS: Setting[str | None] = Setting(
    name="PAIRS",
    example="/var/lib/sekisho/pairs",
    meaning="The file of leaked pairs of account and password that `sekisho corpus build --pairs` made.",
    parse=parse.path,
)
PAIRS_KEY: Setting[bytes] = Setting(
    name="PAIRS_KEY",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="The key that `PAIRS` was made under, 32 bytes or more. Never keep it beside the file.",
    parse=parse.key,
    parse_bytes=parse.key_of_bytes,
    absent=b"",
    secret=True,
)
BREACHED_MIN = Setting(
    name="BREACHED_MIN",
    example="10",
    meaning="How often a password must have been seen in leaks to count as breached. Rounded down to a power of two.",
    parse=parse.integer(1, 32_768, "times"),
    default="1",
)
CORPUS_DAYS_MAX = Setting(
    name="CORPUS_DAYS_MAX",
    example="90",
    meaning="Days after which `CORPUS` counts as old: the start warns of it, and with `HIBP` that is asked about what "
    "the file does not know.",
    parse=parse.integer(1, 3650, "days"),
    default="30",
)
CANARY = Setting(
    name="CANARY",
    example="off",
    meaning="Whether the guard may send requests of its own through the application: log-ins with invented accounts "
    "(under `.invalid`) where a rule of success is under suspicion, and at the start a look for doors without a route.",
    parse=parse.boolean,
    default="on",
)
HIBP = Setting(
    name="HIBP",
    example="on",
    meaning="Whether Have I Been Pwned is asked where `CORPUS` is absent or too old: five hex digits of a hash, "
    "a tenth of a second at most.",
    parse=parse.boolean,
    default="off",
)
HIBP_URL = Setting(
    name="HIBP_URL",
    example="https://pwned.internal",
    meaning="A mirror of its range API.",
    parse=parse.api,
    default="https://api.pwnedpasswords.com",
)
EXPOSED_HEADER: Setting[str | None] = Setting(
    name="EXPOSED_HEADER",
    example="exposed-credential-check",
    meaning="The header in which a trusted proxy says that credentials have leaked, as Cloudflare does. "
    "Believed from `TRUSTED_PROXIES` alone.",
    parse=parse.header,
)
CONTROL_SOCKET: Setting[str | None] = Setting(
    name="CONTROL_SOCKET",
    example="/run/sekisho/control",
    meaning="With `memory://`: the unix socket through which the mode and lists are changed while the service runs. "
    "Only the service's own user and root may use it.",
    parse=parse.path,
)
EVENTS_FILE: Setting[str | None] = Setting(
    name="EVENTS_FILE",
    example="/var/log/sekisho/events.jsonl",
    meaning="The file to which every worker appends its events, one JSON object a line; see docs/events.md.",
    parse=parse.path,
)

PROTECT: Setting[tuple[ProtectedRoute, ...]] = Setting(
    name="PROTECT",
    example="POST /top-up max_age=300; * /payout/* max_age=60",
    meaning="Routes that want a proof of identity no older than so many seconds, by the account that is logged in.",
    parse=parse_routes,
    absent=(),
    separator=";",
)
CHALLENGES = Setting(
    name="CHALLENGES",
    example="pow,turnstile",
    meaning="What is asked before a secret is looked at, where something is suspicious: `pow` (work for the client's "
    "machine), `turnstile` or `hcaptcha`, or `none`. Never a proof of identity.",
    parse=factors.challenges,
    default="pow",
    separator=",",
)
CAPTCHA_SITEKEY: Setting[str | None] = Setting(
    name="CAPTCHA_SITEKEY",
    example="0x4AAAAAAABkMYinukE8nzYS",
    meaning="The captcha's public key.",
    parse=places.sitekey,
)
CAPTCHA_SECRET: Setting[str | None] = Setting(
    name="CAPTCHA_SECRET",
    example="what the captcha's provider shows beside the site key",
    meaning="The captcha's secret key.",
    parse=places.password,
    secret=True,
)
CAPTCHA_HOSTS: Setting[frozenset[str]] = Setting(
    name="CAPTCHA_HOSTS",
    example="shop.example,www.shop.example",
    meaning="The hosts whose pages show the captcha; a token from elsewhere is none.",
    parse=places.hosts,
    absent=frozenset(),
    separator=",",
)
CAPTCHA_URL: Setting[str | None] = Setting(
    name="CAPTCHA_URL",
    example="https://captcha.internal/siteverify",
    meaning="Where tokens are checked, in place of the provider's own address.",
    parse=places.endpoint,
)
FACTORS: Setting[tuple[str, ...]] = Setting(
    name="FACTORS",
    example="webauthn,totp,email",
    meaning="What proves who somebody is, in order of preference: `webauthn` (passkeys), `totp` (an app's codes), "
    "`email` and `webhook` (codes that are sent); or `none`. Recovery codes come with each.",
    parse=factors.factors,
    absent=(),
    separator=",",
)
OWNERS: Setting[str | None] = Setting(
    name="OWNERS",
    example="postgresql+asyncpg://sekisho@db.internal/shop",
    meaning="The database with the users, in which sekisho keeps tables of its own for factors: "
    "`postgresql+asyncpg://…`, `mysql://…`, `mariadb://…` or `sqlite+aiosqlite:///…`.",
    parse=places.database,
    secret=True,
)
OWNERS_QUERY: Setting[str | None] = Setting(
    name="OWNERS_QUERY",
    example="select id as account_id, email from users where username = :account",
    meaning="How an account's row is found: `email`; `account_id`, without which two spellings of an account are two "
    "(MySQL and MariaDB refuse that); and `locale`, where there is one.",
    parse=places.query,
)
SMTP: Setting[str | None] = Setting(
    name="SMTP",
    example="smtp://mailer@mail.internal:587",
    meaning="The server that takes codes and notices: `smtp://` (with STARTTLS) or `smtps://`.",
    parse=places.relay,
    secret=True,
)
SMTP_PASSWORD: Setting[str | None] = Setting(
    name="SMTP_PASSWORD",
    example="what the mail server expects of its user",
    meaning="The password of the user in `SMTP`, unless it stands there.",
    parse=places.password,
    secret=True,
)
MAIL_FROM: Setting[str | None] = Setting(
    name="MAIL_FROM",
    example="no-reply@shop.example",
    meaning="The address that mails come from.",
    parse=places.mailbox,
)
SERVICE_NAME = Setting(
    name="SERVICE_NAME",
    example="Shop Example",
    meaning="What the service is called, on pages and in mails.",
    parse=places.name,
    default="this service",
)
ACCOUNT_PAGE: Setting[str | None] = Setting(
    name="ACCOUNT_PAGE",
    example="shop.example/account",
    meaning="Where owners look after their account, as they would type it: mails name it and hold no link.",
    parse=places.page,
)
CODE_WEBHOOK: Setting[str | None] = Setting(
    name="CODE_WEBHOOK",
    example="https://codes.internal/send",
    meaning="Where codes are posted that a service of yours sends on, by telephone say.",
    parse=places.endpoint,
)
CODE_WEBHOOK_KEY: Setting[bytes] = Setting(
    name="CODE_WEBHOOK_KEY",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="The key, 32 bytes or more, that what is posted there is signed with.",
    parse=parse.key,
    parse_bytes=parse.key_of_bytes,
    absent=b"",
    secret=True,
)
PASSKEY_DOMAIN: Setting[str | None] = Setting(
    name="PASSKEY_DOMAIN",
    example="shop.example",
    meaning="The domain that passkeys are bound to (WebAuthn's RP ID), for ever: a change strands all of them.",
    parse=places.domain,
)
PASSKEY_ORIGINS: Setting[tuple[str, ...]] = Setting(
    name="PASSKEY_ORIGINS",
    example="https://shop.example,https://login.shop.example",
    meaning="The pages that may ask for a passkey. Unset: `https://` and `PASSKEY_DOMAIN`.",
    parse=places.passkey_origins,
    absent=(),
    separator=",",
)

DOOR_SETTINGS = (LOGIN, SIGNUP, RESET, CHANGE, CODE, LINK)

TABLE: tuple[Setting[object], ...] = cast(
    "tuple[Setting[object], ...]",
    (
        SECRET,
        STORE,
        MODE,
        *DOOR_SETTINGS,
        LIMIT_IP,
        LIMIT_NETWORK,
        LIMIT_DEVICE,
        LIMIT_ACCOUNT,
        LIMIT_LANE,
        ACCOUNT_FAILURES_MAX,
        CODE_GUESSES_MAX,
        TRUSTED_PROXIES,
        CLIENT_IP_HEADER,
        DEVICE_HEADERS,
        ALLOW,
        DENY,
        ORIGINS,
        NAMESPACE,
        NAMESPACE_FROM,
        WORKERS,
        ON_STORE_FAILURE,
        STORE_DEADLINE_MS,
        STORE_BYTES_MAX,
        MEMORY_ENTRIES_MAX,
        DEVICE_COOKIE,
        DEVICE_DAYS,
        BODY_BYTES_MAX,
        BODY_SECONDS_MAX,
        STRANGERS_MAX,
        NO_FACTOR,
        CORPUS,
        CORPUS_DAYS_MAX,
        PAIRS,
        PAIRS_KEY,
        CANARY,
        HIBP,
        HIBP_URL,
        EXPOSED_HEADER,
        BREACHED_MIN,
        EVENTS_FILE,
        CONTROL_SOCKET,
        MOUNT,
        PROTECT,
        CHALLENGES,
        CAPTCHA_SITEKEY,
        CAPTCHA_SECRET,
        CAPTCHA_HOSTS,
        CAPTCHA_URL,
        FACTORS,
        OWNERS,
        OWNERS_QUERY,
        PASSKEY_DOMAIN,
        PASSKEY_ORIGINS,
        SMTP,
        SMTP_PASSWORD,
        MAIL_FROM,
        SERVICE_NAME,
        ACCOUNT_PAGE,
        CODE_WEBHOOK,
        CODE_WEBHOOK_KEY,
        _reserved("LOGOUT", "POST /logout", "Doors where one logs out."),
    ),
)
