"""Plays of a hundred kinds of requests, drawn at random, in three worlds: the guess is right, it is wrong, or nobody
has the account. An attacker without a proof sees the same in all of them.

At log-ins by form and by HTTP Basic, changes of password, codes and resets; at questions, codes that are sent, wrong
proofs of each factor, passkey options, recoveries, and pages; in browsers and programs, from addresses of both
versions, one of which owners share.
"""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest

from sekisho.simulate.laboratory.browser import ASKED, FORM, WORK, Browser, BrowserAnswer, _Exchange, solution
from sekisho.simulate.laboratory.site import Shop, read
from tests.simulate.laboratory.worlds import DAY_S, GUESS, HOME, OWN, TARGET, World, account, played, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.model.headers import Header

SHARED = "198.51.100.77"
ELSEWHERE = ("240.1.1.1", "240.1.1.2", "240.2.2.2", "2400:1:1:1::1", "2400:1:1:2::1", "2400:1:2::1")
DOORS = {
    "login": "POST /login form:username,password success=303:/account; GET /api basic success=303",
    "change": "POST /change form:username,old,new",
    "code": "POST /otp form:username,code success=303:/account",
    "reset": "POST /reset form:username on_file=to",
}
KINDS = {
    "guess": 5, "wrong": 3, "other": 3, "nobody": 2, "own": 2, "send": 3, "prove": 6, "options": 2, "recover": 1,
    "page": 2, "change": 1, "basic": 1, "otp": 1, "reset": 1, "rest": 6,
}  # fmt: skip
PAGES = ("/sekisho/factors", "/sekisho/step-up", "/login", "/sekisho/activity", "/sekisho/step-up/options")


class Services(Shop):
    """The shop, with a change of password, an API behind HTTP Basic, and codes that nobody has."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in {"/login", "/reset"}:
            return await super().__call__(scope, receive, send)
        sent = dict(parse_qsl((await read(receive)).decode()))
        await asyncio.sleep(0.05)
        # Right or wrong, the guard lets no stranger come here without a proof.
        status = 303 if scope["path"] != "/otp" and self.exists(sent.get("username", "")) else 401
        await send({"type": "http.response.start", "status": status, "headers": [(b"location", b"/account")]})
        return await send({"type": "http.response.body", "body": b""})


class Sight(NamedTuple):
    """All that a client sees of an answer: of headers and passkeys the lengths, since keys and challenges differ."""

    path: str
    status: int
    code: str
    length: int
    headers: tuple[tuple[bytes, int | bytes], ...]
    passkeys: tuple[int, ...]
    took_s: float


class Step(NamedTuple):
    kind: str
    address: str
    number: int
    factor: str
    rest_s: float


class Attacker(Browser):
    """A client that asks for the media types `accept`, and adds what it sees to `sights`."""

    __slots__ = ("_accept", "_sights")

    def __init__(self, app: App, accept: bytes, sights: list[Sight]) -> None:
        super().__init__(app, "bot")
        self._accept = accept
        self._sights = sights

    async def visit(
        self, method: str, path: str, address: str, fields: dict[str, str] | None = None, headers: Sequence[Header] = ()
    ) -> BrowserAnswer:
        every = [(b"host", b"shop.test"), (b"user-agent", b"bot"), (b"accept", self._accept), *headers]
        if fields is not None:
            every.append(FORM)
        if self._cookies:
            every.append((b"cookie", b"; ".join(b"=".join(pair) for pair in self._cookies.items())))
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "https", "method": method,
            "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query.encode(), "headers": every,
            "client": (address, 50_000), "server": ("shop.test", 443),
        }  # fmt: skip
        exchange, began_s = _Exchange(urlencode(fields or {}).encode()), asyncio.get_running_loop().time()
        await self._app(scope, exchange.receive, exchange.send)
        took_s = asyncio.get_running_loop().time() - began_s
        answer = self._read(exchange)
        told = tuple(sorted((name, text if name == b"retry-after" else len(text)) for name, text in exchange.headers))
        listed: tuple[int, ...] = ()
        if b"publicKey" in answer.body:
            credentials = json.loads(answer.body)["publicKey"]["allowCredentials"]
            listed = tuple(sorted(len(each["id"]) for each in credentials))
        self._sights.append(Sight(path, answer.status, answer.code, len(answer.body), told, listed, round(took_s, 4)))
        return answer


class Play:
    """One attack on an account of this name, in one world."""

    def __init__(self, world: World, name: str, accept: bytes) -> None:
        self.sights: list[Sight] = []
        self._world = world
        self._name = name
        self._accept = accept
        self._asked: list[tuple[Attacker, dict[str, str], str]] = []

    async def take(self, step: Step) -> None:
        kind, address, number, factor, rest_s = step
        client, name = Attacker(self._world.guard, self._accept, self.sights), self._name
        log_ins = {
            "guess": (address, name, GUESS),
            "wrong": (address, name, f"wrong {number}"),
            "other": (address, account(20 + number % 60), f"wrong {number % 5}"),
            "nobody": (address, f"nobody {number % 9}", GUESS),
            "own": (HOME, account(OWN), GUESS),
        }
        forms = {
            "change": {"username": name, "old": GUESS, "new": f"new {number}"},
            "otp": {"username": name, "code": f"{number:06}"},
            "reset": {"username": name, "to": f"{number}@mail.test"},
        }
        if kind == "rest":
            await asyncio.sleep(rest_s)
        elif kind in log_ins:
            await self._log_in(client, *log_ins[kind])
        elif kind in forms:
            await client.visit("POST", f"/{kind}", address, forms[kind])
        elif kind == "basic":
            shown = b"Basic " + b64encode(f"{name}:{GUESS}".encode())
            await client.visit("GET", "/api", address, headers=[(b"authorization", shown)])
        elif kind == "page":
            await client.visit("GET", PAGES[number % len(PAGES)], address)
        else:
            await self._answer(kind, number, factor)

    async def _log_in(self, client: Attacker, address: str, name: str, password: str) -> None:
        fields = {"username": name, "password": password}
        answer = await client.visit("POST", "/login", address, fields)
        if answer.code == WORK:
            work = [(b"sekisho-work", solution(answer).encode())]
            answer = await client.visit("POST", "/login", address, fields, work)
        if answer.code == ASKED:
            self._asked.append((client, json.loads(answer.body), address))

    async def _answer(self, kind: str, number: int, factor: str) -> None:
        """Answer a question, the last one or an earlier one, without its proof."""
        if not self._asked:
            return
        client, asked, address = self._asked[number % len(self._asked) if number % 3 else -1]
        fields = {"challenge": asked["challenge"], "factor": factor, "code": f"{number:06}"}
        ends = {"send": "/send", "options": "/options", "recover": "/recover", "prove": ""}
        if kind == "prove" and factor == "webauthn":
            fields["credential"] = "{}"
        await client.visit("POST", asked["step_up"] + ends[kind], address, fields)


def drawn(chance: random.Random, addresses: Sequence[str]) -> list[Step]:
    kinds = chance.choices(list(KINDS), list(KINDS.values()), k=50)
    factors, rests = ("webhook", "totp", "recovery", "webauthn", ""), (0.01, 0.3, 1.5, 5, 31, 125, 1_900, 19_000)
    return [
        Step(kind, chance.choice(addresses), chance.randrange(10**6), chance.choice(factors), chance.choice(rests))
        for kind in kinds
    ]


async def owners_share(world: World) -> None:
    """For three days owners log in from one address, the target's too."""
    for _ in range(3):
        for owner in (TARGET, OWN, *range(20, 28)):
            await world.owner_in(owner, SHARED)
        await asyncio.sleep(DAY_S)


async def attack(world: World, steps: list[Step], name: str, accept: bytes, seen: list[Sight]) -> None:
    await owners_share(world)
    play = Play(world, name, accept)
    for step in steps:
        await play.take(step)
    seen += play.sights


@pytest.mark.parametrize("seed", range(1, 7))
def test_no_door_tells_whether_a_guess_is_right_or_an_account_exists(seed: int) -> None:
    chance = random.Random(seed)
    policy = ("factors", "familiar", "strict", "pci", "familiar-spared", "factors")[seed - 1]
    more = {"history": "on"} if chance.random() < 0.5 else {"campaigns": "on", "limit_provider": "50/10minute"}
    # At home the right guess of a familiar stranger opens a session, as it should.
    addresses = ELSEWHERE if "familiar" in policy else (*ELSEWHERE, SHARED, HOME)
    steps, accept = drawn(chance, addresses), chance.choice([b"*/*", b"text/html"])
    worlds = []
    for name, right in ((account(TARGET), True), (account(TARGET), False), (account(TARGET)[::-1], False)):
        seen: list[Sight] = []
        play = partial(attack, steps=steps, name=name, accept=accept, seen=seen)
        played(settings_of(policy, **DOORS, **more), play, right=right, shop=Services)
        worlds.append(seen)
    assert len(worlds[0]) > 15
    assert worlds[0] == worlds[1] == worlds[2]
