"""What is special to text-generation-inference."""

from dataclasses import replace

import pytest
from fakes.model_server import Habits
from fakes.openai_server import OpenAiServer
from fakes.tgi_server import MODEL, TgiServer, render
from questions import QUESTION, SMALL
from seams import ADAPTERS, backend_for

from agents.llm.errors import RejectedError, TooLongError

ROLES = [{"role": turn.role, "content": turn.content} for turn in QUESTION.messages]


async def test_a_generation_is_asked_for_as_tgi_takes_it():
    async with TgiServer(adapters=ADAPTERS) as server:
        backend = backend_for(server.url, "tgi")
        await backend.complete(replace(QUESTION, adapter="opspilot-1"))
        await backend.close()
    (asked,) = server.generations
    parameters = asked.body["parameters"]
    assert parameters["grammar"] == {"type": "json", "value": SMALL}
    assert parameters["max_new_tokens"] == QUESTION.max_tokens
    assert parameters["adapter_id"] == "opspilot-1"
    assert parameters["details"] is True
    assert parameters["do_sample"] is False and "temperature" not in parameters


async def test_a_temperature_is_passed_on():
    async with TgiServer() as server:
        backend = backend_for(server.url, "tgi")
        await backend.complete(replace(QUESTION, temperature=0.7))
        await backend.close()
    parameters = server.generations[0].body["parameters"]
    assert parameters["temperature"] == 0.7 and parameters["do_sample"] is True


async def test_the_servers_own_template_is_used_and_its_first_token_not_doubled():
    async with TgiServer() as server:
        backend = backend_for(server.url, "tgi")
        for _ in range(3):
            reply = await backend.complete(QUESTION)
        await backend.close()
    assert "<s>" + server.generations[0].body["inputs"] == render(ROLES)
    assert reply.prompt_tokens == await count_of(render(ROLES))
    asked = [request.path for request in server.requests]
    assert asked.count("/tokenize") == 1, "what comes first is found out once"
    assert asked.count("/info") == 1


async def count_of(text: str) -> int:
    from fakes.tgi_server import tokenize

    return len(tokenize(text, adds_first=False))


async def test_a_template_without_system_turns_gets_them_in_the_first_question():
    async with TgiServer(knows_system=False) as server:
        backend = backend_for(server.url, "tgi")
        for _ in range(2):
            await backend.complete(QUESTION)
        await backend.close()
    inputs = server.generations[0].body["inputs"]
    assert inputs.count("<|user|>") == 1 and "<|system|>" not in inputs
    assert inputs.index("You judge incidents") < inputs.index("Which category")
    refused = [r for r in server.requests if r.path == "/chat_tokenize"]
    assert len(refused) == 3, "the way that works is remembered"


async def test_a_model_without_template_gets_headings():
    async with TgiServer(has_template=False) as server:
        backend = backend_for(server.url, "tgi")
        for _ in range(2):
            reply = await backend.complete(QUESTION)
        await backend.close()
    inputs = server.generations[1].body["inputs"]
    assert inputs.startswith("### System\n") and inputs.endswith("### Assistant\n")
    assert reply.prompt_tokens == await count_of(inputs) + 1
    tried = [r for r in server.requests if r.path == "/chat_tokenize"]
    assert len(tried) == 2, "the way that works is remembered"


async def test_what_the_server_takes_is_told():
    habits = Habits(max_concurrent=16)
    async with TgiServer(max_input_tokens=4_000, max_total_tokens=5_000, habits=habits) as server:
        backend = backend_for(server.url, "tgi", max_plan_tokens=1_500)
        info = await backend.describe()
        await backend.close()
    assert (info.model, info.max_concurrent) == (MODEL, 16)
    assert info.max_prompt_tokens == 3_500, "an answer needs its room too"


async def test_another_server_at_the_address_is_said_to_be_none():
    async with OpenAiServer() as server:
        backend = backend_for(server.url, "tgi")
        for asking in (backend.describe(), backend.complete(QUESTION)):
            with pytest.raises(RejectedError, match="OPSPILOT_MODEL__BACKEND=openai"):
                await asking
        await backend.close()


async def test_a_prompt_that_does_not_fit_is_too_long():
    async with TgiServer(max_input_tokens=20) as server:
        backend = backend_for(server.url, "tgi")
        with pytest.raises(TooLongError):
            await backend.complete(QUESTION)
        await backend.close()


async def test_an_adapter_that_the_server_lacks_is_answered_by_the_base_model():
    """So it is in TGI: that is why a probe follows each rollout."""
    said = Habits(answer=lambda prompt, schema, adapter: {"category": adapter or "base"})
    async with TgiServer(adapters=ADAPTERS, habits=said) as server:
        backend = backend_for(server.url, "tgi")
        answers = [
            (await backend.complete(replace(QUESTION, adapter=name))).content["category"]
            for name in (None, "opspilot-1", "opspilot-9")
        ]
        await backend.close()
    assert answers == ["base", "opspilot-1", "base"]
