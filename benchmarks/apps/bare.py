"""The endpoint with nothing in front of it: what every variant is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.apps.endpoint import Receive, Send


async def _login(_scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await endpoint.answer(send, endpoint.verdict(await endpoint.read(receive)))


app = endpoint.Service(_login)
