"""The loss on answers alone, without the logits of anything else and never of all at once.

Comes in: a causal language model, packed examples. Goes out: the mean cross-entropy per token of
the answers. Promise: exact; memory for logits is that of `CHUNK` tokens, whatever the batch. The
head is frozen, so the gradient of its input is known at once and nothing is kept for later
(as in the fused linear cross-entropy of Liger, arXiv 2410.10989).
"""

from typing import Any

import torch
import torch.nn.functional as functional

from training.lora.packing import Packed

CHUNK = 128


def completion_loss(model: Any, packed: Packed) -> torch.Tensor:
    """Return the mean loss over the tokens of the answers.

    `model` is a transformers causal model, its adapters put in; they take the gradient.
    """
    hidden = model.get_decoder()(
        input_ids=packed.ids,
        position_ids=packed.positions,
        attention_mask=_mask(model.config, packed),
        use_cache=False,
    ).last_hidden_state[0]
    head = model.get_output_embeddings()
    softcap = getattr(model.config, "final_logit_softcapping", None)
    chosen = hidden.index_select(0, packed.sources)
    loss: torch.Tensor = _FrozenHead.apply(chosen, head.weight, head.bias, packed.targets, softcap)
    return loss


def _mask(config: Any, packed: Packed) -> Any:
    """Return who may look at whom, in the form that the model takes."""
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds:
        return packed.visible(window)
    return {kind: packed.visible(window if kind == "sliding_attention" else None) for kind in kinds}


class _FrozenHead(torch.autograd.Function):
    """Head and cross-entropy in one; the gradient is worked out on the way forward."""

    @staticmethod
    def forward(
        context: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        softcap: float | None,
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(hidden)
        for begin in range(0, len(targets), CHUNK):
            part = hidden[begin : begin + CHUNK].detach()
            wanted = context.needs_input_grad[0]
            with torch.set_grad_enabled(wanted):
                part.requires_grad_(wanted)
                logits = functional.linear(part, weight.detach(), bias).float()
                if softcap:
                    logits = torch.tanh(logits / softcap) * softcap
                loss = functional.cross_entropy(
                    logits, targets[begin : begin + CHUNK], reduction="sum"
                )
            total += loss.detach()
            if wanted:
                (gradient[begin : begin + CHUNK],) = torch.autograd.grad(loss, part)
        context.save_for_backward(gradient)
        context.count = len(targets)
        return total / len(targets)

    @staticmethod
    def backward(context: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = context.saved_tensors
        return gradient * (upstream[0] / context.count).to(gradient.dtype), None, None, None, None
