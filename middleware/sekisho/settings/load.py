"""Read the environment strictly by the table, and report all mistakes at once.

Otherwise an operator would correct one mistake per restart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from difflib import get_close_matches
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from sekisho.model import DayLimits, Door, LimitSet, SettingsError
from sekisho.model.brand import Brand
from sekisho.settings import table
from sekisho.settings.audit import AuditIdentity, AuditKind
from sekisho.settings.brand import AT, logo_of
from sekisho.settings.domains import domains_of
from sekisho.settings.doors import (
    SAME_ROUTE,
    TWO_CHARSETS,
    TWO_TENANCIES,
    other_tenancy,
    two_charsets_at_one_path,
    two_doors_for_one_request,
)
from sekisho.settings.files import NotReadable, read_file
from sekisho.settings.parse import HOW_TO_MAKE_A_SECRET, Secret
from sekisho.settings.presets import texts_of
from sekisho.settings.processes import processes
from sekisho.settings.step_up import StepUpGiven, contradictions, with_defaults
from sekisho.settings.store import MEMORY
from sekisho.settings.table import DOOR_SETTINGS, PREFIX, TABLE, Setting
from sekisho.settings.values import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.model.brand import Logo

T = TypeVar("T")
FILE_BYTES_MAX = 65_536
_FILE = "_FILE"
QUOTED = "it is in quotation marks, which count as part of it here: docker run --env-file keeps them; write none"
_NOTHING: Mapping[str, object] = MappingProxyType({})

# Names that other programs, or this documentation's own words, suggest for a setting.
_MEANT: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("DOOR", "DOORS", "PATH", "PATHS", "ROUTE", "ROUTES", "LOGIN_PATH", "LOGIN_URL"), "LOGIN")
    | dict.fromkeys(("REDIS", "REDIS_URL", "REDIS_URI", "STORAGE", "STORAGE_URI", "STORE_URL", "BACKEND"), "STORE")
    | dict.fromkeys(("KEY", "SECRET_KEY", "SECRETS"), "SECRET")
    | dict.fromkeys(("PROXIES", "PROXY", "FORWARDED_ALLOW_IPS"), "TRUSTED_PROXIES")
    | dict.fromkeys(("LIMIT", "LIMITS", "RATE", "RATE_LIMIT"), "LIMIT_ACCOUNT")
    | dict.fromkeys(("LIMIT_DEVICE_BUCKET", "LIMIT_BUCKET", "LIMIT_KNOWN_DEVICE"), "LIMIT_LANE")
    | dict.fromkeys(("ENABLED", "DISABLED"), "MODE")
)

# Kubernetes sets these in every container beside a Service called sekisho, or sekisho-something.
_INJECTED = re.compile(
    r"SEKISHO_(PORT|PORT_.*|SERVICE_.*)"
    r"|SEKISHO_[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT|SERVICE_PORT_[A-Z0-9_]+|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)"
)


class SettingsErrors(SettingsError):  # noqa: N818 - several of what SettingsError is one of
    """All mistakes of one start. `name` and `problem` are the first one's; the text has a line for each."""

    def __init__(self, mistakes: Sequence[SettingsError]) -> None:
        # Copies: the tracebacks of the originals reference frames whose variables hold values.
        self.mistakes = tuple(SettingsError(mistake.name, mistake.problem) for mistake in mistakes)
        super().__init__(self.mistakes[0].name, self.mistakes[0].problem)

    def __str__(self) -> str:
        return "\n".join(f"{mistake.name}: {mistake.problem}" for mistake in self.mistakes)


def load(
    environ: Mapping[str, str],
    overrides: Mapping[str, object] = _NOTHING,
    *,
    argv: Sequence[str] = (),
    ephemeral_secret: bytes | None = None,
    has_owners: bool = False,
    has_sender: bool = False,
    has_session_account: bool = False,
) -> Settings:
    """Parse all settings.

    Args:
        environ: as `os.environ`; only names that begin with `SEKISHO_` are read, and `WEB_CONCURRENCY` for a warning.
        overrides: keyword arguments, by lower-case name without the prefix; text as in the environment, or the
            value itself (`bytes` for a secret, a list of texts, a number, an enumeration's member). `None` means
            not given.
        argv: the command line of the server, as `sys.argv`, for the same warning.
        ephemeral_secret: used if no secret is set, only for demonstrations and tests: after a restart, all tokens
            signed with it are invalid.
        has_owners: whether a Python object looks up account owners, in place of `OWNERS`.
        has_sender: whether a callable sends codes, in place of `CODE_WEBHOOK`.
        has_session_account: whether a callable maps a session to its account.

    Raises:
        SettingsErrors: a `SettingsError` that names every mistake and holds no value.
    """
    source = _Source(environ, overrides)
    given = StepUpGiven(owners=has_owners, sender=has_sender)
    settings = _settings(source, ephemeral_secret, given)
    if source.mistakes:
        raise SettingsErrors([source.explained(mistake) for mistake in source.mistakes])
    return replace(settings, processes=processes(environ, argv), has_session_account=has_session_account)


class _Source:
    """The sources of settings: keyword arguments first, then the environment, then the preset.

    Collects mistakes and continues.
    """

    def __init__(self, environ: Mapping[str, str], overrides: Mapping[str, object]) -> None:
        self._environ = {name: text for name, text in environ.items() if name.upper().startswith(PREFIX)}
        self._overrides = {name: value for name, value in overrides.items() if value is not None}
        self.mistakes: list[SettingsError] = []
        self._failed: set[str] = set()
        variables = {name for setting in TABLE for name in _variables(setting)}
        self._report_unknown(variables)
        self._preset: dict[str, str] = {}
        self.preset = self.read(table.PRESET)
        self._preset = texts_of(self.preset)

    def read(self, setting: Setting[T]) -> T:
        """The setting's value. If it is invalid, records a mistake and returns a value of the right type."""
        try:
            return self._read(setting)
        except SettingsError as mistake:
            self.mistakes.append(mistake)
            self._failed.add(setting.name)
            return setting.fallback()

    def is_set(self, setting: Setting[T]) -> bool:
        """Whether it is set, to a valid or an invalid value."""
        return any(True for _ in (*self._given(setting), *self._in_environment(setting)))

    def understood(self, *names: str) -> bool:
        """Whether these were valid: the stand-in for an invalid value must not be reported as a contradiction."""
        return self._failed.isdisjoint(names)

    def explained(self, mistake: SettingsError) -> SettingsError:
        """The mistake; where the preset has set the variable, the text says so: the operator never wrote it."""
        presets = {setting.variable for setting in TABLE if setting.name in self._preset and not self.is_set(setting)}
        if mistake.name not in presets:
            return mistake
        return SettingsError(mistake.name, f"{mistake.problem} ({table.PRESET.variable}={self.preset.value} sets it)")

    def _read(self, setting: Setting[T]) -> T:
        found = list(self._given(setting)) or list(self._in_environment(setting))
        if len(found) > 1:
            raise SettingsError(setting.variable, f"is set, and {setting.variable}{_FILE} too; keep one of them")
        for name, value, is_file in found:
            return _parse(setting, _content(value, name) if is_file else value, name)
        preset = self._preset.get(setting.name)
        return setting.fallback() if preset is None else setting.parse(preset, setting.variable)

    def _given(self, setting: Setting[T]) -> Iterator[tuple[str, object, bool]]:
        for variable in _variables(setting):
            keyword = variable.removeprefix(PREFIX).lower()
            if keyword in self._overrides:
                yield f"{variable} (keyword {keyword})", self._overrides[keyword], variable != setting.variable

    def _in_environment(self, setting: Setting[T]) -> Iterator[tuple[str, object, bool]]:
        for variable in _variables(setting):
            if variable in self._environ:
                yield variable, self._environ[variable], variable != setting.variable

    def _report_unknown(self, variables: set[str]) -> None:
        known = {variable.removeprefix(PREFIX) for variable in variables}
        for name in sorted(self._environ.keys() - variables):
            if not _INJECTED.fullmatch(name):
                self.mistakes.append(_unknown(name, known, str.upper, PREFIX))
        for name in sorted(self._overrides.keys() - {one.lower() for one in known}):
            self.mistakes.append(_unknown(name, known, str.lower, ""))


def _variables(setting: Setting[T]) -> tuple[str, ...]:
    return (setting.variable, setting.variable + _FILE) if setting.secret else (setting.variable,)


def _unknown(name: str, known: set[str], spell: Callable[[str], str], prefix: str) -> SettingsError:
    # Compared without the prefix: with it, all names would be similar.
    bare = name.upper().removeprefix(PREFIX)
    meant = _MEANT.get(bare) or next(iter(get_close_matches(bare, sorted(known), n=1, cutoff=0.6)), None)
    hint = f"did you mean {prefix}{spell(meant)}?" if meant else "`python -m sekisho.settings` prints all of them"
    return SettingsError(name[:64], f"is no setting of sekisho; {hint}")


def _content(path: object, name: str) -> str:
    """A file's text. Errors contain neither its path nor its content."""
    problem = "is no path"
    if isinstance(path, str | Path) and str(path):
        try:
            content = read_file(path, bytes_max=FILE_BYTES_MAX)
            if len(content) <= FILE_BYTES_MAX:
                return content.decode("utf-8")
            problem = f"points to a file of more than {FILE_BYTES_MAX} bytes"
        except OSError as error:
            problem = f"points to a file that cannot be read ({type(error).__name__})"
        except NotReadable as error:
            problem = f"points to what {error}"
        except ValueError:
            problem = "points to a file that is no UTF-8 text, or is no path"
    raise SettingsError(name, problem)


def _parse(setting: Setting[T], value: object, name: str) -> T:
    if _is_list(value) and not value and setting.default is None:
        return setting.fallback()  # an empty list means "none"; empty text is likely a failed template
    if setting.parse_bytes is not None and (whole := _as_bytes(value)):
        return setting.parse_bytes(whole, name)
    text = _text(value, setting.separator)
    if text is None:
        kinds = "text, or a list of texts" if setting.separator else "text, a number or a member of its enumeration"
        raise SettingsError(name, f"wants {kinds}, not {type(value).__name__}")
    if not text.strip():
        instead = (
            "to switch the guard off, set SEKISHO_MODE=off" if setting is table.LOGIN else "unset it for its default"
        )
        raise SettingsError(name, f"is empty; {instead}")
    try:
        return setting.parse(text.strip(), name)
    except SettingsError as mistake:
        if not _is_quoted(text.strip()):
            raise
        raise SettingsError(mistake.name, f"{mistake.problem} ({QUOTED})") from None


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"


def _as_bytes(value: object) -> list[bytes]:
    """Secrets given as bytes are not split: a comma among random bytes is no separator."""
    given = value if isinstance(value, Sequence) and _is_list(value) else [value] if isinstance(value, bytes) else []
    texts = [one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in given]
    secrets = [text for text in texts if isinstance(text, bytes)]
    return secrets if len(secrets) == len(given) else []


def _is_list(value: object) -> TypeGuard[Sequence[object] | AbstractSet[object]]:
    return isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes | bytearray | memoryview)


def _text(value: object, separator: str) -> str | None:
    """A keyword argument as text, as in the environment; `None` if its type is unsupported."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str | int | float | IPv4Network | IPv6Network | Path):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if separator and _is_list(value):
        texts = [_text(one, "") for one in value]
        return None if None in texts else separator.join(str(text) for text in texts)
    return None


def _settings(source: _Source, ephemeral_secret: bytes | None, given: StepUpGiven) -> Settings:
    trusted, trust_unix = source.read(table.TRUSTED_PROXIES)
    listed = _secrets(source, ephemeral_secret)
    settings = Settings(
        secrets=tuple(secret.value for secret in listed),
        secrets_waiting=frozenset(secret.value for secret in listed if not secret.signs),
        namespace_from=source.read(table.NAMESPACE_FROM),
        store=source.read(table.STORE),
        preset=source.preset,
        mode=source.read(table.MODE),
        doors=_doors(source),
        limits=_limits(source),
        account_lock=source.read(table.ACCOUNT_LOCK),
        namespace=source.read(table.NAMESPACE),
        mount=source.read(table.MOUNT),
        trusted_proxies=trusted,
        trust_unix=trust_unix,
        client_ip_header=source.read(table.CLIENT_IP_HEADER),
        device_headers=source.read(table.DEVICE_HEADERS),
        origins=source.read(table.ORIGINS),
        on_store_failure=source.read(table.ON_STORE_FAILURE),
        workers=source.read(table.WORKERS),
        allow=source.read(table.ALLOW),
        deny=source.read(table.DENY),
        body_bytes_max=source.read(table.BODY_BYTES_MAX),
        body_seconds_max=source.read(table.BODY_SECONDS_MAX),
        strangers_max=source.read(table.STRANGERS_MAX),
        store_deadline_us=1000 * source.read(table.STORE_DEADLINE_MS),
        store_bytes_max=source.read(table.STORE_BYTES_MAX),
        memory_entries_max=source.read(table.MEMORY_ENTRIES_MAX),
        code_guesses_max=source.read(table.CODE_GUESSES_MAX),
        day_limits=_day_limits(source),
        codes_max=source.read(table.CODES_MAX),
        signup_codes_max=source.read(table.SIGNUP_CODES_MAX),
        disposable_domains=_domains(source),
        device_cookie=source.read(table.DEVICE_COOKIE),
        device_days=source.read(table.DEVICE_DAYS),
        aged_device_days=source.read(table.AGED_DEVICE_DAYS),
        no_factor=source.read(table.NO_FACTOR),
        step_up=source.read(table.STEP_UP),
        step_up_familiar=source.read(table.STEP_UP_FAMILIAR),
        corpus=source.read(table.CORPUS),
        corpus_days_max=source.read(table.CORPUS_DAYS_MAX),
        pairs=source.read(table.PAIRS),
        pairs_key=source.read(table.PAIRS_KEY),
        canary=source.read(table.CANARY),
        history=source.read(table.HISTORY),
        hibp=source.read(table.HIBP),
        hibp_url=source.read(table.HIBP_URL),
        exposed_header=source.read(table.EXPOSED_HEADER),
        breached_min=source.read(table.BREACHED_MIN),
        events_file=source.read(table.EVENTS_FILE),
        audit=source.read(table.AUDIT),
        audit_format=source.read(table.AUDIT_FORMAT),
        audit_identity=source.read(table.AUDIT_IDENTITY),
        audit_address=source.read(table.AUDIT_ADDRESS),
        audit_recipient=source.read(table.AUDIT_RECIPIENT),
        audit_checkpoints=source.read(table.AUDIT_CHECKPOINTS),
        audit_replay=source.read(table.AUDIT_REPLAY),
        audit_bytes_max=source.read(table.AUDIT_BYTES_MAX),
        audit_files_max=source.read(table.AUDIT_FILES_MAX),
        metrics_token=source.read(table.METRICS_TOKEN),
        metrics_listen=source.read(table.METRICS_LISTEN),
        otel=source.read(table.OTEL),
        plugins=source.read(table.PLUGINS),
        feed=source.read(table.FEED),
        feed_entries_max=source.read(table.FEED_ENTRIES_MAX),
        feed_seconds_max=source.read(table.FEED_SECONDS_MAX),
        campaigns=source.read(table.CAMPAIGNS),
        control_socket=source.read(table.CONTROL_SOCKET),
        protect=source.read(table.PROTECT),
        caps=source.read(table.CAPS),
        challenges=source.read(table.CHALLENGES),
        challenges_set=source.is_set(table.CHALLENGES),
        captcha_sitekey=source.read(table.CAPTCHA_SITEKEY),
        captcha_secret=source.read(table.CAPTCHA_SECRET),
        captcha_hosts=source.read(table.CAPTCHA_HOSTS),
        captcha_url=source.read(table.CAPTCHA_URL),
        factors=source.read(table.FACTORS),
        factor_floor=source.read(table.FACTOR_FLOOR),
        totp_drift=source.read(table.TOTP_DRIFT),
        oidc=source.read(table.OIDC),
        oidc_secret=source.read(table.OIDC_SECRET),
        owners=source.read(table.OWNERS),
        owners_query=source.read(table.OWNERS_QUERY),
        smtp=source.read(table.SMTP),
        smtp_password=source.read(table.SMTP_PASSWORD),
        mail_from=source.read(table.MAIL_FROM),
        service_name=source.read(table.SERVICE_NAME),
        account_page=source.read(table.ACCOUNT_PAGE),
        pages_url=source.read(table.PAGES_URL),
        city_file=source.read(table.CITY_FILE),
        asn_file=source.read(table.ASN_FILE),
        stranger_notices=source.read(table.STRANGER_NOTICES),
        stranger_notices_max=source.read(table.STRANGER_NOTICES_MAX),
        notices_webhook=source.read(table.NOTICES_WEBHOOK),
        notices_webhook_secret=source.read(table.NOTICES_WEBHOOK_SECRET),
        code_webhook=source.read(table.CODE_WEBHOOK),
        code_webhook_key=source.read(table.CODE_WEBHOOK_KEY),
        rp_id=source.read(table.PASSKEY_DOMAIN),
        passkey_origins=source.read(table.PASSKEY_ORIGINS),
    )
    settings = with_defaults(settings)
    settings = replace(settings, brand=_brand(source, settings))
    source.mistakes.extend(_contradictions(source, settings))
    source.mistakes.extend(contradictions(settings, given, source.understood))
    is_made_up = ephemeral_secret is not None and settings.secrets == (ephemeral_secret,)
    return replace(settings, is_secret_made_up=is_made_up)


def _secrets(source: _Source, ephemeral_secret: bytes | None) -> tuple[Secret, ...]:
    found = source.read(table.SECRET)
    if found or not source.understood(table.SECRET.name):
        return found
    if ephemeral_secret is not None:
        return (Secret(ephemeral_secret),)
    source.mistakes.append(SettingsError(table.SECRET.variable, f"is not set. {HOW_TO_MAKE_A_SECRET}"))
    return ()


def _doors(source: _Source) -> tuple[Door, ...]:
    return tuple(door for setting in DOOR_SETTINGS for door in source.read(setting))


def _limits(source: _Source) -> LimitSet:
    provider = source.read(table.LIMIT_PROVIDER)
    return LimitSet(
        ip=source.read(table.LIMIT_IP),
        networks=(*source.read(table.LIMIT_NETWORK), *([provider] if provider else [])),
        device=source.read(table.LIMIT_DEVICE),
        account=source.read(table.LIMIT_ACCOUNT),
        known_device=source.read(table.LIMIT_LANE),
        account_failures_max=source.read(table.ACCOUNT_FAILURES_MAX),
    )


def _domains(source: _Source) -> frozenset[str]:
    path = source.read(table.DISPOSABLE_DOMAINS)
    try:
        return frozenset() if path is None else domains_of(path, table.DISPOSABLE_DOMAINS.variable)
    except SettingsError as mistake:
        source.mistakes.append(mistake)
        return frozenset()


def _brand(source: _Source, settings: Settings) -> Brand:
    place = source.read(table.BRAND_LOGO) or ""
    logo = _logo(source, place) if place and not place.startswith(AT) else None
    address = place.removeprefix(AT) if place.startswith(AT) else ""
    if logo is not None and settings.has_pages:  # elsewhere no page and no path would show it
        address = settings.mount + logo.path
    return Brand(
        settings.service_name if source.is_set(table.SERVICE_NAME) else "",
        source.read(table.BRAND_COLOR) or "",
        source.read(table.BRAND_COLOR_DARK) or "",
        address,
        logo,
    )


def _logo(source: _Source, path: str) -> Logo | None:
    try:
        return logo_of(path, table.BRAND_LOGO.variable)
    except SettingsError as mistake:
        source.mistakes.append(mistake)
        return None


def _day_limits(source: _Source) -> DayLimits:
    return DayLimits(
        signup_network=source.read(table.SIGNUPS_NETWORK_MAX),
        signup_device=source.read(table.SIGNUPS_DEVICE_MAX),
        link_account=source.read(table.LINK_ACCOUNT_MAX),
        link_device=source.read(table.LINK_DEVICE_MAX),
        link_network=source.read(table.LINK_NETWORK_MAX),
    )


def _contradictions(source: _Source, settings: Settings) -> Iterator[SettingsError]:
    """Errors for values that are valid alone and invalid together.

    They stay here and not in the rooms: `load` returns no settings that contradict each other.
    """
    alone = settings.store == MEMORY and source.understood(table.STORE.name)
    if alone and settings.workers is not None and settings.workers > 1:
        problem = "several processes cannot count together in memory://; set SEKISHO_STORE to a Redis they share"
        yield SettingsError(table.WORKERS.variable, problem)
    if settings.control_socket and not alone and source.understood(table.STORE.name):
        problem = "is for memory:// alone; with SEKISHO_STORE the record is kept there, for all workers"
        yield SettingsError(table.CONTROL_SOCKET.variable, problem)
    if settings.feed:
        yield from _contradictions_of_feed(settings, alone=alone)
    if settings.pairs and not settings.pairs_key and source.understood(table.PAIRS_KEY.name):
        yield SettingsError(table.PAIRS_KEY.variable, "is not set, and SEKISHO_PAIRS can only be read with its key")
    if source.understood(table.METRICS_TOKEN.name):
        yield from _contradictions_of_metrics(settings)
    if settings.pairs_key and settings.pairs_key in settings.secrets:
        problem = "is SEKISHO_SECRET as well; pairs want a key of their own, which other services may share"
        yield SettingsError(table.PAIRS_KEY.variable, problem)
    if source.understood(table.AUDIT.name, table.AUDIT_RECIPIENT.name, table.AUDIT_CHECKPOINTS.name, table.STORE.name):
        yield from _contradictions_of_audit(settings)
    trusts = settings.trusted_proxies or settings.trust_unix or not source.understood(table.TRUSTED_PROXIES.name)
    if settings.exposed_header and not trusts:
        problem = "is believed from trusted proxies alone, and SEKISHO_TRUSTED_PROXIES names none"
        yield SettingsError(table.EXPOSED_HEADER.variable, problem)
    if source.understood(table.MOUNT.name, *(setting.name for setting in DOOR_SETTINGS)):
        yield from _contradictions_of_doors(settings)


def _contradictions_of_metrics(settings: Settings) -> Iterator[SettingsError]:
    if settings.metrics_token and settings.metrics_token in settings.secrets:
        # Prometheus keeps its token in a file of its own, which more people read than the service's secret.
        yield SettingsError(table.METRICS_TOKEN.variable, "is SEKISHO_SECRET as well; it wants a token of its own")
    if settings.metrics_listen and not settings.metrics_token:
        # Loopback too is open to the machine's other users, and to requests that the application is tricked into.
        problem = "is not set, and SEKISHO_METRICS_LISTEN answers to nothing else"
        yield SettingsError(table.METRICS_TOKEN.variable, problem)


def _contradictions_of_feed(settings: Settings, *, alone: bool) -> Iterator[SettingsError]:
    if alone:
        yield SettingsError(table.FEED.variable, "wants a Redis, and SEKISHO_STORE names none")
    if not settings.history:
        problem = "needs SEKISHO_HISTORY=on, which tells the addresses that many owners share"
        yield SettingsError(table.FEED.variable, problem)


def _contradictions_of_audit(settings: Settings) -> Iterator[SettingsError]:
    for setting, found in ((table.AUDIT, settings.audit), (table.AUDIT_CHECKPOINTS, settings.audit_checkpoints)):
        if found is not None and found.kind is AuditKind.REDIS and settings.store == MEMORY:
            yield SettingsError(setting.variable, "wants a Redis, and SEKISHO_STORE names none")
    if settings.audit_identity is AuditIdentity.SEALED and not settings.audit_recipient:
        problem = "is not set, and SEKISHO_AUDIT_IDENTITY=sealed seals names for it; `sekisho audit key FILE` makes one"
        yield SettingsError(table.AUDIT_RECIPIENT.variable, problem)


def _contradictions_of_doors(settings: Settings) -> Iterator[SettingsError]:
    if second := two_doors_for_one_request(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, SAME_ROUTE)
    if second := two_charsets_at_one_path(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, TWO_CHARSETS)
    if second := other_tenancy(settings.doors):
        yield SettingsError(PREFIX + second.kind.name, TWO_TENANCIES)
    if any(door.path == settings.mount or door.path.startswith(settings.mount + "/") for door in settings.doors):
        yield SettingsError(table.MOUNT.variable, "a door's path lies below it; sekisho's own pages would hide it")
