"""The table of settings: `load` reads by it and `docs/settings.md` is generated from it, so both stay current."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from sekisho.model import CappedRoute, Door, DoorKind, Mode, ProtectedRoute
from sekisho.settings import audit, brand, factors, parse, places, plugins
from sekisho.settings.caps import parse_caps
from sekisho.settings.choices import NoFactor, Preset, StepUpFrom, StoreFailure
from sekisho.settings.doors import parse_doors, parse_log_ins
from sekisho.settings.listening import Listening, listening
from sekisho.settings.networks import allowed, networks, proxies
from sekisho.settings.oidc import parse_oidc
from sekisho.settings.protect import parse_routes
from sekisho.settings.rates import network_rates, rates
from sekisho.settings.store import MEMORY, store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.model import Limits
    from sekisho.model.oidc import OidcRegistration
    from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity
    from sekisho.settings.networks import Network

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

    @property
    def variable(self) -> str:
        return PREFIX + self.name

    def fallback(self) -> T:
        """The value that the setting has when it is not set."""
        if self.default is None:
            return cast("T", self.absent)  # T includes None exactly where a setting may be absent
        return self.parse(self.default, self.variable)


def _doors(kind: DoorKind, example: str, meaning: str) -> Setting[tuple[Door, ...]]:
    return Setting(
        name=kind.name, example=example, meaning=meaning, parse=partial(parse_doors, kind), absent=(), separator=";"
    )


SECRET: Setting[tuple[parse.Secret, ...]] = Setting(
    name="SECRET",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="A random secret of at least 32 bytes. During a rotation several, newest first; `verify:` before a secret "
    "means that it only verifies. Required.",
    parse=parse.secrets,
    parse_bytes=parse.secrets_of_bytes,
    absent=(),
    separator=",",
    secret=True,
)
STORE: Setting[str] = Setting(
    name="STORE",
    example="redis://redis.internal:6379/0",
    meaning="The store of the counters: `memory://` (one process only), `redis://`, `rediss://`, `redis+unix://`, "
    "`unix://`, `redis+sentinel://host,host/service`, `redis+cluster://host,host`; the last two with TLS: `rediss+…`.",
    parse=store,
    default=MEMORY,
    secret=True,
)
PRESET = Setting(
    name="PRESET",
    example="familiar",
    meaning="The values of settings that are not set: `balanced`, `familiar`, `strict`, `pci`, `jsda` or `quiet`, in "
    "the table below.",
    parse=parse.choice(Preset),
    default="balanced",
)
MODE: Setting[Mode] = Setting(
    name="MODE",
    example="monitor",
    meaning="`enforce` refuses attempts; `monitor` counts and judges, but refuses none; `off` reads no request.",
    parse=parse.choice(Mode),
    default="enforce",
)
LOGIN: Setting[tuple[Door, ...]] = Setting(
    name=DoorKind.LOGIN.name,
    example="POST /login form:username,password; POST /api/token json:user.email,password success=json:access_token",
    meaning="Doors for log-ins, in the notation below; `none` where only codes or passkeys log in.",
    parse=parse_log_ins,
    default="POST /login",
    separator=";",
)
SIGNUP = _doors(DoorKind.SIGNUP, "POST /signup form:email,password", "Doors for opening an account.")
RESET = _doors(
    DoorKind.RESET,
    "POST /reset form:email; POST /reset/confirm form:,token,password",
    "Doors for resetting a forgotten password.",
)
CHANGE = _doors(
    DoorKind.CHANGE, "POST /password form:username,old_password,new_password", "Doors for changing a password."
)
CODE = _doors(DoorKind.CODE, "POST /code form:username,code", "Doors for sending and checking one-time codes.")
LINK = _doors(DoorKind.LINK, "POST /link json:account_number,pin", "Doors for linking another account.")
LOGOUT = _doors(DoorKind.LOGOUT, "POST /logout", "Doors for logging out: `METHOD PATH`, and `forget=device`.")
PASSKEY = _doors(
    DoorKind.PASSKEY,
    "POST /login/passkey success=cookie:session",
    "Doors for log-ins that begin with a passkey: `METHOD PATH`, and `success=`.",
)
LIMIT_IP = Setting(
    name="LIMIT_IP",
    example="20/10minute;100/day",
    meaning="Limit of attempts from one address (IPv6: one /64).",
    parse=rates,
    default="20/10minute;100/day",
    separator=";",
)
LIMIT_NETWORK = Setting(
    name="LIMIT_NETWORK",
    example="100/10minute",
    meaning="Limit of attempts from one network (IPv4 /24, IPv6 /56); an IPv6 /48 gets four times as many.",
    parse=network_rates,
    default="100/10minute",
    separator=";",
)
LIMIT_PROVIDER: Setting[Limits] = Setting(
    name="LIMIT_PROVIDER",
    example="2000/hour;10000/day",
    meaning="Limit of attempts from one IPv6 /32, for attackers who have a /48 for each attempt; with `ASN_FILE` from "
    "one autonomous system, IPv4 too. A provider's customers share it, and only strangers' failures stay counted. It "
    "costs a key for each address, two for IPv4. Unset: none.",
    parse=rates,
    absent=(),
    separator=";",
)
LIMIT_DEVICE = Setting(
    name="LIMIT_DEVICE",
    example="30/10minute",
    meaning="Limit of attempts with the same `DEVICE_HEADERS` from one network.",
    parse=rates,
    default="30/10minute",
    separator=";",
)
LIMIT_ACCOUNT = Setting(
    name="LIMIT_ACCOUNT",
    example="5/5minute;10/hour",
    meaning="Limit of attempts by unknown devices at one account, over all doors. Known devices are exempt.",
    parse=rates,
    default="5/5minute;10/hour",
    separator=";",
)
LIMIT_LANE = Setting(
    name="LIMIT_LANE",
    example="10/hour",
    meaning="Limit of the device bucket: attempts by one known device at its account; beyond it, the device counts as "
    "unknown. *Lane* is an earlier word for that bucket; the name stays, so that no service's settings break.",
    parse=rates,
    default="10/hour",
    separator=";",
)
ACCOUNT_LOCK: Setting[bool] = Setting(
    name="ACCOUNT_LOCK",
    example="on",
    meaning="Whether work no longer helps strangers at an account over `LIMIT_ACCOUNT`: with `FACTORS` a proof lets "
    "them in, otherwise nothing until it refills. Known devices have their own limit, and others do not lock them.",
    parse=parse.boolean,
    default="off",
)
ACCOUNT_FAILURES_MAX = Setting(
    name="ACCOUNT_FAILURES_MAX",
    example="50",
    meaning="Failures at one account, over any time, after which a password alone no longer suffices "
    "(NIST SP 800-63B: at most 100).",
    parse=parse.integer(1, 100, "failures"),
    default="100",
)
CODE_GUESSES_MAX: Setting[int] = Setting(
    name="CODE_GUESSES_MAX",
    example="20",
    meaning="Limit of guesses a day at the codes of one account (`CODE`, `RESET` and `LINK` doors) by browsers that "
    "asked for a code. All other browsers together have a fifth of it.",
    parse=parse.integer(1, 1000, "guesses"),
    default="50",
)
SIGNUPS_NETWORK_MAX = Setting(
    name="SIGNUPS_NETWORK_MAX",
    example="50",
    meaning="Limit of sign-ups a day from one network (IPv4 /24, IPv6 /56), finished or not.",
    parse=parse.integer(1, 1_000_000, "sign-ups"),
    default="200",
)
SIGNUPS_DEVICE_MAX = Setting(
    name="SIGNUPS_DEVICE_MAX",
    example="10",
    meaning="Limit of sign-ups a day with the same `DEVICE_HEADERS` from one network.",
    parse=parse.integer(1, 1_000_000, "sign-ups"),
    default="50",
)
CODES_MAX: Setting[int] = Setting(
    name="CODES_MAX",
    example="5000",
    meaning="Limit of codes for log-ins and proofs that the whole site sends in an hour, by mail and webhook. They "
    "leave behind right secrets only; beyond it none does, and owners without another factor wait.",
    parse=parse.integer(100, 10_000_000, "codes"),
    default="20000",
)
SIGNUP_CODES_MAX: Setting[int] = Setting(
    name="SIGNUP_CODES_MAX",
    example="2000",
    meaning="Limit of codes that the whole site sends in a day to addresses and numbers of new accounts (`contact=`); "
    "half of them to one mail domain, or to numbers that begin with the same six digits.",
    parse=parse.integer(1, 10_000_000, "codes"),
    default="10000",
)
DISPOSABLE_DOMAINS: Setting[str | None] = Setting(
    name="DISPOSABLE_DOMAINS",
    example="/etc/sekisho/disposable-domains.txt",
    meaning="A file of mail domains with which no account may be opened, one a line, `#` before a comment; domains "
    "below them count as well. Read at the start.",
    parse=parse.path,
)
LINK_ACCOUNT_MAX = Setting(
    name="LINK_ACCOUNT_MAX",
    example="3",
    meaning="Limit of different accounts a day that one logged-in account tries to link (`LINK` doors). It needs "
    "`FACTORS` or `session_account`.",
    parse=parse.integer(1, 1_000_000, "accounts"),
    default="5",
)
LINK_DEVICE_MAX = Setting(
    name="LINK_DEVICE_MAX",
    example="5",
    meaning="Limit of different accounts a day that are tried at `LINK` doors with the same `DEVICE_HEADERS` from one "
    "network.",
    parse=parse.integer(1, 1_000_000, "accounts"),
    default="20",
)
LINK_NETWORK_MAX = Setting(
    name="LINK_NETWORK_MAX",
    example="20",
    meaning="Limit of different accounts a day that are tried at `LINK` doors from one network (IPv4 /24, IPv6 /56).",
    parse=parse.integer(1, 1_000_000, "accounts"),
    default="50",
)
TRUSTED_PROXIES: Setting[tuple[tuple[Network, ...], bool]] = Setting(
    name="TRUSTED_PROXIES",
    example="10.0.0.0/8,fd00::/8",
    meaning="Networks of the proxies that may state the client's address; the word `unix` trusts the peer of a unix "
    "socket. Trusting all networks is an error.",
    parse=proxies,
    absent=((), False),
    separator=",",
)
CLIENT_IP_HEADER: Setting[str] = Setting(
    name="CLIENT_IP_HEADER",
    example="forwarded",
    meaning="The header in which a trusted proxy states the client's address: `x-forwarded-for`, `forwarded`, or a "
    "CDN's own. It is read from the right.",
    parse=parse.header,
    default="x-forwarded-for",
)
DEVICE_HEADERS: Setting[tuple[bytes, ...]] = Setting(
    name="DEVICE_HEADERS",
    example="cloudfront-viewer-ja4-fingerprint,user-agent,accept-language",
    meaning="Headers that distinguish devices of one network.",
    parse=parse.device_headers,
    default="user-agent,accept-language,sec-ch-ua",
    separator=",",
)
ALLOW: Setting[tuple[Network, ...]] = Setting(
    name="ALLOW",
    example="192.0.2.0/28",
    meaning="Networks that are exempt from the ip, network and device limits; the account's limits still apply.",
    parse=allowed,
    absent=(),
    separator=",",
)
DENY: Setting[tuple[Network, ...]] = Setting(
    name="DENY",
    example="198.51.100.0/24,2001:db8::/32",
    meaning="Networks that doors, protected routes and sekisho's own pages refuse.",
    parse=networks,
    absent=(),
    separator=",",
)
ORIGINS: Setting[frozenset[bytes]] = Setting(
    name="ORIGINS",
    example="https://app.example",
    meaning="Origins of single-page apps that may read a refusal (CORS).",
    parse=parse.origins,
    absent=frozenset(),
    separator=",",
)
NAMESPACE: Setting[str] = Setting(
    name="NAMESPACE",
    example="shop-jp",
    meaning="Separates services that share a Redis or a `SECRET`.",
    parse=parse.namespace,
    default="sekisho",
)
NAMESPACE_FROM: Setting[parse.NamespaceFrom | None] = Setting(
    name="NAMESPACE_FROM",
    example="shop-jp 2027-06-30",
    meaning="For the upgrade of a service that has its own `NAMESPACE`: this namespace, and the last day on which it "
    "accepts tokens without one; with `write` it still issues them, while older workers run.",
    parse=parse.namespace_from,
)
MOUNT: Setting[str] = Setting(
    name="MOUNT",
    example="/checkpoint",
    meaning="The path of sekisho's own pages.",
    parse=parse.mount,
    default="/sekisho",
)
ON_STORE_FAILURE: Setting[StoreFailure] = Setting(
    name="ON_STORE_FAILURE",
    example="closed",
    meaning="While the store is lost: `local` (each worker counts alone), `closed` (503), `open` (no counting).",
    parse=parse.choice(StoreFailure),
    default="local",
)
WORKERS: Setting[int | None] = Setting(
    name="WORKERS",
    example="4",
    meaning="Number of processes of the service: while the store is lost, each admits its share of the limits. "
    "Unset: the number that the store has seen.",
    parse=parse.integer(1, 4096, "processes"),
)
STRANGERS_MAX: Setting[int | None] = Setting(
    name="STRANGERS_MAX",
    example="16",
    meaning="Attempts by unknown devices that one process passes to the application at once; known devices are not "
    "counted. Unset: as many as do not double the application's time for one attempt.",
    parse=parse.integer(1, 10_000, "attempts"),
)
NO_FACTOR: Setting[NoFactor] = Setting(
    name="NO_FACTOR",
    example="refuse",
    meaning="Replaces the request for a second factor at a site without factors: `challenge` or `refuse`.",
    parse=parse.choice(NoFactor),
    default="challenge",
)
STEP_UP: Setting[StepUpFrom] = Setting(
    name="STEP_UP",
    example="attack",
    meaning="When a stranger at a log-in is asked for a factor: `always`, or from the posture `elevated` or `attack` "
    "on. An account that has enrolled a factor is always asked.",
    parse=parse.choice(StepUpFrom, without=(StepUpFrom.NEVER, StepUpFrom.OWN_NETWORK)),
    default="always",
)
STEP_UP_FAMILIAR: Setting[StepUpFrom | None] = Setting(
    name="STEP_UP_FAMILIAR",
    example="elevated",
    meaning="The same for a stranger from a network where the account logged in before, which nothing contradicts: "
    "`elevated` or `attack`, later than `STEP_UP`; `own-network`: in an alarm, unless little fails in their own "
    "network; or `never`; see docs/posture.md. Unset: as `STEP_UP`.",
    parse=parse.choice(StepUpFrom),
)
DEVICE_COOKIE: Setting[str] = Setting(
    name="DEVICE_COOKIE",
    example="__Host-shop-device",
    meaning="Name of the cookie by which a device is recognised after a log-in.",
    parse=parse.cookie,
    default="__Host-sekisho",
)
DEVICE_DAYS: Setting[int] = Setting(
    name="DEVICE_DAYS",
    example="90",
    meaning="Days after which an unused device counts as unknown again (browsers keep cookies for 400 at most).",
    parse=parse.integer(1, 400, "days"),
    default="180",
)
AGED_DEVICE_DAYS: Setting[int | None] = Setting(
    name="AGED_DEVICE_DAYS",
    example="14",
    meaning="Days for which a device must have been seen, from before there were factors, to be spared the question at "
    "log-ins in calm; see docs/step-up.md. Set it at least so long before `FACTORS`. Unset: none is spared.",
    parse=parse.integer(14, 400, "days"),
)
BODY_BYTES_MAX: Setting[int] = Setting(
    name="BODY_BYTES_MAX",
    example="16384",
    meaning="Longest body that a door reads, in bytes; longer ones get 413.",
    parse=parse.integer(1024, 1_048_576, "bytes"),
    default="65536",
)
BODY_SECONDS_MAX: Setting[float] = Setting(
    name="BODY_SECONDS_MAX",
    example="5",
    meaning="Seconds within which a body must arrive.",
    parse=parse.decimal(0.1, 120, "seconds"),
    default="10",
)
STORE_DEADLINE_MS = Setting(
    name="STORE_DEADLINE_MS",
    example="100",
    meaning="Milliseconds after which the store counts as lost for an attempt.",
    parse=parse.integer(1, 10_000, "milliseconds"),
    default="150",
)
STORE_BYTES_MAX: Setting[int | None] = Setting(
    name="STORE_BYTES_MAX",
    example="2000000000",
    meaning="Memory of a Redis, in bytes, beyond which accounts and secrets that it has not seen share counters. "
    "Unset: four fifths of its `maxmemory`.",
    parse=parse.integer(1_000_000, 10**15, "bytes"),
)
MEMORY_ENTRIES_MAX: Setting[int] = Setting(
    name="MEMORY_ENTRIES_MAX",
    example="50000",
    meaning="Identities that one process counts in its memory; beyond it, new ones share counters.",
    parse=parse.integer(1000, 10_000_000, "entries"),
    default="200000",
)

CORPUS: Setting[str | None] = Setting(
    name="CORPUS",
    example="/var/lib/sekisho/passwords",
    meaning="The file of leaked passwords from `sekisho corpus build`.",
    parse=parse.path,
)
PAIRS: Setting[str | None] = Setting(
    name="PAIRS",
    example="/var/lib/sekisho/pairs",
    meaning="The file of leaked pairs of account and password from `sekisho corpus build --pairs`.",
    parse=parse.path,
)
PAIRS_KEY: Setting[bytes] = Setting(
    name="PAIRS_KEY",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="The key that `PAIRS` was built with, at least 32 bytes. Never keep it beside the file.",
    parse=parse.key,
    parse_bytes=parse.key_of_bytes,
    absent=b"",
    secret=True,
)
BREACHED_MIN: Setting[int] = Setting(
    name="BREACHED_MIN",
    example="10",
    meaning="Number of leaks from which a password counts as breached. Rounded down to a power of two.",
    parse=parse.integer(1, 32_768, "times"),
    default="1",
)
CORPUS_DAYS_MAX: Setting[int] = Setting(
    name="CORPUS_DAYS_MAX",
    example="90",
    meaning="Days after which `CORPUS` counts as old: the guard warns at the start, and with `HIBP` it asks about "
    "passwords that the file does not contain.",
    parse=parse.integer(1, 3650, "days"),
    default="30",
)
CANARY: Setting[bool] = Setting(
    name="CANARY",
    example="off",
    meaning="Whether the guard may send its own requests through the application: log-ins with invented accounts "
    "(under `.invalid`) if a rule of success is suspect, and at the start a check for doors without a route.",
    parse=parse.boolean,
    default="on",
)
PLUGINS: Setting[tuple[str, ...]] = Setting(
    name="PLUGINS",
    example="signals:asn,sinks:siem",
    meaning="Plug-ins of installed packages to load, by kind (`signals`, `challenges`, `sinks`) and name. No other is "
    "loaded.",
    parse=plugins.plugins,
    absent=(),
    separator=",",
)
FEED: Setting[bool] = Setting(
    name="FEED",
    example="on",
    meaning="Whether to publish refused addresses in one key of the store, in plain text and until their refusal ends, "
    "for `sekisho feed`.",
    parse=parse.boolean,
    default="off",
)
FEED_ENTRIES_MAX: Setting[int] = Setting(
    name="FEED_ENTRIES_MAX",
    example="2000",
    meaning="Addresses in the feed; beyond it, those that are released soonest are left out.",
    parse=parse.integer(1, 100_000, "addresses"),
    default="10000",
)
FEED_SECONDS_MAX: Setting[int] = Setting(
    name="FEED_SECONDS_MAX",
    example="600",
    meaning="The longest time in seconds for which the feed has an address, if it is refused for longer.",
    parse=parse.integer(1, 86_400, "seconds"),
    default="3600",
)
HISTORY: Setting[bool] = Setting(
    name="HISTORY",
    example="off",
    meaning="Whether to remember for 60 days, as keyed digests, from which networks and with which browsers each "
    "account logged in, and how many succeeded at each address: so that owners who share an address are let in. "
    "Without it no work is asked for at addresses that only fail, and `FEED` cannot be used.",
    parse=parse.boolean,
    default="on",
)
HIBP: Setting[bool] = Setting(
    name="HIBP",
    example="on",
    meaning="Whether to ask Have I Been Pwned if `CORPUS` is missing or too old. It sends five hex digits of a hash, "
    "and waits a tenth of a second at most.",
    parse=parse.boolean,
    default="off",
)
HIBP_URL: Setting[str] = Setting(
    name="HIBP_URL",
    example="https://pwned.internal",
    meaning="URL of the range API of Have I Been Pwned, or of a mirror.",
    parse=parse.api,
    default="https://api.pwnedpasswords.com",
)
EXPOSED_HEADER: Setting[str | None] = Setting(
    name="EXPOSED_HEADER",
    example="exposed-credential-check",
    meaning="The header in which a trusted proxy reports leaked credentials, as Cloudflare does. "
    "Accepted from `TRUSTED_PROXIES` only.",
    parse=parse.header,
)
CAMPAIGNS: Setting[bool] = Setting(
    name="CAMPAIGNS",
    example="on",
    meaning="Whether the workers recognise campaigns within a minute, and tell of them by events, the log and metrics. "
    "Strangers' attempts of the last hour are kept in `STORE` for it, as keyed digests; see docs/campaigns.md.",
    parse=parse.boolean,
    default="off",
)
CONTROL_SOCKET: Setting[str | None] = Setting(
    name="CONTROL_SOCKET",
    example="/run/sekisho/control",
    meaning="With `memory://`: the unix socket for changing the mode and lists of a running service. "
    "Only the service's own user and root may use it.",
    parse=parse.path,
)
EVENTS_FILE: Setting[str | None] = Setting(
    name="EVENTS_FILE",
    example="/var/log/sekisho/events.jsonl",
    meaning="The file to which every worker appends its events, one JSON object a line; see docs/events.md.",
    parse=parse.path,
)

AUDIT: Setting[audit.AuditPlace | None] = Setting(
    name="AUDIT",
    example="file:/var/log/sekisho/audit.jsonl",
    meaning="Where every event goes as a line of the audit, which cannot be changed unnoticed: `stdout`, `file:` and a "
    "path, `logging` (the logger `sekisho.audit`, for OpenTelemetry and others), or `redis` (a stream in `STORE`); see "
    "docs/audit.md.",
    parse=audit.place,
)
AUDIT_FORMAT: Setting[AuditFormat] = Setting(
    name="AUDIT_FORMAT",
    example="sekisho",
    meaning="The dialect of the audit's lines: `sekisho` (that of events), `ocsf` (OCSF 1.3.0), `ecs` (Elastic Common "
    "Schema) or `owasp` (OWASP's logging vocabulary).",
    parse=parse.choice(audit.AuditFormat),
    default="sekisho",
)
AUDIT_IDENTITY: Setting[AuditIdentity] = Setting(
    name="AUDIT_IDENTITY",
    example="sealed",
    meaning="How the audit names accounts: `digest` (keyed pseudonyms), `sealed` (and names that only the holder of "
    "`AUDIT_RECIPIENT`'s private key reads) or `plain` (and names). Names of accounts that are not known to exist are "
    "never written: people type passwords there.",
    parse=parse.choice(audit.AuditIdentity),
    default="digest",
)
AUDIT_ADDRESS: Setting[AuditAddress] = Setting(
    name="AUDIT_ADDRESS",
    example="prefix",
    meaning="How the audit names addresses: `digest` (keyed pseudonyms), `prefix` (and the network) or `full` (and the "
    "address).",
    parse=parse.choice(audit.AuditAddress),
    default="digest",
)
AUDIT_RECIPIENT: Setting[bytes] = Setting(
    name="AUDIT_RECIPIENT",
    example="VZI8CLbS_VbsXFxB3fDc1aYDsJJAxbdbnXE2gIFABCE",
    meaning="The public key for which the audit seals names and its own keys, as `sekisho audit key` prints it. The "
    "private key stays elsewhere.",
    parse=audit.recipient,
    absent=b"",
)
AUDIT_CHECKPOINTS: Setting[audit.AuditPlace | None] = Setting(
    name="AUDIT_CHECKPOINTS",
    example="store",
    meaning="Where signed checkpoints of the audit go, by which lines missing at an end are found: `store`, or `file:` "
    "and a path on another disk than the audit's.",
    parse=audit.checkpoints,
)
AUDIT_REPLAY: Setting[bool] = Setting(
    name="AUDIT_REPLAY",
    example="on",
    meaning="Whether the audit's lines of attempts also say, in keyed digests, what the counters were asked, so that "
    "`sekisho simulate --replay` can judge them under other limits. A line grows by some 120 bytes.",
    parse=parse.boolean,
    default="off",
)
AUDIT_BYTES_MAX: Setting[int] = Setting(
    name="AUDIT_BYTES_MAX",
    example="100000000",
    meaning="Size of the audit's file, in bytes, from which it is renamed and another is begun.",
    parse=parse.integer(65_536, 10**11, "bytes"),
    default="100000000",
)
AUDIT_FILES_MAX: Setting[int] = Setting(
    name="AUDIT_FILES_MAX",
    example="30",
    meaning="Renamed files of the audit that are kept.",
    parse=parse.integer(1, 1_000, "files"),
    default="10",
)

METRICS_TOKEN: Setting[bytes] = Setting(
    name="METRICS_TOKEN",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="The bearer token with which Prometheus reads `MOUNT` + `/metrics`, at least 32 bytes. Unset: no metrics.",
    parse=parse.key,
    parse_bytes=parse.key_of_bytes,
    absent=b"",
    secret=True,
)

METRICS_LISTEN: Setting[Listening | None] = Setting(
    name="METRICS_LISTEN",
    example="127.0.0.1:9464",
    meaning="An address and a port of their own for the page of metrics, which is `/metrics` there and no longer below "
    "`MOUNT`. One worker listens, over plain HTTP; another follows when it ends.",
    parse=listening,
)
OTEL: Setting[bool] = Setting(
    name="OTEL",
    example="on",
    meaning="Whether metrics go to OpenTelemetry (to the application's own `MeterProvider`, or else by OTLP over HTTP "
    "to the address in the variables `OTEL_…`), and decisions into the application's traces; see docs/metrics.md.",
    parse=parse.boolean,
    default="off",
)

PROTECT: Setting[tuple[ProtectedRoute, ...]] = Setting(
    name="PROTECT",
    example="POST /top-up max_age=300 page=/top-up; * /payout/* max_age=60 acr=phr",
    meaning="Routes that require a proof of identity of the logged-in account, no older than `max_age` seconds, and by "
    "a factor of class `acr` or a stronger one (see `FACTOR_FLOOR`). With `notice=`, owners are told of what was "
    "changed there.",
    parse=parse_routes,
    absent=(),
    separator=";",
)
CAPS: Setting[tuple[CappedRoute, ...]] = Setting(
    name="CAPS",
    example="POST /payout json:amount 100000/1day 300000/30day",
    meaning="The greatest sum that one account may move at a protected route, in minor units of the currency, in any "
    "window of each period; see docs/step-up.md. `over=step_up` asks for a proof beyond it; otherwise it is refused.",
    parse=parse_caps,
    absent=(),
    separator=";",
)
CHALLENGES: Setting[tuple[str, ...]] = Setting(
    name="CHALLENGES",
    example="pow,turnstile",
    meaning="Challenges for suspicious clients, before their secret is checked: `pow` (proof of work), `turnstile` or "
    "`hcaptcha`, or `none`. A solved challenge is never a proof of identity.",
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
    meaning="The hosts whose pages show the captcha; tokens from other hosts are refused.",
    parse=places.hosts,
    absent=frozenset(),
    separator=",",
)
CAPTCHA_URL: Setting[str | None] = Setting(
    name="CAPTCHA_URL",
    example="https://captcha.internal/siteverify",
    meaning="URL for checking tokens, instead of the provider's own.",
    parse=places.endpoint,
)
FACTORS: Setting[tuple[str, ...]] = Setting(
    name="FACTORS",
    example="webauthn,totp,email",
    meaning="Proofs of identity, in order of preference: `webauthn` (passkeys), `totp` (codes of an app), `oidc` (a "
    "log-in at a provider), `email` and `webhook` (codes that are sent); or `none`. Recovery codes are added to any.",
    parse=factors.factors,
    absent=(),
    separator=",",
)
OIDC: Setting[OidcRegistration | None] = Setting(
    name="OIDC",
    example="https://bank.example client_id=shop acr=urn:bank:strong name=My Bank",
    meaning="The OpenID Connect provider of the factor `oidc`, in the notation below.",
    parse=parse_oidc,
)
OIDC_SECRET: Setting[str | None] = Setting(
    name="OIDC_SECRET",
    example="what the provider shows beside the client's identifier",
    meaning="The client secret at the provider of `OIDC`.",
    parse=places.password,
    secret=True,
)
FACTOR_FLOOR: Setting[str] = Setting(
    name="FACTOR_FLOOR",
    example="phr",
    meaning="The weakest class of factor that is accepted: `phr` (passkeys, which a phishing page cannot relay), `app` "
    "(codes of an app) or `sent` (codes by mail or message). Owners without such a factor get in from known devices "
    "only, and enrol one there.",
    parse=factors.floor,
    default="sent",
)
TOTP_DRIFT: Setting[int] = Setting(
    name="TOTP_DRIFT",
    example="0",
    meaning="Time steps of 30 s before and after the current one whose codes of an app are accepted: 0 or 1.",
    parse=parse.integer(0, 1, "steps"),
    default="1",
)
OWNERS: Setting[str | None] = Setting(
    name="OWNERS",
    example="postgresql+asyncpg://sekisho@db.internal/shop",
    meaning="The database of the users, in which sekisho keeps its tables of factors: "
    "`postgresql+asyncpg://…`, `mysql://…`, `mariadb://…` or `sqlite+aiosqlite:///…`.",
    parse=places.database,
    secret=True,
)
OWNERS_QUERY: Setting[str | None] = Setting(
    name="OWNERS_QUERY",
    example="select id as account_id, email from users where username = :account",
    meaning="The query for an account's row. Its columns: `email`; `account_id`, without which two spellings of an "
    "account count as two (MySQL and MariaDB require it); optionally `locale`, and `email_2` to `email_4` for notices.",
    parse=places.query,
)
SMTP: Setting[str | None] = Setting(
    name="SMTP",
    example="smtp://mailer@mail.internal:587",
    meaning="The mail server for codes and notices: `smtp://` (with STARTTLS) or `smtps://`.",
    parse=places.relay,
    secret=True,
)
SMTP_PASSWORD: Setting[str | None] = Setting(
    name="SMTP_PASSWORD",
    example="what the mail server expects of its user",
    meaning="The password of the user in `SMTP`, if the URL contains none.",
    parse=places.password,
    secret=True,
)
MAIL_FROM: Setting[str | None] = Setting(
    name="MAIL_FROM",
    example="no-reply@shop.example",
    meaning="The sender address of mails.",
    parse=places.mailbox,
)
SERVICE_NAME: Setting[str] = Setting(
    name="SERVICE_NAME",
    example="Shop Example",
    meaning="The name of the service, on pages and in mails.",
    parse=places.name,
    default="this service",
)
BRAND_COLOR: Setting[str | None] = Setting(
    name="BRAND_COLOR",
    example="#0b57c2",
    meaning="The colour of buttons and links on the pages, as `#rrggbb`. Its contrast to them is checked (WCAG 2.2: "
    "4.5:1).",
    parse=brand.color,
)
BRAND_COLOR_DARK: Setting[str | None] = Setting(
    name="BRAND_COLOR_DARK",
    example="#8ab8ff",
    meaning="The same for browsers that prefer dark pages.",
    parse=brand.color_dark,
)
BRAND_LOGO: Setting[str | None] = Setting(
    name="BRAND_LOGO",
    example="/etc/sekisho/logo.svg",
    meaning="The logo on the pages: a PNG or SVG file of at most 64 KiB, read at the start, or `url:` and a path of "
    "this site, such as `url:/static/logo.svg`.",
    parse=brand.place,
)
ACCOUNT_PAGE: Setting[str | None] = Setting(
    name="ACCOUNT_PAGE",
    example="shop.example/account",
    meaning="The address of the account page, as owners would type it. Mails show it, and contain no link to it.",
    parse=places.page,
)
PAGES_URL: Setting[str | None] = Setting(
    name="PAGES_URL",
    example="https://shop.example/sekisho",
    meaning="The public URL of the pages below `MOUNT`. With it, notices link to a page where owners answer.",
    parse=places.pages_url,
)
CITY_FILE: Setting[str | None] = Setting(
    name="CITY_FILE",
    example="/var/lib/sekisho/cities.mmdb",
    meaning="A file of cities in the MaxMind DB format, such as GeoLite2-City or DB-IP's: owners see the city and "
    "country of their log-ins. It needs `OWNERS` and `FACTORS`, and is read at the start.",
    parse=parse.path,
)
ASN_FILE: Setting[str | None] = Setting(
    name="ASN_FILE",
    example="/var/lib/sekisho/asn.mmdb",
    meaning="A file of autonomous systems in the MaxMind DB format, such as GeoLite2-ASN or DB-IP's: the posture has a "
    "score for each, and `LIMIT_PROVIDER` counts each, in place of the IPv6 /32. It is read at the start.",
    parse=parse.path,
)
STRANGER_NOTICES: Setting[tuple[str, ...]] = Setting(
    name="STRANGER_NOTICES",
    example="failures,link",
    meaning="Notices to owners that a stranger can cause, once a week for an account: `failures` (many wrong secrets) "
    "and `link` (a link with the account was tried in vain); or `none`.",
    parse=factors.stranger_notices,
    absent=(),
    separator=",",
)
STRANGER_NOTICES_MAX: Setting[int] = Setting(
    name="STRANGER_NOTICES_MAX",
    example="1000",
    meaning="How many notices of `STRANGER_NOTICES` the whole site sends in a day.",
    parse=parse.integer(1, 1_000_000, "notices"),
    default="100",
)
NOTICES_WEBHOOK: Setting[str | None] = Setting(
    name="NOTICES_WEBHOOK",
    example="https://notices.internal/sekisho",
    meaning="URL to which notices are posted, beside mail or instead of it, signed by the Standard Webhooks scheme. "
    "They wait in the database of `OWNERS`.",
    parse=places.endpoint,
)
NOTICES_WEBHOOK_SECRET: Setting[tuple[bytes, ...]] = Setting(
    name="NOTICES_WEBHOOK_SECRET",
    example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    meaning="The secret that signs posts to `NOTICES_WEBHOOK`: `whsec_` and what `openssl rand -base64 32` prints. "
    "Two, with a comma between, while it is replaced.",
    parse=places.webhook_secrets,
    absent=(),
    separator=",",
    secret=True,
)
CODE_WEBHOOK: Setting[str | None] = Setting(
    name="CODE_WEBHOOK",
    example="https://codes.internal/send",
    meaning="URL of your own sender, to which codes are posted (for text messages, for example).",
    parse=places.endpoint,
)
CODE_WEBHOOK_KEY: Setting[bytes] = Setting(
    name="CODE_WEBHOOK_KEY",
    example="what `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` prints",
    meaning="The key that signs requests to `CODE_WEBHOOK`, at least 32 bytes.",
    parse=parse.key,
    parse_bytes=parse.key_of_bytes,
    absent=b"",
    secret=True,
)
PASSKEY_DOMAIN: Setting[str | None] = Setting(
    name="PASSKEY_DOMAIN",
    example="shop.example",
    meaning="The domain that passkeys are bound to (WebAuthn's RP ID). A change makes all enrolled passkeys useless.",
    parse=places.domain,
)
PASSKEY_ORIGINS: Setting[tuple[str, ...]] = Setting(
    name="PASSKEY_ORIGINS",
    example="https://shop.example,https://login.shop.example",
    meaning="The pages that may ask for a passkey. Unset: `https://` and `PASSKEY_DOMAIN`. Up to five hosts may be of "
    "other sites: browsers then ask `https://PASSKEY_DOMAIN/.well-known/webauthn`, which sekisho answers.",
    parse=places.passkey_origins,
    absent=(),
    separator=",",
)

DOOR_SETTINGS = (LOGIN, SIGNUP, RESET, CHANGE, CODE, LINK, LOGOUT, PASSKEY)

TABLE: tuple[Setting[object], ...] = cast(
    "tuple[Setting[object], ...]",
    (
        SECRET,
        STORE,
        PRESET,
        MODE,
        *DOOR_SETTINGS,
        LIMIT_IP,
        LIMIT_NETWORK,
        LIMIT_PROVIDER,
        LIMIT_DEVICE,
        LIMIT_ACCOUNT,
        LIMIT_LANE,
        ACCOUNT_LOCK,
        ACCOUNT_FAILURES_MAX,
        CODE_GUESSES_MAX,
        SIGNUPS_NETWORK_MAX,
        SIGNUPS_DEVICE_MAX,
        CODES_MAX,
        SIGNUP_CODES_MAX,
        DISPOSABLE_DOMAINS,
        LINK_ACCOUNT_MAX,
        LINK_DEVICE_MAX,
        LINK_NETWORK_MAX,
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
        AGED_DEVICE_DAYS,
        BODY_BYTES_MAX,
        BODY_SECONDS_MAX,
        STRANGERS_MAX,
        NO_FACTOR,
        STEP_UP,
        STEP_UP_FAMILIAR,
        CORPUS,
        CORPUS_DAYS_MAX,
        PAIRS,
        PAIRS_KEY,
        CANARY,
        HISTORY,
        HIBP,
        HIBP_URL,
        EXPOSED_HEADER,
        BREACHED_MIN,
        EVENTS_FILE,
        AUDIT,
        AUDIT_FORMAT,
        AUDIT_IDENTITY,
        AUDIT_ADDRESS,
        AUDIT_RECIPIENT,
        AUDIT_CHECKPOINTS,
        AUDIT_REPLAY,
        AUDIT_BYTES_MAX,
        AUDIT_FILES_MAX,
        METRICS_TOKEN,
        METRICS_LISTEN,
        OTEL,
        PLUGINS,
        FEED,
        FEED_ENTRIES_MAX,
        FEED_SECONDS_MAX,
        CAMPAIGNS,
        CONTROL_SOCKET,
        MOUNT,
        PROTECT,
        CAPS,
        CHALLENGES,
        CAPTCHA_SITEKEY,
        CAPTCHA_SECRET,
        CAPTCHA_HOSTS,
        CAPTCHA_URL,
        FACTORS,
        FACTOR_FLOOR,
        TOTP_DRIFT,
        OIDC,
        OIDC_SECRET,
        OWNERS,
        OWNERS_QUERY,
        PASSKEY_DOMAIN,
        PASSKEY_ORIGINS,
        SMTP,
        SMTP_PASSWORD,
        MAIL_FROM,
        SERVICE_NAME,
        BRAND_COLOR,
        BRAND_COLOR_DARK,
        BRAND_LOGO,
        ACCOUNT_PAGE,
        PAGES_URL,
        CITY_FILE,
        ASN_FILE,
        STRANGER_NOTICES,
        STRANGER_NOTICES_MAX,
        NOTICES_WEBHOOK,
        NOTICES_WEBHOOK_SECRET,
        CODE_WEBHOOK,
        CODE_WEBHOOK_KEY,
    ),
)
