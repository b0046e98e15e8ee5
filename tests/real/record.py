"""`python -m tests.real.record`: asks the libraries and rewrites `tests/read/answers/*.json`."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.real.catalogue import SERVICES
from tests.real.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.catalogue import Service

FOLDER = Path(__file__).parent.parent / "read" / "answers"
TEXT_CHARS_MAX = 400  # of a page, which is not judged
LOCKED_AFTER = 6


async def recorded(app: Any, service: Service) -> dict[str, Any]:
    """The answers of one service, each with its request."""
    versions = ", ".join(f"{package} {version(package)}" for package in service.packages)
    return {
        "service": service.name,
        "source": f"recorded from {versions} by tests/real/record.py",
        "door": service.door,
        "guessed": service.guessed,
        "suggested": service.suggested,
        "answers": [answer async for answer in _answers(app, service)],
    }


async def _answers(app: Any, service: Service) -> AsyncIterator[dict[str, Any]]:
    requests: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        requests.append(request)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    hooks: Any = {"request": [note]}
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", event_hooks=hooks) as http:
        account, password = service.owner
        for situation, who, what in (
            ("success", account, password),
            ("failure", account, "wrong"),
            *service.situations,
        ):
            client = Client(http, service, "192.0.2.1")
            for _ in range(LOCKED_AFTER if situation == "lockout" else 1):
                with_token = situation != "csrf"
                answered = await client.log_in(who or account, what or password, with_token=with_token)
            yield {"situation": situation, **_plain(requests[-1], answered)}


def _plain(request: httpx.Request, answered: httpx.Response) -> dict[str, Any]:
    body = answered.text
    is_json = answered.headers.get("content-type", "").startswith("application/json")
    kept = ("content-type", "cookie", "host")
    return {
        "request": {
            "path": request.url.path,
            "headers": [[name, value] for name, value in request.headers.multi_items() if name in kept],
            "body": request.content.decode(),
        },
        "status": answered.status_code,
        "headers": [[name, value] for name, value in answered.headers.multi_items()],
        "body": body if is_json else body[:TEXT_CHARS_MAX],
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for service in SERVICES:
        # Some set up a database on import, which fails in a running loop.
        app = import_module(f"tests.real.services.{service.module}").app
        text = json.dumps(asyncio.run(recorded(app, service)), indent=1, ensure_ascii=False)
        (FOLDER / f"{service.file}.json").write_text(text + "\n", "utf-8")
        sys.stdout.write(f"{service.file}\n")


if __name__ == "__main__":
    main()
