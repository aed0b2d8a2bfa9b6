import asyncio
import json
from dataclasses import replace
from itertools import count

import pytest
from judged_examples import entrant, examples

from agents.llm.errors import BadAnswerError, ModelError, OverloadedError
from agents.llm.protocol import Reply, Request, ServerInfo
from agents.logic.judging.classifier import load_classifier
from training.dataset.examples import Split
from training.dataset.folder import write_dataset
from training.figures import figures_of
from training.gate import decide
from training.judging_run import Asking, ask_all
from training.report import JSON_FILE, PICTURE, TEXT_FILE, report_text, write_report
from training.trial import InService, try_candidate

TEST = examples(11)
CANARY = examples(1, Split.CANARY)


class Model:
    """Answers what the example's id asks for: right with the adapter, else always Hardware."""

    name = "openai"

    def __init__(self, fail: int = 0, bad: bool = False) -> None:
        self._calls = count()
        self._fail, self._bad = fail, bad
        self.most = self._now = 0

    async def complete(self, request: Request) -> Reply:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if next(self._calls) < self._fail:
            raise OverloadedError("busy")
        if self._bad:
            raise BadAnswerError("not JSON", "{")
        category = "Network" if request.adapter else "Hardware"
        answer = {
            "category": category,
            "severity": "high",
            "summary": "orders cannot reach fraud-check",
            "suggestedActions": [],
        }
        return Reply(answer, json.dumps(answer), "tiny", request.adapter, 10, 5, 50.0)

    async def describe(self) -> ServerInfo:
        return ServerInfo("tiny")

    async def count_tokens(self, text: str) -> int:
        return len(text)

    async def close(self) -> None:
        pass


async def test_answers_come_in_the_order_of_the_examples_and_no_more_at_once_than_allowed():
    model = Model()
    judged = await ask_all(Asking(model, "a", at_once=3), TEST, load_classifier())
    assert [one.example for one in judged] == [example.id for example in TEST]
    assert model.most == 3
    assert {one.category for one in judged} == {"Network"}
    assert judged[0].completion_tokens == 5


async def test_a_bad_answer_counts_against_the_model_and_the_baseline_serves():
    (judged,) = await ask_all(Asking(Model(bad=True), "a"), TEST[:1], load_classifier())
    assert (judged.category, judged.is_json) == (None, False)
    assert judged.served.category == "Network"


async def test_a_server_that_cannot_be_asked_decides_nothing(monkeypatch):
    monkeypatch.setattr("training.judging_run.PAUSE_SECONDS", 0.0)
    with pytest.raises(ModelError, match="busy"):
        await ask_all(Asking(Model(fail=99), "a"), TEST[:2], load_classifier())
    judged = await ask_all(Asking(Model(fail=2), "a"), TEST[:1], load_classifier())
    assert judged[0].category == "Network"


async def test_a_trial_asks_all_decides_and_writes_its_report(tmp_path):
    canary = [replace(CANARY[0], id=f"c{n}") for n in range(3)]
    network = replace(TEST[0], split=Split.TEST)
    test = [replace(network, id=f"t{n}") for n in range(66)]
    # All are of one family and of one split each: what leaks is not the question here.
    data = tmp_path / "data"
    write_dataset(data, test, {})
    lines = (tmp_path / "canary.jsonl", data / "canary.jsonl")
    write_dataset(tmp_path, canary, {})
    lines[1].write_bytes(lines[0].read_bytes())
    heard: list[tuple[str, int, int]] = []
    verdict = await try_candidate(
        data,
        Asking(Model(), "triage-2"),
        InService("tiny", False),
        tmp_path / "report",
        told=lambda *told: heard.append(told),
    )
    assert verdict.decision.passed, verdict.decision.reason
    assert verdict.figures["candidate_accuracy"] == 1.0
    assert verdict.figures["in_service_accuracy"] == 0.0
    assert heard[-1] == ("tiny", 69, 69)
    assert (tmp_path / "report" / TEXT_FILE).read_text().startswith("# triage-2: passed")
    report = json.loads((tmp_path / "report" / JSON_FILE).read_text())
    assert report["items"] == 66
    assert report["entrants"][1]["name"] == "tiny"


def reported(wrong: set[str]):
    people = [
        entrant("new", TEST, CANARY, wrong),
        entrant("old", TEST, CANARY),
        entrant("baseline", TEST, CANARY, is_baseline=True),
    ]
    decision = decide(TEST, CANARY, *people)
    return decision, [figures_of(one, TEST, CANARY) for one in people]


def test_the_report_says_first_why_a_candidate_was_refused():
    decision, figures = reported({e.id for e in TEST[:11]})
    text = report_text(decision, figures, len(TEST), has_picture=False)
    assert text.startswith("# new: refused")
    assert "| category Network | **no** |" in text
    assert "| category, own word | 0.833 | 1.000 | 1.000 |" in text


def test_figures_count_what_was_taken_for_what():
    _, figures = reported({e.id for e in TEST[:11]})
    assert figures[0].confusion["Network"] == {
        "Network": 0, "Database": 11, "Application": 0, "Security": 0, "Hardware": 0,
        "Performance": 0, "none": 0,
    }  # fmt: skip
    assert figures[0].categories["Network"].recall == 0.0
    assert figures[0].categories["Database"].precision == 0.5


def test_the_picture_is_drawn_where_it_can_be(tmp_path):
    pytest.importorskip("matplotlib")
    decision, figures = reported(set())
    write_report(tmp_path, decision, figures, len(TEST))
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert PICTURE in (tmp_path / TEXT_FILE).read_text()
