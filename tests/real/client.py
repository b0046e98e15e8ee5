"""A browser or an app that logs in at one of the services, with its own cookies and address."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    import httpx

    from tests.real.catalogue import Service

_TOKEN = re.compile(r'name="(csrfmiddlewaretoken|csrftoken)" value="([^"]*)"')


class Client:
    """Keeps cookies itself: over plain HTTP a jar would withhold `Secure` ones."""

    def __init__(self, http: httpx.AsyncClient, service: Service, address: str, guard: str = "") -> None:
        self._http = http
        self._service = service
        self._headers = {"x-forwarded-for": address, "x-guard": guard, "accept": "application/json, text/html;q=0.9"}
        self.jar: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> httpx.Response:
        headers = {**self._headers, **({"content-type": content_type} if content_type else {})}
        if self.jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        answered = await self._http.request(method, path, content=body, headers=headers)
        self._http.cookies.clear()
        for line in answered.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            self.jar[name] = rest.partition(";")[0]
        return answered

    async def log_in(self, account: str, password: str, *, with_token: bool = True) -> httpx.Response:
        service = self._service
        fields = dict([*service.more, (service.account, account), (service.password, password)])
        if service.page and with_token:
            shown = await self.ask("GET", service.page)
            found = _TOKEN.search(shown.text)
            assert found, f"{service.page} has no form: {shown.status_code} {shown.text[:200]}"
            fields[found[1]] = found[2]
        if service.is_json:
            return await self.ask("POST", service.path, json.dumps(fields).encode(), "application/json")
        return await self.ask("POST", service.path, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    async def prove(self, challenge: str, code: str) -> httpx.Response:
        fields = {"challenge": challenge, "factor": "totp", "code": code}
        kind = "application/x-www-form-urlencoded"
        return await self.ask("POST", "/sekisho/step-up", urlencode(fields).encode(), kind)
