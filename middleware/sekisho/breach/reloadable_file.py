"""A corpus that is replaced while the service runs: asked at every attempt, looked at once a second.

Looking and asking are two things, because an attempt asks several files and one glance at the clock is enough for all.

Whoever asks gets an answer from the file that is there, from the new one after a rename, or `None` where there is no
whole file: *could not tell* is for the judge to weigh, and must never look like *clean*. Nobody waits, nobody has to
restart anything, and nothing is read but a header. Only a page that is not in memory can still make a worker wait,
where its disk does not answer: a corpus belongs on a disk of the machine.
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
MISSED_MAX: Final = 10  # looks that found another still under way, before it is said

log = logging.getLogger("sekisho.breach")


def nobody_can_tell(digest: bytes) -> None:
    """What is answered where there is no file to ask."""


class ReloadableCorpus:
    """The file at a path, whichever it is at the moment.

    Attributes:
        find: the class of a digest, 0 if it is in no list, `None` if nobody can tell. See `Corpus.find`. Another
            function whenever the file is exchanged: never keep it.

    A worker's threads may all ask at once. What is found missing, damaged, cut short, of another kind or made under
    another key is not used; the next whole file at the path is, by itself. `on_change` hears `False` when the file
    can no longer be used, at construction too, and `True` when it can again.
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
        self._missed = 0  # looks, since one began that has not ended
        self._corpus: Corpus | None = None
        self._refused: Identity | None = None  # a header that was right above a payload that was not
        self._told = True
        self.find: Callable[[bytes], int | None] = nobody_can_tell
        self.look()

    @property
    def built(self) -> int | None:
        """When the file in use was built, in Unix seconds; `None` without one."""
        corpus = self._corpus
        return corpus.header.built if corpus else None

    @property
    def format(self) -> int:
        """Of the file in use; see `Header`."""
        corpus = self._corpus
        return corpus.header.format if corpus else FORMAT

    def look(self) -> None:
        """Look whether the file has been exchanged. For a `FileWatcher` to call."""
        # Whoever comes while another looks goes on with what there is.
        if not self._looking.acquire(blocking=False):
            self._missed += 1
            if self._missed == MISSED_MAX:
                log.error("%s: its disk does not answer; look-ups are answered from the file as it was", self._path)
            return
        try:
            self._follow()
        finally:
            self._missed = 0
            self._looking.release()

    def _follow(self) -> None:
        try:
            found = identify(os.stat(self._path))  # noqa: PTH116 - asked at attempts; pathlib would only take longer
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
        # A look may hang with its disk, and this runs at an attempt: the next one that meets the damage refuses it.
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
            log.error("corpus cannot be used, look-ups answer that nobody can tell: %s", why)
        self._on_change(usable)


class FileWatcher:
    """Looks at files once a second, for everybody who asks them.

    Args:
        files: to look at.
        clock_s: a clock that only moves forward.
        start: runs a look, where it keeps nobody waiting: a disk that hangs (NFS, a lost volume) hangs whoever asks it.

    Attributes:
        due_s: when the next look is due, by `clock_s`; whoever asks compares, and calls `look` if it is.
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
        """Look at all of them now. The next look is due in a second."""
        self.due_s = self.clock_s() + LOOK_EVERY_S
        for file in self._files:
            self._start(file.look)


def in_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own, which ends with the process and not before what it waits for."""
    with suppress(RuntimeError):  # no more threads, or the process is ending: the next look may be luckier
        Thread(target=work, name="sekisho corpus", daemon=True).start()


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Do it in a thread, and wait so long at most. Whether it ended; what it raised is raised here."""
    raised: list[BaseException] = []

    def working() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            raised.append(error)

    thread = Thread(target=working, name="sekisho corpus", daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()
