"""An attempt: one account and one secret, tried at one door, from one origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.model.breach import UNKNOWN, Exposure
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.model.door import Door


@final
class Origin(Value):
    """The client, as headers and the socket describe it. Known before any body is read.

    Attributes:
        address: the client's canonical address; IPv4-mapped IPv6 as IPv4, no zone. `""` if there is none (a unix
            socket): those clients share one identity and earn no privilege.
        prefixes: the counted prefixes of this address, narrowest first: IPv4 `(a/32, a/24)`, IPv6 `(/64, /56, /48)`,
            as packed network bytes followed by one byte of prefix length. Never empty.
        fingerprint: the configured device headers, joined; compared only within its network.
        forwarded_by_stranger: the peer sent a forwarding header and is not a trusted proxy.
        vouched: the peer is a trusted proxy; its other headers may be believed as well.
    """

    __slots__ = ("address", "fingerprint", "forwarded_by_stranger", "prefixes", "vouched")

    def __init__(
        self,
        address: str,
        prefixes: tuple[bytes, ...],
        fingerprint: bytes,
        forwarded_by_stranger: bool = False,
        vouched: bool = False,
    ) -> None:
        self.address: Final = address
        self.prefixes: Final = prefixes
        self.fingerprint: Final = fingerprint
        self.forwarded_by_stranger: Final = forwarded_by_stranger
        self.vouched: Final = vouched

    def __repr__(self) -> str:
        # Error reporters print the values of a frame, and an address is personal data.
        return "Origin(...)"


@final
class Credentials(Value):
    """The credentials in a request.

    Attributes:
        account: exactly as the application reads it.
        secret: empty if the door has none.
        new_secret: the replacement for the secret; empty if the request sets none.
        address: where a reset is asked to be sent; empty if no field says so.
    """

    __slots__ = ("account", "address", "new_secret", "secret")

    def __init__(
        self,
        account: str,
        secret: str,
        new_secret: str = "",
        address: str = "",
    ) -> None:
        self.account: Final = account
        self.secret: Final = secret
        self.new_secret: Final = new_secret
        self.address: Final = address

    def __repr__(self) -> str:
        # Tracebacks and debug logs print values: credentials must never appear there.
        return "Credentials(...)"


@final
class Attempt(Value):
    """An attempt as `read` returns it. Counting uses the limit key; grants use the exact account.

    Attributes:
        account: as the application reads it. Sessions and tokens are granted to this spelling.
        canonical: the same for all spellings of the account; used to revoke, store and look up.
        limit_key: the key under which attempts are counted, shared by all spellings that some database treats as
            equal; empty if it is the canonical account.
    """

    __slots__ = (
        "account",
        "address",
        "canonical",
        "door",
        "limit_key",
        "new_secret",
        "origin",
        "secret",
        "token",
        "told",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that was read of it, in the order of reading
        self,
        door: Door,
        origin: Origin,
        account: str,
        canonical: str,
        secret: str,
        token: str = "",  # the device token as presented, unverified
        new_secret: str = "",  # the new password, if any
        told: Exposure = UNKNOWN,  # a trusted proxy's finding about these credentials
        limit_key: str = "",
        address: str = "",  # where a reset or a code is asked to be sent
    ) -> None:
        self.door: Final = door
        self.origin: Final = origin
        self.account: Final = account
        self.canonical: Final = canonical
        self.limit_key: Final = limit_key
        self.secret: Final = secret
        self.token: Final = token
        self.new_secret: Final = new_secret
        self.told: Final = told
        self.address: Final = address

    def __repr__(self) -> str:
        return f"Attempt(door={self.door.name!r}, ...)"
