"""What is known of a password: every source asked, one answer.

The files are asked for each attempt, in the worker and without waiting. Have I Been Pwned is asked only where they
could not settle it, and never waited for longer than an owner would notice.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.model import UNKNOWN, Exposure, Pair, prevalence

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.breach.reloadable_file import FileWatcher

WAIT_S = 0.1

_ABSENT = Pair.ABSENT
# What nearly every look-up comes to, made once.
_IN_NO_LIST = Exposure(0, _ABSENT)
_IN_NO_CORPUS = Exposure(0, None)


class CorpusFile(Protocol):
    """A live corpus file."""

    def find(self, digest: bytes, /) -> int | None:
        """The prevalence class of a SHA-1, 0 where it is absent, `None` where the file cannot be read now."""

    @property
    def built(self) -> int | None:
        """When it was made, in Unix seconds."""


class PairsFile(Protocol):
    """A live file of pairs, and its key."""

    def find(self, account: str, password: str, /) -> Pair | None:
        """What is known of a canonical account and a password; `None` where that cannot be told now."""


class Online(Protocol):
    """A service that is asked over the network."""

    async def seen(self, digest: bytes, /, *, wait_s: float) -> int | None:
        """How often a SHA-1 was seen in leaks; `None` where no believable answer came in time."""


class BreachLookup:
    """All sources of one service.

    Args:
        corpus, pairs, online: `None` for what is not configured.
        lookout: looks at the files behind the first two.
        corpus_seconds_max: the age from which a corpus is no longer believed when it does not know a password.
        clock_s: Unix time in seconds.
    """

    def __init__(
        self,
        corpus: CorpusFile | None = None,
        pairs: PairsFile | None = None,
        online: Online | None = None,
        *,
        lookout: FileWatcher,
        corpus_seconds_max: int = 0,
        clock_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.has_files: Final = corpus is not None or pairs is not None
        """Whether `look` could ever tell anything."""
        self._corpus = corpus
        self._pairs = pairs
        self._online = online
        self._lookout = lookout
        self._seconds_max = corpus_seconds_max
        self._clock_s = clock_s

    def look(self, account: str, secret: str) -> Exposure:
        """What the files tell of a secret at a canonical account. For every attempt, right or wrong: about 2 us."""
        lookout = self._lookout
        if lookout.clock_s() >= lookout.due_s:
            lookout.look()
        password = None if self._corpus is None else self._corpus.find(_sha1(secret))
        pair = None if self._pairs is None or not account else self._pairs.find(account, secret)
        if password == 0:
            if pair is _ABSENT:
                return _IN_NO_LIST
            if pair is None:
                return _IN_NO_CORPUS
        return UNKNOWN if password is None and pair is None else Exposure(password, pair)

    def would_ask(self, exposure: Exposure) -> bool:
        """Whether the files left open what the network could tell."""
        return self._online is not None and not exposure.password and not self._is_fresh()

    async def ask(self, secret: str, exposure: Exposure) -> Exposure:
        """What the network adds. An old file that does not know a password and a network that is silent: unknown."""
        if self._online is None:
            return exposure
        count = await self._online.seen(_sha1(secret), wait_s=WAIT_S)
        return exposure._replace(password=None if count is None else prevalence(count))

    def _is_fresh(self) -> bool:
        built = None if self._corpus is None else self._corpus.built
        return built is not None and self._clock_s() - built <= self._seconds_max


def _sha1(secret: str) -> bytes:
    # What Have I Been Pwned publishes: a name for a password, not a protection of it.
    return sha1(secret.encode(), usedforsecurity=False).digest()
