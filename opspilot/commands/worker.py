"""`opspilot worker STAGE`: one process of one stage, until it is told to stop.

Comes in: settings from the environment. Goes out: what the stage publishes. Promise: topics that
differ from the map are said before anything is read; SIGTERM finishes the work in hand.
"""

import asyncio
import importlib
from enum import StrEnum
from typing import Annotated

import typer

from schemas.topics import (
    ANALYZE_STATE,
    CLASSIFICATIONS,
    CORRELATE_STATE,
    DEAD_LETTERS,
    DRIFT,
    DRIFT_STATE,
    FEEDBACK,
    FINDINGS,
    INCIDENTS,
    LEDGER,
    LOGS_DIGESTS,
    MODELS,
    REMEDIATIONS,
    SERVICES,
    TRAINING_REQUESTS,
    TRAINING_RESULTS,
    Topic,
)
from streams.admin import check_topics
from streams.runner import run_ingest, run_stage
from streams.settings import load_settings

app = typer.Typer()


class StageName(StrEnum):
    """The stages of the pipeline, in the order of the flow, and the model that they may share."""

    INGEST = "ingest"
    ANALYZE = "analyze"
    CORRELATE = "correlate"
    CLASSIFY = "classify"
    RECOMMEND = "recommend"
    DRIFT = "drift"
    MODEL = "model"


NEEDS: dict[StageName, tuple[Topic, ...]] = {
    # The raw topics of ingest may be anybody's, so only what it writes is compared.
    StageName.INGEST: (LOGS_DIGESTS, LEDGER, DEAD_LETTERS),
    StageName.ANALYZE: (LOGS_DIGESTS, ANALYZE_STATE, FINDINGS, LEDGER, DEAD_LETTERS),
    StageName.CORRELATE: (
        FINDINGS,
        CORRELATE_STATE,
        INCIDENTS,
        SERVICES,
        LEDGER,
        CLASSIFICATIONS,
        DEAD_LETTERS,
    ),
    StageName.CLASSIFY: (INCIDENTS, CLASSIFICATIONS, MODELS, DEAD_LETTERS),
    StageName.RECOMMEND: (CLASSIFICATIONS, REMEDIATIONS, SERVICES, MODELS, DEAD_LETTERS),
    StageName.DRIFT: (
        FEEDBACK,
        CLASSIFICATIONS,
        DRIFT_STATE,
        DRIFT,
        TRAINING_REQUESTS,
        TRAINING_RESULTS,
        MODELS,
        DEAD_LETTERS,
    ),
}


@app.command()
def worker(
    stage: Annotated[StageName, typer.Argument(help="Which stage to run.")],
) -> None:
    """Run one stage of the pipeline, or the local model, as this process.

    Example: opspilot worker ingest --kafka localhost:9092
    """
    settings = load_settings()
    if stage is StageName.MODEL:
        # It needs no Kafka, and nothing else needs llama.cpp.
        from opspilot.local.model.serve import run_model

        run_model(settings)
        return
    asyncio.run(check_topics(settings, NEEDS[stage]))
    if stage is StageName.INGEST:
        run_ingest(settings)
        return
    module = importlib.import_module(f"agents.{stage}")
    run_stage(module.make_stage(settings))
