"""Metrics: the counts of all workers for Prometheus, and those of this process for OpenTelemetry.

Labels hold doors, codes and names that the operator or the guard has set. They never hold an account, an address or
any other text of a client, so the number of time series is bounded by the settings.

`families` and `instruments` need packages that others need not have; they are imported by their own names.
"""

from sekisho.metrics.catalogue import ALL_FAMILIES, Gauges
from sekisho.metrics.shared import Additions, SharedCounts
from sekisho.metrics.sink import MetricsSink

__all__ = ["ALL_FAMILIES", "Additions", "Gauges", "MetricsSink", "SharedCounts"]
