"""Decompress answers that a middleware inside sekisho has compressed, to read the outcome of a log-in.

The standard library reads gzip and deflate. The package that compressed the answer reads br and zstd; it is installed
if such an answer occurs. Removing `Accept-Encoding` from the request would change the scope that the application sees.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.model.headers import Header

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def unfolded(headers: Iterable[Header], body: bytes, bytes_max: int) -> bytes | None:
    """Remove the `Content-Encoding` of an answer's body; returns the same object if it has none.

    None: it is damaged, in an unsupported coding, coded twice, or longer than `bytes_max` when unpacked.
    """
    codings = [value.strip().lower() for name, value in headers if name.lower() == b"content-encoding"]
    codings = [coding for coding in codings if coding not in {b"", b"identity"}]
    if not codings:
        return body
    unpack = _UNPACK.get(codings[0]) if len(codings) == 1 else None
    if unpack is None:
        return None
    # One byte over the limit shows that a body is too long, without unpacking all of it.
    data = unpack(body, bytes_max + 1)
    return data if data is not None and len(data) <= bytes_max else None


def _gunzip(body: bytes, bytes_max: int) -> bytes | None:
    return _inflate(body, _GZIP, bytes_max)


def _inflate_any(body: bytes, bytes_max: int) -> bytes | None:
    # `deflate` is zlib's format (RFC 9110); some applications omit the zlib header.
    data = _inflate(body, _ZLIB, bytes_max)
    return _inflate(body, _RAW, bytes_max) if data is None else data


def _inflate(body: bytes, window: int, bytes_max: int) -> bytes | None:
    inflater = zlib.decompressobj(window)
    try:
        data = inflater.decompress(body, bytes_max)
    except zlib.error:
        return None
    # A truncated answer proves nothing, and only some clients read a second member.
    whole = inflater.eof and not inflater.unused_data
    return data if whole or len(data) >= bytes_max else None


def _unbrotli(body: bytes, bytes_max: int) -> bytes | None:
    brotli = _first_of("brotli", "brotlicffi")
    if brotli is None:
        return None
    unpacker = brotli.Decompressor()
    # A package without an output limit raises `TypeError`: unlimited output could exhaust the memory.
    with suppress(brotli.error, TypeError):
        data: bytes = unpacker.process(body, output_buffer_limit=bytes_max)
        return data if unpacker.is_finished() or len(data) >= bytes_max else None
    return None


def _unzstd(body: bytes, bytes_max: int) -> bytes | None:
    zstd = _first_of("compression.zstd", "backports.zstd")
    if zstd is not None:
        unpacker = zstd.ZstdDecompressor()
        with suppress(zstd.ZstdError, EOFError):
            data: bytes = unpacker.decompress(body, max_length=bytes_max)
            return data if unpacker.eof or len(data) >= bytes_max else None
        return None
    zstandard = _first_of("zstandard")
    if zstandard is None:
        return None
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(body)
    with suppress(zstandard.ZstdError):
        read: bytes = reader.read(bytes_max)
        return read
    return None


def _first_of(*modules: str) -> Any:
    for module in modules:
        with suppress(ImportError):
            return import_module(module)
    return None


_UNPACK: dict[bytes, Callable[[bytes, int], bytes | None]] = {
    b"gzip": _gunzip,
    b"x-gzip": _gunzip,
    b"deflate": _inflate_any,
    b"br": _unbrotli,
    b"zstd": _unzstd,
}
