"""What a site with `SEKISHO_OTEL` has: instruments and spans of OpenTelemetry, and an exporter of metrics where the
application has none.

The instruments are the application's: OpenTelemetry's API hands them to its `MeterProvider`, set early or late. A
provider of our own shows the same only while the application has none.
"""

from __future__ import annotations

import asyncio
import os
import time
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import urlsplit
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider, get_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import get_current_span, get_tracer

from sekisho.metrics.histogram import DecisionHistogram
from sekisho.metrics.instruments import Instruments
from sekisho.model import SettingsError
from sekisho.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

    from sekisho.metrics import Gauges
    from sekisho.metrics.shared import Key
    from sekisho.model import Decision

SCOPE: Final = "sekisho"
SPAN: Final = "sekisho.assess"
STOP_MS_MAX: Final = 5_000
"""How long the last export may hold up the end of the service."""

_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_METRICS: Final = "OTEL_EXPORTER_OTLP_METRICS_"
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
_TEMPORALITY: Final = f"{_METRICS}TEMPORALITY_PREFERENCE"


class Exports:
    """The OpenTelemetry of one process, for all its guards and event loops."""

    def __init__(self) -> None:
        self._instruments = Instruments()
        self._registered = False
        self._own: MeterProvider | None = None
        self._users = 0
        self._lock = Lock()  # event loops of several threads may start at once

    def start(self, counts: Mapping[Key, int], gauges: Callable[[], Gauges | None]) -> None:
        """Export a guard's counts and gauges by OpenTelemetry. For each start, `stop` has to be called once."""
        with self._lock:
            self._instruments.watch(counts, gauges)
            self._users += 1
            self._register()

    def _register(self) -> None:
        if not self._registered:
            self._registered = True
            self._instruments.register(get_meter_provider().get_meter(SCOPE, version(SCOPE)))
        if self._own is None and not application_exports():
            self._own = _own_provider(self._instruments.decided)
            # Should the application set a provider later, that one sends, and ours has nothing to say.
            self._instruments.register(self._own.get_meter(SCOPE, version(SCOPE)), lambda: not application_exports())

    async def stop(self) -> None:
        """End one guard's export. When the last guard stops, the values of our own exporter are sent a last time."""
        with self._lock:
            self._users -= 1
            last = None
            if not self._users:
                last, self._own = self._own, None
        if last is not None:
            await asyncio.to_thread(last.shutdown, STOP_MS_MAX)


@final
class DecisionSpans:
    """Adds a span for each decision to a request that the application traces, and to no other: a flood that no trace
    contains must cost nothing here.

    Args:
        wall_us: Unix time in microseconds.
    """

    def __init__(self, wall_us: Callable[[], int]) -> None:
        self._wall_us = wall_us
        self._tracer = get_tracer(SCOPE, version(SCOPE))

    def __call__(self, us: int, door: str, decision: Decision) -> None:
        if not get_current_span().is_recording():
            return
        end_us = self._wall_us()
        found: dict[str, str | list[str]] = {
            "sekisho.door": door,
            "sekisho.action": decision.action.name.lower(),
            "sekisho.reasons": [finding.reason for finding in decision.findings],
        }
        # Written when the decision is made, so that the path of an attempt has no span to carry.
        span = self._tracer.start_span(SPAN, attributes=found, start_time=(end_us - us) * 1_000)
        span.end(end_us * 1_000)


def application_exports() -> bool:
    """Whether the application has set a `MeterProvider`, also one that does nothing."""
    return isinstance(get_meter_provider(), (MeterProvider, NoOpMeterProvider))


def ensure_exportable(environment: Mapping[str, str]) -> None:
    """Raise `SettingsError` if our own exporter is needed and OpenTelemetry's variables let it send nothing."""
    if not application_exports() and (problem := _problem(environment) or _refused()):
        text = f"{problem}; correct that, or set the application's MeterProvider before LoginGuard is made"
        raise SettingsError(table.OTEL.variable, text)


def _refused() -> str:
    """A refusal of the exporter itself, or nothing. Making one also loads its packages before the first request."""
    try:
        OTLPMetricExporter().shutdown()
    except Exception as error:  # noqa: BLE001 - it names no errors
        return f"the exporter refuses the variables {_OTLP}…: {type(error).__name__}"
    return ""


def _problem(environment: Mapping[str, str]) -> str:
    """A mistake among the variables, or nothing. Values are not told: an endpoint may hold a password."""
    if "otlp" not in environment.get(_EXPORTER, "otlp").split(","):
        return f"sends by otlp, and {_EXPORTER} names another exporter"
    name, protocol = _value(environment, "PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        return f"sends by http/protobuf, and {name} names another protocol"
    name, endpoint = _value(environment, "ENDPOINT", "http://localhost:4318")
    if not _is_url(endpoint):
        return f"{name} is no http or https URL"
    return "" if _is_interval(environment.get(_INTERVAL, "60000")) else f"{_INTERVAL} is no number of milliseconds"


def _value(environment: Mapping[str, str], what: str, default: str) -> tuple[str, str]:
    """The variable that OpenTelemetry reads, and its value: that of metrics goes before that of all signals."""
    found = [(name, environment[name]) for name in (_METRICS + what, _OTLP + what) if environment.get(name)]
    return found[0] if found else (_OTLP + what, default)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_interval(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


class _Exporter(OTLPMetricExporter):
    """Sends the histogram of decision times beside the instruments."""

    def __init__(self, histogram: DecisionHistogram) -> None:
        super().__init__()
        self._histogram = histogram

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        return super().export(self._histogram.added_to(metrics_data, time.time_ns()), timeout_millis, **kwargs)


def _own_provider(decided: Callable[[], Mapping[str, int]]) -> MeterProvider:
    # Each worker counts for itself: without a name of its own, workers would overwrite one another's values.
    unnamed = Resource({"service.instance.id": str(uuid4())})
    is_delta = os.environ.get(_TEMPORALITY, "").strip().upper() in {"DELTA", "LOWMEMORY"}
    exporter = _Exporter(DecisionHistogram(decided, SCOPE, is_delta=is_delta, start_ns=time.time_ns()))
    return MeterProvider([PeriodicExportingMetricReader(exporter)], unnamed.merge(Resource.create()))


EXPORTS: Final = Exports()
