"""The examination of webhooks: they are asked by HEAD, and get a post only when a test of it is asked for."""

from __future__ import annotations

import base64
import hmac
import json
import re
from typing import TYPE_CHECKING

import pytest

from sekisho.doctor.webhooks import webhooks_report
from tests.cli.operating import run
from tests.doctor.test_beside import found, settings
from tests.talking import CERTIFICATE, Talker, listening

if TYPE_CHECKING:
    import asyncio

    from sekisho.doctor import DoctorReport
    from sekisho.settings import Settings

NOW = 1_750_000_000
KEY = b"k" * 32
OWNERS = {"OWNERS": "sqlite+aiosqlite:///o.db", "OWNERS_QUERY": "select 1 where :account = 2"}


class Receiver(Talker):
    """Answers HEAD with one status and POST with another."""

    def __init__(self, head: int = 405, post: int = 204) -> None:
        super().__init__()
        self.statuses = {"HEAD": head, "POST": post}
        self.methods = list[str]()
        self.headers = dict[str, str]()
        self.body = b""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.methods.append(method := asked.partition(" ")[0])
        self.headers = dict(re.findall(r"^([\w-]+): (.*?)\r$", asked, re.MULTILINE))
        self.body = await reader.readexactly(int(self.headers.get("Content-Length", "0")))
        writer.write(b"HTTP/1.1 %d x\r\nLocation: /elsewhere\r\n\r\n" % self.statuses[method])
        await writer.drain()


def hooked(address: str) -> Settings:
    """The settings of a service that posts its notices to a path of this address."""
    secret = f"whsec_{base64.b64encode(KEY).decode()}"
    return settings(**OWNERS, NOTICES_WEBHOOK=f"{address}/hunter2", NOTICES_WEBHOOK_SECRET=secret)


async def report(read: Settings, *, token: str = "") -> DoctorReport:
    return await webhooks_report(read, token=token, wall_s=lambda: NOW)


async def test_without_webhooks_nothing_is_examined() -> None:
    """No webhook is named."""
    assert await report(settings()) == ((), (), ())


async def test_a_webhook_is_asked_and_gets_no_post() -> None:
    """A path for posts alone refuses HEAD, and that is no finding. Posts stay unexamined, and that is said."""
    receiver = Receiver()
    async with listening(receiver) as address:
        told = await report(hooked(address))

    assert (receiver.methods, receiver.body) == (["HEAD"], b"")
    assert (found(told), told.is_complete) == ([], True)
    assert told.facts == (("webhook", "that of notices answers (HEAD: 405); nothing was posted"),)
    assert "--send posts a test (notice.test)" in told.unseen[0].what


@pytest.mark.parametrize("status", [301, 302, 502, 503, 504])
async def test_a_redirect_and_a_proxy_alone_are_found(status: int) -> None:
    """Posts follow no redirect, and behind such a proxy nothing takes them. The URL may hold a secret."""
    async with listening(Receiver(head=status)) as address:
        told = await report(hooked(address))

    assert found(told) == [("SEK091", "SEKISHO_NOTICES_WEBHOOK=https://HOST/PATH")]
    assert f"(status {status})" in told.diagnoses[0].what
    assert "hunter2" not in str(told)


async def test_a_webhook_that_is_gone_is_found() -> None:
    """Nothing listens there; that of codes is named by its own setting."""
    gone = "http://127.0.0.1:1/hunter2"
    told = await report(settings(CODE_WEBHOOK=gone, CODE_WEBHOOK_KEY="kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"))

    assert found(told) == [("SEK091", "SEKISHO_CODE_WEBHOOK=https://HOST/PATH")]
    assert found(await report(hooked("http://127.0.0.1:1"))) == [
        ("SEK091", "SEKISHO_NOTICES_WEBHOOK=https://HOST/PATH")
    ]


async def test_a_webhook_whose_certificate_is_not_trusted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the file of the authority; with it there is no finding."""
    async with listening(Receiver(), secure=True) as address:
        before = await report(hooked(address))
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        after = await report(hooked(address))

    assert (found(before), found(after)) == ([("SEK091", "SSL_CERT_FILE=/path/to/ca.pem")], [])


async def test_a_test_is_posted_signed_when_it_is_asked_for() -> None:
    """One post, signed as notices are, of a type that no notice has, and without an account."""
    receiver = Receiver()
    async with listening(receiver) as address:
        told = await report(hooked(address), token="5e")

    content = f"msg_5e.{NOW}.".encode() + receiver.body
    signature = base64.b64encode(hmac.digest(KEY, content, "sha256")).decode()
    assert (receiver.methods, receiver.headers["webhook-signature"]) == (["POST"], f"v1,{signature}")
    when = "2025-06-15T15:06:40+00:00"
    data = {"when": when, "locale": "", "times": 1}
    assert json.loads(receiver.body) == {"type": "notice.test", "timestamp": when, "data": data}
    assert (found(told), told.unseen) == ([], ())
    assert told.facts == (("webhook", "that of notices took a signed test (notice.test)"),)


@pytest.mark.parametrize(
    ("status", "setting"),
    [(401, "SEKISHO_NOTICES_WEBHOOK_SECRET"), (404, "SEKISHO_NOTICES_WEBHOOK"), (500, "SEKISHO_NOTICES_WEBHOOK")],
)
async def test_a_test_that_is_refused_is_found(status: int, setting: str) -> None:
    """A refusal of the signature names the secret, all else the URL."""
    async with listening(Receiver(post=status)) as address:
        ((number, line),) = found(await report(hooked(address), token="5e"))

    assert (number, line.partition("=")[0]) == ("SEK091", setting)


def test_a_test_needs_a_webhook_of_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the command line is wrong, and nothing is examined."""
    monkeypatch.setenv("SEKISHO_SECRET", "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8")

    said = run("doctor", "--send")
    assert (said.code, said.out) == (2, "")
    assert "--send needs SEKISHO_NOTICES_WEBHOOK" in said.err
