import json

import pytest
from typer.testing import CliRunner

from opspilot.commands.templates import app
from streams.errors import InputError

LOG = (
    b"2031-02-03 04:05:06 INFO shop: basket 7 lost\r\n"
    b"\n"
    b"2031-02-03 04:05:07 INFO shop: basket 8 lost\n"
    b"2031-02-03 04:05:08 ERROR shop: caf\xe9 closed"
)


def test_json_has_one_object_per_line_in_order(tmp_path):
    file = tmp_path / "shop.log"
    file.write_bytes(LOG)
    result = CliRunner().invoke(app, ["--json", str(file)])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["line"] for row in rows] == [1, 2, 3, 4]
    assert set(rows[0]) == {"line", "shapeId", "templateId", "template"}
    assert rows[0]["template"] == "basket <*> lost"
    assert rows[0] == {**rows[2], "line": 1}
    assert rows[3]["template"] == "caf\N{REPLACEMENT CHARACTER} closed"


def test_the_table_counts_lines(tmp_path):
    file = tmp_path / "shop.log"
    file.write_bytes(LOG)
    result = CliRunner().invoke(app, [str(file)])
    assert result.exit_code == 0
    assert "basket <*> lost" in result.stdout
    assert "4 lines, 3 templates" in result.stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "does not exist"), (b"", "is empty"), (b" \n", "is empty"), (b"MZ\0\1", "is binary")],
)
def test_files_that_are_no_logs_are_said_to_be(tmp_path, content, sentence):
    file = tmp_path / "shop.log"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(app, [str(file)])
    assert isinstance(result.exception, InputError)
    assert sentence in str(result.exception)
    assert "\n" not in str(result.exception)


def test_utf_16_is_read_as_text(tmp_path):
    file = tmp_path / "shop.log"
    file.write_bytes("INFO shop: basket 7 lost\r\nINFO shop: basket 8 lost\r\n".encode("utf-16"))
    result = CliRunner().invoke(app, [str(file)])
    assert "basket <*> lost" in result.stdout
    assert "2 lines, 1 templates" in result.stdout
