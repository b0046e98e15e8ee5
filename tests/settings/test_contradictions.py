"""Settings that exclude each other stop the start."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.settings.loading import SECRET, load, mistakes, problem_of

if TYPE_CHECKING:
    import pytest


def test_several_workers_cannot_share_memory() -> None:
    """Several workers cannot use memory: each would admit the whole limit."""
    assert "cannot count together" in problem_of("WORKERS", "2")
    assert load(WORKERS="1").workers == 1
    assert load(WORKERS="2", STORE="redis://redis").workers == 2


def test_a_socket_is_refused_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no Unix sockets on Windows."""
    monkeypatch.delattr(socket, "AF_UNIX")
    assert problem_of("CONTROL_SOCKET", "/run/sekisho") == "is a Unix socket, and Python has none on this system"


def test_two_settings_cannot_name_one_door() -> None:
    """Two settings cannot name one door: a sign-up door at the log-in's route would have no effect."""
    ((name, problem),) = mistakes({"SEKISHO_SIGNUP": "POST /login"})

    assert name == "SEKISHO_SIGNUP"
    assert "already is a door" in problem


def test_a_stand_in_for_a_mistake_contradicts_nobody() -> None:
    """A wrong setting's default contradicts nothing: no further error for SIGNUP or WORKERS."""
    assert [name for name, _ in mistakes({"SEKISHO_LOGIN": "?", "SEKISHO_SIGNUP": "POST /login"})] == ["SEKISHO_LOGIN"]
    assert [name for name, _ in mistakes({"SEKISHO_STORE": "?", "SEKISHO_WORKERS": "2"})] == ["SEKISHO_STORE"]


def test_no_door_lies_below_our_own_pages() -> None:
    """A door below our own pages is refused, as it would never be reached."""
    ((name, _),) = mistakes({"SEKISHO_LOGIN": "POST /sekisho/login"})

    assert name == "SEKISHO_MOUNT"


def test_pairs_are_read_under_a_key_of_their_own() -> None:
    """Pairs need their own key: without it the file is useless, and the service's secret would let its builder sign
    tokens.
    """
    ((name, problem),) = mistakes({"SEKISHO_PAIRS": "/srv/pairs"})
    assert (name, "only be read with its key" in problem) == ("SEKISHO_PAIRS_KEY", True)

    ((name, problem),) = mistakes({"SEKISHO_PAIRS": "/srv/pairs", "SEKISHO_PAIRS_KEY": SECRET})
    assert (name, "a key of their own" in problem) == ("SEKISHO_PAIRS_KEY", True)


def test_a_header_is_believed_from_somebody() -> None:
    """A header about leaks needs a trusted proxy: any client could write it."""
    assert "names none" in problem_of("EXPOSED_HEADER", "exposed-credential-check")
    for trusted in ("unix", "10.0.0.0/8"):
        assert load(EXPOSED_HEADER="x-exposed", TRUSTED_PROXIES=trusted).exposed_header == "x-exposed"


def test_accounts_of_all_doors_have_as_many_parts() -> None:
    """An account that is called `shop/hana` at one door would have the devices of `hana` in the tenant `shop`."""
    realm = "POST /realms/{realm}/login form:username,password account={realm}/{username}"
    assert load(LOGIN=realm).account_parts == 2
    assert load().account_parts == 1
    assert "another number of parts" in problem_of("LOGIN", f"{realm}; POST /login")
    environ = {"SEKISHO_LOGIN": realm, "SEKISHO_RESET": "POST /reset form:email"}
    ((name, problem),) = mistakes(environ)
    assert (name, "account=main/{username}" in problem) == ("SEKISHO_RESET", True)
    fixed = load(LOGIN=f"{realm}; POST /login form:user,password account=main/{{user}}", RESET="POST /done form:,key")
    assert [door.tenant for door in fixed.doors] == [("{realm}",), ("main",), ()]
