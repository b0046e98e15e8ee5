"""A service behind a front, a flood and an owner, in a network namespace: `python -m tests.feed.namespace`.

The addresses are public ones, which are only here what they seem to be: private ones are never published. Prints what
happened as JSON. The order of things is what the tests claim; waits have wide limits, because a machine may be busy.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SITE, ATTACKER, OWNER = "9.9.9.1", "9.9.9.9", "9.9.9.8"
PORT, BEHIND = 8080, 8081
WAIT_S_MAX = 60
ROOT = Path(__file__).parents[2]

HAPROXY = """
global
  stats socket {folder}/haproxy.sock mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend site
  bind {site}:{port}
  http-request deny deny_status 429 if {{ src,map_ip({folder}/refused.map) -m found }}
  http-request set-header X-Forwarded-For %[src]
  default_backend service
backend service
  server service 127.0.0.1:{behind}
"""
NGINX_PATHS = """\
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
"""
"""Files of its own within its `http`: those that Debian sets belong to another nginx."""
NGINX = (
    """
daemon on;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
user root;
events {{}}
http {{
"""
    + NGINX_PATHS
    + """\
  geo $sekisho_refused {{ default 0; include {folder}/refused.conf; }}
  server {{
    listen {site}:{port};
    location / {{
      if ($sekisho_refused) {{ return 429; }}
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_pass http://127.0.0.1:{behind};
    }}
  }}
}}
"""
)


def main(front: str, folder: Path, store: str) -> dict[str, Any]:
    for line in ("link set lo up", *(f"addr add {address}/32 dev lo" for address in (SITE, ATTACKER, OWNER))):
        subprocess.run(["ip", *line.split()], check=True)
    environ = {
        **os.environ, "SEKISHO_STORE": store, "SEKISHO_SECRET": "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe",
        "SEKISHO_FEED": "on", "SEKISHO_LIMIT_IP": "2/12second", "SEKISHO_LOGIN": "POST /login success=303:/home",
        "SEKISHO_CHALLENGES": "none", "SEKISHO_CANARY": "off", "SEKISHO_STORE_DEADLINE_MS": "5000",
        "SEKISHO_TRUSTED_PROXIES": "127.0.0.0/8",
    }  # fmt: skip
    with ExitStack() as stack:
        at, port = (SITE, PORT) if front == "nftables" else ("127.0.0.1", BEHIND)
        stack.enter_context(running([sys.executable, "-m", "tests.feed.service", at, str(port)], environ))
        wait_for(lambda: ask(at, OWNER, port=port) == 200)
        options = stack.enter_context(FRONTS[front](folder))
        feed = stack.enter_context(running([sys.executable, *COMMAND, front, *options], environ))
        wait_for(lambda: ask(SITE, OWNER) == 200)
        found = flood(port, at)
        feed.terminate()
        feed.wait(WAIT_S_MAX)
        return found


def flood(port: int, at: str) -> dict[str, Any]:
    """Guess until the front refuses all of it, and then until it refuses nothing any more."""
    first = [ask(SITE, ATTACKER, "guess") for _ in range(3)]
    during: set[int] = set()
    wait_for(lambda: costs_nothing(during, at, port))
    owner = ask(SITE, OWNER, "right")
    wait_for(lambda: ask(SITE, ATTACKER) == 200)
    return {"first": first, "during": sorted(during), "owner": owner}


def costs_nothing(during: set[int], at: str, port: int) -> bool:
    """Whether no request of ten reaches a worker, half of them for a page that no limit concerns."""
    before = requests(at, port)
    during.clear()
    during.update(ask(SITE, ATTACKER, password, seconds=0.1) for password in ("guess", "") * 5)
    return requests(at, port) == before


def requests(at: str, port: int) -> int:
    """How many requests the Python worker has had from the attacker, as itself says."""
    with socket.create_connection((at, port), timeout=10, source_address=(OWNER if at == SITE else at, 0)) as line:
        line.sendall(b"GET /requests HTTP/1.0\r\nHost: site\r\n\r\n")
        return int(b"".join(iter(lambda: line.recv(4096), b"")).rpartition(b"\r\n")[2])


def ask(at: str, client: str, password: str = "", *, port: int = PORT, seconds: float = 1.0) -> int:
    """The status of an answer; 0 where there is none."""
    body = f"username=hana&password={password}" if password else ""
    line = "POST /login" if password else "GET /"
    head = f"{line} HTTP/1.0\r\nHost: site\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n"
    try:
        with socket.create_connection((at, port), timeout=seconds, source_address=(client, 0)) as connection:
            connection.settimeout(10)
            connection.sendall(f"{head}\r\n{body}".encode())
            return int((connection.recv(4096).split() or [b"", b"0"])[1])
    except OSError:
        return 0


@contextmanager
def nftables(_: Path) -> Iterator[list[str]]:
    yield ["--ports", str(PORT)]


@contextmanager
def haproxy(folder: Path) -> Iterator[list[str]]:
    (folder / "refused.map").touch()
    file = folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(folder=folder, site=SITE, port=PORT, behind=BEHIND))
    with running(["haproxy", "-db", "-f", str(file)], dict(os.environ)):
        wait_for(lambda: ask(SITE, OWNER) == 200)
        yield ["--socket", f"{folder}/haproxy.sock", "--map", f"{folder}/refused.map"]


@contextmanager
def nginx(folder: Path) -> Iterator[list[str]]:
    (folder / "refused.conf").touch()
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, site=SITE, port=PORT, behind=BEHIND))
    program = ["nginx", "-c", str(file), "-e", str(folder / "error.log")]
    subprocess.run(program, check=True)
    try:
        yield ["--file", f"{folder}/refused.conf", "--reload", shlex.join([*program, "-s", "reload"])]
    finally:
        subprocess.run([*program, "-s", "quit"], check=True)


@contextmanager
def running(command: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=sys.stderr)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(WAIT_S_MAX)


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


COMMAND = ("-c", "import sys; from sekisho.cli import main; sys.exit(main())", "feed")
FRONTS = {"nftables": nftables, "haproxy": haproxy, "nginx": nginx}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
