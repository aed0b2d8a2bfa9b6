"""The rights that each stage needs on a Kafka with access control, and no more.

Comes in: settings. Goes out: kafka-acls command lines for an administrator. Pure.
"""

from collections.abc import Iterator, Mapping

from schemas.topics import (
    ANALYZE_STATE,
    BASELINES,
    CLASSIFICATIONS,
    CORRELATE_STATE,
    DEAD_LETTERS,
    DRIFT,
    DRIFT_STATE,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    INVESTIGATIONS,
    LEDGER,
    LOGS_DIGESTS,
    LOGS_RAW,
    MODELS,
    REMEDIATIONS,
    SERVICES,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
    Topic,
)
from streams.settings import Settings

TRAINER = "trainer"
"""No stage of the pipeline: the user of `opspilot trainer`, and of what it starts."""
READS: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (LOGS_RAW,),
    "analyze": (LOGS_DIGESTS, ANALYZE_STATE),
    # The ledger and the verdicts for its gauges alone (agents/ledger_watch.py, incident_board.py).
    "correlate": (FINDINGS, CORRELATE_STATE, SERVICES, LEDGER, CLASSIFICATIONS),
    "classify": (INCIDENTS, CLASSIFICATIONS, MODELS, BASELINES),
    "recommend": (CLASSIFICATIONS, REMEDIATIONS, SERVICES, MODELS),
    "drift": (FEEDBACK, CLASSIFICATIONS, DRIFT_STATE, MODELS, TRAINING_REQUESTS),
    # What people said, and of what, for its dataset.
    TRAINER: (TRAINING_REQUESTS, FEEDBACK, CLASSIFICATIONS, MODELS, BASELINES),
}
WRITES: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (LOGS_DIGESTS, LEDGER, DEAD_LETTERS),
    "analyze": (ANALYZE_STATE, FINDINGS, LEDGER, DEAD_LETTERS),
    "correlate": (CORRELATE_STATE, INCIDENTS, DEAD_LETTERS),
    "classify": (CLASSIFICATIONS, DEAD_LETTERS),
    "recommend": (REMEDIATIONS, DEAD_LETTERS),
    "drift": (
        FEEDBACK,
        DRIFT_STATE,
        DRIFT,
        TRAINING_REQUESTS,
        TRAINING_RESULTS,
        MODELS,
        DEAD_LETTERS,
    ),
    TRAINER: (TRAINING_RESULTS, MODELS, BASELINES, DEAD_LETTERS),
}
INVESTIGATOR = "investigate"
"""No stage: the user of those who run `opspilot investigate`."""
INVESTIGATOR_READS = (
    INCIDENTS,
    CLASSIFICATIONS,
    REMEDIATIONS,
    INVESTIGATIONS,
    FINDINGS,
    LOGS_DIGESTS,
    SERVICES,
    FEEDBACK,
)


def acl_commands(settings: Settings) -> Iterator[str]:
    """Yield one kafka-acls command per right: user `opspilot-STAGE`, one topic or group each.

    Every stage also looks at the settings of its topics at its start (DescribeConfigs).
    """
    begin = f"kafka-acls --bootstrap-server {settings.kafka.bootstrap} --add"
    for stage, read in (*READS.items(), (INVESTIGATOR, INVESTIGATOR_READS)):
        written = WRITES.get(stage, (INVESTIGATIONS,))
        who = f"--allow-principal User:opspilot-{stage}"
        raw = settings.ingest.topics if stage == "ingest" else ()
        read_names = raw or tuple(settings.topics.name(topic) for topic in read)
        for name in read_names:
            yield f"{begin} {who} --operation Read --operation Describe --topic {name}"
        for topic in written:
            name = settings.topics.name(topic)
            yield f"{begin} {who} --operation Write --operation Describe --topic {name}"
        for name in dict.fromkeys(settings.topics.name(t) for t in (*read, *written)):
            yield f"{begin} {who} --operation DescribeConfigs --topic {name}"
        if stage != INVESTIGATOR:
            group = f"{settings.topics.prefix}{stage}"
            yield f"{begin} {who} --operation Read --operation Describe --group {group}"
        yield f"{begin} {who} --operation IdempotentWrite --cluster"
