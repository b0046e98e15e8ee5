"""The names that users import: where they are, that they load no more than they need, and that docs list them."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sekisho

ROOT = Path(__file__).parents[1]
PUBLIC = {
    "sekisho": [
        "CodeMessage", "Device", "LoginGuard", "MailPolicy", "Overrides", "PreviousLogIn", "Report", "SekishoError",
        "SettingsError",
    ],
    "sekisho.events": ["Event", "Kind", "ReplayError", "Subject", "replay"],
    "sekisho.owners": [
        "ENROLMENTS_MAX", "LABEL_CHARS_MAX", "RESET_DELAY_S", "SEALED_BYTES_MAX", "Contact", "Enrolment",
        "EnrolmentsFull", "Held", "KeepsAddresses",
        "MemoryOwners", "Owners", "OwnersError", "OwnersUnavailable", "OwnersUnfit", "Reset",
    ],
    "sekisho.plugins": [
        "Action", "ChallengePlugin", "Device", "Hint", "Seen", "SignalPlugin", "SinkPlugin", "Widget",
    ],
    "sekisho.testing": ["FakeClock", "browser", "guarded", "work_headers"],
}  # fmt: skip
HEAVY = {
    "numpy", "sqlalchemy", "aiosqlite", "asyncpg", "asyncmy", "starlette", "httpx", "rich", "cryptography", "webauthn",
    "aiosmtplib", "jinja2", "limits", "pwnedpasswords", "argon2",
}  # fmt: skip
EXTRAS = {
    "numpy", "sqlalchemy", "webauthn", "pyotp", "segno", "altcha", "jinja2", "aiosmtplib", "joserfc", "maxminddb",
    "graphql", "prometheus_client", "zxcvbn", "rich", "uvicorn", "uvloop",
}  # fmt: skip
"""What only extras bring: without them, a plug-in that needs one ends each test of each suite where it is installed.

Ciphers and OpenTelemetry are missing here: redis-py takes both where they are.
"""


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_has_what_it_names_and_names_what_is_public(module: str) -> None:
    """A name that goes missing breaks users' imports, so a change of this list is a change of the interface."""
    loaded = import_module(module)
    assert sorted(loaded.__all__) == sorted(PUBLIC[module])
    assert [name for name in loaded.__all__ if getattr(loaded, name, None) is None] == []


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("import sekisho", HEAVY | {"redis", "sekisho.wiring", "asyncio"}),
        ("from sekisho import MailPolicy, Overrides, Report, Device", HEAVY | {"redis", "sekisho.wiring"}),
        ("from sekisho import CodeMessage", HEAVY | {"redis", "sekisho.wiring"}),
        ("import sekisho.owners", HEAVY | {"redis", "sekisho.wiring"}),
        ("import sekisho.plugins", HEAVY | {"redis", "sekisho.wiring"}),
        ("import sekisho.events", HEAVY | {"redis", "sekisho.wiring"}),
        ("import sekisho.testing, sekisho.pytest_plugin", EXTRAS),
    ],
)
def test_an_import_loads_no_more_than_it_needs(line: str, absent: set[str]) -> None:
    """Neither numpy nor a driver of a database, nor the guard where only a value is wanted."""
    code = f"import sys; {line}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()) & absent) == []


def test_help_shows_how_to_begin_and_every_name() -> None:
    """`help(sekisho)` begins with the lines to write, and shows names that are imported on first use."""
    shown = pydoc.plain(pydoc.render_doc(sekisho))

    assert shown.index("app.add_middleware(LoginGuard") < shown.index("PACKAGE CONTENTS")
    assert [name for name in PUBLIC["sekisho"] if f"class {name}" not in shown] == []


def test_type_checkers_read_the_packages_types() -> None:
    """PEP 561: without this file they take every name for `Any`."""
    assert (Path(sekisho.__file__).parent / "py.typed").is_file()


def test_the_docs_list_every_public_module_and_its_main_names() -> None:
    text = (ROOT / "docs" / "README.md").read_text("utf-8")
    for module in PUBLIC:
        assert f"`{module}`" in text
    for name in (*PUBLIC["sekisho"], *PUBLIC["sekisho.events"], "Owners", "Contact", "MemoryOwners", "guarded"):
        assert f"`{name}`" in text, name
