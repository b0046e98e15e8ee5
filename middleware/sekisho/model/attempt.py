"""An attempt: one account and one secret, tried at one door, from somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.model.breach import UNKNOWN, Exposure
from sekisho.model.value import Value

if TYPE_CHECKING:
    from sekisho.model.door import Door


@final
class Origin(Value):
    """Who calls, as far as headers and the socket tell it: known before any body is read.

    Attributes:
        address: the client's canonical address; IPv4-mapped IPv6 as IPv4, no zone. `""` where there is none
            (a unix socket): such clients share one identity and earn no privilege.
        prefixes: what is counted for this address, narrowest first: IPv4 `(a/32, a/24)`, IPv6 `(/64, /56, /48)`,
            as packed network bytes followed by one byte of prefix length. Never empty.
        fingerprint: the configured device headers, joined; compared only within its network.
        forwarded_by_stranger: the peer sent a forwarding header and is no trusted proxy.
        vouched: the peer is a trusted proxy, whose other headers may be believed as well.
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
        # An address is a person's, and error reporters print the values of a frame.
        return "Origin(...)"


@final
class Credentials(Value):
    """What was typed: `account` exactly as the application reads it; `secret` may be empty where a door has none.

    `new_secret`: what is to take the secret's place; empty where nothing is set.
    """

    __slots__ = ("account", "new_secret", "secret")

    def __init__(
        self,
        account: str,
        secret: str,
        new_secret: str = "",
    ) -> None:
        self.account: Final = account
        self.secret: Final = secret
        self.new_secret: Final = new_secret

    def __repr__(self) -> str:
        # Tracebacks and debug logs print values; these must never be among them.
        return "Credentials(...)"


@final
class Attempt(Value):
    """What `read` hands on. Limit keys count, exact accounts are granted.

    Attributes:
        account: as the application reads it. What is granted is granted to it.
        canonical: the account, whatever it was spelled like: what is ended, kept or looked up for it.
        limit_key: what attempts at it are counted under, shared with all that some database takes for the same; empty
            where that is the canonical account.
    """

    __slots__ = ("account", "canonical", "door", "limit_key", "new_secret", "origin", "secret", "token", "told")

    def __init__(  # noqa: PLR0913, PLR0917 - all that was read of it, in the order of reading
        self,
        door: Door,
        origin: Origin,
        account: str,
        canonical: str,
        secret: str,
        token: str = "",  # the device token as presented, unverified
        new_secret: str = "",  # the password that is chosen here, if any
        told: Exposure = UNKNOWN,  # what a trusted proxy says of these credentials
        limit_key: str = "",
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

    def __repr__(self) -> str:
        return f"Attempt(door={self.door.name!r}, ...)"
