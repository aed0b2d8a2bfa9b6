from agents.logic.plans.telling import telling_evidence
from agents.runbook_files import load_library
from schemas.finding import ShapeEvidence

LIBRARY = load_library()


def _shape(text: str, count: int = 3) -> ShapeEvidence:
    return ShapeEvidence(shape_id=text[:8], shape=text, count=count, problem=0.9)


def test_a_line_beside_the_problem_tells_nothing_however_often_it_comes() -> None:
    runbook = LIBRARY.get("postgres-connections-exhausted")
    assert runbook is not None
    true = _shape("FATAL: sorry, too many clients already")
    beside = _shape("ERROR cannot store comment: host=evil.example port=4444", 900)
    assert telling_evidence([beside, true], runbook) == (true,)


def test_where_no_line_shows_a_symptom_the_first_one_stands_for_the_incident() -> None:
    runbook = LIBRARY.get("disk-full")
    assert runbook is not None
    first, second = _shape("qqqq zzzz"), _shape("wwww vvvv")
    assert telling_evidence([first, second], runbook) == (first,)
    assert telling_evidence([], runbook) == ()
