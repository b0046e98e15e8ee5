"""Settlements that take several steps: guard and settler make them, as does a replay of attempts.

What a receipt does not keep is gone in both, as is what `sekisho.judge` says of an attempt that is not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger.receipt import parted, read_code, unpack_receipt
from sekisho.model import Effect, Marked, Tagged

if TYPE_CHECKING:
    from sekisho.ledger.mistyped import Mistyped
    from sekisho.model import Charge, Ledger, Verdict


def settle_untried(ledger: Ledger, charge: Charge, verdict: Verdict) -> Verdict:
    """Refund an attempt at an account that is spared at its address, since the guess is not tried.

    Returns the verdict without its charge.

    It is answered like all others there, so no guess was made at the account. Left in place, the tag of the pair would
    make the same guess free once the work for it was done.
    """
    ledger.settle(charge, verdict._replace(tagged=verdict.tagged & Tagged.PAIR))
    return verdict._replace(charged=0, tagged=0, marks=verdict.marks & ~Marked.SPARED)


def make_place(ledger: Ledger, charge: Charge, verdict: Verdict, work_receipt: bytes) -> bytes:
    """Refund, at its address, the attempt that was answered by asking for work: that with the work takes its place.

    Returns the receipt of the rest of that charge; empty if nothing is left.

    Args:
        ledger: has charged both.
        charge: of the attempt with the work. The caller charges it again.
        verdict: on it. Its address refused it: it was charged at its account alone if it is spared there.
        work_receipt: of the attempt before it. Its charge at the account stays: the same secret is a repeat, which is
            free there.
    """
    if verdict.charged:
        ledger.settle(charge, verdict._replace(tagged=0))
    its, at_address, rest = parted(work_receipt)
    ledger.settle(its, at_address)
    return rest


def learn_as(ledger: Ledger, account: bytes, charge: Charge, verdict: Verdict) -> None:
    """Add a settled success to the history that an account has under another of its two names, and nothing else.

    Strangers' attempts are counted under a name that similar accounts share, known devices' under the account's own
    (`sekisho.read.digest.Digests.charge`). Each reads the history beside its counters, in which a network is named for
    the exact account.
    """
    ledger.settle(
        charge._replace(account=account, known_device=b""),
        verdict._replace(charged=0, tagged=0, marks=0),
        Effect.LEARNS,
    )


def forgive(ledger: Ledger, mistyped: Mistyped, charge: Charge, place: bytes, browser_key: str = "") -> None:
    """Give back to an address what the owner, who is in now, has mistyped there before. See `Mistyped.forgiven`."""
    for mistake in mistyped.forgiven(charge, place, browser_key):
        ledger.settle(mistake.charge, mistake.verdict)
        if mistake.work_receipt:
            # Its part at the account stands, or a guesser in the owner's network would get guesses there back.
            asked, at_address, _ = parted(mistake.work_receipt)
            ledger.settle(asked, at_address)


def refund_worked(ledger: Ledger, receipt: bytes, *, proved: bool) -> Charge:
    """Refund the attempt of a receipt that was answered by asking for work; return its charge.

    `proved`: whether the charge counts as made when a code was read, as in `refund_proved`.
    """
    charge, verdict = unpack_receipt(receipt)
    ledger.settle(charge, read_code(verdict) if proved else verdict)
    return charge


def refund_proved(ledger: Ledger, receipt: bytes, account: bytes, place: bytes, networks_max: int) -> Charge:
    """Refund an attempt whose account owner has shown a second factor, and clear older failures; returns its charge.

    Without what expires while a code is read: where many owners share an address, that alone would fill its limit. No
    refund exceeds its charge, so an attacker with accounts to prove gains no guess in the long run, and at once those
    that `READING_US` has room for.

    Args:
        ledger: has charged the attempt.
        receipt: of its charge.
        account: the digest of the account whose factor was shown. Failures shared with a similar account name are not
            cleared: otherwise an attacker could register such a name, prove to own it, and clear the victim's failures.
        place: where the proof was shown, for the account's history; empty where no password was right. The attempt
            itself, sealed until now, entered neither history nor credit.
        networks_max: the networks around an address that this process limits.
    """
    charge, verdict = unpack_receipt(receipt)
    if len(charge.networks) > networks_max:  # of a worker that limits providers
        charge = charge._replace(networks=charge.networks[:networks_max])
    effects = Effect.PROVED if charge.account == account else 0
    if charge.place and place:
        charge, effects = charge._replace(place=place), effects | Effect.LEARNS | Effect.EARNS
    ledger.settle(charge, read_code(verdict), effects)
    if effects & Effect.LEARNS and account and account != charge.account:
        learn_as(ledger, account, charge, verdict)
    return charge
