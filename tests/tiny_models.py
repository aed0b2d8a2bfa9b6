"""Models small enough to be made in a test: random weights, a tokenizer trained in process."""

import json
from pathlib import Path

WORDS = (
    "Judge this incident. The data ends here. category severity summary suggestedActions "
    "Network Database Application Security Hardware Performance connection refused timed out "
    "disk failed queue full lock wait login denied exception in job [data-0123456789ab] JSON: "
)
SYSTEM = "You judge incidents of computer systems. Answer with one JSON object only."


def make_tokenizer(chat_template: str | None = None):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1_000,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([WORDS] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", chat_template=chat_template
    )


def make_model(kind: str = "llama", vocabulary: int = 1_000):
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2_048,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes))
    layers = ["sliding_attention", "full_attention"]
    config = Gemma3TextConfig(**sizes, head_dim=16, sliding_window=24, layer_types=layers)
    return Gemma3ForCausalLM(config)


def save_tiny_base(folder: Path, kind: str = "llama") -> Path:
    tokenizer = make_tokenizer()
    model = make_model(kind, len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_rows(count: int, split: str = "train") -> list[dict]:
    categories = ("Network", "Database", "Hardware")
    troubles = ("connection refused", "lock wait timed out", "disk failed")
    return [
        {
            "id": f"{split}-{number}",
            "split": split,
            "family": f"{split}-{number % 3}",
            "messages": [
                {"role": "system", "content": SYSTEM},
                {
                    "role": "user",
                    "content": f"{troubles[number % 3]} {number}\nThe data ends here.",
                },
            ],
            "completion": json.dumps({"category": categories[number % 3], "severity": "high"}),
        }
        for number in range(count)
    ]


def write_dataset(folder: Path, train: int = 12, validation: int = 6) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", validation)):
        text = "".join(json.dumps(row) + "\n" for row in make_rows(count, split))
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder
