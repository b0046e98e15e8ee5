"""Reads combination lists into a file of keyed pairs.

Such lists are collected from dumps, forums and stealers' logs, unchecked. Invalid lines are the rule, not the
exception: they are counted by reason, and the others are read. No part of a line ever appears in an error, a log or a
report.

Each line is read separately, in these forms:

- `account:password`, or the same with `;`, a tab or `|`. The first of these four characters separates: passwords
  contain separators often, accounts hardly ever. Commas (too many passwords and names contain one) and blanks do not
  separate.
- `https://shop.example/login:account:password`, as stealers log it, and the same without a scheme if a path shows that
  it is a URL. The URL is dropped.
- `$HEX[70c3a473]`, hashcat's form of a password that a separator or an encoding would have damaged.
- UTF-8, and Windows-1252 for each line that is not UTF-8; UTF-16 and UTF-8 by their byte order marks. Other encodings
  must be named: Shift_JIS, EUC-JP and GBK cannot be distinguished, and half of their bytes are valid Windows-1252.
  Mostly it does not matter, since most passwords are ASCII.

Hashes in place of passwords are skipped, since no client logs in with one.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.breach.header import CorpusError
from sekisho.breach.pairs import PairDigests
from sekisho.corpus.build import build
from sekisho.corpus.reading import LINE_BYTES_MAX, chunks, name_of
from sekisho.corpus.records import of_digests
from sekisho.corpus.sorter import MEMORY_BYTES
from sekisho.model.errors import Unreadable
from sekisho.model.text import utf8
from sekisho.read.account import canonical
from sekisho.read.collation import limit_key
from sekisho.read.names import ACCOUNT_CHARS_MAX, SECRET_BYTES_MAX

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sekisho.breach.header import Header
    from sekisho.breach.progress import Progress
    from sekisho.corpus.records import Records

_SEPARATOR = re.compile(r"[:;|\t]")

# Digits are a port if a path or a separator follows; if they are an account, its password follows.
_SITE = re.compile(
    r"""
    \s*
    (?: [a-z][a-z0-9+.-]{1,31}:// [^/:;|\t]*  # https://shop.example, android://signature@com.example.app
      | [^@/:;|\t\s.]++ (?: \. [^@/:;|\t\s.]++ )++ (?= (?: :\d{1,5} )? / )  # shop.example/, shop.example:8443/
    )
    (?: :\d{1,5} (?= / | [:|\t] [^:;|\t]+ [:;|\t] ) )?
    (?: / [^:|\t]* )?
    [:|\t]
    (?= [^:;|\t]* [:;|\t] )  # what is left is still a pair
    """,
    re.IGNORECASE | re.VERBOSE,
)

_BARE_SITE = re.compile(r"\s*(?:https?|ftp|android)://", re.IGNORECASE)

_HEX = re.compile(r"\$HEX\[((?:[0-9a-f]{2})*)\]", re.IGNORECASE)

_HASH_CHARS_MIN: Final = 29
# 13 letters of DES and 16 hex digits of old MySQL look like passwords, and are read as such.
_HASH = re.compile(
    r"""
      (?: [0-9a-f]{32} | [0-9a-f]{40} | [0-9a-f]{56} | [0-9a-f]{64} | [0-9a-f]{96} | [0-9a-f]{128} ) (?: [:$] .* )?
    | \* [0-9a-f]{40}  # MySQL
    | \$ (?: 1 | 2[abxy]? | 5 | 6 | 7 | y | gy | P | H | S | apr1 | sha1 | argon2\w* | scrypt | pbkdf2[\w-]* ) \$ .+
    | (?: pbkdf2_sha\d+ | bcrypt\w* | argon2 | scrypt | sha1 | md5 ) \$ .+ \$ .+  # Django
    | \{ (?: S?SHA\d* | S?MD5 | CRYPT | ARGON2 | PBKDF2\S* ) \} .+  # LDAP
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Skip(Enum):
    """The reason for skipping a line."""

    NO_SEPARATOR = "no separator"
    ACCOUNT_EMPTY = "empty account"
    PASSWORD_EMPTY = "empty password"  # noqa: S105 - no password
    TOO_LONG = "too long"
    UNDECODABLE = "undecodable"
    ACCOUNT_UNREADABLE = "account unreadable for the guard"
    HASH = "looks like a hash"


@dataclass(frozen=True)
class BuiltPairs:
    """The result of a build.

    Attributes:
        header: the header of the new file; its `entries` are two a pair, fewer if passwords share a stem.
        pairs: lines with a pair, repetitions included.
        skipped: lines without a pair, by reason; blank ones are not counted.
        guessed: lines that were not UTF-8 and were read as Windows-1252. Many of them mean that the list is in another
            encoding, which should be named.
    """

    header: Header
    pairs: int
    skipped: Mapping[Skip, int]
    guessed: int


def build_pairs(
    inputs: Sequence[Path | None],
    output: str | os.PathLike[str],
    key: bytes,
    *,
    reading: ListReading | None = None,
    strict: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    built: int | None = None,
    progress: Progress | None = None,
) -> BuiltPairs:
    """Build a file of pairs from combination lists, and put it at `output` once it is complete.

    Args:
        inputs: lists, gzip or not; `None` is standard input.
        output: path of the new file. Sorting needs some 16 bytes a pair beside it.
        key: `PAIRS_KEY`: see `PairDigests`. Looking pairs up needs the same key.
        reading: how lines are read, the same for all inputs.
        strict: refuse the first line without a pair.
        memory_bytes: size of the part that is sorted in memory.
        built: the date in the header, Unix time in seconds; now by default.
        progress: receives the bytes read, then the progress of sorting.

    Raises:
        CorpusError: an input cannot be read, no line has a pair, the output cannot be written, or (`strict`) a line has
            no pair. The text names the line by its number, never its content.
    """
    reading, digests = reading or ListReading(), PairDigests(key)
    tally = _Tally(reading, digests, lists=len(inputs), strict=strict)
    header = build(
        [_List(path, tally) for path in inputs],
        output,
        kind="pairs",
        key_id=digests.key_id,
        built=built,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    return BuiltPairs(header, tally.pairs, dict(tally.skipped), reading.guessed)


class _List(NamedTuple):
    """A list as a source for `build`."""

    path: Path | None
    tally: _Tally
    ordered: bool = False

    @property
    def name(self) -> str:
        return name_of(self.path)

    @property
    def repeatable(self) -> bool:
        return False  # its lines would be counted again

    def records_min(self) -> int:
        return 0

    def records(self, progress: Progress) -> Iterator[Records]:
        return self.tally.records(self.path, progress)


class _Tally:
    """Turns lines into records, and counts them."""

    def __init__(self, reading: ListReading, digests: PairDigests, *, lists: int, strict: bool) -> None:
        self.pairs = 0
        self.skipped: Counter[Skip] = Counter()
        self._reading = reading
        self._digests = digests
        self._lists_left = lists
        self._strict = strict

    def records(self, path: Path | None, progress: Progress) -> Iterator[Records]:
        number = 1
        for lines in self._reading.lines(chunks(path, progress)):
            kept = self._digested(lines, name_of(path), number)
            self.pairs += len(kept) // 2
            number += len(lines)
            yield of_digests(kept)
        self._lists_left -= 1
        if not self._lists_left and not self.pairs:
            raise CorpusError(f"no line of the input holds a pair{_reasons(self.skipped)}")

    def _digested(self, lines: list[str], name: str, number: int) -> list[bytes]:
        """Return two digests for each pair."""
        pair, exact, stem = self._reading.pair, self._digests.exact, self._digests.stem
        kept: list[bytes] = []
        for at, line in enumerate(lines, number):
            found = pair(line)
            if isinstance(found, tuple):
                kept.append(exact(*found))
                kept.append(stem(*found))
            elif found is not None:
                self._skip(found, name, at)
        return kept

    def _skip(self, why: Skip, name: str, number: int) -> None:
        if self._strict:
            raise CorpusError(f"{name}, line {number}: {why.value}")
        self.skipped[why] += 1


def _reasons(skipped: Counter[Skip]) -> str:
    return "".join(f"; {why.value}: {amount}" for why, amount in skipped.most_common())


class ListReading:
    """Reads the lines of a list.

    Args:
        encoding: the list's encoding; by default UTF-8, and Windows-1252 for lines that are not UTF-8. A byte order
            mark overrides it.
        hashes: accept passwords that look like hashes: some password managers generate 32 hex digits.

    Attributes:
        guessed: lines that were not UTF-8 and were read as Windows-1252. Many of them hint at another encoding.

    Raises:
        CorpusError: the encoding is unknown.
    """

    __slots__ = ("_encoding", "_hashes", "guessed")

    def __init__(self, encoding: str | None = None, *, hashes: bool = False) -> None:
        self._encoding = encoding
        self._hashes = hashes
        self.guessed = 0
        if encoding is not None:
            _ensure_known(encoding)

    def lines(self, chunks: Iterable[bytes]) -> Iterator[list[str]]:
        """Yield the lines of a file that comes in `chunks`, without their ends, some thousands at once."""
        for block in _blocks(self._utf8(chunks)):
            lines = self._decoded(block.replace(b"\r\n", b"\n"))
            if not lines[-1]:
                del lines[-1]  # the text after the last line end
            yield lines

    def pair(self, line: str) -> tuple[str, str] | Skip | None:
        """Return a line's limit key of the account and its password, the reason for skipping it, or `None` if it is
        blank.
        """
        found = split(line)
        if found is None:
            return _unseparated(line)
        if "\ufffd" in line:
            return Skip.UNDECODABLE  # an earlier program, or this one, decoded it wrongly
        # So short a line is within both bounds, since UTF-8 encodes a character in at most four bytes.
        if len(line) > ACCOUNT_CHARS_MAX and _too_long(*found):
            return Skip.TOO_LONG
        typed, password = found
        try:
            account = limit_key(canonical(typed))
        except Unreadable:
            account = ""
        if not account:
            return Skip.ACCOUNT_UNREADABLE if typed.strip() else Skip.ACCOUNT_EMPTY
        return self._beside(account, password)

    def _beside(self, account: str, password: str) -> tuple[str, str] | Skip:
        if not password:
            return Skip.PASSWORD_EMPTY
        if len(password) >= _HASH_CHARS_MIN and not self._hashes and _HASH.fullmatch(password):
            return Skip.HASH
        if password.startswith("$") and (written := _HEX.fullmatch(password)):
            password = self._unhexed(bytes.fromhex(written[1]))
            if "\ufffd" in password:
                return Skip.UNDECODABLE
        return (account, password) if password else Skip.PASSWORD_EMPTY

    def _unhexed(self, written: bytes) -> str:
        return written.decode(self._encoding, "replace") if self._encoding else self._guess(written)

    def _utf8(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Convert the text to UTF-8. In an unknown encoding it stays as it is, and is decoded line by line."""
        chunks = iter(chunks)
        first = b""
        while len(first) < len(codecs.BOM_UTF8) and (chunk := next(chunks, b"")):
            first += chunk
        encoding = _marked(first) or self._encoding
        if encoding is None:
            yield first
            yield from chunks
            return
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        for chunk in chain((first,), chunks):
            yield decoder.decode(chunk).encode("utf-8", "replace")  # only UTF-7 produces lone surrogates
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")

    def _decoded(self, block: bytes) -> list[str]:
        try:
            return block.decode().split("\n")
        except UnicodeDecodeError:
            return [self._guess(line) for line in block.split(b"\n")]

    def _guess(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            text = line.decode("cp1252", "replace")
            self.guessed += "\ufffd" not in text
            return text


def _ensure_known(encoding: str) -> None:
    try:
        "".encode(encoding)  # refuses codecs of the same table that encode no text: hex, zlib
        codecs.getincrementaldecoder(encoding)("replace").decode(b"a:b\n\xff", final=True)
    except (LookupError, ValueError):  # ValueError: a NUL in the name, or a codec without "replace"
        raise CorpusError("no such encoding: give the name of one that Python knows, such as cp932") from None


def split(line: str) -> tuple[str, str] | None:
    """Split a line into account and password, unchanged; `None` if it has no separator."""
    if "/" in line:
        if site := _SITE.match(line):
            line = line[site.end() :]
        elif _BARE_SITE.match(line):
            return None  # otherwise `https` would be an account
    account, colon, password = line.partition(":")
    if colon and ";" not in account and "|" not in account and "\t" not in account:
        return account, password
    found = _SEPARATOR.split(line, maxsplit=1)
    return (found[0], found[1]) if len(found) > 1 else None


def _unseparated(line: str) -> Skip | None:
    if "\ufffd" in line:
        return Skip.UNDECODABLE
    if not line or line.isspace():
        return None
    return Skip.TOO_LONG if len(line) > ACCOUNT_CHARS_MAX + SECRET_BYTES_MAX else Skip.NO_SEPARATOR


def _too_long(account: str, password: str) -> bool:
    # The guard refuses to read these, so no log-in can match them.
    return len(account) > ACCOUNT_CHARS_MAX or len(utf8(password)) > SECRET_BYTES_MAX


def _marked(first: bytes) -> str | None:
    """The encoding of a byte order mark. It overrides the named one, since in no other encoding is the file a text."""
    if first.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines, as many as come at once. Of an endless line, keep only enough to see that it is too long."""
    held = b""
    for chunk in chunks:
        lines, end, rest = chunk.rpartition(b"\n")
        if end:
            yield held + lines + end
            held = rest
        else:
            held = (held + rest)[: LINE_BYTES_MAX + 1]
    if held:
        yield held
