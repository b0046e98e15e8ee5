"""Answers that a middleware inside of the guard has compressed, read again: the outcome of a log-in stands in them.

gzip and deflate by the standard library. br and zstd by the package that compressed the answer, which is there where an
answer comes so. `Accept-Encoding` is not taken off instead: what an application is handed stays as the server made it.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def unfolded(headers: Iterable[tuple[bytes, bytes]], body: bytes, bytes_max: int) -> bytes | None:
    """The body of an answer without its `Content-Encoding`; the same object where it has none.

    None: it is damaged, of a coding that cannot be read here, coded twice, or longer than `bytes_max` when unpacked.
    """
    codings = [value.strip().lower() for name, value in headers if name.lower() == b"content-encoding"]
    codings = [coding for coding in codings if coding not in {b"", b"identity"}]
    if not codings:
        return body
    unpack = _UNPACK.get(codings[0]) if len(codings) == 1 else None
    if unpack is None:
        return None
    # One byte more than allowed tells what is too long without unpacking all of it.
    data = unpack(body, bytes_max + 1)
    return data if data is not None and len(data) <= bytes_max else None


def _gunzip(body: bytes, bytes_max: int) -> bytes | None:
    return _inflate(body, _GZIP, bytes_max)


def _inflate_any(body: bytes, bytes_max: int) -> bytes | None:
    # RFC 9110 means zlib's format by `deflate`; some send it without its head.
    data = _inflate(body, _ZLIB, bytes_max)
    return _inflate(body, _RAW, bytes_max) if data is None else data


def _inflate(body: bytes, window: int, bytes_max: int) -> bytes | None:
    inflater = zlib.decompressobj(window)
    try:
        data = inflater.decompress(body, bytes_max)
    except zlib.error:
        return None
    # Half an answer proves nothing, and a second member is read by some and not by others.
    whole = inflater.eof and not inflater.unused_data
    return data if whole or len(data) >= bytes_max else None


def _unbrotli(body: bytes, bytes_max: int) -> bytes | None:
    brotli = _first_of("brotli", "brotlicffi")
    if brotli is None:
        return None
    unpacker = brotli.Decompressor()
    # A package without a limit for its output (`TypeError`) could be made to fill the memory.
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
