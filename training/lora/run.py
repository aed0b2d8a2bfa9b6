"""From a dataset to the folder of an adapter.

Comes in: an Order. Goes out: a folder with peft's files, a GGUF adapter for llama.cpp, README.md
and card.json. Promise: the folder is there whole or not at all; what is there is not made
again; a run that was killed goes on where its last checkpoint was.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import ConfigurationError, InputError
from training.lora.card import Card, write_card
from training.lora.lessons import read_lessons
from training.lora.order import ADAPTER_FILE, Order

if TYPE_CHECKING:
    from training.lora.base import Trainable
    from training.lora.loop import Step, Trained

_NEEDED = ("torch", "transformers", "peft", "safetensors", "gguf")


def train(
    order: Order,
    report: Callable[["Step"], None],
    should_stop: Callable[[], bool],
    say: Callable[[str], None],
) -> Path:
    """Train and return the adapter's folder.

    Raises InputError, ConfigurationError, or StoppedError (of loop.py) when told to stop.
    """
    _require_packages()
    order.work.mkdir(parents=True, exist_ok=True)
    with _alone(order.work):
        if not order.out.is_dir():
            _train(order, report, should_stop, say)
    return order.out


def _train(
    order: Order,
    report: Callable[["Step"], None],
    should_stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    lessons = read_lessons(order.data)
    # torch takes seconds and hundreds of megabytes: only here, where it is needed.
    from training.lora.base import find_base, load_tokenizer, load_trainable
    from training.lora.encode import Renderer, encode
    from training.lora.loop import train_adapters

    order.cache.mkdir(parents=True, exist_ok=True)
    base = find_base(order.base, order.cache, say)
    tokenizer = load_tokenizer(base)
    trainable = load_trainable(base, order.recipe)
    family = str(trainable.network.config.model_type)
    renderer = Renderer(tokenizer, family)
    taught, too_long = encode(lessons.train, renderer, order.recipe.max_tokens)
    held, held_too_long = encode(lessons.validation, renderer, order.recipe.max_tokens)
    if not taught:
        raise InputError(
            f"all examples are longer than {order.recipe.max_tokens} tokens: "
            "raise OPSPILOT_TRAINING__MAX_TOKENS"
        )
    say(f"training on {len(taught)} examples, {too_long + held_too_long} are too long")
    trained = train_adapters(
        trainable,
        taught,
        held,
        order.recipe,
        folder=order.work,
        fingerprint=order.fingerprint(lessons.digest),
        report=report,
        should_stop=should_stop,
    )
    card = Card(
        name=order.name,
        base=order.base,
        family=family,
        data_digest=lessons.digest,
        train_examples=len(taught),
        validation_examples=len(held),
        left_out=too_long + held_too_long,
        recipe=order.recipe.to_dict(),
        parameters=trainable.parameters,
        device=trainable.device,
        training=_told(trained),
        versions={name: importlib.metadata.version(name) for name in _NEEDED},
    )
    _write(order, trainable, card)


def _write(order: Order, trainable: "Trainable", card: Card) -> None:
    """Write the folder under another name, then move it into place."""
    from training.lora.convert import ARCHITECTURES, write_gguf

    draft = order.out.with_name(f".{order.out.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    # A path of this machine would tell nobody else which base it is.
    trainable.model.peft_config["default"].base_model_name_or_path = order.base
    trainable.model.save_pretrained(draft)
    config = trainable.network.config
    if config.model_type in ARCHITECTURES:
        write_gguf(draft, config, draft / ADAPTER_FILE)
    write_card(draft, card)
    draft.rename(order.out)


def _told(trained: "Trained") -> dict[str, object]:
    return {name: getattr(trained, name) for name in type(trained).__slots__}


def _require_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"training needs {', '.join(missing)}: run `pip install 'opspilot[training]'`"
        )


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Hold the folder's lock; waits while another process trains the same."""
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
