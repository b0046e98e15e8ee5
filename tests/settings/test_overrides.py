"""`LoginGuard`'s keyword arguments as types: the same settings as the table has, with what its parsers accept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

from sekisho.model import SettingsError
from sekisho.settings import TABLE, Setting, load
from sekisho.settings.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"
ROOT = Path(__file__).parents[2]
TYPES: dict[str, Any] = get_type_hints(Overrides)
TYPED = [setting for setting in TABLE if setting.name != "OWNERS"]


def test_every_setting_is_typed_and_nothing_else_is() -> None:
    """`owners` is a parameter of its own, because it may be a Python object."""
    names = {setting.name.lower() for setting in TYPED}
    files = {f"{setting.name.lower()}_file" for setting in TABLE if setting.secret}
    assert set(TYPES) == names | files
    assert "owners" not in TYPES
    assert "owners_file" in TYPES
    assert Overrides.__required_keys__ == frozenset()


@pytest.mark.parametrize("setting", TYPED, ids=lambda setting: setting.name)
def test_a_setting_is_typed_as_its_parser_reads_it(setting: Setting[Any]) -> None:
    assert set(get_args(TYPES[setting.name.lower()])) == {str, NoneType, *natural(setting)}


def natural(setting: Setting[Any]) -> Iterator[Any]:
    """The types beside text whose values the setting stands for, by its example and what that is parsed to."""
    parsed = setting.parse(text_of(setting), setting.variable)
    networks = parsed[0] if isinstance(parsed, tuple) and parsed and isinstance(parsed[0], tuple) else parsed
    of_networks = isinstance(networks, tuple) and any(isinstance(one, IPv4Network) for one in networks)
    items: Any = str | IPv4Network | IPv6Network if of_networks else str | bytes if setting.parse_bytes else str
    if of_networks:
        yield from (IPv4Network, IPv6Network)
    if isinstance(parsed, bool | int | float | Enum):
        yield type(parsed)
    if setting.parse_bytes:
        yield bytes
    if setting.separator:
        yield Sequence[items]
    if setting.separator and not setting.parse_bytes:  # secrets are listed newest first, and sets have no order
        yield AbstractSet[items]
    if setting.name in {
        "CORPUS",
        "PAIRS",
        "EVENTS_FILE",
        "CONTROL_SOCKET",
        "DISPOSABLE_DOMAINS",
        "BRAND_LOGO",
        "CITY_FILE",
        "ASN_FILE",
    }:
        yield Path


def text_of(setting: Setting[Any]) -> str:
    return SECRET if setting.parse_bytes else setting.example


def as_type(setting: Setting[Any], kind: Any) -> Any:
    """The setting's example as a value of this type."""
    text = text_of(setting)
    parts = [part.strip() for part in text.split(setting.separator)] if setting.separator else [text]
    if issubclass(kind, Enum):
        return kind(text)
    if kind in {IPv4Network, IPv6Network}:
        return kind("10.0.0.0/8" if kind is IPv4Network else "fd00::/8")
    made: dict[Any, Any] = {
        str: text, bytes: text.encode(), bool: text == "on", NoneType: None, int: text, Path: Path(text),
        Sequence: parts, AbstractSet: frozenset(parts), float: text,
    }  # fmt: skip
    return kind(made[kind]) if kind in {int, float} else made[kind]


@pytest.mark.parametrize("setting", TYPED, ids=lambda setting: setting.name)
def test_a_value_of_each_type_is_accepted_and_means_the_same(setting: Setting[Any]) -> None:
    for annotated in get_args(TYPES[setting.name.lower()]):
        kind = getattr(annotated, "__origin__", annotated)
        mistaken = problems(setting.name, as_type(setting, kind))
        assert not mistaken, (kind, mistaken)


def problems(name: str, value: object) -> list[str]:
    """The mistakes that are told about this setting's own value."""
    try:
        load({}, {"secret": SECRET, name.lower(): value} if name != "SECRET" else {"secret": value or SECRET})
    except SettingsError as error:
        mistakes = getattr(error, "mistakes", (error,))
        return [str(each) for each in mistakes if f"(keyword {name.lower()})" in each.name]
    return []


@pytest.mark.parametrize("value", [5, 2.5, True, [5], {"a": 1}, object(), b"\0"])
def test_a_list_of_texts_is_no_number_mapping_or_bytes(value: object) -> None:
    assert problems("LIMIT_IP", value)


@pytest.mark.parametrize("value", [[5], [None], {SECRET}, bytearray(SECRET.encode())])
def test_secrets_are_texts_or_bytes(value: object) -> None:
    """Each is told as a mistake; an exception of another kind would stop the start without the setting's name."""
    with pytest.raises(SettingsError):
        load({}, {"secret": value, "mode": "wrong"})


USES = """\
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sekisho import CodeMessage, Device, LoginGuard, MailPolicy, Overrides, Report
from sekisho.events import Event, Kind
from sekisho.owners import Contact, MemoryOwners, Owners
from sekisho.testing import guarded


async def send(message: CodeMessage) -> None:
    message.code.upper()


def known(report: Report) -> bool:
    return report.device is not Device.STRANGER and report.attempt.account == "hana"


def told(event: Event) -> str:
    return event.subject.account if event.kind == Kind.DECIDED else ""


async def contact(owners: Owners) -> Contact | None:
    return await owners.contact("hana")


def secret(report: Report) -> str:
    return report.attempt.secret  # wrong: attr-defined


settings: Overrides = {"limit_ip": "20/10minute"}
app = Starlette(middleware=[Middleware(LoginGuard, limit_ip="20/10minute")])
app.add_middleware(LoginGuard, login="POST /login", workers=4, canary=False)
LoginGuard(app, secret=[b"x" * 32, "verify:y"], trusted_proxies=["10.0.0.0/8"], corpus=Path("/x"), hibp=None)
LoginGuard(app=app, login={"POST /login"}, body_seconds_max=0.5, secret_file=Path("/run/secret"), owners="sqlite:///x")
guarded(app, mode="monitor", device_days=90, on_code=send, owners=MemoryOwners({}), mail_policy=MailPolicy())
guarded(app, **settings)
LoginGuard(app, limit_ipp="20/10minute")  # wrong: call-overload
LoginGuard(app, workers=2.5)  # wrong: call-overload
LoginGuard(app, limit_ip=20)  # wrong: call-overload
guarded(app, modes="monitor")  # wrong: call-arg
app.add_middleware(LoginGuard, limit_ipp="20/10minute")  # wrong: arg-type, call-arg
"""


def test_a_misspelt_keyword_is_an_error_in_a_users_own_code(tmp_path: Path) -> None:
    """Mypy names every wrong line of a service, and no right one."""
    wanted = {at for at, line in enumerate(USES.splitlines(), 1) if "# wrong" in line}
    # With the project's own cache: without one, mypy reads all packages anew, for half a minute.
    service = tmp_path / "service.py"
    service.write_text(USES)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary", str(service)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stderr == ""
    found = {int(line.split(":")[1]) for line in told.stdout.splitlines() if ": error:" in line}
    assert found == wanted, told.stdout
