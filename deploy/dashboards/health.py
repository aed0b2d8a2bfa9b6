"""System health: are all processes there, ready, at work, and within their means."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import STAGES, frame, processes
from dashboards.panels import Look, Query, Words, graph, number
from dashboards.promql import RATE

CHOSEN = '{job=~"$job",instance=~"$instance"}'
NAMED = "{{job}} {{instance}}"


def make() -> Dashboard:
    """Return the dashboard."""
    board = frame(
        "System health",
        "opspilot-health",
        "Processes: up, ready, stalled, behind; CPU, memory, restarts, dead letters, shippers.",
        **processes(),
    )
    for panel in (*_there(), *_work(), *_means(), *_around()):
        board.with_panel(panel)
    return board


def _there() -> tuple[object, ...]:
    return (
        number(
            Words("Processes that answer", "Of those that Prometheus knows."),
            Look("short", 6, red_below=1, alerts=("OpsPilotStageDown",)),
            Query(f'sum(up{{job=~"{STAGES}"}})'),
        ),
        number(
            Words("Processes that do not", "They are down, or cannot be reached."),
            Look("short", 6, red_from=1, alerts=("OpsPilotStageDown", "OpsPilotMemberDown")),
            Query(f'count(up{{job=~"{STAGES}"}} == 0) or vector(0)'),
        ),
        number(
            Words("Not ready", "Processes that answer and cannot work."),
            Look("short", 6, red_from=1, alerts=("OpsPilotNotReady",)),
            Query("count(max by (job, instance) (opspilot_ready) == 0) or vector(0)"),
        ),
        number(
            Words("Longest stall", "Lag, and nothing finished, for so long."),
            Look("s", 6, red_from=120, alerts=("OpsPilotLagWithoutProgress",)),
            Query("max(opspilot_stalled_seconds)"),
        ),
        graph(
            Words("Members that answer", "Processes of each stage."),
            Look("short", red_below=1, alerts=("OpsPilotStageDown", "OpsPilotMemberDown")),
            Query('sum by (job) (up{job=~"$job"})', "{{job}}"),
        ),
        graph(
            Words("Ready", "1 while a process has its partitions and tables."),
            Look("short", red_below=1, most=1, alerts=("OpsPilotNotReady",)),
            Query(f"max by (job, instance) (opspilot_ready{CHOSEN})", NAMED),
        ),
    )


def _work() -> tuple[object, ...]:
    return (
        graph(
            Words("Lag", "Records of its source that a stage has yet to work on."),
            Look("short", alerts=("OpsPilotBehind",)),
            Query("stage:opspilot_consumer_lag_records:sum", "{{stage}}"),
        ),
        graph(
            Words(
                "Lag in time",
                "How long the lag would take at the present speed.",
                "while a stage finishes records",
            ),
            Look("s", red_from=120, alerts=("OpsPilotBehind",)),
            Query("stage:opspilot_lag_seconds:estimate5m", "{{stage}}"),
        ),
        graph(
            Words("Records finished", "A second, by stage."),
            Look("ops", alerts=("OpsPilotLagWithoutProgress",)),
            Query(f"sum by (stage) (rate(opspilot_records_done_total{RATE}))", "{{stage}}"),
        ),
        graph(
            Words("Rebalances", "Times that ingest let go of what it held: members came or went."),
            Look("short", alerts=("OpsPilotNotReady",)),
            Query(f"sum by (reason) (increase(opspilot_rebalances_total{RATE}))", "{{reason}}"),
        ),
    )


def _means() -> tuple[object, ...]:
    return (
        graph(
            Words("CPU", "Cores in use by each process; a stage can use one."),
            Look("short", red_from=0.95, alerts=("OpsPilotBehind",)),
            Query(f"rate(process_cpu_seconds_total{CHOSEN}{RATE})", NAMED),
        ),
        graph(
            Words(
                "Memory", "Resident memory of each process; docs/OPERATIONS.md says what is usual."
            ),
            Look("bytes"),
            Query(f"process_resident_memory_bytes{CHOSEN}", NAMED),
        ),
        graph(
            Words("Starts", "Times that a process was started in the time shown."),
            Look("short", alerts=("OpsPilotMemberDown",)),
            Query(f"changes(process_start_time_seconds{CHOSEN}[$__range])", NAMED),
        ),
        graph(
            Words("Open files", "File descriptors of each process, connections among them."),
            Look("short"),
            Query(f"process_open_fds{CHOSEN}", NAMED),
        ),
    )


def _around() -> tuple[object, ...]:
    shippers = "where Prometheus scrapes Fluent Bit, as docker-compose.yml has it"
    return (
        graph(
            Words("Dead letters", "Messages set aside.", "once a message was set aside"),
            Look("short", stacked=True, alerts=("OpsPilotDeadLetters",)),
            Query(
                f"sum by (stage, reason) (increase(opspilot_dead_letters_total{RATE}))",
                "{{stage}} {{reason}}",
            ),
        ),
        graph(
            Words(
                "Spans",
                "Trace spans a second, delivered or dropped.",
                "where OPSPILOT_TRACING__* name an endpoint",
            ),
            Look("ops"),
            Query(f"sum by (outcome) (rate(opspilot_spans_total{RATE}))", "{{outcome}}"),
        ),
        graph(
            Words("Shippers", "Records that Fluent Bit took in, a second.", shippers),
            Look("ops", 6, alerts=("OpsPilotNoLines",)),
            Query(f"sum by (name) (rate(fluentbit_input_records_total{RATE}))", "{{name}}"),
        ),
        graph(
            Words("Shippers in trouble", "Records dropped, and retries, of Fluent Bit.", shippers),
            Look("ops", 6, alerts=("OpsPilotNoLines",)),
            Query(f"sum(rate(fluentbit_output_dropped_records_total{RATE}))", "dropped"),
            Query(f"sum(rate(fluentbit_output_retries_total{RATE}))", "retries"),
        ),
    )
