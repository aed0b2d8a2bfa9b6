import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.logic.templates import group


def texts(*shapes: str) -> dict[str, str]:
    grouping = group([(shape, shape) for shape in shapes])
    return {shape: grouping[shape].text for shape in shapes}


SHAPES = st.lists(
    st.lists(
        st.sampled_from(
            [
                "Failed",
                "login",
                "for",
                "user",
                "ann",
                "bob",
                "eve",
                "joe",
                "kim",
                "<*>",
                "job_<*>",
                "name=ann",
                "name=bob",
                "name=<*>",
                "(x)",
                "READY",
            ]
        ),
        min_size=1,
        max_size=5,
    ).map(" ".join),
    max_size=40,
)


@given(SHAPES, st.randoms(use_true_random=False))
def test_templates_are_a_function_of_the_set(shapes, source):
    pairs = [(f"id of {shape}", shape) for shape in shapes]
    shuffled = [*pairs, *pairs[: len(pairs) // 2]]
    source.shuffle(shuffled)
    first, second = group(pairs), group(shuffled)
    assert dict(first) == dict(second)
    assert set(first) == {shape_id for shape_id, _ in pairs}


@given(SHAPES)
def test_a_template_matches_each_of_its_shapes_in_its_constant_words(shapes):
    grouping = group([(shape, shape) for shape in shapes])
    for shape, template in grouping.items():
        words = set(shape.split(" "))
        for word in template.text.split(" "):
            assert word in words or "<*>" in word


def test_many_words_in_one_place_are_values():
    names = ["ann", "bob", "eve", "joe", "kim", "lee"]
    grouped = texts(*[f"login of {name} was refused" for name in names])
    assert set(grouped.values()) == {"login of <*> was refused"}


def test_two_words_in_one_place_are_two_templates():
    grouped = texts("block stored as bytes in memory", "block stored as values in memory")
    assert len(set(grouped.values())) == 2


def test_first_words_are_subjects_and_states_are_not_values():
    grouped = texts(
        *[f"{name} startup has succeeded" for name in ["abc", "def", "ghi", "jkl", "mno"]]
    )
    assert len(set(grouped.values())) == 5
    states = ["NEW", "INITED", "SETUP", "RUNNING", "KILLED"]
    assert len(set(texts(*[f"job went to {state} now" for state in states]).values())) == 5


def test_a_typed_value_pulls_its_neighbours_in():
    grouped = texts("resolved <*> to rack", "resolved node-<*> to rack", "resolved edge to rack")
    assert set(grouped.values()) == {"resolved <*> to rack"}


def test_identifiers_of_different_prefixes_in_one_place_are_values():
    grouped = texts("found block rdd_<*> in memory", "found block broadcast_<*> in memory")
    assert set(grouped.values()) == {"found block <*> in memory"}


def test_values_of_several_keys_may_vary_together():
    shapes = [
        f"lock taken tag={a} name={b} flags=<*>" for a, b in zip("abcdef", "uvwxyz", strict=True)
    ]
    assert set(texts(*shapes).values()) == {"lock taken tag=<*> name=<*> flags=<*>"}


def test_template_ids_come_from_the_text():
    one, two = group([("a", "x y <*>")]), group([("b", "x y <*>")])
    assert one["a"] == two["b"]
    assert one.members() == {one["a"]: ["a"]}


def test_an_unknown_shape_is_an_error():
    with pytest.raises(KeyError):
        group([])["nothing"]


def test_the_fields_of_a_record_are_values_from_the_second_on() -> None:
    found = group(
        [
            ("a", "acquire lock=<*>, flags=<*>, name=android, ws=<*>, uid=<*>"),
            ("b", "acquire lock=<*>, flags=<*>, name=com.example.ui, ws=Source{<*>}, uid=<*>"),
        ]
    )
    assert found["a"] == found["b"]
    assert found["a"].text == "acquire lock=<*>, flags=<*>, name=<*>, ws=<*>, uid=<*>"


def test_a_few_named_words_in_a_sentence_keep_their_words_apart() -> None:
    found = group([("a", "login refused for user=root"), ("b", "login refused for user=guest")])
    assert found["a"] != found["b"]


def test_an_answer_is_a_value() -> None:
    found = group([("a", "cache is warm: true"), ("b", "cache is warm: false")])
    assert found["a"] == found["b"]
