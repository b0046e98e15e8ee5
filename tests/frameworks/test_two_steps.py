"""A log-in of two steps at one path on real frameworks: the name first, then name and password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse, HttpResponseRedirect  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.responses import Response as FastAPIResponse

from sekisho.testing import guarded
from tests.frameworks.on_django import configured
from tests.frameworks.services import is_right

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "<form method=post><input name=username><input name=password type=password></form>"
DOOR = "POST /login form:username,password success=302:/home|303:/home first=name"


def django_login(request: Any) -> Any:
    if "password" not in request.POST:
        return HttpResponse(PAGE)
    right = is_right(request.POST["username"], request.POST["password"])
    return HttpResponseRedirect("/home") if right else HttpResponse("wrong", status=401)


urlpatterns = [path("login", django_login)]


def on_fastapi() -> Any:
    app = FastAPI()

    @app.post("/login")
    async def login(username: Annotated[str, Form()], password: Annotated[str, Form()] = "") -> FastAPIResponse:
        if not password:
            return HTMLResponse(PAGE)
        return RedirectResponse("/home", 303) if is_right(username, password) else HTMLResponse("wrong", 401)

    return app


@pytest.fixture(params=["Django", "FastAPI"])
def app(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "FastAPI":
        yield on_fastapi()
        return
    with configured() as ours:
        ours.ROOT_URLCONF = __name__
        yield get_asgi_application()


async def test_the_first_step_passes_and_guesses_are_counted(app: Any) -> None:
    """The page for the password arrives; three wrong passwords use up the account, and a right one comes before."""
    guard = guarded(app, login=DOOR, challenges="none", limit_account="3/hour")
    found: list[list[int]] = []
    for n, password in enumerate(["correct horse", "1", "2", "3", "correct horse"]):
        transport = httpx.ASGITransport(guard, client=(f"2001:db8:{n}::1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.test") as client:
            first = await client.post("/login", data={"username": "hana"})
            second = await client.post("/login", data={"username": "hana", "password": password})
            found.append([first.status_code, second.status_code])
            assert first.text == PAGE

    assert [first for first, _ in found] == [200] * 5
    assert found[0][1] in {302, 303}
    assert [second for _, second in found[1:]] == [401, 401, 401, 429]
