"""Makes the subjects of events: digests under keys of their own, and the client's network.

The keys differ from those of the counters and of the vault: a reader of the events who also reads the store cannot
match accounts in one with accounts in the other.
"""

from __future__ import annotations

from functools import lru_cache, partial
from hashlib import blake2b
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING, Final, final

from sekisho.model import Device
from sekisho.model.text import utf8
from sekisho.record.counted import counted_text, sprayed
from sekisho.record.events import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.model import Attempt, Origin
    from sekisho.record.counted import Counting
    from sekisho.record.events import Handle, HandleKey

_CLASSES: Final = {each._value_: each.name.lower() for each in Device}  # members would be hashed in Python
_DIGEST_BYTES: Final = 16
_SOFTWARE_BYTES: Final = 8
_SOFTWARE_MAX: Final = 1_024  # digests that are kept: many clients share one


@final
class Subjects:
    """Makes subjects.

    Args:
        secrets: the service's, newest first. Digests use the oldest, as counters do: they stay the same while a new
            secret is put in front.
        canonical: maps an account to its canonical spelling; may raise any error.
        handles: makes handles to the exact account and address; None if no sink reads them.
        tells_counted: say what the counters were asked; see `sekisho.record.counted`.
    """

    def __init__(
        self,
        secrets: Sequence[bytes],
        canonical: Callable[[str], str],
        handles: HandleKey | None = None,
        *,
        tells_counted: bool = False,
    ) -> None:
        key = blake2b(secrets[-1], digest_size=32, person=b"sekisho.events").digest()
        # A person string for each use: an address never has the digest of an account of the same text.
        self._account: Final = blake2b(key=key, digest_size=_DIGEST_BYTES, person=b"event account")
        self._address: Final = blake2b(key=key, digest_size=_DIGEST_BYTES, person=b"event address")
        self._device: Final = blake2b(key=key, digest_size=_DIGEST_BYTES, person=b"event device")
        software = blake2b(key=key, digest_size=_SOFTWARE_BYTES, person=b"event software")
        self._software: Final = lru_cache(_SOFTWARE_MAX)(partial(_keyed, software))
        self._counter: Final = blake2b(key=key, digest_size=_DIGEST_BYTES, person=b"event counter")
        self._canonical: Final = canonical
        self._handles: Final = handles
        self._tells_counted: Final = tells_counted

    def of_attempt(self, attempt: Attempt, device: Device) -> Subject:
        """The subject of an attempt that was read: digests of its account and client, and `device` as a class."""
        return self._made(attempt.origin, attempt.account, attempt.canonical, _CLASSES[device._value_])

    def of_named(
        self,
        origin: Origin | None,
        account: str,
        canonical: str,
        device: Device,
        counting: Counting | None = None,
        *,
        tells_secret: bool = False,
    ) -> Subject:
        """The subject of an attempt that is given by its parts, as a note keeps them.

        Args:
            origin: the client; None if it is not known.
            account: as it was typed.
            canonical: the account's canonical spelling.
            device: how well the client's device is known.
            counting: what the counters were asked; None: the subject says nothing of it.
            tells_secret: whether a secret that was tried at many accounts is named, by a digest.
        """
        made = self._made(origin, account, canonical, _CLASSES[device._value_])
        if counting is None:
            return made
        secret = sprayed(counting, self._name_of_counter) if tells_secret else ""
        counted = counted_text(counting, self._name_of_counter) if self._tells_counted else ""
        return made._replace(secret=secret, counted=counted) if secret or counted else made

    def of_origin(self, origin: Origin) -> Subject:
        """The subject of a request whose account is not known, or was not read."""
        return self._made(origin, "", "", "")

    def of_address(self, prefixes: tuple[bytes, ...], fingerprint: bytes | None = None) -> Subject:
        """The subject of an address that an operator named, or of a device at that address.

        Args:
            prefixes: the address, and the networks around it, as they are counted.
            fingerprint: of the device; None: the subject has no device.
        """
        device = _keyed(self._device, prefixes[-1] + fingerprint) if fingerprint is not None else ""
        return Subject(network_text(prefixes[1]), "", _keyed(self._address, prefixes[0]), device)

    def of_account(self, account: str, origin: Origin | None = None) -> Subject:
        """The subject of an account's event that is no attempt. `origin`: the client, where there is one."""
        try:
            canonical = self._canonical(account) if account else ""
        except Exception:  # noqa: BLE001 - the resolver is the service's own: a step-up must not fail because it does
            canonical = ""
        return self._made(origin, account, canonical, "")

    def name_of(self, canonical: str) -> bytes:
        """The first 8 bytes of an account's digest, by which the control record names accounts.

        `canonical`: the account's canonical spelling.
        """
        return bytes.fromhex(_keyed(self._account, utf8(canonical)))[:8]

    def _made(self, origin: Origin | None, account: str, canonical: str, device_class: str) -> Subject:
        digest = _keyed(self._account, utf8(canonical)) if canonical else ""
        if origin is None:
            return Subject(account=digest, handle=self._handle(account, ""))
        prefixes = origin.prefixes
        return Subject(
            network_text(prefixes[1]),
            digest,
            _keyed(self._address, prefixes[0]) if origin.address else "",
            _keyed(self._device, prefixes[-1] + origin.fingerprint),
            device_class,
            handle=self._handle(account, origin.address),
            software=self._software(origin.fingerprint),
        )

    def _name_of_counter(self, data: bytes) -> bytes:
        digest = self._counter.copy()
        digest.update(data)
        return digest.digest()

    def _handle(self, account: str, address: str) -> Handle | None:
        return self._handles.close(account, address) if self._handles is not None else None


def network_text(prefix: bytes) -> str:
    """A counted prefix as text, such as `203.0.113.0/24`; empty for a client without an address."""
    packed, bits = prefix[:-1], prefix[-1]
    if bits > 8 * len(packed):  # the identity of clients without an address
        return ""
    return f"{inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)}/{bits}"


def counted_network(listed: str) -> str:
    """A network of an operator's list as events name it: itself, or the IPv4 /24 or IPv6 /56 around it.

    Empty if the text is no network.
    """
    try:
        network = ip_network(listed)
    except ValueError:
        return ""
    widest = 24 if network.version == 4 else 56
    return str(network if network.prefixlen <= widest else network.supernet(new_prefix=widest))


def _keyed(state: blake2b, data: bytes) -> str:
    digest = state.copy()
    digest.update(data)
    return digest.hexdigest()
