"""Incidents: how many are open and where, how soon they are judged, what people say of it."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Look, Query, Words, bars, graph, number
from dashboards.promql import RATE, quantile

DELAY = "opspilot_end_to_end_delay_seconds"
OPEN = "while an incident is open"


def _delay(share: float, stage: str, window: str) -> str:
    return quantile(share, DELAY, f'{{stage="{stage}"}}', window=window)


def make() -> Dashboard:
    """Return the dashboard."""
    board = frame(
        "Incidents",
        "opspilot-incidents",
        "Open incidents by service and category, time to judgement and plan, feedback.",
        service="label_values(opspilot_open_incidents, service)",
        category="label_values(opspilot_classifications_out_total, category)",
    )
    for panel in (*_numbers(), *_where(), *_judged(), *_said()):
        board.with_panel(panel)
    return board


def _numbers() -> tuple[object, ...]:
    found = "once something was found in the time shown"
    return (
        number(
            Words("Open", "Incidents that are open now."),
            Look("short", 6),
            Query("max(active_incidents_total)"),
        ),
        number(
            Words("Judged", "Verdicts in the time shown; an incident has one per revision."),
            Look("short", 6),
            Query("sum(increase(opspilot_classifications_out_total[$__range]))"),
        ),
        number(
            Words("Time to verdict", "From the latest line behind it, the median.", found),
            Look("s", 6, red_from=60, alerts=("OpsPilotDelayHigh",)),
            Query(_delay(0.5, "classify", "[$__range]")),
        ),
        number(
            Words("Time to plan", "From the latest line behind it, the median.", found),
            Look("s", 6, red_from=60, alerts=("OpsPilotDelayHigh",)),
            Query(_delay(0.5, "recommend", "[$__range]")),
        ),
    )


def _where() -> tuple[object, ...]:
    services = 'sum by (service) (opspilot_open_incidents{service=~"$service"})'
    categories = (
        'sum by (category) (opspilot_open_incidents_judged{category=~"$category|unjudged"})'
    )
    return (
        graph(
            Words("Open incidents", "Over time."),
            Look("short"),
            Query("max(active_incidents_total)", "open"),
        ),
        bars(
            Words("Open by category", "By the latest verdict; unjudged before the first.", OPEN),
            Look("short"),
            Query(categories, "{{category}}"),
        ),
        bars(
            Words(
                "Open by service",
                "At most 20 services have a name here, those of all others are `other`.",
                OPEN,
            ),
            Look("short"),
            Query(services, "{{service}}"),
        ),
        graph(
            Words("Open by service, over time", "The same over time.", OPEN),
            Look("short", stacked=True),
            Query(services, "{{service}}"),
        ),
    )


def _judged() -> tuple[object, ...]:
    verdicts = 'opspilot_classifications_out_total{category=~"$category"}'
    plans = 'opspilot_plans_out_total{category=~"$category"}'
    return (
        graph(
            Words("Verdicts by category", "One per judged revision."),
            Look("short", stacked=True),
            Query(f"sum by (category) (increase({verdicts}{RATE}))", "{{category}}"),
        ),
        graph(
            Words("Verdicts by severity", "One per judged revision."),
            Look("short", stacked=True),
            Query(f"sum by (severity) (increase({verdicts}{RATE}))", "{{severity}}"),
        ),
        graph(
            Words("Plans", "By category."),
            Look("short", stacked=True),
            Query(
                f"sum by (category) (increase({plans}{RATE}))",
                "{{category}}",
            ),
        ),
        graph(
            Words(
                "Time to judgement",
                "From the latest line behind it to verdict and plan.",
                "while something new is found",
            ),
            Look("s", red_from=60, alerts=("OpsPilotDelayHigh",)),
            Query(_delay(0.5, "classify", RATE), "verdict p50"),
            Query(_delay(0.95, "classify", RATE), "verdict p95"),
            Query(_delay(0.5, "recommend", RATE), "plan p50"),
            Query(_delay(0.95, "recommend", RATE), "plan p95"),
        ),
    )


def _said() -> tuple[object, ...]:
    return (
        graph(
            Words("Feedback", "Words of people on verdicts: right, wrong, or withdrawn."),
            Look("short", stacked=True),
            Query(f"sum by (outcome) (increase(opspilot_feedback_total{RATE}))", "{{outcome}}"),
        ),
        graph(
            Words("Feedback that waits", "Words on incidents that are not known yet."),
            Look("short", 6),
            Query("max(opspilot_feedback_waiting)", "waiting"),
        ),
        graph(
            Words("A person is asked", "Verdicts that were too unsure to stand alone."),
            Look("short", 6, alerts=("OpsPilotAbstentions",)),
            Query(f"sum(increase(opspilot_abstentions_total{RATE}))", "abstained"),
        ),
    )
