"""Clients, a proxy and a service in a network namespace: `python -m tests.proxies.namespace PROXY FOLDER STORE`.

There the ports of `docs/proxies.md` are free, so its files run as they stand. Prints what happened as JSON.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.feed.namespace import ATTACKER, NGINX_PATHS, OWNER, SITE, running, wait_for

EDGE, EDGE_PORT = "173.245.48.9", 8080
"""A stand-in for Cloudflare, at an address of its networks: it appends the client's address to the header, too."""

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text("utf-8")
DEFAULTS = """
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
"""
AROUND = (
    """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
user root;
events {{}}
http {{
"""
    + NGINX_PATHS
    + """\
  include {folder}/shop.conf;
}}
"""
)
AT_THE_EDGE = (
    DEFAULTS
    + """
frontend edge
  mode http
  bind {site}:{port}
  default_backend origin
backend origin
  mode http
  acl forwarded req.fhdr(x-forwarded-for) -m found
  http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]" if forwarded
  http-request set-header X-Forwarded-For %[src] unless forwarded
  server origin {site}:80 source {edge}
"""
)
SETTINGS = {
    "SECRET": "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe",
    "LOGIN": "POST /login success=303:/home",
    "LIMIT_IP": "2/10minute",
    "CHALLENGES": "none",
    "CANARY": "off",
    "STORE_DEADLINE_MS": "5000",
}


class Entry(NamedTuple):
    """A section of the page: the proxy's file, and the guard's settings."""

    file: str
    settings: dict[str, str]

    @classmethod
    def of(cls, title: str) -> Entry:
        text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        files = re.findall(r"^```\w+\n(# /etc/.*?)^```$", text, re.MULTILINE | re.DOTALL)
        [block] = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        lines = (line.partition("=") for line in block.splitlines())
        return cls("".join(files), {name: value.strip('"') for name, _, value in lines})


def main(proxy: str, folder: Path, store: str) -> dict[str, Any]:
    for line in ("link set lo up", *(f"addr add {address}/32 dev lo" for address in (SITE, ATTACKER, OWNER, EDGE))):
        subprocess.run(["ip", *line.split()], check=True)
    entry = Entry.of(proxy)
    own = {f"SEKISHO_{name}": value for name, value in SETTINGS.items()}
    environ = {**os.environ, **own, **entry.settings, "SEKISHO_STORE": store}
    with ExitStack() as stack:
        stack.enter_context(running([sys.executable, "-m", "tests.feed.service", "127.0.0.1", "8000"], environ))
        stack.enter_context(PROXIES[proxy](folder, entry.file))
        port = EDGE_PORT if proxy == "Cloudflare" else 80
        wait_for(lambda: ask(OWNER, port=port) == 200)
        return guesses(port)


def guesses(port: int) -> dict[str, Any]:
    """What clients with forged headers get, and whether that concerns the owner, whose address they forge. They try it
    around the edge as well, where there is one.
    """
    forged = [ask(ATTACKER, "guess", f"somebody {n}", says=f"9.9.9.{20 + n}", port=port) for n in range(4)]
    owners = [ask(ATTACKER, "guess", f"another {n}", says=OWNER) for n in range(4)]
    return {"forged": forged, "as the owner": owners, "owner": ask(OWNER, "right", "hana", port=port)}


def ask(client: str, password: str = "", account: str = "", says: str = "", port: int = 80) -> int:
    """The status of an answer; 0 where there is none. `says`: the header that the client forges."""
    line = http.client.HTTPConnection(SITE, port, timeout=10, source_address=(client, 0))
    headers = {"Host": "shop.example", "Content-Type": "application/x-www-form-urlencoded"}
    headers |= {"X-Forwarded-For": says, "Forwarded": f"for={says}", "X-Real-IP": says} if says else {}
    try:
        body = f"username={account}&password={password}" if password else None
        line.request("POST" if password else "GET", "/login" if password else "/", body, headers)
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()


@contextmanager
def nginx(folder: Path, text: str) -> Iterator[None]:
    (folder / "shop.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = ["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log", "-g", "daemon off;"]
    with running(command, dict(os.environ)):
        yield


@contextmanager
def haproxy(folder: Path, text: str) -> Iterator[None]:
    (folder / "defaults.cfg").write_text(DEFAULTS)
    (folder / "haproxy.cfg").write_text(text)
    command = ["haproxy", "-db", "-f", f"{folder}/defaults.cfg", "-f", f"{folder}/haproxy.cfg"]
    with running(command, dict(os.environ)):
        yield


@contextmanager
def caddy(folder: Path, text: str) -> Iterator[None]:
    (folder / "Caddyfile").write_text(text)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]
    with running(command, {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}):
        yield


@contextmanager
def behind_an_edge(folder: Path, _: str) -> Iterator[None]:
    (folder / "edge.cfg").write_text(AT_THE_EDGE.format(site=SITE, port=EDGE_PORT, edge=EDGE))
    with (
        nginx(folder, Entry.of("nginx").file),
        running(["haproxy", "-db", "-f", f"{folder}/edge.cfg"], dict(os.environ)),
    ):
        yield


PROXIES = {"nginx": nginx, "HAProxy": haproxy, "Caddy": caddy, "Cloudflare": behind_an_edge}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
