"""The settings as the rest of sekisho sees them: parsed once, typed, frozen."""

# ruff: noqa: RUF009 - `_of` makes a field, as `field` does

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sekisho.crypto.signers import Signer, signers_of
from sekisho.model import CLASS_OF, SITE_NETWORKS, AskedFrom, DoorKind, FactorClass, Posture, SuccessBy
from sekisho.model.brand import NO_BRAND, Brand
from sekisho.settings import table
from sekisho.settings.choices import StepUpFrom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.model import CappedRoute, DayLimits, Door, LimitSet, Mode, ProtectedRoute
    from sekisho.model.oidc import OidcRegistration
    from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity, AuditPlace
    from sekisho.settings.choices import NoFactor, Preset, StoreFailure
    from sekisho.settings.listening import Listening
    from sekisho.settings.networks import Network
    from sekisho.settings.parse import NamespaceFrom
    from sekisho.settings.table import Setting

T = TypeVar("T")
_SETTING = "setting"


def _of(setting: Setting[T], *, repr: bool = True) -> T:  # noqa: A002 - as in `field`
    """A field that holds the value of one setting, as its parser returns it."""
    value: T = field(repr=repr, metadata={_SETTING: setting})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, by the lower-case name of its variable unless stated otherwise.

    Its `repr` contains no secret, no URL that may have a password in it, and no address.

    Attributes:
        secrets: from `SECRET`; newest first, each of 32 bytes or more. Counters use the oldest.
        secrets_waiting: the secrets that only verify.
        namespace_from: see `NamespaceFrom`.
        doors: of all kinds, in the order of the settings; no method and path appears twice.
        limits: the `LIMIT_…` settings and `ACCOUNT_FAILURES_MAX`.
        trust_unix: whether the peer behind a unix socket is a trusted proxy (the word `unix` in `TRUSTED_PROXIES`).
        client_ip_header, device_headers: lower case, as ASGI spells header names.
        origins: as browsers spell them in the `Origin` header.
        workers: `None`: the number is observed.
        strangers_max: `None`: the number follows from the application's latency.
        aged_device_days: `None`: no device is ever aged.
        step_up_familiar: `None`: as `step_up`.
        pairs_key: empty if none is set.
        hibp_url: an origin, without a last slash.
        exposed_header: lower case.
        store_deadline_us: from `STORE_DEADLINE_MS`.
        store_bytes_max: `None`: a share of the store's own memory limit.
        factors: of `webauthn`, `totp`, `oidc`, `email`, `webhook`, in order of preference; () if there are none.
        challenges: of `pow`, `turnstile`, `hcaptcha`; asked for before a secret is checked.
        challenges_set: whether `challenges` is set explicitly, or the default.
        owners: a database's URL; `None` if a Python object is given, or there are no factors.
        rp_id: from `PASSKEY_DOMAIN`.
        passkey_origins: as browsers spell them; not empty if `webauthn` is among the factors.
        captcha_hosts: lower case.
        brand: the look of the pages, from `SERVICE_NAME` and the `BRAND_…` settings.
        captcha_url: replaces the provider's own URL; `None` if not set.
        code_webhook_key, metrics_token, audit_recipient: empty if none is set.
        is_secret_made_up: whether no secret was set, and one was made up for this process.
        processes: the number that the server starts, by its command line or `WEB_CONCURRENCY`; 1 where neither says.
        has_session_account: whether the application maps a session to its account.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    secrets_waiting: frozenset[bytes] = field(repr=False)
    store: str = _of(table.STORE, repr=False)
    preset: Preset
    mode: Mode = _of(table.MODE)
    doors: tuple[Door, ...]
    limits: LimitSet
    account_lock: bool = _of(table.ACCOUNT_LOCK)
    namespace: str = _of(table.NAMESPACE)
    namespace_from: NamespaceFrom | None = _of(table.NAMESPACE_FROM)
    mount: str = _of(table.MOUNT)
    trusted_proxies: tuple[Network, ...] = field(repr=False)
    trust_unix: bool
    client_ip_header: str = _of(table.CLIENT_IP_HEADER)
    device_headers: tuple[bytes, ...] = _of(table.DEVICE_HEADERS)
    origins: frozenset[bytes] = _of(table.ORIGINS)
    on_store_failure: StoreFailure = _of(table.ON_STORE_FAILURE)
    workers: int | None = _of(table.WORKERS)
    allow: tuple[Network, ...] = _of(table.ALLOW, repr=False)
    deny: tuple[Network, ...] = _of(table.DENY, repr=False)
    body_bytes_max: int = _of(table.BODY_BYTES_MAX)
    body_seconds_max: float = _of(table.BODY_SECONDS_MAX)
    strangers_max: int | None = _of(table.STRANGERS_MAX)
    store_deadline_us: int
    store_bytes_max: int | None = _of(table.STORE_BYTES_MAX)
    memory_entries_max: int = _of(table.MEMORY_ENTRIES_MAX)
    code_guesses_max: int = _of(table.CODE_GUESSES_MAX)
    day_limits: DayLimits
    codes_max: int = _of(table.CODES_MAX)
    signup_codes_max: int = _of(table.SIGNUP_CODES_MAX)
    disposable_domains: frozenset[str] = field(repr=False)
    device_cookie: str = _of(table.DEVICE_COOKIE)
    device_days: int = _of(table.DEVICE_DAYS)
    aged_device_days: int | None = _of(table.AGED_DEVICE_DAYS)
    no_factor: NoFactor = _of(table.NO_FACTOR)
    step_up: StepUpFrom = _of(table.STEP_UP)
    step_up_familiar: StepUpFrom | None = _of(table.STEP_UP_FAMILIAR)
    corpus: str | None = _of(table.CORPUS)
    corpus_days_max: int = _of(table.CORPUS_DAYS_MAX)
    pairs: str | None = _of(table.PAIRS)
    pairs_key: bytes = _of(table.PAIRS_KEY, repr=False)
    canary: bool = _of(table.CANARY)
    history: bool = _of(table.HISTORY)
    hibp: bool = _of(table.HIBP)
    hibp_url: str = _of(table.HIBP_URL)
    exposed_header: str | None = _of(table.EXPOSED_HEADER)
    breached_min: int = _of(table.BREACHED_MIN)
    events_file: str | None = _of(table.EVENTS_FILE)
    audit: AuditPlace | None = _of(table.AUDIT)
    audit_format: AuditFormat = _of(table.AUDIT_FORMAT)
    audit_identity: AuditIdentity = _of(table.AUDIT_IDENTITY)
    audit_address: AuditAddress = _of(table.AUDIT_ADDRESS)
    audit_recipient: bytes = _of(table.AUDIT_RECIPIENT)
    audit_checkpoints: AuditPlace | None = _of(table.AUDIT_CHECKPOINTS)
    audit_replay: bool = _of(table.AUDIT_REPLAY)
    audit_bytes_max: int = _of(table.AUDIT_BYTES_MAX)
    audit_files_max: int = _of(table.AUDIT_FILES_MAX)
    metrics_token: bytes = _of(table.METRICS_TOKEN, repr=False)
    metrics_listen: Listening | None = _of(table.METRICS_LISTEN)
    otel: bool = _of(table.OTEL)
    plugins: tuple[str, ...] = _of(table.PLUGINS)
    feed: bool = _of(table.FEED)
    feed_entries_max: int = _of(table.FEED_ENTRIES_MAX)
    feed_seconds_max: int = _of(table.FEED_SECONDS_MAX)
    campaigns: bool = _of(table.CAMPAIGNS)
    control_socket: str | None = _of(table.CONTROL_SOCKET)
    protect: tuple[ProtectedRoute, ...] = _of(table.PROTECT)
    caps: tuple[CappedRoute, ...] = _of(table.CAPS)
    challenges: tuple[str, ...] = _of(table.CHALLENGES)
    challenges_set: bool
    captcha_sitekey: str | None = _of(table.CAPTCHA_SITEKEY)
    captcha_secret: str | None = _of(table.CAPTCHA_SECRET, repr=False)
    captcha_hosts: frozenset[str] = _of(table.CAPTCHA_HOSTS)
    captcha_url: str | None = _of(table.CAPTCHA_URL, repr=False)
    factors: tuple[str, ...] = _of(table.FACTORS)
    factor_floor: str = _of(table.FACTOR_FLOOR)
    totp_drift: int = _of(table.TOTP_DRIFT)
    oidc: OidcRegistration | None = _of(table.OIDC)
    oidc_secret: str | None = _of(table.OIDC_SECRET, repr=False)
    owners: str | None = _of(table.OWNERS, repr=False)
    owners_query: str | None = _of(table.OWNERS_QUERY, repr=False)
    smtp: str | None = _of(table.SMTP, repr=False)
    smtp_password: str | None = _of(table.SMTP_PASSWORD, repr=False)
    mail_from: str | None = _of(table.MAIL_FROM, repr=False)
    service_name: str = _of(table.SERVICE_NAME, repr=False)
    account_page: str | None = _of(table.ACCOUNT_PAGE, repr=False)
    pages_url: str | None = _of(table.PAGES_URL, repr=False)
    city_file: str | None = _of(table.CITY_FILE)
    asn_file: str | None = _of(table.ASN_FILE)
    stranger_notices: tuple[str, ...] = _of(table.STRANGER_NOTICES)
    stranger_notices_max: int = _of(table.STRANGER_NOTICES_MAX)
    notices_webhook: str | None = _of(table.NOTICES_WEBHOOK, repr=False)
    notices_webhook_secret: tuple[bytes, ...] = _of(table.NOTICES_WEBHOOK_SECRET, repr=False)
    code_webhook: str | None = _of(table.CODE_WEBHOOK, repr=False)
    code_webhook_key: bytes = _of(table.CODE_WEBHOOK_KEY, repr=False)
    rp_id: str | None = _of(table.PASSKEY_DOMAIN)
    passkey_origins: tuple[str, ...] = _of(table.PASSKEY_ORIGINS)
    brand: Brand = field(default=NO_BRAND, repr=False)
    is_secret_made_up: bool = False
    processes: int = 1
    has_session_account: bool = False

    @property
    def listed(self) -> tuple[Signer, ...]:
        """The secrets as signers without a namespace, for the owners' database, which services may share."""
        return tuple(Signer(secret, signs=secret not in self.secrets_waiting) for secret in self.secrets)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """The signers that sign and seal this service's tokens, step-ups and session bindings."""
        old = self.namespace_from
        if old is None or old.namespace != self.namespace:
            return signers_of(self.listed, self.namespace)
        return signers_of(self.listed, self.namespace, old_until_s=old.until_s, writes_old=old.writes)

    @property
    def account_parts(self) -> int:
        """The number of parts that an account's name has: its tenants, and the name within them."""
        return 1 + max((len(door.tenant) for door in self.doors), default=0)

    @property
    def has_pages(self) -> bool:
        """Whether the guard serves pages below `mount`."""
        return bool(self.factors or self.challenges) or any(door.contact for door in self.doors)

    @property
    def related_origins(self) -> tuple[str, ...]:
        """Pages of other sites that may ask for the domain's passkeys (WebAuthn Level 3, section 5.11)."""
        domain = self.rp_id or ""
        hosts = ((origin, urlsplit(origin).hostname or "") for origin in self.passkey_origins)
        # An Android app has no host: the system checks its signature against the domain.
        return tuple(origin for origin, host in hosts if host not in {"", domain} and not host.endswith("." + domain))

    @property
    def guesses_session(self) -> bool:
        """Whether a session's cookie is guessed from answers, because a log-in's door has no rule that names it."""
        logins = (door for door in self.doors if door.kind in {DoorKind.LOGIN, DoorKind.PASSKEY})
        return not all(any(rule.by in {SuccessBy.COOKIE, SuccessBy.JSON} for rule in door.success) for door in logins)

    @property
    def limits_providers(self) -> bool:
        """Whether an IPv6 /32 has a limit."""
        return len(self.limits.networks) > SITE_NETWORKS

    @property
    def familiar_from(self) -> StepUpFrom:
        """From which posture on familiar strangers are asked for a factor: never from a lower one than others."""
        return self.step_up_familiar or self.step_up

    @property
    def asked(self) -> AskedFrom:
        """From which postures on strangers are asked for a factor."""
        if self.familiar_from is StepUpFrom.OWN_NETWORK:
            return AskedFrom(self.step_up.level, max(self.step_up.level, Posture.ELEVATED), own_network=True)
        return AskedFrom(self.step_up.level, self.familiar_from.level)

    @property
    def goes_by_posture(self) -> bool:
        """Whether it depends on the posture which strangers are asked for a factor."""
        return self.familiar_from is not StepUpFrom.ALWAYS

    @property
    def estimates_posture(self) -> bool:
        """Whether the posture is estimated: strangers are asked by it, or aged devices are spared in calm."""
        return self.goes_by_posture or (self.aged_device_days is not None and bool(self.factors))

    @property
    def floor(self) -> FactorClass:
        """The weakest class of factor that the site accepts."""
        return FactorClass[self.factor_floor.upper()]

    @property
    def oidc_class(self) -> FactorClass:
        """The class of factors that a proof by the factor `oidc` belongs to."""
        return self.oidc.factor_class if self.oidc else CLASS_OF["oidc"]

    @property
    def knows_breaches(self) -> bool:
        """Whether there is a source that tells whether a password has leaked."""
        return self.hibp or self.corpus is not None

    @property
    def challenge_plugin(self) -> str | None:
        """The full name of the plug-in that serves as the site's captcha, as in `challenges:name`; None without."""
        return next((name for name in self.plugins if name.startswith("challenges:")), None)

    @property
    def captcha(self) -> str | None:
        """The name of the provider of the site's captcha; None if it uses none."""
        return next((one for one in self.challenges if one != "pow"), None)


BY_FIELD: Mapping[str, Setting[Any]] = MappingProxyType(
    {each.name: each.metadata[_SETTING] for each in fields(Settings) if _SETTING in each.metadata}
)
"""The settings that are one field of `Settings` each, by its name."""
