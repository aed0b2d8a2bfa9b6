"""Examples as tokens, rendered as the server that will be asked renders them.

Comes in: examples, a tokenizer, the family of the model. Goes out: token ids, and where the answer
begins. Promise: the question's ids are those that the server makes of the same messages; the
answer ends as the chat template ends a turn, so that the model learns to stop.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agents.llm.chat_template import merge_system, render_plainly
from agents.llm.protocol import Message
from agents.logic.prompting.templates import GEMMA_TEMPLATE
from training.lora.lessons import Lesson


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example; the answer is `ids[prompt_length:]`."""

    ids: tuple[int, ...]
    prompt_length: int

    @property
    def completion_length(self) -> int:
        """Return how many tokens there are to learn."""
        return len(self.ids) - self.prompt_length


@dataclass(frozen=True, slots=True)
class Renderer:
    """Writes a conversation as one text."""

    tokenizer: Any
    model_type: str

    def prompt(self, messages: Iterable[Message]) -> str:
        """Return what the model reads before it answers."""
        return self._render(list(messages), answer=None)

    def answer(self, messages: Iterable[Message], completion: str) -> str:
        """Return what the model is to write after `prompt`: the completion, and the turn's end."""
        turns = list(messages)
        before = self._render(turns, answer=None)
        whole = self._render(turns, answer=completion)
        rest = whole.removeprefix(before).rstrip() if whole.startswith(before) else ""
        # Some templates tidy an answer up; then it is taken as it is, with the plain end of a text.
        if not rest.startswith(completion) or rest == completion:
            return completion + (self.tokenizer.eos_token or "")
        return rest

    def _render(self, turns: list[Message], answer: str | None) -> str:
        template = self._template()
        if template is None:
            begin = self.tokenizer.bos_token or ""
            return begin + render_plainly(turns) + (answer or "")
        try:
            return self._templated(turns, answer, template)
        except Exception as error:
            # A template that knows no system turn refuses it in words of its own.
            if not any(turn.role == "system" for turn in turns):
                raise ValueError(f"the chat template refuses the messages: {error}") from error
            return self._templated(merge_system(turns), answer, template)

    def _templated(self, turns: list[Message], answer: str | None, template: str) -> str:
        said = [{"role": turn.role, "content": turn.content} for turn in turns]
        if answer is not None:
            said.append({"role": "assistant", "content": answer})
        text = self.tokenizer.apply_chat_template(
            said, chat_template=template, tokenize=False, add_generation_prompt=answer is None
        )
        return str(text)

    def _template(self) -> str | None:
        own: str | None = self.tokenizer.chat_template
        if own is None and self.model_type.startswith("gemma"):
            return GEMMA_TEMPLATE
        return own


def encode(
    examples: Iterable[Lesson], renderer: Renderer, max_tokens: int
) -> tuple[list[Encoded], int]:
    """Return the examples as tokens, and how many were left out for being longer than allowed."""
    encoded, left_out = [], 0
    for example in examples:
        prompt = _ids(renderer, renderer.prompt(example.messages))
        answer = _ids(renderer, renderer.answer(example.messages, example.completion))
        if len(prompt) + len(answer) > max_tokens:
            left_out += 1
            continue
        encoded.append(Encoded((*prompt, *answer), len(prompt)))
    return encoded, left_out


def _ids(renderer: Renderer, text: str) -> tuple[int, ...]:
    # The template has written the token that begins a text, as far as there is to be one.
    return tuple(renderer.tokenizer(text, add_special_tokens=False)["input_ids"])
