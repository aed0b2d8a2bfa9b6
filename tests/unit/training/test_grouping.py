import pytest

from training.evaluation.grouping import (
    comparable,
    evaluate,
    grouping_accuracy,
    parse_with_opspilot,
    parsing_accuracy,
)


def test_only_groups_that_are_exactly_right_count():
    truth = ["a", "a", "b", "b", "c"]
    assert grouping_accuracy(truth, ["1", "1", "2", "2", "3"]) == 1.0
    assert grouping_accuracy(truth, ["1", "1", "2", "3", "4"]) == pytest.approx(3 / 5)
    assert grouping_accuracy(truth, ["1", "1", "1", "1", "2"]) == pytest.approx(1 / 5)


def test_templates_are_compared_without_matters_of_taste():
    assert comparable("at blk_<*> on  <*>:<*>") == comparable("at <*> on /<*>")
    assert comparable("at <*> on") != comparable("at node on")
    assert parsing_accuracy(["a <*>", "b"], ["a x<*>", "c"]) == 0.5


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="2 true labels but 1"):
        grouping_accuracy(["a", "b"], ["a"])


def test_a_folder_of_tables_is_evaluated(tmp_path):
    folder = tmp_path / "Shop"
    folder.mkdir()
    (folder / "Shop_2k.log_structured.csv").write_text(
        "LineId,Content,EventId,EventTemplate\n"
        "1,basket 7 lost,E1,basket <*> lost\n"
        "2,basket 8 lost,E1,basket <*> lost\n"
        "3,shop closed,E2,shop closed\n"
    )
    assert evaluate(tmp_path, {"it": parse_with_opspilot}) == {"Shop": {"it": (1.0, 1.0)}}


def test_a_folder_without_tables_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        evaluate(tmp_path, {})
