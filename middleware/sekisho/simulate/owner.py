"""An owner's reactions to a challenge, a step-up, or a 503: do the work, complete the factor, retry later."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from sekisho.simulate.client import login_request, proof_request
from sekisho.simulate.solve import solved

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.simulate.client import Client, HttpAnswer
    from sekisho.simulate.generator import Try
    from sekisho.simulate.phones import Phones

ASKED = "step_up_required"
WORK = "challenge_required"
BUSY = "unavailable"

STEPS_MAX = 5  # work, a factor, and a few retries
WAIT_S_MAX = 8.0


class Steps(NamedTuple):
    """Attributes:
    worked: the browser was asked for work, and did it.
    asked: a factor was asked for, and completed: the password has been checked by then.
    came_back: the service was overloaded, and the browser retried when told.
    """

    worked: bool = False
    asked: bool = False
    came_back: bool = False


NONE = Steps()


async def persist(
    client: Client, attempt: Try, answer: HttpAnswer, phones: Phones, *, cookie: str = ""
) -> tuple[HttpAnswer, Steps]:
    """Do what answers ask of an owner: work, a factor, a retry. Return the last answer and the steps that were done.

    Raises `Unanswered`. `answer`: the first answer to `attempt`.

    Only owners have phones, and they read them only after their own log-in with the right password.
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


def _proof(attempt: Try, asked: HttpAnswer, phones: Phones, cookie: str) -> Callable[[], bytes]:
    """A request with the current code, read again for each call."""
    return lambda: proof_request(attempt, asked, phones.code(attempt.owner), cookie=_with(cookie, asked))


def _with(cookie: str, answer: HttpAnswer) -> str:
    """A browser's cookies together with those of an answer."""
    return "; ".join(filter(None, (cookie, *(f"{name}={value}" for name, value in answer.cookies().items()))))
