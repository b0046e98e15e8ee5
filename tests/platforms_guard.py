"""A guard's morning, for `tests.platforms`: every module is imported; a guard starts, counts, refuses and writes files.

`python -m tests.platforms windows tests.platforms_guard FOLDER` prints the statuses of six guesses.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from sekisho import LoginGuard
from tests.platforms import import_all


async def wrong(scope: Any, receive: Any, send: Any) -> None:
    """An application that finds every password wrong."""
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    await receive()
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body"})


def main() -> None:
    import_all()
    folder = Path(sys.argv[1])
    secret = folder / "secret"
    secret.write_text("DRZFLHy6yvEQvWtZ9zJ1nM7pcKx2RhTb", encoding="utf-8")
    app = LoginGuard(
        wrong, secret_file=secret, challenges="none", events_file=folder / "events", audit=f"file:{folder / 'audit'}"
    )
    with TestClient(app) as client:
        guesses = [{"username": "hana", "password": f"guess-{n}"} for n in range(6)]
        found = [client.post("/login", data=guess).status_code for guess in guesses]
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
