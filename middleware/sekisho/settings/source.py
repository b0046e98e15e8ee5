"""Read each setting strictly: from a keyword argument, else from the environment, else from the preset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar

from sekisho.model import SettingsError
from sekisho.settings import table
from sekisho.settings.files import NotReadable, read_file
from sekisho.settings.parse import HOW_TO_MAKE_A_SECRET
from sekisho.settings.presets import texts_of
from sekisho.settings.table import PREFIX, TABLE, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
FILE_BYTES_MAX = 65_536
_FILE = "_FILE"
QUOTED = "it is in quotation marks, which count as part of it here: docker run --env-file keeps them; write none"
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


class SettingSource:
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
        """The value of a setting.

        If it is invalid, its mistake is added to `mistakes`, and the setting's default is returned.
        """
        try:
            return self._read(setting)
        except SettingsError as mistake:
            self.mistakes.append(mistake)
            self._failed.add(setting.name)
            return setting.fallback()

    def is_set(self, setting: Setting[T]) -> bool:
        """Whether a setting is given by keyword or in the environment, to a valid or an invalid value.

        A preset does not count.
        """
        return any(True for _ in (*self._given(setting), *self._in_environment(setting)))

    def understood(self, *names: str) -> bool:
        """Whether the settings of all these names were valid.

        The stand-in for an invalid value must not be reported as a contradiction.
        """
        return self._failed.isdisjoint(names)

    def explained(self, mistake: SettingsError) -> SettingsError:
        """Return a mistake to report. If the preset has set the variable, it says so: the operator never wrote it."""
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


_INSTEAD: Final = {
    table.LOGIN.name: "; without log-ins by password it is none; to switch the guard off, set SEKISHO_MODE=off",
    table.SECRET.name: f"; {HOW_TO_MAKE_A_SECRET.replace('Make', 'make', 1)}",
}


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
        raise SettingsError(name, f"is empty{_INSTEAD.get(setting.name, '; unset it for its default')}")
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
