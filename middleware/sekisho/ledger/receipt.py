"""Packs the charge of an attempt, because another request, or another worker, may settle it later."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Final

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.model import Charge, Charged, Marked, Tagged, Verdict

VERSION: Final = 2
HEAD: Final = Struct("<BBBBQQI16s16s16s16s8s4s4s4s4s4s")
ID_BYTES, DEVICE_BYTES, TAG_BYTES = 16, 8, 4
NETWORKS_MAX: Final = 4

HAS_ACCOUNT, HAS_SECRET, HAS_KNOWN_DEVICE, EXEMPT, COUNTERS_LOST = 1, 2, 4, 8, 16
OWN_SHIFT = 5  # the three highest bits: families judged without their node; 0 unless counters were lost
NO_TAG: Final = bytes(TAG_BYTES)
CHARGED: Final = Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES | Charged.KNOWN_DEVICE
KNOWN: Final = CHARGED | Charged.CREDIT
# Without a bucket, the generation has no meaning. Workers of every version read it and pass it on unused, so here it
# says what only some of them know.
HAD_PLACE, CREDIT_SPENT, EARNS = 1, 2, 4
FIRST: Final = 8  # instead of `HAD_PLACE`, or workers of versions before would not read it: they learn no such success
NO_PLACE: Final = bytes(8)

READING_US: Final = 120_000_000
"""So long a proof may take before any of its attempt's charge counts as expired: until a mail is there and its code is
typed (assumed)."""


def pack_receipt(charge: Charge, verdict: Verdict) -> bytes:
    """Pack a charge and its verdict, as far as `settle` needs them, into about 150 bytes.

    Raises `ValueError` if a digest has another length than it should, or a number is out of bounds.
    """
    # `struct` truncates and pads: a value that does not survive that would settle the counters of another account.
    if not _is_whole(charge) or verdict.charged & ~KNOWN or (verdict.own_families and not verdict.counters_lost):
        raise ValueError("a charge is not made of digests of their lengths")
    # A receipt names only the tags to remove, so that workers of every version remove exactly those.
    return _pack(
        charge,
        verdict,
        pair_tag=charge.pair_tag if verdict.tagged & Tagged.PAIR else NO_TAG,
        member_tag=charge.member_tag if verdict.tagged & Tagged.MEMBER else NO_TAG,
    )


def unpack_receipt(packed: bytes) -> tuple[Charge, Verdict]:
    """Return the charge and the verdict of a receipt, as far as settling needs them: the rest is 0.

    Raises `ValueError` for bytes that `pack_receipt` did not make.
    """
    charge, verdict = _unpack(packed)
    # A receipt has one form only: extra bytes cannot have been written here.
    if _pack(charge, verdict, pair_tag=charge.pair_tag, member_tag=charge.member_tag) != packed:
        raise ValueError("not a receipt")
    return charge, verdict


def parted(packed: bytes) -> tuple[Charge, Verdict, bytes]:
    """Split a receipt: return its charge, a verdict that refunds its part at the address, and a receipt for the rest.

    The rest is empty where nothing else was charged or tagged. Raises `ValueError` for other bytes.
    """
    charge, verdict = unpack_receipt(packed)
    at_address = verdict._replace(charged=verdict.charged & Charged.NETWORK, tagged=0)
    left = verdict._replace(charged=verdict.charged & ~Charged.NETWORK)
    return charge, at_address, pack_receipt(charge, left) if left.charged or left.tagged else b""


def read_code(verdict: Verdict) -> Verdict:
    """Return the verdict with times that are `READING_US` later, as if charged when its owner read the code."""
    account_at_us = verdict.account_at_us and verdict.account_at_us + READING_US
    return verdict._replace(at_us=verdict.at_us + READING_US, account_at_us=account_at_us)


def _is_whole(charge: Charge) -> bool:
    return (
        len(charge.network) == len(charge.ip) == len(charge.device) == ID_BYTES
        and (not charge.account or len(charge.account) == ID_BYTES)
        and (not charge.known_device or len(charge.known_device) == DEVICE_BYTES)
        and (not charge.secret or len(charge.secret) == TAG_BYTES)
        and len(charge.account_tag) == len(charge.ip_tag) == TAG_BYTES
        and len(charge.pair_tag) == len(charge.member_tag) == TAG_BYTES
        and len(charge.networks) <= NETWORKS_MAX
        and {len(network) for network in charge.networks} <= {ID_BYTES}
    )


def _tagged(charge: Charge) -> int:
    pair, member = charge.pair_tag != NO_TAG, charge.member_tag != NO_TAG
    return (Tagged.PAIR if pair else 0) | (Tagged.MEMBER if member else 0)


def _pack(charge: Charge, verdict: Verdict, *, pair_tag: bytes, member_tag: bytes) -> bytes:
    flags = (
        (HAS_ACCOUNT if charge.account else 0)
        | (HAS_SECRET if charge.secret else 0)
        | (HAS_KNOWN_DEVICE if charge.known_device else 0)
        | (EXEMPT if charge.exempt else 0)
        | (COUNTERS_LOST if verdict.counters_lost else 0)
        | verdict.own_families << OWN_SHIFT
    )
    try:
        head = HEAD.pack(
            VERSION,
            flags,
            len(charge.networks),
            verdict.charged & CHARGED,
            verdict.at_us,
            verdict.account_at_us,
            charge.token_generation if charge.known_device else _extras(charge, verdict),
            charge.network,
            charge.ip,
            charge.device,
            charge.account,
            charge.known_device,
            charge.secret,
            charge.account_tag,
            charge.ip_tag,
            pair_tag,
            member_tag,
        )
    except StructError:
        raise ValueError("a charge's numbers are out of their bounds") from None
    return head + b"".join(charge.networks)


def _extras(charge: Charge, verdict: Verdict) -> int:
    if not charge.place:
        return charge.token_generation
    credit = CREDIT_SPENT if verdict.charged & Charged.CREDIT else 0
    if verdict.is_first_of_many:
        return FIRST | credit
    return HAD_PLACE | credit | (EARNS if verdict.marks & Marked.EARNS else 0)


def _marks(extras: int) -> int:
    return (Marked.EARNS if extras & EARNS else 0) | (Marked.FIRST if extras & FIRST else 0)


def _unpack(packed: bytes) -> tuple[Charge, Verdict]:
    if len(packed) < HEAD.size:
        raise ValueError("not a receipt")
    version, flags, networks, charged, at_us, account_at_us, generation, *digests = HEAD.unpack_from(packed)
    if (
        version != VERSION
        or networks > NETWORKS_MAX
        or charged & ~CHARGED
        or (flags >> OWN_SHIFT and not flags & COUNTERS_LOST)
        or len(packed) != HEAD.size + networks * ID_BYTES
    ):
        raise ValueError("not a receipt")
    network, ip, device, account, known_device, secret, account_tag, ip_tag, pair_tag, member_tag = digests
    extras = 0 if flags & HAS_KNOWN_DEVICE else generation
    has_place = extras & (HAD_PLACE | FIRST) != 0
    starts = range(HEAD.size, len(packed), ID_BYTES)
    charge = Charge(
        network=network,
        networks=tuple(packed[at : at + ID_BYTES] for at in starts),
        ip=ip,
        device=device,
        account=account if flags & HAS_ACCOUNT else b"",
        known_device=known_device if flags & HAS_KNOWN_DEVICE else b"",
        token_generation=0 if has_place else generation,
        secret=secret if flags & HAS_SECRET else b"",
        account_tag=account_tag,
        ip_tag=ip_tag,
        pair_tag=pair_tag,
        member_tag=member_tag,
        exempt=flags & EXEMPT != 0,
        place=NO_PLACE if has_place else b"",
    )
    return charge, UNHINDERED._replace(
        at_us=at_us,
        charged=charged | (Charged.CREDIT if has_place and extras & CREDIT_SPENT else 0),
        counters_lost=flags & COUNTERS_LOST != 0,
        account_at_us=account_at_us,
        own_families=flags >> OWN_SHIFT,
        tagged=_tagged(charge),
        marks=_marks(extras) if has_place else 0,
    )
