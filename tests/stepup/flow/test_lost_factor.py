"""A lost passkey or app is replaced in the browser: a recovery code, a mailed code, and a day."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from sekisho.crypto.seal import Sealer
from sekisho.owners import Enrolment
from sekisho.stepup.attempt_limits import AttemptLimits
from sekisho.stepup.factors.recovery import RecoveryCodes
from sekisho.testing import SECRET
from tests.stepup.flow.driving import STEP, Client, Site, challenge
from tests.stepup.flow.letters import writing
from tests.stepup.proving import KEYS, memory

if TYPE_CHECKING:
    from tests.asgi.driving import Answer
    from tests.stepup.flow.conftest import Later
    from tests.stepup.flow.letters import Post, Read

HTML = b"text/html"
NUMBER = "c" * 32


async def sheet(site: Site, account_id: str = "1") -> tuple[str, ...]:
    """Recovery codes that an owner printed long ago."""
    made = RecoveryCodes(Sealer((SECRET,), clock_s=time.time), AttemptLimits(memory(), KEYS)).fresh(
        account=account_id, enrolment=NUMBER
    )
    await site.people.enrol(account_id, Enrolment(NUMBER, "recovery", "", 1, made.sealed))
    return made.codes


async def letter(mailed: Post, subject: str) -> Read:
    """Wait for the mail whose subject has these words; notices arrive beside it."""
    for count in range(1, 10):
        if found := [one for one in await mailed.letters(count) if subject in one.subject]:
            return found[0]
    raise AssertionError(subject)


async def post(client: Client, path: str, accept: bytes = b"*/*", **fields: str) -> Answer:
    return await client.send(path, urlencode(fields).encode(), accept=accept)


async def test_a_lost_app_is_replaced_in_a_day(later: Later) -> None:
    """Both codes begin the recovery, which the owner hears of; a day later a mailed code logs in."""
    async with writing() as mailed:
        site = mailed.site
        codes = await sheet(site)
        client = site.client()
        ticket = challenge(await client.log_in())
        asked = await post(client, f"{STEP}/recover", challenge=ticket, code=codes[0])
        assert (asked.status, json.loads(asked.body)) == (202, {"sent": True})
        letters = await mailed.letters(2)
        [second] = [one for one in letters if re.search(r"\d{8}", one.text)]
        assert "作り直す" in second.subject
        begun = await post(client, f"{STEP}/recover/confirm", challenge=ticket, code=second.code)
        said = json.loads(begun.body)
        assert (begun.status, said["recovery"]) == (202, "begun")
        assert any("初期化" in one.subject for one in await mailed.letters(3))

        assert (await client.show(ticket, second.code, "email")).code == "proof_failed"
        later.seconds = 86_400 + 10
        client = site.client()
        ticket = challenge(await client.log_in())
        await post(client, f"{STEP}/send", challenge=ticket, factor="email")
        code = await letter(mailed, "ログイン確認コード")
        assert (await client.show(ticket, code.code, "email")).status == 303


async def test_wrong_codes_and_wrong_passwords_get_the_same_answers() -> None:
    """For a wrong password, a wrong recovery code and an unknown name, both steps answer alike and mail nothing."""
    async with writing() as mailed:
        codes = await sheet(mailed.site)
        answers = set()
        for account, password, code in (
            ("hana", "wrong", codes[0]),
            ("hana", "right", "0000-0000-0000-0000"),
            ("nobody", "right", codes[0]),
        ):
            client = mailed.site.client()
            ticket = challenge(await client.log_in(account, password))
            sent = await post(client, f"{STEP}/recover", challenge=ticket, code=code)
            failed = await post(client, f"{STEP}/recover/confirm", challenge=ticket, code="00000000")
            assert failed.code == "proof_failed"
            answers.add((sent.status, sent.body, failed.status, failed.body.replace(ticket.encode(), b"")))
        assert len(answers) == 1
        assert await mailed.site.people.pending_reset("1") is None
        assert mailed.server.received == []


async def test_pages_lead_through_it_without_a_script() -> None:
    """The page has both forms for every account, and says at the end what happens next."""
    async with writing() as mailed:
        codes = await sheet(mailed.site)
        client = mailed.site.client()
        page = await client.log_in(accept=HTML)
        ticket = challenge(page)
        assert f'action="{STEP}/recover"' in page.body.decode()
        sent = await post(client, f"{STEP}/recover", HTML, challenge=ticket, factor="lost", code=codes[0])
        assert sent.status == 401
        assert "If everything was right" in sent.body.decode()
        [second] = [one for one in await mailed.letters(2) if re.search(r"\d{8}", one.text)]
        fields = {"challenge": ticket, "factor": "lost"}
        failed = await post(client, f"{STEP}/recover/confirm", HTML, **fields, code="00000000")
        assert (failed.status, failed.body.count(b"aria-invalid")) == (401, 1)
        begun = await post(client, f"{STEP}/recover/confirm", HTML, **fields, code=second.code)
        assert begun.status == 202
        assert "Please log in again in a day" in begun.body.decode()


@pytest.mark.parametrize("path", ["/recover", "/recover/confirm"])
async def test_a_site_that_sends_no_codes_has_no_such_way(path: str) -> None:
    """Without mail or a sender of codes only an operator resets a factor."""
    site = Site()
    await site.enrol()
    client = site.client()
    ticket = challenge(await client.log_in())
    assert (await post(client, STEP + path, challenge=ticket, code="1")).status == 404
    assert f"{STEP}/recover" not in (await client.log_in(accept=HTML)).body.decode()
