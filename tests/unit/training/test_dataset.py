"""Examples, splits, leakage, synthesis: what adapters learn from."""

from dataclasses import replace

import pytest

from agents.logic.answers.classification import read_classify_answer
from agents.logic.judging.classifier import load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.prompting.questions import classify_prompt
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from schemas.ids import content_id
from schemas.vocabulary import Category
from streams.errors import InputError
from training.corpus import load_events
from training.dataset.asking import completion_of
from training.dataset.building import combine_examples
from training.dataset.canaries import load_canaries
from training.dataset.chance import Chance
from training.dataset.examples import Split, read_examples, write_example
from training.dataset.folder import read_dataset, scan_dataset, write_dataset
from training.dataset.leakage import LeakageError, check_leakage, leaks, without_leaks
from training.dataset.splits import split_events
from training.dataset.synthesis import Amounts, synthesise
from training.dataset.varying import varied

TEMPLATE = load_prompt("classify")


@pytest.fixture(scope="module")
def events():
    return load_events()


@pytest.fixture(scope="module")
def grader():
    return Grader(load_classifier())


@pytest.fixture(scope="module")
def made(events, grader):
    return synthesise(events, TEMPLATE, grader, 3, Amounts(36, 12, 24))


@pytest.fixture(scope="module")
def canaries(grader):
    return load_canaries(TEMPLATE, grader)


def test_the_same_number_gives_the_same_examples(events, grader, made):
    again = synthesise(events, TEMPLATE, grader, 3, Amounts(36, 12, 24))
    assert [write_example(e) for e in again] == [write_example(e) for e in made]
    other = synthesise(events, TEMPLATE, grader, 4, Amounts(12, 6, 6))
    assert {e.id for e in other}.isdisjoint(e.id for e in made)


def test_all_categories_have_as_many_examples_in_each_split(made):
    for split in (Split.TRAIN, Split.VALIDATION, Split.TEST):
        counts = [sum(e.split is split and e.category is c for e in made) for c in Category]
        assert min(counts) == max(counts) > 0


def test_questions_are_byte_for_byte_those_that_classify_sends(made):
    for example in made:
        nonce = content_id("nonce", example.incident.id)
        asked = [classify_prompt(example.incident, TEMPLATE, nonce, n).messages for n in (4, 6, 12)]
        assert example.messages in asked


def test_completions_are_answers_that_classify_takes_as_they_are(made):
    import json

    for example in made:
        answer = read_classify_answer(json.loads(example.completion), example.incident)
        assert completion_of(answer) == example.completion
        assert (answer.category, answer.severity) == (example.category, example.severity)


def test_an_example_is_read_as_it_was_written(made):
    lines = [write_example(example) for example in made]
    assert read_examples(lines, "train.jsonl") == made


def test_a_line_that_is_no_example_is_named():
    with pytest.raises(InputError, match=r"x\.jsonl, line 2: has no 'completion'"):
        read_examples(["", '{"id": "a"}'], "x.jsonl")


def test_products_stand_in_one_split_and_near_equal_wordings_too(events):
    splits = split_events(events, 1)
    products = [{event.product for event in found} for found in splits.values()]
    assert not products[0] & products[1]
    assert not products[0] & products[2]
    assert not products[1] & products[2]


def test_nothing_leaks_from_synthesis(made, canaries):
    check_leakage(combine_examples([], made, canaries))


def test_a_test_item_in_the_training_split_fails_the_check(made):
    test = next(e for e in made if e.split is Split.TEST)
    copied = replace(test, id="copied", split=Split.TRAIN, family="a family of its own")
    with pytest.raises(LeakageError, match=f"copied and {test.id} share evidence"):
        check_leakage([*made, copied])
    assert copied not in without_leaks([*made, copied])
    assert test in without_leaks([*made, copied])


def test_a_family_in_two_splits_fails_the_check(made):
    train = next(e for e in made if e.split is Split.TRAIN)
    test = next(e for e in made if e.split is Split.TEST)
    found = leaks([train, replace(test, family=train.family)])
    assert [leak.what for leak in found] == [f"family {train.family}"]


def test_an_id_that_stands_twice_fails_the_check(made):
    with pytest.raises(LeakageError, match="1 ids stand twice"):
        check_leakage([*made, made[0]])


def test_the_canaries_are_ten_of_each_and_beyond_doubt_to_the_baseline(canaries):
    assert len(canaries) == 60
    counts = [sum(e.category is category for e in canaries) for category in Category]
    assert counts == [10] * 6
    judge = load_classifier()
    said = {e.family: judge_incident(e.incident, judge).category for e in canaries}
    assert said == {e.family: e.category for e in canaries}


def test_values_vary_and_words_codes_and_ports_stay():
    line = "ORA-00600 on db-7: 10.1.2.3:5432 refused session 8812331 id 9f0c2d1e status 503"
    other = varied(line, Chance("a"))
    assert other != line
    assert varied(line, Chance("a")) == other
    for kept in ("ORA-00600", ":5432 refused session", "status 503"):
        assert kept in other
    assert "10.1.2.3" not in other


def test_a_dataset_is_read_back_and_equal_bytes_are_written(tmp_path, made, canaries):
    examples = combine_examples([], made, canaries)
    first = write_dataset(tmp_path / "a", examples, {"seed": 3})
    second = write_dataset(tmp_path / "b", examples, {"seed": 3})
    assert first == second
    assert {e.id for e in read_dataset(tmp_path / "a")} == {e.id for e in examples}
    scan_dataset(tmp_path / "a")
    train = (tmp_path / "a" / "train.jsonl").read_bytes()
    assert train == (tmp_path / "b" / "train.jsonl").read_bytes()
