"""`sekisho report --shared-addresses` finds an office whose owners are refused, and prints the line to let them in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.read import Addresses
from sekisho.record import Event, Kind, Subject, Subjects
from sekisho.record.lines import encode
from sekisho.testing import SECRET
from tests.asgi.driving import Shop, guarded, log_in
from tests.cli.operating import command, run, serve_with, stop
from tests.record.test_campaigns import digest
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.wiring import LoginGuard

OFFICE = "203.0.113.7"
OWNERS = {f"owner {n}": "right" for n in range(6)}
SETTINGS = {"challenges": "none", "limit_ip": "5/10minute", "limit_device": "500/minute", "workers": "1"}


async def morning(guard: LoginGuard, address: str) -> list[int]:
    """Owners log in at an address, errors use its limit up, and an owner is refused with her right password."""
    for owner in OWNERS:
        await log_in(guard, owner, client=address)
    for n in range(5):
        await log_in(guard, f"owner {n}", "a typo", client=address)
    return [(await log_in(guard, f"owner {n}", client=address)).status for n in range(4)]


def lines_of(out: str, beginning: str) -> list[str]:
    return [line.partition(beginning)[2] for line in out.splitlines() if line.strip().startswith(beginning)]


@pytest.mark.parametrize("address", [OFFICE, "2001:db8:5:6::9"])
async def test_the_line_that_is_printed_lets_the_owners_in(
    address: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address comes from its digest and its network: an IPv4 address, or an IPv6 /64."""
    path = tmp_path / "audit"
    audit = {"audit": f"file:{path}", "audit_address": "prefix"}
    serve_with(monkeypatch, store=redis_url, allow="192.0.2.0/24", **audit, **SETTINGS)
    guard = guarded(Shop(OWNERS), store=None, workers=1, history="off", **audit)
    refused = await morning(guard, address)
    await until(lambda: path.exists() and '"shed"' in path.read_text())

    said = await command("report", "--shared-addresses")
    found = json.loads((await command("report", "--shared-addresses", "--json")).out)
    (line,) = lines_of(said.out, "for a time: ")
    (setting,) = lines_of(said.out, "for good: ")
    assert (await command(*line.split()[1:])).code == 0
    await until(lambda: bool(guard.counts["", "command", "allow"]))
    admitted = [(await log_in(guard, f"owner {n}", client=address)).status for n in range(4)]
    again = await command("report", "--shared-addresses")
    await stop(guard)

    named = OFFICE if address == OFFICE else "2001:db8:5:6::/64"
    assert (refused, admitted) == ([429] * 4, [303] * 4)
    assert said.code == again.code == 1
    assert said.out.startswith(f"{named}  2")
    assert "  owners refused: 1 of 6, 1 time: ip_rate (1)\n" in said.out
    assert "  other accounts that were tried from it: 0\n" in said.out
    assert "refused before they were read: 3 attempts, nobody knows whose" in said.out
    assert line == f"sekisho allow {named} --for 2h"
    assert setting.strip() == f"SEKISHO_ALLOW=192.0.2.0/24,{named}"
    (one,) = found["addresses"]
    assert (one["address"], one["owners"], one["refused"], one["unread"]) == (named, 6, 1, 3)
    assert (one["allowed"], one["has_attacker"]) == (False, False)


def event(account: str, kind: str = Kind.DECIDED, address: str = OFFICE, network: str = "203.0.113.0/24") -> str:
    """A line of half an hour ago: an owner has logged in, or was refused."""
    origin = Addresses(()).origin(address, None, b"", False)
    where = Subjects([SECRET], str).of_address(origin.prefixes)
    who = Subject(network, digest(account), where.address, device_class="stranger")
    at_us = int(time.time() * 1e6) - 1_800_000_000
    made = Event(kind, at_us, "POST /login", result="succeeded", basis="rule", subject=who)
    if kind == Kind.DECIDED:
        made = Event(kind, at_us, "POST /login", mode="monitor", action="throttle", reasons=("ip_rate",), subject=who)
    return encode(made)


def of_an_office(path: Path, victims: int = 0, **where: str) -> str:
    """Events of six owners, of whom five are refused, and of so many other accounts."""
    lines = [event(f"owner {n}", Kind.SETTLED, **where) for n in range(6)]
    lines += [event(f"owner {n}", **where) for n in range(5)] + [event(f"victim {n}", **where) for n in range(victims)]
    path.write_text("\n".join(lines) + "\n")
    return run("report", "--shared-addresses", "--file", str(path)).out


def test_what_is_advised_depends_on_what_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A digest alone names no address; an attacker's is not to be allowed; what SEKISHO_ALLOW has needs no line."""
    serve_with(monkeypatch)
    path = tmp_path / "audit"

    named = of_an_office(path)
    assert named.startswith("203.0.113.7  203.0.113.0/24\n")
    assert "owners refused: 5 of 6, 5 times (in the mode monitor: they got in): ip_rate (5)" in named
    assert "sekisho allow 203.0.113.7 --for 2h" in named
    unnamed = of_an_office(path, network="")
    assert "network not written (SEKISHO_AUDIT_ADDRESS=prefix writes it)" in unnamed
    assert "`sekisho tail --address ADDRESS` shows whether an address is this one" in unnamed
    attacked = of_an_office(path, victims=7)
    assert "most accounts that are tried from it are none of its owners'" in attacked
    serve_with(monkeypatch, allow="203.0.113.0/28")
    allowed = of_an_office(path)
    assert "SEKISHO_ALLOW has it" in allowed
    assert all("--for 2h" not in out for out in (unnamed, attacked, allowed))


def test_an_empty_result_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    serve_with(monkeypatch)
    (tmp_path / "audit").write_text(event("hana", Kind.SETTLED) + "\n")
    said = run("report", "--shared-addresses", "--file", str(tmp_path / "audit"))
    assert said.code == 0
    assert said.out.splitlines() == [
        "no shared address where owners were refused",
        "each address with more than 4 log-ins was looked at",
    ]


@pytest.mark.parametrize(
    "more", [["--act"], ["--undo"], ["--accounts", "names"], ["--yes"], ["--for", "7d"], ["--blast-radius"]]
)
def test_it_changes_nothing(more: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of the other report are refused, so nobody believes that they were obeyed."""
    serve_with(monkeypatch)
    assert run("report", "--shared-addresses", *more).code == 2
