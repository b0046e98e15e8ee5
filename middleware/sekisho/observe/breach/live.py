"""A corpus that is replaced while the service runs: asked at every attempt, looked at once a second.

Whoever asks gets an answer from the file that is there, from the new one after a rename, or `None` where there is no
whole file: *could not tell* is for the judge to weigh, and must never look like *clean*. Nobody waits, nobody has to
restart anything, and nothing is read but a header.
"""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING, Final

from sekisho.observe.breach.corpus import Corpus, Identity, Path, identify
from sekisho.observe.breach.header import CorpusError

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_S: Final = 1.0

log = logging.getLogger("sekisho.breach")


class LiveCorpus:
    """The file at a path, whichever it is at the moment.

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
        clock_s: Callable[[], float],
        on_change: Callable[[bool], None],
    ) -> None:
        self._path = path
        self._kind = kind
        self._key_id = key_id
        self._clock_s = clock_s
        self._on_change = on_change
        self._looking = Lock()
        self._corpus: Corpus | None = None
        self._refused: Identity | None = None  # a header that was right above a payload that was not
        self._told = True
        self._look_at_s = clock_s()
        self._look()

    @property
    def built(self) -> int | None:
        """When the file in use was built, in Unix seconds; `None` without one."""
        self._look()
        corpus = self._corpus
        return corpus.header.built if corpus else None

    def find(self, digest: bytes) -> int | None:
        """The class of a digest, 0 if it is in no list, `None` if nobody can tell. See `Corpus.find`."""
        if self._clock_s() >= self._look_at_s:
            self._look()
        corpus = self._corpus
        if corpus is None:
            return None
        try:
            return corpus.find(digest)
        except IndexError:  # an index that points beyond the entries: only damage does
            self._refuse(corpus)
            return None

    def _look(self) -> None:
        # Whoever comes while another looks goes on with what there is: one look a second is enough for all.
        if self._clock_s() < self._look_at_s or not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at_s = self._clock_s() + LOOK_EVERY_S
            self._follow()
        finally:
            self._looking.release()

    def _follow(self) -> None:
        try:
            found = identify(os.stat(self._path))  # noqa: PTH116 - asked at attempts; pathlib would only take longer
            if found == self._refused or (self._corpus and found == self._corpus.identity):
                return
            self._corpus = Corpus.open(self._path, kind=self._kind, key_id=self._key_id)
        except (CorpusError, OSError) as error:
            self._corpus = None
            self._tell(usable=False, why=str(error) if isinstance(error, CorpusError) else f"{self._path}: not there")
        else:
            self._tell(usable=True, why="")

    def _refuse(self, corpus: Corpus) -> None:
        with self._looking:
            if self._corpus is corpus:
                self._corpus, self._refused = None, corpus.identity
                self._tell(usable=False, why=f"{self._path}: its index is damaged: build the file again")

    def _tell(self, *, usable: bool, why: str) -> None:
        if usable == self._told:
            return
        self._told = usable
        if usable:
            log.info("%s: can be used again", self._path)
        else:
            log.error("corpus cannot be used, look-ups answer that nobody can tell: %s", why)
        self._on_change(usable)
