"""Which worker accepts another's signatures: two services with one secret, an upgrade, a rotation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.crypto.seal import Sealer, Unsealable
from sekisho.crypto.signers import Signer, always_signing, signing
from sekisho.devices.token import DeviceTokens
from sekisho.model import Device, SettingsError
from sekisho.read import Digests, SessionCredentials
from sekisho.settings import load
from sekisho.stepup.escrow import Escrow, Purpose, Ticket
from sekisho.stepup.session_binding import SessionBinding, SessionBindings
from tests.stepup.proving import memory

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = b"old secret of 32 bytes or more..", b"new secret of 32 bytes or more.."
NOW = 1_700_000_000  # 2023-11-14
UNTIL = 1_703_980_800  # the end of 2023-12-30
LATER = UNTIL + 5
SESSION = SessionCredentials((("session", "s"),), "")
SHOWN = [(b"cookie", b"session=s")]


class Pod:
    """A worker at a time, with these signers, and these secrets for its counters."""

    def __init__(self, signers: Sequence[bytes | Signer], secrets: Sequence[bytes], now_s: int) -> None:
        self.now_s = now_s
        self.digests = Digests(secrets)
        self.tokens = DeviceTokens(signers, days=180, oldest=secrets[-1])
        self.escrow = Escrow(signers, memory(), clock_ms=lambda: self.now_s * 1000)
        self.ties = SessionBindings(signers, clock_s=lambda: self.now_s)
        self.sealer = Sealer(signers, clock_s=lambda: self.now_s)

    def reads(self, other: Pod) -> set[str]:
        """Which of another's signatures this one accepts."""
        token = other.tokens.renewed(
            "", "hana", None, device_class=Device.SEEN, family=4, now_s=other.now_s, fresh=b"12345678"
        )
        _, ticket = other.escrow.issue(Ticket(b"", Purpose.LOGIN, "POST /login", "hana"), "holder")
        tie = other.ties.sealed(SessionBinding("hana"), SESSION, other.now_s)
        seal = other.sealer.seal(b"form", b"data", bound_to=b"x")
        found = {
            "token": self.tokens.find(token, "hana", 4, self.now_s),
            "ticket": self.escrow.read(ticket, "holder"),
            "tie": self.ties.find(tie, SHOWN, self.now_s),
            "seal": self._opened(seal),
        }
        return {name for name, value in found.items() if value}

    def _opened(self, seal: bytes) -> bytes:
        try:
            return self.sealer.open(b"form", seal, bound_to=b"x")
        except Unsealable:
            return b""


ALL = {"token", "ticket", "tie", "seal"}


def of_97295b2(*secrets: bytes) -> Pod:
    """A worker of commit 97295b2, without namespaces: the first secret signs, all verify."""
    return Pod(secrets, secrets, NOW)


def pod(now_s: int = NOW, secret: object = (OLD,), **settings: Any) -> Pod:
    """A worker of today."""
    found = load({}, {"secret": secret, **settings})
    return Pod(found.signers, found.secrets, now_s)


# Two services with one secret.


def test_services_with_one_secret_know_nothing_of_each_other() -> None:
    """Services with one secret accept nothing of each other: device tokens, step-ups, sessions or forms."""
    forum, shop = pod(namespace="forum"), pod(namespace="shop")
    assert shop.reads(forum) == forum.reads(shop) == set()
    assert pod().reads(shop) == shop.reads(pod()) == set()
    assert shop.reads(pod(namespace="shop")) == ALL


def test_the_default_namespace_signs_as_97295b2_did() -> None:
    """With the default namespace mixed workers of an upgrade accept each other's signatures, byte for byte."""
    assert pod().reads(of_97295b2(OLD)) == of_97295b2(OLD).reads(pod()) == ALL
    written = DeviceTokens([b"n" * 32, b"o" * 32], days=30).renewed(
        "", "hana", None, device_class=Device.SEEN, family=4, now_s=NOW, fresh=b"12345678"
    )
    assert written == "wQEEAPFTZTEyMzQ1Njc4AAAAAAZnXNfchwGGecnaGhGEdV1MnEeVZRrlyv8Sp2c"


def test_a_namespace_moves_without_losing_a_device() -> None:
    """A namespace is introduced without losing a device, as documented: `write` while older workers run, then without,
    then unset.
    """
    named: dict[str, Any] = {"namespace": "shop", "namespace_from": "shop 2023-12-30"}
    steps = [
        of_97295b2(OLD),
        pod(namespace="shop", namespace_from="shop 2023-12-30 write"),
        pod(**named),
        pod(UNTIL - 1, **named),
    ]
    for before, after in pairwise(steps[:3]):
        assert before.reads(after) == after.reads(before) == ALL
    assert steps[2].reads(steps[0]) == ALL
    assert "token" in steps[3].reads(steps[0])
    assert pod(namespace="shop").reads(steps[2]) == steps[2].reads(pod(namespace="shop")) == ALL


def test_what_holds_no_namespace_is_worth_nothing_after_the_day() -> None:
    """After the final day nothing without a namespace is accepted or written, with a forgotten `write` too."""
    for setting in ("shop 2023-12-30", "shop 2023-12-30 write"):
        late = pod(LATER, namespace="shop", namespace_from=setting)
        before = Pod([OLD], [OLD], LATER)
        assert late.reads(before) == before.reads(late) == set()
        assert late.reads(pod(LATER, namespace="shop")) == pod(LATER, namespace="shop").reads(late) == ALL


def test_it_is_read_in_the_namespace_that_is_named_alone() -> None:
    """Older signatures are accepted in the named namespace alone, for services that share an environment."""
    assert pod(namespace="forum", namespace_from="shop 2023-12-30").reads(of_97295b2(OLD)) == set()


# A new secret.


def test_a_secret_is_exchanged_while_workers_of_two_settings_run() -> None:
    """A new secret first verifies everywhere, then signs: no device is lost, and no counter restarts."""
    steps = [
        pod(secret=(OLD,)),
        pod(secret=(b"verify:" + NEW, OLD)),
        pod(secret=(NEW, OLD)),
    ]
    for before, after in pairwise(steps):
        assert before.reads(after) == after.reads(before) == ALL
    assert len({step.digests.account("hana") for step in steps}) == 1
    assert pod(secret=f"verify:{NEW.decode()},{OLD.decode()}").reads(steps[0]) == ALL
    # In one step, workers with the new secret would sign what others reject.
    assert steps[0].reads(steps[2]) == set()


def test_a_namespace_and_a_secret_may_change_at_once() -> None:
    """Namespace and secret may change at once, with both notations."""
    both: dict[str, Any] = {"namespace": "shop", "namespace_from": "shop 2023-12-30 write"}
    one, other = pod(**both), pod(secret=(b"verify:" + NEW, OLD), **both)
    assert one.reads(other) == other.reads(one) == other.reads(of_97295b2(OLD)) == ALL


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("secret", [b"verify:" + NEW], "SEKISHO_SECRET (keyword secret): only verifies; leave out `verify:`"),
        ("secret", [NEW, b"verify:" + OLD], "ends with a secret that only verifies; list the newest first"),
        ("secret", [b"verify:" + NEW, NEW], "lists the same secret twice"),
        ("secret", [b"verify:short", OLD], "number 1 of 2 secrets (a comma separates them) is shorter than 32 bytes"),
        ("namespace_from", "shop", "wants a namespace of its own and a date"),
        ("namespace_from", "shop 2023-02-30", "wants a namespace of its own and a date"),
        ("namespace_from", "shop 2023-12-30 read", "wants a namespace of its own and a date"),
        ("namespace_from", "sekisho 2023-12-30", "wants a namespace of its own and a date"),
    ],
)
def test_what_makes_no_sense_stops_the_start(setting: str, value: object, problem: str) -> None:
    """A wrong notation stops the start by its name, without its value."""
    with pytest.raises(SettingsError) as error:
        load({}, {"secret": [OLD], setting: value})
    assert problem in str(error.value)
    assert NEW.decode() not in str(error.value)


def test_the_first_that_signs_and_has_not_ended_signs() -> None:
    """A secret that not all workers have, or whose day is over, must sign nothing."""
    keys = [("waits", Signer(NEW, signs=False)), ("ends", Signer(NEW, until_s=NOW)), ("signs", Signer(OLD))]
    assert signing(keys, NOW - 1) == "ends"
    assert signing(keys, NOW) == "signs"
    with pytest.raises(LookupError, match=r"^no secret signs$"):
        signing(keys[:2], NOW)


@pytest.mark.parametrize(
    ("signers", "always"),
    [
        ([Signer(b"new"), Signer(b"old", until_s=NOW)], b"new"),
        ([Signer(b"next", signs=False), Signer(b"new")], b"new"),
        ([Signer(b"new", until_s=NOW + 1), Signer(b"old")], None),
        ([Signer(b"next", signs=False)], None),
    ],
    ids=["endless", "not yet everywhere", "ending", "none"],
)
def test_where_the_first_signer_has_no_end_no_clock_is_needed(signers: list[Signer], always: bytes | None) -> None:
    """The key that signs at any time is that of the first signer that signs, if it never ends."""
    assert always_signing((signer.secret, signer) for signer in signers) == always
