"""CrowdSec's LAPI (the real one) and Cloudflare's lists (a server of ours with their protocol) as fronts."""

from __future__ import annotations

import asyncio
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.feed.fronts.cloudflare import Cloudflare
from sekisho.feed.fronts.crowdsec import Crowdsec, machine_of
from sekisho.feed.fronts.port import Change, FrontFault
from tests.cli.operating import command, serve_with
from tests.feed.crowdsec import lapi
from tests.feed.test_publishing import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUR, SIX, MORE = ip_network("9.9.9.9"), ip_network("2606:4700::/64"), ip_network("9.9.9.10")
ACCOUNT, LIST = "a" * 32, "b" * 32


async def test_crowdsec_has_decisions_until_the_refusal_ends(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path
) -> None:
    """The command writes the feed's addresses with what is left of their time, and removes its own decisions alone."""
    serve_with(monkeypatch, store=redis_url, feed="on")
    worker = Worker(redis_url)
    await worker.refuse("9.9.9.9", "2606:4700::1", seconds=300)
    await worker.line.aclose()
    with lapi(tmp_path) as server:
        said = await command("feed", "crowdsec", "--credentials", str(server.credentials), "--once")
        written = await asyncio.to_thread(server.decisions)
        machine = machine_of(server.credentials.read_text())
        assert machine is not None
        front = Crowdsec(machine, time.time)
        front._token = "ended"
        await front.apply(Change({MORE: 60.0}, {}, (FOUR, SIX), {}))
        changed = await asyncio.to_thread(server.decisions)
        await front.begin()
        emptied = await asyncio.to_thread(server.decisions)

    assert said.err == ""
    assert {(one["scope"], one["value"], one["type"], one["origin"]) for one in written} == {
        ("Ip", "9.9.9.9", "ban", "sekisho"), ("Range", "2606:4700::/64", "ban", "sekisho"),
    }  # fmt: skip
    assert all(one["duration"].startswith("4m") for one in written)
    assert [one["value"] for one in changed] == ["9.9.9.10"]
    assert emptied == []


async def test_a_stranger_at_the_lapi_is_refused_in_words(tmp_path: Path) -> None:
    """A wrong password is said without the password."""
    with lapi(tmp_path) as server:
        machine = machine_of(f"url: {server.url}\nlogin: sekisho\npassword: hunter2\n")
        assert machine is not None
        with pytest.raises(FrontFault, match=r"^CrowdSec's LAPI answers 40[13] to POST /v1/watchers/login$"):
            await Crowdsec(machine, time.time).begin()
    with pytest.raises(FrontFault, match=r"^CrowdSec's LAPI does not answer: ConnectError$"):
        await Crowdsec(machine, time.time).begin()
    assert machine_of("url: x\nlogin: y\n") is None
    assert "hunter2" not in repr(machine)


class Lists(BaseHTTPRequestHandler):
    """The lists of https://developers.cloudflare.com/api/resources/rules/subresources/lists, as far as they are used:
    a replacement is an operation, which is pending at first.
    """

    server: Account

    def do_PUT(self) -> None:
        """Replace all items of the list."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != f"/accounts/{ACCOUNT}/rules/lists/{LIST}/items":
            return self._answer(404, None)
        self.server.waiting = [item["ip"] for item in body]
        self.server.looks = 0
        return self._answer(200, {"operation_id": "4da8780eeb215e6cb7f48dd981c4ea02"})

    def do_GET(self) -> None:
        """Tell how far the operation is."""
        self.server.looks += 1
        if self.server.looks < 2:
            return self._answer(200, {"status": "pending"})
        self.server.items = self.server.waiting
        return self._answer(200, {"status": self.server.ends})

    def _answer(self, status: int, result: Any) -> None:
        if self.headers["Authorization"] != "Bearer token":
            status, result = 403, None
        text = json.dumps({"result": result, "success": status == 200, "errors": [], "messages": []}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Account(ThreadingHTTPServer):
    """`items`: of the list."""

    items: list[str]
    waiting: list[str]
    looks = 0
    ends = "completed"


@pytest.fixture
def account() -> Iterator[Account]:
    with Account(("127.0.0.1", 0), Lists) as server:
        server.items = server.waiting = ["192.0.2.1"]
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


async def _at_once(_: float) -> None:
    """No pause between two looks."""


def front(server: Account, token: str = "token", list_id: str = LIST) -> Cloudflare:
    return Cloudflare(f"http://127.0.0.1:{server.server_port}", ACCOUNT, list_id, token, 10, _at_once)


async def test_cloudflares_list_is_replaced(account: Account) -> None:
    """The list is emptied at first, holds what is refused, and is not replaced for a longer end."""
    cloudflare = front(account)
    await cloudflare.begin()
    begun = account.items
    await cloudflare.apply(Change({FOUR: 30.0, SIX: 30.0}, {}, (), {FOUR: 30.0, SIX: 30.0}))
    held = account.items
    looks = account.looks
    await cloudflare.apply(Change({}, {FOUR: 60.0}, (), {FOUR: 60.0, SIX: 30.0}))

    assert begun == []
    assert held == ["9.9.9.9", "2606:4700::/64"]
    assert account.looks == looks == 2


async def test_what_cloudflare_refuses_is_said(account: Account) -> None:
    """A wrong token, a list that does not exist, an operation that fails."""
    with pytest.raises(FrontFault, match=r"^Cloudflare answers 403 to PUT /accounts/"):
        await front(account, token="hunter2").begin()
    with pytest.raises(FrontFault, match=r"^Cloudflare answers 404 to PUT /accounts/"):
        await front(account, list_id="c" * 32).begin()
    account.ends = "failed"
    with pytest.raises(FrontFault, match=r"^Cloudflare could not replace the list$"):
        await front(account).begin()


async def test_the_command_replaces_the_list(account: Account, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """From the store to the list, with the token of the environment."""
    serve_with(monkeypatch, store=redis_url, feed="on")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "token")
    worker = Worker(redis_url)
    await worker.refuse("9.9.9.9")
    await worker.line.aclose()
    url = f"http://127.0.0.1:{account.server_port}"
    said = await command("feed", "cloudflare", "--account", ACCOUNT, "--list", LIST, "--url", url, "--once")

    assert (said.code, said.out) == (0, "the front refuses 1 address\n")
    assert account.items == ["9.9.9.9"]
