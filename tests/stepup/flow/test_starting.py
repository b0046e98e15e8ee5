"""A setting that cannot work is reported at the start by name, not at the first owner who needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.owners import MemoryOwners
from sekisho.testing import SECRET
from sekisho.wiring import LoginGuard
from tests.asgi.driving import ask, http, log_in
from tests.stepup.flow.driving import Shop

if TYPE_CHECKING:
    from pathlib import Path

MAIL = {"smtp": "smtp://localhost:25", "mail_from": "shop@example.test", "account_page": "shop.example/account"}
KEY = "a key of more than thirty-two bytes for codes"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (
            {"factors": "webhook", "code_webhook": "https://codes.test/x?key=hidden", "code_webhook_key": KEY},
            "CODE_WEBHOOK",
        ),
        ({"factors": "email", **MAIL, "account_page": "shop.example/<hidden>"}, "ACCOUNT_PAGE"),
        ({"factors": "email", **MAIL, "smtp": "smtp://hidden@localhost:25/there"}, "SMTP"),
    ],
)
async def test_a_setting_that_cannot_work_stops_the_start(settings: dict[str, Any], name: str) -> None:
    """A broken setting stops the start; the error names it and does not show its value."""
    guard = LoginGuard(Shop(), owners=MemoryOwners({}), secret=SECRET, **settings)
    refused = await log_in(guard)
    assert refused.status == 503
    assert f"SEKISHO_{name}" in refused.body.decode()
    assert "hidden" not in refused.body.decode()


async def test_tables_that_are_missing_are_said_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Missing tables are reported at the start, with the command that creates them."""
    (tmp_path / "users.sqlite3").touch()
    await started(f"sqlite+aiosqlite:///{tmp_path}/users.sqlite3")
    (told,) = [line for line in caplog.messages if "SEK043" in line]
    assert told.startswith("SEKISHO_OWNERS: ")
    assert "sekisho owners migrate" in told


async def test_a_database_that_is_gone_at_the_start_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """With what helps and a number to look up; a second line had the class of the driver's error alone."""
    await started("postgresql+asyncpg://shop:hunter2@127.0.0.1:1/shop")
    (told,) = [line for line in caplog.messages if "database" in line or "SEKISHO_OWNERS" in line]
    assert told == (
        "the owners' database failed: ConnectionRefusedError: nothing listens at the host and port of SEKISHO_OWNERS "
        "[SEK043]"
    )


async def started(url: str) -> None:
    """Start a guard whose owners are there, let it look at them, and stop it."""
    query = "select email, locale from users where username = :account"
    guard = LoginGuard(Shop(), secret=SECRET, factors="totp", owners=url, owners_query=query)
    await ask(guard, http("/", method="GET", headers=[]))
    loops = guard._loops
    assert loops is not None
    assert loops._latest is not None
    assert loops._latest._step_up is not None
    assert loops._latest._step_up._proofs is not None
    assert loops._latest._step_up._proofs.owners.looking is not None
    await loops._latest._step_up._proofs.owners.looking
    await loops.stop()
