"""What the processes of a local stack are told, and how many there may be."""

from pathlib import Path

import pytest

from opspilot.acls import TRAINER, acl_commands
from opspilot.stack import STAGES, StackPlan, check_members, stack_variables, worker_specs
from streams.errors import ConfigurationError
from streams.settings import Settings

FOLDER = Path("data")


def test_one_process_per_stage_unless_more_are_asked_for() -> None:
    assert [spec.name for spec in worker_specs(StackPlan(FOLDER), {})] == list(STAGES)
    specs = worker_specs(StackPlan(FOLDER, {"ingest": 2}), {})
    assert [spec.name for spec in specs][:3] == ["ingest-1", "ingest-2", "analyze"]
    folders = {spec.environment["OPSPILOT_WORKER__DATA_FOLDER"] for spec in specs}
    assert len(folders) == len(specs)


def test_a_broker_of_ours_is_spoken_to_in_plain_text() -> None:
    own = stack_variables(StackPlan(FOLDER), "127.0.0.1:1")
    assert own["OPSPILOT_KAFKA__SECURITY_PROTOCOL"] == "PLAINTEXT"
    named = stack_variables(StackPlan(FOLDER, kafka="kafka:1", prefix="p."), "kafka:1")
    assert "OPSPILOT_KAFKA__SECURITY_PROTOCOL" not in named
    assert named["OPSPILOT_TOPICS__PREFIX"] == "p."


def test_processes_that_could_not_have_work_are_refused() -> None:
    settings = Settings()
    check_members({"ingest": 6, "classify": 8}, settings)
    with pytest.raises(ConfigurationError, match="at most 6"):
        check_members({"ingest": 7}, settings)
    with pytest.raises(ConfigurationError, match="use 1"):
        check_members({"correlate": 2}, settings)


def test_rights_are_given_per_stage_and_no_wider() -> None:
    lines = list(acl_commands(Settings()))
    raw = [line for line in lines if line.endswith("--topic opspilot.logs.raw")]
    assert raw
    assert all("User:opspilot-ingest" in line for line in raw)
    assert not any("--operation All" in line or "--topic '*'" in line for line in lines)
    for stage in (*STAGES, TRAINER):
        own = [line for line in lines if f"User:opspilot-{stage} " in line]
        assert any("--operation Write" in line and "dead-letters" in line for line in own)
        assert any(f"--group opspilot.{stage}" in line for line in own)


def test_the_trainer_may_read_feedback_and_name_a_model_but_judge_nothing() -> None:
    own = [line for line in acl_commands(Settings()) if "User:opspilot-trainer " in line]
    written = {line.split()[-1] for line in own if "--operation Write" in line}
    read = {line.split()[-1] for line in own if "--operation Read" in line}
    assert written == {
        f"opspilot.{name}" for name in ("training.results", "models", "baselines", "dead-letters")
    }
    assert {"opspilot.training.requests", "opspilot.feedback", "opspilot.models"} <= read
    assert not any("incidents" in line or "logs." in line for line in own)
