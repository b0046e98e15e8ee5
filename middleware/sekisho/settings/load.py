"""Read the environment strictly by the table, and report all mistakes at once.

Otherwise an operator would correct one mistake per restart.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sekisho.model import DayLimits, Door, LimitSet, SettingsError
from sekisho.model.brand import Brand
from sekisho.settings import table
from sekisho.settings.brand import AT, logo_of
from sekisho.settings.contradictions import conflicts_of
from sekisho.settings.domains import domains_of
from sekisho.settings.parse import HOW_TO_MAKE_A_SECRET, Secret
from sekisho.settings.processes import processes
from sekisho.settings.source import SettingSource
from sekisho.settings.step_up import StepUpGiven, contradictions, with_defaults
from sekisho.settings.table import DOOR_SETTINGS
from sekisho.settings.values import BY_FIELD, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.model.brand import Logo

_NOTHING: Mapping[str, object] = MappingProxyType({})


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
    source = SettingSource(environ, overrides)
    given = StepUpGiven(owners=has_owners, sender=has_sender)
    settings = _settings(source, ephemeral_secret, given)
    if source.mistakes:
        raise SettingsErrors([source.explained(mistake) for mistake in source.mistakes])
    return replace(settings, processes=processes(environ, argv), has_session_account=has_session_account)


def _settings(source: SettingSource, ephemeral_secret: bytes | None, given: StepUpGiven) -> Settings:
    """All settings together; what contradicts another is among the source's mistakes."""
    settings = with_defaults(_as_read(source, _secrets(source, ephemeral_secret)))
    settings = replace(settings, brand=_brand(source, settings))
    source.mistakes.extend(conflicts_of(settings, source.understood))
    source.mistakes.extend(contradictions(settings, given, source.understood))
    is_made_up = ephemeral_secret is not None and settings.secrets == (ephemeral_secret,)
    return replace(settings, is_secret_made_up=is_made_up)


def _as_read(source: SettingSource, listed: tuple[Secret, ...]) -> Settings:
    """Every setting by itself, as the table parses it."""
    trusted, trust_unix = source.read(table.TRUSTED_PROXIES)
    return Settings(
        **{name: source.read(setting) for name, setting in BY_FIELD.items()},
        secrets=tuple(secret.value for secret in listed),
        secrets_waiting=frozenset(secret.value for secret in listed if not secret.signs),
        preset=source.preset,
        doors=_doors(source),
        limits=_limits(source),
        trusted_proxies=trusted,
        trust_unix=trust_unix,
        store_deadline_us=1000 * source.read(table.STORE_DEADLINE_MS),
        day_limits=_day_limits(source),
        disposable_domains=_domains(source),
        challenges_set=source.is_set(table.CHALLENGES),
    )


def _secrets(source: SettingSource, ephemeral_secret: bytes | None) -> tuple[Secret, ...]:
    found = source.read(table.SECRET)
    if found or not source.understood(table.SECRET.name):
        return found
    if ephemeral_secret is not None:
        return (Secret(ephemeral_secret),)
    source.mistakes.append(SettingsError(table.SECRET.variable, f"is not set. {HOW_TO_MAKE_A_SECRET}"))
    return ()


def _doors(source: SettingSource) -> tuple[Door, ...]:
    return tuple(door for setting in DOOR_SETTINGS for door in source.read(setting))


def _limits(source: SettingSource) -> LimitSet:
    provider = source.read(table.LIMIT_PROVIDER)
    return LimitSet(
        ip=source.read(table.LIMIT_IP),
        networks=(*source.read(table.LIMIT_NETWORK), *([provider] if provider else [])),
        device=source.read(table.LIMIT_DEVICE),
        account=source.read(table.LIMIT_ACCOUNT),
        known_device=source.read(table.LIMIT_LANE),
        account_failures_max=source.read(table.ACCOUNT_FAILURES_MAX),
    )


def _domains(source: SettingSource) -> frozenset[str]:
    path = source.read(table.DISPOSABLE_DOMAINS)
    try:
        return frozenset() if path is None else domains_of(path, table.DISPOSABLE_DOMAINS.variable)
    except SettingsError as mistake:
        source.mistakes.append(mistake)
        return frozenset()


def _brand(source: SettingSource, settings: Settings) -> Brand:
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


def _logo(source: SettingSource, path: str) -> Logo | None:
    try:
        return logo_of(path, table.BRAND_LOGO.variable)
    except SettingsError as mistake:
        source.mistakes.append(mistake)
        return None


def _day_limits(source: SettingSource) -> DayLimits:
    return DayLimits(
        signup_network=source.read(table.SIGNUPS_NETWORK_MAX),
        signup_device=source.read(table.SIGNUPS_DEVICE_MAX),
        link_account=source.read(table.LINK_ACCOUNT_MAX),
        link_device=source.read(table.LINK_DEVICE_MAX),
        link_network=source.read(table.LINK_NETWORK_MAX),
    )
