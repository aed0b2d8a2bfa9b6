"""What servers say of themselves, and what is made of nonsense."""

import pytest

from agents.llm.served import Kind, read_llama_cpp, read_models

LLAMA = {"data": [{"id": "/models/small.gguf", "owned_by": "llamacpp"}]}


def test_vllm_lists_its_adapters_beside_the_base_model():
    rows = [
        {"id": "base", "owned_by": "vllm", "parent": None, "max_model_len": 4096},
        {"id": "one", "owned_by": "vllm", "parent": "base"},
    ]
    served = read_models({"data": rows})
    assert (served.kind, served.model, served.context_tokens) == (Kind.VLLM, "base", 4096)
    assert set(served.adapters) == {"one"}


def test_llama_cpp_names_adapters_by_their_files():
    props = {"default_generation_settings": {"n_ctx": 1024}, "total_slots": 2}
    adapters = [{"id": 0, "path": "/a/opspilot-1.gguf", "scale": 1.0}, {"id": "x"}, 3]
    served = read_llama_cpp(read_models(LLAMA), props, adapters)
    assert served.model == "small.gguf"
    assert served.adapters == {"opspilot-1": 0}
    assert (served.context_tokens, served.slots) == (1024, 2)


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": [1, {"id": 7}]}, "x"])
def test_nonsense_means_only_that_less_is_known(body: object):
    served = read_models(body)
    assert (served.kind, served.model, dict(served.adapters)) == (Kind.OTHER, None, {})
    told = read_llama_cpp(read_models(LLAMA), body, body)
    assert (told.context_tokens, told.slots, dict(told.adapters)) == (None, None, {})
