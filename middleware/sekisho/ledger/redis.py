"""The ledger in Redis: packs charges for `ledger.lua`, unpacks its verdicts. It does no arithmetic."""

from __future__ import annotations

from functools import cache
from importlib import resources
from itertools import count
from struct import Struct
from typing import TYPE_CHECKING, Final

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from sekisho.ledger.gcra import span_us
from sekisho.ledger.inlined import inlined
from sekisho.model import Charge, Charged, Effect, Limits, LimitSet, Marked, Spread, Tagged, Verdict
from sekisho.settings.rates import LIMITS_MAX
from sekisho.store import Script
from sekisho.store.batch import PackedKeys, before_word, packed_keys

if TYPE_CHECKING:
    import asyncio

    from sekisho.store import AnyStoreConnection

# `ledger.lua` has the layouts under the same names.
OPERATION: Final = Struct("<BBBBBBQI4s4s4s4s8s8s")
VERDICT: Final = Struct("<QIQQQQQI5BI")
LIMIT: Final = Struct("<QQ")

CHARGE: Final = 1
SETTLE: Final = 2
FAIL: Final = 5
NETWORK: Final = 1
ACCOUNT: Final = 2
SECRET: Final = 4
CREDIT: Final = 8  # and the address's record, where a settlement changes the credit
BUCKET: Final = 16  # of the account: named on a Cluster alone
EXEMPT: Final = 1
HAS_ACCOUNT: Final = 2
HAS_SECRET: Final = 4
HAS_KNOWN_DEVICE: Final = 8
IN_FLAGS: Final = Effect.RENEWED | Effect.PROVED | Effect.RIGHT | Effect.ENDS
CHARGED: Final = Charged.NETWORK | Charged.ACCOUNT | Charged.FAILURES | Charged.KNOWN_DEVICE
HAS_PLACE: Final = 1
WORKED: Final = 2
LEARNS: Final = 4
EARNS: Final = 8
TRIES: Final = 16
FIRST: Final = 32
YOUNG: Final = 16
SPENT: Final = 32
LAST: Final = 256
NEXT_NETWORK: Final = 512
NETWORKS: Final = 4  # at most
NEXT_MARK: Final = 2_048
MARKS: Final = Marked.SHARED | Marked.CREDIT | Marked.EARNS | Marked.SPARED | Marked.FAILING
CREDIT_CHARGED: Final = 32_768
TAGGED: Final = Tagged.PAIR | Tagged.MEMBER

NO_DEVICE: Final = bytes(8)
NO_PLACE: Final = bytes(8)
NO_TAG: Final = bytes(4)


def pack_limits(limits: LimitSet) -> bytes:
    return b"".join(
        _pack(each) for each in (limits.ip, limits.device, limits.account, limits.known_device, *limits.networks)
    )


def _pack(limits: Limits) -> bytes:
    packed = b"".join(LIMIT.pack(limit.interval_us, span_us(limit)) for limit in limits)
    return bytes([len(limits)]) + packed.ljust(LIMITS_MAX * LIMIT.size, b"\0")


def ledger_script(limits: LimitSet, *, now_us: int = 0, reply_bytes: int = VERDICT.size) -> Script:
    """Return the ledger's Lua script with its limits.

    `now_us`: replaces the server's clock, for tests; 0: it does not. `reply_bytes`: the length of each answer.
    """
    source = resources.files(__package__).joinpath("ledger.lua").read_text("utf-8")
    packed = pack_limits(limits)
    over_budget = packed, b"-%d" % (now_us or 1)
    return Script(inlined(source), (packed, b"%d" % now_us), reply_bytes, leading_over_budget=over_budget)


class Keys:
    """The layout of keys: a namespace, then one Redis key for each identity; accounts share keys, with a field each.

    All records of a network share a hash tag, so that on a Cluster one node stores and judges them. The digests of a
    network's addresses and devices are cut to 8 bytes: they only have to differ within that network.
    """

    def __init__(self, namespace: str) -> None:
        self._prefix = namespace.encode() + b":"
        self._network = self._prefix + b"{n"
        self._account = self._prefix + b"{a"
        self._secret = self._prefix + b"s"

    def of(self, charge: Charge) -> list[bytes]:
        """Return all keys of a charge."""
        return self.of_families(charge, families_of(charge))

    def packed(self, charge: Charge) -> PackedKeys:
        """Return all keys of a charge as they are sent: made once, for the attempt and a settlement of all families."""
        kept = charge.kept_by(self)
        if isinstance(kept, PackedKeys):
            return kept
        keys = self._packed(charge)
        charge.keep(self, keys)
        return keys

    def _packed(self, charge: Charge) -> PackedKeys:
        # As `of` packed, in half the time: keys of one family have one length, and share their beginning. Joined one by
        # one, as joining a list takes longer.
        network = self._network + charge.network + b"}"
        begin, count = before_word(len(network) + 9) + network, len(charge.networks) + 2
        words = b""
        for each in charge.networks:
            words = words + begin + b"n" + each[:8]
        words = words + begin + b"i" + charge.ip[:8] + begin + b"d" + charge.device[:8]
        if charge.account:
            record = self.account(charge)
            words = words + before_word(len(record)) + record
            count += 1
        if charge.secret:
            secret = self.secret(charge)
            words = words + before_word(len(secret)) + secret
            count += 1
        return PackedKeys(network, count, words)

    def of_families(self, charge: Charge, families: int) -> list[bytes]:
        """Return the keys of these families, in the order in which the script reads them."""
        keys = self.network(charge) if families & NETWORK else []
        if families & CREDIT:
            keys += self.credit(charge)
        if families & ACCOUNT:
            keys.append(self.account(charge))
        if families & BUCKET:
            keys.append(self.bucket(charge))
        if families & SECRET:
            keys.append(self.secret(charge))
        return keys

    def network(self, charge: Charge) -> list[bytes]:
        network = self._network + charge.network + b"}"
        keys = [network + b"n" + each[:8] for each in charge.networks]
        keys.append(network + b"i" + charge.ip[:8])
        keys.append(network + b"d" + charge.device[:8])
        return keys

    def credit(self, charge: Charge) -> tuple[bytes, bytes]:
        """Return two keys: of the address's record, and of its credit."""
        network = self._network + charge.network + b"}"
        return network + b"i" + charge.ip[:8], network + b"c" + charge.ip[:8]

    def account(self, charge: Charge) -> bytes:
        """Return the key of the account's record where it is too large for its bucket.

        It is the bucket's key with the account's field in it behind.
        """
        return self.bucket(charge) + charge.account[2:10]

    def bucket(self, charge: Charge) -> bytes:
        """Return the key of the hash in which the account's record is, one of 2^18."""
        account = charge.account
        return self._account + account[:2] + TOP_BITS[account[2]] + b"}"

    def secret(self, charge: Charge) -> bytes:
        return self._secret + charge.secret


TOP_BITS: Final = [bytes([number & 0xC0]) for number in range(256)]


PLACES: Final = 64  # slots of a Cluster that contain all records


class ClusterKeys(Keys):
    """The layout of keys on a Cluster: in 64 slots, at even distances.

    With a slot for each identity, each operation would be a call of its own. The call is most of the cost of a small
    operation, and three nodes would decide less than one Redis. With fewer slots, operations of one turn share calls.
    The price: a 64th of all records moves between nodes at once, and more than 64 primaries have nothing to do.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        prefix = namespace.encode() + b":{%d}"
        self._places = [prefix % tag for tag in place_tags()]

    def network(self, charge: Charge) -> list[bytes]:
        network = self._place(charge.network) + b"n" + charge.network
        keys = [network + b"n" + each[:8] for each in charge.networks]
        keys.append(network + b"i" + charge.ip[:8])
        keys.append(network + b"d" + charge.device[:8])
        return keys

    def credit(self, charge: Charge) -> tuple[bytes, bytes]:
        network = self._place(charge.network) + b"n" + charge.network
        return network + b"i" + charge.ip[:8], network + b"c" + charge.ip[:8]

    def bucket(self, charge: Charge) -> bytes:
        account = charge.account
        return self._place(account) + b"a" + account[:2] + TOP_BITS[account[2]]

    def secret(self, charge: Charge) -> bytes:
        return self._place(charge.secret) + b"s" + charge.secret

    def _packed(self, charge: Charge) -> PackedKeys:
        return packed_keys(self.of(charge))

    def _place(self, digest: bytes) -> bytes:
        return self._places[digest[0] % PLACES]


@cache
def place_tags() -> tuple[int, ...]:
    """Return for each of `PLACES` evenly spaced Cluster slots the smallest number that selects it as a hash tag."""
    found: dict[int, int] = {}
    step = REDIS_CLUSTER_HASH_SLOTS // PLACES
    for number in count():
        slot = key_slot(b"%d" % number)
        if slot % step == 0:
            found.setdefault(slot, number)
            if len(found) == PLACES:
                return tuple(found[slot] for slot in sorted(found))
    raise AssertionError  # `count` does not end


def pack_charge(charge: Charge) -> bytes:
    return pack_operation(charge, CHARGE, flags_of(charge), families_of(charge), 0, charge.token_issued_us)


def pack_settlement(charge: Charge, verdict: Verdict, effects: int = 0) -> bytes:
    flags, deeds = flags_of(charge) | effects & IN_FLAGS, deeds_of(verdict, effects)
    families, charged, at_us = settled_families(charge, verdict, effects), verdict.charged, verdict.at_us
    return pack_operation(charge, SETTLE, flags, families, charged, at_us, verdict.tagged, deeds)


def settled_families(charge: Charge, verdict: Verdict, effects: int) -> int:
    """Return as flags the families of records that a settlement changes. Redis looks up the keys of no others."""
    charged = verdict.charged
    families = NETWORK if charged & Charged.NETWORK else 0
    if charged & Charged.CREDIT or deeds_of(verdict, effects) & (EARNS | FIRST):
        families |= CREDIT
    if charge.account:
        families |= ACCOUNT
    if charge.secret and verdict.tagged & Tagged.MEMBER and not charged & Charged.KNOWN_DEVICE:
        families |= SECRET
    return families


def pack_failure(charge: Charge, verdict: Verdict) -> bytes:
    families = failed_families(verdict)
    return pack_operation(charge, FAIL, flags_of(charge), families, verdict.charged, verdict.at_us)


def failed_families(verdict: Verdict) -> int:
    """Return as flags the families of records that a failed attempt changes: mostly 0, and then nothing is sent."""
    charged = verdict.charged
    if charged & Charged.KNOWN_DEVICE:
        return ACCOUNT
    if not verdict.last:
        return 0
    return (NETWORK if charged & Charged.NETWORK else 0) | (ACCOUNT if charged & Charged.ACCOUNT else 0)


def unpack_verdict(packed: bytes) -> Verdict:
    # By position, in half the time that names would take: this runs for every attempt.
    at_us: int
    bits: int
    failures: int
    history: int
    (
        at_us, bits, ip, network, device, account, known, failures,
        by_ip, by_network, by_device, ips, by_secret, history,
    ) = VERDICT.unpack(packed)  # fmt: skip
    return Verdict(
        at_us,
        bits & CHARGED | (Charged.CREDIT if bits & CREDIT_CHARGED else 0),
        ip, network, device, account, known,
        bits & SPENT != 0,
        failures,
        bits & YOUNG != 0,
        False, Spread(by_ip, by_network, by_device, ips, by_secret), 0, 0,
        bits & TAGGED,
        bits & LAST != 0,
        bits // NEXT_NETWORK % NETWORKS,
        bits // NEXT_MARK & MARKS,
        history,
    )  # fmt: skip


def families_of(charge: Charge) -> int:
    return NETWORK | (ACCOUNT if charge.account else 0) | (SECRET if charge.secret else 0)


def flags_of(charge: Charge) -> int:
    return (
        (EXEMPT if charge.exempt else 0)
        | (HAS_ACCOUNT if charge.account else 0)
        | (HAS_SECRET if charge.secret else 0)
        | (HAS_KNOWN_DEVICE if charge.known_device else 0)
    )


def deeds_of(verdict: Verdict, effects: int) -> int:
    deeds = LEARNS if effects & Effect.LEARNS else 0
    if not effects & Effect.EARNS:
        return deeds
    return deeds | (EARNS if verdict.marks & Marked.EARNS else 0) | (FIRST if verdict.is_first_of_many else 0)


def pack_operation(
    charge: Charge, kind: int, flags: int, families: int, charged: int, at_us: int, tagged: int = TAGGED, deeds: int = 0
) -> bytes:
    """Return an operation in bytes for `ledger.lua`. `tagged`: which tags of pair and member it names.

    `at_us`: of a charge, when its token was issued; of all others, when the attempt was charged.
    """
    return OPERATION.pack(
        kind,
        flags,
        families,
        len(charge.networks),
        charged,
        deeds | HAS_PLACE | (WORKED if charge.worked else 0) | (TRIES if charge.tries else 0) if charge.place else 0,
        at_us,
        charge.token_generation,
        charge.account_tag,
        charge.ip_tag,
        charge.pair_tag if tagged & Tagged.PAIR else NO_TAG,
        charge.member_tag if tagged & Tagged.MEMBER else NO_TAG,
        charge.known_device or NO_DEVICE,
        charge.place or NO_PLACE,
    )


class RedisLedger:
    """See `sekisho.model.Ledger`. One round trip for an attempt, shared with all others of the same turn."""

    def __init__(self, line: AnyStoreConnection, namespace: str) -> None:
        self._line = line
        self._keys = Keys(namespace)

    async def charge(self, charge: Charge) -> Verdict:
        return unpack_verdict(await self.ask(charge))

    def ask(self, charge: Charge) -> asyncio.Future[bytes]:
        """Charge an attempt; return a future of the packed verdict, without the cost of another coroutine."""
        return self._line.ask(self._keys.packed(charge), pack_charge(charge))

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        families = settled_families(charge, verdict, effects)
        if families == families_of(charge):
            self._line.tell(self._keys.packed(charge), pack_settlement(charge, verdict, effects))
        elif families:
            keys = packed_keys(self._keys.of_families(charge, families))
            self._line.tell(keys, pack_settlement(charge, verdict, effects))

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        if families := failed_families(verdict):
            self._line.tell(packed_keys(self._keys.of_families(charge, families)), pack_failure(charge, verdict))
