"""A process with an outbox, to be killed: adds notices, says which of them are kept, and sends them meanwhile.

Arguments: the database's URL, the mail server's port, a name for the addresses, the number of notices to add.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
from datetime import UTC, datetime
from functools import partial

from sekisho.mail import Mailer, Means, Service
from sekisho.outbox import Notice, NoticeOutbox, OutboxBounds
from sekisho.outbox.by_mail import MailDelivery
from sekisho.outbox.sending import OutboxMeans
from sekisho.owners.outbox import SqlOutbox
from sekisho.owners.sql import SqlOwners
from tests.owners.worlds import PATIENT_US, QUERY

SECRET = b"a secret of thirty-two bytes ...."
SERVICE = "0123456789abcdef0123456789abcdef"
LEASE_S = 5  # so long that a worker on a loaded machine keeps its own


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


async def work(url: str, port: int, name: str, count: int) -> None:
    owners = SqlOwners(url, QUERY, deadline_us=PATIENT_US, clock_s=time.monotonic)
    mailer = Mailer(
        f"smtp://127.0.0.1:{port}", sender="guard@shop.example", means=Means(time.monotonic, partial(datetime.now, UTC))
    )
    outbox = NoticeOutbox(
        SqlOutbox(owners, SERVICE),
        [SECRET],
        MailDelivery(mailer, Service("Shop", "shop.example/account")),
        lambda kind, why: say("lost", kind, why),
        OutboxMeans(time.time, asyncio.sleep, random.random, secrets.token_bytes),
        OutboxBounds(at_once=1, lease_s=LEASE_S, poll_s=0.05),
    )
    outbox.start()
    for number in range(count):
        to = f"{name}-{number}@mail.example"
        facts: dict[str, str | int] = {"when": 1_750_000_000, "factor": "totp", "change": "removed"}
        await outbox.add(Notice("factor_changed", to, "en", facts), to)
        say("kept", to)
        await asyncio.sleep(0.01)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
