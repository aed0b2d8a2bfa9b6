"""The pipeline: lines in, what is left of them at each stage, how late, and where each went."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Look, Query, Words, graph, number
from dashboards.promql import RATE, quantile

DELAY = "opspilot_end_to_end_delay_seconds"
STAGE = 'stage=~"$stage"'


def _delay(share: float) -> str:
    return quantile(share, DELAY, f"{{{STAGE}}}", "stage")


def make() -> Dashboard:
    """Return the dashboard."""
    board = frame(
        "Pipeline",
        "opspilot-pipeline",
        "Lines, reduction, windows, delay, lag, and the ledger that accounts for every line.",
        stage="label_values(opspilot_ready, stage)",
    )
    for panel in (*_numbers(), *_flow(), *_time(), *_ledger()):
        board.with_panel(panel)
    return board


def _numbers() -> tuple[object, ...]:
    return (
        number(
            Words("Lines", "Log records read a second."),
            Look("ops", 6, alerts=("OpsPilotNoLines",)),
            Query("opspilot:lines:rate5m"),
        ),
        number(
            Words(
                "Lines per digest",
                "How much less analyze sees than ingest.",
                "while lines come in",
            ),
            Look("short", 6),
            Query("opspilot:lines_per_digest:ratio5m"),
        ),
        number(
            Words("Ledger", "Places where the account of lines contradicts itself."),
            Look("short", 6, red_from=1, alerts=("OpsPilotLedgerUnbalanced",)),
            Query("max(opspilot_ledger_contradictions)"),
        ),
        number(
            Words("On their way", "Records received and not yet accounted for; below 0: twice."),
            Look("short", 6, alerts=("OpsPilotLedgerUnbalanced",)),
            Query("sum(max by (topic, partition) (opspilot_ledger_difference_records))"),
        ),
    )


def _flow() -> tuple[object, ...]:
    return (
        graph(
            Words("Through the stages", "Records that leave each stage, a second: a funnel."),
            Look("ops"),
            Query(f"sum(rate(opspilot_lines_in_total{RATE}))", "lines"),
            Query(f"sum(rate(opspilot_events_total{RATE}))", "events"),
            Query(f"sum(rate(opspilot_digests_out_total{RATE}))", "digests"),
            Query(f"sum(rate(opspilot_findings_out_total{RATE}))", "findings"),
            Query(f"sum(rate(opspilot_incident_revisions_total{RATE}))", "incidents"),
            Query(f"sum(rate(opspilot_classifications_out_total{RATE}))", "verdicts"),
            Query(f"sum(rate(opspilot_plans_out_total{RATE}))", "plans"),
        ),
        graph(
            Words("Bytes in", "Bytes of raw records a second."),
            Look("Bps"),
            Query(f"sum(rate(opspilot_raw_bytes_in_total{RATE}))", "bytes"),
        ),
        graph(
            Words("Findings", "Steps in the life of abnormal conditions, by kind."),
            Look("short", stacked=True),
            Query(f"sum by (kind) (increase(opspilot_findings_out_total{RATE}))", "{{kind}}"),
        ),
        graph(
            Words(
                "Lines that needed a correction", "Cut, dated in the future, or without a stamp."
            ),
            Look("ops"),
            Query(f"sum by (flag) (rate(opspilot_lines_flagged_total{RATE}))", "{{flag}}"),
        ),
        graph(
            Words("Shapes", "Layouts of lines in ingest's cache, by process."),
            Look("short", 6),
            Query('opspilot_shapes_cached{job="ingest"}', "{{instance}}"),
        ),
        graph(
            Words("Shape cache", "Share of lines whose layout was already known."),
            Look("percentunit", 6, most=1),
            Query('opspilot_shape_cache_hit_ratio{job="ingest"}', "{{instance}}"),
        ),
        graph(
            Words("A round of ingest", "Time to reduce and publish one round of batches, p95."),
            Look("s"),
            Query(quantile(0.95, "opspilot_batch_seconds"), "p95"),
        ),
    )


def _time() -> tuple[object, ...]:
    return (
        graph(
            Words(
                "Delay",
                "From the append of the latest line behind it to a record's publication: p50, p95.",
                "while something new is found",
            ),
            Look("s", red_from=60, alerts=("OpsPilotDelayHigh",)),
            Query(_delay(0.5), "p50 {{stage}}"),
            Query(_delay(0.95), "p95 {{stage}}"),
        ),
        graph(
            Words(
                "Later than a minute",
                "Share of the records of 15 minutes; of plans it is promised to be small.",
                "while something new is found",
            ),
            Look("percentunit", red_from=0.05, most=1, alerts=("OpsPilotDelayHigh",)),
            Query(f"stage:opspilot_delay_over_minute:share15m{{{STAGE}}}", "{{stage}}"),
        ),
        graph(
            Words("Lag", "Records of its source that a stage has yet to work on."),
            Look("short", alerts=("OpsPilotBehind", "OpsPilotLagWithoutProgress")),
            Query(f"stage:opspilot_consumer_lag_records:sum{{{STAGE}}}", "{{stage}}"),
        ),
        graph(
            Words(
                "Watermarks", "Append time less event time that is complete, by digest partition."
            ),
            Look("s", alerts=("OpsPilotWindowsHeld",)),
            Query("max by (partition) (opspilot_watermark_lag_seconds)", "{{partition}}"),
        ),
        graph(
            Words("Windows open", "Ten-second slots not yet judged, by digest partition."),
            Look("short", alerts=("OpsPilotWindowsHeld",)),
            Query("max by (partition) (opspilot_windows_open)", "{{partition}}"),
        ),
        graph(
            Words("Digests", "What analyze made of them: applied, late, or known already."),
            Look("ops", stacked=True),
            Query(f"sum by (outcome) (rate(opspilot_digests_applied_total{RATE}))", "{{outcome}}"),
        ),
    )


def _ledger() -> tuple[object, ...]:
    return (
        graph(
            Words("Where records went", "By fate, since the first offset: what the ledger says."),
            Look("short", alerts=("OpsPilotLedgerUnbalanced",)),
            Query(
                "sum by (fate) (max by (topic, partition, fate) (opspilot_ledger_records))",
                "{{fate}}",
            ),
        ),
        graph(
            Words("On their way", "Received and not yet accounted for, by raw partition."),
            Look("short", signed=True, alerts=("OpsPilotLedgerUnbalanced",)),
            Query(
                "max by (topic, partition) (opspilot_ledger_difference_records)",
                "{{topic}}/{{partition}}",
            ),
        ),
        graph(
            Words(
                "Late",
                "Share of the lines of 15 minutes whose window had closed.",
                "while lines come in",
            ),
            Look("percentunit", 6, red_from=0.05, most=1, alerts=("OpsPilotLinesLate",)),
            Query("opspilot:lines_late:share15m", "late"),
        ),
        graph(
            Words("Expired", "Records that retention removed before they were read."),
            Look("short", 6, red_from=1, alerts=("OpsPilotLinesExpired",)),
            Query(
                'sum(max by (topic, partition) (opspilot_ledger_records{fate="expired"}))',
                "expired",
            ),
        ),
        graph(
            Words("Dead letters", "Messages set aside.", "once a message was set aside"),
            Look("short", stacked=True, alerts=("OpsPilotDeadLetters",)),
            Query(
                f"sum by (stage, reason) (increase(opspilot_dead_letters_total{RATE}))",
                "{{stage}} {{reason}}",
            ),
        ),
    )
