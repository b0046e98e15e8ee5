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

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sekisho.ledger.history import (
    CHANGE,
    FAILED,
    HOUR_US,
    NAME_BYTES,
    PLACE,
    RENEWAL_KEPT_US,
    DeviceBucket,
    credit_left,
    credited,
    given_back,
    is_history,
    is_shared,
    kind_of,
    learned,
    recalled,
    spent,
)
from sekisho.model import (
    SITE_NETWORKS,
    Charge,
    Charged,
    Effect,
    Limit,
    Limits,
    LimitSet,
    Marked,
    Spread,
    Tagged,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import MutableMapping

GENERATION_US = 30 * 60 * 1_000_000
"""Half of the window in which tags are remembered: an hour at most, half an hour at least."""

YOUNG_US = 2_000_000
"""A younger charge may belong to a log-in that is still being checked, unless that log-in has failed since."""

DAY_US = 86_400 * 1_000_000
FAILURES_KEPT_DAYS_MAX = 90
FAILURES_KEPT_US = FAILURES_KEPT_DAYS_MAX * DAY_US
FAILURES_CAP = 65_535  # two bytes in the packed record

RENEWAL_GRACE_US = 60_000_000
"""Two tabs may log in with one token, so the second newest generation stays valid for another minute."""

BUCKETS_MAX = 16
"""Devices of one account with a bucket. If all buckets are in use, a further device is treated as a stranger."""

ENDED = FAILED - 1
"""The generation of a device whose owner ended its trust: no token reaches it."""

ENDED_KEPT_US = 400 * DAY_US  # as long as any token lives, or the ended one would be trusted again

OWN_ONE_IN = 256
"""In a book over its budget, one in so many attempts at unknown accounts makes a record for its account."""

SHARED_WAIT_US_MAX = 60_000_000
"""After a flood, new accounts have room again within a minute."""

ACCOUNTS_CAP = 16
IPS_CAP = 8
TRIED_CAP = 8
TAG_BYTES = 4


class Tags(NamedTuple):
    """A small set of 4-byte tags in two generations: those seen in this half-window, and those of the one before.

    Both together never exceed the cap, so a full set means *that many or more*.
    """

    generation: int = 0
    young: bytes = b""
    old: bytes = b""

    @property
    def size(self) -> int:
        return (len(self.young) + len(self.old)) // TAG_BYTES

    def holds(self, tag: bytes) -> bool:
        _, young, old = self
        return (tag in young and _find(young, tag) >= 0) or (tag in old and _find(old, tag) >= 0)


NO_TAGS = Tags()


class Record(NamedTuple):
    """The counters of one identity. A missing record equals a fresh one.

    `seen` and `tried` always share their generation. Only accounts use `failures`, `tried` and `buckets`.
    """

    tats: tuple[int, ...] = ()
    at_us: int = 0
    seen: Tags = NO_TAGS
    failures: int = 0
    tried: Tags = NO_TAGS
    buckets: tuple[DeviceBucket, ...] = ()


FRESH = Record()
Book: TypeAlias = "MutableMapping[bytes, Record]"


# Keys: one letter for the kind, then the digest. On a Cluster, the widest prefix places a network family in one slot.


def network_keys(charge: Charge) -> tuple[bytes, ...]:
    keys = [b"n" + network for network in charge.networks]
    return (*keys, b"i" + charge.ip, b"d" + charge.device)


def account_key(charge: Charge) -> bytes:
    return b"a" + charge.account


def shared_key(charge: Charge) -> bytes:
    """Return the key of the record that new accounts share while there is no room: one of 2^18, as many as buckets."""
    return b"b" + charge.account[:2] + bytes([charge.account[2] & 0xC0])


def credit_key(charge: Charge) -> bytes:
    return b"c" + charge.ip


def secret_key(charge: Charge) -> bytes:
    return b"s" + charge.secret


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
    bucket, known_device_wait_us, token_spent = _enter_bucket(account, charge, limits.known_device, now_us)
    if bucket is not None:
        history, earns = recalled(account.buckets, charge.place, now_us) if charge.place else (0, False)
        book[key] = _with_bucket(account, bucket, now_us)
        return UNHINDERED._replace(
            at_us=now_us,
            failures=min(FAILURES_CAP, _bucket_failures(account, charge.known_device) + 1),
            marks=Marked.EARNS if earns else 0,
            history=history,
        )

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
    if charge.account and not (throttled and _is_gone(account, now_us)):
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
    return Verdict(
        now_us,
        charged,
        waits[-2],
        waits[network_at] if charge.networks else 0,
        waits[-1],
        account_wait_us,
        known_device_wait_us,
        token_spent,
        charged // Charged.ACCOUNT & 1 if shares else account.failures,
        young and (throttled or account_wait_us > 0),
        False,
        Spread(sizes[-2], network_size, sizes[-1], ips, accounts),
        0,
        0,
        tagged,
        last,
        network_at,
        marks,
        history,
    )


def undo(book: Book, charge: Charge, verdict: Verdict, limits: LimitSet, now_us: int, effects: int = 0) -> None:
    """Refund the part of a proven success's charge that still weighs. The effects of other attempts stay.

    Two exceptions: if a factor proved the owner, the account's failures are reset, since they count from the last
    proof. If a password was right, the failures of its device bucket are reset.

    `effects`: flags of `Effect`.
    """
    proved, earns = effects & Effect.PROVED != 0, effects & Effect.EARNS != 0 and verdict.marks & Marked.EARNS != 0
    _undo_credit(book, charge, verdict, now_us, earns=earns)
    if verdict.charged & Charged.NETWORK:
        every = _network_limits(charge, limits)
        for i, key in enumerate(network_keys(charge)):
            tats, at_us, tags, failures, tried, buckets = current(book.get(key, FRESH), now_us)
            tats = refunded(tats, every[i], verdict.at_us, now_us)
            book[key] = Record(tats, at_us, tags, failures, tried, buckets)
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
            record = _changed(record, charge.known_device, changed_at_us, now_us, width)
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
        book[account_key(charge)] = _failed_in_bucket(record, charge.known_device, limits.known_device, now_us)
    elif verdict.last:
        if verdict.charged & Charged.NETWORK:
            _grow_old(book, b"i" + charge.ip, verdict.at_us)
        if verdict.charged & Charged.FAILURES:
            _grow_old(book, account_key(charge), verdict.at_us)


def expires_us(record: Record, now_us: int) -> int:
    """When the record becomes worthless, in microseconds. At or before `now_us`, it can be forgotten."""
    tats, at_us, (generation, young, old), failures, (_, tried_young, tried_old), buckets = record
    end = max((now_us, *tats))
    if young or old or tried_young or tried_old:
        end = max(end, (generation + 2) * GENERATION_US)
    if failures:
        end = max(end, at_us + failures_kept_us(failures))
    for bucket in buckets:
        end = max(end, _bucket_ends_us(bucket))
    return end


def failures_kept_us(failures: int) -> int:
    """How long so many failures are remembered after the last charge: a day for each, 90 at most, in microseconds.

    A name that was invented for one attempt is forgotten after a day; at 90 days for each, a flood of names would fill
    any store. An attacker who waits for that gains one guess a day, at every account alike. A longer memory for
    existing accounts would reveal them.
    """
    return min(failures, FAILURES_KEPT_DAYS_MAX) * DAY_US


def unblocked(record: Record, *, history: bool = False) -> Record:
    """The record without counts, as an operator asked.

    Its buckets keep their generations: a token that was replaced stays spent, or an attacker's old copy would be good.
    Its history stays, since it counts no guesses, unless `history` says that it goes as well.
    """
    buckets = [
        bucket._replace(tats=())
        for bucket in record.buckets
        if bucket.generation < FAILED or kind_of(bucket) == CHANGE or (is_history(bucket) and not history)
    ]
    return Record(buckets=tuple(buckets))


def current(record: Record, now_us: int) -> Record:
    """Return the record without expired parts, so that a kept record and a forgotten one give the same results."""
    if record is FRESH:
        return _fresh(now_us // GENERATION_US)
    tats, at_us, seen, failures, tried, buckets = record
    seen_now = aged(seen, now_us)
    tried_now = seen_now if tried is seen else aged(tried, now_us)
    if failures and now_us >= at_us + failures_kept_us(failures):
        failures = 0
    if buckets:
        buckets = tuple([bucket for bucket in buckets if _bucket_ends_us(bucket) > now_us])
    if seen_now is seen and tried_now is tried and failures == record.failures and buckets == record.buckets:
        return record
    return Record(tats, at_us, seen_now, failures, tried_now, buckets)


@lru_cache(maxsize=2)
def _fresh(generation: int) -> Record:
    none = Tags(generation)
    return Record((), 0, none, 0, none, ())


# GCRA. `T` is the interval: allow iff max(now, TAT) + T - now <= span.


def span_us(limit: Limit) -> int:
    """Return the period, reduced by the rounding of the interval, in microseconds.

    A whole period of a million microseconds has room for 1,501 intervals of 666: one more than 1,500 a second allows.
    """
    return limit.burst * limit.interval_us


def fitted(tats: tuple[int, ...], limits: Limits, now_us: int) -> tuple[int, ...]:
    """Return one TAT per limit, none before now and none beyond its span.

    The upper bound matters after a clock has jumped back or limits were shortened: no refusal then lasts longer than
    one period. An added limit starts from the TAT of the limit before it.
    """
    _, charged, _ = one_more(tats, limits, now_us)
    return tuple([tat - limit.interval_us for tat, limit in zip(charged, limits, strict=True)])


def wait_us(tats: tuple[int, ...], limits: Limits, now_us: int) -> int:
    """Microseconds until every limit has room for one more attempt; 0 if there is room now."""
    return one_more(tats, limits, now_us)[0]


def one_more(tats: tuple[int, ...], limits: Limits, now_us: int) -> tuple[int, tuple[int, ...], bool]:
    """Return the wait for one more attempt (0 if there is room now), the TATs with it, and whether it is the last.

    All three in one loop: every attempt comes here four times.
    """
    wait, is_last = 0, False
    charged: list[int] = []
    tat, given = now_us, len(tats)
    for i, (burst, period_us) in enumerate(limits):
        interval_us = period_us // burst
        if i < given:
            tat = tats[i]
        ahead_us = tat - now_us
        if ahead_us <= 0:
            charged.append(now_us + interval_us)
            is_last = is_last or burst == 1
            continue
        room_us = (burst - 1) * interval_us
        if ahead_us > room_us:
            ahead_us = min(ahead_us, room_us + interval_us)
            wait = max(wait, ahead_us - room_us)
        charged.append(now_us + ahead_us + interval_us)
        is_last = is_last or ahead_us + interval_us > room_us
    return wait, tuple(charged), is_last


def refunded(tats: tuple[int, ...], limits: Limits, at_us: int, now_us: int) -> tuple[int, ...]:
    """Subtract the part of a charge made at `at_us` that still weighs; never below the state without that attempt.

    The whole interval would be too much: a slow log-in that is refunded late would erase guesses made since.
    """
    elapsed_us = max(0, now_us - at_us)
    _, charged, _ = one_more(tats, limits, now_us)
    found: list[int] = []
    for i, (burst, period_us) in enumerate(limits):
        interval_us = period_us // burst
        found.append(charged[i] - interval_us - max(0, interval_us - elapsed_us))
    return tuple(found)


# Tags.


def aged(tags: Tags, now_us: int) -> Tags:
    generation = now_us // GENERATION_US
    # After a clock has stepped back over the edge, the set keeps its tags.
    if tags.generation >= generation:
        return tags
    return Tags(generation, b"", tags.young if tags.generation == generation - 1 else b"")


def seen(tags: Tags, tag: bytes, cap: int) -> Tags:
    """Add `tag` to the young tags. If the set is full, forget the oldest of the old tags, then of the young ones."""
    generation, young, old = tags
    if not young and not old:
        return Tags(generation, tag, b"")
    if _find(young, tag) >= 0:
        return tags
    at = _find(old, tag)
    if at >= 0:
        return Tags(generation, young + tag, old[:at] + old[at + TAG_BYTES :])
    if len(young) + len(old) < cap * TAG_BYTES:
        return Tags(generation, young + tag, old)
    if old:
        return Tags(generation, young + tag, old[TAG_BYTES:])
    return Tags(generation, young[TAG_BYTES:] + tag, b"")


def without(tags: Tags, tag: bytes) -> Tags:
    young, old = _find(tags.young, tag), _find(tags.old, tag)
    return Tags(
        tags.generation,
        tags.young[:young] + tags.young[young + TAG_BYTES :] if young >= 0 else tags.young,
        tags.old[:old] + tags.old[old + TAG_BYTES :] if old >= 0 else tags.old,
    )


def _find(tags: bytes, tag: bytes) -> int:
    at = tags.find(tag)
    while at >= 0 and at % TAG_BYTES:
        at = tags.find(tag, at + 1)
    return at


# The three families.


def _is_gone(record: Record, now_us: int) -> bool:
    """Whether the record is empty. Then a refused attempt makes no record either.

    The owner of a /48 has a new address for each attempt, and is refused for the /48. A record for each address would
    fill any store, and a full memory refuses strangers.
    """
    return expires_us(record, now_us) <= now_us


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
    for i, key in enumerate(keys):
        record, _, with_this, _ = found[i]
        tats, at_us, tags, failures, tried, buckets = record
        if not refused or not _is_gone(record, now_us):
            if charged == Charged.NETWORK:
                tats, at_us = with_this, now_us
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


def _undo_credit(book: Book, charge: Charge, verdict: Verdict, now_us: int, *, earns: bool) -> None:
    """Give a success its credit back, and the address the credit for it: once an hour at most for one account."""
    if not charge.place or not (earns or verdict.charged & Charged.CREDIT):
        return
    record = current(book.get(credit_key(charge), FRESH), now_us)
    if verdict.charged & Charged.CREDIT:
        record = record._replace(tats=given_back(record.tats, now_us))
    # Parallel log-ins of one account are charged before the first of them is settled.
    if earns and not record.seen.holds(charge.account_tag):
        tags = seen(record.seen, charge.account_tag, ACCOUNTS_CAP)
        record = record._replace(tats=credited(record.tats, now_us), seen=tags)
    book[credit_key(charge)] = record


def _is_spared(account: Record, charge: Charge, marks: int, limits: Limits, now_us: int) -> bool:
    """Whether an account is not bound by the limits of an address that many owners share and a bot has filled.

    The account's own limit still bounds all guesses. While there is credit, all accounts alike are asked for work.
    """
    if marks & (Marked.SHARED | Marked.CREDIT) != Marked.SHARED:
        return False
    name = bytes([PLACE]) + charge.place[:NAME_BYTES]
    return any(bucket.device == name for bucket in account.buckets) and not wait_us(account.tats, limits, now_us)


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
        record = _without_bucket(record, _failed_bucket(charge.known_device))
    bucket = _bucket(record, charge.known_device)
    bucket = bucket._replace(tats=refunded(bucket.tats, limits.known_device, verdict.at_us, now_us))
    if renewed:
        bucket = bucket._replace(generation=max(bucket.generation, charge.token_generation + 1), renewed_us=now_us)
    return _with_bucket(record, bucket, now_us)


def _shares(account: Record, charge: Charge, now_us: int) -> bool:
    """Whether an attempt in a book over its budget is counted in a shared record."""
    if charge.known_device or not charge.account or not _is_gone(account, now_us):
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


# Device buckets.


def _enter_bucket(record: Record, charge: Charge, limits: Limits, now_us: int) -> tuple[DeviceBucket | None, int, bool]:
    """Return the bucket with this attempt; or None with the reason: the wait, or that its token counts no longer."""
    if not charge.known_device:
        return None, 0, False
    bucket = _bucket(record, charge.known_device)
    if charge.token_generation < bucket.generation and now_us - bucket.renewed_us > RENEWAL_GRACE_US:
        return None, 0, True
    if _is_void(record, charge.known_device, charge.token_issued_us):
        return None, 0, True
    wait, tats, _ = one_more(bucket.tats, limits, now_us)
    if wait or not _has_place(record, bucket, now_us):
        return None, wait, False
    return bucket._replace(tats=tats), 0, False


def _bucket(record: Record, device: bytes, generation: int = 0) -> DeviceBucket:
    return next((bucket for bucket in record.buckets if bucket.device == device), DeviceBucket(device, generation))


def _has_place(record: Record, bucket: DeviceBucket, now_us: int) -> bool:
    others = _others_like(record, bucket)
    return len(others) < BUCKETS_MAX or any(_at_rest(other, now_us) for other in others)


def _with_bucket(record: Record, bucket: DeviceBucket, now_us: int) -> Record:
    """Put this bucket last. If all places are taken, it replaces the first bucket at rest; without one, nothing
    changes.
    """
    gone = {bucket.device}
    others = _others_like(record, bucket)
    if len(others) >= BUCKETS_MAX:
        at_rest = next((other for other in others if _at_rest(other, now_us)), None)
        if at_rest is None:
            return record
        gone.add(at_rest.device)
    return record._replace(buckets=(*(other for other in record.buckets if other.device not in gone), bucket))


def _others_like(record: Record, bucket: DeviceBucket) -> list[DeviceBucket]:
    """Return the other buckets of the same kind. Buckets and counts of failures have separate places."""
    return [
        other
        for other in record.buckets
        if other.device != bucket.device
        and (other.generation >= FAILED) == (bucket.generation >= FAILED)
        and kind_of(other) != CHANGE
    ]


def _without_bucket(record: Record, device: bytes) -> Record:
    return record._replace(buckets=tuple(bucket for bucket in record.buckets if bucket.device != device))


# A device's failures are counted in a separate entry. Workers of versions without such a count treat it as one
# more device bucket: they keep it as long as we do, and no device has its name.


def _failed_bucket(device: bytes) -> bytes:
    """Return the name under which a device's failures are counted."""
    return b"\xff" + device[:-1]


def _bucket_failures(record: Record, device: bytes) -> int:
    return max(0, _bucket(record, _failed_bucket(device), FAILED).generation - FAILED)


def _failed_in_bucket(record: Record, device: bytes, limits: Limits, now_us: int) -> Record:
    failures = min(FAILURES_CAP, _bucket_failures(record, device) + 1)
    # Chosen so that the entry expires after `FAILURES_KEPT_US` when any version computes the end of a bucket.
    renewed_us = now_us + FAILURES_KEPT_US - RENEWAL_KEPT_US
    entry = DeviceBucket(_failed_bucket(device), FAILED + failures, renewed_us, (0,) * len(limits))
    return _with_bucket(record, entry, now_us)


# The last change of a password is an entry as well. Its name holds the device that made the change.


def _changed(record: Record, device: bytes, at_us: int, now_us: int, width: int) -> Record:
    """Return the record of an account whose password was changed: tokens of other devices from before are void."""
    # Charges of another clock, or of none, do not say when it was.
    at_us = at_us if now_us - HOUR_US < at_us <= now_us else now_us
    name = bytes([CHANGE]) + (device or bytes(NAME_BYTES))[:NAME_BYTES]
    # Chosen so that the entry ends after `ENDED_KEPT_US` when any version computes the end of a bucket.
    entry = DeviceBucket(name, FAILED, at_us + ENDED_KEPT_US - RENEWAL_KEPT_US, (0,) * width)
    return record._replace(buckets=(*(bucket for bucket in record.buckets if kind_of(bucket) != CHANGE), entry))


def _is_void(record: Record, device: bytes, issued_us: int) -> bool:
    """Whether a token is older than the last change of its account's password, which another device made."""
    if not issued_us:
        return False
    for bucket in record.buckets:
        if bucket.generation == FAILED and bucket.device[0] == CHANGE:
            return issued_us <= changed_us(bucket) and bucket.device[1:] != device[:NAME_BYTES]
    return False


def changed_us(entry: DeviceBucket) -> int:
    """When the password was changed that such an entry is about."""
    return entry.renewed_us + RENEWAL_KEPT_US - ENDED_KEPT_US


def _at_rest(bucket: DeviceBucket, now_us: int) -> bool:
    return max(bucket.tats, default=0) <= now_us


def _bucket_ends_us(bucket: DeviceBucket) -> int:
    kept_us = ENDED_KEPT_US if bucket.generation == ENDED else RENEWAL_KEPT_US
    return max(*bucket.tats, bucket.renewed_us + kept_us if bucket.renewed_us else 0, 0)


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
