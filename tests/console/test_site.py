"""The console tells nothing without its key, and its answers hold what the page shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sekisho.record import Event, Subject
from tests.console.serving import KEY, NOON_S, Read, Told, console

if TYPE_CHECKING:
    from sekisho.console import Console

BEARER = {"authorization": f"Bearer {KEY}"}
HOME = "http://127.0.0.1:8899"


async def ask(app: Console, path: str, *, host: str = "127.0.0.1:8899", **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as client:
        headers = {"host": host, **more.pop("headers", {})}
        return await client.request(more.pop("method", "GET"), path, headers=headers, **more)


def allowed(at_s: int = NOON_S, **more: Any) -> Event:
    return Event("decided", at_s * 1_000_000, "POST /login", action="allow", **more)


WRONG: dict[str, dict[str, Any]] = {
    "none": {},
    "another": {"authorization": f"Bearer {KEY[:-1]}x"},
    "empty": {"authorization": "Bearer "},
    "not ASCII": {"authorization": f"Bearer {KEY}é".encode()},
    "no bearer": {"authorization": KEY},
    "cookie": {"cookie": f"key={KEY}"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("path", ["/state", "/look"])
async def test_without_the_key_nothing_is_told(headers: dict[str, Any], path: str) -> None:
    service = Told()
    method = "GET" if path == "/state" else "POST"
    answer = await ask(console(allowed(), service=service), path, method=method, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"problem": "this needs the key of the address that the command has printed"}
    assert service.asked == []


async def test_the_page_holds_nothing_of_the_service() -> None:
    """It is given without the key: what it shows is fetched with it."""
    app = console(allowed(subject=Subject("203.0.113.0/24", account="a" * 32)))
    page = await ask(app, "/")

    assert page.status_code == 200
    assert "203.0.113.0" not in page.text
    assert "a" * 32 not in page.text
    assert KEY not in page.text


@pytest.mark.parametrize("path", ["/", "/console.js", "/console.css", "/state", "/look", "/nothing"])
async def test_answers_are_for_this_page_alone(path: str) -> None:
    """Not framed, not cached, not read by other origins, and no script but its own runs."""
    answer = await ask(console(), path, headers=BEARER)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8899", 200), ("localhost:1", 200), ("[::1]:8899", 200), ("localhost", 200), ("", 421),
     ("evil.test:8899", 421), ("127.0.0.1.evil.test", 421), ("localhost.evil.test:8899", 421), ("127.0.0.1:x", 421)],
)  # fmt: skip
async def test_another_name_of_this_address_is_refused(host: str, status: int) -> None:
    """A page of an attacker whose name resolves to 127.0.0.1 (DNS rebinding) cannot read the console as its own."""
    assert (await ask(console(), "/", host=host)).status_code == status


async def test_what_the_page_is_told() -> None:
    """Numbers by minute, what is in force, and how far the log is read."""
    service = Told({"problem": "", "mode": {"mode": "enforce"}})
    app = console(
        allowed(NOON_S - 60),
        Event("decided", NOON_S * 1_000_000, "POST /login", action="throttle", reasons=("shed",), times=3),
        Event("commanded", NOON_S * 1_000_000, command="mode", by="mari", mode="monitor", text="a trial"),
        service=service,
        read=Read(0.25, 2),
        problem="the log cannot be read: Permission denied",
    )
    told = (await ask(app, "/state?span=1h", headers=BEARER)).json()

    assert told["log"] == {
        "newest": NOON_S, "done": 0.25, "unread": 2, "problem": "the log cannot be read: Permission denied",
    }  # fmt: skip
    assert told["standing"] == {"problem": "", "mode": {"mode": "enforce"}}
    assert (told["name"], told["now"], told["start"], told["step"]) == ("shop", NOON_S + 1, NOON_S - 3_540, 60)
    assert (told["decided"]["allow"][58:], told["decided"]["throttle"][58:]) == ([1, 0], [0, 3])
    assert (told["sums"]["allow"], told["sums"]["throttle"]) == (1, 3)
    assert told["reasons"] == [["shed", 3]]
    assert told["events"] == [{
        "at": NOON_S, "kind": "commanded", "door": "", "reasons": [], "times": 1,
        "details": [["mode", "monitor"], ["command", "mode"], ["by", "mari"], ["text", "a trial"]],
    }]  # fmt: skip


@pytest.mark.parametrize(("span", "columns", "step"), [("6h", 72, 300), ("24h", 96, 900), ("1y", 60, 60)])
async def test_spans(span: str, columns: int, step: int) -> None:
    """One that the page does not have is that of an hour."""
    told = (await ask(console(allowed()), f"/state?span={span}", headers=BEARER)).json()

    assert (len(told["decided"]["allow"]), told["step"], sum(told["decided"]["allow"])) == (columns, step, 1)


async def test_an_account_is_found_with_its_events() -> None:
    service = Told()
    app = console(
        allowed(subject=Subject(account="a" * 32)), allowed(subject=Subject(account="b" * 32)), service=service
    )
    told = await ask(app, "/look", method="POST", headers=BEARER, json={"kind": "account", "value": " hana "})

    assert service.asked == [("account", "hana")]
    assert told.json()["why"][0]["text"] == "Told to wait."
    assert [event["details"] for event in told.json()["events"]] == [[["action", "allow"], ["account", "a" * 32]]]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"kind":"account"}', b'{"kind":"device","value":"x"}', b'{"kind":1,"value":"x"}',
     b'{"kind":"account","value":" "}', b'{"kind":"account","value":"' + b"x" * 4_096 + b'"}', b"[" * 4_000, b"\xff"],
)  # fmt: skip
async def test_what_cannot_be_looked_up_is_said(body: bytes) -> None:
    service = Told()
    told = await ask(console(service=service), "/look", method="POST", headers=BEARER, content=body)

    assert (told.status_code, told.json()) == (422, {"problem": "type an account or an address"})
    assert service.asked == []


async def test_an_unknown_name_is_said_without_repeating_it() -> None:
    told = await ask(
        console(), "/look", method="POST", headers=BEARER, content=json.dumps({"kind": "account", "value": "nobody"})
    )

    assert (told.status_code, told.json()) == (422, {"problem": "VALUE is refused as an account name at every door"})
