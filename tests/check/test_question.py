"""The sealed question of `sekisho check --url`, and the answer to it."""

from __future__ import annotations

import asyncio
import json

import pytest

from sekisho.answer import Renderer
from sekisho.asgi.examination import Examination, Known, Missing
from sekisho.check.described import read_answer
from sekisho.check.question import Question, QuestionSealer
from sekisho.crypto.examiner import examiner_token
from sekisho.crypto.signers import Signer
from sekisho.model import Credentials
from sekisho.read import Addresses
from tests.asgi.driving import ask, http

SIGNERS = [Signer(b"a secret of a test, long enough")]
NOW_S = 1_900_000_000.0
SEALER = QuestionSealer(SIGNERS, lambda: NOW_S)
ASKED = Question(Credentials("hana", "correct horse", "", ""), ("POST /reset",))


def test_a_question_opens_beside_its_token_alone() -> None:
    """Beside another token, or changed in one character, it opens for nobody; and it shows nothing."""
    token, other = examiner_token(SIGNERS, NOW_S), examiner_token(SIGNERS, NOW_S + 1)
    text = SEALER.sealed(ASKED, token).encode()

    assert SEALER.opened(text, token) == ASKED
    assert SEALER.opened(text, other) is None
    assert SEALER.opened(text[:-2] + b"AA", token) is None
    assert QuestionSealer([Signer(b"another secret of a test, as long")], lambda: NOW_S).opened(text, token) is None
    assert "correct horse" not in repr(ASKED) + text.decode()


def test_a_question_too_long_for_a_header_is_not_sent() -> None:
    """Servers refuse headers of more than 8 KiB, which would look like a service without a guard."""
    with pytest.raises(ValueError, match="too long"):
        SEALER.sealed(ASKED._replace(doors=("POST /" + "x" * 9_000,)), b"token")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"<html>",
        b'[{"door": "POST /login"}]',
        b'[{"door": 1, "result": "", "number": "", "advice": "", "invented": {}}]',
        json.dumps(
            [
                {
                    "door": "\x1b[2J",
                    "result": "held",
                    "number": "",
                    "advice": "",
                    "invented": {"status": 1, "outcome": "failed", "basis": "rule"},
                }
            ]
        ).encode(),
        b"[" * 60_000,
    ],
)
def test_another_servers_answer_is_none(body: bytes) -> None:
    """An answer that is none of ours reaches no terminal."""
    assert read_answer(body) is None


async def test_one_check_runs_at_a_time() -> None:
    """A replayed question costs no second check of a password while the first one runs."""
    asked: list[bytes] = []
    may_end = asyncio.Event()

    async def check(question: bytes, _token: bytes) -> bytes:
        asked.append(question)
        await may_end.wait()
        return b"[1]"

    async def missing() -> Missing:
        return Missing()

    known = Known(list, dict, missing, check)
    examination = Examination("/sekisho", SIGNERS, Addresses([]), Renderer(frozenset()), known, lambda: NOW_S)
    token = examiner_token(SIGNERS, NOW_S)
    headers = [(b"sekisho-examiner", token), (b"sekisho-question", b"q")]
    scope = http("/sekisho/doctor/check", headers=headers, method="GET")

    assert examination.is_asked(scope)
    first = asyncio.create_task(ask(examination, scope))
    await asyncio.sleep(0)
    second = await ask(examination, scope)
    may_end.set()

    assert (second.status, (await first).status, asked) == (503, 200, [b"q"])
