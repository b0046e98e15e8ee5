"""Bodies are bounded, in any chunking and compression."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Unreadable
from sekisho.read import Body, declared_too_large, decoded

CAP = 1_000


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_any_cut_gives_the_same_bytes(chunks: list[bytes]) -> None:
    """Row 56: any chunking gives the same bytes."""
    body = Body(CAP)
    for chunk in chunks:
        body.add(chunk)
    assert body.bytes == b"".join(chunks)
    assert body.bytes is body.bytes


def test_the_cap_is_exact() -> None:
    """The allowed number of bytes passes, one more is refused (row 54)."""
    body = Body(4)
    body.add(b"1234")
    body.add(b"")
    with pytest.raises(Unreadable, match=r"^413 body_too_large$"):
        body.add(b"5")
    assert body.bytes == b"1234"


@pytest.mark.parametrize(
    ("length", "too_large"),
    [
        (b"1000", False),
        (b"1001", True),
        (b"0", False),
        (b"-1", False),
        (b"", False),
        (b"1e9", False),
        (b"9" * 5_000, True),
        ("²".encode(), False),
    ],
)
def test_declared_lengths(length: bytes, too_large: bool) -> None:
    """A declared length above the bound is believed; nonsense is left to the count."""
    assert declared_too_large([(b"content-length", length)], CAP) is too_large


def test_no_length_is_not_too_large() -> None:
    """A chunked body declares no length and is not too large."""
    assert not declared_too_large([(b"host", b"x")], CAP)


def plain_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def attempt(coding: bytes, body: bytes) -> bytes:
    return decoded([(b"content-encoding", coding)], body, CAP)


@pytest.mark.parametrize("headers", [[], [(b"content-encoding", b"identity")], [(b"content-encoding", b" Identity ")]])
def test_plain_bodies_are_not_copied(headers: list[tuple[bytes, bytes]]) -> None:
    """Without a coding the same object is returned."""
    body = b"username=a"
    assert decoded(headers, body, CAP) is body


@given(st.binary(max_size=CAP))
def test_compressed_bodies_are_read(data: bytes) -> None:
    """Row 53: gzip and deflate are decoded within the bound."""
    assert attempt(b"gzip", gzip.compress(data)) == data
    assert attempt(b"X-GZip", gzip.compress(data)) == data
    assert attempt(b"deflate", zlib.compress(data)) == data


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_bomb_is_refused_at_the_cap(coding: bytes) -> None:
    """A gigabyte packed into a megabyte is refused without unpacking it all."""
    pack = gzip.compress if coding == b"gzip" else zlib.compress
    assert attempt(coding, pack(b"a" * CAP)) == b"a" * CAP
    for size in (CAP + 1, 50_000_000):
        with pytest.raises(Unreadable, match=r"^413 body_too_large$"):
            attempt(coding, pack(b"a" * size))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"username=a",
        gzip.compress(b"a")[:-1],
        gzip.compress(b"a") + b"x",
        gzip.compress(b"a") + gzip.compress(b"b"),
        gzip.compress(b"a")[:-8] + b"\0" * 8,
        zlib.compress(b"a"),
    ],
)
def test_damaged_gzip_is_refused(body: bytes) -> None:
    """Truncated, trailing or wrong gzip data is refused: decoders differ in it."""
    with pytest.raises(Unreadable, match=r"^400 content_damaged$"):
        attempt(b"gzip", body)


def test_raw_deflate_is_refused() -> None:
    """Raw deflate is refused: RFC 9110 means zlib, and servers that accept raw data would read it differently."""
    with pytest.raises(Unreadable, match=r"^400 content_damaged$"):
        attempt(b"deflate", plain_deflate(b"username=a"))


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"gzip,identity", b"", b"compress", b"x" * 9_999])
def test_other_codings_are_refused(coding: bytes) -> None:
    """Unknown and stacked codings are refused."""
    with pytest.raises(Unreadable, match=r"^415 content_encoding$"):
        attempt(coding, gzip.compress(b"a"))


def test_two_headers_are_a_stack() -> None:
    """Two `Content-Encoding` lines mean two codings."""
    with pytest.raises(Unreadable, match=r"^415 content_encoding$"):
        decoded([(b"content-encoding", b"gzip"), (b"content-encoding", b"identity")], gzip.compress(b"a"), CAP)


@given(st.sampled_from([b"gzip", b"deflate", b"x"]), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(coding: bytes, body: bytes) -> None:
    """Nothing but `Unreadable` is ever raised."""
    status = 200
    try:
        attempt(coding, body)
    except Unreadable as error:
        status = error.status
    assert status in {200, 400, 413, 415}
