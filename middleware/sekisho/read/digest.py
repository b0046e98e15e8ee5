"""Keyed digests: only these leave this process in place of an address, a device, an account or a secret.

Without the key, an attacker who reads the store cannot test candidates. With one key per kind, equal values of
different kinds cannot be linked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, final

from sekisho.model import SITE_NETWORKS, Charge
from sekisho.model.text import utf8
from sekisho.model.value import Value
from sekisho.read.parsed_names import as_tried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.model import Attempt, Origin

ID_BYTES: Final = 16
TAG_BYTES: Final = 4
PLACE_BYTES: Final = 7
_BYTES: Final = [bytes((number,)) for number in range(256)]  # `bytes` of a tuple takes six times as long


@final
class OriginDigests(Value):
    """Attributes:
    ip, device, networks: 16 bytes each; the narrowest network first.
    ip_tag: represents the address in sets, 4 bytes.
    provider: of the autonomous system, else of an IPv6 address's /32, 16 bytes; empty where neither is known, and
        where nothing counts by it.
    site: the network whose clients share a turn: IPv4 /24, IPv6 /48.
    """

    __slots__ = ("_ids", "device", "ip", "ip_tag", "networks", "provider", "site")

    def __init__(
        self, ip: bytes, device: bytes, networks: tuple[bytes, ...], ip_tag: bytes, provider: bytes = b""
    ) -> None:
        self.ip: Final = ip
        self.device: Final = device
        self.networks: Final = networks
        self.ip_tag: Final = ip_tag
        self.provider: Final = provider
        self.site: Final = networks[1] if len(networks) > 1 else networks[0]
        self._ids: tuple[bytes, ...] | None = None

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The digests that have limits of their own: of the address, the device and each network, in this order."""
        if self._ids is None:
            self._ids = (self.ip, self.device, *self.networks)
        return self._ids


def provider_of(origin: Origin, asn_of: Callable[[bytes], int] | None = None) -> bytes:
    """Return bytes that name an origin's provider: its autonomous system, else its IPv6 /32; else empty."""
    if asn_of is not None and (number := asn_of(origin.prefixes[0][:-1])):
        return AUTONOMOUS_SYSTEM + number.to_bytes(4, "big")
    site = origin.prefixes[-1]
    return site[:4] + _PROVIDER if len(site) > len(_PROVIDER) else b""


AUTONOMOUS_SYSTEM: Final = b"ASN"  # before its number; no prefix has seven bytes
_PROVIDER: Final = bytes(12) + b"\x20"  # the rest of an IPv6 /32, and its length


class Digests:
    """Digests under the service's secret.

    Args:
        secrets: the service's.
        tells_provider: the provider of an address is told.
        limits_provider: and is one of its networks.
        asn_of: the number of the autonomous system of a packed address, 0 where it is not known; None where none is.

    Counters use the oldest secret in the list. A rotation puts a new secret in front; if counters used it at once,
    every rotation would reset all limits for attackers. Counters move to the next secret when the operator removes the
    oldest from the list.
    """

    __slots__ = (
        "_account",
        "_asn_of",
        "_device",
        "_ip",
        "_network",
        "_pair",
        "_place",
        "_provider",
        "_secret",
        "_wide",
    )

    def __init__(
        self,
        secrets: Sequence[bytes],
        *,
        tells_provider: bool = False,
        limits_provider: bool = False,
        asn_of: Callable[[bytes], int] | None = None,
    ) -> None:
        self._asn_of = asn_of
        self._provider = tells_provider or limits_provider
        self._wide = limits_provider
        # Hashed first: secrets have any length, and other parts use them too.
        key = blake2b(secrets[-1], digest_size=32, person=b"sekisho.counters").digest()
        # The key is a prefix and not BLAKE2b's key parameter, which would fill a block of its own: the input mostly
        # fits into the same block, which halves the work. BLAKE2 is indifferentiable from a random oracle (Luykx,
        # Mennink, Neves: Security Analysis of BLAKE2's Modes of Operation, 2016), so digests cannot be extended or
        # guessed. Id and tag of one value are two parts of one digest: a reader of both cannot link them.
        self._ip = blake2b(key, digest_size=ID_BYTES + TAG_BYTES, person=b"ip").copy
        self._network = blake2b(key, digest_size=ID_BYTES, person=b"network").copy
        self._device = blake2b(key, digest_size=ID_BYTES, person=b"device").copy
        self._account = blake2b(key, digest_size=ID_BYTES + TAG_BYTES, person=b"account").copy
        self._secret = blake2b(key, digest_size=TAG_BYTES, person=b"secret").copy
        self._pair = blake2b(key, digest_size=2 * TAG_BYTES, person=b"pair").copy
        self._place = blake2b(key, digest_size=PLACE_BYTES, person=b"place").copy

    def origin_digests(self, origin: Origin) -> OriginDigests:
        """The digests of an origin, known before the body is read."""
        ip = self._ip()
        ip.update(origin.prefixes[0])
        device = self._device()
        # A prefix ends in its length, so the boundary between prefix and fingerprint is unambiguous.
        device.update(origin.prefixes[-1] + origin.fingerprint)
        networks = []
        for prefix in origin.prefixes[1:]:
            network = self._network()
            network.update(prefix)
            networks.append(network.digest())
        provider = self._provider_of(origin) if self._provider else b""
        if provider and self._wide:
            if len(networks) < SITE_NETWORKS:
                networks.append(self._site_of(origin))
            networks.append(provider)
        digest = ip.digest()
        return OriginDigests(digest[:ID_BYTES], device.digest(), tuple(networks), digest[ID_BYTES:], provider)

    def network_names(self, origin: Origin) -> list[bytes]:
        """Return the networks that `OriginDigests.networks` has digests of: prefixes, then the provider.

        A place that repeats an IPv4 /24 is empty.
        """
        provider = provider_of(origin, self._asn_of) if self._wide else b""
        prefixes = list(origin.prefixes[1:])
        if not provider:
            return prefixes
        return [*prefixes, *[b""] * (SITE_NETWORKS - len(prefixes)), provider]

    def _site_of(self, origin: Origin) -> bytes:
        """The /24 of an IPv4 address again, in the place of an IPv6 site: the provider's limits come after it."""
        network = self._network()
        network.update(origin.prefixes[-1] + b"\0")
        return network.digest()

    def _provider_of(self, origin: Origin) -> bytes:
        prefix = provider_of(origin, self._asn_of)
        if not prefix:
            return b""
        network = self._network()
        network.update(prefix)
        return network.digest()

    def charge(  # noqa: PLR0913 - all that is counted, and nothing else
        self,
        attempt: Attempt,
        known_device: bytes = b"",
        *,
        origin: OriginDigests | None = None,
        token_generation: int = 0,
        exempt: bool = False,
        scope: bytes = b"",
        place: bytes = b"",
        worked: bool = False,
        token_issued_us: int = 0,
        tries: bool = False,
    ) -> Charge:
        """Return an attempt as the ledger counts it: the digests of its origin, account, secret and pair.

        Args:
            attempt: the attempt; its `account` is not used.
            known_device: the device that a verified token names, 8 bytes. Its bucket uses the canonical account:
                otherwise the owner of a similarly named account could exhaust it. A stranger's attempt uses the limit
                key.
            origin: the digests of its origin, if they are computed already.
            token_generation: how often that token has been renewed.
            exempt: whether the address is on the allow list.
            scope: the name of a separate counter of the account, apart from its passwords; empty for none.
            place: see `place`; empty where no history is kept.
            worked: work was done for it.
            token_issued_us: when that token was issued; 0 if unknown.
            tries: it may be tried at a crowded address where its account is not known.
        """
        if origin is None:
            origin = self.origin_digests(attempt.origin)
        name = attempt.canonical if known_device else attempt.limit_key or attempt.canonical
        account_hash = self._account()
        account_hash.update(utf8(name))
        account = account_hash.digest()
        typed = utf8(attempt.secret)
        # Fixed length first: two different pairs of account and secret never hash the same bytes.
        pair_hash = self._pair()
        pair_hash.update(account + typed)
        pair = pair_hash.digest()
        return Charge(
            origin.networks[-1],
            origin.networks,
            origin.ip,
            origin.device,
            self._counted(name, account, scope),
            known_device,
            token_generation,
            self._secret_tag(attempt, typed) if typed else b"",
            account[ID_BYTES:],
            origin.ip_tag,
            _of_device(pair[:TAG_BYTES], origin.device),
            pair[TAG_BYTES:],
            exempt,
            place,
            worked,
            token_issued_us,
            tries,
        )

    def place(self, account: str, origin: Origin, family: int) -> bytes:
        """Return 8 bytes: a digest of the origin's narrowest network and one exact account, and the browser's family.

        Of the exact account, because it earns trust: the owner of a similarly named account must not make a network
        known to this one. A digest of both, so that a reader of the store cannot tell which accounts share a network.
        """
        prefix = origin.prefixes[1] if len(origin.prefixes) > 1 else origin.prefixes[0]
        place = self._place()
        place.update(_BYTES[len(prefix)] + prefix + utf8(account))
        return place.digest() + _BYTES[family & 0xFF]

    def _counted(self, name: str, account: bytes, scope: bytes) -> bytes:
        # The account's own digest is there already: hashing it again would cost as much as the rest.
        return self.counter(name, scope) if scope or not name else account[:ID_BYTES]

    def counter(self, name: str, scope: bytes) -> bytes:
        """Return the digest of one counter of an account; empty for an empty name.

        `scope`: names the counter; empty for that of passwords.
        """
        if not name:
            return b""
        # No canonical name has a zero byte.
        return self.account(f"{name}\0{scope.hex()}" if scope else name)

    def account(self, canonical: str) -> bytes:
        """The digest of an account, or of its limit key."""
        account_hash = self._account()
        account_hash.update(utf8(canonical))
        return account_hash.digest()[:ID_BYTES]

    def _secret_tag(self, attempt: Attempt, typed: bytes) -> bytes:
        tried = as_tried(attempt.secret, is_small=attempt.door.secret_is_small)
        tag = self._secret()
        tag.update(typed if tried == attempt.secret else utf8(tried))
        return tag.digest()


def _of_device(tag: bytes, device: bytes) -> bytes:
    """The tag of a pair, bound to one device.

    Repeating a pair is free. If it were free for other devices, they would learn which secrets were tried at an
    account, those of its owner included.
    """
    # Uses the end of the device's digest, which no key in Redis contains.
    first, second = _BYTES[tag[0] ^ device[-4]], _BYTES[tag[1] ^ device[-3]]
    return first + second + _BYTES[tag[2] ^ device[-2]] + _BYTES[tag[3] ^ device[-1]]
