"""Doors of several tenants: whose account `hana` is depends on the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Credentials, Door, DoorKind, Unreadable
from sekisho.read import Accounts, Doors, MailPolicy, read_credentials
from sekisho.settings.doors import parse_doors
from tests.asgi.driving import OPEN, SESSION, Answer, answer, ask, form, guarded, http, read
from tests.read.making import FORM, scope

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send

REALM = "POST /realms/{realm}/login form:username,password account={realm}/{username} success=303:/realms"
PAIR = Accounts(parts=2)


def doors(text: str, kind: DoorKind = DoorKind.LOGIN) -> Doors:
    return Doors(parse_doors(kind, text, "SEKISHO_LOGIN"))


def typed(path: str, name: str = "hana", at: str = REALM, **more: Any) -> Credentials | None:
    """The credentials that are read from a form at a path."""
    request = scope(path, headers=[(b"content-type", FORM)], **more)
    door = doors(at).find(request)
    assert isinstance(door, Door)
    return read_credentials(door, request, b"username=" + name.encode() + b"&password=x")


@pytest.mark.parametrize(
    ("path", "root_path", "account"),
    [
        ("/realms/shop/login", "", "shop/hana"),
        ("/Realms/Shop/Login/", "", "Shop/hana"),
        ("/realms/花/login", "", "花/hana"),
        ("/api/realms/shop/login", "/api", "shop/hana"),
    ],
)
def test_the_tenant_precedes_the_name(path: str, root_path: str, account: str) -> None:
    """The account is the tenant, as the server decoded it once, and the name."""
    assert typed(path, root_path=root_path) == Credentials(account, "x")


@pytest.mark.parametrize("path", ["/realms/sh%6fp/login", "/realms/a／b/login", "/realms/a;b/login"])
def test_a_tenant_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    """A second escape, a slash under compatibility folding and a parameter are refused: routers disagree about them."""
    with pytest.raises(Unreadable, match="400 path_doubtful"):
        typed(path)


def test_fixed_text_and_basic_have_tenants_too() -> None:
    """A door without a tenant in its path says which; Basic is composed as a form is."""
    assert typed("/login", at="POST /login form:username,password account=main/{username}") == Credentials(
        "main/hana", "x"
    )
    at = doors("GET /{realm}/api basic account={realm}/{username}")
    request = scope("/shop/api", "GET", headers=[(b"authorization", b"Basic aGFuYTp4")])
    door = at.find(request)
    assert door is not None
    assert read_credentials(door, request, b"") == Credentials("shop/hana", "x")


def test_a_language_is_no_tenant() -> None:
    """A placeholder that `account=` does not name leaves the account alone, and must still be read in one way."""
    at = "POST /{language}/login form:username,password"
    assert typed("/ja/login", at=at) == typed("/en/login", at=at) == Credentials("hana", "x")
    with pytest.raises(Unreadable, match="400 path_doubtful"):
        typed("/j%61/login", at=at)


def test_a_tenant_makes_no_account_longer_than_any() -> None:
    """Tenant and name together are bounded as a name alone is."""
    with pytest.raises(Unreadable, match="account_too_long"):
        typed("/realms/shop/login", "a" * 1_020)


PART = st.text(st.sampled_from("aA1:／ß-é/"), min_size=1, max_size=6)


@given(PART.filter(lambda text: "/" not in text), PART, PART.filter(lambda text: "/" not in text), PART)
def test_no_two_tenants_and_names_are_one_account(realm: str, name: str, other: str, second: str) -> None:
    """Two tuples have one canonical name only if each of their parts has."""
    plain = Accounts()
    folded = plain.canonical(realm), plain.canonical(name)
    same = folded == (plain.canonical(other), plain.canonical(second))
    assert (PAIR.canonical(f"{realm}/{name}") == PAIR.canonical(f"{other}/{second}")) is same
    one, two = PAIR.canonical(f"{realm}/{name}"), PAIR.canonical(f"{other}/{second}")
    assert same is False or PAIR.limit_key(one) == PAIR.limit_key(two)


def test_each_part_is_folded_on_its_own() -> None:
    """Lengths precede the parts; limits fold each part as they fold a name; dots are folded in the name alone."""
    assert PAIR.canonical("Shop/HANA") == "tuple\0" + "4:shop4:hana"
    assert PAIR.limit_key(PAIR.canonical("straße/hána")) == "tuple\0" + "6:strase4:hana"
    assert PAIR.limit_key(PAIR.canonical("shop/hana")) == ""
    policy = MailPolicy(domains_ignoring_dots=frozenset({"mail.test"}))
    assert Accounts(policy, parts=2).canonical("a.b/h.a@mail.test") == "tuple\0" + "3:a.b12:ha@mail.test"
    assert Accounts(policy, parts=2).canonical("hana") == "hana"


class Realms:
    """Tenants whose owners of the same name have passwords of their own."""

    def __init__(self) -> None:
        self.owners = {("shop", "hana"): "right", ("bank", "hana"): "other"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        realm = scope["path"].split("/")[2]
        body = (await read(receive)).decode()
        sent = dict(pair.split("=") for pair in body.split("&"))
        if self.owners.get((realm, sent["username"])) != sent["password"]:
            return await answer(send, 401, body=b"wrong")
        return await answer(send, 303, [(b"location", b"/realms"), SESSION])


async def test_tenants_share_no_counter_and_no_device() -> None:
    """Guesses at one tenant's account use up nothing of the other's, and its device is a stranger there."""
    guard = guarded(Realms(), login=REALM, limit_account="3/minute", **OPEN)
    for _ in range(3):
        assert (await send_to(guard, "shop", "wrong")).status == 401
    assert (await send_to(guard, "shop", "right")).status == 429
    logged_in = await send_to(guard, "bank", "other")
    assert logged_in.status == 303
    cookie = (b"cookie", b"__Host-sekisho=" + logged_in.device.encode())
    assert (await send_to(guard, "shop", "right", [cookie])).status == 429
    for _ in range(3):
        assert (await send_to(guard, "bank", "wrong")).status == 401
    assert (await send_to(guard, "bank", "other")).status == 429
    assert (await send_to(guard, "bank", "other", [cookie])).status == 303


async def send_to(guard: Any, realm: str, password: str, headers: list[tuple[bytes, bytes]] | None = None) -> Answer:
    path = f"/realms/{realm}/login"
    return await ask(guard, http(path, headers=[(b"content-type", FORM), *(headers or [])]), form("hana", password))
