"""Metrics: the counts of all workers, in the formats of Prometheus and OpenMetrics.

Labels hold doors, codes and names that the operator or the guard has set. They never hold an account, an address or
any other text of a client, so the number of time series is bounded by the settings.
"""

from sekisho.metrics.families import ALL_FAMILIES, Gauges, families
from sekisho.metrics.shared import Additions, SharedCounts
from sekisho.metrics.sink import MetricsSink
from sekisho.metrics.timing import DecisionTimes

__all__ = ["ALL_FAMILIES", "Additions", "DecisionTimes", "Gauges", "MetricsSink", "SharedCounts", "families"]
