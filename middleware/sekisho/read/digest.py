"""Keyed digests: what leaves this process of an address, a device, an account or a secret.

Without the key nobody who reads the store can try candidates against it, and with one key per kind nobody can
tell that two values of different kinds belong together.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, final

from sekisho.model import Charge
from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model import Attempt, Origin

ID_BYTES = 16
TAG_BYTES = 4


@final
class OriginDigests(Value):
    """Attributes:
    ip, device, networks: of 16 bytes; the narrowest network first.
    ip_tag: stands for the address in sets, 4 bytes.
    ids: everything of it that can be over a limit.
    """

    __slots__ = ("device", "ids", "ip", "ip_tag", "networks")

    def __init__(self, ip: bytes, device: bytes, networks: tuple[bytes, ...], ip_tag: bytes) -> None:
        self.ip: Final = ip
        self.device: Final = device
        self.networks: Final = networks
        self.ip_tag: Final = ip_tag
        self.ids: Final = (ip, device, *networks)


class Digests:
    """Digests under the service's secret.

    Counters use the oldest secret listed. A new one is put in front when secrets are rotated; if counts moved to
    it at once, every rotation would hand all attackers a fresh set of guesses. They move when the oldest secret is
    taken off the list, by which time what it counted has long expired.
    """

    __slots__ = ("_account", "_device", "_ip", "_network", "_pair", "_secret")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        # Hashed once: secrets are of any length, and serve others too.
        key = blake2b(secrets[-1], digest_size=32, person=b"sekisho.counters").digest()
        # The key is a prefix, not BLAKE2b's own parameter, which fills a block with it: what follows here mostly fits
        # into the same block, and half the work is saved. BLAKE2 is indifferentiable from a random oracle (Luykx,
        # Mennink, Neves: Security Analysis of BLAKE2's Modes of Operation, 2016), so nobody can extend or guess it.
        # Id and tag of one value are two parts of one digest: who sees both cannot tell that they belong together.
        self._ip = blake2b(key, digest_size=ID_BYTES + TAG_BYTES, person=b"ip").copy
        self._network = blake2b(key, digest_size=ID_BYTES, person=b"network").copy
        self._device = blake2b(key, digest_size=ID_BYTES, person=b"device").copy
        self._account = blake2b(key, digest_size=ID_BYTES + TAG_BYTES, person=b"account").copy
        self._secret = blake2b(key, digest_size=TAG_BYTES, person=b"secret").copy
        self._pair = blake2b(key, digest_size=2 * TAG_BYTES, person=b"pair").copy

    def origin_digests(self, origin: Origin) -> OriginDigests:
        """All that is known before the body is read."""
        ip = self._ip()
        ip.update(origin.prefixes[0])
        device = self._device()
        # Prefixes end in their length, so where one ends and the fingerprint begins is never in doubt.
        device.update(origin.prefixes[-1] + origin.fingerprint)
        networks = []
        for prefix in origin.prefixes[1:]:
            network = self._network()
            network.update(prefix)
            networks.append(network.digest())
        digest = ip.digest()
        return OriginDigests(digest[:ID_BYTES], device.digest(), tuple(networks), digest[ID_BYTES:])

    def charge(
        self,
        attempt: Attempt,
        lane: bytes = b"",
        *,
        origin: OriginDigests | None = None,
        lane_generation: int = 0,
        exempt: bool = False,
        bucket: bytes = b"",
    ) -> Charge:
        """The attempt as the ledger counts it.

        Args:
            attempt: what was read; `account` is not looked at.
            lane: the device that a verified token names, 8 bytes. Its lane lies with the canonical account, or whoever
                has an account of a like name could fill the lanes; a stranger's attempt is counted by the limit key.
            origin: the digests of its origin, where they are known already.
            lane_generation: how often that token has been renewed.
            exempt: whether the address is on the allow list.
            bucket: what of the account is counted apart from its passwords, if anything.
        """
        if origin is None:
            origin = self.origin_digests(attempt.origin)
        name = attempt.canonical if lane else attempt.limit_key or attempt.canonical
        account_hash = self._account()
        account_hash.update(utf8(name))
        account = account_hash.digest()
        typed = utf8(attempt.secret)
        # Fixed length first: no two pairs of account and secret feed the same bytes.
        pair_hash = self._pair()
        pair_hash.update(account + typed)
        pair = pair_hash.digest()
        return Charge(
            origin.networks[-1],
            origin.networks,
            origin.ip,
            origin.device,
            self._counted(name, account, bucket),
            lane,
            lane_generation,
            self._secret_tag(typed) if typed else b"",
            account[ID_BYTES:],
            origin.ip_tag,
            _of_device(pair[:TAG_BYTES], origin.device),
            pair[TAG_BYTES:],
            exempt,
        )

    def _counted(self, name: str, account: bytes, bucket: bytes) -> bytes:
        if not name:
            return b""
        # No canonical name has a zero byte.
        return self.account(f"{name}\0{bucket.hex()}") if bucket else account[:ID_BYTES]

    def account(self, canonical: str) -> bytes:
        """Of an account, or of its limit key."""
        account_hash = self._account()
        account_hash.update(utf8(canonical))
        return account_hash.digest()[:ID_BYTES]

    def _secret_tag(self, secret: bytes) -> bytes:
        tag = self._secret()
        tag.update(secret)
        return tag.digest()


def _of_device(tag: bytes, device: bytes) -> bytes:
    """The tag as one device writes it.

    A repeat is free. Were it free to others, they would be told what was tried at an account, by its owner as well.
    """
    # By that end of the device's digest that no key in Redis shows.
    return bytes((tag[0] ^ device[-4], tag[1] ^ device[-3], tag[2] ^ device[-2], tag[3] ^ device[-1]))


def utf8(text: str) -> bytes:
    """Bytes of any text, for digests; never fails."""
    # What was read has no lone surrogates; what a site's own resolver makes of it may.
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")
