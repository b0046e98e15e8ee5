"""A corpus that can be replaced while the service runs: used at every attempt, checked for changes once a second.

Use and check are separate, because an attempt asks several files, and one reading of the clock is enough for all.

An attempt gets its answer from the current file, after a rename from the new one, or `None` if there is no whole file.
The judge weighs `None`, *could not tell*; it must never look like *clean*. No attempt waits, no restart is needed, and
only a header is read. One wait remains: a page that is not in memory, on a disk that does not answer. So keep a corpus
on a local disk.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from functools import partial
from math import inf
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from sekisho.breach.corpus_file import Corpus, Identity, Path, identify
from sekisho.breach.header import FORMAT, CorpusError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOOK_EVERY_S: Final = 1.0
MISSED_MAX: Final = 10  # checks skipped because an earlier one still runs, before a log line

log = logging.getLogger("sekisho.breach")


def nobody_can_tell(digest: bytes) -> None:
    """Return None for every digest: the look-up where there is no file."""


class ReloadableCorpus:
    """The current file at a path.

    Attributes:
        find: the class of a digest, 0 if it is in no list, `None` if there is no usable file. See `Corpus.find`. It is
            replaced whenever the file is exchanged, so callers must not keep it.

    All threads of a worker may ask at once. A file that is missing, damaged, truncated, of another kind or made with
    another key is not used; the next whole file at the path is used automatically. `on_change` is called with `False`
    when the file becomes unusable, also at construction, and with `True` when it is usable again.
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: str,
        key_id: str = "",
        on_change: Callable[[bool], None],
    ) -> None:
        self._path = path
        self._kind = kind
        self._key_id = key_id
        self._on_change = on_change
        self._looking = Lock()
        self._missed = 0  # checks skipped since the running one began
        self._corpus: Corpus | None = None
        self._refused: Identity | None = None  # a file with a valid header and a damaged payload
        self._told = True
        self.find: Callable[[bytes], int | None] = nobody_can_tell
        self.look()

    @property
    def built(self) -> int | None:
        """Unix time of the build of the file in use, in seconds; `None` without one."""
        corpus = self._corpus
        return corpus.header.built if corpus else None

    @property
    def format(self) -> int:
        """The format number of the file in use; `FORMAT`, the first format, without a file."""
        corpus = self._corpus
        return corpus.header.format if corpus else FORMAT

    def look(self) -> None:
        """Check whether the file at the path has been exchanged, and use the new one. `FileWatcher` calls it."""
        # While another thread checks, the caller continues with the current file.
        if not self._looking.acquire(blocking=False):
            self._missed += 1
            if self._missed == MISSED_MAX:
                log.error("%s: its disk does not answer; look-ups use the file that is open", self._path)
            return
        try:
            self._follow()
        finally:
            self._missed = 0
            self._looking.release()

    def _follow(self) -> None:
        try:
            found = identify(os.stat(self._path))  # noqa: PTH116 - runs at attempts; pathlib would be slower
            if found == self._refused or (self._corpus and found == self._corpus.identity):
                return
            self._use(Corpus.open(self._path, kind=self._kind, key_id=self._key_id))
        except (CorpusError, OSError) as error:
            self._use(None)
            self._tell(usable=False, why=str(error) if isinstance(error, CorpusError) else f"{self._path}: not there")
        else:
            self._tell(usable=True, why="")

    def _use(self, corpus: Corpus | None) -> None:
        self._corpus = corpus
        self.find = nobody_can_tell if corpus is None else corpus.finder(partial(self._refuse, corpus))

    def _refuse(self, corpus: Corpus) -> None:
        # Another check may hang with its disk, and this runs at an attempt; a later attempt that meets the damage
        # refuses it.
        if not self._looking.acquire(blocking=False):
            return
        try:
            if self._corpus is corpus:
                self._refused = corpus.identity
                self._use(None)
                self._tell(usable=False, why=f"{self._path}: its index is damaged: build the file again")
        finally:
            self._looking.release()

    def _tell(self, *, usable: bool, why: str) -> None:
        if usable == self._told:
            return
        self._told = usable
        if usable:
            log.info("%s: can be used again", self._path)
        else:
            log.error("corpus cannot be used, so its look-ups answer *unknown*: %s", why)
        self._on_change(usable)


class FileWatcher:
    """Checks files once a second, for all attempts that use them.

    Args:
        files: the files to check.
        clock_s: monotonic seconds.
        start: runs a check without blocking the caller: a disk that hangs (NFS, a lost volume) blocks its readers.

    Attributes:
        due_s: when the next check is due, by `clock_s`; an attempt compares it, and calls `look` if it is due.
    """

    def __init__(
        self,
        files: Sequence[ReloadableCorpus],
        clock_s: Callable[[], float],
        start: Callable[[Callable[[], None]], None] = lambda look: look(),
    ) -> None:
        self._files = tuple(files)
        self._start = start
        self.clock_s = clock_s
        self.due_s = clock_s() + LOOK_EVERY_S if files else inf

    def look(self) -> None:
        """Check all files now. The next check is due in a second."""
        self.due_s = self.clock_s() + LOOK_EVERY_S
        for file in self._files:
            self._start(file.look)


def in_thread(work: Callable[[], None]) -> None:
    """Run a function in a daemon thread, which does not keep the process alive. Does nothing if no thread can start."""
    with suppress(RuntimeError):  # no more threads, or the process is ending: the next check may succeed
        Thread(target=work, name="sekisho corpus", daemon=True).start()


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Run a function in a thread, and wait so many seconds at most. Return whether it ended; raise what it raised."""
    raised: list[BaseException] = []

    def working() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            raised.append(error)

    thread = Thread(target=working, name="sekisho corpus", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()
