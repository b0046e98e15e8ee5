"""Answers `sekisho doctor --url`: how a request arrived, and what this worker knows of its own set-up.

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


class Known(NamedTuple):
    """What a worker knows of its own set-up.

    Attributes:
        diagnoses: of its settings, arguments in Python included.
        attempts: events since the start, by door.
        missing: finds the doors that the application does not have.
    """

    diagnoses: Callable[[], Iterable[Diagnosis]]
    attempts: Callable[[], Mapping[str, int]]
    missing: Callable[[], Awaitable[Sequence[Door]]]


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
        self._signers = signers
        self._addresses = addresses
        self._renderer = renderer
        self._known = known
        self._clock_s = clock_s

    def is_asked(self, scope: Scope) -> bool:
        """Whether a request is for the examination, and may have it."""
        # The path first: every attempt passes here.
        if not scope["path"].endswith(self._path) or scope["type"] != "http" or scope["method"] != "GET":
            return False
        # Strangers must not learn whether a forged address is believed.
        token = dict(scope["headers"]).get(HEADER, b"")
        return bool(token) and is_examiner(self._signers, token, self._clock_s())

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        body = json.dumps(await self._facts(scope)).encode()
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self._renderer.cors(scope["headers"]),
        )
        await send_answer(send, Answer(200, headers, body))

    async def _facts(self, scope: Scope) -> dict[str, Any]:
        return {
            "arrival": arrival_of(scope, self._addresses)._asdict(),
            "attempts": self._known.attempts(),
            "missing": [door.name for door in await self._known.missing()],
            "diagnoses": [
                {"number": each.hazard.number, "what": each.what, "write": each.write}
                for each in self._known.diagnoses()
            ],
        }
