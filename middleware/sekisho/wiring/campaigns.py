"""The recognition of campaigns by the settings."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, final

from sekisho.record import EventWriter
from sekisho.record.campaigns.exchange import CampaignExchange, CampaignWatch, singly
from sekisho.record.campaigns.places import MemoryCampaigns, StoredCampaigns
from sekisho.record.campaigns.written import CampaignsMac
from sekisho.record.flood import Flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.record import Subjects
    from sekisho.record.campaigns.live import CampaignChange
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection


@final
class CampaignParts:
    """What one process has of it, for all of its event loops.

    Args:
        settings: all of them.
        tell: called with each change that this process hears of.
        clock_us: Unix time in microseconds.
        monotonic_s: a monotonic clock in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[CampaignChange], None],
        clock_us: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._clock_us = clock_us
        self._monotonic_s = monotonic_s
        # By the oldest secret, as counters: all workers name a network alike while a new secret is put in front.
        key = blake2b(settings.secrets[-1], digest_size=32, person=b"sekisho.campaign").digest()
        self.watch = CampaignWatch(tell, lambda network: blake2b(network, key=key, digest_size=16).digest())
        self.here = MemoryCampaigns(clock_us)  # where there is no store

    def writer(self, count: Callable[[str, str, str, int], object], subjects: Subjects) -> EventWriter:
        """Return the writer that notes each attempt's event for the recognition of campaigns."""
        return EventWriter(self.watch, count, flood=partial(Flood, subjects, singly), clock_us=self._clock_us)

    def exchange(self, line: AnyStoreConnection | None) -> CampaignExchange:
        """Return what looks for campaigns on one event loop. `line`: to the store; None if this process is alone."""
        place = self.here if line is None else stored(self._settings, line)
        return CampaignExchange(self.watch, place, self._monotonic_s)


def stored(settings: Settings, line: AnyStoreConnection) -> StoredCampaigns:
    """Return access to the campaigns in the store, which all workers share."""
    return StoredCampaigns(line, settings.namespace, CampaignsMac(settings.listed, settings.namespace))
