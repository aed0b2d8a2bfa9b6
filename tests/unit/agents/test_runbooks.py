from datetime import timedelta
from pathlib import Path

import pytest

from agents.logic.plans.runbooks import RunbookError, parse_runbook
from agents.runbook_files import load_library
from schemas.remediation import Risk
from schemas.services import Platform
from schemas.vocabulary import Category

GOOD = """---
id: queue-stuck
title: The queue does not move
categories: [Application, Performance]
subcategories: [queue]
products: [workqueue]
estimated: 2h
---
## Symptoms
- queue length is above the limit
- no consumer has acknowledged for
  ten minutes
## Checks
1. Count what waits.
   ```sh kubernetes
   kubectl get pods -n {namespace}
   ```
   ```sh systemd
   systemctl status {unit}
   ```
   Expect: one consumer is not ready.
2. Ask the team.
   Expect: they know.
## Steps
1. Restart the consumer.
   ```sh
   systemctl restart {unit}
   systemctl status {unit}
   ```
   Verify: the queue gets shorter,
   and stays so.
   Rollback: nothing to undo.
   Risk: medium
2. Write down what happened.
   Verify: it is written.
   Rollback: none needed.
   Risk: low
## Success
- The queue is empty.
## Risks
- Work may be done twice.
## Rollback
Start the former version again.
"""


def test_every_part_of_a_runbook_is_read() -> None:
    runbook = parse_runbook(GOOD, "queue-stuck.md")
    assert runbook.categories == (Category.APPLICATION, Category.PERFORMANCE)
    assert runbook.estimated == timedelta(hours=2)
    assert runbook.symptoms[1] == "no consumer has acknowledged for ten minutes"
    check, question = runbook.checks
    assert check.commands == {
        Platform.KUBERNETES: "kubectl get pods -n {namespace}",
        Platform.SYSTEMD: "systemctl status {unit}",
    }
    assert check.verification == "one consumer is not ready."
    assert question.commands == {}
    restart, note = runbook.steps
    assert restart.commands[Platform.UNKNOWN].splitlines() == [
        "systemctl restart {unit}",
        "systemctl status {unit}",
    ]
    assert restart.verification == "the queue gets shorter, and stays so."
    assert (restart.risk, note.risk) == (Risk.MEDIUM, Risk.LOW)
    assert runbook.rollback == "Start the former version again."


def test_windows_line_ends_change_nothing() -> None:
    crlf = GOOD.replace("\n", "\r\n")
    assert parse_runbook(crlf, "queue-stuck.md") == parse_runbook(GOOD, "queue-stuck.md")


@pytest.mark.parametrize(
    ("old", "new", "section", "fix"),
    [
        ("---\nid", "id", "front matter", "begin the file"),
        ("id: queue-stuck", "id: queue stuck", "front matter", "kebab-case"),
        ("id: queue-stuck", "id: other", "front matter", "file's name"),
        ("title: The queue does not move\n", "", "front matter", "add the key title"),
        ("products: [workqueue]", "products: workqueue", "front matter", "as a list"),
        ("products: [workqueue]", "products: [workqueue", "front matter", "valid YAML"),
        ("estimated: 2h", "estimated: soon", "front matter", "30m or 2h"),
        ("estimated: 2h", "estimated: 0m", "front matter", "30m or 2h"),
        ("estimated: 2h", "estimated: 2h\nowner: me", "front matter", "unknown key owner"),
        ("[Application, Performance]", "[Software]", "front matter", "use one of Network"),
        ("- The queue is empty.\n", "", "Success", "add the section"),
        ("## Risks", "## Dangers", "Risks", "add the section ## Risks"),
        ("## Success", "## Extra\n- x\n## Success", "Extra", "use only the sections"),
        ("- The queue is empty.", "The queue is empty.", "Success", "begins with -"),
        ("2. Write down", "3. Write down", "Steps", "number item 3 as 2"),
        ("   Risk: medium\n", "", "Steps 1", "add the line `Risk"),
        ("   Rollback: none needed.\n", "", "Steps 2", "add the line `Rollback"),
        ("   Expect: they know.\n", "", "Checks 2", "add the line `Expect"),
        ("Risk: medium", "Risk: huge", "Steps 1", "use one of low"),
        ("```sh kubernetes", "```sh docker", "Checks 1", "label the block"),
        ("```sh kubernetes", "```sql", "Checks 1", "write ```sh"),
        ("```sh systemd", "```sh kubernetes", "Checks 1", "one command block"),
        ("{namespace}", "{cluster}", "Checks 1", "slot {cluster} is unknown"),
        ("Start the former version again.\n", "none\n", "Rollback", "whole plan"),
    ],
)
def test_an_error_names_file_section_and_fix(old: str, new: str, section: str, fix: str) -> None:
    assert old in GOOD
    with pytest.raises(RunbookError) as caught:
        parse_runbook(GOOD.replace(old, new, 1), "queue-stuck.md")
    message = str(caught.value)
    assert message.startswith(f"Runbook queue-stuck.md, section {section}: ")
    assert fix in message


def test_the_packaged_runbooks_are_complete() -> None:
    library = load_library()
    specific = [runbook for runbook in library.runbooks if not runbook.is_generic]
    assert len(specific) >= 60
    for category in Category:
        assert library.generic(category) is not None
        assert sum(runbook.categories[0] is category for runbook in specific) >= 5


def test_a_runbook_of_a_later_folder_replaces_the_packaged_one(tmp_path: Path) -> None:
    text = GOOD.replace("queue-stuck", "disk-full").replace("The queue does not move", "Ours")
    (tmp_path / "disk-full.md").write_text(text)
    (tmp_path / "notes.txt").write_text("not a runbook")
    replaced = load_library([tmp_path]).get("disk-full")
    assert replaced is not None
    assert replaced.title == "Ours"


def test_a_runbook_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "queue-stuck.md").write_bytes(b"\xff\xfe")
    with pytest.raises(RunbookError, match=r"queue-stuck\.md.*UTF-8"):
        load_library([tmp_path])
