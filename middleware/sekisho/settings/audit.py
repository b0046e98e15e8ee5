"""The notation of the audit's settings."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from sekisho.model import SettingsError
from sekisho.model.text import from_base64url
from sekisho.settings import parse

PUBLIC_BYTES: Final = 32


class AuditKind(Enum):
    """Where the audit goes."""

    STDOUT = "stdout"
    FILE = "file"
    LOGGING = "logging"
    REDIS = "redis"


class AuditPlace(NamedTuple):
    """Attributes:
    kind: of the place.
    path: of a file; empty otherwise.
    """

    kind: AuditKind
    path: str = ""


class AuditIdentity(Enum):
    """How the audit names accounts."""

    DIGEST = "digest"  # keyed pseudonyms
    SEALED = "sealed"  # and the name, sealed for the holder of a key that the service does not have
    PLAIN = "plain"  # and the name


class AuditAddress(Enum):
    """How the audit names addresses."""

    DIGEST = "digest"  # keyed pseudonyms
    PREFIX = "prefix"  # and the network
    FULL = "full"  # and the address


class AuditFormat(Enum):
    """The dialect of the audit's lines."""

    SEKISHO = "sekisho"
    OCSF = "ocsf"
    ECS = "ecs"
    OWASP = "owasp"


def place(text: str, setting: str) -> AuditPlace:
    """Read where the audit goes: `stdout`, `logging`, `redis`, or `file:` and an absolute path.

    Raises `SettingsError`.
    """
    word, colon, path = text.partition(":")
    if word.lower() == "file" and colon:
        return AuditPlace(AuditKind.FILE, parse.path(path, setting))
    if not colon and word.lower() in {"stdout", "logging", "redis"}:
        return AuditPlace(AuditKind(word.lower()))
    raise SettingsError(setting, "is none of stdout, logging, redis, and file: with an absolute path")


def checkpoints(text: str, setting: str) -> AuditPlace:
    """Read where checkpoints of the audit go: `store`, or `file:` and an absolute path. Raises `SettingsError`."""
    if text.lower() == "store":
        return AuditPlace(AuditKind.REDIS)
    word, colon, path = text.partition(":")
    if word.lower() == "file" and colon:
        return AuditPlace(AuditKind.FILE, parse.path(path, setting))
    raise SettingsError(setting, "is neither store nor file: with an absolute path")


def recipient(text: str, setting: str) -> bytes:
    """Read the public key that names are sealed for: 32 bytes for X25519, in base64url. Raises `SettingsError`."""
    try:
        public = from_base64url(text)
    except ValueError:
        public = b""
    if len(public) != PUBLIC_BYTES or not any(public):
        raise SettingsError(setting, "is no public key as `sekisho audit key FILE` prints it")
    return public
