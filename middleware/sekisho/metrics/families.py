"""Counts and gauges as metric families, named by the conventions of Prometheus. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from sekisho.metrics.catalogue import ALL_FAMILIES, GAUGES, HISTOGRAM, summed
from sekisho.record.decision_times import BOUNDS_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from sekisho.metrics.catalogue import Gauges
    from sekisho.metrics.shared import Key


def families(counts: Mapping[Key, int], gauges: Gauges) -> Iterator[Metric]:
    """Yield all counts and gauges as metric families of the Prometheus client.

    Without counts (the store is away) there are only gauges: sums that fell would look like a restart.
    """
    ordered = sorted(summed(counts).items())
    for family in ALL_FAMILIES:
        found = [(labels, count) for (of, labels), count in ordered if of == family]
        if found:
            metric = CounterMetricFamily(f"sekisho_{family.name}", family.help, labels=family.labels)
            for labels, count in found:
                metric.add_metric(labels, count)
            yield metric
    if histogram := _decision_times(counts):
        yield histogram
    yield from _gauges(gauges)


def _decision_times(counts: Mapping[Key, int]) -> Metric | None:
    found = {why: count for (_, what, why), count in counts.items() if what == "decision"}
    if not found:
        return None
    buckets, below = [], 0
    for bound in BOUNDS_US:
        below += found.get(str(bound), 0)
        buckets.append((str(bound / 1e6), below))
    buckets.append(("+Inf", below + found.get("inf", 0)))
    metric = HistogramMetricFamily(*HISTOGRAM)
    metric.add_metric((), buckets, found.get("us", 0) / 1e6)
    return metric


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    info = GaugeMetricFamily("sekisho_info", GAUGES["info"], labels=("version", "mode"))
    info.add_metric((gauges.version, gauges.mode), 1)
    yield info
    numbers: Mapping[str, float | None] = {
        "workers": gauges.workers,
        "store_up": gauges.store_up,
        "corpus_age_seconds": gauges.corpus_age_s,
        "strangers": gauges.strangers,
        "strangers_max": gauges.strangers_max,
    }
    for name, number in numbers.items():
        if number is not None:
            yield GaugeMetricFamily(f"sekisho_{name}", GAUGES[name], value=float(number))
    if gauges.postures is not None:
        found = GaugeMetricFamily("sekisho_posture", GAUGES["posture"], labels=("door",))
        for door, posture in sorted(gauges.postures.items()):
            found.add_metric((door,), posture)
        yield found
