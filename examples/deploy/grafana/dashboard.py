"""Writes the dashboard for Grafana: `python dashboard.py > sekisho.json`."""

from __future__ import annotations

from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard, DataSourceRef

WIDTH, HEIGHT = 12, 8
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


class Panel(NamedTuple):
    """One graph.

    Attributes:
        title: above it.
        meaning: what an operator reads from it.
        queries: by the legend of their lines.
        unit: as Grafana names it.
    """

    title: str
    meaning: str
    queries: dict[str, str]
    unit: str = "reqps"


DECISIONS = "sum by (le) (rate(sekisho_decision_seconds_bucket[5m]))"
ROWS = {
    "Attack": [
        Panel(
            "Attempts by what was decided",
            "In an attack, `throttle`, `challenge` and `step_up` rise and `allow` does not.",
            {"{{action}}": "sum by (action) (rate(sekisho_attempts_total[1m]))"},
        ),
        Panel(
            "Attempts by door",
            "The door that is attacked.",
            {"{{door}}": "sum by (door) (rate(sekisho_attempts_total[1m]))"},
        ),
        Panel(
            "Why attempts were not allowed",
            "The reasons are explained in docs/answers.md.",
            {"{{reason}}": "sum by (reason) (rate(sekisho_findings_total[1m]))"},
        ),
        Panel(
            "Share of right passwords",
            "60 to 85% on an ordinary day. In an attack it falls.",
            {
                "right": 'sum(rate(sekisho_outcomes_total{outcome="succeeded"}[5m]))'
                " / clamp_min(sum(rate(sekisho_outcomes_total[5m])), 1e-9)"
            },
            "percentunit",
        ),
        Panel(
            "Posture",
            "0 calm, 1 elevated, 2 attack, by door. With SEKISHO_STEP_UP=elevated or attack.",
            {"{{door}}": "max by (door) (sekisho_posture) or vector(0)"},
            "short",
        ),
        Panel(
            "Campaigns of an hour",
            "Recognised, entered an account, ended; counted by each worker. With SEKISHO_CAMPAIGNS=on.",
            {"{{change}}": "sum by (change) (increase(sekisho_campaigns_total[1h])) or vector(0)"},
            "short",
        ),
    ],
    "Owners": [
        Panel(
            "Second proofs",
            "Asked for, shown, and given up behind a right password.",
            {
                "asked": "sum(rate(sekisho_step_ups_asked_total[5m])) or vector(0)",
                "right": 'sum(rate(sekisho_step_up_proofs_total{result="right"}[5m])) or vector(0)',
                "wrong": 'sum(rate(sekisho_step_up_proofs_total{result="wrong"}[5m])) or vector(0)',
                "given up": "sum(rate(sekisho_step_ups_abandoned_total[5m])) or vector(0)",
            },
        ),
        Panel(
            "Strangers in the application",
            "At the limit, further strangers wait and then get 503. Known devices do not.",
            {"now": "sum(sekisho_strangers)", "limit": "sum(sekisho_strangers_max)"},
            "short",
        ),
        Panel(
            "Codes and notices",
            "Codes that left, and notices that were given up. Without codes, owners on new devices stay out.",
            {
                "codes": "sum(rate(sekisho_codes_sent_total[5m])) or vector(0)",
                "notices lost": "sum(rate(sekisho_notices_lost_total[5m])) or vector(0)",
            },
        ),
        Panel(
            "What operators did in an hour",
            "Counted by each worker. `sekisho tail --kind commanded` says who did it, and why.",
            {"{{command}}": "sum by (command) (increase(sekisho_commands_total[1h])) or vector(0)"},
            "short",
        ),
    ],
    "Service": [
        Panel(
            "Time to a decision",
            "The round trip to the store is most of it.",
            {f"p{quantile}": f"histogram_quantile(0.{quantile}, {DECISIONS})" for quantile in (50, 99)},
            "s",
        ),
        Panel(
            "Store and workers",
            "Without the store each worker counts alone.",
            {"the store answers": "min(sekisho_store_up)", "workers": "max(sekisho_workers)"},
            "short",
        ),
        Panel(
            "Attempts that could not be read",
            "After a deployment, a rise means that a door's fields have changed.",
            {"{{door}} {{reason}}": "sum by (door, reason) (rate(sekisho_unreadable_total[5m]))"},
        ),
        Panel(
            "Signs of a mistake in the set-up",
            "The log names each. Answers that cannot be judged give no charge back.",
            {
                "mistakes": "sum(increase(sekisho_misconfigured_total[1h])) or vector(0)",
                "answers not judged": "sum(increase(sekisho_unjudged_total[1h])) or vector(0)",
            },
            "short",
        ),
    ],
}


def built() -> Dashboard:
    board = dashboard.Dashboard("sekisho").uid("sekisho").tags(["sekisho"]).refresh("30s").time("now-1h", "now")
    board.with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
    for row, panels in ROWS.items():
        board.with_row(dashboard.Row(row))
        for panel in panels:
            board.with_panel(_graph(panel))
    return board.build()


def _graph(panel: Panel) -> timeseries.Panel:
    graph = timeseries.Panel().title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
    graph.span(WIDTH).height(HEIGHT).min(0)
    for number, (legend, query) in enumerate(panel.queries.items()):
        graph.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number)))
    return graph


def written() -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(built())


def main() -> None:
    print(written())  # noqa: T201 - its output is the file


if __name__ == "__main__":
    main()
