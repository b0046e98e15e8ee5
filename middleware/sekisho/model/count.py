"""The ledger's requests and answers. All times are integer microseconds."""

from __future__ import annotations

from typing import Final, Protocol, final

from sekisho.model.value import Value

FIRST_ACCOUNTS_MIN: Final = 8
"""Accounts tried at one address within the hour, from which on the first success of a new one earns credit. A house
needs none, and would have a record for it. From as many on strangers are asked for work, by default."""


@final
class Charge(Value):
    """One attempt as the ledger sees it: keyed digests without any name, address or secret.

    Attributes:
        network: the widest prefix; on a Cluster it determines the hash slot of the whole network family.
        networks: the prefixes above the address, narrowest first; 16 bytes each.
        ip: the address (IPv6: its /64); 16 bytes.
        device: the fingerprint within its network; 16 bytes.
        account: the canonical account; 16 bytes; empty if the door has none.
        known_device: the device that a verified token names, 8 bytes; empty for strangers.
        token_generation: how often that token has been renewed.
        token_issued_us: when that token was issued; 0 if unknown.
        secret: the secret, 4 bytes: too short to confirm a guess, even with the key; empty if the door has none.
        account_tag: represents the account in the sets of addresses and networks; 4 bytes.
        ip_tag: represents the address in the account's set; 4 bytes.
        pair_tag: represents (account, secret) in the account's set of tried pairs; 4 bytes.
        member_tag: represents (secret, account) in the secret's set, under another key than `account_tag`; 4 bytes.
        exempt: the address is on the allow list: ip, network and device limits are neither checked nor charged.
        place: the network as this account sees it, and the browser's family; 8 bytes, see `sekisho.ledger.history`.
            Empty where no history is kept; then the address's credit is not looked at either.
        worked: work was done for this attempt, so it may spend the address's credit.
        tries: at a crowded address, where its client will be asked for a proof, it is tried although its account never
            succeeded there; see `Marked.SPARED`.
    """

    __slots__ = (
        "_kept",
        "account",
        "account_tag",
        "device",
        "exempt",
        "ip",
        "ip_tag",
        "known_device",
        "member_tag",
        "network",
        "networks",
        "pair_tag",
        "place",
        "secret",
        "token_generation",
        "token_issued_us",
        "tries",
        "worked",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that is counted, and nothing else
        self,
        network: bytes,
        networks: tuple[bytes, ...],
        ip: bytes,
        device: bytes,
        account: bytes,
        known_device: bytes,
        token_generation: int,
        secret: bytes,
        account_tag: bytes,
        ip_tag: bytes,
        pair_tag: bytes,
        member_tag: bytes,
        exempt: bool = False,
        place: bytes = b"",
        worked: bool = False,
        token_issued_us: int = 0,
        tries: bool = False,
    ) -> None:
        self._kept: tuple[object, object] | None = None
        self.network: Final = network
        self.networks: Final = networks
        self.ip: Final = ip
        self.device: Final = device
        self.account: Final = account
        self.known_device: Final = known_device
        self.token_generation: Final = token_generation
        self.secret: Final = secret
        self.account_tag: Final = account_tag
        self.ip_tag: Final = ip_tag
        self.pair_tag: Final = pair_tag
        self.member_tag: Final = member_tag
        self.exempt: Final = exempt
        self.place: Final = place
        self.worked: Final = worked
        self.token_issued_us: Final = token_issued_us
        self.tries: Final = tries

    def kept_by(self, maker: object) -> object:
        """Return the object that `maker` has put into this charge by `keep`; None if it has put none.

        A ledger keeps the keys of its records here: an attempt and its settlement use the same.
        """
        kept = self._kept
        return kept[1] if kept is not None and kept[0] is maker else None

    def keep(self, maker: object, made: object) -> None:
        self._kept = (maker, made)


@final
class Spread(Value):
    """Numbers of distinct accounts or addresses seen lately. Each is capped: the cap means *that many or more*."""

    __slots__ = (
        "accounts_per_device",
        "accounts_per_ip",
        "accounts_per_network",
        "accounts_per_secret",
        "ips_per_account",
    )

    def __init__(
        self,
        accounts_per_ip: int = 0,
        accounts_per_network: int = 0,
        accounts_per_device: int = 0,
        ips_per_account: int = 0,
        accounts_per_secret: int = 0,
    ) -> None:
        self.accounts_per_ip: Final = accounts_per_ip
        self.accounts_per_network: Final = accounts_per_network
        self.accounts_per_device: Final = accounts_per_device
        self.ips_per_account: Final = ips_per_account
        self.accounts_per_secret: Final = accounts_per_secret


@final
class Verdict(Value):
    """The counters' verdict on one attempt.

    Attributes:
        at_us: the time of the charge by the store's clock; a refund is computed from it.
        charged: the charged records, as `Charged` flags; a refund applies to these only.
        ip_wait_us, network_wait_us, device_wait_us: the time until the limit admits an attempt; 0 if it does now.
        account_wait_us: the same for strangers at this account. Advisory.
        known_device_wait_us: the same for the known device's own bucket; 0 without one.
        token_spent: the token has been renewed since (a client that still presents the old one holds a copy), or was
            issued before the account's password was changed.
        failures: attempts at the account without a success since the last completed factor, this one included. For a
            stranger, those of strangers; for a known device in its bucket, its own since its last success.
        young: every refusal here rests on charges younger than two seconds, which may still be refunded.
        counters_lost: the store was unavailable, so this worker's own counters judged.
        spread: see `Spread`.
        account_at_us: the time of the account's charge, if it is by another clock than `at_us`; else 0. Each node of a
            Cluster has its own clock, and a refund must use the clock of its charge.
        own_families: on a Cluster, the families of records (as bits) whose node was unavailable. This worker's own
            counters judged them, and refunds for them go there.
        tagged: the tags that this attempt itself has written, as `Tagged` flags; a success removes these only.
        last: after this charge, the address or the account has no room for another attempt.
        network_at: the index of the network (in the charge's) that refuses for `network_wait_us`; 0 is the narrowest.
        marks: facts about an address that refuses, and about the account, as `Marked` flags.
        history: the account's earlier successes, packed; see `History`.
    """

    __slots__ = (
        "account_at_us",
        "account_wait_us",
        "at_us",
        "charged",
        "counters_lost",
        "device_wait_us",
        "failures",
        "history",
        "ip_wait_us",
        "known_device_wait_us",
        "last",
        "marks",
        "network_at",
        "network_wait_us",
        "own_families",
        "spread",
        "tagged",
        "token_spent",
        "young",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that was found, and nothing else
        self,
        at_us: int,
        charged: int,
        ip_wait_us: int,
        network_wait_us: int,
        device_wait_us: int,
        account_wait_us: int,
        known_device_wait_us: int,
        token_spent: bool,
        failures: int,
        young: bool,
        counters_lost: bool,
        spread: Spread,
        account_at_us: int = 0,
        own_families: int = 0,
        tagged: int = 0,
        last: bool = False,
        network_at: int = 0,
        marks: int = 0,
        history: int = 0,
    ) -> None:
        self.at_us: Final = at_us
        self.charged: Final = charged
        self.ip_wait_us: Final = ip_wait_us
        self.network_wait_us: Final = network_wait_us
        self.device_wait_us: Final = device_wait_us
        self.account_wait_us: Final = account_wait_us
        self.known_device_wait_us: Final = known_device_wait_us
        self.token_spent: Final = token_spent
        self.failures: Final = failures
        self.young: Final = young
        self.counters_lost: Final = counters_lost
        self.spread: Final = spread
        self.account_at_us: Final = account_at_us
        self.own_families: Final = own_families
        self.tagged: Final = tagged
        self.last: Final = last
        self.network_at: Final = network_at
        self.marks: Final = marks
        self.history: Final = history

    @property
    def throttle_wait_us(self) -> int:
        return max(self.ip_wait_us, self.network_wait_us, self.device_wait_us)

    @property
    def is_spared(self) -> bool:
        """Whether the account is let in although its address is over the limits that the waits name.

        See `Marked.SPARED`.
        """
        return self.marks & Marked.SPARED != 0

    @property
    def is_failing(self) -> bool:
        """Whether strangers' attempts at the address have led to no success for long. See `Marked.FAILING`."""
        return self.marks & Marked.FAILING != 0

    @property
    def has_credit(self) -> bool:
        """Whether the address has credit: after work, an attempt is let in that the limits of the address refuse."""
        return self.marks & Marked.CREDIT != 0

    @property
    def is_of_many(self) -> bool:
        """Whether accounts have earned credit for the address lately: no worker may then refuse its attempts unread."""
        return self.marks & (Marked.SHARED | Marked.CREDIT) != 0

    @property
    def is_crowded(self) -> bool:
        """Whether the limits refuse an address that many account owners share, and its credit is spent."""
        return self.marks & (Marked.SHARED | Marked.CREDIT) == Marked.SHARED and self.throttle_wait_us > 0

    @property
    def is_first_of_many(self) -> bool:
        """Whether a success would be the first that is remembered of its account, where many accounts are tried.

        Not where counters are lost: then nothing is known of the account.
        """
        if self.marks & Marked.FIRST:
            return True
        return not self.history and self.spread.accounts_per_ip >= FIRST_ACCOUNTS_MIN and not self.counters_lost


class Charged:
    """Flags of `Verdict.charged`. Plain integers: Lua sets the same bits."""

    NETWORK: Final = 1  # networks, ip and device together: all are charged, or none
    ACCOUNT: Final = 2
    FAILURES: Final = 4
    KNOWN_DEVICE: Final = 8
    CREDIT: Final = 16  # the address's credit, in the place of `NETWORK`


class Tagged:
    """Flags of `Verdict.tagged`. Lua sets the same bits, among those of `Charged`."""

    PAIR: Final = 64  # in the account's set of tried pairs
    MEMBER: Final = 128  # in the secret's set of accounts


class Marked:
    """Flags of `Verdict.marks`. Lua sets the same bits, 2,048 times as large."""

    SHARED: Final = 1  # many accounts earned credit for the address lately
    CREDIT: Final = 2  # there is credit for one attempt
    EARNS: Final = 4  # a success of this account may earn credit: it is old, and has earned none for a day
    SPARED: Final = 8  # the address refuses; the account has room, and succeeded there lately or has `Charge.tries`
    FIRST: Final = 64  # `Verdict.is_first_of_many`, of a verdict that a receipt has kept; Lua does not set it
    FAILING: Final = 32  # for hours or days nothing but failures was seen at the address, and it has earned no credit


class Effect:
    """Flags of a settlement: the effects of a success besides the refund. Lua reads the first four as they are."""

    RENEWED: Final = 16  # the bucket's token was replaced by a new one; the old one is spent
    PROVED: Final = 32  # a factor was completed: the account's failures end, regardless of this attempt's charges
    RIGHT: Final = 64  # the password was right: the failures of its bucket end
    ENDS: Final = 128  # the account's password was changed: older tokens are void, except for the charge's own device
    LEARNS: Final = 256  # the success enters the account's history
    EARNS: Final = 512  # it gives its address credit, if the verdict says that this account may


class Ledger(Protocol):
    """Count attempts: in memory, in Redis, or in memory while Redis is unavailable."""

    async def charge(self, charge: Charge) -> Verdict:
        """Charge an attempt to its counters before its secret is checked, and return their verdict.

        Raises `StoreUnavailable` if the store has not answered by the deadline.
        """
        ...

    def settle(self, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        """Refund what is left of an attempt's charge, and remove the tags that `verdict.tagged` names.

        Call it once for a charge. It only queues the refund: it cannot be cancelled or fail.

        `effects`: flags of `Effect`, for all that a success does besides the refund.
        """
        ...

    def fail(self, charge: Charge, verdict: Verdict) -> None:
        """Record that the attempt has ended without a success: its charges stand. It only queues.

        A device bucket counts it as a failure. If the charge took the last room, later attempts need not wait for it.
        """
        ...
