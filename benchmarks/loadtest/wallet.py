"""Siege the example wallet behind its guard: owners who look at their balance, and attackers at all of its doors.

    python -m benchmarks.loadtest.wallet            two minutes: `make loadtest`
    python -m benchmarks.loadtest.wallet --stages 30,60,120,60 --attackers 200

Further words go to Locust; `docs/loadtest.md` has its options. The exit code is Locust's.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from examples.wallet.world import Cast, world

if TYPE_CHECKING:
    from examples.wallet.world import Owner

CAST = Cast(owners=400, apps=10, strangers=1_000)
VISITS = "GET /home; GET /payout"
KNOCKS = (
    "POST /link number={n}&pin=1234; POST /signup email=thief{n}@evil.test&password=a+password+of+{n}; "
    "POST /reset email=owner1@mail.test&birthday=1950-01-10&send_to=thief@evil.test; "
    "POST /reset/confirm token=guess{n}&password=mine+now+4711; "
    "POST /login/passkey credential=forged{n}; POST /payout number=6600000&amount=1000"
)
LOGIN = "POST /login form:email,password success=cookie:session"
LOCUSTFILE = Path(__file__).parents[1] / "locustfile.py"


async def siege(words: list[str]) -> int:
    """Run Locust against a new wallet."""
    with TemporaryDirectory(prefix="sekisho-loadtest-") as name:
        directory = Path(name)
        async with world(CAST, directory, guarded=True, more={}, weak=None) as found:
            owners, combos = directory / "owners.csv", directory / "combos.txt"
            with owners.open("w", newline="") as file:
                csv.writer(file).writerows((one.email, one.password, one.app_secret) for one in found.owners)
            combos.write_text("".join(map(_leaked, found.owners)))
            command = [
                sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary",
                "--host", f"http://127.0.0.1:{found.ports[0]}", "--login", LOGIN, "--accounts", str(owners),
                "--combos", str(combos), "--visits", VISITS, "--knocks", KNOCKS, "--stages", "15,15,60,15", *words,
            ]  # fmt: skip
            process = await asyncio.create_subprocess_exec(*command)
            return await process.wait()


def _leaked(owner: Owner) -> str:
    """Leaked pairs of an owner: the right one of every tenth, and ten of other services."""
    right = [f"{owner.email}:{owner.password}\n"] if owner.number % 10 == 0 else []
    return "".join([*right, *(f"{owner.email}:elsewhere{number}\n" for number in range(10))])


if __name__ == "__main__":
    raise SystemExit(asyncio.run(siege(sys.argv[1:])))
