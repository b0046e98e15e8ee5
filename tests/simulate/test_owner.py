"""A simulated owner follows the guard's demands, and gives up in the end; the phone is the owner's alone."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from sekisho.challenge.work import Work
from sekisho.simulate.client import Client
from sekisho.simulate.generator import SCENARIOS
from sekisho.simulate.owner import STEPS_MAX, Steps, persist
from sekisho.simulate.phones import Phones
from sekisho.store.vault import MemoryVault
from tests.simulate.serving import serving
from tests.simulate.tries import a_try

if TYPE_CHECKING:
    from sekisho.simulate.client import HttpAnswer

OWNER = a_try(owner=3, honest=True, right=True)
PHONES = Phones(SCENARIOS["demo"].population(), 1)
BOUND = b"door, account, browser"


def http(status: int, more: str, **members: object) -> bytes:
    body = json.dumps(members) if members else ""
    kind = "Content-Type: application/problem+json\r\n" if members else ""
    return f"HTTP/1.1 {status} X\r\n{kind}{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


IN = http(303, "Location: /account\r\nSet-Cookie: session=s\r\n")
ASKED = http(401, "Set-Cookie: step=k; Path=/\r\n", code="step_up_required", challenge="t", step_up="/sekisho/step-up")
BUSY = http(503, "Retry-After: 0\r\n", code="unavailable")
REFUSED = http(429, "", code="too_many_attempts")


async def persisting(*answers: bytes) -> tuple[HttpAnswer, Steps, list[bytes]]:
    """The result, and the requests after the first one."""
    async with serving(*answers) as server, Client(server.port) as client:
        first = await client.send(b"POST /login HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        answer, steps = await persist(client, OWNER, first, PHONES, cookie="known=d")
        return answer, steps, server.requests[1:]


@pytest.mark.parametrize(("answer", "status"), [(IN, 303), (REFUSED, 429)])
async def test_what_asks_for_nothing_is_the_last_answer(answer: bytes, status: int) -> None:
    """An answer without a demand is the last: let in, or over a limit."""
    found, steps, sent = await persisting(answer)
    assert (found.status, steps, sent) == (status, Steps(), [])


async def test_he_shows_his_phone_with_the_cookies_of_the_question() -> None:
    """The owner shows a code with the question's cookies and the browser's own."""
    found, steps, [sent] = await persisting(ASKED, IN)
    head, _, body = sent.decode().partition("\r\n\r\n")
    assert (found.status, steps) == (303, Steps(asked=True))
    assert head.startswith("POST /sekisho/step-up ")
    assert "Cookie: known=d; step=k" in head
    assert parse_qs(body) == {"challenge": ["t"], "factor": ["totp"], "code": [PHONES.code(3)]}


async def test_his_browser_works_and_the_work_is_good() -> None:
    """The owner's solved work is accepted by the guard's own code, and then a proof is asked for."""
    work = Work([b"s" * 32], MemoryVault(entries_max=9, bytes_max=9_999, clock_s=lambda: 0.0), clock_s=time.time)
    asked = http(
        401, "Set-Cookie: step=k\r\n", code="challenge_required", work=json.loads(work.challenge(BOUND, 256).text)
    )
    found, steps, sent = await persisting(asked, ASKED, IN)
    assert (found.status, steps) == (303, Steps(worked=True, asked=True))
    shown = sent[0].decode().partition("Sekisho-Work: ")[2].partition("\r\n")[0]
    assert await work.accept(shown, BOUND)


async def test_he_comes_back_when_he_is_told_to() -> None:
    """The owner returns when told, with the pending proof, or from the log-in."""
    found, steps, sent = await persisting(BUSY, ASKED, BUSY, IN)
    assert (found.status, steps) == (303, Steps(asked=True, came_back=True))
    assert [one.split(b" ")[1] for one in sent] == [b"/login", b"/sekisho/step-up", b"/sekisho/step-up"]


async def test_he_gives_up_in_the_end() -> None:
    """A service that never has time counts as a refusal in the end."""
    found, steps, sent = await persisting(*[BUSY] * 20)
    assert (found.code, steps, len(sent)) == ("unavailable", Steps(came_back=True), STEPS_MAX)
