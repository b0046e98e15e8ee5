"""Browsers that talk to a site over a real connection: uvicorn in a thread of its own, httpx at the other end."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from tests.browser import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.asgi.types import App

PROXY = "127.0.0.0/8"
"""For `trusted_proxies`: each browser names its own address."""


@dataclass
class Visitor:
    """A browser with its cookies; `Secure` ones included, as if TLS ended at a proxy. With `headers` an app."""

    http: httpx.Client
    address: str = "198.51.100.77"
    jar: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None, accept: str = "*/*") -> httpx.Response:
        headers = {
            "X-Forwarded-For": self.address,
            "Accept": accept,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items()),
            **self.headers,
        }
        answer = self.http.request(method, path, data=fields, headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            if value and "Max-Age=0" not in attributes:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
        self.http.cookies.clear()
        self.headers |= {name: answer.headers[name] for name in self.headers if answer.headers.get(name)}
        return answer

    def post(self, path: str, accept: str = "*/*", **fields: str) -> httpx.Response:
        return self.ask("POST", path, fields, accept)

    def prove(self, asked: httpx.Response, code: str, **more: str) -> httpx.Response:
        """Answer a step-up with a code of an authenticator app."""
        assert asked.json()["code"] == "step_up_required", asked.text
        challenge = asked.json()["challenge"]
        return self.post("/sekisho/step-up", challenge=challenge, factor="totp", code=code, **more)


@contextmanager
def visited(app: App) -> Iterator[Callable[..., Visitor]]:
    """Serve an application; gives a maker of browsers: `visitor("203.0.113.9")`."""
    with (
        serving(app, proxy_headers=False, lifespan="auto") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        yield lambda address="198.51.100.77": Visitor(http, address)
