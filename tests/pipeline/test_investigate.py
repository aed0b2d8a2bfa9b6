"""`opspilot investigate` on a real Kafka: by the baseline, by a model server, shown again."""

import asyncio
import json

import pytest
from fakes.tgi_server import TgiServer
from stages import Follower, send, settings_for, variables_of

from opspilot.cli import run
from opspilot.investigating import investigate_incident
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.digest import SLOT_MS, Example, LogDigest, RawRange, ShapeCount
from schemas.finding import ShapeEvidence
from schemas.incident import Incident, LogAnalysis
from schemas.investigation import Investigation, InvestigationEnd
from schemas.learning import Feedback
from schemas.topics import (
    CLASSIFICATIONS,
    FEEDBACK,
    INCIDENTS,
    INVESTIGATIONS,
    LOGS_DIGESTS,
)
from schemas.vocabulary import Category, IncidentStatus, Level, Priority, Severity
from streams.admin import create_topics
from streams.clock import now_ms
from streams.modelsettings import BackendName, ModelSettings
from streams.settings import Settings

pytestmark = pytest.mark.kafka
SERVICE = "default/shop/checkout"
NEW = "payment gateway refused the connection on port <*>"
USUAL = "order <*> saved"
BEGIN_MS = now_ms() // SLOT_MS * SLOT_MS - 1_800_000
MINUTE_SLOTS = 6


def incident(incident_id: str, opened_ms: int, revision: int = 1) -> Incident:
    shape = ShapeEvidence(shape_id="new", shape=NEW, level=Level.ERROR, count=60)
    return Incident(
        id=incident_id,
        revision=revision,
        status=IncidentStatus.OPEN,
        service=SERVICE,
        services=(SERVICE,),
        fingerprint="fp",
        title="checkout: payment gateway refused",
        opened_ms=opened_ms,
        updated_ms=opened_ms + 300_000,
        count=60,
        analysis=LogAnalysis(summary="Refused.", severity=Severity.HIGH, evidence=(shape,)),
        appended_ms=opened_ms,
    )


def verdict(of: Incident) -> Classification:
    brief = of.model_dump() | {"description": None}
    return Classification(
        incident_id=of.id,
        revision=of.revision,
        category=Category.NETWORK,
        subcategory="connection",
        severity=Severity.HIGH,
        priority=Priority.P2,
        confidence=0.8,
        summary="The payment gateway refuses connections.",
        judge=Judge(backend="baseline", model="m"),
        incident=IncidentBrief.model_validate(brief),
    )


def digest(number: int) -> LogDigest:
    """Return slot `number`, counted from the opening of the incident."""
    slot_ms = BEGIN_MS + number * SLOT_MS
    times = {"first_ms": slot_ms, "last_ms": slot_ms}
    shapes = [ShapeCount(shape_id="usual", shape=USUAL, level=Level.INFO, count=20, **times)]
    if number >= 0:
        text = Example(offset=1, rank=1, time_ms=slot_ms, text=NEW.replace("<*>", "443"))
        shapes.append(
            ShapeCount(
                shape_id="new", shape=NEW, level=Level.ERROR, count=2, examples=(text,), **times
            )
        )
    source = RawRange(topic="raw", partition=0, from_offset=1000 + number, to_offset=1001 + number)
    return LogDigest(
        service=SERVICE, slot_ms=slot_ms, source=source, raw_partitions=1, records=22, events=22,
        shapes=tuple(shapes), clock_ms=slot_ms, appended_ms=slot_ms, shaper="1", settings_hash="a",
    )  # fmt: skip


@pytest.fixture
def settings(broker, topic_prefix) -> Settings:
    made = settings_for(broker.bootstrap, topic_prefix)
    asyncio.run(fill(made))
    return made


async def fill(settings: Settings) -> None:
    await create_topics(settings)
    past, now = incident("i-past", BEGIN_MS - 86_400_000), incident("i-now", BEGIN_MS)
    said = Feedback(incident_id=past.id, revision=1, person="ana", given_ms=1, model="m",
                    plan_useful=True, comment="The gateway's certificate was renewed.")  # fmt: skip
    slots = [digest(number) for number in range(-30 * MINUTE_SLOTS, 5 * MINUTE_SLOTS)]
    key = SERVICE.encode()
    for topic, messages in (
        (INCIDENTS, [(i.id.encode(), i.to_bytes()) for i in (past, now)]),
        (CLASSIFICATIONS, [(i.id.encode(), verdict(i).to_bytes()) for i in (past, now)]),
        (FEEDBACK, [(b"i-past,ana", said.to_bytes())]),
        # One digest twice, as after a crash of ingest: it must count once.
        (LOGS_DIGESTS, [(key, one.to_bytes()) for one in [*slots, slots[-1]]]),
    ):
        await send(settings.kafka.bootstrap, settings.topics.name(topic), messages)


def test_the_baseline_investigates_records_it_and_shows_it_again(settings, monkeypatch, capsys):
    for name, value in variables_of(settings).items():
        monkeypatch.setenv(name, value)
    assert run(["investigate", "i-now", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    record = Investigation.model_validate(first)
    by_tool = {step.tool: step for step in record.steps}
    compared = by_tool["compare_periods"]
    assert "1 templates rose, 1 of them new" in compared.observation
    assert NEW in compared.rows[0] and "change: new" in compared.rows[0]
    assert "per_minute: 12" in compared.rows[0] or "per_minute: 11" in compared.rows[0]
    similar = by_tool["similar_incidents"]
    assert [ref.id for ref in similar.evidence] == ["i-past"]
    assert "people confirmed the plan of 1" in similar.observation
    assert "certificate was renewed" in similar.rows[0]
    assert not any(step.fault for step in record.steps)
    assert "payment gateway refused" in record.probable_cause and "i-past" in record.probable_cause
    assert record.judge.backend == "baseline" and record.ended is InvestigationEnd.CONCLUDED

    assert run(["investigate", "i-now"]) == 0
    shown = capsys.readouterr().out
    assert "Probable cause: " in shown and NEW in shown
    assert run(["investigate", "i-now", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first, "the recorded one, not a new one"
    assert run(["investigate", "nobody"]) == 1
    assert "there is no incident 'nobody'" in capsys.readouterr().err


async def test_a_model_server_investigates_within_its_bounds(broker, topic_prefix):
    made = settings_for(broker.bootstrap, topic_prefix)
    await fill(made)
    async with TgiServer() as server:
        model = ModelSettings(backend=BackendName.TGI, url=server.url, retries=0)
        settings = made.model_copy(update={"model": model})
        record = await investigate_incident(settings, "i-now", again=True)
        assert 1 <= len(server.generations) <= 24
    # The fake writes at random what its grammar allows, as a tiny model does.
    assert record.steps and record.tokens > 0
    assert record.judge.backend == "tgi" or record.judge.fallback_reason == "bad-answer"
    async with Follower(made, INVESTIGATIONS) as follower:
        (value,) = await follower.until(lambda values: bool(values), "investigation")
    assert Investigation.from_bytes(value) == record
