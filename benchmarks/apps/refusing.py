"""The ceiling of shedding: a refusal that looks at nothing and leaves the body where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.apps import endpoint

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.apps.endpoint import Receive, Send


async def _login(_scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
    await endpoint.answer(send, endpoint.REFUSED)


app = endpoint.Service(_login)
