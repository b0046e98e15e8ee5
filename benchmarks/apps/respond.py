"""The endpoint's answer as a framework's response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from benchmarks.apps.endpoint import Answer


def response(said: Answer) -> Response:
    found = Response(said.body, said.status)
    found.raw_headers = list(said.headers)
    return found
