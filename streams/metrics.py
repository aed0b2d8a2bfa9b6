"""Every metric of OpsPilot, each with one line on what it means.

Labels come from closed sets (stage, topic, partition, reason, category): never free text.
The first six names are those that the requirements ask for.
"""

from prometheus_client import Counter, Gauge, Histogram

_DELAY_SECONDS = (
    *(0.5, 1, 2.5, 5, 7.5, 10, 12.5, 15, 17.5, 20, 25),
    *(30, 45, 60, 90, 120, 300, 600),
)
"""Fine where most incidents are: a slot of ten seconds, five of lateness, and the work."""
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)

HTTP_REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time to answer one HTTP request, by the route's pattern and the status.",
    ["method", "route", "status"],
    buckets=_SECONDS,
)
LLM_INFERENCE_LATENCY = Histogram(
    "llm_inference_latency_seconds",
    "Time of one call to a model backend, the baseline included.",
    ["backend", "stage"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, *_SECONDS),
)
LLM_TOKENS_GENERATED = Counter(
    "llm_tokens_generated",
    "Tokens that models generated; the baseline generates none.",
    ["backend", "stage"],
)
LLM_PROMPT_TOKENS = Counter(
    "llm_prompt_tokens", "Tokens that models were given to read.", ["backend", "stage"]
)
LLM_CALLS = Counter(
    "opspilot_llm_calls",
    "Calls to a model server by what came of them: answered, or the kind of failure.",
    ["backend", "stage", "outcome"],
)
LLM_FALLBACKS = Counter(
    "opspilot_llm_fallbacks",
    "Judgements that the baseline gave because no model's answer could be had, by reason.",
    ["stage", "reason"],
)
LLM_BREAKER_OPEN = Gauge(
    "opspilot_llm_breaker_open", "1 while a model server is left alone after failures.", ["backend"]
)
LLM_IN_FLIGHT = Gauge("opspilot_llm_in_flight", "Calls to a model server under way.", ["backend"])
EMBEDDINGS_ASKED = Counter(
    "opspilot_embeddings_asked",
    "Incidents whose words fit no runbook, by what the embedding server gave: answered, not yet "
    "(runbooks are being read to it), left alone after a failure, or the kind of failure.",
    ["outcome"],
)
VERDICTS_BY_VARIANT = Counter(
    "opspilot_verdicts_by_variant",
    "Classifications by who answered: champion or challenger, and whether it abstained.",
    ["variant", "backend", "abstained"],
)
ADAPTER_ANSWERS = Gauge(
    "opspilot_adapter_answers",
    "1 where the probe after a rollout showed that the adapter really answers, else 0.",
    ["role"],
)
CLASSIFICATION_ACCURACY = Gauge(
    "incident_classification_accuracy",
    "Share of classifications that people confirmed, once there is feedback.",
    ["model", "adapter"],
)
MODEL_DRIFT_SCORE = Gauge(
    "model_drift_score",
    "Drift of a model from 0 to 1, once there is feedback.",
    ["model", "adapter"],
)
DRIFT_EPISODE = Gauge(
    "opspilot_drift_episode_open",
    "1 while drift has found, by its settings, that a model drifts; once there is feedback.",
    ["model", "adapter"],
)
FEEDBACK_SAMPLES = Gauge(
    "opspilot_feedback_samples",
    "Words of feedback in the window that count in a model's score, once there is feedback.",
    ["model", "adapter"],
)
FEEDBACK = Counter(
    "opspilot_feedback",
    "Words of feedback taken in: right, wrong, or withdrawn, which says neither.",
    ["outcome"],
)
FEEDBACK_WAITING = Gauge(
    "opspilot_feedback_waiting", "Words of feedback on incidents that are not known yet."
)
MODEL_RELEASED = Gauge(
    "opspilot_model_release_timestamp_seconds",
    "When what serves in a role was released, as classify and recommend see it.",
    ["role", "model", "adapter"],
)
TRAINING_RESULTS = Counter(
    "opspilot_training_results", "Training jobs of this process that ended, by state.", ["state"]
)
TRAINING_PROGRESS = Gauge(
    "opspilot_training_progress", "Progress of the training in work from 0 to 1; 0 without one."
)
ACTIVE_INCIDENTS = Gauge("active_incidents_total", "Incidents that are open now.")
OPEN_BY_SERVICE = Gauge(
    "opspilot_open_incidents",
    "Open incidents of each of at most 20 services; those of all further ones are `other`.",
    ["service"],
)
OPEN_BY_CATEGORY = Gauge(
    "opspilot_open_incidents_judged",
    "Open incidents by the category of the latest verdict; `unjudged` before the first.",
    ["category"],
)

LINES_IN = Counter("opspilot_lines_in", "Log records read from raw topics.")
EVENTS = Counter("opspilot_events", "Log events counted in digests.")
RAW_BYTES_IN = Counter("opspilot_raw_bytes_in", "Bytes of record values read from raw topics.")
LINES_FLAGGED = Counter(
    "opspilot_lines_flagged", "Lines that needed a correction: cut, future or no stamp.", ["flag"]
)
SHAPES_CACHED = Gauge("opspilot_shapes_cached", "Keys in the shape cache.")
SHAPE_CACHE_HIT_RATIO = Gauge(
    "opspilot_shape_cache_hit_ratio",
    "Share of lines whose layout was already known, over all lines read by this process.",
)
DIGESTS_OUT = Counter("opspilot_digests_out", "Digests published.")
BATCH_SECONDS = Histogram(
    "opspilot_batch_seconds", "Time to reduce and publish one round of batches.", buckets=_SECONDS
)
REBALANCES = Counter("opspilot_rebalances", "Times that held records were voided.", ["reason"])
DIGESTS_APPLIED = Counter(
    "opspilot_digests_applied", "Digests by what became of them.", ["outcome"]
)
WINDOWS_OPEN = Gauge("opspilot_windows_open", "Ten-second slots not yet judged.", ["partition"])
WATERMARK_LAG = Gauge(
    "opspilot_watermark_lag_seconds", "Append time less the watermark of event time.", ["partition"]
)
FINDINGS_OUT = Counter("opspilot_findings_out", "Findings published.", ["kind", "phase"])
INCIDENT_REVISIONS = Counter("opspilot_incident_revisions", "Incident revisions published.")
CLASSIFICATIONS_OUT = Counter(
    "opspilot_classifications_out", "Classifications published.", ["category", "severity"]
)
ABSTENTIONS = Counter("opspilot_abstentions", "Classifications whose confidence was too low.")
PLANS_OUT = Counter("opspilot_plans_out", "Plans published.", ["category"])
COMMANDS_JUDGED = Counter(
    "opspilot_commands_judged", "Commands in plans by the verdict of the policy.", ["verdict"]
)
DEAD_LETTERS = Counter(
    "opspilot_dead_letters", "Messages sent to the dead letters.", ["stage", "reason"]
)
SPANS = Counter(
    "opspilot_spans", "Trace spans by what became of them: delivered or dropped.", ["outcome"]
)
LEDGER_RECORDS = Gauge(
    "opspilot_ledger_records",
    "Records of a raw partition by fate, since its first offset: what the ledger says.",
    ["topic", "partition", "fate"],
)
LEDGER_DIFFERENCE = Gauge(
    "opspilot_ledger_difference_records",
    "Records received less those accounted for: above 0 on their way, below 0 counted twice.",
    ["topic", "partition"],
)
LEDGER_CONTRADICTIONS = Gauge(
    "opspilot_ledger_contradictions",
    "Places where the ledger contradicts itself, whatever may be on its way.",
)
READY = Gauge(
    "opspilot_ready", "1 while a process has what its stage needs to work, else 0.", ["stage"]
)
STALLED_SECONDS = Gauge(
    "opspilot_stalled_seconds",
    "For how long there has been lag and nothing was finished; 0 while work goes on.",
    ["stage"],
)
RECORDS_DONE = Counter(
    "opspilot_records_done", "Records of its source that a stage has finished.", ["stage"]
)
CONSUMER_LAG = Gauge(
    "opspilot_consumer_lag_records", "Records not yet read.", ["stage", "topic", "partition"]
)
END_TO_END_DELAY = Histogram(
    "opspilot_end_to_end_delay_seconds",
    "From the append of the latest line behind a record to that record's publication; without "
    "what waits by its nature: what clears, a silence, revisions after the first.",
    ["stage"],
    buckets=_DELAY_SECONDS,
)


def forget_partitions() -> None:
    """Drop what was said per partition: after a rebalance others may own them."""
    owned = (
        CONSUMER_LAG,
        WINDOWS_OPEN,
        WATERMARK_LAG,
        MODEL_DRIFT_SCORE,
        CLASSIFICATION_ACCURACY,
        DRIFT_EPISODE,
        FEEDBACK_SAMPLES,
        LEDGER_RECORDS,
        LEDGER_DIFFERENCE,
        OPEN_BY_SERVICE,
        OPEN_BY_CATEGORY,
    )
    for gauge in owned:
        gauge.clear()
    FEEDBACK_WAITING.set(0)
    LEDGER_CONTRADICTIONS.set(0)
