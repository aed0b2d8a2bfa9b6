"""LLM metrics and token usage: what models are asked, how long it takes, what it costs."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Look, Query, Words, graph, number
from dashboards.promql import RATE, quantile

CHOSEN = '{stage=~"$stage",backend=~"$backend"}'
STAGE = '{stage=~"$stage"}'
SERVER = "where a model server is configured"


def _latency(share: float) -> str:
    return quantile(share, "llm_inference_latency_seconds", CHOSEN, "backend, stage")


def make() -> Dashboard:
    """Return the dashboard."""
    board = frame(
        "LLM and tokens",
        "opspilot-llm",
        "Calls to models: outcome, latency, tokens, fallbacks to the baseline, breaker, adapters.",
        stage="label_values(llm_inference_latency_seconds_count, stage)",
        backend="label_values(llm_inference_latency_seconds_count, backend)",
    )
    for panel in (*_numbers(), *_calls(), *_tokens(), *_server()):
        board.with_panel(panel)
    return board


def _numbers() -> tuple[object, ...]:
    return (
        number(
            Words("Tokens generated", "In the time shown.", SERVER),
            Look("short", 6),
            Query(f"sum(increase(llm_tokens_generated_total{CHOSEN}[$__range]))"),
        ),
        number(
            Words("Tokens read", "Prompt tokens in the time shown.", SERVER),
            Look("short", 6),
            Query(f"sum(increase(llm_prompt_tokens_total{CHOSEN}[$__range]))"),
        ),
        number(
            Words(
                "Fallbacks",
                "Share of judgements and plans of 15 minutes that the baseline gave because no "
                "model's answer could be had; bounded calls and hostile lines left out.",
                SERVER,
            ),
            Look("percentunit", 6, red_from=0.2, alerts=("OpsPilotFallbacks",)),
            Query(f"max(stage:opspilot_llm_fallbacks:share15m{STAGE})"),
        ),
        number(
            Words("Breaker", "1 while a model server is left alone after failures.", SERVER),
            Look("short", 6, red_from=1, most=1, alerts=("OpsPilotBreakerOpen",)),
            Query("max by (backend) (opspilot_llm_breaker_open)", "{{backend}}"),
        ),
    )


def _calls() -> tuple[object, ...]:
    return (
        graph(
            Words("Latency of an answer", "Time of one call, the baseline's included: p50, p95."),
            Look("s"),
            Query(_latency(0.5), "p50 {{backend}} {{stage}}"),
            Query(_latency(0.95), "p95 {{backend}} {{stage}}"),
        ),
        graph(
            Words("Calls by outcome", "Calls to a model server by what came of them.", SERVER),
            Look("ops", stacked=True),
            Query(
                f"sum by (stage, outcome) (rate(opspilot_llm_calls_total{CHOSEN}{RATE}))",
                "{{stage}} {{outcome}}",
            ),
        ),
        graph(
            Words(
                "Fallbacks by reason",
                "Answers that the baseline gave in a model's place.",
                SERVER,
            ),
            Look("short", stacked=True, alerts=("OpsPilotFallbacks",)),
            Query(
                f"sum by (stage, reason) (increase(opspilot_llm_fallbacks_total{STAGE}{RATE}))",
                "{{stage}} {{reason}}",
            ),
        ),
        graph(
            Words("Calls under way", "At this moment, and what bounds them.", SERVER),
            Look("short"),
            Query("sum by (backend) (opspilot_llm_in_flight)", "{{backend}}"),
        ),
    )


def _tokens() -> tuple[object, ...]:
    answered = 'opspilot_llm_calls_total{stage=~"$stage",backend=~"$backend",outcome="answered"}'
    return (
        graph(
            Words("Tokens generated", "Tokens a second that models wrote.", SERVER),
            Look("ops"),
            Query(
                f"sum by (backend, stage) (rate(llm_tokens_generated_total{CHOSEN}{RATE}))",
                "{{backend}} {{stage}}",
            ),
        ),
        graph(
            Words("Tokens read", "Prompt tokens a second.", SERVER),
            Look("ops"),
            Query(
                f"sum by (backend, stage) (rate(llm_prompt_tokens_total{CHOSEN}{RATE}))",
                "{{backend}} {{stage}}",
            ),
        ),
        graph(
            Words("Tokens per answer", "Generated tokens for each call that was answered.", SERVER),
            Look("short"),
            Query(
                f"sum by (stage) (increase(llm_tokens_generated_total{CHOSEN}[$__range])) "
                f"/ sum by (stage) (increase({answered}[$__range]))",
                "{{stage}}",
            ),
        ),
        graph(
            Words(
                "Adapters",
                "1 where the probe showed that a released adapter really answers.",
                "once an adapter is released",
            ),
            Look("short", red_below=1, most=1, alerts=("OpsPilotAdapterSilent",)),
            Query("min by (role) (opspilot_adapter_answers)", "{{role}}"),
        ),
    )


def _server() -> tuple[object, ...]:
    tgi = "where text-generation-inference runs and Prometheus scrapes it"
    return (
        graph(
            Words("Server: waiting", "Requests that wait in text-generation-inference.", tgi),
            Look("short"),
            Query("sum(tgi_queue_size)", "waiting"),
        ),
        graph(
            Words(
                "Server: batch", "Requests that text-generation-inference works on at once.", tgi
            ),
            Look("short"),
            Query("sum(tgi_batch_current_size)", "batch"),
        ),
        graph(
            Words(
                "Runbooks by meaning",
                "Incidents that no runbook fits by words, by what the embedding server gave.",
                "where an embedding server is configured",
            ),
            Look("short", stacked=True),
            Query(
                f"sum by (outcome) (increase(opspilot_embeddings_asked_total{RATE}))",
                "{{outcome}}",
            ),
        ),
    )
