"""The service on Django: a log-in as an asynchronous and as a synchronous view, under its ASGI handler."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import UserSettingsHolder, global_settings, settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse, HttpResponseRedirect  # type: ignore[import-untyped]
from django.urls import clear_url_caches, path  # type: ignore[import-untyped]

from sekisho import LoginGuard
from tests.frameworks.services import COMMON, RULE, WELCOME, WRONG, Built, is_right

if TYPE_CHECKING:
    from collections.abc import Iterator


def login(request: Any) -> Any:
    if not is_right(request.POST["username"], request.POST["password"]):
        return HttpResponse(WRONG, status=401)
    response = HttpResponseRedirect("/home")
    response.set_cookie("session", "s", httponly=True)
    return response


async def async_login(request: Any) -> Any:
    return login(request)


def home(_: Any) -> Any:
    return HttpResponse(WELCOME)


urlpatterns = [path("login", async_login), path("sync/login", login), path("", home), path("sync/", home)]


@contextmanager
def configured() -> Iterator[Any]:
    """Django's settings for a block: they are global, and other tests have their own."""
    ours = UserSettingsHolder(global_settings)
    ours.ALLOWED_HOSTS = ["*"]
    ours.ROOT_URLCONF = __name__
    ours.SECRET_KEY = "only for tests"
    ours.MIDDLEWARE = []
    ours.LOGGING_CONFIG = None  # it would add handlers to loggers that outlive us
    before, settings._wrapped = settings._wrapped, ours
    try:
        yield ours
    finally:
        settings._wrapped = before
        clear_url_caches()


def on_django(prefix: str) -> Built:
    """Use within `configured` only."""
    doors = f"POST /login {RULE}; POST /sync/login {RULE}"
    return Built(LoginGuard(get_asgi_application(), login=doors, **COMMON), prefix)
