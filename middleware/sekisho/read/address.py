"""The client's address behind the proxies that the operator trusts, and behind no others.

Each trusted hop vouches for the one before it. So the header is read from the right up to the first untrusted hop:
that hop may have forged all entries to its left (CVE-2026-111934).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Any, Final

from sekisho.model import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Network = IPv4Network | IPv6Network

HOPS_MAX: Final = 32
HEADER_BYTES_MAX: Final = 4_096
STRINGS_MAX: Final = 4 * HOPS_MAX  # quoted strings; a hop has its `for`, `by` and `host`
PEERS_MAX: Final = 256
VALUE_BYTES_MAX: Final = 512  # of a device header; browsers' longest, `user-agent`, takes 300
HOP_CHARS_MAX: Final = 107  # `"[` 45 characters of address, a zone, `]:` and an obfuscated port `"`

_COMMA: Final = ord(",")
_MAPPED: Final = b"\0" * 10 + b"\xff\xff"
_LOOPBACK_6: Final = b"\0" * 15 + b"\x01"
_NAT64: Final = b"\x00\x64\xff\x9b" + b"\0" * 8  # 64:ff9b::/96 (RFC 6052)
_6TO4 = b"\x20\x02"  # 2002::/16 (RFC 3056)
_TEREDO: Final = b"\x20\x01\0\0"  # 2001::/32 (RFC 4380); its last four bytes are the client's address, inverted
_ESCAPE: Final = re.compile(r"\\(.)")
_FORWARDING: Final = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
# No address has prefixes of 254 or 255 bits: only callers without an address share this identity.
_NOWHERE: Final = (b"\0\0\0\0\xff", b"\0\0\0\0\xfe")

Facts = tuple[str | None, bytes | None, bytes, bool]
"""The peer, its forwarding header's value, the device headers, and whether there is any forwarding header."""


class Networks:
    """A set of CIDRs, queried with packed addresses. Each distinct prefix length costs one look-up."""

    __slots__ = ("_four", "_six")

    def __init__(self, networks: Sequence[Network]) -> None:
        found: dict[int, dict[int, set[int]]] = {32: {}, 128: {}}
        for network in map(_unmapped_network, networks):
            shift = network.max_prefixlen - network.prefixlen
            found[network.max_prefixlen].setdefault(shift, set()).add(int(network.network_address) >> shift)
        self._four = tuple((shift, frozenset(masked)) for shift, masked in found[32].items())
        self._six = tuple((shift, frozenset(masked)) for shift, masked in found[128].items())

    def __bool__(self) -> bool:
        return bool(self._four or self._six)

    def holds(self, packed: bytes) -> bool:
        """Whether an address of 4 or 16 bytes is in one of the networks."""
        if len(packed) == 4:  # shifted by hand, in a third of the time of `int.from_bytes`
            number = packed[0] << 24 | packed[1] << 16 | packed[2] << 8 | packed[3]
            of_length = self._four
        else:
            number, of_length = int.from_bytes(packed, "big"), self._six
        for shift, masked in of_length:  # noqa: SIM110 - half the time of any()
            if number >> shift in masked:
                return True
        return False


def contains(networks: Networks | Sequence[Network], address: str) -> bool:
    """Whether an address is in one of the networks. False for text that is no address."""
    packed = packed_address(address)
    known = networks if isinstance(networks, Networks) else Networks(networks)
    return packed is not None and known.holds(packed)


def denies(networks: Networks, address: str) -> bool:
    """Whether the networks contain an address or the IPv4 address in it (NAT64, 6to4, Teredo). False for other text.

    Otherwise a denied host could evade its entry by an IPv6 address.
    """
    packed = packed_address(address)
    if packed is None:
        return False
    behind = behind_translator(packed)
    return networks.holds(packed) or (behind is not None and networks.holds(behind))


def is_rewritten(scope: Mapping[str, Any], by_name: Mapping[bytes, bytes]) -> bool:
    """Whether the server seems to have replaced the peer's address by one of `X-Forwarded-For`: the header contains it.

    Never for a loopback address: on one machine a proxy and its client, as a health check, share that by right.

    Args:
        scope: the ASGI scope.
        by_name: the request's headers by name.
    """
    client, header = scope.get("client"), by_name.get(b"x-forwarded-for", b"")
    host = client[0] if client else ""
    # The header nearly always lacks the address; only otherwise are the hops parsed.
    if not host or host.encode("latin-1", "replace") not in header:
        return False
    peer = packed_address(host)
    if peer is None or peer[:1] == b"\x7f" or peer == _LOOPBACK_6:
        return False
    return any(_hop_address(hop) == peer for hop in _listed_hops(header))


def packed_address(text: str) -> bytes | None:
    """Pack an address into 4 or 16 bytes, without its zone; IPv4-mapped IPv6 into 4. `None` for other text.

    Only `inet_pton` decides: parsers disagree about `127.1`, `0x7f.1` and `001.2.3.4`.
    """
    try:
        if ":" not in text:
            return inet_pton(AF_INET, text)
        packed = inet_pton(AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):  # ValueError: NUL, or letters beyond ASCII
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


class Addresses:
    """Reads who calls from a scope.

    Args:
        trusted: the trusted proxies.
        header: the one header that they write: `x-forwarded-for`, `forwarded` (RFC 7239), or one that a CDN sets.
        device_headers: names, in lower case, of the headers that make up the fingerprint.
        trust_unix: whether a peer on a unix socket is a trusted proxy. Any local user who can open the socket is then.
    """

    __slots__ = ("_device_headers", "_forwarding", "_header", "_lists", "_peers", "_trust_unix", "_trusted")

    def __init__(
        self,
        trusted: Sequence[Network],
        header: str = "x-forwarded-for",
        device_headers: Sequence[str | bytes] = (),
        *,
        trust_unix: bool = False,
    ) -> None:
        self._trusted = Networks(trusted)
        self._trust_unix = trust_unix
        self._header = header.lower().encode("ascii")
        self._lists = self._header != b"forwarded"
        names = (name if isinstance(name, bytes) else name.encode("ascii") for name in device_headers)
        self._device_headers = tuple(name.lower() for name in names)
        self._forwarding = _FORWARDING | {self._header}
        # Proxies are few, and clients without one keep their connection. A plain dictionary: compiled, it answers in a
        # third of the time of `lru_cache`.
        self._peers: dict[str | None, tuple[bytes | None, bool]] = {}

    def read(self, scope: Mapping[str, Any]) -> Origin:
        """Return the origin of a request: the client's address, networks and fingerprint. No header makes it raise."""
        return self.origin(*self.facts(scope, dict(scope["headers"])))

    def facts(self, scope: Mapping[str, Any], by_name: dict[bytes, bytes]) -> Facts:
        """Return the peer's host, the forwarding header, the fingerprint, and whether any forwarding header came.

        `origin` takes these four. `by_name`: the request's headers by name.
        """
        headers = scope["headers"]
        hops = by_name.get(self._header)
        if hops is not None and len(by_name) != len(headers):
            # Several lines are one list, in their order (RFC 9110 section 5.3).
            hops = b",".join([value for name, value in headers if name == self._header])
        client = scope.get("client")
        forwarded = hops is not None or not self._forwarding.isdisjoint(by_name)
        return client[0] if client else None, hops, fingerprint(by_name, self._device_headers), forwarded

    def is_trusted(self, address: str) -> bool:
        """Whether an address is that of a trusted proxy. False for text that is no address."""
        return contains(self._trusted, address)

    def origin(self, host: str | None, hops: bytes | None, device: bytes, forwarded: bool) -> Origin:
        """Return the origin of a request from the four values that `facts` returned for it."""
        known = self._peers.get(host)
        if known is None:
            known = self._remember_peer(host)
        peer, believed = known
        packed = self._behind(peer, hops) if believed and hops is not None else peer
        return Origin(
            "" if packed is None else _text(packed),
            _prefixes(packed),
            device,
            forwarded and not believed,
            believed,
        )

    def _remember_peer(self, host: str | None) -> tuple[bytes | None, bool]:
        peer = self._read_peer(host)
        if len(self._peers) >= PEERS_MAX:  # bounded: strangers' addresses can only undo the saving
            self._peers.clear()
        self._peers[host] = peer
        return peer

    def _read_peer(self, host: str | None) -> tuple[bytes | None, bool]:
        """The peer's packed address, and whether the peer is trusted."""
        packed = None if host is None else packed_address(host)
        return packed, self._trust_unix if packed is None else self._trusted.holds(packed)

    def _behind(self, peer: bytes | None, header: bytes) -> bytes | None:
        if self._lists and len(header) <= HOP_CHARS_MAX and _COMMA not in header:  # one proxy: the usual case
            return _hop_address(header.decode("latin-1").strip(" \t")) or peer
        nearest = peer
        for hop in _listed_hops(header) if self._lists else _forwarded_hops(header):
            packed = _hop_address(hop)
            # A trusted proxy could not name this hop: the proxy itself is the last known address.
            if packed is None:
                break
            nearest = packed
            if not self._trusted.holds(packed):
                break
        return nearest


def _listed_hops(header: bytes) -> list[str]:
    text = header[-HEADER_BYTES_MAX:].decode("latin-1")
    pieces = text.rsplit(",", HOPS_MAX)
    # Either bound may have truncated the first piece, and a truncated address can be another valid one.
    cut = len(header) > HEADER_BYTES_MAX or len(pieces) > HOPS_MAX
    return [piece.strip(" \t") for piece in (pieces[:0:-1] if cut else pieces[::-1])]


def _forwarded_hops(header: bytes) -> Iterator[str]:
    text, left = header[-HEADER_BYTES_MAX:].decode("latin-1"), HOPS_MAX
    for element, is_first in _parts(text, ","):
        if not left or (is_first and len(header) > HEADER_BYTES_MAX):
            return
        left -= 1
        yield _for(element)


def _parts(text: str, mark: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts between marks outside quoted strings, from the right, and whether each is the leftmost.

    Trusted proxies append on the right, so a client's unclosed quote can only hide text of the client. It stops with
    an empty part at a quote that cannot end a string: its writer does not escape the text that it repeats.
    """
    end = at = len(text)
    place, strings = text.rfind(mark), 0
    while True:
        quote = text.rfind('"', place + 1, at)
        if quote < 0:
            yield text[place + 1 : end], place < 0
            if place < 0:
                return
            end = at = place
            place = text.rfind(mark, 0, at)
            continue
        at, strings = _opening(text, quote), strings + 1
        if at < 0 or strings > STRINGS_MAX:
            yield "", False
            return
        if at < place:
            place = text.rfind(mark, 0, at)


def _opening(text: str, closing: int) -> int:
    """The index of the quote that opens the string closed here (RFC 9110 section 5.6.4); -1 if there is none."""
    if _is_escaped(text, closing):
        return -1
    at = text.rfind('"', 0, closing)
    while at >= 0 and _is_escaped(text, at):
        at = text.rfind('"', 0, at)
    return at


def _is_escaped(text: str, at: int) -> bool:
    start = at
    while start > 0 and text[start - 1] == "\\":
        start -= 1
    return (at - start) % 2 == 1


def _for(element: str) -> str:
    # `host="x;for=1.1.1.1"` repeats the `Host` that a client sent: quoted text must not add a hop.
    pairs = [part.partition("=") for part, _ in _parts(element, ";")]
    values = [value for name, _, value in pairs if name.strip(" \t").lower() == "for"]
    return _unquoted(values[0].strip(" \t")) if len(values) == 1 else ""


def _unquoted(value: str) -> str:
    if value[:1] != '"':
        return value
    return _ESCAPE.sub(r"\1", value[1:-1])


def _hop_address(hop: str) -> bytes | None:
    if len(hop) > HOP_CHARS_MAX:
        return None
    if hop[:1] == "[":
        hop, bracket, port = hop[1:].partition("]")
        if not bracket or ":" not in hop or (port and port[0] != ":"):
            return None
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    return packed_address(hop)


def fingerprint(by_name: dict[bytes, bytes], names: tuple[bytes, ...]) -> bytes:
    """A fingerprint of the client's software: a hint, compared only within one network.

    Joins the values of the named headers (lower case), in the order of `names`, at most 512 bytes of each. The
    separator is NUL, which no header can hold: two different sets of values never join to the same bytes.
    """
    values = []
    for name in names:
        value = by_name.get(name, b"")
        values.append(value if len(value) <= VALUE_BYTES_MAX else value[:VALUE_BYTES_MAX])
    return b"\0".join(values)


def behind_translator(packed: bytes) -> bytes | None:
    """The IPv4 address inside the IPv6 address of a client behind NAT64, 6to4 or Teredo; `None` for all others."""
    if packed.startswith(_NAT64):
        return packed[12:]
    if len(packed) < 16 or packed[0] != _TEREDO[0]:
        return None
    if packed.startswith(_6TO4):
        return packed[2:6]
    return bytes([255 - byte for byte in packed[12:]]) if packed.startswith(_TEREDO) else None


def _text(packed: bytes) -> str:
    """The canonical text of an address."""
    if len(packed) == 4:  # from a table, in half the time of `inet_ntop`
        return f"{_DOTTED[packed[0]]}{_DOTTED[packed[1]]}{_DOTTED[packed[2]]}{_OCTETS[packed[3]]}"
    return inet_ntop(AF_INET6, packed)


_OCTETS: Final = [str(number) for number in range(256)]
_DOTTED: Final = [f"{number}." for number in range(256)]


def _prefixes(packed: bytes | None) -> tuple[bytes, ...]:
    if packed is None:
        return _NOWHERE
    # With NAT64 all of IPv4 shares one /64; with 6to4 each IPv4 address has 65,536 of them, with Teredo one at each
    # server. Count the IPv4 address.
    if len(packed) == 16:
        packed = behind_translator(packed) or packed
    if len(packed) == 4:
        return packed + b"\x20", packed[:3] + b"\0\x18"
    return (
        packed[:8] + b"\0\0\0\0\0\0\0\0\x40",
        packed[:7] + b"\0\0\0\0\0\0\0\0\0\x38",
        packed[:6] + b"\0\0\0\0\0\0\0\0\0\0\x30",
    )


def _unmapped_network(network: Network) -> Network:
    # Mapped addresses are looked up as IPv4, so mapped networks must become IPv4 too, or they would never match.
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network
