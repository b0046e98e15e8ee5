"""What the counters were asked, as a text in the audit: enough to count again, and no more."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Action, AskedFrom, Basis, Decision, Device, Mode, Outcome, Policy, Posture, Spread
from sekisho.read import Digests
from sekisho.record.counted import counted_of, counted_text
from sekisho.record.events import Kind
from sekisho.record.notes import event_of
from tests.record.made import ALLOWED, AT_US, FOUR, SECRET, THROTTLED, attempt, subjects

if TYPE_CHECKING:
    from sekisho.record.counted import Counting

VERDICT = UNHINDERED._replace(at_us=1_764_401_409_123_456, spread=Spread(accounts_per_secret=7))


def name(data: bytes) -> bytes:
    return blake2b(data, key=b"of events", digest_size=16).digest()


def text(account: str = "Hana", known_device: bytes = b"", *, similar: bool = False) -> str:
    charge = Digests([SECRET]).charge(attempt(account), known_device, token_generation=3)
    return counted_text((charge, VERDICT, Action.STEP_UP, "2p", True, similar), name)


def test_a_text_says_what_was_counted() -> None:
    """Read again, it has the time, the action, the policy's steps, the bucket and the flags."""
    found = counted_of(text(known_device=b"a device"))
    assert found is not None
    assert (found.at_us, found.action, found.steps) == (1_764_401_409_123_456, Action.STEP_UP, "2p")
    assert (found.secret_accounts, found.generation, len(found.known_device), len(found.networks)) == (7, 3, 8, 1)
    assert (found.worked, found.has_secret, found.charged) == (True, True, True)
    assert (found.exempt, found.may_spend, found.spent, found.lost) == (False, False, False, False)
    assert (found.similar, found.tries) == (False, False)


def test_an_attempt_that_is_tried_at_a_crowded_address_is_marked() -> None:
    """A replay charges it at its account, as the ledger did."""
    charge = Digests([SECRET]).charge(attempt(), place=b"network1", tries=True)
    found = counted_of(counted_text((charge, VERDICT, Action.STEP_UP, "2", True, False), name))
    assert found is not None
    assert (found.tries, found.similar, found.may_spend) == (True, False, False)


def test_a_name_that_similar_accounts_share_is_marked() -> None:
    """A proof at one of them ends no failures, in a replay as before."""
    found = counted_of(text(similar=True))
    assert found is not None
    assert (found.similar, found.charged, found.lost) == (True, True, False)


def test_no_name_is_one_of_the_store() -> None:
    """A reader of the store and of the audit finds no digest of one in the other."""
    charge = Digests([SECRET]).charge(attempt(), b"a device")
    written = text(known_device=b"a device")
    stored = (
        charge.ip,
        charge.device,
        charge.account,
        charge.known_device,
        charge.secret,
        charge.pair_tag,
        charge.account_tag,
    )
    assert [digest for digest in (*stored, *charge.networks) if digest.hex()[:8] in written] == []


def test_one_secret_at_two_accounts_is_not_told() -> None:
    """Nobody who types a password at his own account learns from the audit who else has it."""
    one, other = counted_of(text("Hana")), counted_of(text("Yuki"))
    assert one is not None
    assert other is not None
    assert one.pair != other.pair
    assert one.networks == other.networks


def test_a_text_of_a_later_version_is_left_out() -> None:
    assert counted_of("2.whatever") is None


@pytest.mark.parametrize("damaged", ["1", "1.zz", "1." * 12, text().replace(".2p.", ".222222222."), text()[:-2]])
def test_a_damaged_text_is_an_error(damaged: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        counted_of(damaged)


ASKED = AskedFrom(Posture.ELEVATED, Posture.ELEVATED, own_network=True)


def test_a_policy_is_made_again_by_its_steps() -> None:
    """What an attempt was judged by, made of another policy by the same steps."""
    recorded = Policy(factors=True).in_posture(Posture.ATTACK, ASKED).at_quiet_network(ASKED).under_proof()
    assert recorded.steps == "2qp"

    policy = Policy(factors=True, accounts_per_ip_max=3)
    again = policy.repeated(recorded.steps, ASKED)
    assert (again.asks_strangers, again.account_failures_max, again.accounts_per_ip_max) == (True, -1, 3)
    assert (again.spares_familiar, again.familiar_accounts_max) == (True, 4)
    loud = policy.repeated("2n", ASKED)
    assert (loud.asks_strangers, loud.spares_familiar, loud.spares_seen) == (True, False, True)
    assert policy.without_factors().for_links().for_small_secrets().steps == "ulc"
    with pytest.raises(ValueError, match=r"invalid literal"):
        policy.repeated("x", ASKED)


def counting(accounts: int = 16) -> Counting:
    verdict = VERDICT._replace(spread=Spread(accounts_per_secret=accounts))
    return Digests([SECRET]).charge(attempt()), verdict, Action.ALLOW, "", False, False


def secret_of(judged: Decision | str, of: Outcome | Mode, accounts: int = 16, name: str = "Hana") -> str:
    """The digest of the secret in the event of an attempt, whose secret was tried at so many accounts."""
    kind = Kind.SETTLED if isinstance(judged, str) else Kind.DECIDED
    basis, counted = Basis.RULE if isinstance(judged, str) else None, counting(accounts)
    note = (kind, AT_US, "POST /login", judged, of, basis, FOUR, name, name.lower(), Device.STRANGER, counted)
    return event_of(note, subjects()).subject.secret


@pytest.mark.parametrize(
    ("judged", "of", "tells"),
    [
        ("", Outcome.FAILED, True),
        ("", Outcome.SUCCEEDED, False),
        ("", Outcome.UNKNOWN, False),
        (THROTTLED, Mode.ENFORCE, True),
        (ALLOWED, Mode.ENFORCE, False),
    ],
)
def test_a_sprayed_secret_is_named_where_it_was_wrong_or_refused(
    judged: Decision | str, of: Outcome | Mode, tells: bool
) -> None:
    """Never where it may be the account's own: a reader would see which accounts share a password."""
    assert bool(secret_of(judged, of)) is tells
    assert not secret_of(judged, of, accounts=15)


def test_a_sprayed_secret_has_one_name_at_all_accounts() -> None:
    """Its digest does not depend on the account."""
    names = {secret_of("", Outcome.FAILED), secret_of("", Outcome.FAILED, name="Yuki")}
    assert len(names) == 1
    assert len(names.pop()) == 8
