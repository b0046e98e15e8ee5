"""What newcomers do wrong at their first start is told to them in words that say what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.wiring import LoginGuard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from inspect import Signature
    from pathlib import Path

SECRET = "long enough and known to nobody but this test"


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application as Flask's is called."""
    raise NotImplementedError


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers nothing."""


class Callable3:
    """An application as Django's is called."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""


def test_a_wsgi_application_is_told_of_its_adapter() -> None:
    """It would otherwise fail at the first request, with a traceback out of this package."""
    given: Any = wsgi
    assert LoginGuard(given, secret=SECRET).problem == (
        "LoginGuard: was given what is no ASGI application; of WSGI (Flask) it needs an adapter: "
        "LoginGuard(WSGIMiddleware(app)), with WSGIMiddleware of the package a2wsgi"
    )


class Unsigned(Callable3):
    """Its signature cannot be read: from Python 3.14 on, that evaluates names that are imported for types alone."""

    @property
    def __signature__(self) -> Signature:
        """As of such an annotation."""
        raise NameError("name 'Scope' is not defined")


@pytest.mark.parametrize("app", [asgi, Callable3(), LoginGuard(asgi, secret=SECRET), Unsigned()])
def test_asgi_applications_of_every_shape_are_none(app: Any) -> None:
    """Functions, objects, another guard, and one whose signature cannot be read."""
    assert LoginGuard(app, secret=SECRET).problem == ""


@pytest.mark.parametrize(
    ("file", "variable", "told"), [(".env", "", True), ("other", "", False), (".env", "SEKISHO_MODE", False)]
)
def test_a_file_of_settings_that_nothing_has_read_is_told(
    file: str,
    variable: str,
    *,
    told: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """*SEKISHO_SECRET is not set* puzzles a newcomer who has written it into a file."""
    (tmp_path / file).write_text("SEKISHO_SECRET=something")
    monkeypatch.chdir(tmp_path)
    if variable:
        monkeypatch.setenv(variable, "monitor")

    assert LoginGuard(asgi).problem.startswith("SEKISHO_SECRET: is not set")
    assert ("`uvicorn --env-file .env`" in caplog.text) is told
    assert "something" not in caplog.text


@pytest.fixture
def _forbidden_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder that this process is in, which its user may not look into."""
    before = os.geteuid()
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0)
    if before == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(before)
    tmp_path.chmod(0o700)


@pytest.mark.usefixtures("_forbidden_folder")
def test_a_folder_that_cannot_be_looked_into_is_no_error() -> None:
    """A guard that raised there would leave some servers with the unguarded application."""
    assert LoginGuard(asgi).problem.startswith("SEKISHO_SECRET: is not set")
