"""Combines all sources about a leaked password into one answer.

The files are asked for each attempt, in the worker and without waiting. Have I Been Pwned is asked only if the files
leave the question open, and never delays an answer by more than an owner would notice.
"""

from __future__ import annotations

from asyncio import gather
from hashlib import sha1
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.judge.attempt_kind import tries_password
from sekisho.model import UNKNOWN, Exposure, Pair, prevalence

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.breach.reloadable_file import FileWatcher
    from sekisho.model import Attempt

WAIT_S = 0.1

_ABSENT = Pair.ABSENT
# The most common results, made once.
_IN_NO_LIST = Exposure(0, _ABSENT)
_IN_NO_CORPUS = Exposure(0, None)


class CorpusFile(Protocol):
    """A reloadable corpus file."""

    def find(self, digest: bytes, /) -> int | None:
        """Return the prevalence class of a SHA-1; 0 if it is absent, `None` if the file cannot be read now."""

    @property
    def built(self) -> int | None:
        """Unix time of the build, in seconds; `None` without a file."""


class PairsFile(Protocol):
    """A reloadable file of pairs, and its key."""

    def find(self, account: str, password: str, /) -> Pair | None:
        """Return whether a canonical account leaked with this password; `None` if the file cannot be read now."""


class Online(Protocol):
    """A service that is asked over the network."""

    async def seen(self, digest: bytes, /, *, wait_s: float) -> int | None:
        """Return how often a SHA-1 was seen in leaks; `None` if no trustworthy answer came within `wait_s` seconds."""


class BreachLookup:
    """All sources of one service.

    Args:
        corpus, pairs, online: `None` if not configured.
        lookout: checks the files behind the first two for changes.
        account_of: the name of an attempt's account in lists of leaked pairs.
        corpus_seconds_max: age of a corpus, in seconds, up to which it is trusted that a password has not leaked.
        clock_s: Unix time in seconds.
    """

    def __init__(
        self,
        corpus: CorpusFile | None = None,
        pairs: PairsFile | None = None,
        online: Online | None = None,
        *,
        lookout: FileWatcher,
        account_of: Callable[[Attempt], str] = attrgetter("canonical"),
        corpus_seconds_max: int = 0,
        clock_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.has_files: Final = corpus is not None or pairs is not None
        """Whether `look` has any file to ask."""
        self.has_service: Final = online is not None
        """Whether `ask` has a service to ask."""
        self._corpus = corpus
        self._pairs = pairs
        self._online = online
        self._lookout = lookout
        self._account_of = account_of
        self._seconds_max = corpus_seconds_max
        self._clock_s = clock_s

    def exposure_of(self, attempt: Attempt) -> Exposure:
        """The exposure of an attempt's password, as far as the files know it, and a proxy in front has told.

        Looked up for right and wrong passwords alike, before either is known: the time that it takes reveals nothing.
        """
        if not self.has_files or not tries_password(attempt):
            return attempt.told
        return self.look(self._account_of(attempt), attempt.secret).worst(attempt.told)

    async def of_choice(self, attempt: Attempt) -> Exposure:
        """Return the exposure of the new password that an attempt sets, by the files and, if they are old, online."""
        exposure = self.look(self._account_of(attempt), attempt.new_secret)
        return await self.ask(attempt.new_secret, exposure) if self.would_ask(exposure) else exposure

    def look(self, account: str, secret: str) -> Exposure:
        """Return the exposure of a secret at a canonical account, by the files. Runs for every attempt, in about 2 µs.

        A secret with blanks around it is also looked up without them: Django REST framework strips them, so a leaked
        password would pass as another.
        """
        lookout = self._lookout
        if lookout.clock_s() >= lookout.due_s:
            lookout.look()
        found, bare = self._found(account, secret), secret.strip()
        return found if bare == secret else found.worst(self._found(account, bare))

    def _found(self, account: str, secret: str) -> Exposure:
        password = None if self._corpus is None else self._corpus.find(_sha1(secret))
        pair = None if self._pairs is None or not account else self._pairs.find(account, secret)
        if password == 0:
            if pair is _ABSENT:
                return _IN_NO_LIST
            if pair is None:
                return _IN_NO_CORPUS
        return UNKNOWN if password is None and pair is None else Exposure(password, pair)

    def would_ask(self, exposure: Exposure) -> bool:
        """Whether `ask` could add to this exposure: a service is set, no file knows the password, no corpus is new."""
        return self._online is not None and not exposure.password and not self._is_fresh()

    async def ask(self, secret: str, exposure: Exposure) -> Exposure:
        """Ask the online service about a secret, and return the exposure with its answer.

        If the service gives no answer, the exposure's `password` is None: unknown. Without a service, nothing changes.
        """
        if self._online is None:
            return exposure
        if (bare := secret.strip()) == secret:
            count = await self._online.seen(_sha1(secret), wait_s=WAIT_S)
        else:
            count = _more(*await gather(*[self._online.seen(_sha1(each), wait_s=WAIT_S) for each in (secret, bare)]))
        return exposure._replace(password=None if count is None else prevalence(count))

    def _is_fresh(self) -> bool:
        built = None if self._corpus is None else self._corpus.built
        return built is not None and self._clock_s() - built <= self._seconds_max


def _more(one: int | None, other: int | None) -> int | None:
    """The larger count. Where one is not known, the other tells only of a leak."""
    if one is None or other is None:
        return one or other or None
    return max(one, other)


def _sha1(secret: str) -> bytes:
    # The digest that Have I Been Pwned publishes: a name for a password, not a protection.
    return sha1(secret.encode(), usedforsecurity=False).digest()
