"""Metrics for OpenTelemetry: the instruments, which exporter sends them, and one export over HTTP."""

from __future__ import annotations

import logging
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sekisho.audit.places import LoggerPlace
from sekisho.metrics import ALL_FAMILIES, Gauges
from sekisho.metrics.histogram import DecisionHistogram
from sekisho.metrics.instruments import Instruments
from sekisho.model import SettingsError
from sekisho.wiring import otel
from sekisho.wiring.otel import Exports, ensure_exportable
from tests.asgi.driving import HERE, Shop, guarded, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

GAUGES = Gauges("1.2.3", "enforce", 4, True, 7.5, 2, 9, {"POST /login": 1})

Points = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Reading:
    """Instruments that one reader reads."""

    def __init__(self, *counts: dict[tuple[str, str, str], int]) -> None:
        self.instruments, self.shows = Instruments(), True
        for each in counts:
            self.instruments.watch(each, lambda: GAUGES)
        self._reader = InMemoryMetricReader()
        provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.instruments.register(provider.get_meter("sekisho"), lambda: self.shows)

    def data(self) -> Any:
        return self._reader.get_metrics_data()

    def metrics(self) -> list[Any]:
        data = self.data()
        return (
            [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
            if data
            else []
        )

    def points(self) -> Points:
        return {
            (metric.name, tuple(sorted(point.attributes.items()))): point.value
            for metric in self.metrics()
            for point in metric.data.data_points
        }


def test_counts_become_counters_with_attributes() -> None:
    """Each family is a counter, each label an attribute below `sekisho.`; an attempt with two findings counts once."""
    found = Reading(
        {
            ("POST /login", "throttle", "ip_rate"): 3,
            ("POST /login", "throttle", "account_rate"): 3,
            ("POST /login", "more_findings", "throttle"): 3,
        }
    ).points()
    door, action = ("sekisho.door", "POST /login"), ("sekisho.action", "throttle")
    assert found["sekisho.attempts", (action, door)] == 3
    assert found["sekisho.findings", (action, door, ("sekisho.reason", "ip_rate"))] == 3


def test_decisions_are_counted_by_their_time() -> None:
    """A decision is in one count alone, so that the counts add up to all decisions; the time is in seconds."""
    found = Reading(
        {("", "decision", "250"): 5, ("", "decision", "inf"): 1, ("", "decision", "us"): 2_500_000}
    ).points()
    assert found["sekisho.decisions", (("sekisho.within", "0.00025"),)] == 5
    assert found["sekisho.decisions", (("sekisho.within", "inf"),)] == 1
    assert found["sekisho.decision_time", ()] == 2.5


@pytest.mark.parametrize(
    ("is_delta", "second"),
    [(False, (7, 0.9, [5, 0, 1], 1_000)), (True, (1, 0.2, [0, 0, 0], 2_000))],
)
def test_a_histogram_is_made_of_counts(is_delta: bool, second: tuple[int, float, list[int], int]) -> None:
    """An export has all decisions since the start or, where the collector wants that, those since the last one."""
    counts = {"100": 5, "500": 1, "us": 700_000}
    histogram = DecisionHistogram(lambda: counts, "sekisho", is_delta=is_delta, start_ns=1_000)

    def point(now_ns: int) -> tuple[int, float, list[int], int]:
        reading = Reading({("POST /login", "allow", ""): 1}).data()
        *_, metric = histogram.added_to(reading, now_ns).resource_metrics[0].scope_metrics[0].metrics
        found: Any = metric.data.data_points[0]
        assert (metric.name, metric.unit, found.time_unix_nano) == ("sekisho.decision", "s", now_ns)
        return found.count, found.sum, list(found.bucket_counts[:3]), found.start_time_unix_nano

    assert point(2_000) == (6, 0.7, [5, 0, 1], 1_000)
    counts |= {"inf": 1, "us": 900_000}
    assert point(3_000) == second


def test_gauges_are_measured() -> None:
    found = Reading({}).points()
    assert found == {
        ("sekisho.info", (("sekisho.mode", "enforce"), ("sekisho.version", "1.2.3"))): 1,
        ("sekisho.workers", ()): 4,
        ("sekisho.store_up", ()): 1,
        ("sekisho.corpus_age", ()): 7.5,
        ("sekisho.strangers", ()): 2,
        ("sekisho.strangers_max", ()): 9,
        ("sekisho.posture", (("sekisho.door", "POST /login"),)): 1,
    }


def test_guards_of_one_process_add_up() -> None:
    """Frameworks with one stack per route make several guards; what one that has ended has counted stays."""
    one, other = {("POST /login", "allow", ""): 2}, {("POST /login", "allow", ""): 5}
    reading = Reading(one, other, one)
    assert reading.points()["sekisho.attempts", (("sekisho.action", "allow"), ("sekisho.door", "POST /login"))] == 7


def test_no_counter_falls() -> None:
    """A count read between two that belong together is a little high, and is kept: a fall would look like a restart."""
    counts = {("POST /login", "throttle", "ip_rate"): 4}
    reading = Reading(counts)
    key = "sekisho.attempts", (("sekisho.action", "throttle"), ("sekisho.door", "POST /login"))
    assert reading.points()[key] == 4
    counts["POST /login", "more_findings", "throttle"] = 1
    assert reading.points()[key] == 4


def test_instruments_that_do_not_show_have_no_values() -> None:
    """Our own exporter sends nothing once the application has a provider: everything would be counted twice."""
    reading = Reading({("POST /login", "allow", ""): 2})
    reading.shows = False
    assert reading.points() == {}


def test_names_and_units_follow_the_conventions() -> None:
    """Lower case below `sekisho.`, no `total`, no unit in the name, and a unit each."""
    every = {("POST /login", "allow", "why"): 1, ("", "decision", "100"): 1, ("", "decision", "us"): 1}
    metrics = Reading(every).metrics()
    assert len(metrics) == 2 + 2 + 7
    names = [f"sekisho.{family.name}" for family in ALL_FAMILIES] + [metric.name for metric in metrics]
    assert [name for name in names if not re.fullmatch(r"sekisho\.[a-z]+(_[a-z]+)*", name)] == []
    assert [name for name in names if re.search(r"_(total|seconds|count)$", name)] == []
    units = [f"{{{family.unit}}}" for family in ALL_FAMILIES] + [metric.unit for metric in metrics]
    assert [unit for unit in units if not re.fullmatch(r"s|1|\{[a-z-]+\}", unit)] == []


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.internal:4318"}, ""),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}, ""),
        ({"OTEL_METRICS_EXPORTER": "console,otlp"}, ""),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "sends by http/protobuf, and OTEL_EXPORTER_OTLP_PROTOCOL names another protocol",
        ),
        ({"OTEL_METRICS_EXPORTER": "none"}, "sends by otlp, and OTEL_METRICS_EXPORTER names another exporter"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL"),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://me:key@[collector"},
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is no http or https URL",
        ),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "10s"}, "OTEL_METRIC_EXPORT_INTERVAL is no number of milliseconds"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "OTEL_METRIC_EXPORT_INTERVAL is no number of milliseconds"),
    ],
)
def test_variables_that_export_nothing_stop_the_start(environment: dict[str, str], problem: str) -> None:
    """The variable is named and its value is not; it matters only where our own exporter would send."""
    if not problem:
        return ensure_exportable(environment)
    with pytest.raises(SettingsError) as raised:
        ensure_exportable(environment)
    remedy = "; correct that, or set the application's MeterProvider before LoginGuard is made"
    assert str(raised.value) == f"SEKISHO_OTEL: {problem}{remedy}"
    return None


def test_what_the_exporter_refuses_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its errors quote values, which may be secret: only their kind is told."""

    def refuse() -> None:
        raise ValueError("key=secret")

    monkeypatch.setattr(otel, "OTLPMetricExporter", refuse)
    with pytest.raises(
        SettingsError, match=r"^SEKISHO_OTEL: the exporter refuses the variables .*: ValueError; correct"
    ):
        ensure_exportable({})


@pytest.mark.parametrize("provider", [MeterProvider(shutdown_on_exit=False), NoOpMeterProvider()])
async def test_the_provider_of_the_application_goes_first(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one, there is no exporter of our own, and variables that are wrong for it do not matter."""
    monkeypatch.setattr(otel, "get_meter_provider", lambda: provider)
    ensure_exportable({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    exports = Exports()
    exports.start({}, lambda: None)
    assert exports._own is None
    await exports.stop()


async def test_a_provider_that_the_application_sets_late_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on our own exporter has no values: a backend would add both up."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(otel, "_own_provider", lambda _: MeterProvider([reader], shutdown_on_exit=False))
    exports = Exports()
    exports.start({("POST /login", "allow", ""): 1}, lambda: None)
    assert reader.get_metrics_data() is not None
    monkeypatch.setattr(otel, "get_meter_provider", lambda: MeterProvider(shutdown_on_exit=False))
    assert reader.get_metrics_data() is None
    await exports.stop()


def _traced(monkeypatch: pytest.MonkeyPatch) -> tuple[Tracer, InMemorySpanExporter]:
    """A tracer of the application, and its spans; the provider is set for one test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(otel, "get_tracer", provider.get_tracer)
    return provider.get_tracer("shop"), exporter


async def test_a_traced_request_has_a_span_of_its_decision(
    monkeypatch: pytest.MonkeyPatch, received: list[tuple[str, bytes]]
) -> None:
    """It is a child of the request's span, says what was decided and why, and nothing of the client."""
    tracer, exporter = _traced(monkeypatch)
    guard = guarded(Shop(), otel="on", limit_ip="1/hour")
    with tracer.start_as_current_span("POST /login") as request:
        await log_in(guard, "marked@mail.example")
        await log_in(guard, "marked@mail.example")
    await guard._stop()
    first, second, _ = exporter.get_finished_spans()
    assert [span.name for span in (first, second)] == ["sekisho.assess", "sekisho.assess"]
    assert second.parent is not None
    assert second.parent.span_id == request.get_span_context().span_id
    assert dict(first.attributes or {}) == {
        "sekisho.door": "POST /login",
        "sekisho.action": "allow",
        "sekisho.reasons": (),
    }
    assert dict(second.attributes or {})["sekisho.action"] == "throttle"
    assert (first.end_time or 0) > (first.start_time or 0)
    assert received  # the metrics are not replaced


async def test_a_request_that_is_not_traced_has_no_span(
    monkeypatch: pytest.MonkeyPatch, received: list[tuple[str, bytes]]
) -> None:
    """A flood must not become a flood of traces, and a request that was not sampled stays so."""
    _, exporter = _traced(monkeypatch)
    guard = guarded(Shop(), otel="on")
    await log_in(guard)
    await guard._stop()
    assert exporter.get_finished_spans() == ()


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    """Paths and bodies that a receiver of OTLP got, to which `OTEL_…` variables point."""
    got: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setattr(otel, "EXPORTS", Exports())
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


async def test_attempts_are_exported_over_http(received: list[tuple[str, bytes]]) -> None:
    """A guard alone exports by OTLP what it counted, at the latest when it ends, and nothing of a client."""
    guard = guarded(Shop(), otel="on", limit_ip="2/hour")
    for number in range(3):
        await log_in(guard, f"marked-{number}@mail.example", "marked-secret")
    await guard._stop()

    ((path, body),) = received
    (exported,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert path == "/v1/metrics"
    resource = {one.key: one.value.string_value for one in exported.resource.attributes}
    assert resource["service.name"] == "shop"
    assert re.fullmatch(r"[0-9a-f-]{36}", resource["service.instance.id"])
    metrics = {metric.name: metric for scope in exported.scope_metrics for metric in scope.metrics}
    attempts = metrics["sekisho.attempts"].sum
    by_action = {
        attribute.value.string_value: point.as_int
        for point in attempts.data_points
        for attribute in point.attributes
        if attribute.key == "sekisho.action"
    }
    assert (attempts.is_monotonic, by_action) == (True, {"allow": 2, "throttle": 1})
    assert sum(point.as_int for point in metrics["sekisho.decisions"].sum.data_points) == 3
    (times,) = metrics["sekisho.decision"].histogram.data_points
    assert (times.count, sum(times.bucket_counts), len(times.bucket_counts)) == (3, 3, len(times.explicit_bounds) + 1)
    assert (times.explicit_bounds[0], times.HasField("min"), times.sum > 0) == (0.0001, False, True)
    assert not re.search(rb"marked|mail\.example|" + re.escape(HERE).encode(), body)


def test_lines_of_the_audit_become_logs_of_opentelemetry() -> None:
    """With SEKISHO_AUDIT=logging a handler of OpenTelemetry at the root logger exports each line as it is."""
    exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()  # type: ignore[no-untyped-call]
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    logging.getLogger().addHandler(handler)
    try:
        place = LoggerPlace()
        place.open()
        assert list(place.write([b'{"v":1,"kind":"settled"}\n'])) == [1]
    finally:
        logging.getLogger().removeHandler(handler)
        provider.shutdown()

    (found,) = exporter.get_finished_logs()
    assert found.log_record.body == '{"v":1,"kind":"settled"}'
    assert found.instrumentation_scope is not None
    assert found.instrumentation_scope.name == "sekisho.audit"
    assert found.log_record.severity_text == "INFO"
