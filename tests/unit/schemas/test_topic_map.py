"""The map of topics: widths that belong together, every record in its place, sane settings."""

import pytest

from schemas.digest import LogDigest, Progress
from schemas.export import record_types
from schemas.topics import (
    ANALYZE_STATE,
    CLASSIFICATIONS,
    CORRELATE_STATE,
    DEAD_LETTERS,
    DRIFT_STATE,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    LOGS_DIGESTS,
    LOGS_RAW,
    REMEDIATIONS,
    TOPICS,
    Cleanup,
    Topic,
    Width,
)
from streams.settings import TopicSettings

each_topic = pytest.mark.parametrize("topic", TOPICS.values(), ids=list(TOPICS))
STAGES = {
    # A Faust stage's state and source must have the same partitions; so must what it uses as state.
    "analyze": (LOGS_DIGESTS, ANALYZE_STATE),
    "correlate": (FINDINGS, CORRELATE_STATE),
    "classify": (INCIDENTS, CLASSIFICATIONS),
    "recommend": (CLASSIFICATIONS, REMEDIATIONS),
    "drift": (FEEDBACK, DRIFT_STATE),
}


@pytest.mark.parametrize("stage", STAGES)
def test_source_and_state_of_a_stage_are_co_partitioned(stage: str):
    source, state = STAGES[stage]
    assert source.width is state.width
    odd = TopicSettings(raw_partitions=3, digest_partitions=5, incident_partitions=7)
    assert odd.partitions(source) == odd.partitions(state)
    assert state.cleanup in (Cleanup.COMPACT, Cleanup.COMPACT_DELETE), "recovery reads it"


def test_every_record_is_in_exactly_one_topic():
    carried = [kind for topic in TOPICS.values() for kind in topic.records]
    assert len(carried) == len(set(carried))
    assert set(carried) == set(record_types())
    assert LOGS_DIGESTS.records == (LogDigest, Progress)


def test_the_topics_of_the_design_are_there():
    wanted = (
        "logs.raw logs.digests findings incidents classifications remediations services feedback "
        "investigations drift training.requests training.results models baselines dead-letters "
        "ledger"
    )
    assert set(wanted.split()) <= set(TOPICS)
    assert set(TOPICS) - set(wanted.split()) == {"analyze.state", "correlate.state", "drift.state"}


@each_topic
def test_no_foreign_stamp_can_expire_a_record(topic: Topic):
    assert topic.config()["message.timestamp.type"] == "LogAppendTime"


@each_topic
def test_all_settings_are_texts_that_kafka_knows(topic: Topic):
    assert all(isinstance(value, str) for value in topic.config().values())
    assert topic.config()["cleanup.policy"] in {"delete", "compact", "compact,delete"}


@each_topic
def test_compacted_topics_close_their_segments_soon(topic: Topic):
    if topic.cleanup is not Cleanup.DELETE:
        assert int(topic.config()["segment.ms"]) <= 600_000


def test_the_dead_letters_take_whatever_raw_takes():
    headers = 64 * 1024
    assert DEAD_LETTERS.max_message_bytes >= LOGS_RAW.max_message_bytes + headers


def test_names_carry_the_prefix_and_one_width_is_always_one():
    settings = TopicSettings(prefix="team-a.", raw_partitions=9)
    assert settings.name(LOGS_RAW) == "team-a.logs.raw"
    assert settings.partitions(LOGS_RAW) == 9
    ones = [topic for topic in TOPICS.values() if topic.width is Width.ONE]
    assert {settings.partitions(topic) for topic in ones} == {1}
