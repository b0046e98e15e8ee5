"""The files of leaked passwords and pairs, opened once for each process."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.breach.lookup import BreachLookup
from sekisho.breach.pairs import PairDigests, Pairs
from sekisho.breach.reloadable_file import FileWatcher, ReloadableCorpus, in_thread, within
from sekisho.model import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.breach.hibp import Hibp
    from sekisho.model import Attempt
    from sekisho.record import Events
    from sekisho.settings import Settings
    from sekisho.wiring.clocks import Clocks

log = logging.getLogger("sekisho")

DAY_S = 86_400
OPENED_S = 10  # a disk that is awake has opened a file by then


class LeakFiles:
    """Shared by all event loops."""

    def __init__(self, settings: Settings, events: Events, clocks: Clocks) -> None:
        self._settings = settings
        self._clocks = clocks
        self._events = events
        digests = PairDigests(settings.pairs_key)
        self._corpus = self._live("SEKISHO_CORPUS", settings.corpus, "passwords")
        # With another key the service still starts, and look-ups of pairs answer that they cannot tell: a file
        # exchanged too early must not keep the service from restarting.
        pairs = self._live("SEKISHO_PAIRS", settings.pairs, "pairs", digests.key_id)
        self._pairs = Pairs(pairs, digests) if pairs else None
        self._lookout = FileWatcher([file for file in (self._corpus, pairs) if file], clocks.monotonic_s, in_thread)
        self._warn_of_age()

    def breaches(self, online: Hibp | None, account_of: Callable[[Attempt], str]) -> BreachLookup:
        """Return the look-up of leaked passwords and pairs for one event loop: in this process's files and `online`.

        `account_of`: the name of an attempt's account in lists of leaked pairs.
        """
        return BreachLookup(
            self._corpus,
            self._pairs,
            online,
            lookout=self._lookout,
            account_of=account_of,
            corpus_seconds_max=self._seconds_max,
            clock_s=self._clocks.wall_s,
        )

    def _live(self, variable: str, path: str | None, kind: str, key_id: str = "") -> ReloadableCorpus | None:
        if path is None:
            return None
        _ensure_sound(variable, path, kind)
        source = variable.removeprefix("SEKISHO_").lower()
        return ReloadableCorpus(path, kind=kind, key_id=key_id, on_change=partial(self._events.part_answers, source))

    @property
    def _seconds_max(self) -> int:
        return self._settings.corpus_days_max * DAY_S

    @property
    def corpus_age_s(self) -> float | None:
        """Seconds since the file of leaked passwords was built; None without a file."""
        built = self._corpus.built if self._corpus else None
        return None if built is None else self._clocks.wall_s() - built

    def _warn_of_age(self) -> None:
        age_s = self.corpus_age_s
        if age_s is not None and age_s > self._seconds_max:
            log.warning(
                "SEKISHO_CORPUS: was built more than SEKISHO_CORPUS_DAYS_MAX days ago; newer leaks are not in it "
                "[SEK020]"
            )


def _ensure_sound(variable: str, path: str, kind: str) -> None:
    """Raise `SettingsError` for a missing or damaged file at the start; later the same is treated as an outage."""
    problem = "its disk does not answer"
    try:
        if within(OPENED_S, lambda: _ensure_opens(path, kind)):
            return
    except CorpusError as error:
        problem = str(error).removeprefix(f"{path}: ")
    raise SettingsError(variable, f"names a file that cannot be used: {problem}")


def _ensure_opens(path: str, kind: str) -> None:
    Corpus.open(path, kind=kind)
