"""What is special to vLLM, llama.cpp and other servers of OpenAI's form."""

from dataclasses import replace

import pytest
from fakes.model_server import Habits
from fakes.openai_server import MODEL, OpenAiServer
from fakes.tgi_server import TgiServer
from questions import QUESTION, SMALL
from seams import ADAPTERS, KEY, backend_for

from agents.llm.errors import NotAllowedError, RejectedError
from agents.llm.reading import estimate_tokens

WHO = Habits(answer=lambda prompt, schema, adapter: {"category": adapter or "base"})


async def test_a_completion_is_asked_for_in_the_form_that_all_accept(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with OpenAiServer() as server:
        backend = backend_for(server.url, api_key=None)
        await backend.complete(replace(QUESTION, name="verdict"))
        await backend.close()
    (asked,) = server.generations
    assert asked.body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "verdict", "strict": True, "schema": SMALL},
        "value": {"name": "verdict", "schema": SMALL},
    }
    assert asked.body["model"] == MODEL
    assert asked.body["max_tokens"] == QUESTION.max_tokens
    assert asked.body["temperature"] == 0.0
    assert "environment" not in str(asked.headers), "only settings decide what is sent"
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_the_adapter_asked_for_answers_and_no_other(kind: str):
    async with OpenAiServer(kind=kind, adapters=ADAPTERS, habits=WHO) as server:
        backend = backend_for(server.url)
        for name in (None, "opspilot-1", "opspilot-2", None):
            reply = await backend.complete(replace(QUESTION, adapter=name))
            assert reply.content["category"] == (name or "base")
            assert reply.adapter == name
        await backend.close()


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_an_adapter_that_the_server_lacks_is_refused_and_no_model_asked(kind: str):
    async with OpenAiServer(kind=kind, adapters=ADAPTERS) as server:
        backend = backend_for(server.url)
        with pytest.raises(RejectedError, match="it has: opspilot-1, opspilot-2"):
            await backend.complete(replace(QUESTION, adapter="opspilot-9"))
        assert server.generations == []
        await backend.close()


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
async def test_an_adapter_loaded_since_is_found(kind: str):
    async with OpenAiServer(kind=kind, habits=WHO) as server:
        backend = backend_for(server.url)
        await backend.complete(QUESTION)
        server.adapters.add("opspilot-3")
        reply = await backend.complete(replace(QUESTION, adapter="opspilot-3"))
        assert reply.content["category"] == "opspilot-3"
        await backend.close()


async def test_what_vllm_takes_is_told():
    async with OpenAiServer(adapters=ADAPTERS, room=4_096) as server:
        backend = backend_for(server.url, max_plan_tokens=1_000)
        info = await backend.describe()
        await backend.close()
    assert info.model == MODEL
    assert info.max_prompt_tokens == 3_096, "an answer needs its room too"
    assert info.adapters == ("opspilot-1", "opspilot-2")
    assert info.max_concurrent is None


async def test_what_llama_cpp_takes_is_told():
    async with OpenAiServer(kind="llamacpp", adapters=ADAPTERS, slots=2) as server:
        backend = backend_for(server.url)
        info = await backend.describe()
        await backend.close()
    assert info.model == "base-model.gguf", "where a model lies on its server is not told on"
    assert info.max_concurrent == 2
    assert info.adapters == ("opspilot-1", "opspilot-2")


async def test_tgi_answers_here_too():
    async with TgiServer(api_key=KEY, adapters=ADAPTERS, habits=WHO) as server:
        backend = backend_for(f"{server.url}/v1")
        reply = await backend.complete(replace(QUESTION, adapter="opspilot-1"))
        assert reply.content["category"] == "opspilot-1"
        assert await backend.count_tokens("four") == 2
        await backend.close()


async def test_without_a_tokenizer_tokens_are_estimated():
    async with OpenAiServer(has_tokenizer=False) as server:
        backend = backend_for(server.url)
        for _ in range(2):
            assert await backend.count_tokens("some words") == estimate_tokens("some words")
        assert [r.path for r in server.requests].count("/tokenize") == 1, "it is remembered"
        await backend.close()


async def test_the_model_of_the_settings_goes_before_the_servers():
    async with OpenAiServer(kind="other") as server:
        backend = backend_for(server.url, name="my/model")
        reply = await backend.complete(QUESTION)
        await backend.close()
    assert server.generations[0].body["model"] == "my/model"
    assert reply.model == "my/model"


async def test_an_address_without_its_path_is_explained():
    async with TgiServer() as server:
        backend = backend_for(f"{server.url}/somewhere")
        with pytest.raises(RejectedError, match="OPSPILOT_MODEL__URL in /v1"):
            await backend.complete(QUESTION)
        await backend.close()


async def test_a_wrong_key_shows_already_when_the_server_is_asked_what_it_is():
    async with OpenAiServer(api_key=KEY) as server:
        backend = backend_for(server.url, api_key="another")
        with pytest.raises(NotAllowedError):
            await backend.describe()
        await backend.close()
