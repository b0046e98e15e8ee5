"""The settings as keyword arguments of `LoginGuard`, so that type checkers find a misspelt name or a wrong type.

A test compares this list with the table of settings in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path  # noqa: TC003 - programs read these types as well
from typing import TypedDict

from sekisho.model import Mode  # noqa: TC001 - the same
from sekisho.settings.audit import AuditAddress, AuditFormat, AuditIdentity  # noqa: TC001 - the same
from sekisho.settings.choices import NoFactor, Preset, StepUpFrom, StoreFailure  # noqa: TC001 - the same
from sekisho.settings.networks import Network

Texts = str | Sequence[str] | AbstractSet[str]
"""A list as one text, as in the environment, or as its items."""

Networks = str | Network | Sequence[str | Network] | AbstractSet[str | Network]


class Overrides(TypedDict, total=False):
    """Every setting by its lower-case name without the prefix. `None` means not given.

    `owners` is missing: `LoginGuard` takes a Python object in its place.
    """

    secret: str | bytes | Sequence[str | bytes] | None
    secret_file: str | Path | None
    store: str | None
    store_file: str | Path | None
    preset: str | Preset | None
    mode: str | Mode | None
    login: Texts | None
    signup: Texts | None
    reset: Texts | None
    change: Texts | None
    code: Texts | None
    link: Texts | None
    logout: Texts | None
    passkey: Texts | None
    limit_ip: Texts | None
    limit_network: Texts | None
    limit_device: Texts | None
    limit_account: Texts | None
    limit_lane: Texts | None
    limit_provider: Texts | None
    account_lock: str | bool | None
    account_failures_max: str | int | None
    code_guesses_max: str | int | None
    signups_network_max: str | int | None
    signups_device_max: str | int | None
    codes_max: str | int | None
    signup_codes_max: str | int | None
    disposable_domains: str | Path | None
    link_account_max: str | int | None
    link_device_max: str | int | None
    link_network_max: str | int | None
    trusted_proxies: Networks | None
    client_ip_header: str | None
    device_headers: Texts | None
    allow: Networks | None
    deny: Networks | None
    origins: Texts | None
    namespace: str | None
    namespace_from: str | None
    workers: str | int | None
    on_store_failure: str | StoreFailure | None
    store_deadline_ms: str | int | None
    store_bytes_max: str | int | None
    memory_entries_max: str | int | None
    device_cookie: str | None
    device_days: str | int | None
    aged_device_days: str | int | None
    body_bytes_max: str | int | None
    body_seconds_max: str | float | None
    strangers_max: str | int | None
    no_factor: str | NoFactor | None
    step_up: str | StepUpFrom | None
    step_up_familiar: str | StepUpFrom | None
    corpus: str | Path | None
    corpus_days_max: str | int | None
    pairs: str | Path | None
    pairs_key: str | bytes | None
    pairs_key_file: str | Path | None
    canary: str | bool | None
    history: str | bool | None
    hibp: str | bool | None
    hibp_url: str | None
    exposed_header: str | None
    breached_min: str | int | None
    events_file: str | Path | None
    audit: str | None
    audit_format: str | AuditFormat | None
    audit_identity: str | AuditIdentity | None
    audit_address: str | AuditAddress | None
    audit_recipient: str | None
    audit_checkpoints: str | None
    audit_replay: str | bool | None
    audit_bytes_max: str | int | None
    audit_files_max: str | int | None
    metrics_token: str | bytes | None
    metrics_token_file: str | Path | None
    metrics_listen: str | None
    otel: str | bool | None
    plugins: Texts | None
    feed: str | bool | None
    feed_entries_max: str | int | None
    feed_seconds_max: str | int | None
    campaigns: str | bool | None
    control_socket: str | Path | None
    mount: str | None
    protect: Texts | None
    caps: Texts | None
    challenges: Texts | None
    captcha_sitekey: str | None
    captcha_secret: str | None
    captcha_secret_file: str | Path | None
    captcha_hosts: Texts | None
    captcha_url: str | None
    factors: Texts | None
    factor_floor: str | None
    totp_drift: str | int | None
    oidc: str | None
    oidc_secret: str | None
    oidc_secret_file: str | Path | None
    owners_file: str | Path | None
    owners_query: str | None
    passkey_domain: str | None
    passkey_origins: Texts | None
    smtp: str | None
    smtp_file: str | Path | None
    smtp_password: str | None
    smtp_password_file: str | Path | None
    mail_from: str | None
    service_name: str | None
    brand_color: str | None
    brand_color_dark: str | None
    brand_logo: str | Path | None
    account_page: str | None
    pages_url: str | None
    city_file: str | Path | None
    asn_file: str | Path | None
    stranger_notices: Texts | None
    stranger_notices_max: str | int | None
    notices_webhook: str | None
    notices_webhook_secret: Texts | None
    notices_webhook_secret_file: str | Path | None
    code_webhook: str | None
    code_webhook_key: str | bytes | None
    code_webhook_key_file: str | Path | None
