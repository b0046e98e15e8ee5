"""The first page of a corpus file: its content, its age, and a digest of the rest.

The page is text, so `head -c 4096` is enough to read it. It is checked byte by byte, so a flipped bit is an error at
the start and not a wrong answer at a log-in.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from sekisho.model.errors import SekishoError

FORMAT: Final = 1
FORMAT_BY_LIMIT_KEY: Final = 2
"""For pairs whose accounts are limit keys; a limit key is shared by all spellings that some database treats as one."""
MAGIC: Final = b"sekisho corpus\n"
HEADER_BYTES: Final = 4096  # one page, so that the entries begin on the next
ENTRY_BYTES: Final = 4

SUFFIX_BITS: Final = 28
CLASS_BITS: Final = 4
ENTRIES_MAX: Final = 2**32 - 1  # limit of an index of 32-bit numbers; four times all that has leaked so far
BITS_MIN: Final = 1
BITS_MAX: Final = 27  # 2**32 entries in buckets of 32
RATE_MAX: Final = 1e-6

KINDS: Final = ("passwords", "pairs")


class CorpusError(SekishoError):
    """A corpus file, or a source of one, cannot be used. The text states the problem and the remedy."""


def bits_for(entries: int) -> int:
    """Return the number of leading bits that name a bucket, so that a bucket has 16 to 32 entries on average."""
    return min(max((entries >> 4).bit_length() - 1, BITS_MIN), BITS_MAX)


class Layout(NamedTuple):
    """The positions of the parts of a file, in bytes from its start."""

    index_at: int
    end: int


@dataclass(frozen=True)
class Header:
    """The header of a corpus file.

    Attributes:
        kind: `passwords` or `pairs`.
        entries: number of different digests.
        bits: number of leading bits of a digest that name its bucket.
        built: Unix time of the build, in seconds.
        key_id: id of the key that the pairs' digests were made with, in hex; empty for passwords.
        payload_blake2b: BLAKE2b-256 of entries and index, in hex.
        format: how accounts of pairs are named: see `FORMAT_BY_LIMIT_KEY`.
    """

    kind: str
    entries: int
    bits: int
    built: int
    key_id: str
    payload_blake2b: str
    format: int = FORMAT

    @property
    def false_positive_rate(self) -> float:
        """The probability that a digest which is not in the file is found."""
        return self.entries / 2.0 ** (self.bits + SUFFIX_BITS)

    @property
    def layout(self) -> Layout:
        index_at = HEADER_BYTES + ENTRY_BYTES * self.entries
        return Layout(index_at, index_at + ENTRY_BYTES * (2**self.bits + 1))

    def render(self) -> bytes:
        """Write one page of text: the magic line, JSON, and blanks."""
        # `format` comes first: a reader of any version looks for it.
        fields = {"format": 0, **asdict(self), "false_positive_rate": self.false_positive_rate}
        digest = blake2b(_json(fields), digest_size=32).hexdigest()
        text = MAGIC + _json({**fields, "header_blake2b": digest}) + b"\n"
        return text.ljust(HEADER_BYTES - 1) + b"\n"

    @classmethod
    def parse(cls, page: bytes) -> Header:
        """Read a page that `render` wrote.

        Raises:
            CorpusError: any byte of the page differs from what `render` would write.
        """
        if not page.startswith(MAGIC):
            raise CorpusError("this is no corpus file: make one with `sekisho corpus build`")
        fields = _fields(page[len(MAGIC) :])
        if fields.get("format") not in {FORMAT, FORMAT_BY_LIMIT_KEY}:
            problem = f"its format is neither {FORMAT} nor {FORMAT_BY_LIMIT_KEY}, which this version reads"
            raise CorpusError(f"{problem}: build it again with this version")
        header = _header(fields)
        # Rendering the header again and comparing checks the digest, the rate and the blanks in one step.
        if header.render() != page:
            raise CorpusError("the header is damaged: build the file again, or copy it again from where it is whole")
        return header


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode()


def _fields(text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        fields = None
    if not isinstance(fields, dict):
        raise CorpusError("the header is damaged: build the file again, or copy it again from where it is whole")
    return fields


def _header(fields: dict[str, Any]) -> Header:
    numbers = [fields.get(name) for name in ("entries", "bits", "built")]
    words = [fields.get(name) for name in ("kind", "key_id", "payload_blake2b")]
    sound = (
        all(type(number) is int for number in numbers)
        and all(type(word) is str for word in words)
        and fields["kind"] in KINDS
        and 0 < fields["entries"] <= ENTRIES_MAX
        and BITS_MIN <= fields["bits"] <= BITS_MAX
        and (fields["format"] == FORMAT or fields["kind"] == "pairs")
    )
    if not sound:
        raise CorpusError("the header is damaged: build the file again, or copy it again from where it is whole")
    return Header(**{name: fields[name] for name in Header.__dataclass_fields__})


def refuse_big_endian() -> None:
    """Refuse big-endian machines, because entries are used in the file's byte order.

    Raises:
        CorpusError: this machine is big-endian.
    """
    if sys.byteorder != "little":
        raise CorpusError("corpus files need a little-endian machine (x86-64, arm64): this one is big-endian")
