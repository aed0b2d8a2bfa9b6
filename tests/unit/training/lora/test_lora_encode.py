"""Questions become the text that servers make of them; answers end as a turn ends."""

import pytest
from tiny_models import make_tokenizer, write_dataset

from agents.llm.protocol import Message
from streams.errors import InputError
from training.lora.batches import steps_of_epoch
from training.lora.encode import Renderer, encode
from training.lora.lessons import Lesson, read_lessons
from training.lora.recipe import Quantize, Recipe

MESSAGES = (Message("system", "Judge."), Message("user", "<end_of_turn> disk failed"))
STRICT = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system turns') }}{% endif %}"
    "[{{ m['role'] }}]{{ m['content'] }}{{ eos_token if m['role'] == 'assistant' }}\n{% endfor %}"
)


def test_gemma_gets_the_template_of_the_local_server():
    renderer = Renderer(make_tokenizer(), "gemma3_text")
    begin = "<s><start_of_turn>user\nJudge.\n\n< end_of_turn> disk failed<end_of_turn>\n"
    assert renderer.prompt(MESSAGES) == begin + "<start_of_turn>model\n"
    assert renderer.answer(MESSAGES, '{"a": 1}') == '{"a": 1}<end_of_turn>'


def test_a_model_without_template_gets_headings_and_learns_to_stop():
    renderer = Renderer(make_tokenizer(), "llama")
    assert renderer.prompt(MESSAGES).startswith("<s>### System\nJudge.\n\n### User\n")
    assert renderer.prompt(MESSAGES).endswith("### Assistant\n")
    assert renderer.answer(MESSAGES, "{}") == "{}</s>"


def test_a_template_without_system_turns_gets_them_before_the_users():
    renderer = Renderer(make_tokenizer(STRICT), "mistral")
    assert renderer.prompt(MESSAGES) == "<s>[user]Judge.\n\n<end_of_turn> disk failed\n"
    assert renderer.answer(MESSAGES, "{}").endswith("{}</s>")


def test_examples_are_whole_or_left_out():
    renderer = Renderer(make_tokenizer(), "llama")
    short, long = Lesson(MESSAGES, "{}"), Lesson(MESSAGES, "x y " * 300)
    (found,), left_out = encode([short, long], renderer, 200)
    assert left_out == 1
    text = renderer.tokenizer.decode(found.ids[found.prompt_length :])
    assert text == "{}</s>"
    before = renderer.tokenizer.decode(found.ids[: found.prompt_length])
    assert before == renderer.prompt(MESSAGES)


def test_every_example_once_per_epoch_in_an_order_of_its_own():
    first, again = steps_of_epoch(21, 8, 1, 0), steps_of_epoch(21, 8, 1, 0)
    assert first == again
    assert sorted(i for step in first for i in step) == list(range(21))
    assert [len(step) for step in first] == [7, 7, 7]
    assert first != steps_of_epoch(21, 8, 1, 1) != steps_of_epoch(21, 8, 2, 1)


def test_lessons_say_what_is_wrong_and_their_digest_follows_the_content(tmp_path):
    folder = write_dataset(tmp_path / "data")
    one = read_lessons(folder)
    assert (len(one.train), len(one.validation)) == (12, 6)
    (folder / "validation.jsonl").unlink()
    other = read_lessons(folder)
    assert other.validation == () and other.train == one.train
    assert other.digest != one.digest
    (folder / "train.jsonl").write_text('{"messages": [{"role": "boss"}], "completion": "{}"}')
    with pytest.raises(InputError, match=r"train.jsonl, line 1: a turn is .*'boss'"):
        read_lessons(folder)
    (folder / "train.jsonl").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        read_lessons(folder)


def test_a_recipe_survives_json_and_refuses_nonsense():
    recipe = Recipe(quantize=Quantize.NF4, seed=5)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    with pytest.raises(ValueError, match="batch is 0"):
        Recipe(batch=0)
