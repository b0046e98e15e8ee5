"""The client's address, and headers that merely claim one."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.read import Addresses, Networks, contains, denies, is_rewritten, packed_address
from sekisho.read.address import fingerprint

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
XFF = b"x-forwarded-for"


def read(
    peer: str | None,
    *lines: bytes,
    header: str = "x-forwarded-for",
    trust_unix: bool = False,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> str:
    headers = [*more, *((header.encode(), line) for line in lines)]
    addresses = Addresses(TRUSTED, header, trust_unix=trust_unix)
    return addresses.read({"client": None if peer is None else (peer, 1), "headers": headers}).address


@pytest.mark.parametrize(
    ("expected", "peer", "lines"),
    [
        ("10.0.0.1", "10.0.0.1", ()),
        ("1.2.3.4", "10.0.0.1", (b"1.2.3.4",)),
        ("1.2.3.4", "10.0.0.1", (b"9.9.9.9, 1.2.3.4",)),  # row 1: entries on the left are made up
        ("8.8.8.8", "8.8.8.8", (b"1.2.3.4",)),  # row 2
        ("1.2.3.4", "10.0.0.1", (b"9.9.9.9", b"1.2.3.4, 10.1.1.1")),  # row 6
        ("9.9.9.9", "10.0.0.1", (b"9.9.9.9", b"10.1.1.1")),
        ("10.1.1.1", "10.0.0.1", (b"10.1.1.1, 10.2.2.2",)),  # row 7: all trusted
        ("1.2.3.4", "fd00::1", (b"1.2.3.4,fd00::2",)),
        ("1.2.3.4", "::ffff:10.0.0.1", (b"::ffff:1.2.3.4",)),  # row 9
        ("1.2.3.4", "10.0.0.1", (b"1.2.3.4:5678",)),
        ("2001:db8::1", "10.0.0.1", (b"[2001:DB8::1]:443",)),
        ("2001:db8::1", "10.0.0.1", (b"2001:0db8:0:0:0:0:0:1",)),
        ("1.2.3.4", "10.0.0.1", (b" \t1.2.3.4\t ",)),
    ],
)
def test_the_chain_is_read_from_the_right(expected: str, peer: str, lines: tuple[bytes, ...]) -> None:
    """The chain is read from the right: the nearest address that is no trusted proxy is the client."""
    assert read(peer, *lines) == expected


@pytest.mark.parametrize(
    "garbage",
    [
        b"unknown",
        b"_hidden",
        b"",
        b"127.1",
        b"0x7f.1",
        b"001.2.3.4",
        b"1.2.3.4.5",
        b"1.2.3.256",
        b"1.2.3",
        b"16909060",
        b"1.2.3.4/24",
        b"1.2.3.4\x00",
        b"\xef\xbc\x91.2.3.4",
        b"[1.2.3.4]",
        b"[::1",
        b"[::1]x",
        b"::1%" + b"a" * 200,
        b"a" * 5_000,
        b"1" * 5_000,
        b"1.2.3.4 9.9.9.9",
    ],
)
def test_a_garbage_hop_ends_the_chain(garbage: bytes) -> None:
    """Row 14: garbage ends the chain: the last valid hop is the client, and raw text is never a key."""
    assert read("10.0.0.1", garbage) == "10.0.0.1"
    assert read("10.0.0.1", b"9.9.9.9, " + garbage + b", 10.3.3.3") == "10.3.3.3"


@pytest.mark.parametrize("name", [b"x-real-ip", b"x_forwarded_for", b"forwarded", b"x-client-ip", b"cf-connecting-ip"])
def test_headers_that_are_not_configured_are_ignored(name: bytes) -> None:
    """Rows 3 and 15: only the configured header is read."""
    assert read("10.0.0.1", more=((name, b"9.9.9.9"),)) == "10.0.0.1"
    assert read("10.0.0.1", b"1.2.3.4", more=((name, b"for=9.9.9.9"),)) == "1.2.3.4"


def test_a_cdns_own_header() -> None:
    """A header with one address is a chain of one hop."""
    assert read("10.0.0.1", b"1.2.3.4", header="CF-Connecting-IP".lower()) == "1.2.3.4"
    assert read("10.0.0.1", b"x", header="cf-connecting-ip") == "10.0.0.1"


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        ("192.0.2.43", (b"for=192.0.2.43",)),
        ("2001:db8:cafe::17", (b'For="[2001:db8:cafe::17]:4711"',)),
        ("192.0.2.60", (b"for=192.0.2.60;proto=http;by=203.0.113.43",)),
        ("198.51.100.17", (b"for=192.0.2.43, for=198.51.100.17",)),
        ("198.51.100.17", (b"for=192.0.2.43", b"for=198.51.100.17;by=10.1.1.1, for=10.2.2.2")),
        ("192.0.2.43", (b'for="192.0.2.43:47011"',)),
        ("192.0.2.43", (b'for="192.0.2.43:_port"',)),
        ("192.0.2.43", (b'host="a,b;for=6.6.6.6" ; FOR = 192.0.2.43',)),
        ("10.0.0.1", (b"for=_gazonk",)),
        ("10.0.0.1", (b"for=unknown",)),
        ("10.0.0.1", (b"192.0.2.43",)),
        ("10.0.0.1", (b"by=10.1.1.1;proto=https",)),
        ("10.0.0.1", (b"for=192.0.2.43;for=9.9.9.9",)),
        ("192.0.2.43", (b'for="9.9.9.9, for=192.0.2.43',)),  # a quote left open by the client
        ("192.0.2.43", (b'for=9.9.9.9;host="', b"for=192.0.2.43")),
        ("192.0.2.43", (b'for="\\", for=192.0.2.43',)),
        ("198.51.100.9", (rb'for=198.51.100.9;host="x\",for=6.6.6.6;a=\"b"',)),  # RFC 9110 section 5.6.4
        ("198.51.100.9", (rb'for=6.6.6.6, for="198.51.100.9";host="\\"',)),
        ("198.51.100.9", (rb'host="\\\",";for=198.51.100.9',)),
        ("2001:db8::7", (rb'for="[2001:db8:\:7]";host="a\;for=6.6.6.6"',)),
        # A proxy that copies a Host unchanged: where its own quoting ends and the client's text begins is unknown.
        ("10.0.0.1", (rb'for=6.6.6.6;x="y, for=198.51.100.9;host="z\"',)),
        ("10.0.0.1", (b'for=198.51.100.9;host=x"',)),
        ("10.0.0.1", (b'for="198.51.100.9',)),
    ],
)
def test_forwarded(expected: str, lines: tuple[bytes, ...]) -> None:
    """RFC 7239: its own examples, and abuses of it."""
    assert read("10.0.0.1", *lines, header="forwarded") == expected


# A client that is itself trusted is a proxy, and the chain goes on behind it.
ADDRESSES = st.ip_addresses().filter(lambda one: not any(one in network for network in TRUSTED)).map(str)
LINES = st.lists(
    st.binary(max_size=60) | st.sampled_from([b"1.2.3.4", b'for="', b"for=1.2.3.4", b",", b'"']), max_size=5
)


@given(client=ADDRESSES, sent=LINES, host=st.text(st.characters(max_codepoint=0xFF), max_size=20))
def test_what_a_proxy_repeats_in_quotes_changes_nothing(client: str, sent: list[bytes], host: str) -> None:
    """No own header and no Host of a client changes its address: the proxy appends what it saw, quoted as in RFC
    9110.
    """
    quoted = host.replace("\\", "\\\\").replace('"', '\\"').encode("latin-1")
    seen = b'for="%b";host="%b"' % (f"[{client}]".encode() if ":" in client else client.encode(), quoted)
    assert (
        read("10.0.0.1", *sent, seen, header="forwarded") == read("10.0.0.1", seen, header="forwarded") == read(client)
    )


def test_the_work_is_bounded() -> None:
    """At most 32 hops and 4 KiB are read, and a text cut in the middle is no address."""
    assert read("10.0.0.1", b"1.2.3.4" + b",10.0.0.2" * 31) == "1.2.3.4"
    assert read("10.0.0.1", b"1.2.3.4" + b",10.0.0.2" * 32) == "10.0.0.2"
    assert read("10.0.0.1", b"1" * 4_084 + b"1.2.3.4") == "10.0.0.1"
    assert read("10.0.0.1", b"x" * 9_000 + b",1.2.3.4") == "1.2.3.4"
    # 4,096 bytes end within `211.2.3.4`: its tail `11.2.3.4` is another address.
    assert read("10.0.0.1", b"2" + b"11.2.3.4" + b" " * 4_088) == "10.0.0.1"


@pytest.mark.parametrize("peer", [None, "testclient", "", "/run/app.sock", "999.1.1.1"])
def test_a_peer_without_an_address_has_no_privilege(peer: str | None) -> None:
    """Row 17: peers without an address share one defined identity without privileges."""
    origin = Addresses(TRUSTED).read({"client": None if peer is None else (peer, 0), "headers": [(XFF, b"1.2.3.4")]})
    assert origin.address == ""
    assert origin.prefixes == Addresses([]).read({"client": None, "headers": []}).prefixes
    assert len(origin.prefixes) == 2
    assert origin.forwarded_by_stranger


def test_a_unix_socket_is_trusted_when_the_settings_say_so() -> None:
    """A balancer on a unix socket may forward if the settings say so."""
    assert read(None, b"9.9.9.9, 1.2.3.4", trust_unix=True) == "1.2.3.4"
    assert read(None, b"nonsense", trust_unix=True) == ""
    assert read("8.8.8.8", b"1.2.3.4", trust_unix=True) == "8.8.8.8"


@pytest.mark.parametrize(
    ("expected", "peer", "headers"),
    [
        (True, "8.8.8.8", [(XFF, b"1.2.3.4")]),
        (True, "8.8.8.8", [(b"forwarded", b"")]),
        (True, "8.8.8.8", [(b"x-real-ip", b"x")]),
        (True, "8.8.8.8", [(b"cf-connecting-ip", b"x")]),
        (False, "8.8.8.8", [(b"via", b"x")]),
        (False, "8.8.8.8", []),
        (False, "10.0.0.1", [(XFF, b"1.2.3.4")]),
    ],
)
def test_strangers_that_forward_are_told(expected: bool, peer: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Rows 5 and R13: a forwarding header from an undeclared balancer is reported."""
    addresses = Addresses(TRUSTED, "cf-connecting-ip")
    assert addresses.read({"client": (peer, 1), "headers": headers}).forwarded_by_stranger is expected


def prefixes(address: str) -> tuple[bytes, ...]:
    return Addresses([]).read({"client": (address, 1), "headers": []}).prefixes


def test_prefixes_of_ipv4() -> None:
    """The address and its /24, each followed by its length."""
    assert prefixes("1.2.3.4") == (b"\1\2\3\4\x20", b"\1\2\3\0\x18")


def test_prefixes_of_ipv6() -> None:
    """Row 16: /64, /56 and /48, narrowest first."""
    expected = tuple(
        ip_network((f"2001:db8:1:2ff:3::{host}", length), strict=False).network_address.packed + bytes([length])
        for host, length in ((4, 64), (4, 56), (4, 48))
    )
    assert prefixes("2001:db8:1:2ff:3::4") == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "::ffff:1.2.3.4", True),  # row 9
        ("1.2.3.4", "::ffff:102:304", True),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.5", False),  # row 10
        ("fe80::1%a", "fe80::1%b", True),  # row 12
        ("2001:db8::1", "2001:db8::ffff", True),  # row 16
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("198.51.100.9", "64:ff9b::198.51.100.9", True),  # NAT64, RFC 6052
        ("64:ff9b::198.51.100.9", "64:ff9b::198.51.100.10", False),
        ("198.51.100.9", "2002:c633:6409::1", True),  # 6to4, RFC 3056
        ("2002:c633:6409::1", "2002:c633:6409:ffff::2", True),
        ("2002:c633:6409::1", "2002:c633:640a::1", False),
        ("198.51.100.9", "2001:0:4136:e378:8000:63bf:39cc:9bf6", True),  # Teredo, RFC 4380
        ("2001:0:4136:e378:8000:63bf:39cc:9bf6", "2001:0:5ef5:79fb:0:1:39cc:9bf6", True),  # at another server
        ("2001:0:4136:e378:8000:63bf:39cc:9bf6", "2001:0:4136:e378:8000:63bf:39cc:9bf5", False),
        ("198.51.100.9", "2001:1:4136:e378:8000:63bf:39cc:9bf6", False),
        # The position of the address in a site's own translator prefix is known to the site alone (RFC 8215).
        ("198.51.100.9", "64:ff9b:1::198.51.100.9", False),
        ("198.51.100.9", "64:ff9b::1:198.51.100.9", False),
    ],
)
def test_spellings_of_one_address(one: str, other: str, same: bool) -> None:
    """Spellings of one address have the same prefixes, other addresses other ones."""
    assert (prefixes(one) == prefixes(other)) is same


HEADERS = st.sampled_from(["x-forwarded-for", "forwarded", "x-real-ip"])


def holds(address: str) -> bool:
    return any(ip_network(address).network_address in network for network in TRUSTED)


@given(ADDRESSES.filter(lambda address: not holds(address)), HEADERS, LINES)
def test_bytes_from_a_stranger_never_change_its_address(peer: str, header: str, lines: list[bytes]) -> None:
    """Invariant 3: no bytes of a stranger that connects directly change its address."""
    headers = [(header.encode(), line) for line in lines]
    addresses = Addresses(TRUSTED, header)
    said = addresses.read({"client": (peer, 1), "headers": headers})
    silent = addresses.read({"client": (peer, 1), "headers": []})
    assert (said.address, said.prefixes) == (silent.address, silent.prefixes)
    assert said.fingerprint == silent.fingerprint


@given(ADDRESSES.filter(lambda address: not holds(address)), LINES, st.booleans(), st.booleans())
def test_bytes_from_a_stranger_behind_a_proxy_never_change_its_address(
    client: str, lines: list[bytes], own_line: bool, rfc7239: bool
) -> None:
    """Invariant 3: nor behind a proxy that appends what it saw, in the same line or another."""
    seen = client.encode()
    if rfc7239:
        seen = b'for="[%b]"' % seen if b":" in seen else b"for=%b" % seen
    sent = [*lines, seen] if own_line or not lines else [*lines[:-1], lines[-1] + b", " + seen]
    header = "forwarded" if rfc7239 else "x-forwarded-for"
    assert read("10.0.0.1", *sent, header=header) == read(client)


@given(st.none() | st.text(max_size=40) | ADDRESSES, HEADERS, LINES, st.booleans())
def test_any_peer_and_header_are_read(peer: str | None, header: str, lines: list[bytes], trust_unix: bool) -> None:
    """Any peer and header are read without an error, and an address is canonical or empty."""
    address = read(peer, *lines, header=header, trust_unix=trust_unix)
    assert address == "" or str(ip_network(address).network_address) == address


@given(ADDRESSES, st.lists(st.tuples(ADDRESSES, st.integers(0, 32)), max_size=6))
def test_networks_hold_what_ipaddress_says(address: str, drawn: list[tuple[str, int]]) -> None:
    """The packed look-up agrees with the standard library, with IPv4-mapped addresses read as IPv4."""
    networks = [ip_network(pair, strict=False) for pair in drawn]
    packed = packed_address(address)
    assert packed is not None
    plain: Any = ip_address(packed)
    expected = any(plain.version == network.version and plain in network for network in networks)
    assert contains(Networks(networks), address) is expected
    assert contains(networks, address) is expected


def test_mapped_networks_hold_plain_callers() -> None:
    """`::ffff:10.0.0.0/104` is 10.0.0.0/8."""
    networks = [IPv6Network("::ffff:10.0.0.0/104")]
    assert contains(networks, "10.1.2.3")
    assert contains([IPv4Network("10.0.0.0/8")], "::ffff:10.1.2.3")
    assert not contains(networks, "")
    assert not Networks([])


def test_the_fingerprint_comes_with_the_origin() -> None:
    """The fingerprint read with the origin equals the one read alone, and no rearrangement of values repeats it."""
    names = ("user-agent", "accept-language")
    headers = [(b"accept-language", b"ja"), (b"user-agent", b"x" * 999), (b"cookie", b"a=b")]
    origin = Addresses([], device_headers=names).read({"client": None, "headers": headers})
    assert origin.fingerprint == fingerprint(dict(headers), (b"user-agent", b"accept-language")) == b"x" * 512 + b"\0ja"


def test_values_do_not_move_between_headers() -> None:
    """A value moved to another header gives another fingerprint."""
    names = (b"a", b"b", b"c")
    seen = {fingerprint({name: b"x"}, names) for name in names} | {fingerprint({}, names)}
    assert len(seen) == 4


def test_a_host_behind_a_translator_is_denied_by_either_address() -> None:
    """An address denied as IPv4 is denied as 6to4 and Teredo too; denying one in IPv6 form denies no other IPv4."""
    four, six = Networks([ip_network("198.51.100.0/24")]), Networks([ip_network("2002::/16")])
    assert denies(four, "2002:c633:6409::1")
    assert denies(four, "64:ff9b::c633:6409")
    assert denies(four, "2001:0:4136:e378:8000:63bf:39cc:9bf6")
    assert denies(six, "2002:c633:6409::1")
    assert not denies(six, "198.51.100.9")
    assert not denies(four, "2002:c633:6509::1")
    assert not denies(four, "")


def test_a_translator_is_no_way_to_be_trusted() -> None:
    """Trust is for an address as written, and not for translated forms of it."""
    assert read("2002:0a00:0001::1", b"9.9.9.9") == "2002:a00:1::1"


@pytest.mark.parametrize(
    ("expected", "peer", "header"),
    [
        (True, "6.6.6.6", b"6.6.6.6, 10.0.0.1"),
        (True, "6.6.6.6", b" 6.6.6.6:443"),
        (True, "2001:db8::6", b"[2001:db8::6]:443,10.0.0.1"),
        (False, "6.6.6.6", b"16.6.6.6, 6.6.6.60"),
        (False, "10.0.0.1", b"6.6.6.6"),
        (False, "6.6.6.6", b""),
        (False, None, b"6.6.6.6"),
        (False, "", b""),
        (False, "unknown", b"unknown"),
        (False, "127.0.0.1", b"127.0.0.1"),  # a health check through a proxy on the same machine
        (False, "::1", b"::1"),
        (False, "127.0.0.1", b"127.0.0.1, 6.6.6.6"),  # a client that names the proxy's address
    ],
)
def test_a_peer_out_of_the_header_is_recognized(expected: bool, peer: str | None, header: bytes) -> None:
    """A peer found in the header was put there by the server: no proxy lists itself."""
    scope = {"client": (peer, 0) if peer is not None else None}
    assert is_rewritten(scope, {XFF: header} if header else {}) is expected
