"""A fingerprint of the client's software by its headers: a hint, compared only within one network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VALUE_BYTES_MAX: Final = 512  # browsers' longest, `user-agent`, takes 300


def fingerprint(headers: Iterable[tuple[bytes, bytes]], names: tuple[bytes, ...]) -> bytes:
    """Join the values of the named headers (lower case), in the order of `names`, at most 512 bytes of each.

    The separator is NUL, which no header can hold: two different sets of values never join to the same bytes.
    """
    return joined({name: value for name, value in headers if name in names}, names)


def joined(values: Mapping[bytes, bytes], names: tuple[bytes, ...]) -> bytes:
    """The same as `fingerprint`, from headers by name."""
    return b"\0".join([values.get(name, b"")[:VALUE_BYTES_MAX] for name in names])
