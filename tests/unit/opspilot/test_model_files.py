"""What a GGUF file says of itself, which adapters are taken up, and what is told to the stages."""

import os
from pathlib import Path

import pytest
from gguf_files import adapter_fields, write_gguf

from opspilot.local.model.beside import judge_variables
from opspilot.local.model.engine import (
    GEMMA_TEMPLATE,
    Load,
    chat_template,
    parse_load,
    thread_budget,
)
from opspilot.local.model.files import (
    MOST_ADAPTERS,
    SHIPPED,
    find_adapters,
    find_model,
    shipped_adapter,
    with_shipped,
)
from opspilot.local.model.gguf import read_header
from opspilot.stack import JUDGES, STAGES, StackPlan, worker_specs
from streams.errors import ConfigurationError


def write_model(path: Path, architecture: str = "gemma3", **further: str) -> Path:
    fields = {"general.architecture": architecture, "general.type": "model", **further}
    return write_gguf(path, fields)


def test_a_header_is_read_past_its_lists(tmp_path: Path):
    fields = {
        "general.architecture": "gemma3",
        "tokenizer.tokens": ["a", "", "größer"],
        "tokenizer.types": [1, 2, 3],
        "gemma3.context_length": 32_768,
        "gemma3.epsilon": 0.5,
        "tokenizer.chat_template": "{{ x }}",
    }
    header = read_header(write_gguf(tmp_path / "m.gguf", fields))
    assert header.architecture == "gemma3"
    assert header.chat_template == "{{ x }}"
    assert header.fields["gemma3.context_length"] == 32_768
    assert header.fields["gemma3.epsilon"] == 0.5
    assert not header.is_adapter


def test_a_file_cut_off_anywhere_in_its_header_is_said_to_be_so(tmp_path: Path):
    whole = write_gguf(
        tmp_path / "m.gguf", {"general.architecture": "gemma3", "list": ["a", "b"], "n": 7}
    ).read_bytes()
    cut = tmp_path / "cut.gguf"
    end = whole.rindex(b"n") + 4
    for length in range(end):
        cut.write_bytes(whole[:length])
        with pytest.raises(ConfigurationError, match="not a"):
            read_header(cut)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", b"{}"])
def test_what_is_no_gguf_is_named(tmp_path: Path, content: bytes):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"model\.gguf is not a GGUF file"):
        find_model(path, tmp_path)


def test_a_missing_file_and_an_adapter_in_place_of_a_model_are_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"absent\.gguf does not exist"):
        find_model(tmp_path / "absent.gguf", tmp_path)
    adapter = write_gguf(tmp_path / "a.gguf", adapter_fields("gemma3"))
    with pytest.raises(ConfigurationError, match="is an adapter, not a model"):
        find_model(adapter, tmp_path)


def test_only_adapters_of_this_model_are_taken_and_the_oldest_stands_first(tmp_path: Path):
    for number, name in enumerate(("second", "first")):
        path = write_gguf(tmp_path / f"{name}.gguf", adapter_fields("gemma3"))
        os.utime(path, ns=(0, 2_000 - number))
    write_gguf(tmp_path / "other.gguf", adapter_fields("llama"))
    write_model(tmp_path / "model.gguf")
    (tmp_path / "half.gguf").write_bytes(b"GGUF")
    write_gguf(tmp_path / ".draft.gguf", adapter_fields("gemma3"))
    adapters, left_out = find_adapters(tmp_path, "gemma3")
    assert [one.name for one in adapters] == ["first", "second"]
    assert len(left_out) == 3
    assert any("other.gguf is an adapter of llama" in one for one in left_out)
    assert any("model.gguf is a model of gemma3" in one for one in left_out)


def test_no_more_adapters_than_memory_was_planned_for(tmp_path: Path):
    for number in range(MOST_ADAPTERS + 1):
        path = write_gguf(tmp_path / f"a{number}.gguf", adapter_fields("gemma3"))
        os.utime(path, ns=(0, number))
    adapters, left_out = find_adapters(tmp_path, "gemma3")
    assert [one.name for one in adapters] == [f"a{n}" for n in range(1, MOST_ADAPTERS + 1)]
    assert left_out == (f"adapter left out: {tmp_path / 'a0.gguf'} is too old",)


def test_a_folder_that_is_not_there_holds_no_adapters(tmp_path: Path):
    assert find_adapters(tmp_path / "absent", "gemma3") == ((), ())


def test_the_adapter_that_ships_stands_first_and_only_beside_its_own_model(tmp_path: Path):
    path = write_gguf(tmp_path / "mine.gguf", adapter_fields("gemma3"))
    found, _ = find_adapters(tmp_path, "gemma3")
    assert [one.name for one in with_shipped(found, None)] == [SHIPPED, "mine"]
    assert with_shipped(found, path) == found
    assert shipped_adapter(path) is None
    own = shipped_adapter(None)
    assert own is not None
    header = read_header(own)
    assert (header.is_adapter, header.architecture) == (True, "gemma3")
    assert own.stat().st_size < 6_000_000
    assert "Gemma Terms of Use" in own.with_name("NOTICE.txt").read_text()
    assert "Section 3" in own.with_name("GEMMA_TERMS.txt").read_text()
    # One of its name in the folder is a newer one that somebody put there.
    write_gguf(tmp_path / f"{SHIPPED}.gguf", adapter_fields("gemma3"))
    found, _ = find_adapters(tmp_path, "gemma3")
    assert with_shipped(found, None) == found


def test_a_template_is_set_only_for_a_gemma_without_one(tmp_path: Path):
    bare = find_model(write_model(tmp_path / "bare.gguf"), tmp_path)
    assert chat_template(bare) == GEMMA_TEMPLATE
    own = {"tokenizer.chat_template": "{{ own }}"}
    assert chat_template(find_model(write_model(tmp_path / "o.gguf", **own), tmp_path)) is None
    llama = find_model(write_model(tmp_path / "l.gguf", "llama"), tmp_path)
    assert chat_template(llama) is None


def test_a_core_is_left_to_the_stages():
    assert [thread_budget(cores, None) for cores in (1, 2, 4, 64)] == [1, 1, 3, 8]
    assert thread_budget(2, 2) == 2


def test_load_is_what_runs_and_what_waits():
    text = (
        "# TYPE llamacpp:requests_processing gauge\n"
        "llamacpp:requests_processing 2\n"
        "llamacpp:requests_deferred 3\n"
        "llamacpp:n_decode_total 41\n"
        "llamacpp:prompt_tokens_seconds 1.5e+02\n"
    )
    assert parse_load(text) == Load(waiting=5, steps=41)
    assert parse_load("") == Load(waiting=0, steps=0)


def test_judges_share_the_slots_and_what_a_person_set_stays():
    url = "http://127.0.0.1:1/v1"
    told = judge_variables(url, 4, 2, {"OPSPILOT_MODEL__MAX_PROMPT_TOKENS": "9"})
    assert told["OPSPILOT_MODEL__BACKEND"] == "openai"
    assert told["OPSPILOT_MODEL__URL"] == url
    assert told["OPSPILOT_MODEL__MAX_CONCURRENT"] == "2"
    assert "OPSPILOT_MODEL__MAX_PROMPT_TOKENS" not in told
    assert judge_variables(url, 1, 3, {})["OPSPILOT_MODEL__MAX_CONCURRENT"] == "1"
    assert "OPSPILOT_MODEL__ADAPTER" not in told
    assert judge_variables(url, 1, 1, {}, "own")["OPSPILOT_MODEL__ADAPTER"] == "own"
    assert "OPSPILOT_MODEL__ADAPTER" not in judge_variables(
        url, 1, 1, {"OPSPILOT_MODEL__ADAPTER": "mine"}, "own"
    )


def test_only_the_judges_are_told_of_the_model():
    specs = worker_specs(StackPlan(Path("data")), {}, {"OPSPILOT_MODEL__BACKEND": "openai"})
    told = {spec.name for spec in specs if "OPSPILOT_MODEL__BACKEND" in spec.environment}
    assert told == set(JUDGES)
    assert told < set(STAGES)
