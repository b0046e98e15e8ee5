"""A server and its clients in a network namespace: `python -m tests.launching.namespace SERVER STORE`.

There the port of `docs/servers.md` is free, so its commands run as they stand. Prints what happened as JSON.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.feed.namespace import WAIT_S_MAX, wait_for

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "servers.md").read_text("utf-8")
OWNER, ATTACKER = "192.0.2.4", "203.0.113.9"
SETTINGS = {
    "SECRET": "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe",
    "LOGIN": "POST /login form:username,password success=303:/home",
    "LIMIT_IP": "4/10minute",
    "CHALLENGES": "none",
    "CANARY": "off",
    "STORE_DEADLINE_MS": "5000",
}


def command(title: str) -> list[str]:
    """The command line of a section."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    [line] = re.findall(r"^```bash\n(.*)\n```$", text, re.MULTILINE)
    return shlex.split(line)


def settings() -> dict[str, str]:
    """The settings of the page."""
    [block] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return dict(line.split("=", 1) for line in block.splitlines())


class Line(http.client.HTTPConnection):
    """A proxy's connection to one worker."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 8000, timeout=30)
        self.seen: dict[str, Any] = json.loads(self.ask("GET", "/", OWNER)[1])

    def ask(self, method: str, path: str, client: str, body: str | None = None) -> tuple[int, bytes]:
        headers = {"X-Forwarded-For": client, "Content-Type": "application/x-www-form-urlencoded"}
        self.request(method, path, body, headers)
        answer = self.getresponse()
        return answer.status, answer.read()

    def log_in(self, client: str, password: str) -> int:
        return self.ask("POST", "/login", client, f"username=hana&password={password}")[0]


def two() -> list[Line]:
    """A connection to each of two workers. One may start later than the other, and servers close idle connections."""
    deadline = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline:
        lines = {line.seen["process"]: line for line in (Line() for _ in range(8))}
        if len(lines) == 2:
            return list(lines.values())
        time.sleep(0.1)
    raise TimeoutError("one worker takes every connection")


def answers() -> bool:
    try:
        return bool(Line().seen)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def main(server: str, store: str) -> dict[str, Any]:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    own = {f"SEKISHO_{name}": value for name, value in SETTINGS.items()}
    environ = {**os.environ, **own, **settings(), "SEKISHO_STORE": store}
    process = subprocess.Popen(command(server), cwd=HERE, env=environ, stdout=sys.stderr)
    try:
        wait_for(answers)
        lines = two()
        guesses = [lines[n % 2].log_in(ATTACKER, f"guess {n}") for n in range(8)]
        # A server may close a connection whose last request was refused unread.
        owner = [line.log_in(OWNER, "right") for line in two()]
        return {"peers": [line.seen["peer"] for line in lines], "guesses": guesses, "owner": owner}
    finally:
        process.terminate()
        process.wait(WAIT_S_MAX)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2])))
