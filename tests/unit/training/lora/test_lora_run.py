"""Whole runs of the trainer with a tiny model: what comes out, and that a stop changes nothing."""

import json

import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file
from tiny_models import save_tiny_base, write_dataset

from training.lora.card import add_figures
from training.lora.loop import StoppedError
from training.lora.order import Order
from training.lora.recipe import Device, Precision, Quantize, Recipe
from training.lora.run import train

RECIPE = Recipe(epochs=2, batch=4, device=Device.CPU, precision=Precision.FP32, max_tokens=400)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


def _order(base, folder, **changes) -> Order:
    recipe = changes.pop("recipe", RECIPE)
    data = write_dataset(folder / "data", **changes)
    return Order("tiny-1", str(base), data, folder / "out", folder / "work", folder, recipe)


def _run(order, stop_after: int | None = None):
    steps = []

    def should_stop() -> bool:
        calls.append(None)
        return stop_after is not None and len(calls) >= stop_after

    calls: list[None] = []
    train(order, steps.append, should_stop, lambda _: None)
    return steps


def _weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def test_a_run_that_was_stopped_ends_with_the_very_same_adapter(base, tmp_path):
    whole = _order(base, tmp_path / "whole")
    steps = _run(whole)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.validation_loss is not None for step in steps] == [False, False, True] * 2
    assert steps[-1].loss < steps[0].loss

    parted = _order(base, tmp_path / "parted")
    for _ in range(2):
        with pytest.raises(StoppedError):
            _run(parted, stop_after=2)
        assert not parted.out.exists()
    later = _run(parted)
    assert [step.step for step in later] == [5, 6]
    wanted, found = _weights(whole.out), _weights(parted.out)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    assert any(wanted[name].abs().max() > 0 for name in wanted if "lora_B" in name)

    card = json.loads((parted.out / "card.json").read_text())
    assert (card["train_examples"], card["training"]["resumed_at"]) == (12, 4)
    assert card["base"] == str(base)
    add_figures(parted.out, {"accuracy": 0.875})
    assert "| accuracy | 0.875 |" in (parted.out / "README.md").read_text()


def test_a_run_that_is_done_is_not_run_again(base, tmp_path):
    order = _order(base, tmp_path, recipe=Recipe.from_dict(RECIPE.to_dict() | {"epochs": 1}))
    assert _run(order)
    before = (order.out / "adapter_model.safetensors").stat().st_mtime_ns
    assert _run(order) == []
    assert (order.out / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_a_checkpoint_of_other_data_is_not_taken_up(base, tmp_path):
    order = _order(base, tmp_path)
    with pytest.raises(StoppedError):
        _run(order, stop_after=1)
    write_dataset(order.data, train=8)
    assert _run(order)[0].step == 1


def test_a_spoilt_checkpoint_is_begun_anew(base, tmp_path):
    order = _order(base, tmp_path)
    with pytest.raises(StoppedError):
        _run(order, stop_after=1)
    file = order.work / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1_000])
    assert _run(order)[0].step == 1


def test_four_bit_weights_learn_too(base, tmp_path):
    recipe = Recipe.from_dict(RECIPE.to_dict() | {"quantize": Quantize.NF4})
    steps = _run(_order(base, tmp_path, recipe=recipe))
    assert steps[-1].loss < steps[0].loss


def test_the_gguf_adapter_has_each_weight_and_scale(base, tmp_path):
    order = _order(base, tmp_path, recipe=Recipe.from_dict(RECIPE.to_dict() | {"epochs": 1}))
    _run(order)
    reader = GGUFReader(order.out / "adapter.gguf")
    assert reader.get_field("general.type").contents() == "adapter"
    assert reader.get_field("general.architecture").contents() == "llama"
    assert reader.get_field("adapter.lora.alpha").contents() == 32.0
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    assert len(found) == 2 * 4 * 2
    saved = {name: tensor.half() for name, tensor in _weights(order.out).items()}
    value = saved["base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"]
    assert torch.equal(torch.tensor(found["blk.1.attn_v.weight.lora_b"]), value)
    query = saved["base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"]
    turned = torch.tensor(found["blk.0.attn_q.weight.lora_b"])
    # Heads of 16: llama.cpp pairs neighbours, transformers the halves.
    assert torch.equal(turned[0], query[0])
    assert torch.equal(turned[1], query[8])
    assert torch.equal(turned[18], query[17])
