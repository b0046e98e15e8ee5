"""Counts and gauges as observable instruments of OpenTelemetry. They are read when an exporter asks, in its thread.

Names and attributes begin with `sekisho.`, as OpenTelemetry's semantic conventions want of an application's own; units
are UCUM's, with an annotation for counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.metrics import Observation

from sekisho.metrics.catalogue import ALL_FAMILIES, GAUGES, HISTOGRAM, summed
from sekisho.record.decision_times import BOUNDS_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.metrics import CallbackOptions, CallbackT, Meter

    from sekisho.metrics.catalogue import Counted, Family, Gauges
    from sekisho.metrics.shared import Key

DECISIONS: Final = "sekisho.decisions"
DECISION_TIME: Final = "sekisho.decision_time"
WITHIN: Final = "sekisho.within"

_WITHIN: Final = {**{str(us): str(us / 1e6) for us in BOUNDS_US}, "inf": "inf"}


class Gauge(NamedTuple):
    """A gauge.

    Attributes:
        name: without the prefix.
        unit: UCUM's.
        help: as in `GAUGES`.
        read: the values, each with its attributes.
    """

    name: str
    unit: str
    help: str
    read: Callable[[Gauges], list[tuple[float, dict[str, str]]]]


class Instruments:
    """The instruments of one process. Its guards have one set of them: a meter refuses two instruments of one name."""

    def __init__(self) -> None:
        self._counts: list[Mapping[Key, int]] = []
        self._gauges: Callable[[], Gauges | None] = _nothing
        self._highest: dict[Counted, int] = {}

    def watch(self, counts: Mapping[Key, int], gauges: Callable[[], Gauges | None]) -> None:
        """Show these counts in addition to other guards', and these gauges in the place of another guard's.

        The counts of a guard that has ended stay: sums that fell would look like a restart.
        """
        if not any(counts is one for one in self._counts):
            self._counts.append(counts)
        self._gauges = gauges

    def register(self, meter: Meter, shows: Callable[[], bool] = lambda: True) -> None:
        """Create the instruments at a meter. `shows`: whether they report values at the moment."""

        def made(read: Callable[[], Iterator[Observation]]) -> list[CallbackT]:
            return [partial(_observed, read, shows)]

        for family in ALL_FAMILIES:
            read = partial(self._sums, family)
            meter.create_observable_counter(f"sekisho.{family.name}", made(read), f"{{{family.unit}}}", family.help)
        meter.create_observable_counter(DECISIONS, made(self._decisions), "{decision}", HISTOGRAM[1])
        meter.create_observable_counter(DECISION_TIME, made(self._decision_time), "s", HISTOGRAM[1])
        for gauge in _GAUGES:
            measured = partial(self._measured, gauge)
            meter.create_observable_gauge(f"sekisho.{gauge.name}", made(measured), gauge.unit, gauge.help)

    def _sums(self, family: Family) -> Iterator[Observation]:
        found = [(counted, count) for counted, count in summed(self._now()).items() if counted[0] == family]
        for counted, count in found:
            # An event loop may have added the first of two counts that belong together, and a counter must not fall.
            highest = self._highest[counted] = max(count, self._highest.get(counted, 0))
            attributes = {f"sekisho.{label}": value for label, value in zip(family.labels, counted[1], strict=True)}
            yield Observation(highest, attributes)

    def _decisions(self) -> Iterator[Observation]:
        for why, count in self.decided().items():
            if why in _WITHIN:
                yield Observation(count, {WITHIN: _WITHIN[why]})

    def _decision_time(self) -> Iterator[Observation]:
        if (us := self.decided().get("us")) is not None:
            yield Observation(us / 1e6)

    def _measured(self, gauge: Gauge) -> Iterator[Observation]:
        if (gauges := self._gauges()) is not None:
            for value, attributes in gauge.read(gauges):
                yield Observation(value, attributes)

    def decided(self) -> dict[str, int]:
        """The numbers of decisions, each by the smallest time bound that holds it; as `us` the sum of microseconds."""
        return {why: count for (_, what, why), count in self._now().items() if what == "decision"}

    def _now(self) -> dict[Key, int]:
        """The sums of all guards of this process."""
        sums: dict[Key, int] = {}
        for counts in self._counts:
            for key, count in list(counts.items()):  # copied at once: event loops go on counting
                sums[key] = sums.get(key, 0) + count
        return sums


def _observed(
    read: Callable[[], Iterator[Observation]], shows: Callable[[], bool], _options: CallbackOptions
) -> list[Observation]:
    return list(read()) if shows() else []


def _nothing() -> None:
    return None


def _one(value: float | None) -> list[tuple[float, dict[str, str]]]:
    return [] if value is None else [(value + 0, {})]  # a truth value as a number


def _info(gauges: Gauges) -> list[tuple[float, dict[str, str]]]:
    return [(1, {"sekisho.version": gauges.version, "sekisho.mode": gauges.mode})]


def _postures(gauges: Gauges) -> list[tuple[float, dict[str, str]]]:
    return [(int(posture), {"sekisho.door": door}) for door, posture in sorted((gauges.postures or {}).items())]


_GAUGES: Final = (
    Gauge("info", "1", GAUGES["info"], _info),
    Gauge("workers", "{worker}", GAUGES["workers"], lambda gauges: _one(gauges.workers)),
    Gauge("store_up", "1", GAUGES["store_up"], lambda gauges: _one(gauges.store_up)),
    Gauge("corpus_age", "s", GAUGES["corpus_age_seconds"], lambda gauges: _one(gauges.corpus_age_s)),
    Gauge("strangers", "{attempt}", GAUGES["strangers"], lambda gauges: _one(gauges.strangers)),
    Gauge("strangers_max", "{attempt}", GAUGES["strangers_max"], lambda gauges: _one(gauges.strangers_max)),
    Gauge("posture", "1", GAUGES["posture"], _postures),
)
