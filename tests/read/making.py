"""Doors and scopes to read."""

from __future__ import annotations

from typing import Any

import pytest

from sekisho.model import Credentials, Door, DoorKind, Encoding, Fields, Unreadable
from sekisho.read import read_credentials

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"
USER = (("username",), ("email",))
PASSWORD = (("password",),)


def door(*encodings: Encoding, method: str = "POST", path: str = "/login") -> Door:
    """A log-in door that reads `username` or `email`, and `password`."""
    wanted = encodings or (Encoding.FORM, Encoding.JSON)
    fields = tuple(
        Fields(encoding) if encoding is Encoding.BASIC else Fields(encoding, USER, PASSWORD) for encoding in wanted
    )
    return Door(DoorKind.LOGIN, method, path, fields)


def scope(
    path: str = "/login",
    method: str = "POST",
    headers: list[tuple[bytes, bytes]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An ASGI scope of type http."""
    found = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers or []}
    return {**found, "root_path": "", "client": ("203.0.113.7", 50_000), **more}


def typed(content_type: bytes | None, **more: Any) -> dict[str, Any]:
    """A scope whose body is of the given type."""
    return scope(headers=[] if content_type is None else [(b"content-type", content_type)], **more)


def read(body: bytes, content_type: bytes = FORM, at: Door | None = None) -> Credentials | None:
    """The result of reading a body of the given type."""
    return read_credentials(at or door(), typed(content_type), body)


def refusal(
    body: bytes, content_type: bytes | None = FORM, at: Door | None = None, **more: Any
) -> tuple[int, str] | None:
    """The status and reason of a refusal; `None` for none."""
    try:
        read_credentials(at or door(), typed(content_type, **more), body)
    except Unreadable as error:
        return error.status, error.reason
    return None


def assert_refused(expected: tuple[int, str], *args: Any, **kwargs: Any) -> None:
    """Assert the refusal, with the expected value first."""
    __tracebackhide__ = True
    if (found := refusal(*args, **kwargs)) != expected:
        pytest.fail(f"{found} instead of {expected}")
