"""A language model small enough to be made and taught in a test, as a GGUF file of the llama kind.

Comes in: lessons. Goes out: a file that llama.cpp serves and that training takes for its base.
Its words are those of the lessons; what it says of anything else is noise.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import gguf
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from training.lora.convert import interleave
from training.lora.encode import Encoded, Renderer, encode
from training.lora.gguf_tokenizer import read_tokenizer
from training.lora.lessons import Lesson

TEMPLATE = "{{ bos_token }}{% for turn in messages %}{{ turn['content'] }}\n{% endfor %}"
CONTROL = ("<unk>", "<s>", "</s>")
PIECES = 1_200
HIDDEN, INNER, LAYERS, HEADS = 64, 128, 2, 4
CONTEXT = 4_096
STEPS = (100, 100, 30)
RATE, BATCH, WARM_STEPS, WEIGHT, SEED = 4e-3, 8, 20, 12.0, 7
_SPACE = "\u2581"
_UNKNOWN, _CONTROL, _BYTE, _NORMAL = 2, 3, 6, 1


def teach_model(file: Path, lessons: Sequence[Lesson]) -> Path:
    """Make a model, teach it these lessons from nothing, and write it.

    First the category alone, of questions without their instructions, which is soon learnt; then
    whole answers; at last whole questions.
    """
    # Steps this small are slower on two threads, and much slower where cores are shared.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    pieces = _pieces(text for lesson in lessons for text in _texts(lesson))
    _write(file, pieces, None)
    renderer = Renderer(read_tokenizer(file), "llama")
    whole, _ = encode(lessons, renderer, CONTEXT)
    bare = [Lesson(one.messages[1:], one.completion) for one in lessons]
    short, _ = encode(bare, renderer, CONTEXT)
    telling = _first_difference(short)
    words = [
        Encoded(one.ids[: one.prompt_length + telling + 1], one.prompt_length) for one in short
    ]
    model = LlamaForCausalLM(_config(len(pieces)))
    _teach(model, zip(STEPS, (words, short, whole), strict=True), telling)
    _write(file, pieces, model)
    return file


def _teach(
    model: LlamaForCausalLM, courses: Iterable[tuple[int, Sequence[Encoded]]], telling: int
) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    chance = torch.Generator().manual_seed(SEED)
    steps = [examples for count, examples in courses for _ in range(count)]
    for step, examples in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_STEPS) * (1 - step / len(steps))
        places = torch.randint(len(examples), (BATCH,), generator=chance).tolist()
        loss = _loss(model, [examples[place] for place in places], telling)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _loss(model: LlamaForCausalLM, examples: Sequence[Encoded], telling: int) -> torch.Tensor:
    """Return the loss on the answers; the token at place `telling` of each weighs more."""
    longest = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), longest), CONTROL.index("</s>"))
    wanted = torch.zeros((len(examples), longest), dtype=torch.bool)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        wanted[row, example.prompt_length : len(example.ids)] = True
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    ids, wanted = ids[:, 1:], wanted[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[wanted]), ids[wanted], reduction="none"
    )
    places = wanted.long().cumsum(1)[wanted] - 1
    weights = torch.where(places == telling, WEIGHT, 1.0)
    return (losses * weights).sum() / weights.sum()


def _first_difference(examples: Sequence[Encoded]) -> int:
    """Return the place in the answers at which they first differ: the category's."""
    answers = [one.ids[one.prompt_length :] for one in examples]
    return next(n for n, tokens in enumerate(zip(*answers, strict=False)) if len(set(tokens)) > 1)


def _texts(lesson: Lesson) -> Iterable[str]:
    yield from (message.content for message in lesson.messages)
    yield lesson.completion


def _pieces(texts: Iterable[str]) -> list[str]:
    """Return pieces of words, the most wanted first: byte-pair encoding that ends at each space."""
    bpe = Tokenizer(models.BPE())
    cuts = Regex(rf"{_SPACE}?[A-Za-z]+|.|\n")
    bpe.pre_tokenizer = pre_tokenizers.Split(cuts, "isolated")
    trainer = trainers.BpeTrainer(vocab_size=PIECES, show_progress=False)
    bpe.train_from_iterator((text.replace(" ", _SPACE) for text in texts), trainer)
    found = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
    return [piece for piece, _ in found]


def _config(pieces: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(CONTROL) + 256 + pieces,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
    )


def _write(file: Path, pieces: Sequence[str], model: LlamaForCausalLM | None) -> None:
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_vocab_size(len(CONTROL) + 256 + len(pieces))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    writer.add_token_list([*CONTROL, *bytes_, *pieces])
    writer.add_token_scores([0.0] * (len(CONTROL) + 256) + [-float(n) for n in range(len(pieces))])
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * len(pieces)]
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    for name, values in _tensors(model) if model is not None else ():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(model: LlamaForCausalLM):
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    for name, tensor in model.state_dict().items():
        values = tensor.float().numpy()
        if name in fixed:
            yield fixed[name], values
            continue
        _, _, layer, rest = name.split(".", 3)
        part = rest.removesuffix(".weight")
        if part in ("self_attn.q_proj", "self_attn.k_proj"):
            values = interleave(values, HEADS).copy()
        yield f"blk.{layer}.{names[part]}.weight", values
