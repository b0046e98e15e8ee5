"""Which part of an answer is kept, for any answer."""

from __future__ import annotations

import gzip
from base64 import b64encode
from email.utils import formatdate
from hashlib import md5
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sekisho.corpus.fetch.answer import BODY_BYTES_MAX, RangeAnswer, gzipped
from sekisho.corpus.fetch.failure import Damaged
from sekisho.corpus.fetch.run import _reason, _retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0

suffixes = st.text("0123456789ABCDEF", min_size=35, max_size=35)
rows = st.dictionaries(suffixes, st.integers(0, 9_999_999_999), min_size=1, max_size=40)


def text_of(found: dict[str, int], end: str = "\r\n") -> bytes:
    return end.join(f"{suffix}:{count}" for suffix, count in sorted(found.items())).encode()


def digest_of(body: bytes) -> bytes:
    return md5(body, usedforsecurity=False).digest()


def answer(text: bytes, *, packed: bool = False, digest: str = "") -> RangeAnswer:
    body = gzip.compress(text, mtime=0) if packed else text
    return RangeAnswer(body, "gzip" if packed else "", digest, "")


@given(
    found=rows,
    end=st.sampled_from(["\r\n", "\n"]),
    last=st.booleans(),
    packed=st.booleans(),
    case=st.sampled_from([bytes.upper, bytes.lower]),
)
def test_rows_are_kept_in_any_form(
    found: dict[str, int], end: str, last: bool, packed: bool, case: Callable[[bytes], bytes]
) -> None:
    """In any form all rows seen at least once are kept, in order and unchanged, and nothing else."""
    seen = {suffix: count for suffix, count in found.items() if count}
    assume(seen)
    text = case(text_of(found, end)) + end.encode() * last

    kept = gzip.decompress(gzipped(answer(text, packed=packed)))

    assert kept.split() == text_of(seen).split()


@given(found=rows, packed=st.booleans(), data=st.data())
def test_with_a_checksum_no_change_passes(found: dict[str, int], packed: bool, data: st.DataObject) -> None:
    """With a checksum, of the sent or of the decoded body, a change of any byte is found."""
    text = text_of(found)
    told = b64encode(digest_of(text)).decode()
    sent = answer(text, packed=packed, digest=told)
    where = data.draw(st.integers(0, len(sent.body) - 1))
    other = data.draw(st.binary(max_size=3).filter(lambda piece: piece != sent.body[where : where + 1]))
    changed = sent._replace(body=sent.body[:where] + other + sent.body[where + 1 :])

    try:
        kept = gzipped(changed)
    except Damaged:
        return
    # Bits of a gzip header that say when and where it was packed.
    assert packed
    assert gzip.decompress(kept).split() == text_of({s: n for s, n in found.items() if n}).split()


@given(found=rows, at=st.floats(0, 1, exclude_max=True))
def test_no_beginning_of_a_compressed_range_passes(found: dict[str, int], at: float) -> None:
    """A cut compressed range is refused by its own trailer."""
    whole = answer(text_of(found), packed=True)
    with pytest.raises(Damaged):
        gzipped(whole._replace(body=whole.body[: int(at * len(whole.body))]))


@pytest.mark.parametrize("told", [b64encode(digest_of(b"7" * 35 + b":1")).decode(), digest_of(b"7" * 35 + b":1").hex()])
@pytest.mark.parametrize("packed", [True, False])
def test_checksums_are_read_as_base64_and_as_hex(told: str, packed: bool) -> None:
    """Checksums are read as base64, the RFC's form, and as hex."""
    sent = answer(b"7" * 35 + b":1", packed=packed, digest=told)

    assert gzip.decompress(gzipped(sent)) == b"7" * 35 + b":1"


def test_the_checksum_may_be_of_the_compressed_body() -> None:
    """The checksum may be of the compressed body, as RFC 1864 means it."""
    sent = answer(b"7" * 35 + b":1", packed=True)

    assert gzipped(sent._replace(digest=b64encode(digest_of(sent.body)).decode())) == sent.body


@pytest.mark.parametrize("told", ["=", "Zg==", "f" * 31, "f" * 33, "é" * 32, "０" * 32, " " * 24])
def test_odd_checksums_do_not_pass_for_none(told: str) -> None:
    """An odd checksum does not count as none."""
    with pytest.raises(Damaged, match="checksum"):
        gzipped(answer(b"7" * 35 + b":1", digest=told))


def spread(rows: int) -> bytes:
    """So many rows, evenly spread, each 38 bytes and its line end."""
    return "\r\n".join(f"{(number + 1) * (16**35 // rows) - 1:035X}:10" for number in range(rows)).encode()


def test_a_range_of_the_largest_size_is_kept_and_a_larger_is_not() -> None:
    """A range of 2 MiB, counted after decompression, is kept and a larger one is not: gzip must not fill memory."""
    largest = spread(BODY_BYTES_MAX // 40)
    larger = spread(BODY_BYTES_MAX // 40 + 1)

    assert len(largest) < BODY_BYTES_MAX < len(larger)
    assert gzip.decompress(gzipped(answer(largest, packed=True))) == largest
    with pytest.raises(Damaged, match="more than 2097152 bytes"):
        gzipped(answer(larger, packed=True))


def test_a_lost_tail_shows_where_it_is_longer_than_chance_allows() -> None:
    """A gap of 64 times the mean shows a lost tail; one of 50 is left to the checksum."""
    rows = spread(1_000).split()

    assert gzipped(answer(b"\r\n".join(rows[:950])))
    with pytest.raises(Damaged, match="the last rows are missing"):
        gzipped(answer(b"\r\n".join(rows[:900])))


@given(st.text())
@example("99999999999999999999")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Thu, 01 Jan 0001 00:00:00 +2359")
@example("-1")
@example("٣")
def test_any_retry_after_is_a_wait(told: str) -> None:
    """Any `Retry-After` gives a finite wait, long enough and without an error."""
    seconds = _retry_after_seconds(told, lambda: NOW)

    assert 1 <= seconds < float("inf")


def test_retry_after_in_both_forms() -> None:
    """RFC 9110, 10.2.3."""
    assert _retry_after_seconds("120", lambda: NOW) == 120
    assert _retry_after_seconds(formatdate(NOW + 90, usegmt=True), lambda: NOW) == 90


@given(st.text(max_size=500))
def test_any_error_is_a_short_printable_reason(text: str) -> None:
    """Any error becomes a short printable reason: servers write into their clients' errors."""
    reason = _reason(OSError(text))

    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) <= 140
