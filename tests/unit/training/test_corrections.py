"""What is learnt from people, and what one hostile person among them can do."""

from dataclasses import replace

import pytest

from agents.logic.feedback.selection import Word
from agents.logic.feedback.signing import sign, voice_of
from agents.logic.judging.classifier import load_classifier
from agents.logic.judging.incidents import judge_incident
from agents.logic.judging.records import to_record
from agents.logic.windows.grading import Grader
from agents.prompt_files import load_prompt
from schemas.classification import Classification, Judge
from schemas.learning import Feedback
from schemas.vocabulary import Category, Severity
from training.corpus import load_events
from training.dataset.building import combine_examples
from training.dataset.chance import Chance
from training.dataset.collecting import Gathering
from training.dataset.corrections import correction_examples, filled
from training.dataset.examples import Split, write_example
from training.dataset.incidents import incident_of
from training.dataset.leakage import evidence_words
from training.dataset.synthesis import Amounts, synthesise

TEMPLATE = load_prompt("classify")
JUDGE = Judge(backend="openai", model="tiny", adapter="triage-1")


@pytest.fixture(scope="module")
def classifier():
    return load_classifier()


@pytest.fixture(scope="module")
def grader(classifier):
    return Grader(classifier)


@pytest.fixture(scope="module")
def verdicts(classifier, grader) -> dict[str, tuple[Classification, Category]]:
    """Incidents that a model judged wrongly, with what the lines really are."""
    events = [e for e in load_events() if e.category and e.severity is not Severity.LOW]
    found: dict[str, tuple[Classification, Category]] = {}
    for event in Chance("verdicts").shuffled(events)[:90]:
        try:
            incident = incident_of("prod/pay/secret-service", [event.line] * 3, grader)
        except ValueError:
            continue
        verdict = judge_incident(incident, classifier)
        if verdict.category is not event.category:
            continue
        wrong = replace(verdict, category=other(event.category))
        found[incident.id] = to_record(incident, wrong, JUDGE), event.category
    return found


def other(category: Category) -> Category:
    order = list(Category)
    return order[(order.index(category) + 2) % 6]


def word(record: Classification, person: str, category: Category) -> Word:
    feedback = Feedback(
        incident_id=record.incident_id,
        revision=record.revision,
        person=person,
        given_ms=1,
        category_correct=False,
        corrected_category=category,
        comment="ask ana.lopez@bank.example.com",
        model="tiny",
    )
    return Word(feedback, f"voice {person}", record.category, record.severity)


def learn(words, verdicts, classifier, grader, **how):
    records = {key: record for key, (record, _) in verdicts.items()}
    return correction_examples(words, records, classifier, TEMPLATE, grader, **how)


def test_a_correction_that_the_evidence_bears_out_is_learnt_with_made_up_values(
    verdicts, classifier, grader
):
    words = [word(record, "ana", right) for record, right in verdicts.values()]
    examples = learn(words, verdicts, classifier, grader)
    assert len(examples) > len(verdicts)
    written = "\n".join(write_example(example) for example in examples)
    assert "secret-service" not in written
    assert "ana.lopez" not in written


def test_a_label_that_one_person_alone_names_is_not_learnt(verdicts, classifier, grader):
    words = [word(r, "eve", other(other(right))) for r, right in verdicts.values()]
    assert learn(words, verdicts, classifier, grader) == []
    # With a second person behind it, or in a team of one, it is.
    seconded = words + [word(r, "bob", other(other(t))) for r, t in verdicts.values()]
    assert learn(seconded, verdicts, classifier, grader)
    assert learn(words, verdicts, classifier, grader, single_person=True)


def test_thirty_percent_hostile_words_change_no_label_and_add_no_example(
    verdicts, classifier, grader
):
    pairs = list(verdicts.values())
    honest = [word(record, f"p{n % 3}", right) for n, (record, right) in enumerate(pairs)]
    hostile = [
        word(record, "eve", other(other(right)))
        for record, right in pairs[: round(len(honest) * 0.3 / 0.7)]
    ]
    assert 0.28 < len(hostile) / (len(honest) + len(hostile)) < 0.32
    clean = learn(honest, verdicts, classifier, grader)
    poisoned = learn([*honest, *hostile], verdicts, classifier, grader)
    labels = {example.family: example.category for example in clean}
    assert all(labels[example.family] is example.category for example in poisoned)
    assert [write_example(e) for e in poisoned] == [write_example(e) for e in clean]


def test_repeating_it_does_not_make_one_person_two(verdicts, classifier, grader):
    record, right = next(iter(verdicts.values()))
    shouted = [word(record, "eve", other(other(right))) for _ in range(50)]
    assert learn(shouted, verdicts, classifier, grader) == []


def test_a_forged_name_is_left_out_and_unsigned_ones_are_one_voice(verdicts):
    record, right = next(iter(verdicts.values()))
    keys = {"ana": b"a long enough secret", "bob": b"another long secret!"}
    gathering = Gathering(keys)
    gathering.take_verdict(record.to_bytes())
    said = word(record, "ana", right).feedback
    signed = sign(said, keys["ana"])
    forged = sign(said.model_copy(update={"person": "bob"}), b"not the key of bob")
    unsigned = [said.model_copy(update={"person": name}) for name in ("x", "y")]
    for number, feedback in enumerate([signed, forged, *unsigned]):
        gathering.take_feedback(f"k{number}".encode(), feedback.to_bytes())
    found = gathering.result()
    assert found.left_out == 1
    assert [w.voice for w in found.words] == [voice_of(signed, keys), "unsigned", "unsigned"]


def test_an_erased_word_and_a_word_without_verdict_are_not_learnt(verdicts):
    record, right = next(iter(verdicts.values()))
    gathering = Gathering({})
    gathering.take_verdict(record.to_bytes())
    said = word(record, "ana", right).feedback
    gathering.take_feedback(b"a", said.to_bytes())
    gathering.take_feedback(b"b", said.model_copy(update={"incident_id": "gone"}).to_bytes())
    gathering.take_feedback(b"a", None)
    assert gathering.result().words == []
    assert gathering.result().left_out == 1


def test_what_people_say_wins_over_replay_and_replay_outweighs_it(verdicts, classifier, grader):
    words = [word(record, "ana", right) for record, right in verdicts.values()]
    corrections = learn(words, verdicts, classifier, grader)
    replay = synthesise(load_events(), TEMPLATE, grader, 5, Amounts(60, 6, 12))
    together = combine_examples(corrections, replay, [])
    train = [e for e in together if e.split is Split.TRAIN]
    learnt = [e for e in train if e.family.startswith("feedback ")]
    assert learnt
    assert len(learnt) * 4 <= 60
    said = {words: e.category for e in learnt for words in evidence_words(e)}
    others = [e for e in train if e not in learnt]
    assert all(said.get(w, e.category) is e.category for e in others for w in evidence_words(e))


def test_masks_are_filled_and_what_was_redacted_stays_so():
    line = filled("login of <email> from <*>:<*> failed, password=<secret>", Chance("x"))
    assert "<email>" in line
    assert "<secret>" in line
    assert "<*>" not in line
