"""The ledger's arithmetic: the effect of one attempt on the counters, as plain functions on plain values.

This is the reference. `ledger.lua` does the same inside Redis, `memory.py` runs this code, and a state machine in the
tests compares them with each other. All times are integer microseconds. All counters are GCRA (ITU-T I.371; one
theoretical arrival time, TAT, per limit). Time arrives as a value.

**Reserve, then settle.** An attempt is charged before its secret is checked. Otherwise a thousand parallel guesses
would all find room. Only a proven success gets its charge back, and only the part that still weighs. If the client, the
worker or the application dies in between, the charge stands.

**A settlement removes only what its own attempt wrote.** Suppose that the owner's log-in erased a tag which a guess of
the right secret had left. The same guess, repeated, would then look different from a wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.ledger import address_failures
from sekisho.ledger.device_buckets import (
    FAILURES_CAP,
    bucket_failures,
    bucket_of,
    changed,
    enter_bucket,
    failed_bucket,
    failed_in_bucket,
    with_bucket,
    without_bucket,
)
from sekisho.ledger.gcra import one_more, refunded, span_us, wait_us
from sekisho.ledger.history import (
    NAME_BYTES,
    PLACE,
    credit_left,
    credited,
    credited_first,
    given_back,
    is_shared,
    learned,
    recalled,
    spent,
)
from sekisho.ledger.records import (
    FRESH,
    Record,
    account_key,
    credit_key,
    current,
    is_gone,
    network_keys,
    secret_key,
    shared_key,
)
from sekisho.ledger.tags import TAG_BYTES, Tags, seen, without
from sekisho.model import (
    SITE_NETWORKS,
    Charge,
    Charged,
    Effect,
    Limits,
    LimitSet,
    Marked,
    Spread,
    Tagged,
    Verdict,
)

if TYPE_CHECKING:
    from sekisho.ledger.records import Book

YOUNG_US = 2_000_000
"""A younger charge may belong to a log-in that is still being checked, unless that log-in has failed since."""

OWN_ONE_IN = 256
"""In a book over its budget, one in so many attempts at unknown accounts makes a record for its account."""

SHARED_WAIT_US_MAX = 60_000_000
"""After a flood, new accounts have room again within a minute."""

ACCOUNTS_CAP = 16
IPS_CAP = 8
TRIED_CAP = 8


# The two main operations: charge an attempt, and undo the charge after its success.


def apply(book: Book, charge: Charge, limits: LimitSet, now_us: int, *, over_budget: bool = False) -> Verdict:
    """Charge one attempt in `book`, and return the verdict. It takes all earlier charges into account.

    A known device with room in its own bucket touches nothing else: neither a flood from its address nor failures of
    others at its account can hinder it. All other attempts are charged at network, address and device (all or none),
    then at the account.

    Where these refuse, an attempt for which work was done spends the address's credit instead. Without credit, at an
    address that many owners share, an account that succeeded from there lately is spared: its own limit alone counts.

    `over_budget`: the book is larger than it should be. Names and secrets are free to invent, and an attacker who has
    filled a store must neither cause refusals of honest strangers nor guess uncounted. So an unknown account shares a
    record: it is limited together with all other accounts of that record, and gets a challenge sooner. One attempt in
    256 still makes a separate record, selected by keyed tags that an attacker cannot predict; from then on its account
    counts in full. Unknown secrets leave no record, since secrets are only observed.
    """
    key = account_key(charge)
    account = current(book.get(key, FRESH), now_us)
    bucket, known_device_wait_us, token_spent = enter_bucket(account, charge, limits.known_device, now_us)
    if bucket is not None:
        book[key] = with_bucket(account, bucket, limits.known_device, now_us)
        return _unhindered(account, charge, now_us)

    waits, young, sizes, charged, last, marks = _enter_network(book, charge, limits, now_us)
    throttled, account_wait_us, tagged, history, ips, accounts = any(waits), 0, 0, 0, 0, 0
    if charge.place and account.buckets:
        history, earns = recalled(account.buckets, charge.place, now_us)
        marks |= Marked.EARNS if earns else 0
    if throttled and _is_spared(account, charge, marks, limits.account, now_us):
        throttled, marks = False, marks | Marked.SPARED
    shares = over_budget and _shares(account, charge, now_us)
    if shares:
        key = shared_key(charge)
        account = current(book.get(key, FRESH), now_us)
    if charge.account and not (throttled and is_gone(account, now_us)):
        account_wait_us, account_young, bits, account, is_last = _enter_account(
            account, charge, limits.account, now_us, throttled=throttled
        )
        young, charged, tagged = young and account_young, charged | bits & ~Tagged.PAIR, bits & Tagged.PAIR
        last = last or is_last
        if shares:
            account = _of_nobody(account, limits.account, now_us)
            charged, tagged = charged & ~Charged.FAILURES, 0
        book[key] = account
        ips = account.seen.size
    if charge.secret:
        accounts, member = _see_secret(book, charge, now_us, known_only=throttled or over_budget)
        tagged |= member
    network_at = _longest(waits[:-2])
    # Many owners share a provider: the number of accounts that are tried there means nothing.
    network_size = max((0, *sizes[:-2][:SITE_NETWORKS]))
    # By position, in half the time that names would take: this runs for every attempt.
    network_wait_us = waits[network_at] if charge.networks else 0
    failures = charged // Charged.ACCOUNT & 1 if shares else account.failures
    young = young and (throttled or account_wait_us > 0)
    spread = Spread(sizes[-2], network_size, sizes[-1], ips, accounts)
    return Verdict(
        now_us, charged, waits[-2], network_wait_us, waits[-1], account_wait_us, known_device_wait_us, token_spent,
        failures, young, False, spread, 0, 0, tagged, last, network_at, marks, history,
    )  # fmt: skip


def _unhindered(account: Record, charge: Charge, now_us: int) -> Verdict:
    """The verdict on a known device in its own bucket. `account`: its record before this attempt."""
    history, earns = recalled(account.buckets, charge.place, now_us) if charge.place else (0, False)
    return UNHINDERED._replace(
        at_us=now_us,
        failures=min(FAILURES_CAP, bucket_failures(account, charge.known_device) + 1),
        marks=Marked.EARNS if earns else 0,
        history=history,
    )


def undo(book: Book, charge: Charge, verdict: Verdict, limits: LimitSet, now_us: int, effects: int = 0) -> None:
    """Refund the part of a proven success's charge that still weighs. The effects of other attempts stay.

    Two exceptions: if a factor proved the owner, the account's failures are reset, since they count from the last
    proof. If a password was right, the failures of its device bucket are reset.

    `effects`: flags of `Effect`.
    """
    proved, earns = effects & Effect.PROVED != 0, effects & Effect.EARNS != 0 and verdict.marks & Marked.EARNS != 0
    first = effects & Effect.EARNS != 0 and verdict.is_first_of_many
    _undo_credit(book, charge, verdict, now_us, earns=earns, first=first)
    if verdict.charged & Charged.NETWORK:
        every = _network_limits(charge, limits)
        for i, key in enumerate(network_keys(charge)):
            tats, at_us, tags, failures, tried, buckets = current(book.get(key, FRESH), now_us)
            until_us = _failing_until(tats, limits) if key[:1] == b"i" else 0
            tats = refunded(tats, every[i], verdict.at_us, now_us)
            if until_us > now_us:
                tats = _with_failures(tats, address_failures.one_less(until_us, verdict.at_us, now_us), now_us)
            book[key] = Record(tats, at_us, tags, failures, tried, buckets)
    if earns and charge.place:
        _halve_failures(book, charge, limits, now_us)
    if charge.account:
        if verdict.charged & (Charged.ACCOUNT | Charged.FAILURES) == Charged.ACCOUNT:
            record = current(book.get(shared_key(charge), FRESH), now_us)
            tats = refunded(record.tats, limits.account, verdict.at_us, now_us)
            book[shared_key(charge)] = record._replace(tats=tats)
            verdict = verdict._replace(charged=verdict.charged & ~Charged.ACCOUNT)
        record = current(book.get(account_key(charge), FRESH), now_us)
        renewed, forgiven = effects & Effect.RENEWED != 0, effects & (Effect.RIGHT | Effect.PROVED) != 0
        record = _undo_account(record, charge, verdict, limits, now_us, renewed=renewed, forgiven=forgiven)
        if effects & Effect.LEARNS and charge.place:
            buckets = learned(record.buckets, charge.place, now_us, width=len(limits.known_device), earned=earns)
            record = record._replace(buckets=buckets)
        if effects & Effect.ENDS:
            changed_at_us, width = verdict.account_at_us or verdict.at_us, len(limits.known_device)
            record = changed(record, charge.known_device, changed_at_us, now_us, width)
        book[account_key(charge)] = record._replace(failures=0) if proved else record
    if charge.secret and verdict.tagged & Tagged.MEMBER and not verdict.charged & Charged.KNOWN_DEVICE:
        # A right secret must not stay in the set: with a dummy account, a reader of Redis could confirm it.
        record = current(book.get(secret_key(charge), FRESH), now_us)
        book[secret_key(charge)] = record._replace(seen=without(record.seen, charge.member_tag))


def fail(book: Book, charge: Charge, verdict: Verdict, limits: LimitSet, now_us: int) -> None:
    """Record that an attempt has ended without a success.

    If it took the last room, its charge is made as old as a settled one: later attempts that are refused because of it
    need not wait for a refund. This does not apply if a later attempt was charged, since that charge may still be
    refunded.
    """
    if verdict.charged & Charged.KNOWN_DEVICE:
        record = current(book.get(account_key(charge), FRESH), now_us)
        book[account_key(charge)] = failed_in_bucket(record, charge.known_device, limits.known_device, now_us)
    elif verdict.last:
        if verdict.charged & Charged.NETWORK:
            _grow_old(book, b"i" + charge.ip, verdict.at_us)
        if verdict.charged & Charged.FAILURES:
            _grow_old(book, account_key(charge), verdict.at_us)


# The three families.


def _enter_network(
    book: Book, charge: Charge, limits: LimitSet, now_us: int
) -> tuple[list[int], bool, list[int], int, bool, int]:
    """Charge network, address and device; or if they refuse, the address's credit.

    Returns:
        The waits for networks, address and device; whether all refusals are young; the accounts that are tried there,
        in the same order; the charged flags; whether the address has no room for another attempt; its marks.
    """
    keys = network_keys(charge)
    found = _looked_up(book, keys, _network_limits(charge, limits), now_us)
    waits = [0 if charge.exempt else one[1] for one in found]
    charged, young, marks = 0 if charge.exempt else Charged.NETWORK, True, 0
    refused = any(waits)
    if refused:
        marks, charged = _marks_of_address(book, charge, now_us), 0
        if charge.worked and marks & Marked.CREDIT:
            _spend_credit(book, charge, now_us)
            refused, charged, waits = False, Charged.CREDIT, [0] * len(waits)
        else:
            young = all(not wait or now_us - one[0].at_us < YOUNG_US for wait, one in zip(waits, found, strict=True))
    sizes: list[int] = []
    until_us = _failing_until(found[-2][0].tats, limits)
    if charge.place and address_failures.is_failing(until_us, now_us):
        marks |= 0 if _marks_of_address(book, charge, now_us) else Marked.FAILING
    for i, key in enumerate(keys):
        record, _, with_this, _ = found[i]
        tats, at_us, tags, failures, tried, buckets = record
        if not refused or not is_gone(record, now_us):
            if charged == Charged.NETWORK:
                tats, at_us = with_this, now_us
                if i == len(keys) - 2:
                    tats = _with_failures(tats, _failed_once_more(charge, limits, until_us, now_us), now_us)
            if charge.account:
                tags = seen(tags, charge.account_tag, ACCOUNTS_CAP)
            book[key] = Record(tats, at_us, tags, failures, tried, buckets)
        sizes.append(len(tags.young + tags.old) // TAG_BYTES)
    return waits, young, sizes, charged, charged == Charged.NETWORK and found[-2][3], marks


def _looked_up(
    book: Book, keys: tuple[bytes, ...], limits: tuple[Limits, ...], now_us: int
) -> list[tuple[Record, int, tuple[int, ...], bool]]:
    """Return each record, and what `one_more` finds there."""
    found: list[tuple[Record, int, tuple[int, ...], bool]] = []
    fresh = current(FRESH, now_us)
    for i, key in enumerate(keys):
        record = book.get(key, fresh)
        if record is not fresh:
            record = current(record, now_us)
        wait, tats, is_last = one_more(record.tats, limits[i], now_us)
        found.append((record, wait, tats, is_last))
    return found


def _longest(waits: list[int]) -> int:
    """Return the index of the network with the longest wait; the widest of equals, and 0 if none refuses."""
    at = 0
    for i, wait in enumerate(waits):
        if wait and wait >= waits[at]:
            at = i
    return at


def _network_limits(charge: Charge, limits: LimitSet) -> tuple[Limits, ...]:
    return (*limits.networks[: len(charge.networks)], limits.ip, limits.device)


# Addresses at which nothing but failures is seen.


def _failing_until(tats: tuple[int, ...], limits: LimitSet) -> int:
    return address_failures.failing_until(tats, len(limits.ip))


def _with_failures(tats: tuple[int, ...], until_us: int, now_us: int) -> tuple[int, ...]:
    return (*tats, until_us) if until_us > now_us else tats


def _failed_once_more(charge: Charge, limits: LimitSet, until_us: int, now_us: int) -> int:
    """Return until when the address's failures are remembered: with this attempt, if it is one that may succeed."""
    if charge.place and charge.secret and len(limits.ip) < address_failures.TATS_MAX:
        return address_failures.one_more(until_us, now_us)
    return until_us


def _halve_failures(book: Book, charge: Charge, limits: LimitSet, now_us: int) -> None:
    key = b"i" + charge.ip
    record = current(book.get(key, FRESH), now_us)
    if until_us := _failing_until(record.tats, limits):
        tats = _with_failures(record.tats[:-1], address_failures.half(until_us, now_us), now_us)
        book[key] = record._replace(tats=tats)


# Addresses that owners share.


def _marks_of_address(book: Book, charge: Charge, now_us: int) -> int:
    if not charge.place:
        return 0
    tats = book.get(credit_key(charge), FRESH).tats
    shared = Marked.SHARED if is_shared(tats, now_us) else 0
    return shared | (Marked.CREDIT if credit_left(tats, now_us) else 0)


def _spend_credit(book: Book, charge: Charge, now_us: int) -> None:
    record = current(book.get(credit_key(charge), FRESH), now_us)
    book[credit_key(charge)] = record._replace(tats=spent(record.tats))


def _undo_credit(book: Book, charge: Charge, verdict: Verdict, now_us: int, *, earns: bool, first: bool) -> None:
    """Give a success its credit back, and the address the credit for it.

    `earns`: once a day for one account. `first`: once for a new account.
    """
    if not charge.place or not (earns or first or verdict.charged & Charged.CREDIT):
        return
    record = current(book.get(credit_key(charge), FRESH), now_us)
    if verdict.charged & Charged.CREDIT:
        record = record._replace(tats=given_back(record.tats, now_us))
    # Parallel log-ins of one account are charged before the first of them is settled.
    if (earns or first) and not record.seen.holds(charge.account_tag):
        tags = seen(record.seen, charge.account_tag, ACCOUNTS_CAP)
        tats = credited(record.tats, now_us) if earns else credited_first(record.tats, now_us)
        record = record._replace(tats=tats, seen=tags)
    book[credit_key(charge)] = record


def _is_spared(account: Record, charge: Charge, marks: int, limits: Limits, now_us: int) -> bool:
    """Whether an account is not bound by the limits of an address that many owners share and a bot has filled.

    The account's own limit still bounds all guesses. While there is credit, all accounts alike are asked for work.
    """
    if marks & (Marked.SHARED | Marked.CREDIT) != Marked.SHARED:
        return False
    name = bytes([PLACE]) + charge.place[:NAME_BYTES]
    is_let = charge.tries or any(bucket.device == name for bucket in account.buckets)
    return is_let and not wait_us(account.tats, limits, now_us)


def _enter_account(
    record: Record, charge: Charge, limits: Limits, now_us: int, *, throttled: bool
) -> tuple[int, bool, int, Record, bool]:
    """Return the wait, whether it is young, charged and tagged flags, the account's record with this attempt, and
    whether there is no room for another.
    """
    tats, at_us, tags, failures, tried, buckets = record
    wait, with_this, is_last = one_more(tats, limits, now_us)
    young = wait == 0 or now_us - at_us < YOUNG_US
    bits = 0
    if not throttled and not wait:
        is_tried = tried.holds(charge.pair_tag)
        bits = 0 if is_tried else Tagged.PAIR
        # An owner's mail program repeats yesterday's password all night. That tells an attacker nothing new, so a
        # repeat is not charged here (the address is charged). This does not apply while the first try may still be in
        # flight, or parallel repeats would all be free. At a door without a secret, every attempt would look like a
        # repeat.
        if not (is_tried and charge.secret and now_us - at_us >= YOUNG_US):
            bits |= Charged.ACCOUNT | Charged.FAILURES
            tats, failures = with_this, min(FAILURES_CAP, failures + 1)
        at_us, tried = now_us, seen(tried, charge.pair_tag, TRIED_CAP)
    tags = seen(tags, charge.ip_tag, IPS_CAP)
    last = is_last and bits & Charged.ACCOUNT != 0
    return wait, young, bits, Record(tats, at_us, tags, failures, tried, buckets), last


def _undo_account(
    record: Record, charge: Charge, verdict: Verdict, limits: LimitSet, now_us: int, *, renewed: bool, forgiven: bool
) -> Record:
    tats, at_us, tags, failures, tried, buckets = record
    if verdict.charged & Charged.ACCOUNT:
        tats = refunded(tats, limits.account, verdict.at_us, now_us)
    if verdict.charged & Charged.FAILURES:
        failures = max(0, failures - 1)
    if verdict.tagged & Tagged.PAIR and not verdict.charged & Charged.KNOWN_DEVICE:
        tried = without(tried, charge.pair_tag)
    record = Record(tats, at_us, tags, failures, tried, buckets)
    if not verdict.charged & Charged.KNOWN_DEVICE:
        return record
    if forgiven:
        record = without_bucket(record, failed_bucket(charge.known_device))
    bucket = bucket_of(record, charge.known_device)
    bucket = bucket._replace(tats=refunded(bucket.tats, limits.known_device, verdict.at_us, now_us))
    if renewed:
        bucket = bucket._replace(generation=max(bucket.generation, charge.token_generation + 1), renewed_us=now_us)
    return with_bucket(record, bucket, limits.known_device, now_us)


def _shares(account: Record, charge: Charge, now_us: int) -> bool:
    """Whether an attempt in a book over its budget is counted in a shared record."""
    if charge.known_device or not charge.account or not is_gone(account, now_us):
        return False
    return (charge.pair_tag[0] + charge.ip_tag[0]) % OWN_ONE_IN != 0


def _of_nobody(record: Record, limits: Limits, now_us: int) -> Record:
    """Return a shared record: it counts without failures, addresses and pairs, and its waits are about a minute at
    most.
    """
    soon = (now_us + span_us(limit) - limit.interval_us + SHARED_WAIT_US_MAX for limit in limits)
    tats = tuple(min(tat, last) for tat, last in zip(record.tats, soon, strict=False))
    return record._replace(tats=tats, failures=0, seen=Tags(), tried=Tags())


def _see_secret(book: Book, charge: Charge, now_us: int, *, known_only: bool) -> tuple[int, int]:
    """Return the number of accounts at which the secret was tried, and the flag if this attempt added its account.

    `known_only`: do not remember a secret that was not seen lately.
    """
    key = secret_key(charge)
    tats, at_us, tags, failures, tried, buckets = current(book.get(key, FRESH), now_us)
    if not charge.account or (known_only and not tags.size):
        return tags.size, 0
    member = 0 if tags.holds(charge.member_tag) else Tagged.MEMBER
    tags = seen(tags, charge.member_tag, ACCOUNTS_CAP)
    book[key] = Record(tats, at_us, tags, failures, tried, buckets)
    return tags.size, member


def _grow_old(book: Book, key: bytes, charged_us: int) -> None:
    record = book.get(key, FRESH)
    if record.at_us == charged_us:
        book[key] = record._replace(at_us=charged_us - YOUNG_US)


UNHINDERED = Verdict(
    at_us=0,
    charged=Charged.KNOWN_DEVICE,
    ip_wait_us=0,
    network_wait_us=0,
    device_wait_us=0,
    account_wait_us=0,
    known_device_wait_us=0,
    token_spent=False,
    failures=0,
    young=False,
    counters_lost=False,
    spread=Spread(),
)
"""A known device in its own bucket: no other counter is read, and its attempt is no sign of a spread."""
