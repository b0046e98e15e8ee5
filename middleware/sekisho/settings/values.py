"""The settings as the rest of sekisho sees them: parsed once, typed, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sekisho.crypto.signers import Signer, signers_of
from sekisho.model import CLASS_OF, SITE_NETWORKS, AskedFrom, DoorKind, FactorClass, Posture, SuccessBy
from sekisho.model.brand import NO_BRAND, Brand

if TYPE_CHECKING:
    from sekisho.model import CappedRoute, DayLimits, Door, LimitSet, Mode, ProtectedRoute
    from sekisho.model.oidc import OidcRegistration
    from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity, AuditPlace
    from sekisho.settings.listening import Listening
    from sekisho.settings.parse import NamespaceFrom

Network = IPv4Network | IPv6Network


class StoreFailure(Enum):
    """The behaviour while the store is unavailable."""

    LOCAL = "local"  # each worker counts for itself, within bounds
    CLOSED = "closed"  # every attempt is refused: 503
    OPEN = "open"  # every attempt is admitted, uncounted


class NoFactor(Enum):
    """The replacement for a step-up on a site without factors."""

    CHALLENGE = "challenge"
    REFUSE = "refuse"


class StepUpFrom(Enum):
    """When strangers are asked for a factor: from a posture on. The last two are for familiar ones only."""

    ALWAYS = "always"
    ELEVATED = "elevated"
    ATTACK = "attack"
    NEVER = "never"
    OWN_NETWORK = "own-network"  # in no calm; in an alarm as others are, unless their own network is quiet

    @property
    def level(self) -> int:
        """The number of the lowest posture in which strangers are asked; above all postures for the last two."""
        return tuple(StepUpFrom).index(self)


class Preset(Enum):
    """Which values settings take that are not set; see `sekisho.settings.presets`."""

    BALANCED = "balanced"
    FAMILIAR = "familiar"
    STRICT = "strict"
    PCI = "pci"
    JSDA = "jsda"
    QUIET = "quiet"


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
    store: str = field(repr=False)
    preset: Preset
    mode: Mode
    doors: tuple[Door, ...]
    limits: LimitSet
    account_lock: bool
    namespace: str
    namespace_from: NamespaceFrom | None
    mount: str
    trusted_proxies: tuple[Network, ...] = field(repr=False)
    trust_unix: bool
    client_ip_header: str
    device_headers: tuple[bytes, ...]
    origins: frozenset[bytes]
    on_store_failure: StoreFailure
    workers: int | None
    allow: tuple[Network, ...] = field(repr=False)
    deny: tuple[Network, ...] = field(repr=False)
    body_bytes_max: int
    body_seconds_max: float
    strangers_max: int | None
    store_deadline_us: int
    store_bytes_max: int | None
    memory_entries_max: int
    code_guesses_max: int
    day_limits: DayLimits
    codes_max: int
    signup_codes_max: int
    disposable_domains: frozenset[str] = field(repr=False)
    device_cookie: str
    device_days: int
    aged_device_days: int | None
    no_factor: NoFactor
    step_up: StepUpFrom
    step_up_familiar: StepUpFrom | None
    corpus: str | None
    corpus_days_max: int
    pairs: str | None
    pairs_key: bytes = field(repr=False)
    canary: bool
    history: bool
    hibp: bool
    hibp_url: str
    exposed_header: str | None
    breached_min: int
    events_file: str | None
    audit: AuditPlace | None
    audit_format: AuditFormat
    audit_identity: AuditIdentity
    audit_address: AuditAddress
    audit_recipient: bytes
    audit_checkpoints: AuditPlace | None
    audit_replay: bool
    audit_bytes_max: int
    audit_files_max: int
    metrics_token: bytes = field(repr=False)
    metrics_listen: Listening | None
    otel: bool
    plugins: tuple[str, ...]
    feed: bool
    feed_entries_max: int
    feed_seconds_max: int
    campaigns: bool
    control_socket: str | None
    protect: tuple[ProtectedRoute, ...]
    caps: tuple[CappedRoute, ...]
    challenges: tuple[str, ...]
    challenges_set: bool
    captcha_sitekey: str | None
    captcha_secret: str | None = field(repr=False)
    captcha_hosts: frozenset[str]
    captcha_url: str | None = field(repr=False)
    factors: tuple[str, ...]
    factor_floor: str
    totp_drift: int
    oidc: OidcRegistration | None
    oidc_secret: str | None = field(repr=False)
    owners: str | None = field(repr=False)
    owners_query: str | None = field(repr=False)
    smtp: str | None = field(repr=False)
    smtp_password: str | None = field(repr=False)
    mail_from: str | None = field(repr=False)
    service_name: str = field(repr=False)
    account_page: str | None = field(repr=False)
    pages_url: str | None = field(repr=False)
    city_file: str | None
    asn_file: str | None
    stranger_notices: tuple[str, ...]
    stranger_notices_max: int
    notices_webhook: str | None = field(repr=False)
    notices_webhook_secret: tuple[bytes, ...] = field(repr=False)
    code_webhook: str | None = field(repr=False)
    code_webhook_key: bytes = field(repr=False)
    rp_id: str | None
    passkey_origins: tuple[str, ...]
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
