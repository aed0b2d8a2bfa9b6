"""Gives a stage its Judgement: from the settings, and from the releases in Kafka.

Comes in: a stage. Goes out: a Judgement. Promise: without a model server no client is made, and
only who judges looks for a baseline that was fitted anew; the models topic is read to its end
before the first judgement, and a rollout is probed when it comes, not when the next incident does.
"""

from agents.baselines import Baselines
from agents.judgement import CLASSIFY, RECOMMEND, Judgement, make_model_backend
from agents.llm.reasons import FallbackReason
from agents.nearness import make_nearness
from agents.releases import Releases
from schemas.topics import BASELINES, MODELS, Topic
from streams import metrics
from streams.app import Stage
from streams.compacted import CompactedTopic
from streams.delivery import Delivery


def judgement_of(stage: Stage) -> Judgement:
    """Make the judgement of one stage; nothing runs before its worker does."""
    settings = stage.settings
    folders = settings.judge.runbook_folders
    backend = make_model_backend(settings.model, folders)
    # Only who plans looks for runbooks.
    nearness = make_nearness(settings.judge) if stage.name == RECOMMEND else None
    judges = stage.name == CLASSIFY
    if backend is None and not judges:
        return Judgement(settings.model, folders, nearness=nearness)
    releases = Releases(
        CompactedTopic(settings, MODELS),
        backend,
        adapter=settings.model.adapter,
        baselines=Baselines(CompactedTopic(settings, BASELINES)) if judges else None,
    )

    async def follow_releases() -> None:
        await releases.follow()

    stage.app.task(follow_releases)
    for reason in FallbackReason:
        # From 0 on, so that no rate misses the first of its kind.
        metrics.LLM_FALLBACKS.labels(stage.name, reason.value)
    return Judgement(settings.model, folders, backend=backend, chooser=releases, nearness=nearness)


def backlog_behind(judgement: Judgement, stage: Stage, delivery: Delivery, topic: Topic) -> int:
    """Return how many records of the delivery's partition wait; 0 where nobody needs to know."""
    if not judgement.asks_a_model:
        return 0
    return stage.lags().get((stage.settings.topics.name(topic), delivery.partition), 0)
