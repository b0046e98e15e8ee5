"""Shared by the commands on the audit."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sekisho.cli import operator
from sekisho.cli.right_service import warn_of_other_service
from sekisho.cli.usage import Misused
from sekisho.ledger.opening import open_line
from sekisho.settings.store import MEMORY

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterator

    from sekisho.audit.sealed import RecipientOpener
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection

KEY_BYTES_MAX = 16_384
ENTRIES = 500


def add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="files of the audit, older ones first; - is stdin")


def opened(files: list[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Open files one after the other, and yield the name and the open file of each; `-` is standard input."""
    for name in files:
        if name == "-":
            yield name, sys.stdin.buffer
            continue
        with Path(name).open("rb") as file:
            yield name, file


def opener(path: str) -> RecipientOpener:
    """Return what decrypts sealed names of the audit, by the private key in a file. Raises `Misused` if it has none."""
    from sekisho.audit.sealed import RecipientOpener, private_key  # noqa: PLC0415 - others need not have its package

    with Path(path).open("rb") as file:
        key = private_key(file.read(KEY_BYTES_MAX))
    if key is None:
        raise Misused("the key file holds no private key for X25519 without a password")
    return RecipientOpener(key)


def stored(settings: Settings, key: bytes) -> list[bytes]:
    """Return all lines of a stream in the service's Redis, the oldest first. `key`: names the stream.

    Raises `Unreachable`, and `Misused` where the settings name no Redis.
    """
    return asyncio.run(_stored(settings, key))


async def _stored(settings: Settings, key: bytes) -> list[bytes]:
    if settings.store == MEMORY:
        raise Misused("SEKISHO_STORE names no Redis")
    line = open_line(settings.store, settings.limits, deadline_us=operator.DEADLINE_US)
    try:
        with operator.answering():
            await warn_of_other_service(settings, line)
            return [found async for found in _entries(line, key)]
    finally:
        await line.aclose()


async def _entries(line: AnyStoreConnection, key: bytes) -> AsyncIterator[bytes]:
    start = b"-"
    while found := await line.execute(b"XRANGE", key, start, b"+", b"COUNT", b"%d" % ENTRIES):
        for at, fields in found:
            yield fields[1]
            start = b"(" + at
