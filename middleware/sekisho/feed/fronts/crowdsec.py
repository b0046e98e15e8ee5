"""CrowdSec: decisions of its local API (LAPI), with a duration; its bouncers enforce them.

This program logs in as a machine, as `cscli` does, because bouncers may only read. The LAPI ends each decision by
itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from sekisho.feed.fronts.http import Refused, Request, json_answer
from sekisho.feed.fronts.port import FrontFault, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.feed.entries import Network
    from sekisho.feed.fronts.port import Change

SCENARIO: Final = "sekisho/refused"
_UNAUTHORISED: Final = frozenset({401, 403})


class Machine(NamedTuple):
    """A machine at the LAPI, as `cscli machines add` makes it. `url`: of the LAPI."""

    url: str
    login: str
    password: str

    def __repr__(self) -> str:
        return "Machine(...)"


def machine_of(text: str) -> Machine | None:
    """Read `local_api_credentials.yaml`; None where it lacks a line: `url`, `login`, `password`."""
    pairs = (line.partition(":") for line in text.splitlines())
    found = {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
    given = [found.get(name, "") for name in ("url", "login", "password")]
    return Machine(given[0].rstrip("/"), given[1], given[2]) if all(given) else None


class Crowdsec:
    """Args:
    machine: writes the decisions.
    clock_s: Unix time.
    """

    forgets: Final = True
    every_s: Final = 0.0

    def __init__(self, machine: Machine, clock_s: Callable[[], float]) -> None:
        self._machine = machine
        self._clock_s = clock_s
        self._token = ""

    def steps(self, change: Change) -> list[str]:
        """Return the requests that `apply` would send to the local API, as text. For `--dry-run`."""
        return [str(request) for request in self._requests(change)]

    async def begin(self) -> None:
        """Log in, and remove the decisions that an earlier run has left. Raises `FrontFault`."""
        await self._log_in()
        await self._ask(Request("DELETE", "/v1/decisions?" + urlencode({"scenario": SCENARIO})))

    async def apply(self, change: Change) -> None:
        for request in self._requests(change):
            await self._ask(request)

    def _requests(self, change: Change) -> list[Request]:
        removals = [
            Request("DELETE", "/v1/decisions?" + urlencode({"value": shown(network), "scenario": SCENARIO}))
            for network in change.removed
        ]
        renewed = {**change.added, **change.prolonged}
        return [*removals, Request("POST", "/v1/alerts", [_alert(renewed, self._clock_s())])] if renewed else removals

    async def _log_in(self) -> None:
        login = {"machine_id": self._machine.login, "password": self._machine.password, "scenarios": [SCENARIO]}
        answer = await json_answer(
            self._machine.url, Request("POST", "/v1/watchers/login", login), {}, "CrowdSec's LAPI"
        )
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise FrontFault("CrowdSec's LAPI gives no token")
        self._token = token

    async def _ask(self, request: Request) -> None:
        try:
            await self._sent(request)
        except Refused as refused:
            if refused.status not in _UNAUTHORISED:
                raise
            await self._log_in()  # a token ends after an hour
            await self._sent(request)

    async def _sent(self, request: Request) -> None:
        await json_answer(self._machine.url, request, {"Authorization": f"Bearer {self._token}"}, "CrowdSec's LAPI")


def _target(network: Network) -> dict[str, str]:
    return {"scope": "Ip" if network.version == 4 else "Range", "value": shown(network)}


def _alert(ends: dict[Network, float], now_s: float) -> dict[str, Any]:
    now = datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z")
    decisions = [
        {
            **_target(network), "duration": f"{left_s:.3f}s", "origin": "sekisho", "scenario": SCENARIO, "type": "ban",
        }
        for network, left_s in ends.items()
    ]  # fmt: skip
    # An alert of several addresses has no source of its own: `cscli decisions import` writes the same.
    return {
        "capacity": 0, "decisions": decisions, "events": [], "events_count": 1, "leakspeed": "0",
        "message": f"{len(decisions)} addresses over the limits of log-ins", "scenario": SCENARIO,
        "scenario_hash": "", "scenario_version": "", "simulated": False, "source": {"scope": "", "value": ""},
        "start_at": now, "stop_at": now,
    }  # fmt: skip
