"""Writes docs/metrics.md from the families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.metrics.families import ALL_FAMILIES, GAUGES, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = """# Metrics

<!-- Written by `python -m sekisho.metrics`. Change sekisho/metrics/families.py instead. -->

```sh
pip install '.[metrics]'
export SEKISHO_METRICS_TOKEN=…    # python3 -c 'import secrets; print(secrets.token_urlsafe(48))'
curl -H "Authorization: Bearer $SEKISHO_METRICS_TOKEN" https://shop.example/sekisho/metrics
```

Without the token there are no metrics, and a request without it gets 401. The page stands below `SEKISHO_MOUNT`, in
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

`examples/deploy` has what goes with them:

- `prometheus/prometheus.yml`: how Prometheus reads the page.
- `prometheus/rules.yml`: alerts, each with the page to read; `promtool test rules rules_test.yml` tests them.
- `grafana/sekisho.json`: a dashboard. Import it, and choose your Prometheus. `grafana/dashboard.py` writes it.

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
