"""What the application finds in `scope["state"]` leads to no secret: error reporters send it to other services."""

from __future__ import annotations

import gc
import pickle
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model import Device
from tests.asgi.driving import FORM, RULED, Shop, ask, guarded, http, known_device, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.asgi.types import Receive, Scope, Send

PASSWORD, CHOSEN = "canary-pass-4711", "canary-next-4712"
CHANGE = "POST /password form:username,old,new success=204"
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)  # of the program, not of a request


class Looking(Shop):
    """A shop that keeps what it finds in `scope["state"]`."""

    def __init__(self) -> None:
        super().__init__({"hana": PASSWORD})
        self.found: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.found = scope["state"]
        await super().__call__(scope, receive, send)


def reachable(root: object) -> Iterator[object]:
    """Everything that the garbage collector, or reading each attribute, reaches from here."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, SHARED):
            continue
        seen[id(each)] = each
        yield each
        waiting += gc.get_referents(each)
        if str(type(each).__module__).startswith("sekisho."):  # a compiled coroutine function has a descriptor there
            waiting += [getattr(each, name) for name in dir(each) if not name.startswith("__")]
            waiting += [bound.__self__ for bound in waiting if hasattr(bound, "__self__")]


def texts(found: dict[str, Any]) -> str:
    """All that is reachable, as text: each text and its `repr`, the `vars` of each object, and its pickle."""
    parts: list[str] = []
    for each in reachable(found):
        parts += [repr(each), str(each), str(getattr(each, "__dict__", ""))]
        try:
            parts.append(pickle.dumps(each).decode("latin-1"))
        except (TypeError, pickle.PicklingError, AttributeError):
            continue
    return "\n".join(parts)


async def test_a_known_devices_report_holds_neither_password_nor_token() -> None:
    shop = Looking()
    app = guarded(shop, login=RULED)
    token = await known_device(app, password=PASSWORD)
    assert (await log_in(app, "hana", PASSWORD, token=token)).status == 303

    report, found = shop.found["sekisho"], texts(shop.found)

    assert (report.device, report.attempt.account) == (Device.SEEN, "hana")
    assert "hana" in found
    assert PASSWORD not in found
    assert token not in found
    assert not [name for name in ("secret", "new_secret", "token") if hasattr(report.attempt, name)]


async def test_a_report_of_a_change_holds_neither_of_the_passwords() -> None:
    shop = Looking()
    body = f"username=hana&old={PASSWORD}&new={CHOSEN}".encode()
    await ask(guarded(shop, change=CHANGE), http("/password", headers=[FORM]), body)

    found = texts(shop.found)

    assert shop.found["sekisho"].door.name == "POST /password"
    assert PASSWORD not in found
    assert CHOSEN not in found


@pytest.mark.parametrize("shape", ["repr", "vars", "pickle"])
async def test_the_search_finds_a_secret_that_is_there(shape: str) -> None:
    """Otherwise the tests above would pass with a search that looks nowhere."""
    held: dict[str, Any] = {
        "repr": [PASSWORD],
        "vars": type("Holder", (), {"__repr__": lambda _: "Holder()"})(),
        "pickle": {"a": {"b": (PASSWORD.encode(),)}},
    }
    if shape == "vars":
        held[shape].kept = PASSWORD
    assert PASSWORD in texts({"sekisho": held[shape]})
