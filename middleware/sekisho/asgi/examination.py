"""Answers `sekisho doctor --url`: how a request arrived, and what this worker knows of its own set-up.

Answers `sekisho check --url` as well, by trying the service's own doors.

Requests without the secret's token are none of its business, and go on like all others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.answer import Answer, send_answer
from sekisho.crypto.examiner import HEADER, is_examiner
from sekisho.read.arrival import arrival_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from sekisho.answer import Renderer
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.crypto.signers import Signer
    from sekisho.model import Door
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.read import Addresses

PATH: Final = "/doctor"
"""Below the mount."""
CHECK_PATH: Final = "/doctor/check"
"""Below the mount: GET, so that no attempt pays for the look at it."""
QUESTION: Final = b"sekisho-question"
"""The header with the sealed question; see `sekisho.check.question`."""


class Missing(NamedTuple):
    """Attributes:
    doors, protected: those whose path the application does not have.
    below: doors that the application also answers below their path.
    basic: doors without `basic` where the application looks at HTTP Basic.
    """

    doors: Sequence[Door] = ()
    protected: Sequence[Door] = ()
    below: Sequence[Door] = ()
    basic: Sequence[Door] = ()


class Known(NamedTuple):
    """What a worker knows of its own set-up.

    Attributes:
        diagnoses: of its settings, arguments in Python included.
        attempts: events since the start, by door.
        missing: finds the doors and protected routes with a way past them.
        check: tries doors, as a sealed question asks that came with this token; returns the answer's body. None for a
            question that does not open.
    """

    diagnoses: Callable[[], Iterable[Diagnosis]]
    attempts: Callable[[], Mapping[str, int]]
    missing: Callable[[], Awaitable[Missing]]
    check: Callable[[bytes, bytes], Awaitable[bytes | None]]


class Examination:
    """Args:
    mount: the path of the guard's own pages.
    signers: of the service.
    addresses: reads the client's address.
    renderer: adds the headers of CORS.
    known: see `Known`.
    clock_s: Unix time in seconds.
    """

    def __init__(
        self,
        mount: str,
        signers: Sequence[Signer],
        addresses: Addresses,
        renderer: Renderer,
        known: Known,
        clock_s: Callable[[], float],
    ) -> None:
        self._path = mount + PATH
        self._check_path = mount + CHECK_PATH
        self._is_checking = False
        self._signers = signers
        self._addresses = addresses
        self._renderer = renderer
        self._known = known
        self._clock_s = clock_s

    def is_asked(self, scope: Scope) -> bool:
        """Whether a request is for the examination and shows the token of a `sekisho doctor` that knows the secret."""
        # The path first: every attempt passes here.
        if not scope["path"].endswith((self._path, self._check_path)):
            return False
        if scope["type"] != "http" or scope["method"] != "GET":
            return False
        # Strangers must not learn whether a forged address is believed.
        token = dict(scope["headers"]).get(HEADER, b"")
        return bool(token) and is_examiner(self._signers, token, self._clock_s())

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"].endswith(self._check_path):
            return await self._check(scope, send)
        return await self._answer(scope, send, 200, json.dumps(await self._facts(scope)).encode())

    async def _check(self, scope: Scope, send: Send) -> None:
        # One at a time: a proxy that saw the token could replay the question, and each log-in costs a password's check.
        if self._is_checking:
            return await self._answer(scope, send, 503, b"[]")
        headers = dict(scope["headers"])
        self._is_checking = True
        try:
            body = await self._known.check(headers.get(QUESTION, b""), headers[HEADER])
        finally:
            self._is_checking = False
        return await self._answer(scope, send, 200 if body is not None else 400, body or b"[]")

    async def _answer(self, scope: Scope, send: Send, status: int, body: bytes) -> None:
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self._renderer.cors(scope["headers"]),
        )
        await send_answer(send, Answer(status, headers, body))

    async def _facts(self, scope: Scope) -> dict[str, Any]:
        missing = await self._known.missing()
        arrival = arrival_of(scope, self._addresses)._asdict()
        return {
            "client_is_proxy": arrival.pop("client_is_proxy"),  # earlier versions of the command do not read it
            "arrival": arrival,
            "attempts": self._known.attempts(),
            "missing": [door.name for door in missing.doors],
            "missing_protected": [route.name for route in missing.protected],
            "open_below": [door.name for door in missing.below],
            "basic_beside": [door.name for door in missing.basic],
            "diagnoses": [
                {"number": each.hazard.number, "what": each.what, "write": each.write}
                for each in self._known.diagnoses()
            ],
        }
