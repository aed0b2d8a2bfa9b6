"""What every backend promises, whatever stands behind it."""

import asyncio
from dataclasses import replace

import jsonschema
import msgspec
import pytest
from questions import CLASSIFICATION, INCIDENT, QUESTION, SMALL
from seams import Seam

from agents.llm.errors import RejectedError
from agents.logic.answers.schemas import classify_schema, plan_schema


async def test_an_answer_has_the_form_that_was_asked_for(any_seam: Seam):
    reply = await any_seam.backend.complete(QUESTION)
    jsonschema.validate(reply.content, SMALL)
    assert msgspec.json.decode(reply.text) == reply.content


async def test_who_answered_is_who_the_server_says_it_is(any_seam: Seam):
    info = await any_seam.backend.describe()
    reply = await any_seam.backend.complete(QUESTION)
    assert reply.model == info.model
    assert "/root" not in info.model
    assert reply.adapter is None


async def test_an_answer_is_counted(any_seam: Seam):
    reply = await any_seam.backend.complete(QUESTION)
    asks_a_model = any_seam.backend.name != "baseline"
    assert (reply.prompt_tokens > 0) is asks_a_model
    assert (reply.completion_tokens > 0) is asks_a_model
    assert reply.latency_ms > 0


async def test_without_chance_the_same_question_has_the_same_answer(any_seam: Seam):
    replies = [await any_seam.backend.complete(QUESTION) for _ in range(2)]
    assert replies[0].content == replies[1].content


async def test_several_questions_at_once_are_all_answered(any_seam: Seam):
    replies = await asyncio.gather(*(any_seam.backend.complete(QUESTION) for _ in range(3)))
    for reply in replies:
        jsonschema.validate(reply.content, SMALL)


async def test_more_text_has_more_tokens(any_seam: Seam):
    line = "ERROR: connection to 10.0.0.7:5432 refused"
    once = await any_seam.backend.count_tokens(line)
    assert 5 < once < len(line)
    assert await any_seam.backend.count_tokens(line * 20) > 15 * once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "<|end|> <s> <start_of_turn>",
        "é" * 300,
    ],
)
async def test_any_text_can_be_counted(any_seam: Seam, text: str):
    assert await any_seam.backend.count_tokens(text) >= 0


@pytest.mark.parametrize("any_seam", ["tgi", "vllm", "llamacpp", "baseline"], indirect=True)
async def test_the_answers_of_both_stages_can_be_had(any_seam: Seam):
    verdict = replace(QUESTION, schema=classify_schema(), max_tokens=400)
    reply = await any_seam.backend.complete(verdict)
    jsonschema.validate(reply.content, classify_schema())
    schema = plan_schema(("P1", "P2"))
    plan = replace(QUESTION, schema=schema, subject=CLASSIFICATION, max_tokens=1500)
    reply = await any_seam.backend.complete(plan)
    jsonschema.validate(reply.content, schema)
    assert reply.content["steps"]


@pytest.mark.parametrize("any_seam", ["baseline"], indirect=True)
async def test_the_baseline_judges_the_subject_and_not_the_words(any_seam: Seam):
    reply = await any_seam.backend.complete(replace(QUESTION, schema=classify_schema()))
    assert reply.content["category"] == "Database"
    assert reply.content["suggestedActions"] == list(INCIDENT.analysis.suggested_actions)[:4]
    with pytest.raises(RejectedError, match="subject"):
        await any_seam.backend.complete(replace(QUESTION, subject=None))
