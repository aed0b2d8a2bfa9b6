"""The packed loss on answers is exactly the plain one, value and gradient."""

import pytest
import torch
import torch.nn.functional as functional
from tiny_models import make_model

from training.lora import loss
from training.lora.encode import Encoded
from training.lora.packing import SHARED, pack


def _examples(shared: int = 30) -> list[Encoded]:
    generator = torch.Generator().manual_seed(3)

    def draw(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(2, 1_000, (count,), generator=generator).tolist())

    begin = draw(shared)
    return [
        Encoded((*begin, *draw(own), *draw(answer)), shared + own)
        for own, answer in ((5, 4), (17, 9), (40, 1))
    ]


def _plain_loss(model, examples: list[Encoded]) -> torch.Tensor:
    """Each example alone, all logits, as a plain trainer has it."""
    total, tokens = torch.zeros(()), 0
    for example in examples:
        ids = torch.tensor([example.ids])
        logits = model(input_ids=ids).logits[0, example.prompt_length - 1 : -1].float()
        targets = ids[0, example.prompt_length :]
        total = total + functional.cross_entropy(logits, targets, reduction="sum")
        tokens += len(targets)
    return total / tokens


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
@pytest.mark.parametrize("shared", [0, 1, 30])
def test_the_packed_loss_is_the_plain_one(kind, shared, monkeypatch):
    monkeypatch.setattr(loss, "CHUNK", 3)
    model = make_model(kind).eval()
    examples = _examples(shared)
    weight = model.get_decoder().layers[0].self_attn.q_proj.weight
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is weight)
    model.gradient_checkpointing_enable({"use_reentrant": False})

    plain = _plain_loss(model, examples)
    (wanted,) = torch.autograd.grad(plain, weight)
    packed = loss.completion_loss(model, pack(examples))
    (found,) = torch.autograd.grad(packed, weight)

    assert packed.item() == pytest.approx(plain.item(), rel=1e-5)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-7)
    assert wanted.abs().max() > 1e-6


def test_a_softcap_is_kept():
    model = make_model("gemma3").eval()
    free = loss.completion_loss(model, pack(_examples()))
    model.config.final_logit_softcapping = 0.05
    capped = loss.completion_loss(model, pack(_examples()))
    assert capped.item() != pytest.approx(free.item(), rel=1e-3)
    assert capped.item() == pytest.approx(_plain_loss(model, _examples()).item(), rel=1e-5)


def test_what_questions_share_stands_once():
    examples = _examples(30)
    packed = pack(examples)
    assert packed.ids.shape[1] == 30 + sum(len(e.ids) - 30 for e in examples)
    assert int((packed.owners == SHARED).sum()) == 30
    assert packed.targets.tolist() == [i for e in examples for i in e.ids[e.prompt_length :]]
    following = packed.ids[0][packed.sources + 1].tolist()
    # The first token of an answer follows the last of its own question.
    assert following == packed.targets.tolist()


def test_equal_questions_keep_their_last_token_each():
    one, other = Encoded((5, 6, 7, 8), 3), Encoded((5, 6, 7, 9), 3)
    packed = pack([one, other])
    assert packed.ids.tolist() == [[5, 6, 7, 8, 7, 9]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 2, 3]]
    assert packed.sources.tolist() == [2, 4]


def test_no_token_sees_another_example():
    packed = pack([Encoded((5, 6, 7, 8), 3), Encoded((5, 9, 7, 8), 3)])
    seen = packed.visible(None)[0, 0]
    assert packed.ids[0].tolist() == [5, 6, 7, 8, 9, 7, 8]
    assert seen[5].tolist() == [True, False, False, False, True, True, False]
    assert packed.visible(2)[0, 0][6].tolist() == [False] * 5 + [True, True]
