"""Who said what of a verdict, what it means, and what may be learnt from it."""

import hashlib
import hmac
import json

import pytest

from agents.logic.feedback.selection import Lesson, Word, select_lessons
from agents.logic.feedback.signing import (
    UNSIGNED,
    author_of,
    canonical,
    feedback_key,
    sign,
    voice_of,
)
from agents.logic.feedback.wording import Said, calls_wrong, make_feedback
from schemas.classification import Classification, IncidentBrief, Judge
from schemas.incident import LogAnalysis
from schemas.learning import Feedback
from schemas.vocabulary import Category, IncidentStatus, Priority, Severity
from streams.errors import DecodeError, InputError

DATABASE, NETWORK, SECURITY = Category.DATABASE, Category.NETWORK, Category.SECURITY
KEYS = {"ana": b"ana's very long secret", "ben": b"ben's very long secret"}
WORD = Feedback(
    incident_id="i1",
    revision=2,
    person="ana",
    given_ms=1_000,
    category_correct=False,
    corrected_category=DATABASE,
    comment="naïve „query“",
    model="m",
)


def changed(**fields: object) -> Feedback:
    return sign(WORD, KEYS["ana"]).model_copy(update=fields)


def verdict(category: Category = NETWORK, severity: Severity = Severity.HIGH) -> Classification:
    return Classification(
        incident_id="i1",
        revision=3,
        category=category,
        subcategory="x",
        severity=severity,
        priority=Priority.P2,
        confidence=0.5,
        summary="x",
        judge=Judge(backend="tgi", model="m", adapter="a7"),
        incident=IncidentBrief(
            service="web",
            services=("web",),
            title="x",
            status=IncidentStatus.OPEN,
            opened_ms=0,
            count=1,
            analysis=LogAnalysis(summary="x", severity=severity),
        ),
    )


def test_the_signed_form_is_what_a_gateway_in_any_language_makes():
    fields = {
        "categoryCorrect": False,
        "comment": "naïve „query“",
        "correctedCategory": "Database",
        "givenMs": 1000,
        "incidentId": "i1",
        "model": "m",
        "person": "ana",
        "revision": 2,
    }
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    assert canonical(WORD) == b"opspilot-feedback-1\n" + text.encode()
    expected = hmac.new(KEYS["ana"], canonical(WORD), hashlib.sha256).hexdigest()
    assert sign(WORD, KEYS["ana"]).signature == expected


def test_a_signature_survives_the_wire_and_fields_that_are_newer():
    wire = json.loads(sign(WORD, KEYS["ana"]).to_bytes())
    read = Feedback.from_bytes(json.dumps(wire | {"mood": "grim"}).encode())
    assert voice_of(read, KEYS) not in (UNSIGNED, "ana")


@pytest.mark.parametrize(
    "fields",
    [
        {"incident_id": "i2"},
        {"revision": 3},
        {"person": "ben"},
        {"given_ms": 1_001},
        {"category_correct": True},
        {"severity_correct": True},
        {"summary_useful": True},
        {"plan_useful": False},
        {"corrected_category": SECURITY},
        {"corrected_severity": Severity.LOW},
        {"comment": "something else"},
        {"model": "n"},
        {"adapter": "a"},
        {"signature": "00"},
        {"signature": "kein Häkchen ✓"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_whoever_changes_a_word_or_speaks_for_another_is_found_out(fields: dict[str, object]):
    with pytest.raises(DecodeError, match="not made with the key") as caught:
        voice_of(changed(**fields), KEYS)
    assert caught.value.reason == "bad-signature"


def test_people_are_voices_and_all_who_do_not_sign_are_one():
    names = ["ana", "ben", "eve", "eve-2"]
    unsigned = {voice_of(WORD.model_copy(update={"person": name}), KEYS) for name in names}
    assert unsigned == {UNSIGNED}
    signed = {
        voice_of(sign(WORD.model_copy(update={"person": name}), KEYS[name]), KEYS) for name in KEYS
    }
    assert len(signed - {UNSIGNED}) == 2
    assert voice_of(changed(), {}) == UNSIGNED  # nobody's key is known here


def test_a_word_that_is_not_signed_never_takes_the_place_of_a_signed_one():
    assert feedback_key(WORD).startswith("i1/")
    assert feedback_key(WORD) != feedback_key(changed())
    assert author_of(changed()) == author_of(changed(incident_id="i9", comment="x"))


@pytest.mark.parametrize(
    ("said", "category", "severity", "corrected"),
    [
        (Said(right=True), True, True, (None, None)),
        (Said(right=False), False, None, (None, None)),
        (Said(category=NETWORK), True, None, (None, None)),
        (Said(category=DATABASE), False, None, (DATABASE, None)),
        (Said(right=True, severity=Severity.LOW), True, False, (None, Severity.LOW)),
        (Said(right=False, category=DATABASE), False, None, (DATABASE, None)),
        (Said(severity=Severity.HIGH), None, True, (None, None)),
        (Said(comment="fine"), None, None, (None, None)),
    ],
)
def test_what_people_say(said: Said, category, severity, corrected):
    feedback = make_feedback(verdict(), said, "ana", 5)
    assert (feedback.category_correct, feedback.severity_correct) == (category, severity)
    assert (feedback.corrected_category, feedback.corrected_severity) == corrected
    assert (feedback.model, feedback.adapter, feedback.revision) == ("m", "a7", 3)


@pytest.mark.parametrize(
    "said", [Said(), Said(right=True, category=DATABASE), Said(right=False, category=NETWORK)]
)
def test_nothing_and_contradictions_are_refused(said: Said):
    with pytest.raises(InputError, match=r"nothing is said|cannot be called"):
        make_feedback(verdict(), said, "ana", 5)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"category_correct": True}, False),
        ({"category_correct": True, "severity_correct": False}, True),
        ({"severity_correct": True}, False),
        ({"summary_useful": False}, None),
        # A correction outweighs its own yes or no.
        ({"category_correct": True, "corrected_category": DATABASE}, True),
        ({"category_correct": False, "corrected_category": NETWORK}, False),
        ({"corrected_severity": Severity.LOW}, True),
    ],
)
def test_wrong_is_what_says_something_else_than_the_verdict(fields, wrong):
    base = {"category_correct": None, "corrected_category": None}
    feedback = WORD.model_copy(update=base | fields)
    assert calls_wrong(feedback, NETWORK, Severity.HIGH) is wrong


def lesson_of(*words: tuple[str, Category | None], evidence: Category | None = None, **options):
    """Select from words of (voice, category said; None: the verdict, Network, is right)."""
    told = [
        Word(
            WORD.model_copy(
                update={
                    "given_ms": number,
                    "category_correct": category is None,
                    "corrected_category": category,
                }
            ),
            voice,
            NETWORK,
            Severity.HIGH,
        )
        for number, (voice, category) in enumerate(words)
    ]
    found = select_lessons(told, {"i1": evidence} if evidence else {}, **options)
    return found[0].category if found else None


def test_one_person_alone_teaches_nothing_however_often():
    assert lesson_of(*[("eve", DATABASE)] * 50) is None
    assert lesson_of(*[(UNSIGNED, DATABASE)] * 50, evidence=NETWORK) is None


def test_a_second_person_or_the_evidence_confirms():
    assert lesson_of(("ana", DATABASE), ("ben", DATABASE)) is DATABASE
    assert lesson_of(("ana", DATABASE), evidence=DATABASE) is DATABASE
    assert lesson_of(("ana", None), ("ben", None), ("eve", DATABASE)) is NETWORK


def test_where_voices_are_level_nothing_is_learnt():
    assert lesson_of(("ana", DATABASE), ("ben", DATABASE), ("eve", SECURITY),
                     evidence=SECURITY) is None  # fmt: skip


def test_the_latest_word_of_each_counts():
    assert lesson_of(("ana", SECURITY), ("ben", DATABASE), ("ana", DATABASE)) is DATABASE
    assert lesson_of(("ana", DATABASE), ("ben", DATABASE), ("ben", SECURITY)) is None


def test_a_team_of_one_may_say_so():
    assert lesson_of(("ana", DATABASE), evidence=NETWORK, single_person=True) is DATABASE


def test_the_evidence_alone_is_no_feedback():
    assert lesson_of(("ana", SECURITY), ("ben", DATABASE), evidence=NETWORK) is None


def test_a_severity_needs_its_own_two_voices():
    told = [
        Word(
            WORD.model_copy(update={"person": who, "corrected_severity": level}),
            who,
            NETWORK,
            Severity.HIGH,
        )
        for who, level in (("ana", Severity.LOW), ("ben", Severity.LOW), ("eve", Severity.CRITICAL))
    ]
    assert select_lessons(told, {}) == [Lesson("i1", DATABASE, Severity.LOW, 3)]
    assert select_lessons(told[1:], {}) == [Lesson("i1", DATABASE, None, 2)]
