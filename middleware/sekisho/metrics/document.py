"""Writes docs/metrics.md from the families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.metrics.catalogue import ALL_FAMILIES, GAUGES, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = """# Metrics

<!-- Written by `python -m sekisho.metrics`. Change sekisho/metrics/catalogue.py instead. -->

```sh
pip install '.[metrics]'
export SEKISHO_METRICS_TOKEN=…    # python3 -c 'import secrets; print(secrets.token_urlsafe(48))'
curl -H "Authorization: Bearer $SEKISHO_METRICS_TOKEN" https://shop.example/sekisho/metrics
```

Prometheus reads a page; [OpenTelemetry](#opentelemetry) is sent what each worker has counted. Either works without the
other. Without the token there is no page, and a request without it gets 401. The page stands below `SEKISHO_MOUNT`, in
the format that the `Accept` header asks for: OpenMetrics, or Prometheus' text.

**Any worker answers for all.** Each worker adds its new counts to a hash in the store once a second. Prometheus needs
one address of the service, behind any balancer. A worker that is killed takes the counts of its last second with it,
and no sum ever falls. With `memory://` there is one worker. While the store is away the page shows gauges alone: sums
that fell would look like a restart, and a graph would show an attack that was none.

**Labels hold doors, codes and names that you or the guard have set**, never an account, an address or any other text
of a client. So the number of time series is bounded by the settings. Door names are those of the settings, as in
`POST /login`.

**Cost.** An attempt is counted in memory in any case. Metrics add the two clock readings of the histogram, about a
microsecond.

## An address of its own

```sh
export SEKISHO_METRICS_LISTEN=127.0.0.1:9464
curl -H "Authorization: Bearer $SEKISHO_METRICS_TOKEN" http://127.0.0.1:9464/metrics
```

Then the page is at that address alone, and no longer below `SEKISHO_MOUNT`, where the internet can ask for it. One
worker listens; when it ends, another follows within a second or two. It is plain HTTP: over a network that others
share, put TLS in front. The token is asked for on loopback too, which is open to the machine's other users and to
requests that an attacker tricks the application into (SSRF). On several machines, let Prometheus read one of them: each
answers for all. A server without ASGI's lifespan listens from the first request that the guard examines.

## Examples

`examples/deploy` has what goes with them:

- `prometheus/prometheus.yml`: how Prometheus reads the page.
- `prometheus/rules.yml`: alerts, each with the page to read; `promtool test rules rules_test.yml` tests them.
- `grafana/sekisho.json`: a dashboard. Import it, and choose your Prometheus. `grafana/dashboard.py` writes it.

## OpenTelemetry

```sh
pip install '.[otel]'
export SEKISHO_OTEL=on
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=shop
```

**Which exporter sends.** If the application has an OpenTelemetry `MeterProvider` (set in its code, or by
`opentelemetry-instrument`), that one does, with its own views, readers and protocol. While it has none, the guard sends
by OTLP over HTTP, and the variables `OTEL_EXPORTER_OTLP_…`, `OTEL_METRIC_EXPORT_…`, `OTEL_SERVICE_NAME` and
`OTEL_RESOURCE_ATTRIBUTES` mean what OpenTelemetry says. Variables with which nothing could be sent stop the start.

**Each worker sends its own counts**, under a random `service.instance.id` unless the application's resource or
`OTEL_RESOURCE_ATTRIBUTES` has one: add the workers up. With a provider of the application's own, give each worker such
an id. No store is read. A worker that is stopped sends its last counts first, for five seconds at most.

**Names** are those below with `sekisho.` in front and neither `_total` nor `_seconds`: `sekisho.attempts` with the
attributes `sekisho.door` and `sekisho.action`.

**The times of decisions** are counted in the worker and become a histogram when the guard's exporter sends:
`sekisho.decision`, in seconds. A provider of the application's own takes values one by one, 2.8 µs for each (SDK 1.45):
the specification's `MetricProducer` for values that were counted elsewhere is missing from the SDK for Python
([opentelemetry-python#4768](https://github.com/open-telemetry/opentelemetry-python/issues/4768)). There the same counts
are `sekisho.decisions` by `sekisho.within` (the smallest bound in seconds that holds the decision; each is in one) and
`sekisho.decision_time`. The guard's exporter sends these too.

**Traces.** A request that the application traces, and whose span is recorded, gets a span `sekisho.assess` for its
decision, with `sekisho.door`, `sekisho.action` and `sekisho.reasons`. OpenTelemetry's middleware has to stand outside
the guard. The guard begins no trace: a flood would be a flood of traces.

**Logs.** `sekisho.events` has all findings as JSON at `INFO`, and `sekisho.refusals` a line for each refusal, both by
Python's `logging`: a handler of OpenTelemetry at the root logger exports them. With `SEKISHO_AUDIT=logging` it also
gets the lines of the [audit](audit.md): each event, in a dialect of your choice.

```python
# pip install opentelemetry-instrumentation-logging
logging.getLogger().addHandler(LoggingHandler(logger_provider=provider))
```

## Counters

Each name begins with `sekisho_` and ends in `_total`.

| Name | Labels | One count is |
|---|---|---|
"""

_GAUGES: Final = """
## Gauges

Of the worker that answers.

| Name | Meaning |
|---|---|
"""


def markdown() -> str:
    return HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for family in ALL_FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
        yield f"| `{family.name}` | {labels} | {family.help} |"
    yield _GAUGES.rstrip("\n")
    for name, text in GAUGES.items():
        yield f"| `sekisho_{name}` | {text} |"
    yield f"\n## Histogram\n\n`{HISTOGRAM[0]}`: {HISTOGRAM[1]} In seconds; the round trip to the store is part of it."
