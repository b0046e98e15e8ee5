"""Notices are posted over TLS to a real server, signed as Standard Webhooks asks, and tried until it takes them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import re
from typing import TYPE_CHECKING

import pytest

from sekisho.crypto.signers import Signer
from sekisho.model import SettingsError
from sekisho.outbox import Notice, NoticeOutbox, Undelivered
from sekisho.outbox.by_webhook import Deliveries, WebhookDelivery, payload, signed
from sekisho.outbox.sending import OutboxMeans
from sekisho.owners import Contact
from sekisho.owners.outbox import SqlOutbox
from sekisho.settings import load
from sekisho.stepup.factors.account_owner import AccountOwner
from sekisho.stepup.factors.senders import notices_of
from tests.talking import CERTIFICATE, Talker, listening
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.owners.worlds import SqlWorld

NOW = 1_750_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
KEY, OLD_KEY = b"k" * 32, b"o" * 32
FACTS = {"when": NOW, "browser": "Firefox", "network": "192.0.2.9"}
OWNER = AccountOwner("hana", Contact("42", "hana@mail.example", "ja"), ())
[NOTICE] = notices_of(OWNER, "new_device", FACTS, mails=False, hooks=True)


class Receiver(Talker):
    """Answers with each status in turn, then with the last."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.statuses = list(statuses)
        self.posts: list[tuple[dict[str, str], bytes]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(re.findall(r"^([\w-]+): (.*?)\r$", head, re.MULTILINE))
        self.posts.append((headers, await reader.readexactly(int(headers["Content-Length"]))))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        writer.write(b"HTTP/1.1 %d x\r\n\r\n" % status)
        await writer.drain()


@pytest.fixture(autouse=True)
def _trusts_our_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests has a certificate of its own, which stands in for the system's authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


class Time:
    """A wall clock that the outbox's pauses move on."""

    def __init__(self) -> None:
        self.s = float(NOW)
        self.slept = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.s += seconds
        await asyncio.sleep(0)


def outbox(sql: SqlWorld, deliver: Callable[[Notice, int, str], Awaitable[None]], lost: list[str]) -> NoticeOutbox:
    time = Time()
    means = OutboxMeans(lambda: time.s, time.sleep, lambda: 0.0, lambda count: bytes(range(count)))
    rows = SqlOutbox(sql.owners(), "5e")
    return NoticeOutbox(rows, (Signer(SECRET),), deliver, lambda kind, why: lost.append(f"{kind} {why}"), means)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the specification's reference implementations."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_notice_is_tried_again_with_one_id_until_it_is_taken(sql: SqlWorld) -> None:
    """After two failures the third try is taken: one id, a signature for each try and each secret, and no address."""
    receiver, lost = Receiver(500, 404, 204), list[str]()
    async with listening(receiver, secure=True) as address:
        hook = WebhookDelivery(f"{address}/sekisho", [KEY, OLD_KEY], clock_s=lambda: NOW)
        made = outbox(sql, Deliveries(None, hook), lost)
        await made.add(NOTICE, "42")
        made.start()
        await until(lambda: len(receiver.posts) == 3)
        await made.aclose()
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    headers, body = receiver.posts[-1]
    content = f"{headers['webhook-id']}.{NOW}.".encode() + body
    assert headers["webhook-signature"].split() == [
        "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in (KEY, OLD_KEY)
    ]
    assert json.loads(body) == {
        "type": "notice.new_device",
        "timestamp": "2025-06-15T15:06:40+00:00",
        "data": {
            **FACTS,
            "when": "2025-06-15T15:06:40+00:00",
            "account_id": "42",
            "locale": "ja",
            "times": 1,
        },
    }
    assert lost == []


async def test_a_receiver_that_is_gone_is_told_loudly(sql: SqlWorld, caplog: pytest.LogCaptureFixture) -> None:
    """A 410 ends it at once: the log has an error, and the event names kind and reason."""
    receiver, lost = Receiver(410), list[str]()
    async with listening(receiver, secure=True) as address:
        made = outbox(sql, Deliveries(None, WebhookDelivery(address, [KEY], clock_s=lambda: NOW)), lost)
        await made.add(NOTICE, "42")
        made.start()
        await until(lambda: bool(lost))
        await made.aclose()
    assert lost == ["new_device status 410"]
    assert len(receiver.posts) == 1
    assert [one.levelno for one in caplog.records if one.name == "sekisho.outbox"] == [logging.ERROR]


@pytest.mark.parametrize(("status", "way_works"), [(400, True), (413, True), (422, True), (401, False), (503, False)])
async def test_a_receiver_that_refuses_one_notice_is_no_outage(status: int, way_works: bool) -> None:
    """As of a kind that it does not know: it takes all others, and the log would change with each of them."""
    async with listening(Receiver(status), secure=True) as address:
        deliver = WebhookDelivery(address, [KEY], clock_s=lambda: NOW)
        with pytest.raises(Undelivered) as failed:
            await deliver(NOTICE, 1, "t")
    assert (failed.value.reason, failed.value.passing) == (f"status {status}", True)
    assert failed.value.way_works is way_works


def test_an_event_goes_both_ways() -> None:
    """With mail and a webhook, each address has a notice of its own, and the webhook has one."""
    both = notices_of(OWNER, "new_device", FACTS, mails=True, hooks=True)
    assert [one.to for one in both] == ["hana@mail.example", ""]
    assert "account_id" not in both[0].facts


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (None, "SEKISHO_NOTICES_WEBHOOK_SECRET.*is not set"),
        ("whsec_c2hvcnQ=", "wants whsec_"),
        ("a" * 64, "wants whsec_"),
    ],
)
def test_a_webhook_without_a_proper_secret_stops_the_start(secret: str | None, problem: str) -> None:
    """A post without a signature could be any client's."""
    given = {
        "secret": SECRET,
        "store": "memory://",
        "login": "POST /login",
        "notices_webhook": "https://hook.example/x",
    }
    with pytest.raises(SettingsError, match=problem):
        load({}, {**given, "notices_webhook_secret": secret})


def test_a_webhook_needs_the_database_in_which_notices_wait() -> None:
    """Without a database a notice would be lost with the process, so the setting is refused."""
    given = {
        "secret": SECRET,
        "store": "memory://",
        "login": "POST /login",
        "notices_webhook": "https://hook.example/x",
    }
    secret = "whsec_" + base64.b64encode(KEY).decode()
    with pytest.raises(SettingsError, match=r"SEKISHO_OWNERS.*wait in that database"):
        load({}, {**given, "notices_webhook_secret": secret})


def test_what_is_still_to_come_is_told_at_the_time_of_the_try() -> None:
    """Receivers refuse a timestamp in the future: a reset that was asked for takes effect in a day."""
    asked = Notice("factor_reset_asked", "", "ja", {"when_effective": NOW + 86_400})

    told = json.loads(payload(asked, 1, NOW))

    assert told["timestamp"] == "2025-06-15T15:06:40+00:00"
    assert told["data"]["when_effective"] == "2025-06-16T15:06:40+00:00"
