"""What an owner and his browser do where a log-in is not simply answered: work, prove, and come back when told to."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.client import login_request, proof_request
from sekisho.simulate.solve import solved

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.simulate.client import Answer, Client
    from sekisho.simulate.generator import Try
    from sekisho.simulate.phones import Phones

ASKED = "step_up_required"
WORK = "challenge_required"
BUSY = "unavailable"

STEPS_MAX = 5  # work, proof, and a few times told to come back
WAIT_S_MAX = 8.0


class Steps(NamedTuple):
    """Attributes:
    worked: the browser was asked for work, and did it.
    asked: a second proof was asked for, and shown: the password has been looked at by then.
    came_back: the service had no time, and was asked again when it said so.
    """

    worked: bool = False
    asked: bool = False
    came_back: bool = False


NONE = Steps()


async def persist(
    client: Client, attempt: Try, answer: Answer, phones: Phones, *, cookie: str = ""
) -> tuple[Answer, Steps]:
    """The last answer, after all that was asked on the way to it. Raises `Unanswered`.

    Only an owner has the phone, and he reads it only after his own log-in with the right password.
    """
    steps = NONE
    request: Callable[[], bytes] = partial(login_request, attempt, cookie=cookie)
    for _ in range(STEPS_MAX):
        if answer.code == WORK:
            work = await asyncio.to_thread(solved, json.loads(answer.body)["work"])
            request = partial(login_request, attempt, cookie=_with(cookie, answer), work=work)
            steps = steps._replace(worked=True)
        elif answer.code == ASKED:
            request = _proof(attempt, answer, phones, cookie)
            steps = steps._replace(asked=True)
        elif answer.code == BUSY:
            await asyncio.sleep(min(float(answer.header(b"retry-after") or 1), WAIT_S_MAX))
            steps = steps._replace(came_back=True)
        else:
            break
        answer = await client.send(request())
    return answer, steps


def _proof(attempt: Try, asked: Answer, phones: Phones, cookie: str) -> Callable[[], bytes]:
    """The code is read each time that it is shown."""
    return lambda: proof_request(attempt, asked, phones.code(attempt.owner), cookie=_with(cookie, asked))


def _with(cookie: str, answer: Answer) -> str:
    """A browser's cookies and those of an answer."""
    return "; ".join(filter(None, (cookie, *(f"{name}={value}" for name, value in answer.cookies().items()))))
