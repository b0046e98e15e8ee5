"""The first page of a corpus file: what it holds, for how long it has been so, and whether it is whole.

It is text, so that `head -c 4096` answers an operator who has nothing else at hand, and it is checked byte for byte,
so that a flipped bit is an error at the start and not a wrong answer at the door.
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
"""Of pairs whose accounts are limit keys, which all spellings share that some database takes for one."""
MAGIC: Final = b"sekisho corpus\n"
HEADER_BYTES: Final = 4096  # one page, so that the entries begin on the next
ENTRY_BYTES: Final = 4

SUFFIX_BITS: Final = 28
CLASS_BITS: Final = 4
ENTRIES_MAX: Final = 2**32 - 1  # what an index of 32-bit numbers can count; four times all that has leaked so far
BITS_MIN: Final = 1
BITS_MAX: Final = 27  # 2**32 entries in buckets of 32
RATE_MAX: Final = 1e-6

KINDS: Final = ("passwords", "pairs")


class CorpusError(SekishoError):
    """A corpus file, or what it should be made from, cannot be used. Says what is wrong and what to do."""


def bits_for(entries: int) -> int:
    """How many leading bits name a bucket, so that one holds 16 to 32 entries on average."""
    return min(max((entries >> 4).bit_length() - 1, BITS_MIN), BITS_MAX)


class Layout(NamedTuple):
    """Where things stand in a file, in bytes from its start."""

    index_at: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a corpus file says of itself.

    Attributes:
        kind: `passwords` or `pairs`.
        entries: different digests in it.
        bits: how many leading bits of a digest name its bucket.
        built: when, in Unix seconds.
        key_id: names the key that pairs were digested under, in hex; empty for passwords.
        payload_blake2b: BLAKE2b-256 of entries and index, in hex.
        format: what accounts are called in pairs: see `FORMAT_BY_LIMIT_KEY`.
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
        """How likely a digest that is not in the file is found all the same."""
        return self.entries / 2.0 ** (self.bits + SUFFIX_BITS)

    @property
    def layout(self) -> Layout:
        index_at = HEADER_BYTES + ENTRY_BYTES * self.entries
        return Layout(index_at, index_at + ENTRY_BYTES * (2**self.bits + 1))

    def render(self) -> bytes:
        """One page of text: the magic line, JSON, and blanks."""
        # `format` first, as a reader of any version looks for it.
        fields = {"format": 0, **asdict(self), "false_positive_rate": self.false_positive_rate}
        digest = blake2b(_json(fields), digest_size=32).hexdigest()
        text = MAGIC + _json({**fields, "header_blake2b": digest}) + b"\n"
        return text.ljust(HEADER_BYTES - 1) + b"\n"

    @classmethod
    def parse(cls, page: bytes) -> Header:
        """Read what `render` wrote.

        Raises:
            CorpusError: the page differs from what `render` would write, in whatever byte.
        """
        if not page.startswith(MAGIC):
            raise CorpusError("this is no corpus file: make one with `sekisho corpus build`")
        fields = _fields(page[len(MAGIC) :])
        if fields.get("format") not in {FORMAT, FORMAT_BY_LIMIT_KEY}:
            problem = f"its format is neither {FORMAT} nor {FORMAT_BY_LIMIT_KEY}, which this version reads"
            raise CorpusError(f"{problem}: build it again with this version")
        header = _header(fields)
        # Writing it again and comparing covers the digest, the rate and the blanks in one rule.
        if header.render() != page:
            raise CorpusError("the header is damaged: build the file again, or copy it again from where it is whole")
        return header


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode()


def _fields(text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError too
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
    """Entries are used as they stand in the file, so the machine has to count as the file does.

    Raises:
        CorpusError: it does not.
    """
    if sys.byteorder != "little":
        raise CorpusError("corpus files need a little-endian machine (x86-64, arm64): this one is big-endian")
