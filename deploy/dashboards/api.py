"""API performance: how fast and how well the processes' HTTP servers answer."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import frame, processes
from dashboards.panels import Look, Query, Words, graph, number
from dashboards.promql import RATE, quantile

CHOSEN = 'job=~"$job",instance=~"$instance"'
SERIES = "http_request_duration_seconds"


def _quantile(share: float, by: str = "") -> str:
    return quantile(share, SERIES, f"{{{CHOSEN}}}", by)


def make() -> Dashboard:
    """Return the dashboard."""
    says = "HTTP requests to OpsPilot's processes: their metrics, health and readiness pages."
    total = f"sum(rate({SERIES}_count{{{CHOSEN}}}{RATE}))"
    failed = f'sum(rate({SERIES}_count{{{CHOSEN},status=~"5.."}}{RATE}))'
    board = frame("API performance", "opspilot-api", says, **processes())
    for panel in (
        number(
            Words("Requests", "Requests answered a second, of all chosen processes."),
            Look("reqps", 6),
            Query(total),
        ),
        number(
            Words("Failed", "Share of answers with a status of 500 or more; 503 is not ready."),
            Look("percentunit", 6, red_from=0.05, alerts=("OpsPilotNotReady",)),
            Query(f"({failed} or vector(0)) / {total}"),
        ),
        number(
            Words("p95", "Nineteen of twenty requests are answered in less than this."),
            Look("s", 6, red_from=1.0),
            Query(_quantile(0.95)),
        ),
        number(
            Words("p99", "Ninety-nine of a hundred requests are answered in less than this."),
            Look("s", 6, red_from=2.5),
            Query(_quantile(0.99)),
        ),
        graph(
            Words("Requests by route", "Requests a second by the route's pattern."),
            Look("reqps"),
            Query(f"sum by (route) (rate({SERIES}_count{{{CHOSEN}}}{RATE}))", "{{route}}"),
        ),
        graph(
            Words("Answers by status", "Answers a second by status."),
            Look("reqps", stacked=True),
            Query(f"sum by (status) (rate({SERIES}_count{{{CHOSEN}}}{RATE}))", "{{status}}"),
        ),
        graph(
            Words("Latency", "How long requests take, of all chosen processes."),
            Look("s", red_from=1.0),
            Query(_quantile(0.5), "p50"),
            Query(_quantile(0.95), "p95"),
            Query(_quantile(0.99), "p99"),
        ),
        graph(
            Words("Latency by route, p95", "Which page is slow."),
            Look("s", red_from=1.0),
            Query(_quantile(0.95, "route"), "{{route}}"),
        ),
        graph(
            Words(
                "Latency by process, p95", "A process that is slow here is busy or stands still."
            ),
            Look("s", red_from=1.0, alerts=("OpsPilotLagWithoutProgress",)),
            Query(_quantile(0.95, "job, instance"), "{{job}} {{instance}}"),
        ),
        graph(
            Words(
                "Not ready, unwell",
                "Answers of 503 a second from the pages of readiness and health.",
                "once a process was not ready when it was asked",
            ),
            Look("reqps", alerts=("OpsPilotNotReady", "OpsPilotLagWithoutProgress")),
            Query(
                f'sum by (job, route) (rate({SERIES}_count{{{CHOSEN},status="503"}}{RATE}))',
                "{{job}} {{route}}",
            ),
        ),
    ):
        board.with_panel(panel)
    return board
